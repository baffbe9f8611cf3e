"""A search for the request that holds the event loop longest: hill climbing over generators of requests.

Each generator makes a document and variables of some whole numbers, its knobs. A knob is turned, and what held the
loop longer is kept. The requests go into the ASGI application itself, on the loop that a ticker watches, as a member
of one team on `bench/hostile.graphql`, where nearly every field is under a mask.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from ariadne import ObjectType, QueryType
from joserfc import jwt
from joserfc.jwk import OctKey

from bench.database import make_project, prepare_database
from bench.paths import BENCH
from bench.peers import JWT_SECRET
from clew import Clew
from clew.config import Settings
from clew.wire.application import Application

SCHEMA = BENCH / "hostile.graphql"

# What is Python's, and no matter of migrations.
OWN = """
extend type Doc { badge: String! @resolver(requires: [title]) @allow(role: user) }
extend type Query { docsOf(ids: [Int!]!): [Doc!]! @allow(role: user) }
"""

TEAMS, DOCS, SAMPLES = 20, 2000, 40_000
FILL = f"""
SET session_replication_role = replica;
INSERT INTO teams (id, name, open, budget) SELECT n, 'Team ' || n, n % 2 = 0, n FROM generate_series(1, {TEAMS}) n;
INSERT INTO people (id, name, email) SELECT n, 'Person ' || n, n || '@example.com' FROM generate_series(1, 100) n;
INSERT INTO memberships (team_id, person_id) SELECT 1 + n % {TEAMS}, n FROM generate_series(1, 100) n;
INSERT INTO docs (id, slug, title, content, words, labels, team_id, author_id)
  SELECT n, 'slug-' || n, 'Doc ' || n, repeat('x', 200), n, ARRAY['a', 'b'], 1 + n % {TEAMS}, 1 + n % 100
  FROM generate_series(1, {DOCS}) n;
INSERT INTO samples (amount, size, team_id) SELECT n, n, 2 FROM generate_series(1, {SAMPLES}) n;
SELECT setval(pg_get_serial_sequence(name, 'id'), 1000000)
  FROM unnest(ARRAY['teams', 'people', 'docs', 'samples']) AS name;
"""

Knobs = dict[str, int]
Made = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes requests; `most` are its knobs, each from 0 to so many."""

    make: Callable[[Knobs], Made]
    most: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.make.__name__


GENERATORS: list[Generator] = []


def generator(**most: int) -> Callable[[Callable[[Knobs], Made]], Callable[[Knobs], Made]]:
    """Note a generator with its knobs."""

    def note(make: Callable[[Knobs], Made]) -> Callable[[Knobs], Made]:
        GENERATORS.append(Generator(make, most))
        return make

    return note


def literal(value: Any) -> str:
    """A value as GraphQL writes it; a text that begins with `~` is an enum value."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, str) and value.startswith("~"):
        return value[1:]
    return json.dumps(value)


_LEAVES: tuple[dict[str, Any], ...] = (
    {"content": {"eq": "x"}},
    {"words": {"gt": 1, "lt": 5}},
    {"id": {"eq": 1}},
    {"slug": {"ilike": "%x%"}},
    {"data": {"path": [{"at": ["a", "b"], "eq": 1}]}},
    {"team": {"budget": {"gt": 3}}},
    {"author": {"teams": {"some": {"budget": {"gt": 3}}}}},
    {},
)


def _leaf(number: int) -> dict[str, Any]:
    return _LEAVES[number % len(_LEAVES)]


def _asked(knobs: Knobs, where: dict[str, Any]) -> Made:
    """A filter in all places that the knobs name: aliases, as a variable or a literal, in a kind of root field."""
    selection, name = (
        ("id", "docs"),
        ("count", "docsAggregate"),
        ("nodes { id } totalCount pageInfo { hasNextPage }", "docsConnection"),
        ("count key { title }", "docsGroups"),
    )[knobs["field"] % 4]
    more = ", by: [{title: VALUE}]" if name == "docsGroups" else ""
    given = literal(where) if knobs["literal"] % 2 else "$w"
    aliases = " ".join(
        f"a{number}: {name}(where: {given}{more}) {{ {selection} }}" for number in range(1 + knobs["aliases"])
    )
    if knobs["literal"] % 2:
        return f"{{ {aliases} }}", {}
    return f"query ($w: DocFilter) {{ {aliases} }}", {"w": where}


_ASKED = {"field": 3, "literal": 1, "aliases": 49}


@generator(depth=7, width=3, leaf=7, wraps=5, **_ASKED)
def nested_filter(knobs: Knobs) -> Made:
    """`some`, `none` and `every`, one within the other."""
    where = _leaf(knobs["leaf"])
    for _ in range(knobs["depth"]):
        quantifiers = ("some", "none", "every")[: max(1, knobs["width"])]
        where = {"team": {"docs": dict.fromkeys(quantifiers, where)}}
        for _ in range(knobs["wraps"]):
            where = {"not": where}
    return _asked(knobs, where)


@generator(items=6000, leaf=7, inner=8, **_ASKED)
def listed_filter(knobs: Knobs) -> Made:
    """`or` of many."""
    item = {"and": [_leaf(knobs["leaf"])] * knobs["inner"]} if knobs["inner"] else _leaf(knobs["leaf"])
    return _asked(knobs, {"or": [item] * knobs["items"]})


@generator(lists=80, items=12_000, texts=1, length=20, **_ASKED)
def long_lists(knobs: Knobs) -> Made:
    """`in` with many values."""
    values: list[Any] = [f"{n:0{1 + knobs['length']}}" for n in range(knobs["items"])]
    item = {"title": {"in": values}} if knobs["texts"] else {"id": {"in": list(range(knobs["items"]))}}
    return _asked({**knobs, "aliases": knobs["aliases"] // 10}, {"or": [item] * knobs["lists"]})


@generator(items=3000, kind=4, depth=20, **_ASKED)
def aggregate_filter(knobs: Knobs) -> Made:
    """Conditions on what lists come to."""
    measure: dict[str, Any] = {"count": {"gt": 3}}
    if knobs["kind"]:
        measure = {("sum", "avg", "min", "max")[knobs["kind"] - 1]: {"words": {"gt": 3, "lt": 9}}}
    where: dict[str, Any] = {"team": {"docsAggregate": measure}}
    for _ in range(knobs["depth"]):
        where = {"team": {"docsAggregate": {"where": where, **measure}}}
    return _asked(knobs, {"or": [where] * max(1, knobs["items"] // (1 + knobs["depth"]))})


_COLUMNS = ("id", "slug", "title", "content", "words", "data", "labels", "public", "createdAt", "badge", "__typename")


@generator(fields=300, depth=18, lists=10, fragments=12, aliases=100, leaves=10, rows=1000)
def selection(knobs: Knobs) -> Made:
    """Many fields, on many levels, in fragments that fan out."""
    leaves = " ".join(_COLUMNS[: 1 + knobs["leaves"]])
    fields = leaves + " " + " ".join(f"f{n}: content" for n in range(min(knobs["aliases"], knobs["fields"])))
    body = fields
    for level in range(knobs["depth"]):
        body = f"{leaves} {'team' if level % 2 else 'author'} {{ name docs(limit: 1) {{ {body} }} }}"
    names = [f"F{n}" for n in range(knobs["fragments"])]
    both = "x{n}: team {{ docs(limit: 1) {{ id ...F{m} }} }} y{n}: author {{ docs(limit: 1) {{ ...F{m} }} }}"
    fragments = " ".join(f"fragment {name} on Doc {{ {both.format(n=n, m=n + 1)} }}" for n, name in enumerate(names))
    last = f"fragment F{len(names)} on Doc {{ {fields} }}"
    return f"{{ docs(limit: {knobs['rows']}) {{ {body} ...F0 }} }} {fragments} {last}", {}


@generator(keys=256, depth=6, connection=1, aliases=20)
def orders(knobs: Knobs) -> Made:
    """Many keys to order by, at the end of long paths."""
    keys: list[Any] = []
    for number in range(knobs["keys"]):
        key: dict[str, Any] = {("budget", "name", "id")[number % 3]: "~ASC"}
        key = {"team": key}
        for _ in range(knobs["depth"]):
            key = {"parent": key}
        # The same key twice is one: each differs in its path.
        for place in range(8):
            key = {"parent": {"parent": key}} if number >> place & 1 else {"parent": key}
        keys.append(key)
    name, selected = (
        ("docsConnection", "nodes { id } pageInfo { endCursor }") if knobs["connection"] else ("docs", "id")
    )
    given = literal(keys)
    aliases = " ".join(f"a{n}: {name}(orderBy: {given}) {{ {selected} }}" for n in range(1 + knobs["aliases"]))
    return f"{{ {aliases} }}", {}


@generator(rows=1000, nested=1000, fields=90, deeper=100)
def resolved_rows(knobs: Knobs) -> Made:
    """Rows that pass through Python, because a field of theirs is Python's."""
    fields = " ".join(f"f{n}: title" for n in range(knobs["fields"]))
    deeper = f"author {{ docs(limit: {knobs['deeper']}) {{ id }} }}" if knobs["deeper"] else ""
    nested = f"team {{ docs(limit: {knobs['nested']}) {{ id badge {deeper} }} }}" if knobs["nested"] else ""
    return f"{{ docs(limit: {knobs['rows']}) {{ badge {fields} {nested} }} }}", {}


@generator(keys=10_000, fields=80)
def rows_of_keys(knobs: Knobs) -> Made:
    """A list of keys that a resolver gives."""
    fields = " ".join(f"f{n}: title" for n in range(knobs["fields"]))
    return f"query ($i: [Int!]!) {{ docsOf(ids: $i) {{ id {fields} }} }}", {"i": list(range(knobs["keys"]))}


def _row(knobs: Knobs, number: int) -> dict[str, Any]:
    more = (("slug", f"n{number}"), ("content", "x"), ("words", 1), ("labels", ["a", "b"]), ("data", {"a": [1]}))
    return {"title": "x" * knobs["length"], "teamId": 2, **dict(more[: knobs["fields"]])}


@generator(rows=12_000, fields=5, length=100, literal=1, returns=2)
def creates(knobs: Knobs) -> Made:
    """Many rows to create, in which one is wrong at the end, so that nothing stays."""
    rows = [_row(knobs, number) for number in range(knobs["rows"])]
    rows.append({**_row(knobs, -1), "teamId": -1})
    selected = ("count", "count rows { id }", "count rows { id title badge team { name } }")[knobs["returns"]]
    if knobs["literal"]:
        return f"mutation {{ createDocs(inputs: {literal(rows)}) {{ {selected} }} }}", {}
    return f"mutation ($r: [DocCreateInput!]!) {{ createDocs(inputs: $r) {{ {selected} }} }}", {"r": rows}


@generator(rows=12_000, fields=5, length=20, kind=2)
def changes(knobs: Knobs) -> Made:
    """Many rows to change, each in its own way."""
    if knobs["kind"] == 0:
        updates = [{"id": 1 + n, "set": {"title": f"{n}" * (1 + knobs["length"])}} for n in range(knobs["rows"])]
        return (
            "mutation ($u: [DocUpdateInput!]!) { updateManyDocs(updates: $u) { count } bad: deleteDoc(id: -1) { id } }",
            {"u": updates},
        )
    rows = [_row(knobs, number) for number in range(knobs["rows"])]
    if knobs["kind"] == 1:
        return "mutation ($r: [DocCreateInput!]!) { upsertDocs(inputs: $r, on: slug) { count } }", {
            "r": [*rows, rows[-1] if rows else {}]
        }
    team = {"docs": {"create": [{name: value for name, value in row.items() if name != "teamId"} for row in rows]}}
    return "mutation ($s: TeamSetInput) { updateTeam(id: 2, set: $s) { id } }", {"s": team}


def _refused(mutation: str) -> str:
    """A mutation's root fields, and one more that is refused at the end, so that nothing stays."""
    return f"{{ {mutation} bad: createSample(input: {{teamId: -1}}) {{ id }} }}"


@generator(rows=10_000, fault=9, upsert=1, connects=2)
def faulty_rows(knobs: Knobs) -> Made:
    """Many rows of which the last is wrong: in itself, by its key, by what it leads to."""
    rows: list[dict[str, Any]] = []
    for number in range(max(1, knobs["rows"])):
        row: dict[str, Any] = {"amount": str(10**9 + number), "teamId": 2}
        if knobs["connects"]:
            row = {"amount": row["amount"], "team": {"connect": {"id": 2}}}
        if knobs["connects"] > 1:
            row["parent"] = {"connect": {"amount": str(1 + number)}}
        rows.append(row)
    wrong: tuple[dict[str, Any], ...] = (
        {"teamId": -1},
        {"teamId": 3},
        {"amount": rows[0]["amount"], "teamId": 2},
        {"amount": "1", "teamId": 2},
        {"teamId": None},
        {},
        {"teamId": 2, "team": {"connect": {"id": 2}}},
        {"teamId": 2, "data": "\0"},
        {"teamId": 2, "parentId": "-1"},
        {"team": {"connect": {"id": -1}}},
    )
    rows.append(wrong[knobs["fault"]])
    name, how = ("upsertSamples", ", on: amount") if knobs["upsert"] else ("createSamples", "")
    written = f"{name}(inputs: $r{how}) {{ count }}"
    return f"mutation ($r: [SampleCreateInput!]!) {_refused(written)}", {"r": rows}


@generator(rows=10_000, way=4, fault=3)
def nested_rows(knobs: Knobs) -> Made:
    """Many rows nested in one, of which the last is wrong."""
    way = ("connect", "disconnect", "delete", "update", "create")[knobs["way"]]
    items: list[dict[str, Any]] = [{"id": str(1 + number)} for number in range(knobs["rows"])]
    if way == "update":
        items = [{**item, "set": {"size": "7"}} for item in items]
    elif way == "create":
        items = [{"amount": str(10**9 + number)} for number in range(knobs["rows"])]
    faults: tuple[list[dict[str, Any]], ...] = ([], items[:1], [{"id": "-1"}], [{}])
    written = "updateTeam(id: 2, set: $s) { id }"
    return f"mutation ($s: TeamSetInput!) {_refused(written)}", {
        "s": {"samples": {way: items + faults[knobs["fault"]]}}
    }


@generator(rows=40_000, kind=5)
def changes_of_all(knobs: Knobs) -> Made:
    """One change of many rows."""
    where = f"where: {{id: {{lte: {knobs['rows']}}}}}"
    written = (
        f"updateSamples({where}, set: {{share: 1}}) {{ count }}",
        f"updateSamples({where}, inc: {{amount: 100000}}) {{ count }}",
        f"updateSamples({where}, set: {{teamId: -1}}) {{ count }}",
        f"updateSamples({where}, set: {{size: 1}}) {{ count rows {{ id }} }}",
        f"deleteSamples({where}) {{ count }}",
        f"deleteSamples({where}) {{ count rows {{ id amount }} }}",
    )[knobs["kind"]]
    return f"mutation {_refused(written)}", {}


# By field the type, and a text of which longer ones are made.
_SCALARS = (
    ("amount", "Decimal", "1234567890"),
    ("size", "BigInt", "922337203685477580"),
    ("at", "DateTime", "2020-01-01T00:00:00.123456+05:30"),
    ("day", "Date", "12020-01-01"),
    ("time", "Time", "05:00:00.123456"),
    ("code", "UUID", "018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f"),
    ("raw", "Bytes", "QUJD"),
    ("data", "JSON", "1234567890"),
)


@generator(values=10_000, times=200, scalar=len(_SCALARS) - 1, use=3, wrong=1)
def long_scalars(knobs: Knobs) -> Made:
    """Many values of a scalar, each as long as it may be, and perhaps a wrong one at the end."""
    field, type_, text = _SCALARS[knobs["scalar"]]
    if type_ in ("Decimal", "Bytes", "JSON"):
        text *= max(1, min(knobs["times"], 900_000 // max(1, knobs["values"]) // len(text)))
    values: list[Any] = [text] * knobs["values"] + ["?"] * knobs["wrong"]
    if knobs["use"] == 0:
        rows = [{"teamId": 2, field: value} for value in values[:9000]]
        return f"mutation ($r: [SampleCreateInput!]!) {_refused('createSamples(inputs: $r) { count }')}", {"r": rows}
    if knobs["use"] == 1:
        name = {"Decimal": "amounts", "Date": "days"}.get(type_, "amounts")
        row = {"teamId": 2, name: values}
        return f"mutation ($r: SampleCreateInput!) {_refused('createSample(input: $r) { id }')}", {"r": row}
    operator = "contains" if type_ == "JSON" else "in"
    if knobs["use"] == 2:
        given = literal(values[:2000])
        return f"{{ samples(where: {{{field}: {{{operator}: {given}}}}}) {{ id }} }}", {}
    variable = "JSON" if type_ == "JSON" else f"[{type_}!]"
    return f"query ($l: {variable}) {{ samples(where: {{{field}: {{{operator}: $l}}}}) {{ id }} }}", {"l": values}


@generator(items=5000, depth=6, fields=20, literal=1)
def filtered_changes(knobs: Knobs) -> Made:
    """The `where` of mutations."""
    where: dict[str, Any] = {"or": [{"content": {"eq": f"{n}"}} for n in range(knobs["items"])]}
    for _ in range(knobs["depth"]):
        where = {"team": {"docs": {"some": where, "none": {"id": {"eq": 1}}}}}
    given = literal(where) if knobs["literal"] else "$w"
    fields = " ".join(
        f"a{n}: updateDocs(where: {given}, inc: {{words: 0}}) {{ count }}" for n in range(1 + knobs["fields"])
    )
    head = "mutation" if knobs["literal"] else "mutation ($w: DocFilter!)"
    return f"{head} {{ {fields} }}", {} if knobs["literal"] else {"w": where}


@generator(items=12_000, length=1_000_000, kind=5)
def misfits(knobs: Knobs) -> Made:
    """Values that do not fit, and must be told of."""
    text = "y" * min(knobs["length"], 1_000_000 // max(1, knobs["items"]))
    item: Any = (
        {"id": {"eq": text}},
        {text or "z": 1},
        text,
        [[text]],
        {"id": text},
        {"id": {"eq": 1}, "title": {"eq": 5}},
    )[knobs["kind"]]
    return "query ($w: DocFilter, $t: Int) { docs(where: $w, limit: $t) { id } }", {
        "w": {"or": [item] * knobs["items"]},
        "t": text,
    }


@generator(names=5000, length=1000, arguments=3, kind=3)
def unknown_names(knobs: Knobs) -> Made:
    """Names that there are not, and long texts to be told of."""
    text = "n" * (1 + knobs["length"])
    if knobs["kind"] == 0:
        return "{ docs { " + " ".join(f"{text}{n}" for n in range(knobs["names"])) + " } }", {}
    if knobs["kind"] == 1:
        return "{ docs(where: {or: [" + ",".join(
            f"{{{text}: {{eq: 1}}}}" for _ in range(knobs["names"])
        ) + "]}) { id } }", {}
    if knobs["kind"] == 2:
        return f'{{ docs(limit: "{text * max(1, knobs["names"] // 10)}") {{ id }} }}', {}
    return "query (" + ",".join(f"$v{n}: {text}" for n in range(knobs["names"])) + ") { docs { id } }", {}


@generator(size=60_000, depth=200, where=1)
def json_values(knobs: Knobs) -> Made:
    """A JSON value that is large or deep."""
    value: Any = list(range(knobs["size"]))
    for _ in range(knobs["depth"]):
        value = {"a": value}
    if knobs["where"]:
        return "query ($w: DocFilter) { docs(where: $w) { id } }", {"w": {"data": {"contains": value}}}
    return (
        "mutation ($d: JSON) { updateDoc(id: 1, set: {data: $d}) { id }"
        " createDoc(input: {title: 1, teamId: -1}) { id } }",
        {"d": value},
    )


_ITEMS: tuple[Any, ...] = (1, "", {}, [], {"a": 0}, 1.5, None, True, "\u00e9", [1], {"a": {"b": []}}, 10**9)
_MOST_BYTES = 1_000_000


@generator(size=500_000, item=len(_ITEMS) - 1, shape=2, use=4, last=1)
def flat_json(knobs: Knobs) -> Made:
    """A JSON value of many small ones, as many as a body may have, used or not."""
    item = _ITEMS[knobs["item"]]
    count = min(knobs["size"], _MOST_BYTES // (len(json.dumps(item)) + 2))
    value: Any = [item] * count
    if knobs["shape"] == 1:
        value = {f"{number:x}": item for number in range(count // 5)}
    elif knobs["shape"] == 2:
        value = [[item] * 100] * (count // 100)
    if knobs["last"]:
        # At the very end there is what cannot be stored.
        value = [value, "\0"]
    match knobs["use"]:
        case 0:
            return "mutation ($d: JSON) { updateDoc(id: 1, set: {data: $d}) { id } }", {"d": value}
        case 1:
            return "query ($d: JSON!) { docs(where: {data: {contains: $d}}) { id } }", {"d": value}
        case 2:
            return "query ($d: JSON) { docs(where: {data: {eq: $d}}) { id } }", {"d": value}
        case 3:
            row = {"title": "x", "teamId": 1, "data": value}
            return "mutation ($r: [DocCreateInput!]!) { createDocs(inputs: $r) { count } }", {"r": [row]}
    return "{ viewer { id } }", {"d": value}


# --- measuring ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What a request did, in seconds: the longest that it held the loop, by the process's CPU and by the clock, and

    all its CPU. The code of its answer, and bytes.
    """

    hold: float
    wall: float
    cpu: float
    code: str
    sent: int
    answered: int


@dataclass(slots=True)
class Ticker:
    """Comes to the loop every millisecond and notes the longest that it had to wait.

    `hold` is the CPU that the process, all its threads, took meanwhile: what other processes take does not count.
    `wall` is by the clock.
    """

    hold: float = 0.0
    wall: float = 0.0
    _task: asyncio.Task[None] | None = field(default=None)

    async def _run(self) -> None:
        last, spent = time.perf_counter(), time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now, now_spent = time.perf_counter(), time.process_time()
            self.wall = max(self.wall, now - last - 0.001)
            self.hold = max(self.hold, now_spent - spent)
            last, spent = now, now_spent

    async def __aenter__(self) -> Ticker:
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0.003)
        self.hold = self.wall = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await asyncio.sleep(0.003)
        self._task.cancel()


async def send(app: Application, body: bytes) -> tuple[int, bytes]:
    """One POST to /graphql; the status and the body of the answer."""
    token = jwt.encode({"alg": "HS256"}, {"sub": "1", "exp": 4_000_000_000}, OctKey.import_key(JWT_SECRET))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    found: list[Any] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def take(message: Any) -> None:
        found.append(message)

    await app(scope, receive, take)
    return found[0]["status"], b"".join(message.get("body", b"") for message in found[1:])


async def measure(app: Application, made: Made, mark: int) -> Held:
    """What a request does; `mark` makes its document new."""
    document, variables = made
    body = json.dumps({"query": f"{document}#{mark}", "variables": variables}).encode()
    async with Ticker() as ticker:
        began = time.process_time()
        status, answer = await send(app, body)
        cpu = time.process_time() - began
    code = str(status)
    if b'"errors"' in answer[:20]:
        code = json.loads(answer)["errors"][0]["extensions"]["code"]
    return Held(ticker.hold, ticker.wall, cpu, code, len(body), len(answer))


# --- searching ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """A request that a generator made of some knobs, and what it did."""

    generator: Generator
    knobs: Knobs
    held: Held


def _random_knobs(rng: random.Random, made_by: Generator) -> Knobs:
    # Small and large ones alike: on a scale of powers.
    return {
        name: min(most, int((most + 1) ** rng.random()) - (rng.random() < 0.1)) for name, most in made_by.most.items()
    }


def _turned(rng: random.Random, made_by: Generator, knobs: Knobs) -> Knobs:
    """Some knobs turned, by a little or by much."""
    found = dict(knobs)
    for name in rng.sample(sorted(found), k=min(len(found), rng.choice((1, 1, 2)))):
        most = made_by.most[name]
        by = rng.choice((0.5, 0.8, 0.95, 1.05, 1.25, 2.0))
        found[name] = max(0, min(most, round(found[name] * by) + rng.choice((-1, 0, 1))))
    return found


async def search(app: Application, seconds: float, seed: int) -> list[Found]:
    """The worst request of each generator, the worst first."""
    rng = random.Random(seed)
    best: dict[str, Found] = {}
    spent = dict.fromkeys((one.name for one in GENERATORS), 0.0)
    ends = time.monotonic() + seconds
    mark = 0
    while time.monotonic() < ends:
        # All get as much time, not as many requests: some take seconds.
        made_by = min(GENERATORS, key=lambda one: spent[one.name])
        began = time.monotonic()
        known = best.get(made_by.name)
        knobs = (
            _random_knobs(rng, made_by) if known is None or rng.random() < 0.25 else _turned(rng, made_by, known.knobs)
        )
        mark += 1
        made = made_by.make(knobs)
        held = await measure(app, made, mark)
        if known is None or held.hold > known.held.hold:
            # Once more: what a busy machine does to the clock it does not do twice.
            again = await measure(app, made, -mark)
            held = min(held, again, key=lambda one: one.hold)
            if known is None or held.hold > known.held.hold:
                best[made_by.name] = Found(made_by, knobs, held)
        spent[made_by.name] += time.monotonic() - began
    return sorted(best.values(), key=lambda one: -one.held.hold)


async def hostile_application(server_url: str, **settings: Any) -> Application:
    """The application of `bench/hostile.graphql`, its database made and filled."""
    sdl = SCHEMA.read_text()
    project = make_project(sdl, "hostile")
    url = await prepare_database(server_url, "hostile", project, [sdl.encode(), FILL.encode()], _fill)
    own = project.parent / "hostile_own"
    (own / "graphql").mkdir(parents=True, exist_ok=True)
    (own / "graphql" / "schema.graphql").write_text(sdl + OWN)
    query, doc = QueryType(), ObjectType("Doc")
    query.set_field("docsOf", lambda *_, ids: ids)
    doc.set_field("badge", lambda parent, _: f"[{parent['title']}]")
    fixed = {"env": "production", "jwt_secret": JWT_SECRET, "max_rate": 10**9, "statement_timeout": 0.3}
    return Clew([query, doc], project=own).asgi(Settings.model_validate({"DATABASE_URL": url, **fixed, **settings}))


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def table(found: Sequence[Found]) -> str:
    """The worst of each generator, a line each."""
    lines = []
    for one in found:
        held, knobs = one.held, " ".join(f"{name}={value}" for name, value in one.knobs.items())
        lines.append(
            f"{held.hold * 1000:7.1f} ms held {held.wall * 1000:7.1f} ms wall {held.cpu * 1000:8.0f} ms CPU"
            f" {held.sent:9} B sent {held.answered:9} B back  {held.code:26} {one.generator.name}({knobs})"
        )
    return "\n".join(lines)
