"""Rules with text operators: what a claim or another field holds is text to them, no pattern of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew import Viewer
from clew.database.pool import Pool
from clew.engine import Engine, Request
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from tests.databases import create_tables, new_database
from tests.properties.database import LIMITS

SDL = r"""
type Note @table
  @allow(role: prefix, where: {text: {startsWith: "$auth.part"}})
  @allow(role: suffix, where: {text: {endsWith: "$auth.part"}})
  @allow(role: infix, where: {text: {contains: "$auth.part"}})
  @allow(role: pattern, where: {text: {ilike: "$auth.part"}})
  @allow(role: equal, where: {or: [{text: "$auth.part"}, {text: {startsWith: "$auth.part"}}]})
  @allow(role: row_prefix, where: {text: {startsWith: "$row.part"}})
  @allow(role: row_suffix, where: {text: {endsWith: "$row.part"}})
  @allow(role: row_infix, where: {text: {contains: "$row.part"}})
  @allow(role: row_pattern, where: {text: {like: "$row.part"}})
{ id: Int! @id  text: String!  part: String }
"""

# By id, text and part.
ROWS = [
    (1, "apple", "app"),
    (2, "pineapple", "apple"),
    (3, "a%b_c", "%b_"),
    (4, "axbyc", "%b_"),
    (5, "back\\slash", "back\\"),
    (6, "none", None),
    (7, "slash\\", "%h\\\\"),
    (8, "100%", "%"),
]


@pytest.fixture(scope="module")
def notes_url(postgres_url: str) -> Iterator[str]:
    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url


async def fill(url: str) -> None:
    await create_tables(url, parse_model(Source(SDL, "schema.graphql")))
    connection = await asyncpg.connect(url)
    await connection.executemany("INSERT INTO notes (id, text, part) VALUES ($1, $2, $3)", ROWS)
    await connection.close()


@pytest.fixture
async def notes(notes_url: str) -> AsyncIterator[Engine]:
    model = parse_model(Source(SDL, "schema.graphql"))
    schema = build_schema(model)
    assert bind(schema, model, []) == []
    pool = Pool(notes_url, size=1, application_name="clew-patterns")
    yield Engine(model, schema, build_tables(model), pool, LIMITS)
    await pool.close()


async def seen(engine: Engine, *roles: str, **claims: Any) -> list[int]:
    viewer = Viewer("1", frozenset(roles), claims)
    answer = json.loads((await engine.execute(Request("{ notes { id } }"), viewer)).body)
    return [note["id"] for note in answer["data"]["notes"]]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("role", "part", "ids"),
    [
        ("prefix", "app", [1]),
        ("prefix", "%", []),
        ("prefix", "a%", [3]),
        ("prefix", "back\\", [5]),
        ("suffix", "apple", [1, 2]),
        ("suffix", "%", [8]),
        ("infix", "pp", [1, 2]),
        ("infix", "_", [3]),
        ("infix", "\\", [5, 7]),
        ("pattern", "A%", [1, 3, 4]),
        ("pattern", "%\\\\", [7]),
        ("equal", "apple", [1]),
        ("equal", "app", [1]),
    ],
)
async def test_a_claim_is_compared_as_a_value_of_a_filter_is(
    notes: Engine, role: str, part: str, ids: list[int]
) -> None:
    assert await seen(notes, role, part=part) == ids


@pytest.mark.anyio
async def test_a_rule_with_a_claim_that_is_no_pattern_is_dropped(notes: Engine) -> None:
    assert await seen(notes, "pattern", part="back\\") == []
    assert await seen(notes, "pattern", "prefix", part="back\\") == [5]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("role", "ids"),
    [
        ("row_prefix", [1, 5]),
        ("row_suffix", [2, 8]),
        ("row_infix", [1, 2, 3, 5, 8]),
        # A field that ends in a lone escape is no pattern, and matches nothing.
        ("row_pattern", [7, 8]),
    ],
)
async def test_a_field_is_compared_as_a_value_of_a_filter_is(notes: Engine, role: str, ids: list[int]) -> None:
    assert await seen(notes, role) == ids


@pytest.mark.anyio
async def test_a_claim_that_would_be_compared_for_long_does_not_count(notes: Engine) -> None:
    for role in ("infix", "suffix", "pattern"):
        part = {"pattern": "%" + "a" * 2000 + "%"}.get(role, "a" * 2000)
        assert await seen(notes, role, part=part) == []
    # A beginning is compared once.
    assert await seen(notes, "prefix", "infix", part="a" * 2000) == []
    assert await seen(notes, "infix", part="apple") == [1, 2]


@pytest.mark.anyio
async def test_a_field_of_the_row_that_would_be_compared_for_long_is_null(notes_url: str, notes: Engine) -> None:
    connection = await asyncpg.connect(notes_url)
    try:
        for length, is_seen in ((200, True), (201, False)):
            await connection.execute("UPDATE notes SET text = $1, part = $1 WHERE id = 6", "x" * length)
            for role in ("row_suffix", "row_infix", "row_pattern"):
                assert (6 in await seen(notes, role)) is is_seen
            assert 6 in await seen(notes, "row_prefix")
    finally:
        await connection.execute("UPDATE notes SET text = 'none', part = NULL WHERE id = 6")
        await connection.close()
