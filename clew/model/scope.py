"""The document and the report that every step of the build shares, and the mapping of types to SQL types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graphql import DirectiveNode, Node, StringValueNode

from clew.model import names
from clew.model.types import ValueType
from clew.sdl import directives as d
from clew.sdl.document import COLUMN_SCALARS, Document, Field, FieldKind, Type, field_kind
from clew.sdl.report import Report

SQL_TYPES: Mapping[str, str] = {
    "ID": "uuid",
    "Int": "integer",
    "BigInt": "bigint",
    "Float": "double precision",
    "Decimal": "numeric",
    "Boolean": "boolean",
    "String": "text",
    "DateTime": "timestamptz",
    "Date": "date",
    "Time": "time",
    "UUID": "uuid",
    "JSON": "jsonb",
    "Bytes": "bytea",
}


def value_type(field: Field) -> ValueType:
    """Return the type of a column field, with `@column(type:)` applied."""
    ref = field.type
    column = field.first(d.Column)
    sql = column.type.strip() if column is not None and column.type is not None else ""
    is_enum = ref.name not in COLUMN_SCALARS
    sql = sql or SQL_TYPES.get(ref.name, "text")
    return ValueType(ref.name, sql, is_enum, ref.is_list, ref.item_nullable if ref.is_list else False)


def declared_column(field: Field) -> str:
    """Return the SQL name of a column field."""
    column = field.first(d.Column)
    return column.name if column is not None and column.name else names.column_name(field.name)


@dataclass(frozen=True)
class EntityType:
    """An entity of the document with its names and its fields by kind."""

    type: Type
    kinds: Mapping[str, FieldKind]
    table: str
    schema: str | None
    single: str
    plural: str
    without: frozenset[str]

    @property
    def name(self) -> str:
        return self.type.name

    @cached_property
    def is_view(self) -> bool:
        return self.type.first(d.View) is not None

    @cached_property
    def keys(self) -> tuple[Field, ...]:
        """The @id fields that can be keys."""
        stored = (FieldKind.COLUMN, FieldKind.TO_ONE)
        return tuple(f for f in self.type.fields.values() if self.kinds[f.name] in stored and f.first(d.Id))

    @cached_property
    def to_ones(self) -> Mapping[str, tuple[Field, ...]]:
        """The to-one fields by the type that they lead to."""
        fields: dict[str, tuple[Field, ...]] = {}
        for field in self.type.fields.values():
            if self.kinds[field.name] is FieldKind.TO_ONE:
                fields[field.type.name] = (*fields.get(field.type.name, ()), field)
        return fields

    @cached_property
    def columns(self) -> Mapping[str, Field]:
        """The declared column fields by SQL name."""
        fields = self.type.fields.values()
        return {declared_column(f): f for f in fields if self.kinds[f.name] is FieldKind.COLUMN}


@dataclass(frozen=True)
class Scope:
    """The document being built, and the report that collects faults."""

    document: Document
    report: Report
    entities: Mapping[str, EntityType]


def open_scope(document: Document, report: Report) -> Scope:
    """Name the entities and sort their fields by kind."""
    return Scope(document, report, {type_.name: _entity(document, type_) for type_ in document.entities})


def _entity(document: Document, type_: Type) -> EntityType:
    table = type_.first(d.Table)
    plural = table.plural if table is not None else None
    return EntityType(
        type=type_,
        kinds={name: field_kind(document, field) for name, field in type_.fields.items()},
        table=(table.name if table is not None else None) or names.table_name(type_.name, plural),
        schema=table.schema if table is not None else None,
        single=names.single_field(type_.name),
        plural=names.plural_field(type_.name, plural),
        without=frozenset((table.without if table is not None else None) or ()),
    )


def description(node: Node) -> str | None:
    """Return the description of a definition."""
    text: StringValueNode | None = getattr(node, "description", None)
    return text.value if text is not None else None


def deprecation(nodes: tuple[DirectiveNode, ...] | None) -> str | None:
    """Return the reason of `@deprecated`, or GraphQL's own default text if the SDL gives none."""
    for node in nodes or ():
        if node.name.value == "deprecated":
            for argument in node.arguments or ():
                if isinstance(argument.value, StringValueNode):
                    return argument.value.value
            return "No longer supported"
    return None
