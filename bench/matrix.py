"""`python -m bench.matrix`: Clew's statements beside hand-written ones, over shapes, depths, sizes and rules.

Each cell compares the statement that Clew compiles of a document with the best of several that an expert would write
for the same answer (`bench.handwritten`). Both run through asyncpg on a connection of their own, in turn, in this
process: no HTTP and no parsing of GraphQL. The hand-written ones run on sessions as the server makes them, and with the
settings of Clew's sessions; the faster counts. Before it is measured a cell must have equal answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from bench.database import make_project, prepare_database
from bench.handwritten import Kind, Tree, Writer, forms_for
from bench.paths import DATA, MATRIX
from bench.verify import AnswersDiffer
from clew import Clew, Viewer
from clew.access.types import MOST_BYTES
from clew.database.embedded import embedded_postgres
from clew.database.pool import Connection, Pool

SIZES = (10, 400, 100_000)
PAGES = (1, 50, 1000)
VARIANTS = ("plain", "soft delete", "mask", "rule")
ITEMS, OWNERS = 100_000, 10_000
# Runs before measuring, of which the last few say which statements are worth it; and the most that are measured.
_WARM, _TRIES, _MOST = 7, 3, 600
# At least so many rounds, in which a statement runs so often in a row, of which so many do not count: of those that
# take less than so many milliseconds, and of others.
_QUICK, _QUICK_ONES, _OTHERS = 1, (6, 10, 4), (3, 4, 1)

_SUFFIX = {10: "Small", 400: "Medium", 100_000: "Large"}
_EVERYBODY = "@allow(role: [masked, ruled])"
_RULES = """@allow(role: ruled, where: {open: true})
  @allow(role: masked, where: {open: true})
  @allow(role: masked, fields: [FIELDS])"""


def _entities(soft: str, suffix: str) -> str:
    """The related entities of one size, soft-deletable or not."""
    gone = "\n  deletedAt: DateTime @softDelete" if soft else ""
    kind = soft + "{}" + suffix

    def entity(name: str, fields: str, *relations: str) -> str:
        shown = ", ".join(["id", "rank", "open", *(relation.partition(":")[0] for relation in relations)])
        rules = _RULES.replace("FIELDS", shown)
        table = f'@table(name: "{_table(name, soft, suffix)}")'
        lines = "\n  ".join(("id: Int! @id", "name: String!", "rank: Int!", "open: Boolean!", fields, *relations))
        return f"type {kind.format(name)} {table}\n  {rules} {{\n  {lines}{gone}\n}}\n"

    child, link = kind.format("Child"), f"Owner{kind.format('Tag')}"
    return "\n".join(
        (
            entity("Ref", "note: String", f"next: {kind.format('Ref')} @index"),
            entity(
                "Child",
                "amount: Int!",
                "owner: Owner! @index",
                f"parent: {child} @index",
                f'children: [{child}!]! @relation(from: "parent")',
            ),
            entity("Tag", "note: String", f'owners: [Owner!]! @relation(through: "{link}")'),
            f'type {link} @table(name: "{_table("link", soft, suffix)}") {_EVERYBODY} {{\n'
            f"  owner: Owner! @id\n  tag: {kind.format('Tag')}! @id @index\n}}\n",
        )
    )


def _table(name: str, soft: str, suffix: str) -> str:
    return "_".join(part.lower() for part in (soft, name, suffix) if part)


def _field(soft: str, name: str, suffix: str) -> str:
    return (f"soft{name}" if soft else name.lower()) + suffix


def _each(line: Callable[[str, str], str]) -> str:
    return "\n".join(f"  {line(soft, suffix)}" for soft in ("", "Soft") for suffix in _SUFFIX.values())


def _children(soft: str, size: str) -> str:
    return f'{_field(soft, "Children", size)}: [{soft}Child{size}!]! @relation(from: "owner")'


def _tags(soft: str, size: str) -> str:
    return f'{_field(soft, "Tags", size)}: [{soft}Tag{size}!]! @relation(through: "Owner{soft}Tag{size}")'


SDL = f"""
type Item @table {_EVERYBODY} {{
  id: Int! @id
  name: String!
  price: Int!
{_each(lambda soft, size: f"{_field(soft, 'Ref', size)}: {soft}Ref{size} @index")}
}}

type Owner @table {_EVERYBODY} {{
  id: Int! @id
  name: String!
  city: String!
{_each(_children)}
{_each(_tags)}
}}

type Customer @table {{ id: Int! @id  name: String!  email: String!  orders: [Order!]! }}
type Order @table {{ id: Int! @id  customer: Customer! @index  placedAt: DateTime!  lines: [Line!]! }}
type Line @table {{ id: Int! @id  order: Order! @index  product: Product @index  quantity: Int! }}
type Product @table {{ id: Int! @id  name: String!  price: Decimal!  deletedAt: DateTime @softDelete }}

""" + "\n".join(_entities(soft, suffix) for soft in ("", "Soft") for suffix in _SUFFIX.values())


def _fill() -> str:
    made = [
        "SET session_replication_role = replica",
        "INSERT INTO owners (id, name, city)"
        f" SELECT n, 'owner ' || n, 'city ' || n % 97 FROM generate_series(1, {OWNERS}) n",
        "INSERT INTO customers SELECT n, 'customer ' || n, 'c' || n || '@example.com' FROM generate_series(1, 500) n",
        "INSERT INTO orders (id, customer_id, placed_at)"
        " SELECT n, 1 + (n - 1) / 10, now() FROM generate_series(1, 5000) n",
        "INSERT INTO products (id, name, price, deleted_at)"
        " SELECT n, 'product ' || n, n * 1.5, CASE WHEN n % 20 = 0 THEN now() END FROM generate_series(1, 392) n",
        "INSERT INTO lines (id, order_id, product_id, quantity)"
        " SELECT n, 1 + (n - 1) / 4, 1 + n * 7919 % 392, 1 + n % 9 FROM generate_series(1, 20000) n",
    ]
    to_ones: list[str] = []
    for soft in ("", "Soft"):
        for rows, suffix in _SUFFIX.items():
            gone = ", CASE WHEN n % 20 = 0 THEN now() END" if soft else ""
            extra = ", deleted_at" if soft else ""
            # A row's rank tells nothing of its owner or parent. Planners assume that of all columns.
            common = "n, 'name ' || n, abs(hashint4(n)) % 10, abs(hashint4(n)) % 10 <> 0"
            source = f"FROM generate_series(1, {rows}) n"
            ref, child, tag, link = (_table(name, soft, suffix) for name in ("Ref", "Child", "Tag", "link"))
            made += [
                f"INSERT INTO {ref} (id, name, rank, open, next_id{extra})"
                f" SELECT {common}, 1 + n::bigint * 7919 % {rows}{gone} {source}",
                f"INSERT INTO {child} (id, name, rank, open, amount, owner_id, parent_id{extra})"
                f" SELECT {common}, n % 1000, 1 + n % {OWNERS}, nullif((n + 9) / 10, n){gone} {source}",
                f"INSERT INTO {tag} (id, name, rank, open{extra}) SELECT {common}{gone} {source}",
                f"INSERT INTO {link} (owner_id, tag_id)"
                f" SELECT n, 1 + (n::bigint * 7919 + k * 7) % {rows}"
                f" FROM generate_series(1, {OWNERS}) n, generate_series(0, {min(5, rows) - 1}) k",
            ]
            to_ones.append((f"{soft.lower()}_" if soft else "") + f"ref_{suffix.lower()}_id")
    sizes = [rows for _ in range(2) for rows in _SUFFIX]
    values = ", ".join(f"1 + n::bigint * 7919 % {rows}" for rows in sizes)
    made.append(
        f"INSERT INTO items (id, name, price, {', '.join(to_ones)})"
        f" SELECT n, 'item ' || n, n % 1000, {values} FROM generate_series(1, {ITEMS}) n"
    )
    return ";\n".join(made) + ";"


FILL = _fill()


@dataclass(frozen=True, slots=True)
class Cell:
    """One comparison.

    Attributes:
        shape: what is asked for, in a few words.
        related: rows of the related tables.
        page: rows of the outermost list.
        trees: the same answer by trees of rows, each with the SELECT of its outermost rows.
        most: the outermost rows' keys are drawn from 0 up to this.
    """

    shape: str
    depth: int
    related: int
    page: int
    variant: str
    document: str
    trees: tuple[tuple[str, Tree], ...]
    most: int
    wrap: Callable[[str], str] = str
    is_one: bool = False
    rank: int | None = None

    def variables(self, number: int) -> dict[str, int]:
        """The variables of one run; in their order `$1`... of the hand-written statements."""
        more = {} if self.rank is None else {"rank": self.rank}
        return {"n": number + 1 if self.is_one else number, **more}

    @property
    def name(self) -> str:
        return f"{self.shape}, depth {self.depth}, {self.related:,} related, page {self.page:,}, {self.variant}"


@dataclass(frozen=True, slots=True)
class Found:
    """A cell's times in milliseconds: Clew's, and the best hand-written statement's with its form."""

    cell: Cell
    clew: float
    best: float
    form: str

    @property
    def ratio(self) -> float:
        """How many times as fast as the best hand-written statement Clew's is."""
        return self.best / self.clew


# --- cells ----------------------------------------------------------------------------


def cells() -> Iterator[Cell]:
    """Every cell: all shapes at depth 1 under all variants, and deeper ones of to-ones and to-manys."""
    yield _customer()
    for related in SIZES:
        for page in PAGES:
            for variant in VARIANTS:
                for shape in (_to_one, _to_many, _linked, _sums, _filter_one, _filter_many, _connection):
                    yield shape(related, page, variant, 1)
            for depth in (2, 3, 4):
                yield _to_one(related, page, "plain", depth)
                yield _to_many(related, page, "plain", depth)
            yield _filter_one(related, page, "plain", 2)
            yield _sums(related, page, "plain", 2)


def _customer() -> Cell:
    product = Tree("products", (("name", "{t}.name"),), where="{t}.deleted_at IS NULL", on=("id", "product_id"))
    line = Tree(
        "lines",
        (("quantity", "{t}.quantity"),),
        (("product", "one", product),),
        on=("order_id", "id"),
        columns=("id", "quantity", "product_id"),
    )
    order = Tree("orders", (), (("lines", "many", line),), on=("customer_id", "id"))
    customer = Tree("customers", (), (("orders", "many", order),))
    return Cell(
        "orders of a customer, with lines and products",
        3,
        392,
        1,
        "soft delete",
        "query($n: Int!) { customer(id: $n) { orders { lines { quantity product { name } } } } }",
        (("SELECT id FROM customers WHERE id = $1", customer),),
        499,
        is_one=True,
    )


def _condition(variant: str) -> str:
    return {"soft delete": "{t}.deleted_at IS NULL", "rule": "{t}.open"}.get(variant, "")


def _name(variant: str) -> str:
    return "CASE WHEN {t}.open THEN {t}.name END" if variant == "mask" else "{t}.name"


def _places(related: int, variant: str) -> tuple[str, str]:
    return "Soft" if variant == "soft delete" else "", _SUFFIX[related]


_ITEM = (("id", "{t}.id"), ("name", "{t}.name"), ("price", "{t}.price"))
_OWNER = (("id", "{t}.id"), ("name", "{t}.name"), ("city", "{t}.city"))


def _list(field: str, selection: str, page: int, where: str = "") -> str:
    declared = "$n: Int!, $rank: Int!" if "$rank" in where else "$n: Int!"
    return (
        f"query({declared}) {{ {field}(where: {{id: {{gt: $n}}{where}}}, orderBy: [{{id: ASC}}], limit: {page})"
        f" {{ {selection} }} }}"
    )


def _select(table: str, columns: Sequence[str], page: int, more: str = "") -> str:
    listed = ", ".join(f"{table}.{column}" for column in columns)
    return f"SELECT {listed} FROM {table} WHERE {table}.id > $1{more} ORDER BY {table}.id LIMIT {page}"


def _refs(related: int, variant: str, depth: int) -> tuple[str, Tree, str]:
    """A chain of to-ones: the selection, the tree, and the item's column."""
    soft, suffix = _places(related, variant)
    column = ("soft_" if soft else "") + f"ref_{suffix.lower()}_id"
    tree: Tree | None = None
    selection = ""
    for level in range(depth, 0, -1):
        tree = Tree(
            _table("Ref", soft, suffix),
            (("id", "{t}.id"), ("name", _name(variant))),
            () if tree is None else (("next", "one", tree),),
            where=_condition(variant),
            on=("id", column if level == 1 else "next_id"),
        )
        selection = f"id name{f' next {{ {selection} }}' if selection else ''}"
    assert tree is not None
    return f"{_field(soft, 'Ref', suffix)} {{ {selection} }}", tree, column


def _to_one(related: int, page: int, variant: str, depth: int) -> Cell:
    selection, tree, column = _refs(related, variant, depth)
    key = selection.partition(" ")[0]
    columns = ("id", "name", "price", column)
    item = Tree("items", _ITEM, ((key, "one", tree),), columns=columns)
    document = _list("items", f"id name price {selection}", page)
    return _cell("to-one", related, page, variant, depth, document, item)


def _to_many(related: int, page: int, variant: str, depth: int) -> Cell:
    soft, suffix = _places(related, variant)
    tree: Tree | None = None
    selection = ""
    for level in range(depth, 0, -1):
        tree = Tree(
            _table("Child", soft, suffix),
            (("id", "{t}.id"), ("name", _name(variant))),
            () if tree is None else (("children", "many", tree),),
            where=_condition(variant),
            on=("owner_id" if level == 1 else "parent_id", "id"),
            columns=("id", "name", "open"),
        )
        selection = f"id name{f' children {{ {selection} }}' if selection else ''}"
    assert tree is not None
    key = _field(soft, "Children", suffix)
    owner = Tree("owners", _OWNER, ((key, "many", tree),), columns=("id", "name", "city"))
    document = _list("owners", f"id name city {key} {{ {selection} }}", page)
    return _cell("to-many", related, page, variant, depth, document, owner)


def _linked(related: int, page: int, variant: str, depth: int) -> Cell:
    soft, suffix = _places(related, variant)
    key = _field(soft, "Tags", suffix)
    tag = Tree(
        _table("Tag", soft, suffix),
        (("id", "{t}.id"), ("name", _name(variant))),
        where=_condition(variant),
        link=(_table("link", soft, suffix), "owner_id", "tag_id"),
        columns=("id", "name", "open"),
    )
    owner = Tree("owners", _OWNER, ((key, "many", tag),), columns=("id", "name", "city"))
    document = _list("owners", f"id name city {key} {{ id name }}", page)
    return _cell("many-to-many", related, page, variant, depth, document, owner)


def _sums(related: int, page: int, variant: str, depth: int) -> Cell:
    soft, suffix = _places(related, variant)
    key = _field(soft, "Children", suffix)
    name = "min({t}.name)" if variant != "mask" else "min(CASE WHEN {t}.open THEN {t}.name END)"
    fields = (("count", "count({t}.id)"), ("min", f"json_build_object('name', {name})"))
    table = _table("Child", soft, suffix)
    where = _condition(variant)
    asked = "childrenAggregate { count min { name } }"
    if depth == 1:
        sums = Tree(table, fields, where=where, on=("owner_id", "id"))
        inner: tuple[tuple[str, Kind, Tree], ...] = ((f"{key}Aggregate", "sums", sums),)
        selection = f"{key}Aggregate {{ count min {{ name }} }}"
    else:
        sums = Tree(table, fields, where=where, on=("parent_id", "id"))
        child = Tree(
            table, (("id", "{t}.id"),), (("childrenAggregate", "sums", sums),), where=where, on=("owner_id", "id")
        )
        inner = ((key, "many", child),)
        selection = f"{key} {{ id {asked} }}"
    owner = Tree("owners", _OWNER, inner, columns=("id", "name", "city"))
    document = _list("owners", f"id name city {selection}", page)
    return _cell("aggregate", related, page, variant, depth, document, owner)


def _filter_one(related: int, page: int, variant: str, depth: int) -> Cell:
    soft, suffix = _places(related, variant)
    _, _, column = _refs(related, variant, 1)
    table = _table("Ref", soft, suffix)
    asked = "{rank: {lt: $rank}}" if depth == 1 else "{next: {rank: {lt: $rank}}}"
    document = _list("items", "id name price", page, f", {_field(soft, 'Ref', suffix)}: {asked}")
    own = _condition(variant)
    rows, exists = f"{table} AS r", "r.rank < $2" + _and(own, "r")
    if depth == 2:
        rows, exists = (
            f"{table} AS r JOIN {table} AS s ON s.id = r.next_id",
            "s.rank < $2" + _and(own, "r") + _and(own, "s"),
        )
    joined = f"{table} AS r ON r.id = items.{column}{rows.removeprefix(f'{table} AS r')}"
    columns = ("id", "name", "price")
    listed = ", ".join(f"items.{name}" for name in columns)
    end = f"ORDER BY items.id LIMIT {page}"
    pages = (
        f"SELECT {listed} FROM items WHERE items.id > $1"
        f" AND EXISTS (SELECT FROM {rows} WHERE r.id = items.{column} AND {exists}) {end}",
        f"SELECT {listed} FROM items WHERE items.id > $1"
        f" AND items.{column} IN (SELECT r.id FROM {rows} WHERE {exists}) {end}",
        f"SELECT {listed} FROM items JOIN {joined} WHERE items.id > $1 AND {exists} {end}",
    )
    item = Tree("items", _ITEM, columns=columns)
    return _cell("filter through a to-one", related, page, variant, depth, document, item, pages=pages, rank=5)


def _filter_many(related: int, page: int, variant: str, depth: int) -> Cell:
    soft, suffix = _places(related, variant)
    table = _table("Child", soft, suffix)
    document = _list(
        "owners", "id name city", page, f", {_field(soft, 'Children', suffix)}: {{some: {{rank: {{eq: $rank}}}}}}"
    )
    condition = "c.rank = $2" + _and(_condition(variant), "c")
    begin, end = "SELECT id, name, city FROM owners WHERE id > $1", f"ORDER BY id LIMIT {page}"
    pages = (
        f"{begin} AND EXISTS (SELECT FROM {table} AS c WHERE c.owner_id = owners.id AND {condition}) {end}",
        f"{begin} AND id IN (SELECT c.owner_id FROM {table} AS c WHERE {condition}) {end}",
        f"{begin} AND id = ANY (ARRAY(SELECT c.owner_id FROM {table} AS c WHERE {condition})) {end}",
    )
    owner = Tree("owners", _OWNER, columns=("id", "name", "city"))
    return _cell("filter through a to-many", related, page, variant, depth, document, owner, pages=pages, rank=3)


def _connection(related: int, page: int, variant: str, depth: int) -> Cell:
    selection, tree, column = _refs(related, variant, depth)
    key = selection.partition(" ")[0]
    item = Tree("items", _ITEM, ((key, "one", tree),), columns=("id", "name", "price", column))
    document = (
        f"query($n: Int!) {{ itemsConnection(where: {{id: {{gt: $n}}}}, orderBy: [{{id: ASC}}], first: {page})"
        f" {{ pageInfo {{ hasNextPage endCursor }} nodes {{ id name price {selection} }} }} }}"
    )
    last = f"SELECT max(id) FROM (SELECT id FROM items WHERE id > $1 ORDER BY id LIMIT {page}) AS l"
    follows = f"SELECT FROM items WHERE id > $1 ORDER BY id OFFSET {page} LIMIT 1"

    def wrap(array: str) -> str:
        cursor = f"encode(convert_to(({last})::text, 'UTF8'), 'base64')"
        info = f"json_build_object('hasNextPage', EXISTS ({follows}), 'endCursor', {cursor})"
        return f"json_build_object('pageInfo', {info}, 'nodes', {array})"

    return _cell("connection", related, page, variant, depth, document, item, wrap=wrap)


def _cell(
    shape: str,
    related: int,
    page: int,
    variant: str,
    depth: int,
    document: str,
    tree: Tree,
    *,
    pages: Sequence[str] = (),
    wrap: Callable[[str], str] = str,
    rank: int | None = None,
) -> Cell:
    pages = pages or (_select(tree.table, tree.columns, page),)
    most = {"items": ITEMS // 2, "owners": OWNERS // 2}[tree.table]
    return Cell(
        shape, depth, related, page, variant, document, tuple((one, tree) for one in pages), most, wrap, rank=rank
    )


def _and(condition: str, name: str) -> str:
    return f" AND {condition.format(t=name)}" if condition else ""


# --- measuring ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement to measure: its form, its text, and the session that it runs on."""

    form: str
    sql: str
    session: Connection
    arguments: Mapping[int, Sequence[Any]] = field(compare=False)
    clock: Callable[[], float]

    async def run(self, number: int) -> tuple[float, Any]:
        """Run it once; milliseconds, and the row."""
        # Made before: what is done between two runs leaves colder caches to the second.
        arguments = self.arguments[number]
        start = self.clock()
        rows = await self.session.fetch(self.sql, *arguments)
        return self.clock() - start, rows[0][0]


def lowest_tenth(times: Sequence[float]) -> float:
    """The bound of the shortest tenth."""
    return statistics.quantiles(times, n=10, method="inclusive")[0]


def wall() -> float:
    """Milliseconds."""
    return time.perf_counter() * 1000


def cpu_of(session: Connection) -> Callable[[], float]:
    """Milliseconds of CPU time that the server's process of a session has had (Linux, on this machine)."""
    schedule = Path(f"/proc/{session.get_server_pid()}/schedstat")
    return lambda: int(schedule.read_text().split()[0]) / 1e6


async def measure(
    cell: Cell,
    clew: Clew,
    sessions: Mapping[str, Connection],
    clocks: Mapping[str, Callable[[], float]],
    seconds: float,
) -> Found:
    """Measure one cell for about as long.

    Args:
        sessions: `clew` and `tuned` with the settings of Clew's own, `plain` as the server makes them.
        clocks: what measures them.

    Raises:
        AnswersDiffer: a statement answers otherwise than Clew's.
    """
    rng = random.Random(cell.name)
    numbers = [rng.randrange(cell.most) for _ in range(_MOST)]
    ours = await _clew(cell, clew, sessions["clew"], clocks["clew"], numbers)
    arguments = {number: [*cell.variables(number).values()] for number in numbers}
    everybody: list[Candidate] = []
    for source, tree in cell.trees:
        for form in forms_for(tree, is_one=cell.is_one):
            writer = Writer(form)
            json_ = writer.one_of(source, tree) if cell.is_one else cell.wrap(writer.list_of(source, tree))
            sql = f"SELECT convert_to(({json_})::text, 'UTF8')"
            everybody += (
                Candidate(f"{form.name} ({name})", sql, sessions[name], arguments, clocks[name])
                for name in ("plain", "tuned")
            )
    for number in numbers[:2]:
        _, answer = await ours.run(number)
        expected = _normal(answer)
        for candidate in everybody:
            _, answer = await candidate.run(number)
            if _normal(answer) != expected:
                raise AnswersDiffer(f"{cell.name}: {candidate.form}: {str(answer)[:300]}\n  clew: {expected[:300]}")
    first = {candidate: await _least(candidate, numbers) for candidate in everybody}
    best = sorted(everybody, key=lambda candidate: first[candidate])[:2]
    times: dict[Candidate, list[float]] = {candidate: [] for candidate in (ours, *best)}
    is_quick = first[best[0]] < _QUICK
    # A session's first touch of a page of shared memory takes as long as a small statement.
    for number in numbers if is_quick else numbers[:_WARM]:
        for candidate in times:
            await candidate.run(number)
    rounds, burst, cold = _QUICK_ONES if is_quick else _OTHERS
    end = time.perf_counter() + seconds
    for start in range(0, _MOST, burst):
        for candidate, found in times.items():
            # The first of a burst find the caches as another statement left them.
            found += [(await candidate.run(number))[0] for number in numbers[start : start + burst]][cold:]
        if time.perf_counter() > end and start >= burst * (rounds - 1):
            break
    # What is above a tenth of the CPU times, other programs' caches and interrupts add.
    typical = lowest_tenth if ours.clock is not wall else statistics.median
    medians = {candidate: typical(found) for candidate, found in times.items()}
    winner = min(best, key=lambda candidate: medians[candidate])
    return Found(cell, medians[ours], medians[winner], winner.form)


async def _least(candidate: Candidate, numbers: Sequence[int]) -> float:
    return min([(await candidate.run(number))[0] for number in numbers[:_WARM]][-_TRIES:])


def _normal(answer: bytes) -> str:
    """An answer without its cursors, which are sealed."""
    return re.sub(r'"endCursor": "[^"]*"', "", json.dumps(json.loads(answer)))


async def _clew(
    cell: Cell, clew: Clew, session: Connection, clock: Callable[[], float], numbers: Sequence[int]
) -> Candidate:
    """What the engine would run of the document, with the values that it would bind."""
    role_name = {"mask": "masked", "rule": "ruled"}.get(cell.variant)
    viewer = Viewer.admin() if role_name is None else Viewer("1", frozenset({role_name}), {})
    engine = clew._offline_engine()
    eyes = await engine.open(viewer)
    prepared = engine.statements.prepare(eyes.role, cell.document, None)
    bound = {**eyes.claims, MOST_BYTES: 2**30}
    statement = engine.statements.executable(prepared, prepared.coerce(cell.variables(1)), eyes.sight).statement
    assert statement is not None

    arguments = {}
    for number in numbers:
        values = prepared.coerce(cell.variables(number))
        arguments[number] = [compute(values, bound) for compute in statement.arguments]
    return Candidate("clew", statement.sql, session, arguments, clock)


async def run(url: str, seconds: float, only: str = "", *, is_cpu: bool = False) -> list[Found]:
    """Measure every cell whose name has `only` in it, on a filled database."""
    clew = Clew(project=make_project(SDL, "matrix"))
    settings = Pool(url).settings
    sessions = {
        "plain": await asyncpg.connect(url),
        "tuned": await asyncpg.connect(url, server_settings=settings),
        "clew": await asyncpg.connect(url, server_settings=settings),
    }
    clocks = {name: cpu_of(session) if is_cpu else wall for name, session in sessions.items()}
    found: list[Found] = []
    try:
        for cell in cells():
            if only in cell.name:
                found.append(await measure(cell, clew, sessions, clocks, seconds))
                one = found[-1]
                print(f"{one.ratio:.2f}  {cell.name}: {one.clew:.2f} ms, {one.form} {one.best:.2f} ms", flush=True)
    finally:
        for session in sessions.values():
            await session.close()
    return found


def worst_five(found: Sequence[Found]) -> list[str]:
    """A table of the cells in which Clew is furthest behind."""
    worst = sorted(found, key=lambda one: one.ratio)[:5]
    lines = ["| cell | clew ms | best ms | ratio | the best one's form |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {one.cell.name} | {one.clew:.2f} | {one.best:.2f} | {one.ratio:.2f} | {one.form} |" for one in worst]
    return lines


def report(found: Sequence[Found], postgres: str) -> str:
    """The worst five, and a table of all by shape."""
    ratios = sorted(one.ratio for one in found)
    below = [sum(ratio < bound for ratio in ratios) for bound in (0.9, 0.8)]
    lines = [
        f"## Postgres {postgres}",
        "",
        f"{len(found)} cells; the median ratio is {statistics.median(ratios):.2f}, {below[0]} are below 0.9, {below[1]}"
        " of them below 0.8. The worst five:",
        "",
        *worst_five(found),
        "",
        "The ratios, by rows of the related table / rows of the page:",
        "",
        "| shape | depth | variant | " + " | ".join(f"{r:,} / {p:,}" for r in SIZES for p in PAGES) + " |",
        "| --- | --- | --- |" + " --- |" * (len(SIZES) * len(PAGES)),
    ]
    by_cell = {(o.cell.shape, o.cell.depth, o.cell.variant, o.cell.related, o.cell.page): o.ratio for o in found}
    for kind in dict.fromkeys((one.cell.shape, one.cell.depth, one.cell.variant) for one in found):
        of_kind = [by_cell.get((*kind, related, page)) for related in SIZES for page in PAGES]
        if any(ratio is not None for ratio in of_kind):
            shown = " | ".join("" if ratio is None else f"{ratio:.2f}" for ratio in of_kind)
            lines.append(f"| {kind[0]} | {kind[1]} | {kind[2]} | {shown} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.matrix", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="cells with this in their names")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure each cell (1)")
    parser.add_argument(
        "--url",
        action="append",
        help="servers: postgresql://..., best bound to the first processor, as this process is; or embedded, which is "
        "the one unless told; repeatable",
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="compare the lowest tenths of the CPU times of the server's process, not medians of the time that passes: "
        "for a busy machine",
    )
    parsed = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        # This process and the server's take turns. To wake the other on another processor takes as long as a small
        # statement, and whether it is another one differs from session to session.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    servers = [_server(url) for url in parsed.url or ["embedded"]]
    parts: list[str] = []
    for server in servers:
        with server as url:
            found, postgres = asyncio.run(_run(url, parsed))
        parts.append(report(found, postgres))
    command = "python -m bench.matrix " + " ".join(arguments if arguments is not None else sys.argv[1:])
    page = "\n".join([*introduction(command.strip()), *parts]) + "\n"
    print(page)
    if not parsed.only:
        MATRIX.write_text(page)
        print(f"Written to {MATRIX}.")
    return 0


@contextmanager
def _server(url: str) -> Iterator[str]:
    if url != "embedded":
        yield url
        return
    with embedded_postgres(DATA / "postgres") as embedded:
        yield embedded


def introduction(command: str) -> list[str]:
    """The head of the page."""
    return [
        "# Statements",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}, with {os.cpu_count()} cores and a load of"
        f" {os.getloadavg()[0]:.1f} at the end. A ratio is the best hand-written statement's time by that of Clew's:"
        " 1.1 says that Clew's takes a tenth less.",
        "",
    ]


async def _run(server: str, parsed: argparse.Namespace) -> tuple[list[Found], str]:
    url = await database(server)
    connection = await asyncpg.connect(url)
    try:
        postgres = str(await connection.fetchval("SHOW server_version")).partition(" ")[0]
    finally:
        await connection.close()
    return await run(url, parsed.seconds, parsed.only, is_cpu=parsed.cpu), postgres


async def database(server: str) -> str:
    """The URL of the filled database on a server."""
    return await prepare_database(server, "matrix", make_project(SDL, "matrix"), [FILL.encode()], _filled)


async def _filled(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.exit(main())
