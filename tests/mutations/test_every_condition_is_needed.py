"""Whatever condition of the rules' compiler is taken away, something notices.

Of the modules that compile rules, filters and orders the corners notice every mutant, without
a database; those of the statement that judges writes by the attacks on them. Those of the modules
that use what is compiled, and of the rest of what judges writes, need longer:
CLEW_TEST_MUTANTS=all pytest -n auto tests/mutations
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

import clew.plan.connections
import clew.plan.groups
import clew.plan.read
import clew.sql.aggregates
import clew.sql.connections
import clew.sql.filters
import clew.sql.groups
import clew.sql.read
import clew.sql.write
from clew.access import implied, predicates, reach, visible
from clew.engine import engine, statements
from clew.plan import filters, measures, paging
from clew.resolvers import row_arguments
from clew.schema import build, many, own, roles
from clew.sql import arguments, relations
from clew.writes import check, circles, drafts, gather, store, writer
from tests.mutations import corners, writing
from tests.mutations.mutants import Mutant, Scope, mutants
from tests.mutations.proof import Proof, make_proof

COMPILING = (
    Scope(visible, everything=True),
    Scope(implied, everything=True),
    Scope(filters),
    Scope(paging),
)
USING = (
    Scope(roles, functions=("roles_of", "role_schema"), everything=True),
    Scope(arguments, functions=("usable_claims", "_coerced"), everything=True),
    Scope(relations, everything=True),
    Scope(own, everything=True),
    # Functions within functions have no mutants; what admits is attacked.
    Scope(row_arguments, functions=("_keys",), everything=True),
    *(Scope(module) for module in (engine, statements, build, many, predicates, measures)),
    *(Scope(module) for module in (clew.plan.read, clew.plan.groups, clew.plan.connections)),
    *(Scope(module) for module in (clew.sql.read, clew.sql.filters, clew.sql.groups, clew.sql.connections)),
    Scope(clew.sql.aggregates),
)
# What judges writes: noticed by the attacks on them, a part of it in each run.
JUDGING = (
    Scope(
        clew.sql.write,
        (
            "WriteCompiler.scope",
            "WriteCompiler.judged",
            "WriteCompiler.is_open",
            "WriteCompiler.shown",
            "_check",
            "_find",
        ),
        everything=True,
        statements=True,
    ),
)
DECIDING = tuple(
    Scope(module, functions, everything=True, statements=True)
    for module, functions in (
        (clew.sql.write, ("_lock", "_leads", "_reached")),
        (
            gather,
            (
                "Gatherer.change",
                "Gatherer.remove",
                "Gatherer.lock_of",
                "Gatherer._refuse_hidden",
                "Gatherer._guarded",
                "Gatherer._guard_ends",
                "Gatherer._close",
                "Gatherer._owned_members",
                "Gatherer._linked_members",
                "Gatherer._connected",
            ),
        ),
        (writer, ("Writer._where", "Writer._filter", "Writer._write")),
        (drafts, ("InputReader.preset", "InputReader.take_key", "InputReader._settle", "sql_presets")),
        (store, ("Store.lock", "Store.find", "Store.shows", "Store.leads", "Store.reach", "Store.as_it_was")),
        (check, ("check_written", "_vouch", "_Judged.judge", "Allowed._is_allowed", "Allowed.require")),
        (circles, ()),
        (reach, ()),
    )
)
MUTANTS = {mutant.name: mutant for scope in (*COMPILING, *USING, *JUDGING, *DECIDING) for mutant in mutants(scope)}

# Mutants that never end, which needs no proof.
ENDLESS = ("clew.access.visible:Access.openings: False for a condition in `shown == openings`",)
# Mutants that answer as the real code does, and why. What is here and is no mutant any more fails.
_VISIBLE, _READ = "clew.access.visible:Access", "clew.sql.read:Compiler"
_WRITES = "clew.writes"
_MASKED = "not isinstance(output, TypeName) and output.mask is not None"
ALIKE: dict[str, str] = {
    "clew.sql.write:WriteCompiler.scope: without `outer.outer is not None` in `is_free_link(entity) "
    "and outer.outer is not None and (outer.outer is self.judged_row)`": "a to-many's link has a level around it",
    "clew.sql.write:WriteCompiler.scope: False for a condition in "
    "`is_own`": "keys of others' links may be read as they were, too",
    f"{_WRITES}.writer:Writer._where: True for a condition in `is_large(arguments['where'])`": "in another thread",
    f"{_WRITES}.writer:Writer._where: False for a condition in `is_large(arguments['where'])`": "in another thread",
    f"{_WRITES}.store:Store.lock: without it in `self._weigh(conditions)`": "a limit: tests/attacks/writes.py",
    f"{_VISIBLE}._seen: True for a condition in `found is None`": "a cache",
    f"{_VISIBLE}._seen: True for a condition in `len(self._visible) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}._seen: False for a condition in `len(self._visible) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}._named: True for a condition in `key not in self._claims`": "a cache",
    f"{_VISIBLE}.permits: True for a condition in `found is None`": "a cache",
    f"{_VISIBLE}.permits: True for a condition in `len(self._permits) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}.permits: False for a condition in `len(self._permits) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}._writable: without `isinstance(member, Column)` in `isinstance(member, Column) and "
    "is_generated_key(entity, member)`": "a relation is no part of a key",
    "clew.access.visible:Permits.holding: without `isinstance(member, Column)` in `isinstance(member, Column) and "
    "is_generated_key(entity, member)`": "a relation is no part of a key",
    f"{_VISIBLE}._compiled: True for a condition in `key not in self._rules`": "a cache",
    f"{_VISIBLE}._shown: without `is_free_link(target)` in `relation.to_many or is_free_link(target) or "
    "self._guards(target, sight)`": "a generated link has no rule to be the same as",
    f"{_VISIBLE}._shown: without `bool(rules)` in `bool(rules) and all((any((isinstance(item, Exists) and "
    "item.relation == relation and (i...`": "without rules there is no opening",
    f"{_VISIBLE}._see: True for a condition in `mask is not None`": "None among the masks is no mask",
    f"{_VISIBLE}._see: True for a condition in `limit is not None`": "none is None there",
    f"{_VISIBLE}.guarding: True for a condition in `found is None`": "a cache",
    f"{_VISIBLE}.guarding: True for a condition in `len(self._guarding) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}.guarding: False for a condition in `len(self._guarding) >= 4096`": "the bound of a cache",
    f"{_VISIBLE}.every_row: True for a condition in `entity.name not in self._all`": "a cache",
    "clew.sql.write:WriteCompiler.is_open: False for a condition in `mask is None`": "a shortcut",
    "clew.sql.write:WriteCompiler.shown: True for a condition in `column.name in visible.masks`": "a shortcut",
    "clew.access.implied:reached: False for a condition in `far.where == TRUE`": "a shortcut",
    "clew.access.implied:_without: False for a condition in `len(left) == len(asked)`": "a copy",
    "clew.plan.read:_Planner.field: False for a condition in `link is not None`": "asks again what follows",
    "clew.schema.roles:role_schema: False for a condition in `roles.admin`": "a shortcut: an admin's openings are all",
    "clew.engine.engine:Engine.role: True for a condition in `roles is None`": "a cache",
    "clew.engine.engine:Engine.role: without `found` in `found or await self._role(roles)`": "a cache",
    "clew.sql.connections:_Page.beyond: without `bound` in `sa.and_(bound, condition)`": "for an index to begin there",
    "clew.sql.arguments:_coerced: False for a condition in `value is None`": "asked before, and by each scalar",
    "clew.sql.relations:join: False for a condition in `len(remote) == 1`": "a tuple of one",
    "clew.schema.build:_Builder.relations: without `not relation.hidden` in `not relation.hidden and "
    "relation.name in fields and (relation.target in self.openings)`": "what is hidden is in no opening",
    "clew.schema.build:_Builder.relations: without `relation.target in self.openings` in `not relation.hidden and "
    "relation.name in fields and (relation.target in self.openings)`": "such a relation is in no opening",
    "clew.schema.build:_Builder._relation_field: without `relation.kind is RelationKind.TO_ONE` in `relation.kind is "
    "RelationKind.TO_ONE and (not relation.nullable) and self.shown(entity,...`": "any other to-one is nullable",
    "clew.schema.own:OwnTypes._is_empty: without `()` in `node.fields or ()`": "there are some, or it is empty",
    "clew.schema.own:OwnTypes._pruned: without `()` in `node.fields or ()`": "there are some, or it is empty",
    "clew.schema.own:OwnTypes._pruned: True for a condition in `changes`": "a copy",
    "clew.access.predicates:conjunction: TRUE for FALSE in `FALSE`": "a shortcut",
    "clew.plan.read:_Planner.page: False for a condition in `self.sight.admin`": "an admin's limits have no page",
    f"{_READ}.follow: without `mask is not None` in `mask is not None and end.type is COUNT`": "a count is not null",
    "clew.sql.filters:_vector: False for a condition in `all((mask is None for _, mask in parts))`": "the same words",
    f"{_READ}.needed: True for a condition in `{_MASKED}`": "more columns than are needed",
    f"{_READ}.needed: without `output.mask is not None` in `{_MASKED}`": "more columns than are needed",
    f"{_READ}.output: False for a condition in `mask is None`": "a list is never null by itself",
    "clew.sql.write:WriteCompiler.scope: without `outer is None` in `outer is None or not self.before`": "a judgement "
    "has a level around it",
    "clew.sql.write:WriteCompiler.scope: without `not self.before` in `outer is None or not self.before`": "a shortcut",
    "clew.sql.write:WriteCompiler.scope: False for a condition in `outer is None or not self.before`": "both of these",
    "clew.sql.write:WriteCompiler.scope: without `entity.view_sql is not None` in `entity.view_sql is not None and "
    "(ctes := self._tables_as_they_were(entity))`": "a table reads no other",
    "clew.sql.write:_check: False for a condition in `permit.after == TRUE`": "a shortcut",
    "clew.sql.write:_lock: without `*same` in `sa.and_(*same_key(scope, keys), *same)`": "but while another "
    "transaction changes the key: tests/engine/test_concurrent_writers.py",
    f"{_WRITES}.gather:Gatherer._close: True for a condition in `any((value.get(way) for way in _OF_MEMBERS))`": "asks "
    "more, which nothing uses",
    f"{_WRITES}.gather:Gatherer._close: True for a condition in `asked`": "a shortcut",
    f"{_WRITES}.store:Store.lock: True for a condition in `image`": "more images than are read",
}


def tried(scopes: Iterable[Scope]) -> list[Mutant]:
    return [mutant for name, mutant in MUTANTS.items() if mutant.scope in scopes and name not in {*ALIKE, *ENDLESS}]


@pytest.fixture(scope="module")
def corners_hold() -> Iterator[None]:
    """Did the corners fail for a reason of their own, every mutant would seem to be noticed."""
    corners.check()
    yield
    corners.check()


@pytest.mark.parametrize("mutant", tried(COMPILING), ids=lambda mutant: mutant.name)
@pytest.mark.usefixtures("corners_hold")
def test_a_mutant_is_noticed(mutant: Mutant) -> None:
    with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011
        corners.check()


@pytest.fixture(scope="module")
def writing_proof(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[writing.Proof]:
    with writing.make_proof(postgres_url, tmp_path_factory.mktemp("club")) as made:
        made.check()
        yield made
        made.check()


@pytest.mark.parametrize("mutant", tried(JUDGING), ids=lambda mutant: mutant.name)
def test_a_mutant_of_what_judges_writes_is_noticed(mutant: Mutant, writing_proof: writing.Proof) -> None:
    with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011
        writing_proof.check()


@pytest.fixture(scope="module")
def proof(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    with make_proof(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        made.check()
        yield made
        made.check()


if os.environ.get("CLEW_TEST_MUTANTS") == "all":

    @pytest.mark.parametrize("mutant", tried(DECIDING), ids=lambda mutant: mutant.name)
    def test_a_mutant_of_what_decides_about_writes_is_noticed(mutant: Mutant, writing_proof: writing.Proof) -> None:
        with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011
            writing_proof.check()

    @pytest.mark.parametrize("mutant", tried(USING), ids=lambda mutant: mutant.name)
    def test_a_mutant_of_what_uses_the_rules_is_noticed(mutant: Mutant, proof: Proof) -> None:
        with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011
            proof.check()


def test_every_exception_is_about_a_mutant() -> None:
    assert {*ALIKE, *ENDLESS} <= set(MUTANTS)
