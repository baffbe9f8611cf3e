"""GraphQL over HTTP, in this process: media types, statuses, methods, bodies, and the shape of every error."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from clew.deadlines import Deadlines
from clew.errors import Code
from tests.faults.lab import client_of, request_bytes, served
from tests.wire.conftest import MakeApp

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
QUERY = b'{"query":"{ __typename }"}'
RENAME = 'mutation { renameCompany(id: "00000000-0000-7000-8000-000000000001", name: "Stolen") }'


def assert_error(response: httpx.Response, status: int, code: Code) -> dict[str, Any]:
    """The error's `extensions`; its body has the shape that every error has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] in (f"{JSON}; charset=utf-8", f"{RESPONSE}; charset=utf-8")
    body = response.json()
    assert set(body) <= {"errors", "data"}
    for error in body["errors"]:
        assert set(error) <= {"message", "locations", "path", "extensions"}
        assert error["message"]
        assert set(error["extensions"]) <= {"code", "hint", "requestId"}
        assert error["extensions"]["code"] in set(Code)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", error["extensions"]["requestId"])
    extensions: dict[str, Any] = body["errors"][0]["extensions"]
    assert extensions["code"] == code
    return extensions


async def company(client: httpx.AsyncClient) -> str:
    """The name that the mutation of these tests would change."""
    query = '{ company(id: "00000000-0000-7000-8000-000000000001") { name } }'
    name: str = (await client.post("/graphql", json={"query": query})).json()["data"]["company"]["name"]
    return name


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{JSON}, {RESPONSE}", JSON),
        (f"{JSON};q=0.5, {RESPONSE};q=0.9", RESPONSE),
        (f"{RESPONSE};q=0, {JSON}", JSON),
        (f"text/html;q=0.9, {RESPONSE};q=0.8", RESPONSE),
        (f"{RESPONSE};charset=utf-8", RESPONSE),
        (f"{RESPONSE};charset=latin1, {JSON}", JSON),
        (RESPONSE.upper(), RESPONSE),
        (f"{JSON};q=nonsense, {RESPONSE}", RESPONSE),
        (f"{JSON};q=nan, {RESPONSE}", RESPONSE),
    ],
)
async def test_the_accept_header_decides_the_media_type(
    client: httpx.AsyncClient, accept: str | None, answered: str
) -> None:
    headers = {"content-type": JSON} if accept is None else {"content-type": JSON, "accept": accept}
    del client.headers["accept"]
    response = await client.post("/graphql", content=QUERY, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "TEXT/HTML", f"{JSON};charset=utf-16", "x" * 5000, ";,;,"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_cannot_be_accepted_is_406_and_json(client: httpx.AsyncClient, accept: str, method: str) -> None:
    response = await client.request(
        method,
        "/graphql",
        params={"query": "{ __typename }"},
        content=QUERY if method == "POST" else None,
        headers={"accept": accept, "content-type": JSON},
    )
    assert_error(response, 406, Code.BAD_USER_INPUT)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "code", "json_status", "response_status"),
    [
        ("{ companies { id } }", None, 200, 200),
        ("{ ", Code.GRAPHQL_PARSE_FAILED, 200, 400),
        ("{ nothing }", Code.GRAPHQL_VALIDATION_FAILED, 200, 400),
        ("query A { __typename } query B { __typename }", Code.BAD_USER_INPUT, 200, 400),
        ("subscription { x }", Code.GRAPHQL_VALIDATION_FAILED, 200, 400),
        ("fragment F on Query { __typename }", Code.BAD_USER_INPUT, 200, 400),
        ("query($a: ID!) { company(id: $a) { id } }", Code.BAD_USER_INPUT, 200, 400),
        ("{" + "a{" * 150 + "a" + "}" * 151, Code.LIMIT_EXCEEDED, 200, 400),
        ("{ broken }", Code.INTERNAL, 200, 200),
        (
            'mutation { failAfterRenaming(id: "00000000-0000-7000-8000-000000000001", name: "x") }',
            Code.CONFLICT,
            200,
            200,
        ),
    ],
)
async def test_the_status_of_each_media_type(
    client: httpx.AsyncClient, query: str, code: Code | None, json_status: int, response_status: int
) -> None:
    for accept, status in ((JSON, json_status), (RESPONSE, response_status)):
        response = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
        assert response.status_code == status
        if code is None:
            assert "errors" not in response.json()
        else:
            assert_error(response, status, code)


@pytest.mark.anyio
@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_wrong_credentials_are_401_for_both_media_types(make_app: MakeApp, accept: str) -> None:
    headers = {"accept": accept, "content-type": JSON, "authorization": "Bearer x"}
    async with client_of(make_app(env="production")) as client:
        for path in ("/graphql", "/graphql?query={__typename}"):
            response = await client.post(path, content=QUERY, headers=headers)
            assert_error(response, 401, Code.UNAUTHENTICATED)


@pytest.mark.anyio
async def test_a_query_can_be_sent_by_get_with_variables_and_operation_name(client: httpx.AsyncClient) -> None:
    response = await client.get(
        "/graphql",
        params={
            "query": "query A($n: Int) { companies(limit: $n) { __typename } } query B { __typename }",
            "variables": '{"n": 1}',
            "operationName": "A",
            "extensions": "{}",
        },
    )
    assert response.json() == {"data": {"companies": [{"__typename": "Company"}]}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("B", 'named "B"'),
        ("B" * 100, f'named "{"B" * 100}"'),
        ("B" * 101, "of that name"),
        ("B" * 100_000, "of that name"),
        ("it's", "of that name"),
        ("B\n", "of that name"),
        ("\u202eB", "of that name"),
        ("<b>", "of that name"),
    ],
)
async def test_an_operation_that_is_not_there_is_named_if_it_is_a_name(
    client: httpx.AsyncClient, name: str, shown: str
) -> None:
    for query in ("query A { __typename }", "query A { __typename } query C { __typename }"):
        response = await client.post("/graphql", json={"query": query, "operationName": name})
        (error,) = response.json()["errors"]
        assert error["message"] == f"There is no operation {shown} in the document."
        assert error["extensions"]["code"] == Code.BAD_USER_INPUT


@pytest.mark.anyio
@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_a_mutation_by_get_is_405_and_runs_nothing(client: httpx.AsyncClient, accept: str) -> None:
    for params in (
        {"query": RENAME},
        {"query": f"query Harmless {{ __typename }} {RENAME.replace('mutation', 'mutation M')}", "operationName": "M"},
    ):
        response = await client.get("/graphql", params=params, headers={"accept": accept})
        assert_error(response, 405, Code.BAD_USER_INPUT)
        assert response.headers["allow"] == "POST"
    assert await company(client) == "Northwind"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain; application/json",
        "application/jsonp",
        "application/graphql",
        "application/json, text/plain",
    ],
)
async def test_what_a_foreign_page_can_send_runs_nothing(client: httpx.AsyncClient, content_type: str | None) -> None:
    body = json.dumps({"query": RENAME})
    bodies = [body.encode(), f"query={RENAME}".encode()]
    bodies.append(f'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{body}\r\n--x--\r\n'.encode())
    for content in bodies:
        headers = {} if content_type is None else {"content-type": content_type}
        response = await client.post("/graphql", content=content, headers=headers)
        assert_error(response, 415, Code.BAD_USER_INPUT)
    assert await company(client) == "Northwind"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ('Application/JSON;charset="UTF-8"', 200),
        ("application/json; charset=utf8", 200),
        ("application/json; profile=x; charset=utf-8;", 200),
        ("application/json; charset=utf-8; profile=x", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; profile=x; charset=latin1", 415),
    ],
)
async def test_only_utf_8_is_read(client: httpx.AsyncClient, content_type: str, status: int) -> None:
    response = await client.post("/graphql", content=QUERY, headers={"content-type": content_type})
    assert response.status_code == status


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
async def test_a_compressed_body_is_415(client: httpx.AsyncClient, encoding: str) -> None:
    headers = {"content-type": JSON, "content-encoding": encoding}
    response = await client.post("/graphql", content=gzip.compress(QUERY), headers=headers)
    assert_error(response, 415, Code.BAD_USER_INPUT)


BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"query",
    "half": b'{"query": "{ __typename }"',
    "two": b'{"query": "{ __typename }"} {}',
    "latin-1": b'{"query": "{ __typename } # \xe9"}',
    "utf-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + QUERY,
    "NaN": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "Infinity": b'{"query": "{ __typename }", "variables": {"a": -Infinity}}',
    "5,000 digits": b'{"query": "{ __typename }", "variables": {"a": ' + b"1" * 5000 + b"}}",
    "100,000 arrays": b"[" * 100_000,
    "100,000 closed arrays": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "100,000 arrays in variables": b'{"query": "{ __typename }", "variables": {"a":'
    + b"[" * 10**5
    + b"]" * 10**5
    + b"}}",
    "a batch": b"[" + QUERY + b"," + QUERY + b"]",
    "an empty batch": b"[]",
    "null": b"null",
    "a string": b'"{ __typename }"',
    "a number": b"1e999",
    "no query": b"{}",
    "query null": b'{"query": null}',
    "query empty": b'{"query": ""}',
    "query a number": b'{"query": 1}',
    "variables a list": b'{"query": "{ __typename }", "variables": []}',
    "variables a string": b'{"query": "{ __typename }", "variables": "{}"}',
    "operationName a number": b'{"query": "{ __typename }", "operationName": 1}',
    "extensions a string": b'{"query": "{ __typename }", "extensions": "x"}',
}


@pytest.mark.anyio
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_a_bad_body_is_400(client: httpx.AsyncClient, body: bytes, accept: str) -> None:
    response = await client.post("/graphql", content=body, headers={"content-type": JSON, "accept": accept})
    assert_error(response, 400, Code.BAD_USER_INPUT)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "query_string",
    [
        "",
        "query=",
        "query={__typename}&query={__typename}",
        "query={__typename}&variables={}&variables={}",
        "query={__typename}&variables=[1]",
        "query={__typename}&variables={",
        "query={__typename}&variables=" + "[" * 50_000,
        'query={__typename}&variables={"a":NaN}',
        "query={__typename}&extensions=1",
        "query=%ff",
        "&".join(["query={__typename}"] + ["a=b"] * 30),
    ],
)
async def test_a_bad_query_string_is_400(client: httpx.AsyncClient, query_string: str) -> None:
    assert_error(await client.get(f"/graphql?{query_string}"), 400, Code.BAD_USER_INPUT)


@pytest.mark.anyio
@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hash_instead_of_a_document_is_refused_in_the_words_that_clients_know(
    client: httpx.AsyncClient, method: str, accept: str
) -> None:
    """Those of Apollo's automatic persisted queries: a client then sends the document itself."""
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    response = await client.request(
        method,
        "/graphql",
        params={"extensions": json.dumps(extensions)} if method == "GET" else None,
        json={"extensions": extensions} if method == "POST" else None,
        headers={"accept": accept},
    )
    assert_error(response, 400, Code.BAD_USER_INPUT)
    assert response.json()["errors"][0]["message"] == "PersistedQueryNotSupported"


@pytest.mark.anyio
async def test_a_document_may_come_with_its_hash(client: httpx.AsyncClient) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    response = await client.post("/graphql", json={"query": "{ __typename }", "extensions": extensions})
    assert response.json() == {"data": {"__typename": "Query"}}


HOSTILE_VALUES = {
    "a lone surrogate": ("String", '"\\ud800"'),
    "a NUL": ("String", '"a\\u0000b"'),
    "an integer of 33 bits": ("Int", "4294967296"),
    "a boolean for a number": ("Int", "true"),
    "a deep list": ("JSON", "[" * 900 + "]" * 900),
    "a deep object": ("JSON", '{"a":' * 900 + "1" + "}" * 900),
    "1e400": ("Float", "1e400"),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "value"), HOSTILE_VALUES.values(), ids=HOSTILE_VALUES.keys())
async def test_a_hostile_variable_is_the_clients_error(client: httpx.AsyncClient, kind: str, value: str) -> None:
    query = {
        "String": "query($v: String!) { companies(where: {name: {eq: $v}}) { id } }",
        "Int": "query($v: Int!) { companies(limit: $v) { id } }",
        "Float": "query($v: Float!) { orders(where: {weight: {eq: $v}}) { id } }",
        "JSON": "query($v: PersonFilter!) { people(where: $v) { id } }",
    }[kind]
    body = f'{{"query": {json.dumps(query)}, "variables": {{"v": {value}}}}}'.encode()
    response = await client.post("/graphql", content=body, headers={"content-type": JSON})
    assert response.status_code in (200, 400)
    assert_error(response, response.status_code, Code.BAD_USER_INPUT)


@pytest.mark.anyio
async def test_a_deeply_nested_filter_is_the_clients_error(client: httpx.AsyncClient) -> None:
    for depth in (100, 300, 450, 900):
        where = '{"not":' * depth + '{"email": {"eq": "x"}}' + "}" * depth
        body = (
            f'{{"query": "query($v: PersonFilter!) {{ people(where: $v) {{ id }} }}", "variables": {{"v": {where}}}}}'
        )
        response = await client.post("/graphql", content=body, headers={"content-type": JSON})
        if "errors" in response.json():
            code = response.json()["errors"][0]["extensions"]["code"]
            assert code in (Code.BAD_USER_INPUT, Code.LIMIT_EXCEEDED), (depth, code)


@pytest.mark.anyio
async def test_surrogates_and_control_characters_in_a_document_come_back_as_valid_json(
    client: httpx.AsyncClient,
) -> None:
    for document in (
        "{ \\ud800 }",
        '{ companies(where: {name: {eq: \\"\\ud800\\"}}) { id } }',
        "{ \\u0000 }",
        "{ \\u202e }",
    ):
        body = f'{{"query": "{document}"}}'.encode()
        response = await client.post("/graphql", content=body, headers={"content-type": JSON})
        assert response.json()["errors"][0]["extensions"]["code"] in (Code.GRAPHQL_PARSE_FAILED, Code.BAD_USER_INPUT)


@pytest.mark.anyio
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(make_app: MakeApp, chunked: bool) -> None:
    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    async with client_of(make_app(max_body_bytes=1000)) as client:
        for size, status in ((1000, 200), (1001, 413), (5000, 413)):
            body = QUERY + b" " * (size - len(QUERY))
            response = await client.post(
                "/graphql", content=chunks(body) if chunked else body, headers={"content-type": JSON}
            )
            assert response.status_code == status
            if status == 413:
                assert_error(response, 413, Code.LIMIT_EXCEEDED)
                assert response.headers["connection"] == "close"
        assert (await client.get("/graphql", params={"query": "#" * 1000 + "\n{ __typename }"})).status_code == 413


@pytest.mark.anyio
@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, "0x10", "+5", ""])
async def test_a_hostile_content_length_is_no_fault_of_the_server(client: httpx.AsyncClient, length: str) -> None:
    headers = {"content-type": JSON, "content-length": length}
    response = await client.post("/graphql", content=QUERY, headers=headers)
    assert_error(response, 413, Code.LIMIT_EXCEEDED)


@pytest.mark.anyio
async def test_a_body_that_does_not_come_is_408(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.wire.body._DEADLINES", Deadlines(seconds=0.2))
    async with served(make_app()) as port:
        for sent in (b"", b'{"query"'):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes(QUERY, port)[: -len(QUERY)] + sent)
            async with asyncio.timeout(5):
                assert (await reader.readline()).split()[1] == b"408"
                assert b'"TIMEOUT"' in await reader.read()
            writer.close()
            await writer.wait_closed()


@pytest.mark.anyio
async def test_a_body_that_trickles_is_408_after_the_time_for_all_of_it(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.wire.body._DEADLINES", Deadlines(seconds=0.5))
    async with served(make_app()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 100000\r\n\r\n")
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = asyncio.create_task(reader.readline())
        while not answer.done() and loop.time() < began + 5:
            writer.write(b" ")
            await asyncio.sleep(0.05)
        assert (await answer).split()[1] == b"408"
        assert 0.4 < loop.time() - began < 3
        assert b'"TIMEOUT"' in await reader.read()
        writer.close()


@pytest.mark.anyio
async def test_an_endless_body_is_refused_before_it_is_read(make_app: MakeApp) -> None:
    app = make_app(max_body_bytes=10_000)
    async with served(app) as port:
        for head in (b"Transfer-Encoding: chunked", b"Content-Length: 999999999"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + head)
            writer.write(b"\r\n\r\n" + b"".join([b"2000\r\n" + b" " * 0x2000 + b"\r\n"] * 4))
            async with asyncio.timeout(5):
                assert (await reader.readline()).split()[1] == b"413"
                assert b'"LIMIT_EXCEEDED"' in await reader.read()
            writer.close()
            await writer.wait_closed()


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_another_method_is_405(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(
        method, "/graphql", params={"query": "{ __typename }"}, content=QUERY, headers={"content-type": JSON}
    )
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    if method != "HEAD":
        assert_error(response, 405, Code.BAD_USER_INPUT)


@pytest.mark.anyio
async def test_an_unknown_path_is_404_whoever_asks(client: httpx.AsyncClient) -> None:
    for path in ("/", "/graphqll", "/graphql/x", "/admin", "/%00"):
        assert (await client.post(path, content=QUERY, headers={"content-type": JSON})).status_code == 404, path


@pytest.mark.anyio
async def test_the_playground_is_a_page_for_browsers_only_and_only_if_it_is_on(make_app: MakeApp) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    async with client_of(make_app(playground=True)) as client:
        page = await client.get("/graphql", headers={"accept": browser})
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["x-frame-options"] == "DENY"
        assert (await client.get("/graphql", headers={"accept": "TEXT/HTML"})).status_code == 200
        # The script of the page, and every other client, gets JSON.
        posted = await client.post("/graphql", content=QUERY, headers={"accept": browser, "content-type": JSON})
        assert posted.json() == {"data": {"__typename": "Query"}}
        assert (await client.post("/graphql", content=QUERY, headers={"accept": "text/html"})).status_code == 406
    async with client_of(make_app(playground=False)) as client:
        found = await client.get("/graphql", params={"query": "{ __typename }"}, headers={"accept": browser})
        assert found.json() == {"data": {"__typename": "Query"}}
        assert_error(await client.get("/graphql", headers={"accept": "text/html"}), 406, Code.BAD_USER_INPUT)


@pytest.mark.anyio
async def test_a_request_id_is_echoed(client: httpx.AsyncClient) -> None:
    for query in ("{ __typename }", "{ nothing }"):
        response = await client.post("/graphql", json={"query": query}, headers={"x-request-id": "Abc-1.2_3"})
        assert response.headers["x-request-id"] == "Abc-1.2_3"
    assert response.json()["errors"][0]["extensions"]["requestId"] == "Abc-1.2_3"


@pytest.mark.anyio
async def test_a_request_id_is_made_for_errors(client: httpx.AsyncClient) -> None:
    made = {
        (await client.post("/graphql", json={"query": "{ nothing }"})).json()["errors"][0]["extensions"]["requestId"]
        for _ in range(3)
    }
    assert len(made) == 3


@pytest.mark.anyio
@pytest.mark.parametrize("hostile", ["", "a b", 'x"><script>', "\x1b[2J", "x" * 129, "%0d%0aSet-Cookie:a", "{jndi}"])
async def test_a_hostile_request_id_is_replaced(client: httpx.AsyncClient, hostile: str) -> None:
    response = await client.post("/graphql", json={"query": "{ nothing }"}, headers={"x-request-id": hostile})
    assert "x-request-id" not in response.headers
    assert re.fullmatch("[0-9a-f]{32}", response.json()["errors"][0]["extensions"]["requestId"])


@pytest.mark.anyio
async def test_no_response_has_extensions(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ companies { id } }"})
    assert list(response.json()) == ["data"]


@pytest.mark.anyio
async def test_a_name_that_is_nearly_that_of_a_hidden_field_is_told_nothing_of_it(client: httpx.AsyncClient) -> None:
    near = await client.post("/graphql", json={"query": "{ people { passwor } }"})
    assert "password" not in near.text
    exact = await client.post("/graphql", json={"query": "{ people { password } }"})
    assert near.json()["errors"][0]["message"].replace("passwor", "password") == exact.json()["errors"][0]["message"]


@pytest.mark.anyio
@pytest.mark.parametrize("kinds", [(JSON, JSON), ("text/plain", JSON), (JSON, "text/plain")])
async def test_a_type_given_twice_is_refused(client: httpx.AsyncClient, kinds: tuple[str, str]) -> None:
    headers = [("content-type", kind) for kind in kinds]
    response = await client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert_error(response, 415, Code.BAD_USER_INPUT)
