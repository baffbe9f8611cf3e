"""`clew migrate` from the first migration to the last, on the embedded Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import SDL, Run, stop_postgres, write


@pytest.fixture(autouse=True)
def _nothing_left_behind(project: Path) -> Iterator[None]:
    yield
    stop_postgres(project)


def test_make_up_status_sql_down(run: Run, project: Path) -> None:
    assert run("migrate", "status").returncode == 1
    made = run("migrate", "make", "-m", "notes")
    assert made.returncode == 0, made.stderr
    assert "versions/0001_notes.py" in made.stdout
    assert "Nothing to do" in run("migrate", "make", "-m", "again").stdout
    assert "runs:\n  0001_notes" in run("migrate", "status").stdout
    up = run("migrate", "up")
    assert (up.returncode, up.stdout) == (0, "Migrated to 0001_notes.\n"), up.stderr
    assert run("migrate", "up").stdout == "Already at 0001_notes.\n"
    status = run("migrate", "status")
    assert (status.returncode, status.stdout) == (0, "The database is at 0001_notes, the head.\n")
    assert "CREATE TABLE" in run("migrate", "sql").stdout
    down = run("migrate", "down")
    assert (down.returncode, down.stdout) == (0, "Back at the beginning.\n"), down.stderr


def test_what_loses_data_must_be_accepted(run: Run, project: Path) -> None:
    write(project, {"graphql/schema.graphql": SDL.replace("text: String!", "text: String!\n  more: String")})
    assert run("migrate", "make", "-m", "first").returncode == 0
    write(project, {"graphql/schema.graphql": SDL})
    refused = run("migrate", "make", "-m", "second")
    assert refused.returncode == 1
    assert "notes.more" in refused.stderr
    assert len(list((project / "migrations" / "versions").glob("*.py"))) == 1
    assert run("migrate", "make", "-m", "second", "--yes").returncode == 0


def test_the_embedded_postgres_ends_with_the_command(run: Run, project: Path) -> None:
    run("migrate", "status")
    assert (project / ".clew" / "postgres" / "data" / "PG_VERSION").exists()
    assert not (project / ".clew" / "postgres" / "data" / "postmaster.pid").exists()


WRONG = 'type Note @table {\n  id: Int! @id\n  text: String!\n  long: Int @computed(sql: "length(txt)")\n}\n'


def test_wrong_sql_is_an_error_before_it_is_migrated(run: Run, project: Path, database_url: str) -> None:
    assert run("migrate", "make", "-m", "first", DATABASE_URL=database_url).returncode == 0
    assert run("migrate", "up", DATABASE_URL=database_url).returncode == 0
    assert run("check", "--database", DATABASE_URL=database_url).returncode == 0
    write(project, {"graphql/schema.graphql": WRONG})
    # Without a database nobody can tell.
    assert run("check").returncode == 0
    for command in (("check", "--database"), ("migrate", "make", "-m", "second")):
        done = run(*command, DATABASE_URL=database_url)
        assert done.returncode == 1
        assert 'graphql/schema.graphql:4:3: error: the computed field "Note.long": column "txt" does not exist' in (
            done.stdout + done.stderr
        )
    assert len(list((project / "migrations" / "versions").glob("*.py"))) == 1
