"""Arrays on Clew's connections: as asyncpg reads and writes them, without its question for their types."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from clew.database.pool import _ARRAYS, Session

VALUES = {
    "bool": "t",
    "bytea": r"\x01ff",
    "int2": "-2",
    "int4": "4",
    "int8": "9007199254740993",
    "bpchar": "a",
    "varchar": 'a "quoted", text',
    "float4": "0.5",
    "float8": "-1e300",
    "numeric": "12345678901234567.89",
    "date": "2026-02-28",
    "time": "23:59:59.000001",
    "timetz": "12:00:00+05:30",
    "timestamp": "2026-02-28 12:00:00",
    "timestamptz": "2026-02-28 12:00:00+01",
    "interval": "1 mon 2 days",
    "json": '{"a": [1]}',
    "jsonb": '{"a": [1]}',
    "uuid": "7f9c24e8-3b1a-4c5d-9e8f-0a1b2c3d4e5f",
    "xid8": "12345678901",
}


async def test_the_types_are_those_of_the_catalogue(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        found = await connection.fetch(
            "SELECT typarray, oid, typname FROM pg_type WHERE typarray = ANY ($1::oid[])", [*_ARRAYS]
        )
        strange = await connection.fetchval(
            "SELECT count(*) FROM pg_type WHERE oid = ANY ($1::oid[]) AND (typdelim <> ',' OR typtype <> 'b')",
            [*_ARRAYS],
        )
    finally:
        await connection.close()
    assert {array: (element, name) for array, element, name in found} == _ARRAYS
    assert strange == 0


@pytest.mark.parametrize("cached", [15 * 1024, 0], ids=["named", "unnamed"])
@pytest.mark.parametrize("name", [name for _, name in _ARRAYS.values()])
async def test_an_array_comes_and_goes_without_a_question(
    name: str, cached: int, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = f"SELECT $1::{name}[] AS sent, ARRAY[NULL, '{VALUES[name]}']::{name}[] AS written"
    plain = await asyncpg.connect(postgres_url)
    try:
        [_, value] = await plain.fetchval(f"SELECT ARRAY[NULL, '{VALUES[name]}']::{name}[]")
        expected = await plain.fetchrow(statement, [value, None])
    finally:
        await plain.close()

    async def asked(*_: Any) -> None:
        raise AssertionError("asyncpg asks the server for a type")

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", asked)
    session = await asyncpg.connect(postgres_url, connection_class=Session, max_cacheable_statement_size=cached)
    try:
        assert await session.fetchrow(statement, [value, None]) == expected
    finally:
        await session.close()


async def test_an_array_of_a_type_of_ones_own_is_asked_for(database_url: str) -> None:
    session = await asyncpg.connect(database_url, connection_class=Session)
    try:
        await session.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
        row = await session.fetchrow("SELECT $1::mood[], $2::int4[]", ["glad"], [1])
        assert row is not None
        assert tuple(row) == (["glad"], [1])
    finally:
        await session.close()
