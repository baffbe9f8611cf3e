"""Bind the user's Ariadne bindables to the generated schema. Report all their faults at once."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import partial, wraps
from inspect import unwrap
from typing import Any

from ariadne import EnumType, SchemaBindable
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    default_field_resolver,
    get_named_type,
    is_composite_type,
)
from graphql.pyutils import is_awaitable

from clew.errors import Diagnostic
from clew.model.types import Column, Entity, Model, ResolverField
from clew.moments import read_date, read_moment, read_time
from clew.resolvers.job_results import fitting
from clew.resolvers.row_arguments import with_row_check
from clew.schema.build import resolve_generated
from clew.schema.scalars import SCALARS

Bindable = SchemaBindable | type[Enum] | Sequence[Any]

_DECODERS: dict[str, Callable[[Any], Any]] = {
    "BigInt": int,
    "Float": float,
    "Decimal": Decimal,
    "DateTime": read_moment,
    "Date": read_date,
    "Time": read_time,
    "UUID": uuid.UUID,
    "Bytes": base64.b64decode,
}


def bind(schema: GraphQLSchema, model: Model, bindables: Iterable[Bindable]) -> list[Diagnostic]:
    """Bind the resolvers to the schema.

    Returns:
        The faults: a bindable without a type or field, a resolver on a generated field, a custom field without
        a resolver.
    """
    faults: list[Diagnostic] = []
    for bindable in _flatten(bindables):
        try:
            bindable.bind_to_schema(schema)
        except (ValueError, TypeError) as error:
            faults.append(_unbound(bindable, error, schema))
    for scalar in schema.type_map.values():
        if isinstance(scalar, GraphQLScalarType) and scalar.name not in SCALARS:
            _refuse_quietly(scalar)
    for entity in model.entities.values():
        if entity.variants:
            # Its fields are resolved as those of its types.
            continue
        type_ = _object(schema, entity.name)
        faults.extend(_check_generated(type_, {resolver.name for resolver in entity.resolvers}))
        for resolver in entity.resolvers:
            field = type_.fields[resolver.name]
            if entity.is_job:
                field.resolve = _kept_result(resolver.requires[0], fitting(field.type, model, schema))
            if field.resolve is None:
                faults.append(_missing(entity.name, resolver))
                continue
            if resolver.rows:
                field.resolve = with_row_check(field.resolve, resolver.rows, model)
            field.resolve = _with_parent(field.resolve, entity, resolver)
    faults.extend(_check_roots(schema, model))
    for custom in model.custom_fields:
        if custom.rows and custom.job is None:
            field = _object(schema, custom.parent).fields[custom.name]
            if custom.parent == "Subscription":
                if field.subscribe is not None:
                    field.subscribe = with_row_check(field.subscribe, custom.rows, model)
            elif field.resolve is not None:
                field.resolve = with_row_check(field.resolve, custom.rows, model)
    for field in _own_fields(schema, model):
        _read_entities(field, model)
    return faults


def _flatten(bindables: Iterable[Any]) -> Iterable[SchemaBindable]:
    for bindable in bindables:
        if isinstance(bindable, list | tuple):
            yield from _flatten(bindable)
        elif isinstance(bindable, type) and issubclass(bindable, Enum):
            yield EnumType(bindable.__name__, bindable)
        else:
            yield bindable


def _unbound(bindable: SchemaBindable, error: Exception, schema: GraphQLSchema) -> Diagnostic:
    """Return the fault of a bindable that fits no type. It names one of its functions, for a bindable has no place."""
    name = getattr(bindable, "name", None)
    made = f"{type(bindable).__name__}({json.dumps(name) if isinstance(name, str) else ''})"
    fields = getattr(schema.type_map.get(str(name)), "fields", {})
    functions = {**getattr(bindable, "_resolvers", {}), **getattr(bindable, "_subscribers", {})}
    astray = [item for item in functions.items() if item[0] not in fields] or list(functions.items())
    place = ""
    if astray:
        field, function = astray[0]
        code = getattr(unwrap(function), "__code__", None)
        if code is not None:
            place = f" (for {field} it has {function.__module__}.{function.__qualname__}, line {code.co_firstlineno})"
    return Diagnostic(
        f"{made} in Clew(bindables=[...]): {error}".rstrip("."),
        hint=f"give it a name that the SDL has, or remove it{place}",
    )


def _refuse_quietly(scalar: GraphQLScalarType) -> None:
    """Hide the text of Python's errors when a custom scalar refuses a value. Its own GraphQLErrors pass."""
    literal: Callable[..., Any] = scalar.coerce_input_literal or partial(_by_legacy_parser, scalar.parse_literal)

    def refusing(coerce: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def coerced(value: Any) -> Any:
            try:
                found = coerce(value)
            except GraphQLError:
                raise
            except Exception:
                # For graphql-core any exception says that the value does not fit.
                found = Undefined
            if found is Undefined:
                raise GraphQLError(f"{scalar.name} cannot represent this value.")
            return found

        return coerced

    scalar.coerce_input_value = refusing(scalar.coerce_input_value)
    scalar.coerce_input_literal = refusing(literal)


def _by_legacy_parser(parse: Callable[[Any, None], Any], node: Any) -> Any:
    # The literal has its variables replaced by now.
    return parse(node, None)


def _check_generated(type_: GraphQLObjectType, custom: set[str]) -> Iterable[Diagnostic]:
    for name, field in type_.fields.items():
        if name not in custom and (field.resolve is not resolve_generated or field.subscribe is not None):
            yield Diagnostic(
                f"a resolver is bound to {type_.name}.{name}, which Clew generates",
                hint=f"it would never run: add a field of your own with @resolver to {type_.name}"
                if type_.name not in ("Query", "Subscription")
                else "it would never run: use another name",
            )


def _check_roots(schema: GraphQLSchema, model: Model) -> Iterable[Diagnostic]:
    for custom in model.custom_fields:
        if custom.job is not None:
            if _object(schema, custom.parent).fields[custom.name].resolve is not None:
                yield Diagnostic(
                    f"a resolver is bound to {custom.parent}.{custom.name}, which is a job",
                    custom.location,
                    hint=f'it would never run: write a handler with @clew.job("{custom.name}")',
                )
            continue
        if custom.parent == "Subscription":
            if _object(schema, custom.parent).fields[custom.name].subscribe is None:
                yield Diagnostic(
                    f"Subscription.{custom.name} has no source",
                    custom.location,
                    hint=f'bind one with SubscriptionType().source("{custom.name}") and pass it in '
                    "Clew(bindables=[...])",
                )
        elif _object(schema, custom.parent).fields[custom.name].resolve is None:
            yield Diagnostic(
                f"{custom.parent}.{custom.name} has no resolver",
                custom.location,
                hint=f'bind one with {custom.parent}Type().field("{custom.name}") and pass it in Clew(bindables=[...])',
            )
    query = schema.query_type
    assert query is not None
    for type_ in filter(None, (query, schema.subscription_type)):
        yield from _check_generated(
            type_, {custom.name for custom in model.custom_fields if custom.parent == type_.name}
        )


def _missing(entity: str, resolver: ResolverField) -> Diagnostic:
    return Diagnostic(
        f"{entity}.{resolver.name} is @resolver but has no resolver",
        resolver.location,
        hint=f'bind one with ObjectType("{entity}").field("{resolver.name}") and pass it in Clew(bindables=[...])',
    )


def _own_fields(schema: GraphQLSchema, model: Model) -> Iterable[GraphQLField]:
    """Yield the user's own fields of the root types, entities and plain types."""
    for custom in model.custom_fields:
        if custom.job is None:
            yield _object(schema, custom.parent).fields[custom.name]
    for entity in model.entities.values():
        for resolver in entity.resolvers:
            yield _object(schema, entity.name).fields[resolver.name]
    for node in model.custom_types:
        type_ = schema.type_map.get(node.name.value)
        if isinstance(type_, GraphQLObjectType):
            yield from type_.fields.values()


def _object(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return type_


def _read_entities(field: GraphQLField, model: Model) -> None:
    """Make a field that is an entity take its key from the user's resolver. Clew then reads the row."""
    type_ = get_named_type(field.type)
    entity = model.entities.get(type_.name)
    if entity is not None:
        field.resolve = _by_key(field.resolve or default_field_resolver, entity)
    elif field.resolve is not None and is_composite_type(type_):
        # Entities may be below it.
        field.resolve = _tracked(field.resolve)


def _by_key(resolve: Callable[..., Any], entity: Entity) -> Callable[..., Any]:
    @wraps(resolve)
    def resolve_by_key(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return info.context.running.batches.resolve(entity, info, resolve(source, info, **arguments))

    return resolve_by_key


def _tracked(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolve_tracked(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        outcome = resolve(source, info, **arguments)
        return info.context.running.batches.track(info.path, outcome) if is_awaitable(outcome) else outcome

    return resolve_tracked


def _with_parent(resolve: Callable[..., Any], entity: Entity, resolver: ResolverField) -> Callable[..., Any]:
    """Call the user's resolver with the fields that it requires, as a dict of Python values by SDL names."""
    columns: list[Column] = []
    for name in resolver.requires:
        column = entity.column(name)
        assert column is not None
        columns.append(column)
    decoders = {column.name: _decoder(column) for column in columns}

    def resolve_with_parent(source: Mapping[str, Any], info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        row = source[str(info.path.key)]
        if row is None:
            return None
        parent = {name: None if row[name] is None else decode(row[name]) for name, decode in decoders.items()}
        return resolve(parent, info, **arguments)

    return resolve_with_parent


def _kept_result(name: str, fits: Callable[[Any], bool]) -> Callable[..., Any]:
    """Resolve a job's result from the column that keeps it. One that does not fit the type is null."""

    def resolve(parent: Mapping[str, Any], _info: GraphQLResolveInfo[Any]) -> Any:
        value = parent[name]
        return value if fits(value) else None

    return resolve


def _decoder(column: Column) -> Callable[[Any], Any]:
    decode = _DECODERS.get(column.type.name, _same)
    if not column.type.is_list or decode is _same:
        return decode
    return lambda values: [None if value is None else decode(value) for value in values]


def _same(value: Any) -> Any:
    return value
