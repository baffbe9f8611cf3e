"""Cursors at the front door: whatever is sent as one, the answer is a page or the one refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clew import Viewer
from clew.engine import Engine, Request
from clew.sql.cursors import Cursors
from tests.shop import Shop


async def run(engine: Engine, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    response = await engine.execute(Request(document, variables or {}), Viewer.admin())
    found: dict[str, Any] = json.loads(response.body)
    return found


async def a_cursor(engine: Engine, field: str = "peopleConnection(orderBy: [{born: ASC}])") -> str:
    response = await run(engine, f"{{ {field} {{ pageInfo {{ startCursor }} }} }}")
    (connection,) = response["data"].values()
    cursor: str = connection["pageInfo"]["startCursor"]
    return cursor


async def refused(engine: Engine, cursor: Any, arguments: str = "orderBy: [{born: ASC}]", place: str = "after") -> None:
    """As a variable and as a literal."""
    by_variable = f"query ($c: String) {{ peopleConnection({arguments}, {place}: $c) {{ nodes {{ id }} }} }}"
    by_literal = f"{{ peopleConnection({arguments}, {place}: {json.dumps(cursor)}) {{ nodes {{ id }} }} }}"
    for response in (await run(engine, by_variable, {"c": cursor}), await run(engine, by_literal)):
        (error,) = response["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", response
        assert error["message"] == f"`{place}` is not a cursor of this list in this order."


@pytest.mark.anyio
@pytest.mark.parametrize("place", ["after", "before"])
async def test_forged_cursors_are_refused(engine: Engine, place: str) -> None:
    cursor = await a_cursor(engine)
    nulls, box = cursor.split(".")
    for forged in (
        *("", "x", ".", "é", "😀", "0", cursor[:-1], cursor[:-2], cursor + "A", cursor.upper(), f" {cursor}"),
        *(f"{int(nulls, 16) ^ 1:x}.{box}", f"{int(nulls, 16) ^ 2:x}.{box}", f"ff.{box}", f"{2**64:x}.{box}"),
        *(f"{nulls}.{box[::-1]}", f"{nulls}.{'A' * 30_000}", f"{nulls}.", f"{cursor}.{box}"),
    ):
        await refused(engine, forged, place=place)


@pytest.mark.anyio
async def test_a_cursor_without_anything_sealed_is_refused(engine: Engine) -> None:
    for forged, arguments in (
        ("1.AA", "first: 1"),
        ("3.AA", "orderBy: [{born: ASC}]"),
        ("2.AA", "orderBy: [{born: ASC}]"),
    ):
        await refused(engine, forged, arguments)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "field",
    [
        "peopleConnection",
        "peopleConnection(orderBy: [{born: DESC}])",
        "peopleConnection(orderBy: [{born: ASC_NULLS_FIRST}])",
        "peopleConnection(orderBy: [{familyName: ASC}])",
        "peopleConnection(orderBy: [{company: {founded: ASC}}])",
        "peopleConnection(orderBy: [{ordersAggregate: {count: ASC}}])",
        "companiesConnection(orderBy: [{founded: ASC}])",
    ],
)
async def test_a_cursor_of_another_order_or_entity_is_refused(engine: Engine, field: str) -> None:
    await refused(engine, await a_cursor(engine, field))


@pytest.mark.anyio
async def test_a_cursor_of_an_entity_with_an_order_alike_is_refused(engine: Engine) -> None:
    """Both are by a UUID called `id`: a hidden one of one entity would be found among the open ones of the other."""
    cursor = await a_cursor(engine, "companiesConnection")
    response = await run(
        engine, "query ($c: String) { peopleConnection(after: $c) { totalCount nodes { id } } }", {"c": cursor}
    )
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.anyio
async def test_a_cursor_of_another_servers_secret_is_refused(engine: Engine) -> None:
    cursor = await a_cursor(engine)
    engine.statements.cursors = Cursors("another")
    await refused(engine, cursor)


@pytest.mark.anyio
async def test_a_plan_made_for_one_cursor_refuses_another_of_its_shape(engine: Engine) -> None:
    """What of a cursor is in the open decides the plan; the rest is judged each time."""
    document = "query ($c: String) { peopleConnection(orderBy: [{born: ASC}], after: $c) { nodes { givenName } } }"
    cursor = await a_cursor(engine)
    page = await run(engine, document, {"c": cursor})
    assert "errors" not in page
    again = await run(
        engine, document, {"c": await a_cursor(engine, "peopleConnection(orderBy: [{born: DESC_NULLS_LAST}])")}
    )
    assert again["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert await run(engine, document, {"c": cursor}) == page


@pytest.mark.anyio
async def test_a_long_key_has_a_cursor_that_leads_on(shop: Shop, engine: Engine) -> None:
    order = "orderBy: [{givenName: DESC}" + ", {givenName: DESC}, {familyName: ASC}" * 40 + "]"
    cursor = await a_cursor(engine, f"peopleConnection({order})")
    response = await run(
        engine, f"query ($c: String) {{ peopleConnection({order}, after: $c) {{ nodes {{ id }} }} }}", {"c": cursor}
    )
    assert len(response["data"]["peopleConnection"]["nodes"]) == len(shop.reference.tables.rows["Person"]) - 1
