"""Values that a column's type cannot hold: refused by name where they are written, sought in vain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.writes.api import Api, api_of, code

pytestmark = pytest.mark.anyio

SDL = """
type Cell @table {
  id: Int! @id
  small: Int @column(type: "smallint")
  plain: Int
  big: BigInt
  short: String @column(type: "varchar(3)")
  fixed: String @column(type: "char(2)")
  letter: String @column(type: "char")
  price: Decimal @column(type: "numeric(5,2)")
  round: Decimal @column(type: "numeric(3,-2)")
  any: Decimal
  ratio: Float @column(type: "real")
  double: Float
  day: Date
  time: Time
  moment: DateTime
  local: DateTime @column(type: "timestamp")
  smalls: [Int!] @column(type: "smallint")
  shorts: [String!] @column(type: "varchar(3)")
  prices: [Decimal!] @column(type: "numeric(5,2)")
  ratios: [Float!] @column(type: "real")
}
"""
FITTING: dict[str, list[Any]] = {
    "small": [32767, -32768],
    "plain": [2**31 - 1, -(2**31)],
    "big": [str(2**63 - 1), str(-(2**63))],
    "short": ["abc", "äöü", "😀😀😀"],
    "fixed": ["ab", "a", "ab  "],
    "letter": ["a"],
    "price": ["999.99", "-999.99", "999.994", "NaN"],
    "round": ["99900", "99949"],
    "any": ["1e1000", "1e-1000", "NaN", "Infinity", "-Infinity"],
    "ratio": [3.4028234663852886e38, 1.401298464324817e-45, 0.0],
    "double": [1.7976931348623157e308, 5e-324],
    "day": ["0001-01-01", "9999-12-31", "5874897-12-31", "4714-11-24 BC", "infinity"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "moment": ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "4714-11-24T00:00:00Z BC", "infinity"],
    "local": ["0001-01-01T00:00:00+14:00", "294276-12-31T23:59:59.999999Z", "-infinity"],
}
MISFITS: dict[str, list[Any]] = {
    "small": [32768, -32769],
    "plain": [2**31, -(2**31) - 1],
    "big": [str(2**63), str(-(2**63) - 1), "9" * 4000],
    "short": ["abcd", "abc ", "äöüß"],
    "fixed": ["abc"],
    "letter": ["ab"],
    "price": ["1000", "-1000", "999.995", "1e40", "Infinity", "-Infinity"],
    "round": ["99950", "100000"],
    "any": ["1e200000", "1e-200000", "nan", "sNaN", "+Infinity", "inf"],
    "ratio": [3.5e38, -3.5e38, 1e308, 1e-46, -5e-324],
    "double": [10**400],
    "day": ["0000-01-01", "5874898-01-01", "2026-02-30", "4714-11-23 BC", "0001-02-29 BC BC"],
    "time": ["24:00:01", "25:00:00", "05:00:00+02", "24:00:00Z"],
    "moment": ["294277-01-01T00:00:00Z", "294276-12-31T23:59:59-14:00", "4714-11-24T00:00:00+00:01 BC"],
    "local": ["294277-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-Infinity"],
}
LISTS = {"smalls": "small", "shorts": "short", "prices": "price", "ratios": "ratio"}
DATA = "INSERT INTO cells (id, small) VALUES (1, 1); SELECT setval(pg_get_serial_sequence('cells', 'id'), 10)"


async def refused(api: Api, document: str, variables: dict[str, Any], name: str) -> None:
    """By variables; the place of a value that the scalar itself refuses is told in GraphQL's words."""
    error = await api.fails(document, variables)
    assert code(error) in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"), (error, variables)
    assert name in error["message"], (error, variables)


@pytest.mark.parametrize("name", [*MISFITS, *LISTS])
async def test_what_does_not_fit_is_refused_by_name(prepared_url: str, name: str) -> None:
    is_list = name in LISTS
    async with api_of(prepared_url, SDL, DATA) as api:
        for value in FITTING[LISTS.get(name, name)]:
            given = {name: [value] if is_list else value}
            document = "mutation($given: CellSetInput) { updateCell(id: 1, set: $given) { id } }"
            assert await api.ok(document, {"given": given}) == {"updateCell": {"id": 1}}
        for value in MISFITS[LISTS.get(name, name)]:
            given = {name: [value] if is_list else value}
            for document in (
                "mutation($given: CellCreateInput!) { createCell(input: $given) { id } }",
                "mutation($given: CellCreateInput!) { createCells(inputs: [{}, $given]) { count } }",
                "mutation($given: CellSetInput) { updateCell(id: 1, set: $given) { id } }",
                "mutation($given: CellSetInput) { updateCells(where: {id: {eq: 77}}, set: $given) { count } }",
                "mutation($given: CellSetInput) { updateManyCells(updates: [{id: 77, set: $given}]) { count } }",
            ):
                await refused(api, document, {"given": given}, name)
            if is_list:
                document = "mutation($given: CellAppendInput) { updateCell(id: 1, append: $given) { id } }"
                await refused(api, document, {"given": given}, name)


@pytest.mark.parametrize(
    ("name", "most", "by"),
    [
        ("small", 32767, 1),
        ("plain", -(2**31), -1),
        ("big", str(2**63 - 1), "1"),
        ("price", "999.99", "0.01"),
        ("ratio", 3.4e38, 3.4e38),
        ("double", 1.7e308, 1.7e308),
    ],
)
async def test_an_increase_beyond_the_type_changes_nothing(prepared_url: str, name: str, most: Any, by: Any) -> None:
    async with api_of(prepared_url, SDL, DATA) as api:
        document = "mutation($given: CellSetInput) { updateCell(id: 1, set: $given) { id } }"
        await api.ok(document, {"given": {name: most}})
        document = (
            "mutation($given: CellIncInput) { createCell(input: {}) { id } updateCell(id: 1, inc: $given) { id } }"
        )
        error = await api.fails(document, {"given": {name: by}})
        assert error == {"message": "A value is out of range.", "extensions": {"code": "BAD_USER_INPUT"}}
        # One that would not even fit alone is refused by its name.
        if name == "small":
            await refused(api, document, {"given": {name: 32768}}, "inc.small")


@pytest.mark.parametrize("name", MISFITS)
async def test_a_filter_by_what_does_not_fit_finds_nothing(prepared_url: str, name: str) -> None:
    async with api_of(prepared_url, SDL, DATA) as api:
        given = {name: FITTING[name][0]}
        await api.ok("mutation($given: CellSetInput) { updateCell(id: 1, set: $given) { id } }", {"given": given})
        for value in MISFITS[name]:
            for operator, operand in (("eq", value), ("in", [value])):
                where = {name: {operator: operand}}
                documents = {
                    "query($where: CellFilter) { cells(where: $where) { id } }": {"cells": []},
                    "mutation($where: CellFilter!) { updateCells(where: $where, set: {small: 2}) { count } }": {
                        "updateCells": {"count": 0}
                    },
                }
                for document, nothing in documents.items():
                    found = await api.run(document, {"where": where})
                    # What the scalar itself refuses is no value of any column.
                    told = [error["extensions"]["code"] for error in found.get("errors", ())]
                    assert found == {"data": nothing} or told == ["BAD_USER_INPUT"], (json.dumps(where), found)
                    if told:
                        assert name in found["errors"][0]["message"], found


async def test_a_real_is_below_what_no_real_is(prepared_url: str) -> None:
    document = """{
      below: cells(where: {ratio: {lt: 3.5e38}}) { id }
      above: cells(where: {ratio: {gt: -3.5e38}}) { id }
      beyond: cells(where: {ratio: {gt: 3.5e38}}) { id }
    }"""
    async with api_of(prepared_url, SDL, "INSERT INTO cells (id, ratio) VALUES (1, 3.4e38), (2, -3.4e38)") as api:
        both = [{"id": 1}, {"id": 2}]
        assert await api.ok(document) == {"below": both, "above": both, "beyond": []}
