"""Two databases alike in what a viewer may see and different in what it may not: no read tells them apart.

The naive mask decides what is alike: changes to hidden rows and cells, hidden keys among
them, that alter nothing that is visible. Responses are compared to the byte, errors included. What operations ask
for is taken from the rows of both, the hidden ones too: they guess well. The rows lie in
another order on disk.

A longer run: CLEW_TEST_EXAMPLES=100000 pytest -n auto tests/access/test_non_interference.py
(so many operations, a new model every 64; CLEW_TEST_SEED=n starts at another model).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLSchema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clew import Viewer
from clew.document.limits import RoleLimits
from clew.engine import Engine, Outcome, Request
from clew.errors import Code
from clew.live.events import ChangeEvents
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.sql.cursors import Cursors
from clew.sql.tables import build_tables
from tests.access.hidden import Change, Changes, focused, make_hidden, rewrite, shown
from tests.access.masked import MaskedReference, tie_key_of
from tests.access.rules import Eyes, ruled_model
from tests.access.test_masked_reads import explain, open_model
from tests.depth import examples, seeds
from tests.live.newsroom import LogSource, Newsroom, event, log_tables
from tests.properties.database import LIMITS, World, make_world
from tests.properties.models import make_case, with_unique_keys
from tests.properties.operations import Operation, Source, answered, operations
from tests.reference import Tables

EXAMPLES = examples(192)
EACH, OPERATIONS, CHANGES = 8, 8, 12
# As in the test of masked reads: shrinking takes minutes.
PHASES = tuple(Phase) if os.environ.get("CLEW_TEST_SHRINK") else (Phase.explicit, Phase.generate)
# What a variable may hold that is refused, by Clew before anything runs: which row it met must not matter.
UNPAGED = RoleLimits(replace(LIMITS.default, page=2**31))
# The order of rows whose keys are hidden is chance: the same each time.
CURSORS = Cursors("of the test")
_CURSOR = re.compile(rb'"([0-9a-f]+)\.[\w-]{40,}"')
HOSTILE: tuple[Any, ...] = (None, "a\\", "\0", "\ud800", 2**63, -1, [], {}, "9" * 5000)


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH * OPERATIONS))
def test_what_is_hidden_makes_no_difference(seed: int, postgres_url: str) -> None:
    case = with_unique_keys(make_case(seed))
    with make_world(postgres_url, case) as world, connected(world) as connection:
        tables = build_tables(case.model)
        full = build_schema(case.model)
        tried: list[int] = []

        @settings(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        )
        @given(st.integers(0, 2**32), st.data())
        def check(rules: int, data: st.DataObject) -> None:
            model, (eyes,) = ruled_model(rules, case.model, world.reference.tables, 1)
            open_ = open_model(model, eyes.roles)
            if not open_.entities:
                return
            random = Random(rules)
            world.run(rewrite(connection, case, random))
            engine = Engine(model, full, tables, world.engine.pool, UNPAGED, cursors=CURSORS)
            tie_key = world.run(tie_key_of(engine, eyes.viewer))
            reference = MaskedReference(model, world.reference.tables, "", eyes, tie_key)
            changes = Changes(random, case, model, reference).draw(CHANGES)
            look = partial(shown, model, open_, eyes, tie_key)
            made = world.run(make_hidden(connection, changes, model, look))
            tried.append(len(made))
            changed = world.run(Tables.read(connection, model))
            # Sorted: where rows lie on disk is not Hypothesis' to repeat.
            both = {n: sorted([*rows, *changed.rows[n]], key=repr) for n, rows in world.reference.tables.rows.items()}
            schema = world.run(engine.role(eyes.viewer)).schema
            plain = Source(open_, schema, Tables(both))
            curious = Source(focused(open_, made), schema, Tables(both))
            asked = [data.draw(hostile(operations(curious if n % 4 else plain))) for n in range(OPERATIONS)]
            answers = [read(world, engine, schema, operation, eyes) for operation in asked]
            world.run(rewrite(connection, case, random))
            for operation, answer in zip(asked, answers, strict=True):
                found = read(world, engine, schema, operation, eyes)
                assert found == answer, explain(world, model, eyes, (operation, made), found, answer)

        check()
        # A viewer from whom nothing is hidden proves nothing.
        assert sum(count > 0 for count in tried) * 2 > len(tried)


def test_hidden_keys_of_visible_rows_are_among_what_is_changed(postgres_url: str) -> None:
    rekeyed = 0
    for seed in range(4):
        case = with_unique_keys(make_case(seed))
        with make_world(postgres_url, case) as world, connected(world) as connection:
            for rules in range(25):
                model, (eyes,) = ruled_model(rules, case.model, world.reference.tables, 1)
                random = Random(rules)
                reference = MaskedReference(model, world.reference.tables, "", eyes, "of the test")
                changes = Changes(random, case, model, reference).draw(CHANGES)
                look = partial(shown, model, open_model(model, eyes.roles), eyes, "of the test")
                made = world.run(make_hidden(connection, changes, model, look))
                world.run(rewrite(connection, case, random))
                rekeyed += sum(change.rekeys for change in made)
    assert rekeyed > 10, rekeyed


def hostile(plain: st.SearchStrategy[Operation]) -> st.SearchStrategy[Operation]:
    """Operations, some with a variable that does not do."""

    @st.composite
    def build(draw: st.DrawFn) -> Operation:
        operation = draw(plain)
        if not operation.variables or draw(st.integers(0, 9)):
            return operation
        name = draw(st.sampled_from(list(operation.variables)))
        return replace(operation, variables={**operation.variables, name: draw(st.sampled_from(HOSTILE))})

    return build()


def read(
    world: World, engine: Engine, schema: GraphQLSchema, operation: Operation, eyes: Eyes
) -> list[tuple[Code | None, bytes]]:
    """Responses to the operation and to what tells its cursors, which are those of the rows as they are now.

    Cursors of rows with other keys are others, though of the same length: they are told by when each is there first.
    """
    responses: list[Outcome] = []

    def run(document: str, variables: dict[str, Any]) -> dict[str, Any]:
        responses.append(world.run(engine.execute(Request(document, variables, id="same"), eyes.viewer)))
        answer: dict[str, Any] = json.loads(responses[-1].body)
        return answer

    answered(operation, schema, run)
    names: dict[bytes, bytes] = {}

    def name(match: re.Match[bytes]) -> bytes:
        return names.setdefault(match[0], b"cursor %d of %d: %b" % (len(names), len(match[0]), match[1]))

    return [(response.code, _CURSOR.sub(name, response.body)) for response in responses]


@contextmanager
def connected(world: World) -> Iterator[asyncpg.Connection[Any]]:
    """A connection beside the engine's, for which foreign keys are not checked."""
    settings = {"timezone": "UTC", "session_replication_role": "replica"}
    connection = world.run(asyncpg.connect(world.url, server_settings=settings))
    try:
        yield connection
    finally:
        world.run(connection.close())


def test_what_is_hidden_changes_without_an_event(postgres_url: str) -> None:
    """Change events are a way in, too: who does not see a row or a field is not told that it has changed."""
    told = {"viewer": 0, "admin": 0}
    hidden = 0
    for seed in seeds(EXAMPLES // 4, EACH * OPERATIONS):
        case = with_unique_keys(make_case(seed))
        with make_world(postgres_url, case) as world, connected(world) as connection:
            names = world.run(log_tables(connection, case.model))
            full, tables = build_schema(case.model), build_tables(case.model)
            for rules in range(EACH):
                model, (eyes,) = ruled_model(rules, case.model, world.reference.tables, 1)
                engine = Engine(model, full, tables, world.engine.pool, UNPAGED, cursors=CURSORS)
                source = LogSource(connection, names)
                room = Newsroom(engine, ChangeEvents(engine, source), source, connection)
                random = Random(rules)
                undo = partial(rewrite, connection, case, random)
                world.run(undo())
                reference = MaskedReference(model, world.reference.tables, "", eyes, "of the test")
                changes = Changes(random, case, model, reference).draw(CHANGES)
                look = partial(shown, model, open_model(model, eyes.roles), eyes, "of the test")
                hide = partial(make_each_hidden, connection, changes, model, look)
                made, found = world.run(events(room, eyes.viewer, hide))
                assert found == [], (seed, rules, made)
                hidden += len(made)
                told["viewer"] += len(world.run(events(room, eyes.viewer, undo))[1])
                world.run(undo())
                told["admin"] += len(world.run(events(room, Viewer.admin(), hide))[1])
    # All of these rows and fields have changed, and of what is seen there are events.
    assert hidden > 10, hidden
    assert told["admin"] > 10, told
    assert told["viewer"] > 10, told


async def make_each_hidden(
    connection: asyncpg.Connection[Any], changes: Sequence[Change], model: Model, look: Callable[[Tables], str]
) -> list[Change]:
    """As `make_hidden`, each in a transaction of its own.

    Rules read other rows as they are after the transaction (docs/change-events.md). So a row may come and go with
    another that changes in the same transaction, though it is visible all the time.
    """
    single = (change for change in changes if len(change.statements) == 1)
    return [made for change in single for made in await make_hidden(connection, [change], model, look)]


async def events(
    room: Newsroom, viewer: Viewer, write: Callable[[], Awaitable[Any]]
) -> tuple[Any, list[dict[str, Any]]]:
    """What `write` returns, and all events that the viewer is told meanwhile, of every entity."""
    fields = (await room.engine.role(viewer)).schema.subscription_type
    names = [name for name in fields.fields if name in room.engine.model.change_fields] if fields else []
    readers = [await room.subscribe(viewer, f"subscription {{ {name} {{ kind }} }}") for name in names]
    written = await write()
    if readers:
        await room.source.read()
    found = [event(payload) for reader in readers for payload in await reader.waiting()]
    for reader in readers:
        await reader.close()
    return written, found
