"""A naive second implementation of the reads: graphql-core's executor over rows held in Python.

It shares the model with Clew and nothing else: no plan, no SQL, no schema objects (the
schema is built from Clew's printed SDL). Slow and simple on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cmp_to_key, lru_cache, partial
from itertools import combinations
from typing import Any, TypeVar

import asyncpg
from graphql import (
    DocumentNode,
    FloatValueNode,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    build_schema,
    execute_sync,
    parse,
    value_from_ast_untyped,
)

from clew.model.measures import COUNT, FUNCTIONS, measured
from clew.model.types import Column, Entity, FieldKind, Model, Relation, RelationKind, Through, ValueType
from clew.sql.literals import quote_name, quote_text
from tests.naive import at_path, json_operate, measure, truncated

T = TypeVar("T")
Row = dict[str, Any]
# The values that a row is sorted by, each with its direction.
Place = list[tuple[Any, str]]

COMPUTED = "computed: "
# What random operations search for: Postgres says at loading which rows have it.
SEARCHES = (
    "fox",
    "quick foxes",
    '"brown fox"',
    "fox -quick",
    "or",
    "hats or -fox",
    "the",
    "",
    "'&|!(:*<->\\",
    "été A",
    "rail or quiet",
)


@dataclass
class Tables:
    """Every row of every entity: by SQL column, computed columns under `COMPUTED` and their API name.

    Under `searched` there is whether a row has each of `SEARCHES`.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    async def load(cls, url: str, model: Model) -> Tables:
        """Read the whole database."""
        connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
        try:
            return await cls.read(connection, model)
        finally:
            await connection.close()

    @classmethod
    async def read(cls, connection: asyncpg.Connection[Any], model: Model) -> Tables:
        """Read the whole database over a connection, as its transaction sees it."""
        tables = cls()
        for entity in model.entities.values():
            computed = "".join(f', ({c.computed.sql}) AS "{COMPUTED}{c.name}"' for c in entity.columns if c.computed)
            found = ", ".join(["*", *search_columns(entity)])
            records = await connection.fetch(f"SELECT {found}{computed} FROM {table_sql(entity)}")
            tables.rows[entity.name] = [{k: in_utc(value) for k, value in record.items()} for record in records]
        return tables


def table_sql(entity: Entity) -> str:
    """The entity's table as SQL."""
    names = [name for name in (entity.schema, entity.table) if name is not None]
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def emptying(model: Model) -> str:
    """Return SQL that empties all tables, and leaves foreign keys unchecked for the rest of the transaction.

    TRUNCATE would make each table and index a new file, which takes longer than to delete some rows.
    """
    tables = [table_sql(entity) for entity in model.entities.values() if entity.view_sql is None]
    # Foreign keys are triggers.
    return "; ".join(["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {table}" for table in tables)])


def searched(fields: Iterable[str], search: str) -> str:
    """Where a row says whether these fields of it have the words."""
    return f"{','.join(sorted(fields))} have {SEARCHES.index(search)}"


def search_columns(entity: Entity) -> Iterable[str]:
    """As SQL, for each choice of the `@search` fields and each of SEARCHES, whether they have it."""
    for count in range(len(entity.search) + 1):
        for parts in combinations(entity.search, count):
            vectors = ["''::tsvector"]
            for part in parts:
                name = quote_name(next(c.column for c in entity.columns if c.name == part.column))
                vectors.append(f"to_tsvector({quote_text(part.language)}, coalesce({name}, ''))")
            languages = {part.language for part in entity.search}
            for search in SEARCHES if languages else ():
                queries = [f"websearch_to_tsquery({quote_text(one)}, {quote_text(search)})" for one in languages]
                alias = quote_name(searched([part.column for part in parts], search))
                yield f"({' || '.join(vectors)}) @@ ({' || '.join(queries)}) AS {alias}"


def in_utc(value: Any) -> Any:
    """A moment of a column without zone is one in UTC."""
    if isinstance(value, list):
        return [in_utc(item) for item in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


@lru_cache(maxsize=8)
def schema_of(sdl: str) -> GraphQLSchema:
    """Return the schema that is printed so. Viewers with the same roles share it."""
    schema = build_schema(sdl, no_location=True)
    decimal = schema.type_map.get("Decimal")
    if isinstance(decimal, GraphQLScalarType):
        # By itself graphql-core would read a number in a document as a float.
        decimal.coerce_input_literal = literal
    return schema


class Reference:
    """Answers queries over `tables` as an admin.

    Args:
        sdl: the API's schema as Clew prints it.
    """

    def __init__(self, model: Model, tables: Tables, sdl: str) -> None:
        self.model = model
        self.tables = tables
        self.sdl = sdl
        self.cursors: dict[str, Place] = {}

    @property
    def schema(self) -> GraphQLSchema:
        return schema_of(self.sdl)

    def execute(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The response to an operation: `data` and, with errors, their number."""
        result = execute_sync(
            self.schema, parsed(document), variable_values=variables or {}, field_resolver=self.resolve
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
            root = self.model.root_fields[name]
            rows = self.visible(root.entity, arguments.get("deleted"))
            if root.unique is None:
                return self.many(root.entity, root.kind, rows, arguments)
            columns = [self.column(root.entity, key) for key in root.unique]
            found = [
                row
                for row in rows
                if all(self.value(c, row) == parse_value(c.type, arguments[c.name]) for c in columns)
            ]
            return (root.entity, found[0]) if found else None
        if isinstance(source, dict):
            value = source[name]
            return value() if callable(value) else value
        entity, row = source
        column = entity.column(name)
        if column is not None:
            return output(column.type, self.value(column, row))
        many = entity.many(name)
        if many is not None:
            relation, kind = many
            rows = self.related(entity, relation, row, arguments.get("deleted"))
            return self.many(self.model.entity(relation.target), kind, rows, arguments)
        relation = entity.relation(name)
        assert relation is not None, name
        rows = self.related(entity, relation, row)
        return (self.model.entity(relation.target), rows[0]) if rows else None

    def column(self, entity: Entity, name: str) -> Column:
        column = entity.column(name)
        assert column is not None
        return column

    def value(self, column: Column, row: Row) -> Any:
        return row[COMPUTED + column.name if column.computed else column.column]

    def ties(self, entity: Entity, row: Row) -> Place:
        """What rows are ordered by in the end: the primary key."""
        return [(self.value(column, row), "ASC") for column in entity.key_columns]

    def visible(self, entity: Entity, deleted: str | None = None) -> list[Row]:
        column, rows = entity.soft_delete, self.tables.rows[entity.name]
        if column is None or deleted == "INCLUDE":
            return rows
        return [row for row in rows if (row[column.column] is None) is (deleted is None)]

    def links(self, through: Through) -> list[Row]:
        """The rows of a many-to-many's link that a relation follows."""
        return self.visible(self.model.entity(through.entity))

    def related(self, entity: Entity, relation: Relation, row: Row, deleted: str | None = None) -> list[Row]:
        rows = self.visible(self.model.entity(relation.target), deleted)
        if relation.kind is not RelationKind.MANY_TO_MANY:
            return [other for other in rows if self.joined(row, other, relation.on)]
        assert relation.through is not None
        links = [link for link in self.links(relation.through) if self.joined(row, link, relation.through.local)]
        return [other for other in rows if any(self.joined(link, other, relation.through.remote) for link in links)]

    def open_search(self, entity: Entity, row: Row) -> list[str]:
        """The `@search` fields of a row that may be looked at."""
        return [part.column for part in entity.search]

    def joined(self, row: Row, other: Row, pairs: Iterable[tuple[str, str]]) -> bool:
        return all(row[local] is not None and row[local] == other[remote] for local, remote in pairs)

    # --- many rows --------------------------------------------------------------------

    def many(self, entity: Entity, kind: FieldKind, rows: list[Row], arguments: dict[str, Any]) -> Any:
        where, search = arguments.get("where"), arguments.get("search")
        if where is not None:
            rows = [row for row in rows if self.holds(entity, row, where) is True]
        if search is not None:
            rows = [row for row in rows if row[searched(self.open_search(entity, row), search)]]
        if kind is FieldKind.AGGREGATE:
            return self.aggregate(entity, rows)
        if kind is FieldKind.GROUPS:
            return self.groups(entity, rows, arguments)
        keys = arguments.get("orderBy") or ()
        placed = in_order([(self.place(entity, keys, row), row) for row in rows])
        if kind is FieldKind.CONNECTION:
            return self.connection(entity, placed, arguments)
        return [(entity, row) for _, row in cut(placed, arguments)]

    def place(self, entity: Entity, keys: Iterable[dict[str, Any]], row: Row) -> Place:
        return [*(self.key(entity, key, row) for key in keys), *self.ties(entity, row)]

    def key(self, entity: Entity, key: dict[str, Any], row: Row | None) -> tuple[Any, str]:
        """The value of one key of an order, and its direction."""
        ((name, value),) = key.items()
        column = entity.column(name)
        if column is not None:
            return None if row is None else self.value(column, row), value
        many = entity.many(name)
        relation = entity.relation(name) if many is None else many[0]
        assert relation is not None
        target = self.model.entity(relation.target)
        rows = [] if row is None else self.related(entity, relation, row)
        if many is None:
            return self.key(target, value, rows[0] if rows else None)
        ((function, value),) = value.items()
        if function == "count":
            return None if row is None else len(rows), value
        ((name, value),) = value.items()
        return None if row is None else self.measure(function, self.column(target, name), rows), value

    def connection(self, entity: Entity, placed: list[tuple[Place, Row]], arguments: dict[str, Any]) -> dict[str, Any]:
        after, before = (self.cursors.get(arguments.get(name) or "") for name in ("after", "before"))
        first, last = arguments.get("first"), arguments.get("last")
        start = 0 if after is None else sum(compare(place, after) <= 0 for place, _ in placed)
        end = len(placed) if before is None else sum(compare(place, before) < 0 for place, _ in placed)
        page = placed[start:end]
        more = first is not None and len(page) > first
        fewer = last is not None and len(page) > last
        page = page[:first] if last is None else page[-last:] if last else []
        edges: list[dict[str, Any]] = [
            {"cursor": self.cursor(entity, place), "node": (entity, row)} for place, row in page
        ]
        return {
            "edges": edges,
            "nodes": [edge["node"] for edge in edges],
            "totalCount": len(placed),
            "pageInfo": {
                "hasNextPage": more or end < len(placed),
                "hasPreviousPage": fewer or start > 0,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    def cursor(self, entity: Entity, place: Place) -> str:
        cursor = hashlib.sha256(repr((entity.name, place)).encode()).hexdigest()
        self.cursors[cursor] = place
        return cursor

    def measure(self, function: str, column: Column, rows: list[Row]) -> Any:
        return measure(function, column.type, [self.value(column, row) for row in rows])

    def aggregate(self, entity: Entity, rows: list[Row]) -> dict[str, Any]:
        def measures(function: str) -> dict[str, Any]:
            types = ((column, measured(function, column.type)) for column in entity.columns)
            return {
                column.name: partial(lambda c, t: output(t, self.measure(function, c, rows)), column, type_)
                for column, type_ in types
                if type_ is not None
            }

        return {"count": len(rows), **{function: measures(function) for function in FUNCTIONS}}

    def groups(self, entity: Entity, rows: list[Row], arguments: dict[str, Any]) -> list[dict[str, Any]]:
        by = [leaf(item) for item in arguments["by"]]
        zone = arguments.get("timeZone")
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            values = (self.follow(entity, names, row) for names, _ in by)
            key = tuple(truncated(unit, value, zone) for value, (_, unit) in zip(values, by, strict=True))
            found.setdefault(key, []).append(row)

        def place(key: tuple[Any, ...], members: list[Row]) -> Place:
            own: Place = []
            for item in arguments.get("orderBy") or ():
                ((function, value),) = item.items()
                if function == "key":
                    names, direction = leaf(value)
                    own.append((key[[path for path, _ in by].index(names)], direction))
                elif function == "count":
                    own.append((len(members), value))
                else:
                    ((name, direction),) = value.items()
                    own.append((self.measure(function, self.column(entity, name), members), direction))
            return [*own, *((value, "ASC") for value in key)]

        placed = in_order([(place(key, members), (key, members)) for key, members in found.items()])
        groups = []
        for _, (key, members) in cut(placed, arguments):
            keys: dict[str, Any] = {}
            for (names, _), value in zip(by, key, strict=True):
                place_ = keys
                for name in names[:-1]:
                    place_ = place_.setdefault(name, {})
                place_[names[-1]] = output(self.end(entity, names).type, value)
            groups.append({"key": keys, **self.aggregate(entity, members)})
        return groups

    def end(self, entity: Entity, names: tuple[str, ...]) -> Column:
        """The column at the end of a path of to-ones."""
        for name in names[:-1]:
            relation = entity.relation(name)
            assert relation is not None
            entity = self.model.entity(relation.target)
        return self.column(entity, names[-1])

    def follow(self, entity: Entity, names: tuple[str, ...], row: Row) -> Any:
        """The value at the end of a path of to-ones."""
        relation = entity.relation(names[0])
        if relation is None:
            return self.value(self.column(entity, names[0]), row)
        rows = self.related(entity, relation, row)
        return self.follow(self.model.entity(relation.target), names[1:], rows[0]) if rows else None

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
        many = entity.many(name)
        if many is not None and many[1] is FieldKind.AGGREGATE:
            return self.aggregated(entity, many[0], row, value)
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

    def aggregated(self, entity: Entity, relation: Relation, row: Row, given: dict[str, Any]) -> bool | None:
        target = self.model.entity(relation.target)
        where = given.get("where", {})
        rows = [o for o in self.related(entity, relation, row) if self.holds(target, o, where) is True]
        found: list[bool | None] = []
        for function, value in given.items():
            if function == "count":
                found += [operate(COUNT, operator, len(rows), operand) for operator, operand in value.items()]
            elif function != "where":
                for name, conditions in value.items():
                    column = self.column(target, name)
                    type_, stored = measured(function, column.type), self.measure(function, column, rows)
                    assert type_ is not None
                    found += [operate(type_, operator, stored, operand) for operator, operand in conditions.items()]
        return conjunction(found)


def compare(one: Place, other: Place) -> int:
    """Which of two rows comes first: below zero the one, above it the other."""
    for (a, direction), (b, _) in zip(one, other, strict=True):
        descending = direction.startswith("DESC")
        nulls_first = direction.endswith("FIRST") if "NULLS" in direction else descending
        if a is None or b is None:
            order = 0 if a is b else (-1 if (a is None) == nulls_first else 1)
        else:
            order = (-1 if a < b else int(a > b)) * (-1 if descending else 1)
        if order:
            return order
    return 0


def in_order(placed: list[tuple[Place, T]]) -> list[tuple[Place, T]]:
    """The same, sorted by their places."""

    def which_first(one: tuple[Place, T], other: tuple[Place, T]) -> int:
        return compare(one[0], other[0])

    return sorted(placed, key=cmp_to_key(which_first))


def cut(items: list[Any], arguments: dict[str, Any]) -> list[Any]:
    """What `limit` and `offset` leave."""
    start, limit = arguments.get("offset") or 0, arguments.get("limit")
    return items[start:] if limit is None else items[start : start + limit]


def leaf(item: Any) -> tuple[tuple[str, ...], str]:
    """A path of one-key objects, and what stands at its end."""
    names: tuple[str, ...] = ()
    while isinstance(item, dict):
        ((name, item),) = item.items()
        names = (*names, name)
    return names, item


@lru_cache(maxsize=16)
def parsed(document: str) -> DocumentNode:
    return parse(document, no_location=True)


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
    if type_.name == "JSON":
        stored = json.loads(stored)
        if operator != "path":
            return json_operate(operator, stored, operand)
        return conjunction(at(stored, condition) for condition in (operand if isinstance(operand, list) else [operand]))
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


def at(stored: Any, condition: dict[str, Any]) -> bool | None:
    """The conditions on what is at a path of a JSON value."""
    part = at_path(stored, condition["at"])
    found: list[bool | None] = []
    for operator, operand in condition.items():
        if operator == "isNull":
            found.append((part is None) is operand)
        elif operator == "in" and operand == []:
            found.append(False)
        elif operator in ("like", "ilike"):
            found.append(matches(operator, part, operand) if isinstance(part, str) else None)
        elif operator != "at":
            found.append(None if part is None else json_operate(operator, part, operand))
    return conjunction(found)


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
