"""Resolve the generated fields of Mutation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from clew.model.types import Entity, Model, WriteField, WriteKind
from clew.resolvers.batches import Batches, Info
from clew.schema.build import Row
from clew.sql.keys import Key
from clew.writes.errors import ForbiddenError, GuardedError
from clew.writes.writer import Writer

_Resolver = Callable[..., Any]
# Not an awaitable: a field that is cancelled before it begins would leave it behind.
_Write = Callable[[], Awaitable[Sequence[Key]]]


class Running(Protocol):
    """The part of the engine that one mutation uses."""

    batches: Batches

    def writer(self, field: str | int) -> Writer:
        """Return the writer for a root field, given its response key."""

    async def read(self, entity: Entity, info: Info, keys: Sequence[Key]) -> list[Row | None]:
        """Read the rows of a field by their keys, as the viewer sees them."""

    async def in_list_order(self, entity: Entity, keys: Sequence[Key]) -> Sequence[Key]:
        """Sort the keys of rows that the client did not name: return them in the order of a list."""

    async def read_below(
        self, entity: Entity, info: Info, name: str, keys: Sequence[Key]
    ) -> dict[str, list[Row | None]]:
        """Read the rows of each nested field called `name`. Return them by its response key."""


def bind_writes(schema: GraphQLSchema, model: Model) -> None:
    """Set the resolvers of the generated fields of Mutation, and of `rows` in the results of bulk fields."""
    mutation = schema.mutation_type
    if mutation is None:
        return
    for name, field in mutation.fields.items():
        found = model.write_fields.get(name)
        if found is not None:
            field.resolve = _resolver(found)
    for entity in model.entities.values():
        bulk = schema.type_map.get(f"{entity.name}Bulk")
        if isinstance(bulk, GraphQLObjectType):
            bulk.fields["rows"].resolve = _rows(entity)


def _resolver(found: WriteField) -> _Resolver:
    entity, kind = found.entity, found.kind
    if kind in (WriteKind.DELETE, WriteKind.DELETE_WHERE):
        return _deletes(entity, bulk=kind.bulk)

    def resolve(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        running: Running = info.context.running
        write = partial(_written, running, running.writer(info.path.key), entity, kind, arguments)
        if kind.bulk:
            return running.batches.track(info.path, _bulk(write))
        return running.batches.resolve(entity, info, _one(entity, write))

    return resolve


@asynccontextmanager
async def _told(writer: Writer) -> AsyncIterator[None]:
    """Report a refusal by the rules before the transaction rolls back, and close the writer."""
    try:
        yield
    except (ForbiddenError, GuardedError) as error:
        await writer.refused(error.refusal)
        raise
    finally:
        writer.close()


async def _written(
    running: Running, writer: Writer, entity: Entity, kind: WriteKind, arguments: Mapping[str, Any]
) -> Sequence[Key]:
    """Write the rows of the field, and check them. Return their keys."""
    async with _told(writer):
        keys = await _judged(writer, entity, kind, arguments)
    # An order that reveals nothing about hidden keys.
    return await running.in_list_order(entity, keys) if kind is WriteKind.UPDATE_WHERE else keys


async def _judged(writer: Writer, entity: Entity, kind: WriteKind, arguments: Mapping[str, Any]) -> Sequence[Key]:
    keys: Sequence[Key | None]
    match kind:
        case WriteKind.CREATE:
            keys = await writer.create(entity, [arguments["input"]], "input", listed=False)
        case WriteKind.CREATE_MANY:
            keys = await writer.create(entity, arguments["inputs"], "inputs", listed=True)
        case WriteKind.UPDATE:
            keys = [await writer.update_one(entity, arguments)]
        case WriteKind.UPDATE_WHERE:
            keys = await writer.update_where(entity, arguments)
        case WriteKind.UPDATE_EACH:
            keys = await writer.update_each(entity, arguments["updates"], "updates")
        case WriteKind.UPSERT:
            given = [arguments["input"]]
            keys = await writer.upsert(entity, given, arguments["on"], arguments.get("update"), "input", listed=False)
        case WriteKind.UPSERT_MANY:
            given = arguments["inputs"]
            keys = await writer.upsert(entity, given, arguments["on"], arguments.get("update"), "inputs", listed=True)
        case _:
            keys = [await writer.restore(entity, arguments)]
    await writer.finish()
    return [key for key in keys if key is not None]


async def _one(entity: Entity, write: _Write) -> Any:
    found = await write()
    return _returned(entity, found[0]) if found else None


async def _bulk(write: _Write) -> dict[str, Any]:
    found = await write()
    return {"count": len(found), "keys": found}


def _rows(entity: Entity) -> _Resolver:
    def resolve(source: Mapping[str, Any], info: GraphQLResolveInfo[Any]) -> Any:
        if "read" in source:
            return source["read"][info.path.key]
        keys = [_returned(entity, key) for key in source["keys"]]
        return info.context.running.batches.resolve(entity, info, keys)

    return resolve


def _returned(entity: Entity, key: Key) -> Any:
    """Return a key in the form that resolvers return."""
    return key[0] if len(key) == 1 else dict(zip(entity.primary_key, key, strict=True))


def _deletes(entity: Entity, *, bulk: bool) -> _Resolver:
    """Return the resolver of a delete field. It reads the rows before it deletes them."""

    async def delete(info: Info, arguments: Mapping[str, Any]) -> Any:
        running: Running = info.context.running
        writer = running.writer(info.path.key)
        async with _told(writer):
            return await deleted(running, writer, info, arguments)

    async def deleted(running: Running, writer: Writer, info: Info, arguments: Mapping[str, Any]) -> Any:
        keys = await writer.to_delete(entity, arguments, where=bulk)
        found: Any = None
        if bulk:
            listed = await running.in_list_order(entity, keys)
            found = {"count": len(keys), "read": await running.read_below(entity, info, "rows", listed)}
        elif keys:
            (found,) = await running.read(entity, info, keys)
        await writer.delete()
        await writer.finish()
        return found

    def resolve(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return info.context.running.batches.track(info.path, delete(info, arguments))

    return resolve
