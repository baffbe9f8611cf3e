"""A short proof that the rules hold: what a mutant must not survive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graphql import print_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.document.prepare import Prepared
from clew.engine import Engine, Request
from clew.engine.statements import Statements
from clew.model.types import Model
from clew.sql.cursors import Cursors
from clew.sql.tables import Tables, build_tables
from clew.viewer import Viewer
from tests.access.guarded import MEMBERS, Guarded, make_guarded
from tests.access.guarded.listing import LISTING, listing
from tests.access.masked import MaskedReference, tie_key_of
from tests.access.rules import Eyes, ruled_model
from tests.access.test_http import ROLES
from tests.access.test_masked_reads import open_model
from tests.attacks.attack import Attack, Who
from tests.attacks.table import ATTACKS
from tests.attacks.transports import InProcess
from tests.attacks.writes import order_of_what_is_written
from tests.mutations import corners, statements, writing
from tests.properties.database import LIMITS, World, _number, canonical, make_world
from tests.properties.models import make_case, with_unique_keys
from tests.properties.operations import Source, answered, operations

# The naive mask knows no page but those of rules.
UNPAGED = RoleLimits(replace(LIMITS.default, page=2**31))
# Cursors of one engine do in another.
CURSORS = Cursors("of the proof")
SEEDS, EACH, OPERATIONS, VIEWERS = range(6), 8, 3, 2


@dataclass(frozen=True)
class Answer:
    """What a viewer must get for a document and its variables."""

    eyes: Eyes
    document: str
    variables: dict[str, Any]
    body: bytes


@dataclass(frozen=True)
class Example:
    """A model with rules, and what some viewers of it must get: their schema, and answers as the naive mask gives."""

    world: World
    model: Model
    tables: Tables
    sdl: str
    documents: dict[str, Prepared]
    answers: list[Answer]

    def check(self) -> None:
        """Raise AssertionError, or whatever, if an answer is another."""
        self.world.run(self._check())

    async def _check(self) -> None:
        world = self.world
        engine = Engine(self.model, world.schema, self.tables, world.engine.pool, UNPAGED, cursors=CURSORS)
        role = await engine.role(self.answers[0].eyes.viewer)
        assert print_schema(role.schema) == self.sdl
        for text, prepared in self.documents.items():
            # With the same schema the same documents are valid: they need not be validated for each mutant.
            engine.statements._documents[role, text, None, False] = replace(prepared, executables={}, rows={})
        for answer in self.answers:
            response = await engine.execute(Request(answer.document, answer.variables), answer.eyes.viewer)
            assert response.body == answer.body


@dataclass(frozen=True)
class Application:
    """The guarded application: its attacks, and the schemas of its roles.

    An attack that notices a mutant is likely to notice the next: it goes to the front.
    """

    guarded: Guarded
    pool: Pool
    runner: asyncio.Runner
    attacks: list[Attack] = field(default_factory=lambda: [attack for attack in ATTACKS if attack.about_rules])

    def check(self) -> None:
        """Raise AssertionError, or whatever, if an attack succeeds or a schema is another."""
        self.runner.run(self._check())

    async def _check(self) -> None:
        model, schema = self.guarded.clew.build()
        engine = Engine(model, schema, build_tables(model), self.pool, RoleLimits(Limits(page=100)))
        schemas = {role: (await engine.role(Viewer("m0", roles))).schema for role, roles in ROLES.items()}
        assert listing(schemas) == LISTING.read_text()
        way = InProcess(engine)
        everybody = await way.send(Who(roles=frozenset({"admin"})), "{ members { id } }", {})
        assert len(everybody.json["data"]["members"]) == MEMBERS
        for attack in tuple(filter(way.carries, self.attacks)):
            try:
                await attack.check(way)
            except BaseException:
                self.attacks.remove(attack)
                self.attacks.insert(0, attack)
                raise


@dataclass(frozen=True)
class Order:
    """The attacks on the order in which writes list rows: the statements for reads find it."""

    writes: writing.Proof

    def check(self) -> None:
        """Raise AssertionError, or whatever, if an attack succeeds."""
        engine = self.writes.engine
        # Statements that are kept have nothing of a mutant.
        engine.statements = Statements(engine.model, engine.statements.tables, engine.statements.cursors)
        self.writes.check(list(self.writes.attacks))


@dataclass(frozen=True)
class Proof:
    application: Application
    order: Order
    examples: list[Example]

    def check(self) -> None:
        """Raise if anything at all is not as it must be."""
        corners.check()
        statements.check()
        self.application.check()
        self.order.check()
        for example in self.examples:
            example.check()


@contextmanager
def make_proof(server_url: str, root: Path) -> Iterator[Proof]:
    """The databases of the proof, dropped at the end.

    Args:
        root: an empty folder, for the applications' projects.
    """
    with ExitStack() as stack:
        for folder in ("guarded", "club"):
            (root / folder).mkdir()
        guarded = stack.enter_context(make_guarded(server_url, root / "guarded"))
        writes = stack.enter_context(writing.make_proof(server_url, root / "club", order_of_what_is_written()))
        runner = stack.enter_context(asyncio.Runner())
        pool = Pool(guarded.url, size=1)
        stack.callback(lambda: runner.run(pool.close()))
        worlds = [stack.enter_context(make_world(server_url, with_unique_keys(make_case(seed)))) for seed in SEEDS]
        gathered = [gather(world) for world in worlds]
        # The first of each model first: most mutants fail soon.
        examples = [some[index] for index in range(max(map(len, gathered))) for some in gathered if index < len(some)]
        yield Proof(Application(guarded, pool, runner), Order(writes), examples)


class _Asking:
    """Asks the engine, and remembers the last answer."""

    last: Answer

    def __init__(self, world: World, engine: Engine, eyes: Eyes) -> None:
        self._world, self._engine, self._eyes = world, engine, eyes

    def run(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        response = self._world.run(self._engine.execute(Request(document, variables), self._eyes.viewer))
        self.last = Answer(self._eyes, document, variables, response.body)
        found: dict[str, Any] = json.loads(response.body, parse_float=_number)
        return found


def gather(world: World) -> list[Example]:
    """Examples of a model and its rows, the same each time."""
    found: list[Example] = []
    tables = build_tables(world.case.model)

    @settings(
        max_examples=EACH,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(st.integers(0, 2**32), st.data())
    def example(rules: int, data: st.DataObject) -> None:
        model, viewers = ruled_model(rules, world.case.model, world.reference.tables, VIEWERS)
        open_ = open_model(model, viewers[0].roles)
        engine = Engine(model, world.schema, tables, world.engine.pool, UNPAGED, cursors=CURSORS)
        role = world.run(engine.role(viewers[0].viewer))
        schema, sdl = role.schema, print_schema(role.schema)
        if not open_.entities:
            return
        references = [
            MaskedReference(model, world.reference.tables, sdl, eyes, world.run(tie_key_of(engine, eyes.viewer)))
            for eyes in viewers
        ]
        source = Source(open_, schema, world.reference.tables)
        asked = [data.draw(operations(source)) for _ in range(OPERATIONS)]
        answers: list[Answer] = []
        for operation in asked:
            for eyes, reference in zip(viewers, references, strict=True):
                # Both are asked for their own cursors; what is kept has Clew's.
                asking = _Asking(world, engine, eyes)
                answer = answered(operation, schema, asking.run)
                assert canonical(answer) == canonical(answered(operation, schema, reference.execute))
                answers.append(asking.last)
        documents = {answer.document: engine.statements.prepare(role, answer.document, None) for answer in answers}
        found.append(Example(world, model, tables, sdl, documents, answers))

    example()
    return found
