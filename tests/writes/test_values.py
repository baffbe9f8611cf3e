"""What is written is what is read back, whichever way it comes in: by variables, in documents, from the schema."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from clew import Viewer
from clew.engine import Request
from clew.engine.idempotency import repeatable
from clew.wire.parameters import read_json
from tests.writes.api import ADMIN, Api, api_of

SDL = """
type Thing @table @allow(role: "user", to: [READ], where: {price: {eq: 12345678901234567.89}}) {
  id: Int! @id
  price: Decimal @unique
  prices: [Decimal!]
  data: JSON @default(value: {rate: 1.10, more: [0.123456789012345678901234567890]})
  text: JSON @column(type: "json")
  parts: [JSON!]
}
"""
JSONS = ('{"a": 1.10}', "0.123456789012345678901234567890", "[12345678901234567.89, -1e-30, 1.0]", "1e400")


@pytest.fixture
async def api(prepared_url: str) -> AsyncIterator[Api]:
    async with api_of(prepared_url, SDL) as made:
        yield made


async def sent(api: Api, document: str, variables: str = "{}", viewer: Viewer = ADMIN) -> str:
    """`data` of a request with variables in JSON, as text."""
    request = Request(document, read_json(variables, "`variables`"))
    body = (await api.engine.execute(request, viewer)).body.decode()
    assert '"errors"' not in body, body
    return body.removeprefix('{"data":').removesuffix("}").replace('" : ', '":')


@pytest.mark.parametrize("number", ["12345678901234567.89", "1.10", "0.1234567890123456789012345678901", "-1e-30"])
async def test_a_decimal_has_the_digits_that_it_was_sent_with(number: str, api: Api) -> None:
    ways = (
        ("mutation($v: Decimal!) { createThing(input: {price: $v, prices: [$v]}) { id } }", f'{{"v": {number}}}'),
        ("mutation($v: Decimal!) { createThing(input: {price: $v, prices: [$v]}) { id } }", f'{{"v": "{number}"}}'),
        (
            "mutation($v: ThingCreateInput!) { createThing(input: $v) { id } }",
            f'{{"v": {{"price": {number}, "prices": [{number}]}}}}',
        ),
        (f"mutation {{ createThing(input: {{price: {number}, prices: {number}}}) {{ id }} }}", "{}"),
    )
    for document, variables in ways:
        await sent(api, document, variables)
        ((price, prices),) = await api.sql("SELECT price = $1::text::numeric, prices[1] = price FROM things", number)
        assert (price, prices) == (True, True), document
        for found in (
            await sent(api, f"{{ things(where: {{price: {{eq: {number}}}}}) {{ id }} }}"),
            await sent(api, "query($v: Decimal!) { things(where: {price: {eq: $v}}) { id } }", f'{{"v": {number}}}'),
            await sent(
                api, "query($v: [Decimal!]) { things(where: {price: {in: $v}}) { id } }", f'{{"v": [{number}]}}'
            ),
            await sent(api, "query($v: Decimal!) { things: thingByPrice(price: $v) { id } }", f'{{"v": {number}}}'),
        ):
            assert json.loads(found)["things"], (document, found)
        await api.sql("DELETE FROM things")


@pytest.mark.parametrize("value", JSONS)
async def test_json_has_the_digits_that_it_was_sent_with(value: str, api: Api) -> None:
    literal = value.replace('"a"', "a")
    fields = "data text parts"
    found: set[str] = set()
    for document in (
        "mutation($v: JSON!) { createThing(input: {data: $v, text: $v, parts: [$v]",
        f"mutation {{ createThing(input: {{data: {literal}, text: {literal}, parts: [{literal}]",
        "mutation($v: JSON!) { createThing(input: {data: [$v], text: [$v], parts: [[$v]]",
    ):
        document += f"}}) {{ {fields} }} }}"
        found.add((await sent(api, document, f'{{"v": {value}}}')).removeprefix('{"createThing":').removesuffix("}"))
    one = (await api.sql("SELECT $1::jsonb::text", value))[0].replace(" ", "")
    compact = value.replace(" ", "")
    lists = f'{{"data":[{one}],"text":[{compact}],"parts":[[{one}]]}}'
    assert found == {f'{{"data":{one},"text":{compact},"parts":[{one}]}}', lists}
    # As the database has it, and through Python as without.
    for row in (
        (await sent(api, f"{{ things {{ {fields} }} }}")),
        (await sent(api, f"{{ viewer {{ id }} things {{ {fields} }} }}")),
    ):
        assert one in row.replace(" ", "")
    stored = await api.sql("SELECT data = $1::jsonb AND text::text = $2 FROM things WHERE id < 3", value, value)
    assert stored == [True, True]


async def test_a_variable_within_json_is_as_it_was_sent(api: Api) -> None:
    await sent(api, "mutation($v: Decimal) { createThing(input: {data: {a: $v, b: {c: [$v]}}}) { id } }", '{"v": 1.10}')
    assert await api.sql("SELECT data::text FROM things") == ['{"a": 1.10, "b": {"c": [1.10]}}']
    query = "query($v: Float) { things(where: {data: {contains: {b: {c: [$v]}}}}) { id } }"
    assert await sent(api, query, '{"v": 1.1}') == '{"things":[{"id":1}]}'
    # Without its value it would be found.
    assert await sent(api, query, '{"v": 1.2}') == '{"things":[]}'


async def test_a_constant_of_the_schema_has_its_digits(api: Api) -> None:
    for price in ("12345678901234567.89", "12345678901234568"):
        await sent(api, f"mutation {{ createThing(input: {{price: {price}}}) {{ id }} }}")
    assert set(await api.sql("SELECT data::text FROM things")) == {
        '{"more": [0.123456789012345678901234567890], "rate": 1.10}'
    }
    user = Viewer("ann", frozenset({"anon", "user"}))
    assert await sent(api, "{ things { id } }", viewer=user) == '{"things":[{"id":1}]}'


@pytest.mark.parametrize("value", ["1e2000", "-1e-2000", f"0.{'1' * 1500}", f"1.5e{'9' * 20}"])
async def test_a_number_that_the_database_cannot_hold_is_refused(value: str, api: Api) -> None:
    for type_, field in (("Decimal", "price"), ("JSON", "data"), ("JSON", "text")):
        document = f"mutation($v: {type_}) {{ createThing(input: {{{field}: $v}}) {{ id }} }}"
        error = await api.fails(document, read_json(f'{{"v": {value}}}', "x"))
        assert error["extensions"]["code"] == "BAD_USER_INPUT", error


async def test_an_id_is_no_neighbour_of_the_number_that_was_sent(api: Api) -> None:
    found = await api.run("query($v: ID!) { node: things(where: {id: {in: [1]}}) { id } }", {"v": "1"})
    assert "errors" in found
    variables = read_json('{"v": 9007199254740993.0}', "x")
    found = await api.run("query($v: Int!) { things(where: {id: {eq: $v}}) { id } }", variables)
    assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_requests_whose_numbers_differ_in_a_digit_are_other_requests() -> None:
    def key(variables: str) -> bytes:
        request = Request("mutation { x }", read_json(variables, "x"), idempotency_key="k")
        found = repeatable(request, ADMIN)
        assert found is not None
        return found.request

    assert key('{"a": 12345678901234567.89, "b": {"c": 1, "d": [2]}}') != key(
        '{"a": 12345678901234567.88, "b": {"c": 1, "d": [2]}}'
    )
    assert key('{"a": 1.5, "b": {"c": 1, "d": [2]}}') == key('{"b": {"d": [2], "c": 1}, "a": 1.5}')


FLOATS = """
type Cell @table { id: Int! @id  ratio: Float  sure: Float!  text: String @default(value: "NaN")  of: Row }
type Row @table { id: Int! @id  cells: [Cell!]! @relation(from: "of") }
"""


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
async def test_a_float_that_is_no_number_is_an_error_of_its_field(value: str, prepared_url: str) -> None:
    data = (
        f"INSERT INTO rows DEFAULT VALUES; INSERT INTO cells (of_id, ratio, sure) VALUES (1, 1.5, 1), (1, '{value}', 2)"
    )
    async with api_of(prepared_url, FLOATS, data) as api:
        rows = "{ rows { cells(orderBy: [{id: ASC}]) { ratio text } } }"
        found = await api.run(rows)
        assert found["data"] == {"rows": [{"cells": [{"ratio": 1.5, "text": "NaN"}, {"ratio": None, "text": "NaN"}]}]}
        (error,) = found["errors"]
        assert error["path"] == ["rows", 0, "cells", 1, "ratio"]
        assert error["extensions"]["code"] == "INTERNAL"
        (error,) = (await api.run("{ cellsAggregate { max { ratio } min { ratio } sum { sure } } }"))["errors"]
        assert error["path"][0] == "cellsAggregate"
        # Where no null can be, the nearest that can be null is.
        await api.sql(f"UPDATE cells SET sure = '{value}' WHERE id = 2")
        found = await api.run("{ row(id: 1) { id cells { sure } } other: row(id: 1) { id } }")
        assert found["data"] == {"row": None, "other": {"id": 1}}
        # What is not asked for is no fault, and a text is a text.
        assert await api.ok("{ cells(orderBy: [{id: ASC}]) { id text } }") == {
            "cells": [{"id": 1, "text": "NaN"}, {"id": 2, "text": "NaN"}]
        }
        assert await api.ok("{ cells(where: {ratio: {gt: 1}}) { text } }")
