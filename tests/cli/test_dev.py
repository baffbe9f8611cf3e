"""`clew dev` end to end: it serves, follows every save, and is never broken by a bad one."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from clew.database import cluster
from clew.database.embedded import running_url
from tests.cli.conftest import SDL, Run, stop_postgres, write
from tests.cli.forks import environment_of
from tests.server import copy_empty_cluster

SEED = """
import sqlalchemy as sa


async def seed(connection):
    await connection.execute(sa.text("INSERT INTO notes (text) VALUES ('seeded')"))
"""


class Dev:
    """A running `clew dev` and what it has printed."""

    def __init__(self, project: Path, *arguments: str) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clew.cli", "dev", "--port", "0", *arguments],
            cwd=project,
            env=environment_of({"PYTHONUNBUFFERED": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = ""
        self.address = ""

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """Read until `text` comes; what came with it."""
        assert self.process.stdout is not None
        descriptor, deadline, begin = self.process.stdout.fileno(), time.monotonic() + seconds, len(self.output)
        while text not in self.output[begin:]:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come:\n{self.output}\n{self.tree()}"
            if select.select([descriptor], [], [], left)[0]:
                read = os.read(descriptor, 65536)
                assert read, f"clew dev ended before {text!r}:\n{self.output}"
                self.output += read.decode()
        return self.output[begin:]

    def tree(self) -> list[tuple[int, str, str]]:
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return [(process.pid, process.status(), " ".join(process.cmdline())) for process in family]

    def ready(self) -> Dev:
        self.address = self.wait_for("Ctrl-C stops").split("GraphQL API")[1].split()[0]
        return self

    def ask(self, query: str, headers: Mapping[str, str] | None = None) -> Any:
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(self.address, body, {"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return json.load(refused)

    def save(self, files: dict[str, str], then: str) -> str:
        write(self.project, files)
        return self.wait_for(then)

    def children(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if "clew.dev.child" in child.cmdline()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return code
        self.output += self.process.stdout.read().decode()
        self.process.stdout.close()
        return code


@pytest.fixture
def project(project: Path) -> Path:
    """With a seed, and with an embedded Postgres that is not made anew."""
    write(project, {"pyproject.toml": "[tool.clew]\nseed = 'app.seed:seed'\n", "app/seed.py": SEED})
    (project / ".clew" / "postgres").mkdir(parents=True)
    copy_empty_cluster(project / ".clew" / "postgres")
    return project


@pytest.fixture
def dev(project: Path) -> Iterator[Dev]:
    running = Dev(project)
    try:
        yield running.ready()
    finally:
        running.stop()
        stop_postgres(project)


def with_field(name: str) -> dict[str, str]:
    return {"graphql/schema.graphql": SDL.replace("text: String!", f"text: String!\n  {name}: String")}


def revisions(project: Path) -> int:
    return len(list((project / "migrations" / "versions").glob("*.py")))


def test_it_migrates_seeds_once_and_serves(dev: Dev) -> None:
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    assert "demo data added" in dev.output
    assert running_url(dev.project / ".clew" / "postgres") in dev.output.split()
    # It takes this machine for its admin, but not what a proxy on it passes on.
    for headers, role in (({}, "admin"), ({"X-Forwarded-For": "127.0.0.1"}, "anon")):
        assert dev.ask("{ viewer { roles } }", headers) == {"data": {"viewer": {"roles": [role]}}}
    assert revisions(dev.project) == 1
    dev.stop()
    again = Dev(dev.project).ready()
    try:
        assert again.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
        assert "demo data" not in again.output
    finally:
        again.stop()


def test_a_postgres_that_is_made_anew_gets_the_demo_data_again(dev: Dev) -> None:
    dev.stop()
    stop_postgres(dev.project)
    shutil.rmtree(dev.project / ".clew" / "postgres")
    again = Dev(dev.project).ready()
    try:
        assert "demo data added" in again.output
        assert again.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    finally:
        again.stop()


def test_a_save_changes_the_database_and_the_api(dev: Dev) -> None:
    printed = dev.save(with_field("more"), "Reloaded in")
    assert "graphql/schema.graphql" in printed
    assert dev.ask("{ notes { text more } }") == {"data": {"notes": [{"text": "seeded", "more": None}]}}
    assert revisions(dev.project) == 2


def test_a_bad_save_changes_nothing_and_the_next_good_one_is_served(dev: Dev) -> None:
    printed = dev.save({"graphql/bad.graphql": "type Bad @table { id: ID! @id x: Nope }\n"}, "keeps serving")
    assert "graphql/bad.graphql:1:34: error" in printed
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    assert revisions(dev.project) == 1
    dev.save({"graphql/bad.graphql": "type Bad @table { id: ID! @id x: String }\n"}, "Reloaded in")
    assert dev.ask("{ bads { x } }") == {"data": {"bads": []}}
    assert revisions(dev.project) == 2


def test_wrong_sql_of_ones_own_is_an_error_at_its_line(dev: Dev) -> None:
    wrong = SDL.replace("text: String!", 'text: String!\n  long: Int @computed(sql: "length(txt)")')
    printed = dev.save({"graphql/schema.graphql": wrong}, "keeps serving")
    place = 'graphql/schema.graphql:4:3: error: the computed field "Note.long"'
    assert f'{place}: column "txt" does not exist' in printed
    raising = wrong.replace("length(txt)", "10 / length(text)")
    printed = dev.save({"graphql/schema.graphql": raising}, "keeps serving")
    assert f"{place} raises where text = '': division by zero" in printed
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    assert revisions(dev.project) == 1
    dev.save({"graphql/schema.graphql": wrong.replace("txt", "text")}, "Reloaded in")
    assert dev.ask("{ notes { long } }") == {"data": {"notes": [{"long": 6}]}}


def test_bad_python_keeps_the_version_before(dev: Dev) -> None:
    assert "SyntaxError" in dev.save({"app/seed.py": "def seed(:\n"}, "keeps serving")
    dev.save({"app/seed.py": SEED}, "Reloaded in")
    pyproject = "[tool.clew]\nseed = 'app.seed:seed'\napp = 'app.main:clew'\n"
    printed = dev.save({"app/main.py": "import nothing_like_this\n", "pyproject.toml": pyproject}, "keeps serving")
    assert "main.py:1: ModuleNotFoundError" in printed
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}


# The signal that gives such a version up finds it here: in a destructor, and at its end.
GIVEN_UP = {
    "in a destructor": """
import time
from clew import Clew


class Slow:
    def __del__(self):
        time.sleep(3)


clew = Clew()
print("given up soon", flush=True)
Slow()
""",
    "at its end": """
import atexit, time

atexit.register(time.sleep, 3)
print("given up soon", flush=True)
raise RuntimeError("not yet")
""",
}


@pytest.mark.parametrize("main", GIVEN_UP.values(), ids=GIVEN_UP)
def test_a_version_that_is_given_up_ends_without_a_word(dev: Dev, main: str) -> None:
    settings = "[tool.clew]\napp = 'app.main:clew'\nseed = 'app.seed:seed'\n"
    dev.save({"pyproject.toml": settings, "app/main.py": main}, then="given up soon")
    dev.save({"app/main.py": "from clew import Clew\n\nclew = Clew()\n"}, then="Reloaded")
    dev.stop()
    assert "ignored" not in dev.output
    assert "SystemExit" not in dev.output
    assert "()" not in dev.output, "a reload names the files that were saved"


def test_a_migration_that_fails_leaves_no_file_behind(dev: Dev) -> None:
    both = SDL.replace("text: String!", 'text: String! @check(pattern: "^[0-9]+$")')
    printed = dev.save({"graphql/schema.graphql": both}, "keeps serving")
    assert "error" in printed
    assert revisions(dev.project) == 1
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    dev.save({"graphql/schema.graphql": SDL}, "Reloaded in")
    assert revisions(dev.project) == 1


def test_what_loses_data_is_refused_where_nobody_can_be_asked(dev: Dev) -> None:
    dev.save(with_field("more"), "Reloaded in")
    printed = dev.save({"graphql/schema.graphql": SDL}, "keeps serving")
    assert "error: This migration would lose data:\n  - the values of notes.more\n" in printed
    assert "hint: `clew dev --yes`" in printed
    assert "may fail" not in printed
    assert dev.ask("{ notes { more } }") == {"data": {"notes": [{"more": None}]}}
    assert revisions(dev.project) == 2


def test_a_required_field_is_filled_by_an_edited_revision(dev: Dev, run: Run) -> None:
    wanted = {"graphql/schema.graphql": SDL.replace("text: String!", "text: String!\n  more: String!")}
    printed = dev.save(wanted, "keeps serving")
    assert "error: This migration may fail:\n  - notes.more is required" in printed
    assert "lose data" not in printed
    assert "`clew migrate make --yes" in printed
    made = run("migrate", "make", "--yes", "-m", "fill more")
    assert made.returncode == 0, made.stderr
    (path,) = (dev.project / "migrations" / "versions").glob("*_fill_more.py")
    revision = path.read_text()
    assert "- add column notes.more (may fail: notes.more is required and has no default, and notes " in revision
    added = 'op.execute("ALTER TABLE notes ADD COLUMN more TEXT NOT NULL")'
    assert added in revision
    steps = [
        "ALTER TABLE notes ADD COLUMN more TEXT",
        "UPDATE notes SET more = upper(text)",
        "ALTER TABLE notes ALTER COLUMN more SET NOT NULL",
    ]
    path.write_text(revision.replace(added, "\n    ".join(f'op.execute("{step}")' for step in steps)))
    dev.save(wanted, "Reloaded in")
    assert dev.ask("{ notes { more } }") == {"data": {"notes": [{"more": "SEEDED"}]}}
    assert revisions(dev.project) == 2


def test_yes_accepts_what_loses_data(project: Path) -> None:
    running = Dev(project, "--yes")
    try:
        running.ready()
        running.save(with_field("more"), "Reloaded in")
        running.save({"graphql/schema.graphql": SDL}, "Reloaded in")
        assert "more" in running.ask("{ notes { more } }")["errors"][0]["message"]
    finally:
        running.stop()
        stop_postgres(project)


def test_quick_saves_are_one_reload_and_no_request_is_lost(dev: Dev) -> None:
    failures: list[object] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            try:
                if "data" not in dev.ask("{ notes { text } }"):
                    failures.append("no data")
            except OSError as error:
                failures.append(error)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    for number in range(5):
        write(dev.project, with_field(f"field{number}"))
        time.sleep(0.02)
    dev.wait_for("Reloaded in")
    time.sleep(1)
    done.set()
    asking.join()
    assert failures == []
    assert revisions(dev.project) == 2
    assert dev.ask("{ notes { field4 } }") == {"data": {"notes": [{"field4": None}]}}


def test_a_server_process_that_is_killed_is_started_again(dev: Dev) -> None:
    time.sleep(5.5)  # one that dies at once is left alone until the next save
    (child,) = dev.children()
    child.kill()
    assert "ended unexpectedly (signal SIGKILL)" in dev.wait_for("Reloaded in")
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}


def test_a_postgres_that_is_killed_is_started_again(dev: Dev) -> None:
    data = dev.project / ".clew" / "postgres" / "data"
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    dev.wait_for("was started again")
    deadline = time.monotonic() + 10
    while "data" not in (answer := dev.ask("{ notes { text } }")):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)


def test_an_embedded_database_that_is_removed_begins_anew(dev: Dev) -> None:
    data = dev.project / ".clew" / "postgres" / "data"
    before = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    before.kill()
    shutil.rmtree(dev.project / ".clew")
    assert "starts again" in dev.wait_for("Reloaded in")
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
    assert dev.stop(signal.SIGTERM) == 0, dev.output
    assert "Traceback" not in dev.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_stops_everything(dev: Dev, number: int, code: int) -> None:
    children = dev.children()
    assert children
    assert dev.stop(number) == code, dev.output
    assert "Traceback" not in dev.output
    assert not any(child.is_running() for child in children)
    assert not cluster.is_running((dev.project / ".clew" / "postgres" / "data").resolve())


def test_killed_itself_it_leaves_no_server_process(dev: Dev) -> None:
    children = dev.children()
    dev.process.kill()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def test_a_first_version_that_is_bad_ends_the_command(project: Path) -> None:
    write(project, {"graphql/bad.graphql": "type Bad @table { id: ID! @id x: Nope }\n"})
    running = Dev(project)
    try:
        assert running.process.wait(60) == 1
    finally:
        running.stop()
        stop_postgres(project)
    assert "graphql/bad.graphql:1:34: error" in running.output
    assert "Traceback" not in running.output


def test_it_believes_the_tokens_of_another_terminal(dev: Dev) -> None:
    minted = subprocess.run(
        [sys.executable, "-m", "clew.cli", "token", "--sub", "42", "--role", "editor"],
        cwd=dev.project,
        env=environment_of({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = dev.ask("{ viewer { id roles } }", {"Authorization": f"Bearer {minted.stdout.strip()}"})
    assert answer == {"data": {"viewer": {"id": "42", "roles": ["anon", "editor", "user"]}}}


def test_another_terminal_can_migrate_meanwhile(dev: Dev) -> None:
    command = [sys.executable, "-m", "clew.cli", "migrate", "status"]
    done = subprocess.run(command, cwd=dev.project, env=environment_of({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert dev.ask("{ notes { text } }") == {"data": {"notes": [{"text": "seeded"}]}}
