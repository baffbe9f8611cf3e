"""Whatever value a scalar has: written by a variable or in a document it is what is read back, and it is found.

The independent reader is Postgres itself, asked by asyncpg with the value as text. Values come from seeds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from clew.engine import Request
from clew.wire.parameters import read_json
from tests.writes.api import ADMIN, Api, api_of

pytestmark = pytest.mark.anyio

SDL = """
enum Mood { CALM ANGRY }
type Thing @table {
  id: Int! @id
  int: Int
  bigInt: BigInt
  float: Float
  real: Float @column(type: "real")
  decimal: Decimal
  money: Decimal @column(type: "numeric(30,10)")
  boolean: Boolean
  string: String
  fixed: String @column(type: "char(6)")
  date: Date
  time: Time
  zoned: Time @column(type: "timetz")
  moment: DateTime
  local: DateTime @column(type: "timestamp")
  uuid: UUID
  json: JSON
  bytes: Bytes
  mood: Mood
  dates: [Date!]
  moments: [DateTime!]
  times: [Time!]
  decimals: [Decimal!]
  jsons: [JSON!]
}
"""
# Each type of a key, of a unique key, and of an order.
KEYED = """
type Held @table { key: %(type)s! @id @column(type: "%(sql)s")  n: Int  of: [Part!]! @relation(from: "held") }
type Part @table { id: Int! @id  held: Held }
type Marked @table { id: Int! @id  key: %(type)s! @unique @column(type: "%(sql)s")  n: Int }
"""
Make = Callable[[random.Random], str]


def year(chance: random.Random, last: int) -> str:
    found = chance.choice((chance.randint(1, 9999), chance.randint(10000, last), 1, 9999, 10000, last))
    return f"{found:04}"


def day(chance: random.Random, last: int = 5874897) -> str:
    if chance.random() < 0.15:
        return chance.choice(("infinity", "-infinity"))
    month, of_month = chance.randint(1, 12), chance.randint(1, 28)
    if chance.random() < 0.3:
        return f"{chance.randint(1, 4713):04}-{month:02}-{of_month:02} BC"
    return f"{year(chance, last)}-{month:02}-{of_month:02}"


def clock(chance: random.Random) -> str:
    if chance.random() < 0.15:
        return chance.choice(("24:00:00", "00:00:00", "23:59:59.999999"))
    text = f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}"
    return text + chance.choice(("", f".{chance.randint(1, 999999):06}".rstrip("0"), ".5"))


def moment(chance: random.Random) -> str:
    text = day(chance, 294276)
    if "infinity" in text:
        return text
    text, _, era = text.partition(" ")
    at = clock(chance)
    return f"{text}T{'12:00:00' if at == '24:00:00' else at}+00:00{' BC' if era else ''}"


def number(chance: random.Random, digits: int = 40, *, finite: bool = False) -> str:
    if not finite and chance.random() < 0.2:
        return chance.choice(("NaN", "Infinity", "-Infinity"))
    whole = chance.choice(("0", str(chance.randint(1, 10 ** chance.randint(1, digits)))))
    text = whole + chance.choice(("", f".{chance.randint(0, 10**digits):0{digits}}", ".10", ".89"))
    return text if set(text) <= {"0", "."} or chance.random() < 0.5 else f"-{text}"


def plain(make: Make) -> Make:
    return lambda chance: json.dumps(make(chance))


def value_of_json(chance: random.Random) -> str:
    part = number(chance, finite=True)
    return chance.choice((part, f"[{part}, null, true]", f'{{"a": {part}, "b": {{"c": ["x", {part}]}}}}', '"\u00e9"'))


def text(chance: random.Random) -> str:
    return "".join(chance.choice("ab %_\\'\u00e9\U0001f600\n") for _ in range(chance.randint(0, 8)))


# Values as JSON.
SCALARS: dict[str, Make] = {
    "int": lambda chance: str(chance.randint(-(2**31), 2**31 - 1)),
    "bigInt": plain(lambda chance: str(chance.randint(-(2**63), 2**63 - 1))),
    "float": lambda chance: repr(chance.uniform(-1, 1) * 10 ** chance.randint(-300, 300)),
    "real": lambda chance: repr(chance.randint(-(10**6), 10**6) / 64),
    "decimal": plain(number),
    "money": plain(lambda chance: chance.choice((number(chance, 10, finite=True), "NaN"))),
    "boolean": lambda chance: chance.choice(("true", "false")),
    "string": plain(text),
    "fixed": plain(lambda chance: text(chance)[:6]),
    "date": plain(day),
    "time": plain(clock),
    "zoned": plain(lambda chance: clock(chance) + chance.choice(("+00", "-03", "+05:30", "+15:59:59"))),
    "moment": plain(moment),
    "local": plain(moment),
    "uuid": plain(lambda chance: f"{chance.getrandbits(128):032x}"),
    "json": value_of_json,
    "bytes": plain(lambda chance: chance.choice(("", "AA==", "/+8="))),
    "mood": plain(lambda chance: chance.choice(("CALM", "ANGRY"))),
    "dates": lambda chance: json.dumps([day(chance) for _ in range(3)]),
    "moments": lambda chance: json.dumps([moment(chance) for _ in range(3)]),
    "times": lambda chance: json.dumps([clock(chance) for _ in range(3)]),
    "decimals": lambda chance: json.dumps([number(chance) for _ in range(3)]),
    "jsons": lambda chance: f"[{value_of_json(chance)}, {value_of_json(chance)}]",
}
WITHOUT_EQ = {"jsons"}
MANY = 12


async def sent(api: Api, document: str, variables: str) -> str:
    request = Request(document, read_json(variables, "x"))
    body = (await api.engine.execute(request, ADMIN)).body.decode()
    assert '"errors"' not in body, (document, variables, body)
    return body


def literal(value: str, name: str) -> str:
    if name == "mood":
        return value.strip('"')
    return value.replace('"a": ', "a: ").replace('"b": ', "b: ").replace('"c": ', "c: ")


@pytest.mark.parametrize("name", SCALARS)
async def test_a_value_is_read_back_and_found(name: str, prepared_url: str) -> None:
    chance = random.Random(name)
    async with api_of(prepared_url, SDL) as api:
        column = api.engine.model.entity("Thing").column(name)
        assert column is not None
        type_ = column.type.name
        shown = f"[{type_}!]" if column.type.is_list else type_
        for value in [SCALARS[name](chance) for _ in range(MANY)]:
            write = f"mutation($v: {shown}!) {{ createThing(input: {{{name}: $v}}) {{ {name} }} }}"
            by_variable = await sent(api, write, f'{{"v": {value}}}')
            by_literal = await sent(
                api, f"mutation {{ createThing(input: {{{name}: {literal(value, name)}}}) {{ {name} }} }}", "{}"
            )
            assert by_variable == by_literal
            read = by_variable.removeprefix(f'{{"data":{{"createThing":{{"{name}":').removesuffix("}}}")
            # What Postgres has is what Postgres makes of the text itself.
            sql = f"SELECT count(*) FROM things WHERE {column.column}::text = ({TEXTS.get(name, TEXT)})::text"
            cast = f"{column.type.sql}[]" if column.type.is_list else column.type.sql
            assert await api.sql(sql.format(type=cast, item=column.type.sql), value) == [2], (value, read)
            if name not in WITHOUT_EQ:
                for operand in (value, read):
                    query = f"query($v: {shown}!) {{ things(where: {{{name}: {{eq: $v}}}}) {{ id }} }}"
                    found = json.loads(await sent(api, query, f'{{"v": {operand}}}'))
                    assert len(found["data"]["things"]) == 2, (operand, read)
                query = f"{{ things(where: {{{name}: {{eq: {literal(value, name)}}}}}) {{ id }} }}"
                assert len(json.loads(await sent(api, query, "{}"))["data"]["things"]) == 2
            # And what comes out goes in.
            await sent(
                api,
                f"mutation($v: {shown}!) {{ updateThings(where: {{}}, all: true, set: {{{name}: $v}}) {{ count }} }}",
                f'{{"v": {read}}}',
            )
            assert await api.sql(sql.format(type=cast, item=column.type.sql), value) == [2], (value, read)
            rows = await sent(api, f"{{ things {{ {name} }} }}", "{}")
            assert rows.replace(" ", "").count(read.replace(" ", "")) == 2, (rows, read)
            await api.sql("DELETE FROM things")


TEXT = "SELECT ($1::jsonb #>> '{{}}')::{type}"
LIST = "SELECT array_agg(x::{item}) FROM jsonb_array_elements_text($1) AS x"
TEXTS = {
    **dict.fromkeys(("dates", "moments", "times", "decimals"), LIST),
    "json": "SELECT $1::jsonb",
    "jsons": "SELECT array_agg(x) FROM jsonb_array_elements($1::jsonb) AS x",
    "bytes": "SELECT decode($1::jsonb #>> '{{}}', 'base64')",
}

KEYS: dict[str, tuple[str, str, Make]] = {
    "date": ("Date", "date", day),
    "moment": ("DateTime", "timestamptz", moment),
    "local": ("DateTime", "timestamp", moment),
    "time": ("Time", "time", clock),
    "zoned": ("Time", "timetz", lambda chance: clock(chance) + chance.choice(("+00", "-03", "+05:30"))),
    "decimal": ("Decimal", "numeric", number),
    "fixed": ("String", "char(6)", lambda chance: text(chance)[:6].replace(" ", "x") + " "),
}


@pytest.mark.parametrize("name", KEYS)
async def test_a_value_that_is_read_back_is_a_key(name: str, prepared_url: str) -> None:
    type_, sql, make = KEYS[name]
    chance = random.Random(f"key {name}")
    async with api_of(prepared_url, KEYED % {"type": type_, "sql": sql}) as api:

        async def run(document: str, **variables: object) -> dict[str, object]:
            found: dict[str, object] = await api.ok(document.replace("KEY", f"{type_}!"), variables)
            return found

        keys: list[str] = []
        for given in dict.fromkeys(make(chance)[:6] if name == "fixed" else make(chance) for _ in range(MANY)):
            made = await run(
                "mutation($k: KEY) { x: createHeld(input: {key: $k, of: {create: [{}, {}]}}) { key of { id } } }",
                k=given,
            )
            x = made["x"]
            assert isinstance(x, dict)
            key = x["key"]
            assert len(x["of"]) == 2, given
            keys.append(key)
            await run("mutation($k: KEY) { createMarked(input: {key: $k}) { id } }", k=given)
            for k in (given, key):
                # By key, by unique key, by update, upsert, connect and delete.
                assert await run("query($k: KEY) { held(key: $k) { key } }", k=k) == {"held": {"key": key}}
                assert await run("query($k: KEY) { markedByKey(key: $k) { key } }", k=k) == {
                    "markedByKey": {"key": key}
                }
                assert await run(
                    "mutation($k: KEY) { x: updateHeld(key: $k, inc: {}, set: {n: 1}) { key n } }", k=k
                ) == {"x": {"key": key, "n": 1}}
                document = "mutation($k: KEY) { x: upsertMarked(input: {key: $k, n: 2}, on: key) { key n } }"
                assert await run(document, k=k) == {"x": {"key": key, "n": 2}}
                document = (
                    "mutation($k: KEY) { x: createPart(input: {held: {connect: {key: $k}}}) { heldKey held { key } } }"
                )
                assert await run(document, k=k) == {"x": {"heldKey": key, "held": {"key": key}}}
                document = (
                    "mutation($k: KEY) { x: updateManyHelds(updates: [{key: $k, set: {n: 3}}]) { rows { key } } }"
                )
                assert await run(document, k=k) == {"x": {"rows": [{"key": key}]}}
        assert await api.sql("SELECT count(*) FROM markeds") == [len(keys)]
        # Every row is on one page of one, in the order of the database.
        order = await api.sql("SELECT to_json(key) #>> '{}' FROM helds ORDER BY key")
        for entity in ("helds", "markeds"):
            found, after = [], None
            while True:
                page_of = f"{entity}Connection(orderBy: [{{key: ASC}}], first: 1, after: $after)"
                output = "nodes { key } pageInfo { hasNextPage endCursor }"
                document = f"query($after: String) {{ x: {page_of} {{ {output} }} }}"
                page = (await api.ok(document, {"after": after}))["x"]
                found += [node["key"] for node in page["nodes"]]
                after = page["pageInfo"]["endCursor"]
                if not page["pageInfo"]["hasNextPage"]:
                    break
            assert len(found) == len(order) == len(keys)
            if name != "local":
                assert found == order
        for key in keys:
            await api.ok("mutation { deleteParts(where: {}, all: true) { count } }")
            assert await run("mutation($k: KEY) { x: deleteHeld(key: $k) { key } }", k=key) == {"x": {"key": key}}
