"""What is asked for over HTTP: parameters, options, headers, refusals and limits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from tests.export.conftest import MakeApp
from tests.export.depot import ADMIN, bearer
from tests.export.test_stream import activity, until_busy

pytestmark = pytest.mark.anyio
ROWS = "{ items(limit: 2) { id } }"


def client_of(app: Any, headers: dict[str, str] = ADMIN) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example", headers=headers)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ items { id } samples { id } }", "An export has exactly one root field."),
        ("{ items { id } ...F } fragment F on Query { viewer { id } }", "An export has exactly one root field."),
        ("{ items @skip(if: true) { id } }", "An export has exactly one root field."),
        ("{ __typename }", "`__typename` is no list of rows, so it cannot be exported."),
        ("{ viewer { id } }", "`viewer` is no list of rows, so it cannot be exported."),
        ("{ __schema { types { name } } }", "`__schema` is no list of rows, so it cannot be exported."),
        ("{ item(id: 1) { id } }", "`item` is no list of rows, so it cannot be exported."),
        ("{ itemsConnection { nodes { id } } }", "`itemsConnection` is no list of rows, so it cannot be exported."),
        ("{ itemsAggregate { count } }", "`itemsAggregate` is no list of rows, so it cannot be exported."),
        ("mutation { deleteItem(id: 1) { id } }", "Only a query can be exported."),
        ("subscription { items { id } }", "Only a query can be exported."),
        (
            "{ samples { owner { all: ownedConnection { nodes { id } } } } }",
            "`owner.all` is a connection, which cannot be exported.",
        ),
        ("{ items(limit: -1) { id } }", "`limit` must not be negative."),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_what_is_no_list_is_refused(client: httpx.AsyncClient, query: str, message: str, kind: str) -> None:
    by_get = await client.get(f"/export.{kind}", params={"query": query})
    by_post = await client.post(f"/export.{kind}", json={"query": query})
    for found in (by_get, by_post):
        assert found.status_code == 400
        assert found.headers["content-type"] == "application/json; charset=utf-8"
        (error,) = found.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")


async def test_a_field_with_a_resolver_is_refused(shop_client: httpx.AsyncClient) -> None:
    for query, name in (
        ("{ people { id shout } }", "shout"),
        ("{ orders { customer { x: shout } } }", "customer.x"),
        ("{ companies { people { shout } } }", "people.shout"),
    ):
        found = await shop_client.get("/export.csv", params={"query": query})
        message = f"`{name}` has a resolver of its own, so it cannot be exported."
        assert (found.status_code, found.json()["errors"][0]["message"]) == (400, message)
    found = await shop_client.get("/export.csv", params={"query": "{ answer }"})
    assert found.json()["errors"][0]["message"] == "`answer` is no list of rows, so it cannot be exported."


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/export.csv?delimiter=x", "`delimiter` must be one of , ; | and the tab."),
        ("/export.csv?delimiter=", "`delimiter` must be one of , ; | and the tab."),
        ("/export.csv?delimiter=%2C%2C", "`delimiter` must be one of , ; | and the tab."),
        ("/export.csv?bom=yes", "`bom` must be 0 or 1."),
        ("/export.csv?raw=", "`raw` must be 0 or 1."),
        ("/export.csv?raw=1&raw=1", "`raw` is given twice."),
        ("/export.ndjson?bom=1", "`bom` is for CSV only."),
    ],
)
async def test_options_that_do_not_exist_are_refused(client: httpx.AsyncClient, path: str, message: str) -> None:
    found = await client.post(path, json={"query": ROWS})
    assert (found.status_code, found.json()["errors"][0]["message"]) == (400, message)


async def test_the_parameters_are_those_of_graphql(client: httpx.AsyncClient) -> None:
    document = "query A($n: Int!) { rows: items(limit: $n) { id } } query B { items(limit: 1) { id } }"
    given: dict[str, Any] = {"query": document, "operationName": "A", "variables": {"n": 2}}
    by_post = await client.post("/export.csv?delimiter=%3B", json=given)
    by_get = await client.get("/export.csv", params={**given, "variables": json.dumps(given["variables"])})
    assert by_get.text == by_post.text == "id\n1\n2\n"
    assert by_post.headers["content-disposition"] == 'attachment; filename="A.csv"'
    unnamed = await client.get("/export.ndjson", params={"query": "{ rows: items(limit: 1) { id } }"})
    assert unnamed.headers["content-disposition"] == 'attachment; filename="rows.ndjson"'
    for wrong in (
        {"query": document},
        {"query": document, "operationName": "C"},
        {"query": document, "operationName": "A"},
    ):
        found = await client.post("/export.csv", json=wrong)
        assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("kind", "media"),
    [("csv", "text/csv; charset=utf-8; header=present"), ("ndjson", "application/x-ndjson; charset=utf-8")],
)
async def test_head_gives_the_headers_and_runs_nothing(make_app: MakeApp, kind: str, media: str) -> None:
    app = make_app()
    async with client_of(app) as client:
        url = f"/export.{kind}"
        params = {"query": "query Late { slows { id } }"}
        head = await client.head(url, params=params, headers={"accept": "image/png"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == media
        assert head.headers["content-disposition"] == f'attachment; filename="Late.{kind}"'
        assert head.headers["cache-control"] == "no-store"
        assert app.exports._pool._open == 0
        assert (await client.head(url, params={"query": "{ nothing }"})).status_code == 400
    async with client_of(app, bearer("ada")) as client:
        assert (await client.head(url, params={"query": "{ pages { id } }"})).status_code == 403
        got = await client.get(url, params={"query": "{ secrets { id } }"})
        head = await client.head(url, params={"query": "{ secrets { id } }"})
        assert dict(head.headers) == dict(got.headers)


async def test_other_methods_and_bodies_are_refused(client: httpx.AsyncClient) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        found = await client.request(method, "/export.csv", params={"query": ROWS})
        assert (found.status_code, found.headers["allow"]) == (405, "GET, HEAD, POST")
    form = await client.post("/export.csv", data={"query": ROWS})
    assert form.status_code == 415
    broken = await client.post("/export.csv", content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["errors"][0]["message"]) == (400, "The body is not valid JSON.")
    no_query = await client.get("/export.csv")
    assert no_query.status_code == 400


async def test_credentials_that_are_wrong_are_401(make_app: MakeApp) -> None:
    async with client_of(make_app(), {"authorization": "Bearer x"}) as client:
        for path in ("/export.csv", "/export.ndjson"):
            found = await client.get(path, params={"query": ROWS})
            assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_the_request_id_is_echoed(client: httpx.AsyncClient) -> None:
    for query in (ROWS, "{ nothing }"):
        found = await client.get("/export.csv", params={"query": query}, headers={"x-request-id": "mine"})
        assert found.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_an_error_before_the_first_rows_is_told(client: httpx.AsyncClient, kind: str) -> None:
    found = await client.get(f"/export.{kind}", params={"query": "{ brokens { id share } }"})
    assert found.status_code == 500
    (error,) = found.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("Something went wrong on the server.", "INTERNAL")
    assert "content-disposition" not in found.headers


async def test_an_error_soon_after_the_first_rows_is_told_too(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    # The first rows are there already when the last one fails.
    found = await client.get("/export.csv", params={"query": "{ items(where: {id: {gt: 899000}}) { share } }"})
    assert found.status_code == 500


async def test_without_a_database_it_is_503(make_app: MakeApp, depot: Any) -> None:
    app = make_app(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", pool_timeout=1)
    async with client_of(app) as client:
        found = await client.get("/export.csv", params={"query": ROWS})
    assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert found.headers["retry-after"] == "1"


async def test_more_exports_at_once_than_allowed_are_429(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app(max_exports=1, max_all_exports=2)
    slow = {"query": "{ slows { id } }"}
    async with client_of(app) as client:

        async def until(count: int) -> None:
            async with asyncio.timeout(5):
                while len(await activity(aside, "state = 'active' AND query LIKE 'COPY%'")) < count:
                    await asyncio.sleep(0.01)

        first = asyncio.ensure_future(client.get("/export.csv", params=slow))
        await until(1)
        refused = await client.get("/export.csv", params=slow)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        (error,) = refused.json()["errors"]
        assert error["message"] == "Too many exports at once: at most 1 may run for one viewer."
        other = {**ADMIN, "x-clew-role": "user,admin2", "x-clew-claims": '{"sub": "ada"}'}
        allowed = await client.get("/export.csv", params={"query": ROWS}, headers=other)
        assert allowed.status_code == 200
        # An admin may look through any number of eyes.
        seen = {**ADMIN, "x-clew-role": "admin", "x-clew-claims": '{"sub": "boss"}'}
        assert (await client.get("/export.csv", params=slow, headers=seen)).status_code == 429
        first.cancel()
        await asyncio.wait([first])


async def test_an_export_counts_as_an_operation(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app(max_rate=2, max_in_flight=1, pool_timeout=0.2)
    async with client_of(app, bearer("ada")) as client:
        for status in (200, 200, 429):
            found = await client.get("/export.csv", params={"query": "{ secrets { id } }"})
            assert found.status_code == status
        assert int(found.headers["retry-after"]) > 1
        assert found.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    async with client_of(app) as client:
        export = asyncio.ensure_future(client.get("/export.csv", params={"query": "{ slows { id } }"}))
        await until_busy(aside)
        operation = await client.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"accept": "application/graphql-response+json"}
        )
        assert operation.status_code == 429
        export.cancel()
        await asyncio.wait([export])


@pytest.mark.parametrize(
    "settings", [{"max_tokens": 4}, {"max_depth": 1}, {"max_aliases": 1}, {"max_conditions": 1}, {"max_list_items": 1}]
)
async def test_limits_on_operations_bind_exports(make_app: MakeApp, settings: dict[str, int]) -> None:
    query = '{ items(where: {id: {in: [1, 2]}, text: {neq: ""}}) { x: id y: id } }'
    async with client_of(make_app(**settings), bearer("ada")) as client:
        found = await client.get("/export.csv", params={"query": query})
    assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (400, "LIMIT_EXCEEDED")


async def test_the_size_of_a_response_does_not_bind_exports(make_app: MakeApp) -> None:
    async with client_of(make_app(max_response_bytes=1000), bearer("ada")) as client:
        found = await client.get("/export.csv", params={"query": "{ items(limit: 10000) { id } }"})
    assert found.status_code == 200
    assert len(found.content) > 10_000


async def test_a_document_s_statement_is_compiled_once_for_each_form(make_app: MakeApp) -> None:
    app = make_app()
    async with client_of(app) as client:
        query = "query ($n: Int!) { items(limit: $n) { id } }"
        for number in (5, 6, 7):
            params = {"query": query, "variables": json.dumps({"n": number})}
            for kind in ("csv", "ndjson"):
                assert (await client.get(f"/export.{kind}", params=params)).text.count("\n") == number + (kind == "csv")
    engine = app.engine
    prepared = engine.statements.known(engine._admin, query, None, False)
    assert prepared is not None
    assert len(prepared.rows) == 2
