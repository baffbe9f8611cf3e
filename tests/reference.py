"""A naive second implementation of the reads: graphql-core's executor over rows held in Python.

It shares the model with Clew and nothing else: no plan, no SQL, no schema objects (the
schema is built from Clew's printed SDL). Slow and simple on purpose.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import asyncpg
from graphql import (
    FloatValueNode,
    GraphQLResolveInfo,
    GraphQLScalarType,
    IntValueNode,
    build_schema,
    execute_sync,
    parse,
    value_from_ast_untyped,
)

from clew.model.types import Column, Entity, Model, Relation, RelationKind, ValueType

Row = dict[str, Any]

COMPUTED = "computed: "


@dataclass
class Tables:
    """Every row of every entity: by SQL column, computed columns under `COMPUTED` and their API name."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    async def load(cls, url: str, model: Model) -> Tables:
        """Read the whole database."""
        connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
        tables = cls()
        try:
            for entity in model.entities.values():
                computed = "".join(
                    f', ({c.computed.sql}) AS "{COMPUTED}{c.name}"' for c in entity.columns if c.computed
                )
                records = await connection.fetch(f"SELECT *{computed} FROM {table_sql(entity)}")
                tables.rows[entity.name] = [{k: in_utc(value) for k, value in record.items()} for record in records]
        finally:
            await connection.close()
        return tables


def table_sql(entity: Entity) -> str:
    """The entity's table as SQL."""
    names = [name for name in (entity.schema, entity.table) if name is not None]
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def in_utc(value: Any) -> Any:
    """A moment of a column without zone is one in UTC."""
    if isinstance(value, list):
        return [in_utc(item) for item in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


class Reference:
    """Answers queries over `tables` as an admin.

    Args:
        sdl: the API's schema as Clew prints it.
    """

    def __init__(self, model: Model, tables: Tables, sdl: str) -> None:
        self.model = model
        self.tables = tables
        self.schema = build_schema(sdl)
        decimal = self.schema.type_map.get("Decimal")
        if isinstance(decimal, GraphQLScalarType):
            # By itself graphql-core would read a number in a document as a float.
            decimal.coerce_input_literal = literal

    def execute(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The response to an operation: `data` and, with errors, their number."""
        result = execute_sync(
            self.schema, parse(document), variable_values=variables or {}, field_resolver=self.resolve
        )
        response: dict[str, Any] = {"data": result.data}
        if result.errors:
            response["errors"] = [str(error) for error in result.errors]
        return response

    # --- fields -----------------------------------------------------------------------

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        name = info.field_name
        if source is None:
            if name == "viewer":
                return {"id": None, "roles": ["admin"]}
            found_field = self.model.root_fields[name]
            entity, unique = found_field.entity, found_field.unique
            rows = self.visible(entity)
            if unique is None:
                return [(entity, row) for row in self.page(entity, rows, arguments)]
            columns = [self.column(entity, key) for key in unique]
            found = [
                row
                for row in rows
                if all(self.value(c, row) == parse_value(c.type, arguments[c.name]) for c in columns)
            ]
            return (entity, found[0]) if found else None
        if isinstance(source, dict):
            return source[name]
        entity, row = source
        column = entity.column(name)
        if column is not None:
            return output(column.type, self.value(column, row))
        relation = entity.relation(name)
        assert relation is not None, name
        target = self.model.entity(relation.target)
        rows = self.related(entity, relation, row)
        if relation.to_many:
            return [(target, other) for other in self.page(target, rows, arguments)]
        return (target, rows[0]) if rows else None

    def column(self, entity: Entity, name: str) -> Column:
        column = entity.column(name)
        assert column is not None
        return column

    def value(self, column: Column, row: Row) -> Any:
        return row[COMPUTED + column.name if column.computed else column.column]

    def tie(self, column: Column, row: Row) -> Any:
        """A column of the primary key, which rows are ordered by in the end."""
        return self.value(column, row)

    def visible(self, entity: Entity) -> list[Row]:
        deleted = entity.soft_delete
        return [row for row in self.tables.rows[entity.name] if deleted is None or row[deleted.column] is None]

    def related(self, entity: Entity, relation: Relation, row: Row) -> list[Row]:
        rows = self.visible(self.model.entity(relation.target))
        if relation.kind is not RelationKind.MANY_TO_MANY:
            return [other for other in rows if self.joined(row, other, relation.on)]
        assert relation.through is not None
        links = [
            link
            for link in self.visible(self.model.entity(relation.through.entity))
            if self.joined(row, link, relation.through.local)
        ]
        return [other for other in rows if any(self.joined(link, other, relation.through.remote) for link in links)]

    def joined(self, row: Row, other: Row, pairs: Iterable[tuple[str, str]]) -> bool:
        return all(row[local] is not None and row[local] == other[remote] for local, remote in pairs)

    # --- lists ------------------------------------------------------------------------

    def page(self, entity: Entity, rows: list[Row], arguments: dict[str, Any]) -> list[Row]:
        where = arguments.get("where")
        rows = [row for row in rows if where is None or self.holds(entity, row, where) is True]
        keys = list(arguments.get("orderBy") or ())
        ties = [self.column(entity, name) for name in entity.primary_key]

        def compare(one: Row, other: Row) -> int:
            for key in keys:
                order = self.compare(entity, key, one, other)
                if order:
                    return order
            for column in ties:
                a, b = self.tie(column, one), self.tie(column, other)
                if a != b:
                    return -1 if a < b else 1
            return 0

        rows = sorted(rows, key=cmp_to_key(compare))
        start = arguments.get("offset") or 0
        limit = arguments.get("limit")
        return rows[start:] if limit is None else rows[start : start + limit]

    def compare(self, entity: Entity, key: dict[str, Any], one: Row | None, other: Row | None) -> int:
        ((name, value),) = key.items()
        relation = entity.relation(name)
        if relation is not None:
            target = self.model.entity(relation.target)
            ends = [self.related(entity, relation, row) if row is not None else [] for row in (one, other)]
            return self.compare(target, value, *(rows[0] if rows else None for rows in ends))
        column = self.column(entity, name)
        a, b = (None if row is None else self.value(column, row) for row in (one, other))
        descending = value.startswith("DESC")
        nulls_first = value.endswith("FIRST") if "NULLS" in value else descending
        if a is None or b is None:
            return 0 if a is b else (-1 if (a is None) == nulls_first else 1)
        order = -1 if a < b else int(a > b)
        return -order if descending else order

    # --- filters: True, False or None, as in SQL ----------------------------------------

    def holds(self, entity: Entity, row: Row, where: dict[str, Any]) -> bool | None:
        return conjunction(self.part(entity, row, name, value) for name, value in where.items())

    def part(self, entity: Entity, row: Row, name: str, value: Any) -> bool | None:
        if name == "and":
            return conjunction(self.holds(entity, row, item) for item in value)
        if name == "or":
            return negation(conjunction(negation(self.holds(entity, row, item)) for item in value))
        if name == "not":
            return negation(self.holds(entity, row, value))
        relation = entity.relation(name)
        if relation is not None:
            target = self.model.entity(relation.target)
            if relation.to_many:
                return conjunction(self.quantified(entity, relation, row, *item) for item in value.items())
            return any(self.holds(target, other, value) is True for other in self.related(entity, relation, row))
        column = self.column(entity, name)
        stored = self.value(column, row)
        return conjunction(operate(column.type, operator, stored, operand) for operator, operand in value.items())

    def quantified(self, entity: Entity, relation: Relation, row: Row, quantifier: str, where: dict[str, Any]) -> bool:
        target = self.model.entity(relation.target)
        found = [self.holds(target, other, where) is True for other in self.related(entity, relation, row)]
        return {"some": any(found), "none": not any(found), "every": all(found)}[quantifier]


def literal(node: Any, *_: Any) -> Any:
    return node.value if isinstance(node, IntValueNode | FloatValueNode) else value_from_ast_untyped(node)


def conjunction(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return False if False in found else None if None in found else True


def negation(value: bool | None) -> bool | None:
    return None if value is None else not value


def operate(type_: ValueType, operator: str, stored: Any, operand: Any) -> bool | None:
    if operator == "isNull":
        return (stored is None) is operand
    if operand == [] and operator in ("in", "notIn"):
        # As in SQL: of no values, none equals the column and all differ from it, null or not.
        return operator == "notIn"
    if stored is None:
        return None
    if operator in ("like", "ilike", "startsWith", "endsWith", "contains"):
        return matches(operator, stored, operand)
    item = type_.item
    if isinstance(operand, list):
        operand = [parse_value(item, value) for value in operand]
    else:
        operand = parse_value(item, operand)
    match operator:
        case "eq":
            return bool(stored == operand)
        case "neq":
            return bool(stored != operand)
        case "gt":
            return bool(stored > operand)
        case "gte":
            return bool(stored >= operand)
        case "lt":
            return bool(stored < operand)
        case "lte":
            return bool(stored <= operand)
        case "in":
            return stored in operand
        case "notIn":
            return stored not in operand
        case "has":
            return True if operand in stored else None if None in stored else False
        case "hasAny":
            return any(value in stored for value in operand)
        case "hasAll":
            return all(value in stored for value in operand)
    raise AssertionError(operator)


def matches(operator: str, text: str, operand: str) -> bool:
    if operator == "startsWith":
        return text.startswith(operand)
    if operator == "endsWith":
        return text.endswith(operand)
    if operator == "contains":
        return operand in text
    pattern = ""
    characters = iter(operand)
    for character in characters:
        if character == "\\":
            pattern += re.escape(next(characters))
        else:
            pattern += {"%": ".*", "_": "."}.get(character, re.escape(character))
    # ASCII: the C collation folds no other letters.
    flags = re.DOTALL | re.ASCII | (re.IGNORECASE if operator == "ilike" else 0)
    return re.fullmatch(pattern, text, flags) is not None


def parse_value(type_: ValueType, value: Any) -> Any:
    match type_.name:
        case "ID" | "UUID":
            return uuid.UUID(value) if type_.sql == "uuid" else int(value) if "int" in type_.sql else value
        case "BigInt":
            return int(value)
        case "Decimal":
            return Decimal(str(value))
        case "DateTime":
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case "Float" if type_.sql == "real":
            return float32(value)
        case "Date":
            return date.fromisoformat(value)
        case "Time":
            return time.fromisoformat(value)
        case "Bytes":
            return base64.b64decode(value)
    return value


def output(type_: ValueType, value: Any) -> Any:
    if value is None:
        return None
    if type_.is_list:
        return [output(type_.item, item) for item in value]
    match type_.name:
        case "Decimal":
            return f"{value:f}"
        case "ID" | "UUID" | "BigInt":
            return str(value)
        case "DateTime":
            return without_zeros(value.astimezone(UTC).isoformat())
        case "Date" | "Time":
            return without_zeros(value.isoformat())
        case "Float" if type_.sql == "real":
            # The shortest text that a `real` reads as this value, as Postgres writes it.
            return next(found for n in range(1, 10) if float32(found := float(f"{value:.{n}g}")) == value)
        case "Bytes":
            return base64.b64encode(value).decode()
        case "JSON":
            return json.loads(value)
    return value


def without_zeros(text: str) -> str:
    """Postgres writes no zeros at the end of a fraction of a second."""
    return re.sub(r"\.(\d*?)0+(?=\D|$)", r".\1", text)


def float32(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found
