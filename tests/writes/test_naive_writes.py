"""Whatever the model, rows, rules, viewer and mutation: Clew writes what a naive reading of the rules writes.

A longer run: CLEW_TEST_EXAMPLES=20000 pytest tests/writes/test_naive_writes.py
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import pytest
from graphql import parse, print_schema, validate

from clew.engine import Engine, Request
from clew.model.types import Entity, Model, Operation
from clew.model.writing import unique_keys
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from clew.writes.fields import bind_writes
from tests.access.masked import MaskedReference
from tests.access.rules import Eyes
from tests.attacks.transports import hooked
from tests.depth import examples, seeds
from tests.properties.database import LIMITS, World, make_world
from tests.properties.models import make_case
from tests.reference import Tables, table_sql
from tests.writes.naive import GENERATED, NaiveWriter, RefusedError
from tests.writes.ruled import Mutation, Mutations, write_rules

EXAMPLES = examples(100)
EACH = 20
REFUSALS = ("BAD_USER_INPUT", "CONSTRAINT_VIOLATION", "FORBIDDEN")
# Mutations under one set of rules.
RUNS = 4


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH))
def test_every_viewer_writes_what_the_rules_let_it(seed: int, postgres_url: str) -> None:
    case = make_case(seed)
    with make_world(postgres_url, case) as world, connected(world) as aside:
        world.run(move_sequences(world, aside))
        sql = build_tables(case.model)
        verdicts: Counter[str] = Counter()
        number = 0
        while number < EACH:
            tables = world.run(Tables.read(aside, case.model))
            model, eyes = write_rules(seed * 1_000_003 + number, case.model, tables)
            schema = build_schema(model)
            assert bind(schema, model, []) == []
            bind_writes(schema, model)
            engine = Engine(model, schema, sql, world.engine.pool, LIMITS)
            # Hooks that leave all as it is change nothing.
            for is_hooked in (False, True) * (RUNS // 2):
                number += 1
                asked = hooked(engine) if is_hooked else engine
                random = Random(f"{seed}/{number}")
                verdicts[compare(world, aside, asked, model, eyes, random, is_hooked=is_hooked)] += 1
        print(f"seed {seed}: {dict(verdicts)}")


@contextmanager
def connected(world: World) -> Iterator[asyncpg.Connection[Any]]:
    """A connection beside the engine's, to read the whole database again and again."""
    connection = world.run(asyncpg.connect(world.url, server_settings={"timezone": "UTC"}))
    try:
        yield connection
    finally:
        world.run(connection.close())


async def move_sequences(world: World, aside: asyncpg.Connection[Any]) -> None:
    """What the database numbers comes after all that is there."""
    for entity in world.case.model.entities.values():
        for column in entity.columns:
            if column.identity and entity.view_sql is None:
                await aside.execute(
                    f"SELECT setval(pg_get_serial_sequence($1, $2), {GENERATED})", table_sql(entity), column.column
                )


def compare(
    world: World,
    aside: asyncpg.Connection[Any],
    engine: Engine,
    model: Model,
    eyes: Eyes,
    random: Random,
    *,
    is_hooked: bool,
) -> str:
    """Run one random mutation both ways; what became of it."""
    viewer = eyes.viewer
    schema = world.run(engine.role(viewer)).schema
    start = world.run(Tables.read(aside, model))
    try:
        mutation = Mutations(random, model, schema, start).draw()
    except (OverflowError, ValueError):
        # A value that stands in some row and has no JSON: the first year in another zone.
        return "none"
    if mutation is None:
        return "none"
    assert validate(schema, parse(mutation.document)) == [], mutation.document
    # Only rules and rows are asked of it: any schema does.
    reference = MaskedReference(model, start, SCHEMA, eyes)
    naive = NaiveWriter(model, reference, start)
    expected = outcome(naive, mutation)
    # A row that no rule could allow is refused before a constraint is tried.
    otherwise = outcome(NaiveWriter(model, reference, start, constrained=False), mutation)
    response = world.run(engine.execute(Request(mutation.document, mutation.arguments), viewer))
    found = json.loads(response.body)
    after = world.run(Tables.read(aside, model))
    is_refused = "errors" in found
    if mutation.kind == "DELETE_WHERE" and expected == "CONSTRAINT_VIOLATION" and not is_refused:
        # Rows that lead to each other can go together, though not one after the other.
        naive = NaiveWriter(model, reference, start)
        expected = outcome(naive, mutation, together=True)
    told = found["errors"][0]["extensions"]["code"] if is_refused else found["data"][mutation.name]
    told_of = f"{mutation.document}\n{mutation.arguments}\n{eyes}\nfound {found}\nexpected {expected}"
    story = f"{told_of}\n{rules_text(model, eyes)}\n{world.case.sdl}"
    if is_refused:
        # Of several faults the two may come upon another first.
        several = mutation.kind.endswith(("_MANY", "_EACH")) or json.dumps(mutation.arguments).count("{") > 3
        is_forbidden_anyway = (told, expected) == ("FORBIDDEN", "CONSTRAINT_VIOLATION") and otherwise == told
        several_faults = several and told in REFUSALS and expected in REFUSALS
        # A hook may give what the input lacks, so that is found out last.
        is_late = is_hooked and expected == "BAD_USER_INPUT" and told in REFUSALS
        assert told == expected or is_forbidden_anyway or several_faults or is_late, story
        assert contents(model, after, set()) == contents(model, start, set()), story
        return str(told)
    assert told == expected or told == {"__typename": mutation.entity.name} == expected, story
    # Of the new keys those that the client has given are compared, too.
    new = new_keys(model, Tables(naive.rows), start)
    made = {(name, key) for name, key in new if key in naive.made}
    written = contents(model, after, new_keys(model, after, start) - (new - made))
    wanted = contents(model, Tables(naive.rows), made)
    differences = {name: (set(written[name]) ^ set(wanted[name])) for name in wanted if written[name] != wanted[name]}
    assert not differences, f"{differences}\n{story}"
    return "nothing" if expected in (None, {"count": 0}) else "written"


SCHEMA = print_schema(build_schema(make_case(0).model))


def outcome(naive: NaiveWriter, mutation: Mutation, *, together: bool = False) -> Any:
    """What the naive writer answers: the code of an error, or `data`; plural fields are single ones in their order.

    Args:
        together: rows that a filter finds are deleted at once.
    """
    given, entity = mutation.arguments, mutation.entity
    try:
        match mutation.kind:
            case "CREATE":
                count = naive.create(entity, [given["input"]])
            case "CREATE_MANY":
                count = in_order(naive, given["inputs"], lambda each, item: each.create(entity, [item]))
            case "UPDATE":
                count = naive.update(entity, [given])
            case "UPDATE_EACH":
                naive.refuse_twice(entity, given["updates"])
                count = in_order(naive, given["updates"], lambda each, item: each.update(entity, [item]))
            case "UPDATE_WHERE":
                keys = naive.matching(entity, given["where"], Operation.UPDATE)
                count = in_order(naive, keys, lambda each, key: each.update_key(entity, key, given))
            case "DELETE":
                row = naive.by_key(entity, given)
                was = None
                if row is not None and naive.knows(entity, row, entity.primary_key):
                    was = naive.were[id(row)]
                count = naive.delete(entity, lambda _, other: other is was)
            case "DELETE_WHERE":
                keys = naive.matching(entity, given["where"], Operation.DELETE)
                if together:
                    count = naive.delete(entity, lambda _, row: naive.key_of(entity, row) in keys)
                else:
                    count = in_order(naive, keys, lambda each, key: each.delete_key(entity, key))
            case _:
                inputs = given["inputs"] if mutation.kind == "UPSERT_MANY" else [given["input"]]
                columns = unique_keys(entity)[given["on"]]
                given_keys = [json.dumps([item.get(name) for name in columns]) for item in inputs]
                if len(set(given_keys)) < len(inputs):
                    raise RefusedError("BAD_USER_INPUT")
                update = given.get("update")
                count = in_order(naive, inputs, lambda each, item: each.upsert(entity, [item], columns, update))
        naive.finish()
    except RefusedError as refused:
        return str(refused)
    if mutation.kind in ("CREATE", "UPDATE", "DELETE", "UPSERT"):
        return {"__typename": entity.name} if count else None
    return {"count": count}


def in_order(naive: NaiveWriter, items: Iterable[Any], run: Callable[[NaiveWriter, Any], int]) -> int:
    """Run one root field for each item. `naive` is the last one, with the rows that all of them have left."""
    count = 0
    for item in items:
        naive.finish()
        naive.begin()
        count += run(naive, item)
    return count


def new_keys(model: Model, tables: Tables, start: Tables) -> set[tuple[str, Any]]:
    """The keys, of those that the database makes, which were not there at the start, each with its entity."""
    found: set[tuple[str, Any]] = set()
    for entity in model.entities.values():
        columns = [column.column for column in entity.key_columns if column.uuid_key or column.identity]
        before = [tuple(row[name] for name in columns) for row in start.rows[entity.name]]
        rows = tables.rows[entity.name]
        found |= {(entity.name, row[name]) for row in rows for name in columns if (row[name],) not in before}
    return found


def contents(model: Model, tables: Tables, made: set[tuple[str, Any]]) -> dict[str, list[str]]:
    """Every row as text; the keys `made` are alike."""
    return {
        name: sorted(text(entity, row, made) for row in tables.rows[name])
        for name, entity in model.entities.items()
        if entity.view_sql is None
    }


def text(entity: Entity, row: dict[str, Any], made: set[tuple[str, Any]]) -> str:
    parts = []
    for column in entity.columns:
        value = row.get(column.column)
        if column.computed is not None:
            continue
        if column.soft_delete:
            value = value is not None
        elif isinstance(value, Decimal):
            value = value.normalize()
        elif column.type.name == "JSON" and value is not None:
            value = [item and json.loads(item) for item in value] if column.type.is_list else json.loads(value)
            value = json.dumps(value, sort_keys=True)
        elif column.type.name == "Float" and value is not None:
            # Zero has a sign, which a list of a row may lose on its way.
            value = [None if item is None else item + 0.0 for item in value] if column.type.is_list else value + 0.0
        elif isinstance(value, datetime):
            value = value.timestamp()
        elif column.type.name == "Decimal" and isinstance(value, list):
            value = [None if item is None else item.normalize() for item in value]
        is_key = column.uuid_key or column.identity or column.relation is not None
        to_one = entity.relation(column.relation) if column.relation is not None else None
        owner = entity.name if to_one is None else to_one.target
        parts.append("*" if is_key and not isinstance(value, list) and (owner, value) in made else repr(value))
    return " ".join(parts)


def rules_text(model: Model, eyes: Eyes) -> str:
    """The rules as the viewer has them."""
    lines = []
    for entity in model.entities.values():
        owners: list[Any] = [entity, *entity.columns, *entity.relations]
        for member in owners:
            for rule in member.allow:
                if eyes.roles & set(rule.roles):
                    fields = "" if rule.fields is None else f" fields {sorted(rule.fields)}"
                    to = ",".join(sorted(rule.to))
                    lines.append(f"{entity.name}.{member.name}: {to} where {rule.where} check {rule.check}{fields}")
        lines += [f"{entity.name}: guard {sorted(g.to)} where {g.where} check {g.check}" for g in entity.guards]
        lines += [f"{entity.name}: is {name}: {where}" for name, where in entity.predicates.items()]
        lines += [f"{entity.name}.{c.name}: {c.preset}" for c in entity.columns if c.preset]
    return "\n".join(lines)
