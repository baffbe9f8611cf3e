"""Whatever is wrong, a command ends with one clear message, the right exit code and no traceback."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, stop_postgres, write

GOOD = {
    "CLEW_SECRET": "7c1f0e5b2a9d4836b7e1c05f9a3d6284",
    "CLEW_ADMIN_SECRET": "f2b90d6e81c74a35902d7be6c4a1f538",
}


@pytest.fixture(autouse=True)
def _nothing_left_behind(project: Path) -> Iterator[None]:
    yield
    stop_postgres(project)


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = 1) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_no_command_and_an_unknown_one_are_wrong_usage(run: Run) -> None:
    refused(run(), "usage: clew", code=2)
    refused(run("sevre"), "invalid choice: 'sevre'", code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dev", "--port", "http"), "'http' is not a port number from 0 to 65535"),
        (("serve", "--workers", "0"), "'0' is not a number from 1 to 512"),
        (("explain", "x.graphql", "--variables", "{"), "not JSON"),
        (("explain", "x.graphql", "--variables", "[1]"), "a JSON object is needed"),
        (("explain", "x.graphql", "--claims", "1"), "a JSON object is needed"),
        (("explain", "x.graphql", "--role", ""), "at least one role is needed"),
        (("migrate",), "ACTION"),
        (("migrate", "make"), "-m/--message"),
    ],
)
def test_wrong_usage_says_what_and_exits_with_2(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused(run(*arguments), words, code=2)


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("dev", "serve", "check", "schema", "migrate", "explain", "token"):
        assert command in done.stdout


@pytest.mark.parametrize("command", [("check",), ("dev",), ("serve",), ("schema",), ("migrate", "status")])
def test_a_folder_that_is_no_project_is_named(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    refused(run(*command, "--project", str(tmp_path)), str(tmp_path), "no graphql/ folder")
    refused(run(*command, "--project", str(tmp_path / "none")), str(tmp_path / "none"), "does not exist")


@pytest.mark.parametrize(
    ("pyproject", "words"),
    [
        ("[tool.clew", "is not valid TOML"),
        ("tool.clew = 1", "[tool.clew] must be a table"),
        ("[tool.clew]\napps = 'x:y'", "knows `app` and `seed`, not 'apps'"),
        ("[tool.clew]\napp = 'main'", "app must be \"module:name\", not 'main'"),
        ("[tool.clew]\napp = 'nowhere.main:clew'", "there is no module 'nowhere'"),
        ("[tool.clew]\napp = 'app.nowhere:clew'", "there is no module 'app.nowhere'"),
        ("[tool.clew]\napp = 'app.main:clue'", "has no 'clue'"),
        ("[tool.clew]\napp = 'app.main:number'", "is of type int, not a Clew"),
    ],
)
def test_a_bad_entry_point_is_one_message(run: Run, project: Path, pyproject: str, words: str) -> None:
    write(project, {"pyproject.toml": pyproject, "app/__init__.py": "", "app/main.py": "number = 1\n"})
    refused(run("check"), words)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import json\n\njson.loads('{')\n", "main.py:3: json.decoder.JSONDecodeError"),
        ("def f(:\n", "SyntaxError"),
        ("import missing_package\n", "main.py:1: ModuleNotFoundError: No module named 'missing_package'"),
        ("import sys\n\nsys.exit(7)\n", "main.py:3: SystemExit"),
    ],
)
def test_an_import_that_fails_shows_the_place_in_the_projects_code(
    run: Run, project: Path, source: str, words: str
) -> None:
    write(project, {"pyproject.toml": "[tool.clew]\napp = 'app.main:clew'", "app/main.py": source})
    refused(run("check"), words, "app.main:clew")


def test_the_projects_own_app_wins_over_the_repositorys(run: Run, project: Path) -> None:
    source = "from clew.app import Clew\n\nclew = Clew()\n"
    write(project, {"pyproject.toml": "[tool.clew]\napp = 'app.main:clew'", "app/main.py": source})
    assert run("check").stdout == "No errors; 1 entity.\n"


def test_check_prints_every_fault_with_its_place(run: Run, project: Path) -> None:
    write(project, {"graphql/b.graphql": "type B @table { id: ID! @id x: Nope y: Nada }\n"})
    done = run("check")
    refused(done, "graphql/b.graphql:1:32", "Nope", "Nada", "2 errors.")
    assert done.stdout == ""


def test_check_directives_writes_a_file_that_check_accepts(run: Run, project: Path) -> None:
    assert run("check", "--directives").returncode == 0
    assert "directive @table" in (project / "graphql" / "directives.graphql").read_text()
    assert run("check").returncode == 0


def test_schema_prints_sdl(run: Run) -> None:
    done = run("schema")
    assert done.returncode == 0
    assert "type Query {" in done.stdout
    assert "notes(" in done.stdout


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "DATABASE_URL must be a URL such as postgresql://"),
        ("postgresql://user:hunter2@127.0.0.1:1/clew", "127.0.0.1:1"),
        ("postgresql://user:hunter2@no-such-host.invalid/clew", "no-such-host.invalid"),
    ],
)
@pytest.mark.parametrize("command", [("migrate", "up"), ("migrate", "status"), ("dev", "--port", "0"), ("serve",)])
def test_a_database_that_cannot_be_used_is_one_message(
    run: Run, command: tuple[str, ...], url: str, words: str
) -> None:
    done = run(*command, DATABASE_URL=url, **(GOOD if command[0] == "serve" else {}))
    refused(done, words)
    assert "hunter2" not in done.stderr


def test_a_bad_setting_names_itself(run: Run) -> None:
    refused(run("dev", CLEW_PORT="web"), "error: CLEW_PORT must be a port number from 0 to 65535, not 'web'.")


def test_a_dot_env_that_is_no_text_is_one_message(run: Run, project: Path) -> None:
    (project / ".env").write_bytes(b"CLEW_PORT=\xff\xfe\n")
    refused(run("dev"), ".env cannot be read")


def test_a_port_in_use_is_one_message(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(run("dev", "--port", port), f"Port {port} on 127.0.0.1 is in use", "choose another with --port")


def test_a_host_that_is_no_address_is_one_message(run: Run) -> None:
    refused(run("dev", "--host", "no-such-host.invalid", "--port", "0"), "no-such-host.invalid")


def test_dev_refuses_production(run: Run) -> None:
    refused(run("dev", CLEW_ENV="production"), "`clew dev` is for development")


def test_serve_lists_every_fault(run: Run) -> None:
    done = run("serve", CLEW_ADMIN_SECRET="changeme", CLEW_PLAYGROUND="1", CLEW_CORS_ORIGINS="*")
    refused(done, "DATABASE_URL is not set", "CLEW_SECRET is not set", "CLEW_ADMIN_SECRET is weak", "playground", "(*)")
    assert "changeme" not in done.stderr


def test_explain_of_a_missing_file_is_one_message(run: Run) -> None:
    refused(run("explain", "none.graphql"), "none.graphql cannot be read: No such file or directory.")


def test_explain_prints_the_sql(run: Run) -> None:
    refused(run("explain", "-", stdin="{ notes { text } }"), "create table notes", "clew migrate make")
    run("migrate", "make", "-m", "first")
    refused(run("explain", "-", stdin="{ notes { text } }"), "1 migration behind 0001_first")
    run("migrate", "up")
    done = run("explain", "-", stdin="{ notes { text } }")
    assert done.returncode == 0, done.stderr
    assert "SELECT" in done.stdout
    assert "An admin passes every @allow." in done.stdout
    refused(run("explain", "-", stdin="{ nothing }"), "nothing")
    done = run("explain", "-", "--role", "user", "--claims", '{"sub": "42"}', stdin="{ notes { text } }")
    assert done.returncode == 0, done.stderr
    assert "  42: anon, user\n" in done.stdout
    assert "applies  graphql/schema.graphql:1  @allow(role: anon) ALL, every row: role anon is held" in done.stdout


def test_explain_runs_a_mutation_and_rolls_it_back(run: Run) -> None:
    run("migrate", "make", "-m", "first")
    run("migrate", "up")
    document = 'mutation { createNote(input: {text: "x"}) { text } }'
    for _ in range(2):
        done = run("explain", "-", "--role", "user", stdin=document)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Viewer\n  nobody: anon, user\n")
        assert "Step 1: createNote, write\n  Plan\n    Insert entity=Note columns=[text]" in done.stdout
        assert done.stdout.endswith("Verdict\n  allowed\n  Everything is rolled back.\n")
    done = run("explain", "-", "--role", "user", stdin='mutation { updateNote(id: 1, set: {text: "x"}) { text } }')
    assert "updateNote: Note {id: 1} is not there for UPDATE\n    There is no such row.\n" in done.stdout


def test_explain_for_claims_needs_a_role(run: Run) -> None:
    refused(run("explain", "-", "--claims", "{}", stdin="{ notes { text } }"), "--claims needs --role.")


def test_a_reader_that_stops_reading_is_no_error(project: Path) -> None:
    done = subprocess.run(
        f"cd {project} && {__import__('sys').executable} -m clew.cli schema | true; exit 0",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stderr == ""
