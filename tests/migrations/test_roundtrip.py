"""A whole schema goes up, down and up again, and is what it should be."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from clew.migrate import run
from tests.migrations.models import HOSTILE, blog
from tests.migrations.project import Project, command


@pytest.fixture
def migrated(project: Project) -> Project:
    project.migrate(blog(), "first")
    return project


def test_everything_goes_up_and_down_and_up_again(migrated: Project) -> None:
    first = migrated.schema()
    assert migrated.down().current is None
    assert [row for row in migrated.schema() if row[1] != "alembic_version"] == []
    assert migrated.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'clew'") == 0
    assert migrated.up().state is run.State.AT_HEAD
    assert migrated.schema() == first


def test_alembics_own_comparison_finds_no_difference(migrated: Project) -> None:
    assert migrated.differences(blog()) == []


def test_a_second_make_finds_nothing_and_writes_nothing(migrated: Project) -> None:
    before = sorted(path.name for path in migrated.root.rglob("*.py"))
    assert migrated.make(blog()) is None
    assert sorted(path.name for path in migrated.root.rglob("*.py")) == before


def test_hostile_defaults_and_comments_survive(migrated: Project) -> None:
    migrated.execute("INSERT INTO users (email) VALUES ('a@b')")
    assert migrated.value("SELECT name FROM users") == HOSTILE
    assert migrated.value("SELECT settings->>'a' FROM users") == HOSTILE
    assert migrated.value("SELECT tags FROM users") == ["x", "it's"]
    assert migrated.value("SELECT obj_description('users'::regclass)") == f"People. {HOSTILE}"
    assert migrated.value("SELECT col_description('users'::regclass, 3)") == HOSTILE


def test_hostile_texts_survive_the_offline_script(migrated: Project) -> None:
    script = run.offline_sql(migrated.root)
    made = migrated.schema()
    migrated.down()
    migrated.execute("DROP TABLE alembic_version")
    migrated.execute("DROP SCHEMA shop")
    migrated.execute(script)
    # Alembic writes four spaces for a tab in scripts
    made = [tuple(item.replace("\t", "    ") if isinstance(item, str) else item for item in row) for row in made]
    assert migrated.schema() == made


def test_an_enum_column_rejects_other_values(migrated: Project) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="posts_status"):
        migrated.execute(
            "INSERT INTO users (email) VALUES ('a@b');"
            "INSERT INTO posts (title, slug, status, author_id) SELECT 't', 's', 'GONE', id FROM users"
        )
    with pytest.raises(asyncpg.CheckViolationError, match="users_roles"):
        migrated.execute("INSERT INTO users (email, roles) VALUES ('a@b', ARRAY['LIVE', 'GONE'])")
    migrated.execute("INSERT INTO users (email, roles) VALUES ('a@b', ARRAY['LIVE'])")


def test_updated_at_follows_every_update(migrated: Project) -> None:
    migrated.execute("INSERT INTO users (email, updated_at) VALUES ('a@b', '2020-01-01')")
    assert migrated.value("SELECT updated_at < '2021-01-01' FROM users")
    migrated.execute("UPDATE users SET email = 'c@d'")
    assert migrated.value("SELECT updated_at > now() - interval '1 minute' FROM users")


def test_search_finds_words_of_every_field(migrated: Project) -> None:
    migrated.execute(
        "INSERT INTO users (email) VALUES ('a@b');"
        "INSERT INTO posts (title, body, slug, author_id) SELECT 'Running dogs', 'Labyrinth', 's', id FROM users"
    )
    assert migrated.value("SELECT search_vector @@ to_tsquery('english', 'run') FROM posts")
    assert migrated.value("SELECT search_vector @@ to_tsquery('simple', 'labyrinth') FROM posts")


def test_a_unique_key_ignores_deleted_rows(migrated: Project) -> None:
    insert = "INSERT INTO posts (title, slug, author_id, deleted_at) SELECT 't', 's', id, {} FROM users"
    migrated.execute("INSERT INTO users (email) VALUES ('a@b');" + insert.format("now()"))
    migrated.execute(insert.format("NULL"))
    with pytest.raises(asyncpg.UniqueViolationError):
        migrated.execute(insert.format("NULL"))


def test_every_foreign_key_has_an_index_that_starts_with_it(migrated: Project) -> None:
    without = migrated.rows(
        """SELECT conname FROM pg_constraint o WHERE contype = 'f' AND NOT EXISTS (
               SELECT FROM pg_index i WHERE i.indrelid = o.conrelid AND i.indpred IS NULL
                   AND (i.indkey::int2[])[0:cardinality(o.conkey) - 1] @> o.conkey)"""
    )
    assert without == []


def test_uuid_v7_is_valid_and_ordered_in_time(migrated: Project) -> None:
    keys = [row[0] for row in migrated.rows("SELECT clew.uuid_v7() FROM generate_series(1, 2000)")]
    assert len(set(keys)) == 2000
    assert {(key.version, key.variant) for key in keys} == {(7, uuid.RFC_4122)}
    spaced = migrated.rows("SELECT clew.uuid_v7() FROM generate_series(1, 50), LATERAL (SELECT pg_sleep(0.0005)) s")
    assert spaced == sorted(spaced)
    now = migrated.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    assert abs(now - (spaced[-1][0].int >> 80)) < 60_000


def test_two_ups_at_once_run_each_revision_once(project: Project) -> None:
    project.make(blog(), "first")
    with ThreadPoolExecutor() as pool:  # a process each: Alembic's context is one for a process
        results = list(pool.map(lambda _: command(project, "upgrade", "head"), range(3)))
    assert [result.returncode for result in results] == [0, 0, 0], [result.stderr for result in results]
    assert sum("Running upgrade" in result.stderr for result in results) == 1
    assert project.differences(blog()) == []
