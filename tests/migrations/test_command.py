"""Plain Alembic works in a project's folder, and every fault is said in words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clew.errors import StartupError
from clew.migrate import run
from clew.migrate.history import load_history
from clew.migrate.objects import VERSION
from clew.migrate.scaffold import FILES
from tests.migrations.conftest import Alembic
from tests.migrations.models import blog, column, with_columns
from tests.migrations.project import REPOSITORY, Project, command

# What the first revision of a project begins with.
INSTALL = f"    install(op, {VERSION})"
SDL = 'type Note @table { id: ID! @id text: String! @default(value: "a:b") at: DateTime! @createdAt }'


def url_with(url: str, **parts: str) -> str:
    """The URL with its database, user or host replaced."""
    head, _, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    place, _, database = rest.rpartition("/")
    database = parts.get("database", database)
    return f"{scheme}://{place}/{database}" + (f"?{query}" if query else "")


def test_alembics_commands_work(project: Project, alembic: Alembic) -> None:
    (project.root / "graphql").mkdir()
    (project.root / "graphql" / "schema.graphql").write_text(SDL)
    made = alembic(project, "revision", "--autogenerate", "-m", "notes")
    assert made.returncode == 0, made.stderr
    assert [path.name for path in (project.root / "migrations/versions").glob("*.py")] == ["0001_notes.py"]
    for arguments in (["upgrade", "head"], ["check"], ["downgrade", "-1"], ["upgrade", "head"]):
        result = alembic(project, *arguments)
        assert result.returncode == 0, (arguments, result.stderr, result.stdout)
    assert "0001_notes (head)" in alembic(project, "current").stdout
    assert (
        project.value("SELECT column_default FROM information_schema.columns WHERE column_name = 'text'")
        == "'a:b'::text"
    )

    by_hand = alembic(project, "revision", "-m", "by hand")
    assert by_hand.returncode == 0, by_hand.stderr
    assert alembic(project, "upgrade", "head").returncode == 0

    project.execute("ALTER TABLE notes ADD COLUMN stray text; CREATE TABLE somebody_elses (id int)")
    check = alembic(project, "check")
    assert check.returncode != 0
    assert "stray" in check.stdout + check.stderr
    assert "somebody_elses" not in check.stdout + check.stderr


def test_alembic_prints_a_fault_without_a_traceback(project: Project) -> None:
    project.make(blog(), "first")
    result = command(project, "upgrade", "head", DATABASE_URL=url_with(project.url, database="nowhere"))
    assert result.returncode != 0
    assert "does not exist" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_alembic_starts_the_embedded_postgres_without_a_database_url(project: Project) -> None:
    project.make(blog(), "first")
    result = command(project, "upgrade", "head", DATABASE_URL="")
    assert result.returncode == 0, result.stderr
    assert "0001_first (head)" in command(project, "current", DATABASE_URL="").stdout


def test_a_missing_database_is_said(project: Project) -> None:
    project.make(blog(), "first")
    with pytest.raises(StartupError, match="does not exist"):
        asyncio.run(run.upgrade(project.root, url_with(project.url, database="nowhere")))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://postgres@127.0.0.1:1/x", "No Postgres answers at 127.0.0.1:1/x"),
        ("postgresql://postgres:secret@no-such-host.invalid/x", "No Postgres answers at no-such-host.invalid/x"),
        ("mysql://root@localhost/x", "not a Postgres URL"),
        ("nonsense", "not a Postgres URL"),
        ("postgresql://u@localhost:port/x", "not a Postgres URL"),
    ],
)
def test_a_wrong_url_is_said_without_its_password(project: Project, url: str, message: str) -> None:
    project.make(blog(), "first")
    with pytest.raises(StartupError, match=message) as raised:
        asyncio.run(run.upgrade(project.root, url))
    assert "secret" not in raised.value.message


def test_a_database_is_at_head_behind_or_ahead(project: Project) -> None:
    project.make(blog(), "first")
    project.make(with_columns(blog(), "Post", column("note")), "second")
    history = load_history(project.root)
    assert history.revisions == ("0001_first", "0002_second")

    def check() -> None:
        project.ask(lambda connection: run.check_at_head(connection, history))

    with pytest.raises(StartupError, match="no revision, 2 migrations behind 0002_second"):
        check()
    project.up("+1")
    assert project.status() == run.Status("0001_first", "0002_second", ("0002_second",), run.State.BEHIND)
    with pytest.raises(StartupError, match="0001_first, 1 migration behind"):
        check()
    project.up()
    assert project.status().state is run.State.AT_HEAD
    check()
    project.execute("UPDATE alembic_version SET version_num = '0009_future'")
    assert project.status().state is run.State.AHEAD
    for action in (check, project.up, project.down):
        with pytest.raises(StartupError, match="0009_future, which is not in migrations/versions"):
            action()


def test_two_heads_are_refused_and_a_merge_goes_on(project: Project, alembic: Alembic) -> None:
    project.make(blog(), "first")
    versions = project.root / "migrations" / "versions"
    text = (versions / "0001_first.py").read_text()
    head, _, _ = text.partition("def upgrade")
    for name in ("0002_left", "0002_right"):
        branch = head.replace('"0001_first"', f'"{name}"').replace(
            "down_revision = None", 'down_revision = "0001_first"'
        )
        (versions / f"{name}.py").write_text(f"{branch}def upgrade(): pass\n\n\ndef downgrade(): pass\n")
    with pytest.raises(StartupError, match="2 heads: 0002_left, 0002_right"):
        project.make(with_columns(blog(), "Post", column("note")))
    with pytest.raises(StartupError, match="2 heads"):
        project.up()
    merged = alembic(project, "merge", "-m", "join", "heads")
    assert merged.returncode == 0, merged.stderr
    made = project.make(with_columns(blog(), "Post", column("note")), "note")
    assert made is not None
    assert made.revision == "0005_note"
    project.up()
    assert project.differences(with_columns(blog(), "Post", column("note"))) == []


def test_a_damaged_schema_file_is_said(project: Project) -> None:
    project.make(blog(), "first")
    (project.root / "migrations" / "schema.json").write_text("<<<<<<< HEAD\n{}")
    with pytest.raises(StartupError, match="cannot be read"):
        project.make(blog(), "second")


def test_a_schema_file_of_another_history_is_refused(project: Project) -> None:
    project.make(blog(), "first")
    (project.root / "migrations" / "versions" / "0001_first.py").unlink()
    with pytest.raises(StartupError, match="describes revision 0001_first, which is not in"):
        project.make(blog(), "second")


def test_a_project_of_sdl_alone_gets_what_alembic_needs(project: Project, tmp_path: Path, alembic: Alembic) -> None:
    bare = Project(tmp_path / "bare", project.url)
    bare.root.mkdir()
    assert bare.up().head is None
    assert run.offline_sql(bare.root) == ""
    assert list(bare.root.iterdir()) == []
    assert bare.make(blog(), "first") is not None
    for name in FILES:
        assert (bare.root / name).read_text() == (REPOSITORY / name).read_text(), name
    (bare.root / "alembic.ini").unlink()
    assert bare.up().current == "0001_first"
    assert alembic(bare, "current").stdout.startswith("0001_first (head)")


def test_files_that_cannot_be_written_are_said_and_none_is_left(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(StartupError, match=r"schema\.json cannot be written: Permission denied"):
        project.make(blog(), "first")
    assert list((project.root / "migrations/versions").glob("*.py")) == []


def test_a_folder_may_have_a_percent_sign(project: Project, tmp_path: Path) -> None:
    odd = Project(tmp_path / '100%s "odd"', project.url)
    odd.root.mkdir()
    odd.make(blog(), "first")
    assert odd.up().current == "0001_first"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("nonsense.call()", r"0002_x\.py:1: NameError: name 'nonsense' is not defined"),
        ("x = (", "was never closed"),
        ("x = 1", "revision id"),
    ],
)
def test_a_revision_that_is_no_good_is_said(project: Project, code: str, said: str) -> None:
    project.make(blog(), "first")
    (project.root / "migrations/versions/0002_x.py").write_text(code)
    with pytest.raises(StartupError, match=said):
        project.status()


def test_python_that_fails_in_a_revision_is_said_with_its_line(project: Project) -> None:
    made = project.make(blog(), "first")
    assert made is not None
    made.path.write_text(made.path.read_text().replace(INSTALL, '    raise RuntimeError("no")'))
    with pytest.raises(StartupError, match=r"0001_first\.py:\d+: RuntimeError: no"):
        project.up()
    assert project.status().current is None


def test_alembic_reads_the_settings_that_clew_reads(project: Project, alembic: Alembic) -> None:
    project.migrate(blog(), "first")
    (project.root / ".env").write_text(f"DATABASE_URL={project.url}\n")
    assert "0001_first (head)" in alembic(project, "current", DATABASE_URL="").stdout
    assert not (project.root / ".clew/postgres").exists()
    production = alembic(project, "current", DATABASE_URL="", CLEW_ENV="production")
    assert production.returncode != 0
    assert "production has no embedded Postgres" in production.stdout + production.stderr


def test_a_failing_revision_is_rolled_back_and_those_before_it_stay(project: Project) -> None:
    project.make(blog(), "first")
    made = project.make(with_columns(blog(), "Post", column("note")), "second")
    assert made is not None
    made.path.write_text(
        made.path.read_text().replace("def downgrade", '    op.execute("SELECT 1/0")\n\n\ndef downgrade')
    )
    with pytest.raises(StartupError, match="division by zero"):
        project.up()
    assert project.status().current == "0001_first"
    assert project.rows("SELECT 1 FROM information_schema.columns WHERE column_name = 'note'") == []


def test_a_table_that_somebody_holds_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.migrate(blog(), "first")
    project.make(with_columns(blog(), "Post", column("note")), "second")
    monkeypatch.setattr("clew.migrate.env.LOCK_TIMEOUT", "200ms")

    async def migrate_while_held(connection: asyncpg.Connection[Any]) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE posts")
            await run.upgrade(project.root, project.url)

    with pytest.raises(StartupError, match="waited too long for a lock"):
        project.ask(migrate_while_held)
    project.up()


def test_sessions_of_migrations_have_their_name_and_utc(project: Project) -> None:
    made = project.make(blog(), "first")
    assert made is not None
    probe = "CREATE TABLE probe AS SELECT current_setting('application_name') a, current_setting('TimeZone') b"
    made.path.write_text(made.path.read_text().replace(INSTALL, f'{INSTALL}\n    op.execute("{probe}")'))
    project.up()
    assert project.rows("SELECT a, b FROM probe") == [("clew-migrate", "UTC")]


def test_no_lock_stays_behind(project: Project) -> None:
    project.migrate(blog(), "first")
    # Other databases of the server have locks of other tests.
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    assert project.value(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here}") == 0
