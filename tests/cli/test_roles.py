"""Commands about who may see what: `clew schema --role` and `--all-roles`, `clew check --diff`, `clew token`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from clew.auth.tokens import Tokens
from clew.config import Settings
from clew.viewer import Viewer
from tests.cli.conftest import SDL, Run, write

RULED = SDL.replace("text: String!", 'text: String!\n  secret: String @allow(role: "editor")')


@pytest.fixture
def project(project: Path) -> Path:
    """The project with a field for editors."""
    write(project, {"graphql/schema.graphql": RULED})
    return project


def test_schema_is_complete_or_a_roles(run: Run) -> None:
    assert "secret: String" in run("schema").stdout
    assert "secret: String" in run("schema", "--role", "admin").stdout
    assert "secret: String" in run("schema", "--role", "user, editor").stdout
    for role in ("anon", "user"):
        done = run("schema", "--role", role)
        assert "type Note" in done.stdout
        assert "secret" not in done.stdout
        assert done.stderr == ""


def test_a_role_that_no_rule_names_is_told_of(run: Run) -> None:
    done = run("schema", "--role", "edtior")
    assert done.returncode == 0
    assert done.stdout == run("schema", "--role", "anon").stdout
    assert done.stderr == 'note: no rule names the role "edtior"; did you mean "editor"?\n'


def test_schema_takes_one_role_option_and_no_empty_one(run: Run) -> None:
    assert "not allowed with" in run("schema", "--role", "user", "--all-roles").stderr
    assert "at least one role is needed" in run("schema", "--role", ",").stderr


def test_check_tells_what_changed_since_a_file(run: Run, project: Path) -> None:
    (project / "roles.graphql").write_text(run("schema", "--all-roles").stdout)
    done = run("check", "--diff", "roles.graphql")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No errors; 1 entity.\n\nNo role sees anything new, or loses anything.\n"

    write(project, {"graphql/schema.graphql": SDL.replace('role: "anon"', 'role: "anon", where: {text: "x"}')})
    done = run("check", "--diff", "-", stdin=(project / "roles.graphql").read_text())
    assert (done.returncode, done.stderr) == (0, "")
    rows = '  ~ rows of Note: was ALL, every row; now ALL, where {text: "x"}\n'
    lost = "  - Note.secret: String\n"
    written, read = [line for line in done.stdout.splitlines(keepends=True) if "generated types follow" in line]
    assert "NoteFilter, " in written
    assert "NoteFilter, " in read
    # Only an admin may write notes.
    assert "NoteCreateInput, " in written
    assert "NoteCreateInput, " not in read
    editor = f"editor (no longer a role)\n{lost}  - field Note.secret: READ, every row\n{rows}{read}"
    assert done.stdout == (
        f"No errors; 1 entity.\n\nanon\n{rows}\nuser\n{rows}\nadmin\n{lost}{written}\n{editor}\n"
        "4 roles with differences: 0 new (+), 3 lost (-), 3 changed (~).\n"
    )


def test_check_of_a_bad_schema_compares_nothing(run: Run, project: Path) -> None:
    (project / "roles.graphql").write_text(run("schema", "--all-roles").stdout)
    write(project, {"graphql/schema.graphql": "type In @table { id: Strng! @id }"})
    done = run("check", "--diff", "roles.graphql")
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'unknown type "Strng"' in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "old.graphql cannot be read: No such file or directory."),
        ("type {", "old.graphql:1:6 is not what `clew schema --all-roles` prints: Syntax Error"),
        ("", "old.graphql:1:1 is not what"),
        (RULED, "old.graphql is not what `clew schema --all-roles` prints: it has a definition before the first role."),
    ],
)
def test_a_file_that_cannot_be_compared_with_is_one_message(
    run: Run, project: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (project / "old.graphql").write_text(text)
    done = run("check", "--diff", "old.graphql")
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# --- tokens ---------------------------------------------------------------------------


def viewer_of(project: Path, token: str) -> Viewer:
    return asyncio.run(Tokens(Settings.load(project, "dev"), None).viewer(token))


def test_token_prints_one_that_dev_believes(run: Run, project: Path) -> None:
    done = run("token", "--sub", "42", "--role", "editor", "--claims", '{"company": 7}')
    assert (done.returncode, done.stderr) == (0, "")
    viewer = viewer_of(project, done.stdout.removesuffix("\n"))
    assert (viewer.id, viewer.roles, viewer.claims["company"]) == ("42", frozenset({"anon", "user", "editor"}), 7)
    assert viewer.claims["exp"] - viewer.claims["iat"] == 3600
    assert abs(viewer.claims["iat"] - time.time()) < 60
    short = viewer_of(project, run("token", "--sub", "42", "--expires", "90").stdout.strip())
    assert (short.roles, short.claims["exp"] - short.claims["iat"]) == (frozenset({"anon", "user"}), 90)


def test_token_signs_with_the_secret_that_is_set(run: Run, project: Path) -> None:
    (project / ".env").write_text("CLEW_JWT_SECRET=4b1f8c02d97e4a6fb3058e1d2c7a9604\n")
    assert viewer_of(project, run("token", "--sub", "42").stdout.strip()).id == "42"
    assert not (project / ".clew" / "jwt-secret").exists()


def test_token_needs_a_secret(run: Run) -> None:
    for environment, words in (
        ({"CLEW_ENV": "production"}, "CLEW_JWT_SECRET is not set"),
        ({"CLEW_JWKS_URL": "https://id.example/keys"}, "CLEW_JWKS_URL holds public keys only"),
    ):
        done = run("token", "--sub", "42", **environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_token_of_wrong_usage(run: Run) -> None:
    for arguments, words in (
        ((), "--sub"),
        (("--sub", ""), "the viewer's id cannot be empty"),
        (("--sub", "1", "--expires", "0"), "'0' is not a number of seconds from 1 to"),
        (("--sub", "1", "--claims", "[]"), "a JSON object is needed"),
    ):
        done = run("token", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
