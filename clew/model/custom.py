"""The user's own definitions: types that are not entities, root fields, jobs and their triggers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from graphql import FieldDefinitionNode, Node, TypeDefinitionNode

from clew.model import names
from clew.model.access import allow_rules
from clew.model.scope import deprecation, description
from clew.model.types import (
    ChangeTrigger,
    Column,
    CronTrigger,
    CustomField,
    Enum,
    EnumValue,
    Job,
    Operation,
    ResolverField,
    RowArgument,
)
from clew.sdl import directives as d
from clew.sdl.document import ROOTS, Document, Field, Kind, Type
from clew.sdl.report import location_of

N = TypeVar("N", bound=Node)
# Postgres' own types that hold text: an enum in such a column is text with a CHECK.
_TEXT = ("text", "varchar", "character", "char", "bpchar", "citext")
_PARTS = ("fields", "values", "types", "interfaces")


def build_enums(document: Document, columns: Iterator[Column]) -> dict[str, Enum]:
    """Return every enum. `native` is set where a column maps the enum to its own SQL type."""
    native: dict[str, str] = {}
    for column in columns:
        if column.type.is_enum and column.type.sql.split("(")[0].split(" ")[0].lower() not in _TEXT:
            native.setdefault(column.type.name, column.type.sql)
    return {
        type_.name: Enum(
            name=type_.name,
            values=tuple(
                EnumValue(name, description(node), deprecation(node.directives), _earlier(type_, name))
                for name, node in (type_.values or {}).items()
            ),
            description=description(type_.node),
            native=native.get(type_.name),
            location=location_of(type_.node.name),
        )
        for type_ in document.types.values()
        if type_.kind is Kind.ENUM and type_.is_defined
    }


def _earlier(type_: Type, value: str) -> str | None:
    renamed = type_.renamed_values.get(value)
    return renamed.from_ if renamed is not None else None


def custom_types(document: Document) -> tuple[TypeDefinitionNode, ...]:
    """Return the definitions of the user's own types, with extensions merged in and without Clew's directives."""
    return tuple(
        _folded(type_)
        for type_ in document.types.values()
        if isinstance(type_.node, TypeDefinitionNode)
        and not type_.is_entity
        and type_.kind is not Kind.ENUM
        and type_.name not in ROOTS
    )


def custom_fields(document: Document) -> tuple[CustomField, ...]:
    """Return the fields that the user adds to the root types."""
    return tuple(
        CustomField(
            parent=root,
            name=field.name,
            node=stripped_field(field),
            allow=allow_rules(field.all(d.Allow)),
            rows=_row_arguments(field),
            job=_job(document, field),
            location=location_of(field.node.name),
        )
        for root in ROOTS
        for field in document.root_fields(root).values()
    )


def build_resolver(field: Field, requires: tuple[str, ...]) -> ResolverField:
    """Return the model of a @resolver field. `requires` are API names of columns."""
    return ResolverField(
        name=field.name,
        node=stripped_field(field),
        type=field.type.name,
        requires=requires,
        allow=allow_rules(field.all(d.Allow)),
        rows=_row_arguments(field),
        location=location_of(field.node.name),
    )


def _row_arguments(field: Field) -> tuple[RowArgument, ...]:
    return tuple(
        RowArgument(argument.name, row.type, Operation(row.to))
        for argument in field.arguments
        if (row := argument.first(d.Row)) is not None and row.to not in ("ALL", "CREATE")
    )


def changes(document: Document) -> tuple[ChangeTrigger, ...]:
    return tuple(
        ChangeTrigger(on.model, tuple(dict.fromkeys(on.events)), on.run, on.when, on.payload, location_of(on.node))
        for on in document.schema_directives
        if isinstance(on, d.On)
    )


def crons(document: Document) -> tuple[CronTrigger, ...]:
    return tuple(
        CronTrigger(cron.schedule, cron.run, location_of(cron.node))
        for cron in document.schema_directives
        if isinstance(cron, d.Cron)
    )


def stripped_field(field: Field) -> FieldDefinitionNode:
    """Return the definition of a field without Clew's directives, also on its arguments."""
    assert isinstance(field.node, FieldDefinitionNode)
    node = field.node
    if not field.directives and not any(argument.directives for argument in field.arguments):
        return node
    return replace(_stripped(node), arguments=tuple(_stripped(argument) for argument in node.arguments or ()))


def _job(document: Document, field: Field) -> Job | None:
    job = field.first(d.Job)
    if job is None:
        return None
    extended = document.types.get(names.job_type(field.name))
    allow = extended.all(d.Allow) if extended is not None and not extended.is_defined else ()
    return Job(
        queue=job.queue,
        retries=job.retries,
        timeout=job.timeout,
        priority=job.priority,
        unique=job.unique or (),
        run_at=job.run_at,
        concurrency=job.concurrency,
        rate=job.rate,
        key=job.key or (),
        allow=allow_rules(allow),
    )


def _folded(type_: Type) -> TypeDefinitionNode:
    assert isinstance(type_.node, TypeDefinitionNode)
    node = _stripped(type_.node)
    if not type_.extensions:
        return node
    parts: dict[str, Any] = {}
    for part in _PARTS:
        children = [child for one in type_.nodes for child in getattr(one, part, None) or ()]
        if children:
            parts[part] = tuple(children)
    directives = [use for one in type_.nodes for use in one.directives or () if use.name.value not in d.CLASSES]
    return replace(node, directives=tuple(directives), **parts)


def _stripped(node: N) -> N:
    directives: tuple[Any, ...] = getattr(node, "directives", None) or ()
    kept = tuple(use for use in directives if use.name.value not in d.CLASSES)
    if len(kept) == len(directives):
        return node
    # Not every node has directives. The type checker cannot express that.
    any_node: Any = node
    changed: N = replace(any_node, directives=kept)
    return changed
