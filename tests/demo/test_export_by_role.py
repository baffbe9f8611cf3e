"""Whatever role of the demo asks: the lines of an export are the rows of the list."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type

from app.seed import seed
from clew import ClewError, Viewer
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine, Request
from clew.errors import Code
from clew.export.exports import Bounds, Exports
from clew.model.types import AllowRule, Entity, FieldKind, Model, Operation
from clew.sql.copy import Form
from clew.sql.tables import build_tables
from clew.testing.session import Session

# One member of each role in a team, and no page of a list.
MEMBERS = "SELECT DISTINCT ON (role) user_id::text AS id FROM memberships ORDER BY role, user_id"
UNPAGED = RoleLimits(Limits(page=2**31, nested_page=None).for_own(), {})
LINES = Form()


def test_every_role_exports_the_lists_that_it_reads(clew_test: Session) -> None:
    model, schema = clew_test.clew.build()
    model = with_exports(model)
    engine = Engine(model, schema, build_tables(model), clew_test.asgi.engine.pool, UNPAGED)
    clew_test.thread.run(compare(engine, clew_test.asgi.exports))


async def compare(engine: Engine, own: Exports) -> None:
    """Hold the exports of each role against its lists.

    Args:
        engine: lets roles export what they read.
        own: the demo's own exports, by its own rules.
    """
    async with engine.transaction() as transaction:
        await seed(transaction.connection)
    members = [row["id"] for row in await engine.pool.fetch(MEMBERS, ())]
    assert len(members) == 3
    running, compared = Exports(engine, engine.pool, Bounds(1, 1, 60)), 0
    for viewer in (
        Viewer.admin(),
        Viewer.seen_as(["anon"]),
        *(Viewer.seen_as(["user"], {"sub": key}) for key in (*members, str(uuid.uuid4()))),
        Viewer.seen_as(["user"]),
    ):
        schema = (await engine.role(viewer)).schema
        for document, name, entity in lists(engine.model, schema):
            what = f"{viewer} {document}"
            read = await engine.graphql(document, {}, viewer)
            if await refusal(running, document, viewer) is not None:
                # Its rules name a claim that it lacks.
                assert (viewer.id, viewer.claims, read[name]) == (None, {}, []), what
                continue
            found = await exported(running, document, viewer)
            assert found == read[name], what
            compared += len(found)
            may = viewer.is_admin or entity.name == "AgentUsage" or (entity.is_job and viewer.id is not None)
            assert await refusal(own, document, viewer) == (None if may else Code.FORBIDDEN), what
    assert compared > 8_000


async def refusal(exports: Exports, document: str, viewer: Viewer) -> Code | None:
    try:
        await exports.prepare(Request(document), viewer, LINES)
    except ClewError as error:
        return error.code
    return None


async def exported(exports: Exports, document: str, viewer: Viewer) -> list[Any]:
    prepared = await exports.prepare(Request(document), viewer, LINES, own=True)
    async with exports.running(prepared, None) as file:
        return [json.loads(line) for line in b"".join([part async for part in file]).splitlines()]


def with_exports(model: Model) -> Model:
    """Return the model with EXPORT in each rule for READ. No rule has a limit, which does not bind exports."""

    def rules(given: Sequence[AllowRule]) -> tuple[AllowRule, ...]:
        return tuple(
            replace(rule, to=rule.to | {Operation.EXPORT}, limit=None) if Operation.READ in rule.to else rule
            for rule in given
        )

    def ruled(entity: Entity) -> Entity:
        return replace(
            entity,
            allow=rules(entity.allow),
            columns=tuple(replace(column, allow=rules(column.allow)) for column in entity.columns),
            relations=tuple(replace(relation, allow=rules(relation.allow)) for relation in entity.relations),
        )

    return replace(model, entities={name: ruled(entity) for name, entity in model.entities.items()})


def lists(model: Model, schema: GraphQLSchema) -> Iterator[tuple[str, str, Entity]]:
    """Yield a query of each list that a role has, with all fields of its rows and of what they lead to."""
    query = schema.query_type
    assert query is not None
    for name, root in model.root_fields.items():
        if root.unique is None and root.kind is FieldKind.LIST and name in query.fields:
            yield f"{{ {name} {{ {' '.join(fields(model, schema, root.entity, below=True))} }} }}", name, root.entity


def fields(model: Model, schema: GraphQLSchema, entity: Entity, *, below: bool) -> Iterator[str]:
    type_ = schema.type_map[entity.name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    own = {resolver.name for resolver in entity.resolvers}
    yield "__typename"
    for name, field in type_.fields.items():
        if name in own:
            continue
        if is_leaf_type(get_named_type(field.type)):
            yield name
        elif below and (relation := entity.relation(name)) is not None:
            yield f"{name} {{ {' '.join(fields(model, schema, model.entity(relation.target), below=False))} }}"
        elif below and (many := entity.many(name)) is not None and many[1] is FieldKind.LIST:
            yield f"{name} {{ __typename {' '.join(keys(schema, model.entity(many[0].target)))} }}"


def keys(schema: GraphQLSchema, entity: Entity) -> Iterator[str]:
    type_ = schema.type_map[entity.name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    return (name for name in entity.primary_key if name in type_.fields)
