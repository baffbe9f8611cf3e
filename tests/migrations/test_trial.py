"""SQL of the schema's own is tried on a database, and leaves nothing there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew.errors import SchemaError
from clew.migrate.trial import try_sql
from clew.model.build import load_model, parse_model
from clew.sdl.load import read_sources

ROOT = Path(__file__).parents[2]
HEAD = "type Thing @table {\n  id: Int! @id\n  n: Int!\n  name: String\n  "


def faults(url: str, sdl: str) -> list[str]:
    """What is wrong: line, column and message of each fault."""
    source = Source(sdl, "schema.graphql")
    try:
        asyncio.run(try_sql(parse_model(source), [source], url))
    except SchemaError as error:
        places = [(diagnostic.location, diagnostic.message) for diagnostic in error.diagnostics]
        return [f"{place.line}:{place.column} {message}" for place, message in places if place is not None]
    return []


def catalogue(url: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            sql = "SELECT relname, relnamespace, relkind FROM pg_class ORDER BY 1, 2"
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("sdl", "expected"),
    [
        (HEAD + 'x: Int @computed(sql: "nn + 1")\n}', '5:3 the computed field "Thing.x": column "nn" does not exist'),
        (HEAD + 'x: Int @computed(sql: "n +")\n}', '5:3 the computed field "Thing.x": syntax error at or near ")"'),
        (HEAD + 'x: Int @check(sql: "true); DROP TABLE things; SELECT (1")\n}', "cannot insert multiple commands"),
        (HEAD + 'x: Int @computed(sql: "count(*)::int")\n}', '5:3 the computed field "Thing.x": column "things.id"'),
        (
            HEAD + 'x: String @index @computed(sql: "to_char(now(), name)")\n}',
            '5:3 the computed field "Thing.x": generation expression is not immutable',
        ),
        (HEAD + 'x: Int @check(sql: "x > nn")\n}', 'the check of "Thing.x": column "nn" does not exist'),
        (HEAD + 'x: String @check(pattern: "(?P<a>b)")\n}', 'the check of "Thing.x": invalid regular expression'),
        (HEAD + 'x: Int @default(sql: "one()")\n}', '5:3 the default of "Thing.x": function one() does not exist'),
        (HEAD + 'x: Int @default(sql: "now()")\n}', '5:3 the default of "Thing.x": column "x" is of type integer but'),
        (HEAD + 'x: Int @preset(sql: "n + nn")\n}', '5:3 the preset of "Thing.x": column "nn" does not exist'),
        (
            HEAD + 'x: String @column(type: "nothing") @check(sql: "n > 0")\n}',
            '1:6 "Thing": type "nothing" does not exist',
        ),
        (HEAD.replace("@table", '@table @check(sql: "n > nn")') + "x: Int\n}", 'the check of "Thing": column "nn"'),
        (
            HEAD.replace("@table", '@table @index(fields: [n], where: "nn > 0")') + "x: Int\n}",
            'the index of "Thing": column',
        ),
        (
            HEAD.replace("@table", '@table @index(fields: [n], using: "none")') + "x: Int\n}",
            'the index of "Thing": access method',
        ),
        (
            HEAD.replace("@table", '@table @unique(sql: "lower(nn)")') + "x: Int\n}",
            'the unique key of "Thing": column "nn"',
        ),
        (
            HEAD + '}\ntype Seen @view(sql: "SELECT id, nn FROM things") {\n  id: Int! @id\n}',
            '6:6 the view "Seen": column "nn" does not exist',
        ),
        (
            HEAD + '}\ntype Seen @view(sql: "SELECT id FROM things") {\n  id: Int! @id\n  more: Int\n}',
            '8:3 the view "Seen" has no column for its field "more": column "more" does not exist',
        ),
    ],
)
def test_wrong_sql_is_an_error_at_its_place(database_url: str, sdl: str, expected: str) -> None:
    before = catalogue(database_url)
    (found,) = faults(database_url, sdl)
    assert expected in found
    assert catalogue(database_url) == before


def test_all_faults_are_told_at_once_and_right_sql_is_none(database_url: str) -> None:
    sdl = HEAD + (
        'x: Int @computed(sql: "n + 1")\n  y: Int @computed(sql: "n + a")\n  z: Int @check(sql: "b > z")\n'
        '  stored: Int @index @computed(sql: "n * 2")\n  at: DateTime @default(sql: "now() + interval \'1 day\'")\n'
        "  who: String @preset(sql: \"coalesce(name, 'nobody')\")\n}\n"
        'type Sum @view(sql: "SELECT id, stored + n AS total FROM things;") { id: Int! @id  total: Int }\n'
        'type Top @view(sql: "SELECT id, total FROM sums") { id: Int! @id  total: Int }\n'
    )
    found = faults(database_url, sdl)
    assert [fault.partition(" ")[2] for fault in found] == [
        'the computed field "Thing.y": column "a" does not exist',
        'the check of "Thing.z": column "b" does not exist',
    ]


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ('x: Int @computed(sql: "10 / n")', "n = '0': division by zero"),
        ('x: Float @computed(sql: "ln(n)")', "n = '0': cannot take logarithm of zero"),
        ('x: Float @computed(sql: "sqrt(n)")', "n = '-1': cannot take square root of a negative number"),
        ('x: Int @computed(sql: "name::int")', "name = '': invalid input syntax for type integer"),
        ('m: Int\n  x: Int @computed(sql: "n / (m - n)")', "division by zero"),
    ],
)
def test_a_computed_field_that_raises_on_a_row_is_an_error(database_url: str, field: str, row: str) -> None:
    (found,) = faults(database_url, f"{HEAD}{field}\n}}")
    assert "raises where" in found
    assert row in found


@pytest.mark.parametrize(
    "field",
    [
        'x: Int @computed(sql: "10 / nullif(n, 0)")',
        'm: Int! @check(sql: "m > 0")\n  x: Int @computed(sql: "n / m")',
        'm: Int! @check(sql: "m <> n")\n  x: Int @computed(sql: "n / (m - n)")',
        'mail: String! @check(pattern: "^[0-9]+$")\n  x: Int @computed(sql: "mail::int")',
        'at: String @column(type: "inet")\n  x: String @computed(sql: "host(at)")',
    ],
)
def test_a_total_computed_field_is_none(database_url: str, field: str) -> None:
    assert faults(database_url, f"{HEAD}{field}\n}}") == []


def test_the_demo_is_right(database_url: str) -> None:
    folder = ROOT / "graphql"
    asyncio.run(try_sql(load_model(folder, ROOT), read_sources(folder, ROOT)[0], database_url))


def test_a_view_may_group_by_the_key(database_url: str) -> None:
    sdl = (
        HEAD
        + """}
type Sum @view(sql: "SELECT id, n, name, count(*)::int AS rows FROM things GROUP BY id") {
  id: Int! @id
  n: Int!
  name: String
  rows: Int!
}"""
    )
    assert faults(database_url, sdl) == []


def test_a_fault_of_a_view_is_told_once(database_url: str) -> None:
    sdl = (
        HEAD
        + """}
type Sum @view(sql: "SELECT id, nn FROM things") { id: Int! @id }
type Top @view(sql: "SELECT id FROM sums") { id: Int! @id }
type Peak @view(sql: "SELECT id FROM tops") { id: Int! @id }"""
    )
    (fault,) = faults(database_url, sdl)
    assert fault.endswith('the view "Sum": column "nn" does not exist')
