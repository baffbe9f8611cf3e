"""Who may export what: rules for EXPORT open rows and fields, those for READ all that is shown beside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.export.conftest import MakeApp
from tests.export.depot import ADMIN, bearer

pytestmark = pytest.mark.anyio
ADA = bearer("ada")


@pytest.fixture
async def user(make_app: MakeApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials of its own."""
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as made:
        yield made


async def lines(client: httpx.AsyncClient, query: str, headers: dict[str, str] = ADA) -> list[str]:
    found = await client.get("/export.csv", params={"query": query}, headers=headers)
    assert found.status_code == 200, found.text
    return found.text.splitlines()


async def refusal(client: httpx.AsyncClient, query: str, headers: dict[str, str] = ADA) -> tuple[int, str, str]:
    found = await client.get("/export.ndjson", params={"query": query}, headers=headers)
    (error,) = found.json()["errors"]
    return found.status_code, error["extensions"]["code"], error["message"]


async def test_rows_are_those_that_a_rule_for_export_opens(user: httpx.AsyncClient) -> None:
    assert await lines(user, "{ secrets { id text } }") == ["id,text", "1,one", "2,two"]


async def test_without_a_rule_for_export_it_is_forbidden(user: httpx.AsyncClient) -> None:
    message = "No rule lets you export `pages`."
    assert await refusal(user, "{ pages { id } }") == (403, "FORBIDDEN", message)
    message = "No rule lets you export `pagesGroups`."
    assert await refusal(user, "{ pagesGroups(by: [{id: VALUE}]) { count } }") == (403, "FORBIDDEN", message)


async def test_a_field_that_no_rule_exports_is_forbidden(user: httpx.AsyncClient) -> None:
    message = "No rule lets you export the field `{}`."
    for name in ("closed", "own"):
        assert await refusal(user, f"{{ secrets {{ id x: {name} }} }}") == (403, "FORBIDDEN", message.format(name))
    for selection in ("pages { id }", "pagesAggregate { count }"):
        query = f"{{ secrets {{ id {selection} }} }}"
        assert await refusal(user, query) == (403, "FORBIDDEN", message.format("pages"))


@pytest.mark.parametrize(
    "query",
    [
        "{ secretsGroups(by: [{closed: VALUE}]) { count } }",
        "{ secretsGroups(by: [{id: VALUE}]) { max { closed } } }",
        "{ secretsGroups(by: [{id: VALUE}], orderBy: [{max: {closed: ASC}}]) { count } }",
    ],
)
async def test_groups_are_not_made_of_a_field_that_no_rule_exports(user: httpx.AsyncClient, query: str) -> None:
    message = "No rule lets you export the field `closed`."
    assert await refusal(user, query) == (403, "FORBIDDEN", message)


async def test_a_field_exported_on_some_rows_is_null_on_the_others(user: httpx.AsyncClient) -> None:
    assert await lines(user, "{ secrets { id done memo } }") == ["id,done,memo", "1,,", "2,true,b"]
    found = await lines(user, "{ secretsGroups(by: [{memo: VALUE}]) { key { memo } count max { memo } } }")
    assert found == ["key.memo,count,max.memo", "b,1,b", ",1,"]


async def test_filters_and_orders_may_use_what_can_be_read(user: httpx.AsyncClient) -> None:
    query = '{ secrets(where: {memo: {eq: "a"}}, orderBy: [{closed: DESC}, {id: DESC}]) { id } }'
    assert await lines(user, query) == ["id", "1"]


async def test_a_rule_without_its_claim_exports_nothing(user: httpx.AsyncClient) -> None:
    found = await refusal(user, "{ secrets { id } }", {})
    assert found[:2] == (400, "GRAPHQL_VALIDATION_FAILED")
    nobody = {**ADMIN, "x-clew-role": "user"}
    assert (await refusal(user, "{ secrets { id } }", nobody))[:2] == (403, "FORBIDDEN")


async def test_a_guard_binds_exports(user: httpx.AsyncClient) -> None:
    assert await lines(user, "{ pages { id text } }", bearer("x", "clerk")) == ["id,text", "1,p1"]
    # At the other end of a relation READ alone decides, of the entity and of its fields.
    found = await lines(user, "{ pages { id secret { id closed owner } } }", bearer("x", "clerk"))
    assert found == ["id,secret.id,secret.closed,secret.owner", "1,1,x,ada"]


async def test_an_admin_may_export_everything(client: httpx.AsyncClient) -> None:
    assert len(await lines(client, "{ secrets { id closed own memo } }", {})) == 4
    # A guard binds an admin only if it says so.
    assert len(await lines(client, "{ pages { id } }", {})) == 4


async def test_what_is_unknown_is_unknown_to_exports_too(user: httpx.AsyncClient) -> None:
    for query in ("{ nothing { id } }", "{ secrets { nothing } }"):
        by_export = await user.get("/export.csv", params={"query": query}, headers={**ADA, "x-request-id": "same"})
        by_api = await user.post("/graphql", json={"query": query}, headers={**ADA, "x-request-id": "same"})
        assert by_export.status_code == 400
        assert by_export.json() == by_api.json()


async def test_a_ticket_of_the_path_is_enough(user: httpx.AsyncClient) -> None:
    ticket = (await user.post("/tickets", json={"path": "/export.csv"}, headers=ADA)).json()["ticket"]
    found = await user.get("/export.csv", params={"query": "{ secrets { id } }", "ticket": ticket})
    assert found.text == "id\n1\n2\n"
    elsewhere = await user.get("/export.ndjson", params={"query": "{ secrets { id } }", "ticket": ticket})
    assert elsewhere.status_code == 401


async def test_pages_and_cost_do_not_bound_the_rows_of_an_export(make_app: MakeApp) -> None:
    transport = httpx.ASGITransport(make_app(max_page=2, max_nested_page=1, max_cost=4))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example", headers=ADA) as client:
        found = await lines(client, "{ items(limit: 1500) { id } }")
        assert len(found) == 1501
        # Those of nested lists stay, for a row must fit into memory.
        query = "{ pages { secret { id pages { id } } } }"
        nested = await client.get("/export.ndjson", params={"query": query}, headers=bearer("x", "clerk"))
        assert [json.loads(line) for line in nested.text.splitlines()] == [{"secret": {"id": 1, "pages": [{"id": 1}]}}]
        deep = "{ pages { secret { pages { secret { pages(limit: 2) { id } } } } } }"
        refused = await client.get("/export.csv", params={"query": deep}, headers=bearer("x", "clerk"))
        assert refused.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
