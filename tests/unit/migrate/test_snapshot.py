"""Snapshots and their file, and differences without a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clew.migrate import objects
from clew.migrate.conversion import keeps_every_value, using
from clew.migrate.diff import diff
from clew.migrate.revisions import revision_id
from clew.migrate.snapshot import Snapshot, take_snapshot
from clew.migrate.store import StoredSchema, dump, parse, read
from tests.migrations.models import blog, changed, column, with_columns


def test_a_snapshot_survives_its_file() -> None:
    stored = StoredSchema("0001_x", take_snapshot(blog(), 1))
    assert parse(dump(stored)) == stored
    assert list(json.loads(dump(stored))) == ["revision", "objects", "functions", "tables", "views"]


def test_an_empty_snapshot_survives_its_file(tmp_path: Path) -> None:
    stored = StoredSchema(None, Snapshot())
    assert parse(dump(stored)) == stored
    assert read(tmp_path / "none.json") == stored


def test_a_new_column_is_one_new_line_of_the_file() -> None:
    before = dump(StoredSchema(None, take_snapshot(blog(), 1))).splitlines()
    model = blog()
    post = model.entities["Post"]
    inserted = (*post.columns[:3], column("note"), *post.columns[3:])
    after = dump(StoredSchema(None, take_snapshot(changed(model, "Post", columns=inserted), 1))).splitlines()
    assert len(after) == len(before) + 1
    assert [line for line in after if line not in before] == ['        "note": {"type": "TEXT", "field": "note"},']


def test_equal_schemas_have_no_difference() -> None:
    assert diff(take_snapshot(blog(), 1), take_snapshot(blog(), 1)) == ()


def test_the_order_of_columns_is_no_difference() -> None:
    post = blog().entities["Post"]
    turned = changed(blog(), "Post", columns=tuple(reversed(post.columns)))
    assert diff(take_snapshot(blog(), 1), take_snapshot(turned, 1)) == ()


def test_a_difference_and_its_opposite_undo_each_other() -> None:
    old, new = take_snapshot(blog(), 1), take_snapshot(with_columns(blog(), "Post", column("note")), 1)
    (up,) = diff(old, new)
    (down,) = diff(new, old)
    assert (up.up, up.down) == (down.down, down.up)
    assert (up.summary, up.loses, down.loses) == ("add column posts.note", None, "the values of posts.note")


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("INTEGER", "BIGINT", True),
        ("BIGINT", "INTEGER", False),
        ("INTEGER", "NUMERIC", True),
        ("NUMERIC(10, 2)", "NUMERIC(12, 2)", True),
        ("NUMERIC(10, 2)", "NUMERIC(10, 3)", False),
        ("NUMERIC(10, 2)", "NUMERIC", True),
        ("NUMERIC", "NUMERIC(10, 2)", False),
        ("VARCHAR(5)", "VARCHAR(6)", True),
        ("VARCHAR(5)", "VARCHAR(4)", False),
        ("VARCHAR(5)", "TEXT", True),
        ("TEXT", "VARCHAR(5)", False),
        ("UUID", "TEXT", True),
        ("TEXT", "UUID", False),
        ("BIGINT", "DOUBLE PRECISION", False),
        ("TEXT", "TEXT[]", True),
        ("TEXT[]", "TEXT", False),
        ("INTEGER[]", "BIGINT[]", True),
        ("TEXT[]", "JSONB", True),
        ("TEXT", "JSONB", False),
        ("TIMESTAMP WITH TIME ZONE", "DATE", False),
        ("my.mood", "TEXT", True),
    ],
)
def test_widening_keeps_every_value_and_narrowing_does_not(old: str, new: str, kept: bool) -> None:
    assert keeps_every_value(old, new) is kept


def test_types_without_a_cast_go_through_text() -> None:
    assert using("a", "INTEGER", "BIGINT") == "a::BIGINT"
    assert using("a", "INTEGER", "UUID") == "a::text::UUID"


@pytest.mark.parametrize(
    ("existing", "message", "expected"),
    [
        ((), "Add title!", "0001_add_title"),
        (("0001_a", "0007_b"), "x", "0008_x"),
        (("0001_a", "5f2c3d4e5f6a"), "x", "0003_x"),
        (("0001_a", "201792895836", "201792895837_join"), "x", "0004_x"),
        ((), "", "0001"),
        ((), "one two three four five six seven eight", "0001_one_two_three_four_five_six"),
    ],
)
def test_revisions_are_numbered_and_fit_alembics_column(existing: tuple[str, ...], message: str, expected: str) -> None:
    made = revision_id(existing, message)
    assert made == expected
    assert len(made) <= 32


def test_each_step_of_clews_objects_goes_up_and_down() -> None:
    up, down = objects.statements(objects.VERSION), objects.statements(0, since=objects.VERSION)
    assert any("clew.uuid_v7()" in sql for sql in up)
    assert down[-1].endswith("DROP SCHEMA IF EXISTS clew")
    assert objects.statements(objects.VERSION, since=objects.VERSION) == ()
