"""`clew psql`, and scripts that find the database of `clew dev`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clew.cli.commands.psql import without_password
from clew.database.embedded import embedded_postgres, folder_of
from tests.cli.conftest import Run, stop_postgres, write
from tests.cli.forks import environment_of

# Prints its arguments and the password.
FAKE = """#!{python}
import json, os, sys
print(json.dumps([sys.argv[1:], os.environ.get("PGPASSWORD")]))
sys.exit(7)
"""

SCRIPT = """
import asyncio
from clew import Clew, Viewer

clew = Clew()
print(clew.database_url)
print(asyncio.run(clew.graphql("{ notes { text } }", viewer=Viewer.admin())))
"""


@pytest.fixture
def with_psql(tmp_path: Path) -> str:
    """A PATH whose first psql says what it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "psql").write_text(FAKE.format(python=sys.executable))
    (folder / "psql").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_psql_gets_the_url_and_its_own_arguments_and_gives_the_exit_code(
    run: Run, postgres_url: str, with_psql: str
) -> None:
    done = run("psql", "--", "-c", "SELECT 1", "-tA", DATABASE_URL=postgres_url, PATH=with_psql)
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout) == [[f"--dbname={postgres_url}", "-c", "SELECT 1", "-tA"], None]


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgresql://ada:p%40ss@db:5432/x?sslmode=require", "postgresql://ada@db:5432/x?sslmode=require", "p@ss"),
        ("postgresql://ada@a,b/x?password=p%26s", "postgresql://ada@a,b/x", "p&s"),
        ("postgresql://postgres@/clew?host=/a%20b", "postgresql://postgres@/clew?host=/a%20b", None),
        ("postgresql:///x?host=/tmp", "postgresql:///x?host=/tmp", None),
    ],
)
def test_a_password_is_no_argument_that_others_see(url: str, address: str, password: str | None) -> None:
    assert without_password(url) == (address, password)


def test_the_embedded_postgres_runs_for_as_long_as_its_psql(run: Run, project: Path) -> None:
    try:
        done = run("psql", "--", "-tAc", "SELECT current_database()")
        assert (done.returncode, done.stdout) == (0, "clew\n"), done.stderr
        assert not (folder_of(project / ".clew") / "data" / "postmaster.pid").exists()
    finally:
        stop_postgres(project)


def test_without_psql_the_address_is_told_and_no_password(
    run: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    from clew.cli import main
    from clew.cli.commands import psql

    monkeypatch.setattr(psql, "_installed", lambda: None)
    monkeypatch.setattr(psql, "_beside_embedded", lambda: None)
    address, _, rest = postgres_url.partition("postgres@")
    monkeypatch.setenv("DATABASE_URL", f"{address}postgres:secret-word@{rest}")
    assert main(["psql", "--project", str(project)]) == 1
    told = capsys.readouterr().err
    assert "psql is not installed" in told
    assert without_password(postgres_url)[0] in told
    assert "secret-word" not in told


def test_a_script_finds_the_embedded_postgres_while_it_runs(run: Run, project: Path) -> None:
    write(project, {"script.py": SCRIPT})
    command = [sys.executable, "script.py"]

    def script() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=project, env=environment_of({}), capture_output=True, text=True, check=False)

    try:
        with embedded_postgres(folder_of(project / ".clew")) as url:
            assert run("migrate", "make", "-m", "first").returncode == 0
            assert run("migrate", "up").returncode == 0
            done = script()
            assert done.stdout == f"{url}\n{{'notes': []}}\n", done.stderr
        done = script()
        assert done.returncode == 1
        assert "DATABASE_URL is not set" in done.stderr
        production = subprocess.run(
            command,
            cwd=project,
            env=environment_of({"CLEW_ENV": "production"}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "DATABASE_URL is not set" in production.stderr
    finally:
        stop_postgres(project)
        assert not os.path.exists(project / ".clew" / "postgres" / "data" / "postmaster.pid")
