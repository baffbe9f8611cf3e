"""Whatever the model, rows, rules, viewer and operation: Clew reads what graphql-core reads over masked rows.

Rules come from a seed, and each operation is read by several viewers of one role set.

A longer run: CLEW_TEST_EXAMPLES=100000 pytest -n auto tests/access/test_masked_reads.py
(so many answers, a new model every 210; CLEW_TEST_SEED=n starts at another model).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, print_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clew.document.limits import RoleLimits
from clew.engine import Engine, Request
from clew.model.types import Entity, FieldKind, Model, Operation, Relation
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from tests.access.masked import MaskedReference, tie_key_of
from tests.access.rules import Eyes, ruled_model
from tests.depth import examples, seeds
from tests.properties.database import LIMITS, World, _number, canonical, make_world
from tests.properties.models import make_case, with_unique_keys
from tests.properties.operations import Source, answered, operations

EXAMPLES = examples(400)
EACH, OPERATIONS, VIEWERS = 14, 5, 3
# Shrinking takes minutes, as each example is a schema of its own; CLEW_TEST_SHRINK=1 asks for it.
PHASES = tuple(Phase) if os.environ.get("CLEW_TEST_SHRINK") else (Phase.explicit, Phase.generate)


def members(entity: Entity) -> list[Any]:
    return [*entity.columns, *entity.relations]


def open_model(model: Model, roles: frozenset[str]) -> Model:
    """What the rules of these roles open, worked out without Clew: the rest is not in their schema."""

    def opened(entity: Entity) -> set[str]:
        names = {f.name for f in members(entity)}
        if "admin" in roles or (entity.generated_link and not entity.allow):
            return names
        rules = [rule for rule in entity.allow if Operation.READ in rule.to and roles & set(rule.roles)]
        found = set()
        for member in members(entity):
            own = [rule for rule in member.allow if Operation.READ in rule.to and roles & set(rule.roles)]
            also = {member.name, getattr(member, "relation", None)}
            by_type = any(rule.fields is None or rule.fields & also for rule in rules)
            if rules and (own if member.allow else by_type):
                found.add(member.name)
        return found

    def open_fields(entity: Entity) -> set[str]:
        if entity.generated_link and not entity.allow:
            return open_of_link(entity)
        return opened(entity) & {f.name for f in members(entity) if not f.hidden}

    def open_of_link(link: Entity) -> set[str]:
        """A link shows the keys that its ends show, where each list that it is in may be open."""
        found = set()
        for end in link.relations:
            target, here = model.entities[end.target], fields[end.target]
            own = {own for own, _ in end.on}
            through = {one.name: one.through for one in target.relations if one.through is not None}
            lists = {n for n, t in through.items() if t.entity == link.name and {at for _, at in t.local} == own}
            if not here or not (lists <= here or "admin" in roles):
                return set()
            found.add(end.name)
            parts = {column.column: column.name for column in target.columns}
            names = {column.column: column.name for column in link.columns}
            found |= {names[ours] for ours, theirs in end.on if parts[theirs] in here or "admin" in roles}
        return found

    def leads_on(relation: Relation) -> bool:
        """Whether some row may be at the other end: both ends of what says so are open."""
        if relation.through is None:
            is_open = relation.inverse is None or relation.inverse in opened(model.entities[relation.target])
            return is_open and bool(fields[relation.target])
        link = model.entities[relation.through.entity]
        if link.generated_link and not link.allow:
            return bool(fields[relation.target])
        columns = ({own for _, own in relation.through.local}, {own for own, _ in relation.through.remote})
        ends = {end.name for end in link.relations if {own for own, _ in end.on} in columns}
        return bool(fields[relation.target] and fields[link.name]) and ends <= opened(link)

    fields: dict[str, set[str]] = {}
    for links in (False, True):
        for entity in model.entities.values():
            if (entity.generated_link and not entity.allow) is links:
                fields[entity.name] = open_fields(entity)
    # A relation into the dark shows nothing, which may leave its entity without any field.
    while True:
        dark = {
            (entity.name, relation.name)
            for entity in model.entities.values()
            for relation in entity.relations
            if relation.name in fields[entity.name] and not leads_on(relation)
        }
        if not dark:
            break
        for entity_name, relation_name in dark:
            fields[entity_name].discard(relation_name)
            link = model.entities[entity_name]
            if link.generated_link and not link.allow:
                fields[entity_name].clear()
    entities = {}
    for entity in model.entities.values():
        if not fields[entity.name]:
            continue
        here = fields[entity.name]
        relations = tuple(r for r in entity.relations if r.name in here)
        columns = tuple(c for c in entity.columns if c.name in here)
        if not columns and not relations:
            continue
        entities[entity.name] = replace(
            entity,
            columns=columns,
            relations=relations,
            resolvers=(),
            primary_key=entity.primary_key if here.issuperset(entity.primary_key) else (),
            uniques=tuple(u for u in entity.uniques if u.columns and here.issuperset(u.columns)),
        )
    return replace(model, entities=entities)


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH * OPERATIONS * VIEWERS))
def test_every_viewer_reads_what_the_mask_shows(seed: int, postgres_url: str) -> None:
    case = with_unique_keys(make_case(seed))
    with make_world(postgres_url, case) as world:
        tables = build_tables(case.model)
        full = build_schema(case.model)

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
            model, viewers = ruled_model(rules, case.model, world.reference.tables, VIEWERS)
            engine = Engine(model, full, tables, world.engine.pool, RoleLimits(replace(LIMITS.default, page=2**31)))
            compare(world, engine, model, viewers, data)

        check()


def compare(world: World, engine: Engine, model: Model, viewers: tuple[Eyes, ...], data: st.DataObject) -> None:
    roles = viewers[0].roles
    schema = world.run(engine.role(viewers[0].viewer)).schema
    visible = open_model(model, roles)
    for name in model.entities:
        type_ = schema.type_map.get(name)
        expected = visible.entities.get(name)
        assert (type_ is None) is (expected is None), explain(world, model, viewers[0], name, {}, {})
        if isinstance(type_, GraphQLObjectType) and expected is not None:
            many = {relation.name for relation in expected.relations if relation.to_many}
            beside = {name + kind for name in many for kind in ("Connection", "Aggregate")}
            assert set(type_.fields) == {f.name for f in members(expected)} | beside
        if expected is not None:
            check_arguments(schema, model.entities[name], expected, viewers[0])
    if not visible.entities:
        return
    sdl = print_schema(schema)
    references = [
        MaskedReference(model, world.reference.tables, sdl, eyes, world.run(tie_key_of(engine, eyes.viewer)))
        for eyes in viewers
    ]
    source = Source(visible, schema, world.reference.tables)
    for _ in range(OPERATIONS):
        operation = data.draw(operations(source))
        for eyes, reference in zip(viewers, references, strict=True):

            def run(document: str, variables: dict[str, Any], eyes: Eyes = eyes) -> dict[str, Any]:
                response = world.run(engine.execute(Request(document, variables), eyes.viewer))
                found: dict[str, Any] = json.loads(response.body, parse_float=_number)
                return found

            expected_response = answered(operation, schema, reference.execute)
            # A strategy that makes invalid documents would test nothing.
            assert "errors" not in expected_response, expected_response
            found = answered(operation, schema, run)
            assert canonical(found) == canonical(expected_response), explain(
                world, model, eyes, operation, canonical(found), canonical(expected_response)
            )


def check_arguments(schema: GraphQLSchema, entity: Entity, visible: Entity, eyes: Eyes) -> None:
    """Who may search, and who may ask for deleted rows."""
    assert schema.query_type is not None
    searches = bool(entity.search) and all(visible.column(part.column) for part in entity.search)
    kinds = [kind for kind in FieldKind if entity.plural + kind in schema.query_type.fields]
    assert {FieldKind.LIST, FieldKind.AGGREGATE} <= set(kinds)
    for kind in kinds:
        arguments = schema.query_type.fields[entity.plural + kind].args
        assert ("search" in arguments) is searches
        assert ("deleted" in arguments) is eyes.may_ask_for_deleted(entity)


def explain(world: World, model: Model, eyes: Eyes, operation: Any, found: Any, expected: Any) -> str:
    """What a failure is about: the rules as the viewer has them, the operation, both answers."""
    rules = []
    for entity in model.entities.values():
        for member in (entity, *members(entity)):
            for rule in member.allow:
                if Operation.READ in rule.to and eyes.roles & set(rule.roles):
                    fields = "" if rule.fields is None else f" fields {sorted(rule.fields)}"
                    name = entity.name if member is entity else f"{entity.name}.{member.name}"
                    rules.append(f"{name}: where {rule.where}{fields}")
        rules += [f"{entity.name}: guard {guard.where}" for guard in entity.guards]
        rules += [f"{entity.name}: is {name}: {where}" for name, where in entity.predicates.items()]
    answers = [f"found    {found}", f"expected {expected}"]
    return "\n".join([*rules, str(eyes), repr(operation), *answers, world.case.sdl])
