"""Which tables have the triggers of the change log: docs/changes.md."""

from __future__ import annotations

import re

import pytest

from clew.model.types import Model
from tests.migrations.project import Project
from tests.migrations.test_renames import model

BLOG = """
type Post @table { id: Int! @id  title: String!  tags: [Tag!]! @relation(through: "PostTag") }
type Tag @table { id: Int! @id  posts: [Post!]! @relation(through: "PostTag") }
type Total @view(sql: "SELECT count(*) AS id FROM posts") { id: Int! @id }
"""
QUIET = BLOG.replace("type Tag @table", "type Tag @table(without: LIVE)")
TRIGGERS = """
    SELECT tgrelid::regclass::text, string_agg(format('%s %s', tgname, tgenabled), ', ' ORDER BY tgname) FROM pg_trigger
    WHERE tgname LIKE 'clew%' AND tgrelid <> 'clew.jobs'::regclass GROUP BY 1 ORDER BY 1
"""
ALL_FOUR = "clew_log_delete A, clew_log_insert A, clew_log_truncate A, clew_log_update A"


def logged(project: Project) -> list[str]:
    """The tables with all four triggers, which fire whatever `session_replication_role` is."""
    found = dict(project.rows(TRIGGERS))
    assert set(found.values()) <= {ALL_FOUR}
    return list(found)


def summaries(project: Project, wanted: Model) -> list[str]:
    made = project.make(wanted)
    assert made is not None
    project.up()
    return [change.summary for change in made.changes]


def test_every_table_and_link_is_logged_and_no_view(project: Project) -> None:
    project.migrate(model(BLOG))
    assert logged(project) == ["post_tags", "posts", "tags"]


def test_to_leave_a_table_out_and_to_take_it_in_is_a_migration(project: Project) -> None:
    project.migrate(model(BLOG))
    assert summaries(project, model(QUIET)) == ["log no changes of post_tags", "log no changes of tags"]
    assert logged(project) == ["posts"]
    project.down()
    assert logged(project) == ["post_tags", "posts", "tags"]
    project.up()
    assert summaries(project, model(BLOG)) == ["log changes of post_tags", "log changes of tags"]
    assert logged(project) == ["post_tags", "posts", "tags"]
    assert project.make(model(BLOG)) is None


@pytest.mark.parametrize(
    "renamed",
    [
        BLOG.replace("type Post @table", 'type Note @table @renamed(from: "Post")')
        .replace("[Post!]", "[Note!]")
        .replace("FROM posts", "FROM notes"),
        BLOG.replace("type Post @table", 'type Post @table(schema: "blog")').replace("FROM posts", "FROM blog.posts"),
    ],
    ids=["another name", "another schema"],
)
def test_the_triggers_follow_a_renamed_table(project: Project, renamed: str) -> None:
    project.migrate(model(BLOG))
    made = project.migrate(model(renamed))
    assert "clew.log_changes" not in made.path.read_text()
    assert len(logged(project)) == 3
    project.down()
    assert logged(project) == ["post_tags", "posts", "tags"]


def test_a_table_can_be_renamed_and_left_out_at_once(project: Project) -> None:
    project.migrate(model(BLOG))
    quiet = re.sub("type Post @table", 'type Post @table(name: "my posts", without: LIVE)', BLOG)
    project.migrate(model(quiet.replace("FROM posts", 'FROM \\"my posts\\"')))
    assert logged(project) == ["tags"]
    project.down()
    assert logged(project) == ["post_tags", "posts", "tags"]


def test_a_dropped_table_comes_back_with_its_triggers(project: Project) -> None:
    project.migrate(model(BLOG))
    project.migrate(model("type Post @table { id: Int! @id  title: String! }"))
    assert logged(project) == ["posts"]
    project.down()
    assert logged(project) == ["post_tags", "posts", "tags"]


def test_partitions_are_logged_with_their_table(project: Project) -> None:
    project.migrate(model("type Tag @table { id: Int! @id }"))
    project.execute(
        "CREATE TABLE hits (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day);"
        "CREATE TABLE mondays PARTITION OF hits FOR VALUES IN (1) PARTITION BY LIST (id);"
        "CREATE TABLE first_monday PARTITION OF mondays FOR VALUES IN (1);"
        "SELECT clew.log_changes('hits')"
    )
    assert logged(project) == ["first_monday", "hits", "mondays", "tags"]
    project.execute("SELECT clew.ignore_changes('hits')")
    assert logged(project) == ["tags"]


def test_nobody_but_the_owner_writes_to_the_log(project: Project) -> None:
    project.migrate(model(BLOG))
    granted = "SELECT relname FROM pg_class WHERE relnamespace = 'clew'::regnamespace AND relacl IS NOT NULL"
    assert project.rows(granted) == []
    # Functions with the rights of the log's owner.
    callable_by_all = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'clew'::regnamespace AND prosecdef
            AND has_function_privilege('pg_read_all_stats', oid, 'EXECUTE')
    """
    assert project.rows(callable_by_all) == []
    unsafe = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'clew'::regnamespace AND prosecdef
            AND NOT 'search_path=pg_catalog, pg_temp' = ANY(coalesce(proconfig, '{}'))
    """
    assert project.rows(unsafe) == []
