"""What is written can be read back: by Python's csv, pandas, DuckDB, and as the JSON that GraphQL gives."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import asyncpg
import duckdb
import httpx
import pandas
import pytest

from tests.export.depot import ADMIN

pytestmark = pytest.mark.anyio

TEXTS = [
    None,
    "",
    "plain",
    'quo"tes',
    "comma, and; semicolon",
    "line\nfeed",
    "carriage\rreturn",
    "both\r\nof them",
    "emoji 😀 and ünïcödé",
    "$1 and %s and :x and {}",
    "\\.",
    "\\N",
    "back\\slash",
    " spaces ",
    "NULL",
    "\x01\x02\x03",
    "'",
]
FORMULAS = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"]  # noqa: RUF001 (spreadsheets take wide signs, too)
VALUES = """{ samples {
  id text code fixed shade whole exact real reals truth moment local day time uuid bytes many words data plain shout
} }"""


async def export(client: httpx.AsyncClient, query: str, kind: str = "csv", **options: Any) -> httpx.Response:
    found = await client.get(f"/export.{kind}", params={"query": query, **options})
    assert found.status_code == 200, found.text
    return found


async def add_texts(aside: asyncpg.Connection[Any], texts: list[str | None]) -> None:
    await aside.executemany("INSERT INTO samples (id, text) VALUES ($1, $2)", list(enumerate(texts)))


async def test_csv_reads_texts_back_equal(client: httpx.AsyncClient, aside: asyncpg.Connection[Any]) -> None:
    await add_texts(aside, TEXTS)
    found = await export(client, "{ samples { id text } }")
    read = list(csv.reader(io.StringIO(found.text, newline="")))
    assert read == [["id", "text"], *([str(n), text or ""] for n, text in enumerate(TEXTS))]


async def test_duckdb_reads_texts_back_equal(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any], tmp_path: Any
) -> None:
    await add_texts(aside, TEXTS)
    file = tmp_path / "samples.csv"
    file.write_bytes((await export(client, "{ samples { id text } }")).content)
    sql = "SELECT * FROM read_csv(?, columns = {'id': 'INTEGER', 'text': 'VARCHAR'}, allow_quoted_nulls = false)"
    assert duckdb.execute(sql, [str(file)]).fetchall() == list(enumerate(TEXTS))


async def test_pandas_reads_texts_back_equal(client: httpx.AsyncClient, aside: asyncpg.Connection[Any]) -> None:
    await add_texts(aside, TEXTS)
    found = await export(client, "{ samples { id text } }")
    # pandas takes an empty text for a missing one.
    frame = pandas.read_csv(io.BytesIO(found.content), keep_default_na=False, dtype=str, lineterminator=None)
    assert list(frame.itertuples(index=False, name=None)) == [(str(n), text or "") for n, text in enumerate(TEXTS)]


async def test_null_is_empty_and_the_empty_text_has_quotes(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    await add_texts(aside, [None, ""])
    assert (await export(client, "{ samples { id text code } }")).text == 'id,text,code\n0,,\n1,"",\n'


async def test_texts_that_spreadsheets_take_for_formulas_are_guarded(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    await add_texts(aside, [*FORMULAS, "a=1", "1-1"])
    await aside.execute("UPDATE samples SET whole = -1, real = -1, code = left(text, 40)")
    query = "{ samples { text code shout whole real } }"
    read = list(csv.reader(io.StringIO((await export(client, query)).text, newline="")))[1:]
    for row, text in zip(read, FORMULAS, strict=False):
        assert row == [f"'{text}", f"'{text}", f"'{text.upper()}", "-1", "-1"]
    assert [row[0] for row in read[len(FORMULAS) :]] == ["a=1", "1-1"]
    raw = list(csv.reader(io.StringIO((await export(client, query, raw=1)).text, newline="")))[1:]
    assert [row[0] for row in raw] == [*FORMULAS, "a=1", "1-1"]
    rows = [json.loads(line) for line in (await export(client, query, "ndjson")).text.splitlines()]
    assert [row["text"] for row in rows] == [*FORMULAS, "a=1", "1-1"]


INSERT = """INSERT INTO samples (id, text, code, fixed, shade, whole, exact, real, reals, truth, moment, local, day,
time, uuid, bytes, many, words, data, plain) VALUES
(1, 'a', 'b', 'ab', 'DARK', 9007199254740993, 1.50, 1.5, '{1,2.5}', true, '2026-01-02 03:04:05.678901+02',
 '2026-01-02 03:04:05', '2026-01-02', '03:04:05', '5f0c7c5e-7c1d-4b7e-9a51-0d1f5a6b7c8d', '\\x00ff', '{"\\\\x00",NULL}',
 '{"a, b","c \\" d",NULL,"",$1}', '{"b": [1, "x"], "a": null}', E'{"z" :\\n 1, "a":\\r\\n "q"}'),
(2, '', NULL, NULL, 'LIGHT', -1, 'NaN', 'NaN', '{NaN,1,-Infinity}', false, 'infinity', '-infinity', '0044-03-15 BC',
 '24:00:00', NULL, '', '{}', '{}', 'null', 'null'),
(3, NULL, NULL, NULL, NULL, NULL, 'Infinity', '-Infinity', NULL, NULL, '12026-01-01', NULL, 'infinity', NULL, NULL,
 NULL, NULL, NULL, '"text"', '[1,2]'),
(4, NULL, NULL, NULL, NULL, NULL, NULL, 'Infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
 decode(repeat('ab', 100), 'hex'), NULL, NULL, NULL, NULL)"""


async def test_values_are_written_as_the_api_writes_them(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    await aside.execute(INSERT)
    answer = (await client.post("/graphql", json={"query": VALUES})).json()["data"]["samples"]
    # A float that is no number is null there, and has an error.
    answer[1]["reals"] = [None, 1, None]
    found = await export(client, VALUES, "ndjson")
    assert [json.loads(line) for line in found.text.splitlines()] == answer
    read = list(csv.DictReader(io.StringIO((await export(client, VALUES)).text, newline="")))
    for cells, row in zip(read, answer, strict=True):
        assert list(cells) == list(row)
        for name, value in row.items():
            if isinstance(value, list | dict) or name in ("data", "plain"):
                if value is not None:
                    assert json.loads(cells[name]) == value
            elif isinstance(value, bool):
                assert cells[name] == str(value).lower()
            elif isinstance(value, float | int):
                assert float(cells[name]) == value
            else:
                assert cells[name] == (value or "")
    assert Decimal(read[0]["exact"]) == Decimal("1.50")
    assert read[0]["exact"] == "1.50"


async def test_values_go_into_the_statement_as_they_are(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    await aside.execute(INSERT)
    row = {
        "text": ("String", "a"),
        "code": ("String", "b"),
        "fixed": ("String", "ab"),
        "shade": ("Shade", "DARK"),
        "whole": ("BigInt", "9007199254740993"),
        "exact": ("Decimal", "1.50"),
        "real": ("Float", 1.5),
        "truth": ("Boolean", True),
        "moment": ("DateTime", "2026-01-02T01:04:05.678901+00:00"),
        "local": ("DateTime", "2026-01-02T03:04:05+00:00"),
        "day": ("Date", "2026-01-02"),
        "time": ("Time", "03:04:05"),
        "uuid": ("UUID", "5f0c7c5e-7c1d-4b7e-9a51-0d1f5a6b7c8d"),
    }
    for name, (type_, value) in row.items():
        for operator, given in (("eq", value), ("in", [value, value])):
            if (name, operator) == ("truth", "in"):
                continue
            declared = type_ if operator == "eq" else f"[{type_}!]"
            query = f"query ($v: {declared}!) {{ samples(where: {{{name}: {{{operator}: $v}}}}) {{ id }} }}"
            params = {"query": query, "variables": json.dumps({"v": given})}
            assert (await client.get("/export.csv", params=params)).text == "id\n1\n", (name, operator)
    for condition, value in (
        ("words: {hasAny: $v}", ["a, b", 'x"y']),
        ("words: {hasAll: $v}", ['c " d', ""]),
        ("reals: {hasAny: $v}", [2.5]),
    ):
        item = "Float" if "reals" in condition else "String"
        query = f"query ($v: [{item}!]!) {{ samples(where: {{{condition}}}) {{ id }} }}"
        params = {"query": query, "variables": json.dumps({"v": value})}
        assert (await client.get("/export.csv", params=params)).text == "id\n1\n", condition
    query = "query ($v: JSON!) { samples(where: {data: {contains: $v}}) { id } }"
    params = {"query": query, "variables": json.dumps({"v": {"b": ["x"]}})}
    assert (await client.get("/export.csv", params=params)).text == "id\n1\n"


@pytest.mark.parametrize("text", ["", "=", "'; DROP TABLE samples; --", "$1", "\\", '"', "a'b", "{}", "NULL", "😀"])
async def test_any_text_is_only_a_value(client: httpx.AsyncClient, aside: asyncpg.Connection[Any], text: str) -> None:
    await add_texts(aside, [text, "another"])
    for condition, value in (("text: {eq: $v}", text), ("text: {in: $v}", [text])):
        type_ = "String!" if value == text else "[String!]!"
        query = f"query ($v: {type_}) {{ samples(where: {{{condition}}}) {{ id }} }}"
        found = await client.get("/export.csv", params={"query": query, "variables": json.dumps({"v": value})})
        assert found.text == "id\n0\n"
    literal = f"{{ samples(where: {{text: {{eq: {json.dumps(text)}}}}}) {{ id }} }}"
    assert (await export(client, literal)).text == "id\n0\n"


async def test_values_of_one_export_are_not_there_for_the_next(make_app: Any, aside: asyncpg.Connection[Any]) -> None:
    await add_texts(aside, ["a", "b"])
    app = make_app(max_all_exports=1)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example", headers=ADMIN) as client:
        query = "query ($v: String!) { samples(where: {text: {eq: $v}}) { id } }"
        for number, value in enumerate("ab"):
            found = await client.get("/export.csv", params={"query": query, "variables": json.dumps({"v": value})})
            assert found.text == f"id\n{number}\n"
        connection = await app.exports._pool.acquire()
        assert not await connection.fetchval("SELECT current_setting('clew.v0', true)")
        app.exports._pool.release(connection)


async def test_no_rows_are_a_header_alone(client: httpx.AsyncClient, aside: asyncpg.Connection[Any]) -> None:
    query = "{ samples { id owner { text } owned { id } } }"
    assert (await export(client, query)).text == "id,owner.text,owned\n"
    assert (await export(client, query, "ndjson")).content == b""


async def test_a_to_one_is_flattened_and_a_list_is_json_in_a_cell(
    client: httpx.AsyncClient, aside: asyncpg.Connection[Any]
) -> None:
    await add_texts(aside, ["zero", "one", "two"])
    await aside.execute("UPDATE samples SET owner_id = 0 WHERE id > 0")
    query = (
        "{ all: samples { id by: owner { id text shout kind: __typename o: ownedAggregate { count max { text } } }"
        " owned(orderBy: [{id: DESC}]) { id text } } }"
    )
    found = (await export(client, query)).text
    read = list(csv.reader(io.StringIO(found, newline="")))
    assert read[0] == ["id", "by.id", "by.text", "by.shout", "by.kind", "by.o.count", "by.o.max.text", "owned"]
    assert read[1] == ["0", "", "", "", "", "", "", '[{"id":2,"text":"two"},{"id":1,"text":"one"}]']
    assert read[2] == ["1", "0", "zero", "ZERO", "Sample", "2", "two", "[]"]


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
async def test_delimiters(client: httpx.AsyncClient, aside: asyncpg.Connection[Any], delimiter: str) -> None:
    await add_texts(aside, ["a,b;c|d\te"])
    found = await export(client, "{ samples { id text } }", delimiter=delimiter)
    read = list(csv.reader(io.StringIO(found.text, newline=""), delimiter=delimiter))
    assert read == [["id", "text"], ["0", "a,b;c|d\te"]]


async def test_a_byte_order_mark_only_where_it_is_asked_for(client: httpx.AsyncClient) -> None:
    for flag, start in ((None, b"id"), (0, b"id"), (1, b"\xef\xbb\xbfid")):
        options: dict[str, Any] = {} if flag is None else {"bom": flag}
        assert (await export(client, "{ samples { id } }", **options)).content.startswith(start)


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_gzip_by_accept_encoding(client: httpx.AsyncClient, kind: str) -> None:
    query = "{ items(limit: 5000) { id text } }"
    bodies = []
    for accepted, compressed in (("gzip", True), ("identity", False), ("gzip;q=0", False), ("br, gzip;q=0.5", True)):
        request = client.build_request(
            "GET", f"/export.{kind}", params={"query": query}, headers={"accept-encoding": accepted}
        )
        found = await client.send(request, stream=True)
        body = b"".join([part async for part in found.aiter_raw()])
        assert (found.headers.get("content-encoding") == "gzip") is compressed
        assert found.headers["vary"] == "Accept-Encoding"
        bodies.append(gzip.decompress(body) if compressed else body)
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"\n") == 5000 + (kind == "csv")
