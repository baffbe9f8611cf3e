"""Random operations on a model, as Hypothesis strategies: they shrink to the smallest that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)
from hypothesis import strategies as st

from clew.model.measures import COUNT, FUNCTIONS, measured
from clew.model.operators import AT_PATH, Operand, operators, sortable
from clew.model.types import Column, Entity, FieldKind, Model, Relation, ValueType
from clew.schema.build import DIRECTIONS
from tests.properties.models import MOODS, TEXTS
from tests.reference import SEARCHES, Tables, leaf, output

UNITS = ("VALUE", "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
JSON_KEYS = ("", "a", "b", "x'y", "%", "0", "1", "-1", "data", "errors", "😀")
JSON_OPERANDS: tuple[Any, ...] = (
    *(True, 0, 1, 1.5, "", '😀"\\', "a", [], {}, [None, [1, {"b": 1}]], [None], {"data": {}}, {"b": 1, "a": [{}]}),
    *(10**30, [1.0], {"__proto__": 1}),
)
_MARK = re.compile(r"@\d+:\d+@")
PATTERNS = ("%", "", "_", "a%", "%\\%%", "\\\\", "A_", "%é%", "%😀", "a\\b", "%''%", "__")


@dataclass(frozen=True)
class Order:
    """An order of all rows of an entity. `field` is its connection under Query."""

    entity: str
    field: str
    order_by: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Operation:
    """A document and its variables.

    Cursors stand in it as `@order:number@`: of that row in one of the `orders`, which are
    those of all connections.
    """

    document: str
    variables: dict[str, Any]
    orders: tuple[Order, ...] = ()

    def __repr__(self) -> str:
        return f"\n{self.document}\n{json.dumps(self.variables, ensure_ascii=False)}"


@dataclass(frozen=True)
class Source:
    """What operations are about. `tables` holds the rows, so that operands are often values that are there."""

    model: Model
    schema: GraphQLSchema
    tables: Tables


Run = Callable[[str, dict[str, Any]], dict[str, Any]]


def answered(operation: Operation, schema: GraphQLSchema, run: Run) -> dict[str, Any]:
    """The response to an operation, in it for each cursor the place of its row in its order.

    Which order is left out: Clew takes some for one that are one.

    Args:
        run: gives the response to a document and its variables.
    """
    document, variables = operation.document, json.dumps(operation.variables)
    cursors: dict[str, str] = {}
    for number, order in enumerate(operation.orders):
        for place, cursor in enumerate(all_cursors(order, schema, run)):
            cursors.setdefault(cursor, f"row {place} of {order.entity}")
            mark, text = f'"@{number}:{place}@"', json.dumps(cursor)
            document, variables = document.replace(mark, text), variables.replace(mark, text)
    # Of an order without so many rows.
    document, variables = (re.sub(f'"{_MARK.pattern}"', "null", text) for text in (document, variables))
    found: dict[str, Any] = _with_places(run(document, json.loads(variables)), cursors)
    return found


def all_cursors(order: Order, schema: GraphQLSchema, run: Run) -> list[str]:
    """The cursors of all rows that may be seen, deleted ones among them."""
    known = schema.query_type.fields[order.field].args if schema.query_type else {}
    given = ["deleted: INCLUDE"] if "deleted" in known else []
    header, variables = "", {}
    if order.order_by:
        given.append("orderBy: $o")
        header, variables = f"query($o: [{order.entity}OrderBy!]) ", {"o": order.order_by}
    arguments = f"({', '.join(given)})" if given else ""
    response = run(f"{header}{{ {order.field}{arguments} {{ edges {{ cursor }} }} }}", variables)
    assert "errors" not in response, response
    return [edge["cursor"] for edge in response["data"][order.field]["edges"]]


def _with_places(value: Any, cursors: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_places(item, cursors) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_places(item, cursors) for item in value]
    return cursors.get(value, value) if isinstance(value, str) else value


def operations(source: Source) -> st.SearchStrategy[Operation]:
    """Queries of some root fields."""

    @st.composite
    def build(draw: st.DrawFn) -> Operation:
        return _Builder(draw, source).operation()

    return build()


def exports(source: Source) -> st.SearchStrategy[Operation]:
    """Queries of one list or groups, without connections."""

    @st.composite
    def build(draw: st.DrawFn) -> Operation:
        return _Exports(draw, source).operation()

    return build()


def filters(source: Source, entity: Entity) -> st.SearchStrategy[dict[str, Any]]:
    """Filter objects of the entity, as the JSON of a variable."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        return _Builder(draw, source).where(entity, 2)

    return build()


def orders(source: Source, entity: Entity) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Values of `orderBy`, as the JSON of a variable."""

    @st.composite
    def build(draw: st.DrawFn) -> list[dict[str, Any]]:
        return _Builder(draw, source).order_by(entity)

    return build()


@dataclass
class _Builder:
    draw: st.DrawFn
    source: Source
    variables: dict[str, Any] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    aliases: int = 0
    fields: int = 0

    # --- drawing ----------------------------------------------------------------------

    def chance(self, percent: int) -> bool:
        """False is what a failing example shrinks to."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def one(self, values: Any) -> Any:
        return self.draw(st.sampled_from(list(values)))

    def number(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    # --- the document -----------------------------------------------------------------

    def operation(self) -> Operation:
        roots = [self.root() for _ in range(1 + self.number(2))]
        if self.chance(10):
            roots.append("viewer { roles id __typename }")
        if self.chance(10):
            roots.insert(0, "__typename")
        if self.chance(20):
            # Introspection sends the generated part through graphql-core's executor as well.
            roots.append("__schema { queryType { name } }")
        selection = f"{{ {' '.join(roots)} }}"
        if self.chance(15):
            self.fragments.append(f"fragment AtRoot on Query {selection}")
            selection = "{ ...AtRoot }"
        header = f"query Q({', '.join(self.definitions)}) " if self.definitions else ""
        return Operation("\n".join([header + selection, *self.fragments]), self.variables, tuple(self.orders))

    def root(self) -> str:
        model = self.source.model
        entity = self.one(model.entities.values())
        names = [name for name, root in model.root_fields.items() if root.entity is entity and root.unique]
        if names and self.chance(35):
            name = self.one(names)
            unique = model.root_fields[name].unique
            assert unique is not None
            rows = self.source.tables.rows[entity.name]
            row = self.one(rows) if rows else None
            given = {}
            for key in unique:
                column = entity.column(key)
                assert column is not None
                here = output(column.type, row[column.column]) if row is not None else None
                given[key] = self.leaf(column.type) if here is None or self.chance(20) else here
            arguments = self.arguments("Query", name, given)
        else:
            kinds = [*FieldKind, FieldKind.LIST, FieldKind.CONNECTION]
            if not self.ways(entity, 2):
                # The schema may know keys that this model leaves out.
                kinds.remove(FieldKind.GROUPS)
            kind = self.kind("Query", entity.plural, kinds)
            return self.many("Query", entity.plural, entity, kind, 3)
        return f"{self.alias()}: {name}{arguments}{self.condition()} {self.selection(entity, 3)}"

    def kind(self, parent: str, name: str, kinds: Iterable[FieldKind]) -> FieldKind:
        """One of the fields that begin with `name`."""
        fields = self.definitions_of(parent)
        found: FieldKind = self.one([kind for kind in kinds if name + kind in fields])
        return found

    def definitions_of(self, parent: str) -> dict[str, GraphQLField]:
        type_ = self.source.schema.type_map[parent]
        assert isinstance(type_, GraphQLObjectType)
        fields: dict[str, GraphQLField] = type_.fields
        return fields

    def many(self, parent: str, name: str, entity: Entity, kind: FieldKind, depth: int) -> str:
        """A field over many rows under an alias."""
        name += kind
        known = self.definitions_of(parent)[name].args
        given = self.row_arguments(entity, known) if self.chance(80) else {}
        match kind:
            case FieldKind.LIST:
                given |= self.list_arguments(entity, known)
                selection = self.selection(entity, depth)
            case FieldKind.CONNECTION:
                given |= self.connection_arguments(entity, known)
                selection = self.connection(entity, depth)
            case FieldKind.AGGREGATE:
                selection = f"{{ {' '.join(self.measures(entity))} }}"
            case FieldKind.GROUPS:
                given |= self.group_arguments(entity)
                keys = self.keys([leaf(item)[0] for item in given["by"]])
                selection = f"{{ {keys} {' '.join(self.measures(entity))} }}"
        return f"{self.alias()}: {name}{self.arguments(parent, name, given)}{self.condition()} {selection}"

    def connection(self, entity: Entity, depth: int) -> str:
        parts = []
        for _ in range(1 + self.number(3)):
            match self.number(6):
                case 0:
                    parts.append("totalCount")
                case 1:
                    parts.append(f"nodes {self.selection(entity, depth - 1)}")
                case 2 | 3:
                    parts.append("pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename }")
                case 4 | 5:
                    node = f" node {self.selection(entity, depth - 1)}" if self.chance(70) else ""
                    parts.append(f"edges {{ cursor{node} }}")
                case _:
                    parts.append(self.one(("__typename", "p: pageInfo { p: hasPreviousPage n: hasNextPage }")))
        return f"{{ {' '.join(parts)} }}"

    def measures(self, entity: Entity) -> list[str]:
        parts = ["count"] if self.chance(60) else ["__typename"]
        for function, column in self.measurable(entity):
            if self.chance(30):
                parts.append(f"{function} {{ {column.name} }}")
        return parts

    def measurable(self, entity: Entity) -> list[tuple[str, Column]]:
        """The functions of columns, those left out whose result depends on the order of addition."""
        return [
            (function, column)
            for column in entity.columns
            for function in FUNCTIONS
            if not column.hidden and measured(function, column.type)
            if function not in ("sum", "avg") or column.type.name != "Float" or self.is_exact(entity, column)
        ]

    def is_exact(self, entity: Entity, column: Column) -> bool:
        """Whether any sum of a column's floats is exact."""
        values = [abs(row[column.column] or 0.0) * 4 for row in self.source.tables.rows[entity.name]]
        return all(value.is_integer() for value in values) and sum(values) < 2**53

    def keys(self, paths: list[tuple[str, ...]]) -> str:
        below: dict[str, list[tuple[str, ...]]] = {}
        for name, *rest in paths:
            below.setdefault(name, []).append(tuple(rest))
        parts = [name if rests == [()] else self.keys(rests).replace("key", name, 1) for name, rests in below.items()]
        return f"key {{ {' '.join(parts)} }}"

    def alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"

    def condition(self) -> str:
        """Perhaps `@skip` or `@include`, the outcome mostly to keep the field."""
        if not self.chance(12):
            return ""
        name = self.one(("skip", "include"))
        value = self.chance(30) is (name == "skip")
        text = json.dumps(value)
        if self.chance(50):
            text = self.variable("Boolean!", value, json.dumps(not value) if self.chance(30) else None, text)
        both = (
            f" @{'include' if name == 'skip' else 'skip'}(if: {json.dumps(name == 'skip')})" if self.chance(10) else ""
        )
        return f" @{name}(if: {text}){both}"

    def selection(self, entity: Entity, depth: int) -> str:
        again: list[tuple[str, Entity]] = []
        parts = [self.selected(entity, depth, again) for _ in range(1 + self.number(3))]
        if again and self.chance(35):
            # The same field once more with other subfields: they merge.
            head, target = self.one(again)
            parts.append(f"{head} {self.selection(target, depth - 1)}")
        return f"{{ {' '.join(parts)} }}"

    def selected(self, entity: Entity, depth: int, again: list[tuple[str, Entity]]) -> str:
        self.fields += 1
        columns = [column for column in entity.columns if not column.hidden]
        relations = [relation for relation in entity.relations if not relation.hidden]
        way = self.number(9)
        if way >= 5 and relations and depth > 0 and self.fields < 40:
            relation = self.one(relations)
            target = self.source.model.entity(relation.target)
            given: dict[str, Any] = {}
            if relation.to_many:
                kind = self.kind(
                    entity.name, relation.name, (FieldKind.LIST, FieldKind.CONNECTION, FieldKind.AGGREGATE)
                )
                if kind is not FieldKind.LIST:
                    return self.many(entity.name, relation.name, target, kind, depth - 1)
                known = self.definitions_of(entity.name)[relation.name].args
                if self.chance(70):
                    given = self.row_arguments(target, known) | self.list_arguments(target, known)
            arguments = self.arguments(entity.name, relation.name, given)
            head = relation.name if not arguments and self.chance(50) else f"{self.alias()}: {relation.name}{arguments}"
            again.append((head, target))
            return f"{head}{self.condition()} {self.selection(target, depth - 1)}"
        if way == 4 and depth > 0 and self.fields < 40:
            inner = self.selection(entity, depth - 1)
            if self.chance(50):
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {entity.name} {inner}")
                twice = f" ...{name}" if self.chance(20) else ""
                return f"...{name}{self.condition()}{twice}"
            on = f" on {entity.name}" if self.chance(50) else ""
            return f"...{on}{self.condition()} {inner}"
        if way == 3 or not columns:
            return f"{self.alias()}: __typename" if self.chance(50) else "__typename"
        column = self.one(columns)
        alias = f"{self.alias()}: " if self.chance(25) else ""
        return f"{alias}{column.name}{self.condition()}"

    # --- arguments --------------------------------------------------------------------

    def arguments(self, parent: str, name: str, given: dict[str, Any]) -> str:
        type_ = self.source.schema.type_map[parent]
        assert isinstance(type_, GraphQLObjectType)
        definitions = type_.fields[name].args
        texts = [f"{key}: {self.render(value, definitions[key].type)}" for key, value in given.items()]
        if not given and self.chance(5) and "where" in definitions:
            # A nullable variable that is not given: as if the argument were not there.
            self.definitions.append(f"$v{len(self.definitions)}: {definitions['where'].type}")
            texts.append(f"where: $v{len(self.definitions) - 1}")
        return f"({', '.join(texts)})" if texts else ""

    def row_arguments(self, entity: Entity, known: Collection[str]) -> dict[str, Any]:
        """Which rows; `known` are the arguments that there are."""
        given: dict[str, Any] = {}
        if self.chance(60):
            given["where"] = None if self.chance(4) else self.where(entity, 2)
        if "search" in known and self.chance(40):
            given["search"] = None if self.chance(4) else self.one(SEARCHES)
        if "deleted" in known and self.chance(30):
            given["deleted"] = self.one(("INCLUDE", "ONLY", None))
        return given

    def list_arguments(self, entity: Entity, known: Collection[str]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.chance(50) and "orderBy" in known:
            given["orderBy"] = None if self.chance(4) else self.order_by(entity)
        if self.chance(30):
            given["limit"] = self.one((None, 0, 1, 2, 3, 1000, 2**31 - 1))
        if self.chance(20):
            given["offset"] = self.one((None, 0, 1, 2, 2**31 - 1))
        return given

    def connection_arguments(self, entity: Entity, known: Collection[str]) -> dict[str, Any]:
        order = self.order_by(entity) if "orderBy" in known and self.chance(60) else None
        self.orders.append(Order(entity.name, entity.plural + FieldKind.CONNECTION, order))
        given: dict[str, Any] = {} if order is None else {"orderBy": order}
        if self.chance(85):
            given[self.one(("first", "last"))] = self.one((1, 2, 3, 0, 1, 2, None, 2**31 - 1))
        for name in ("after", "before"):
            if self.chance(35):
                given[name] = f"@{len(self.orders) - 1}:{self.number(5)}@" if self.chance(95) else None
        return given

    def group_arguments(self, entity: Entity) -> dict[str, Any]:
        by = {leaf(item)[0]: item for item in (self.group_key(entity, 2) for _ in range(1 + self.number(2)))}
        given: dict[str, Any] = {"by": list(by.values())}
        if self.chance(60) and self.has_zones(entity, by):
            given["timeZone"] = self.one((*ZONES, None))
        if self.chance(50):
            order: list[dict[str, Any]] = []
            for _ in range(self.number(2)):
                if self.chance(50):
                    key: Any = self.one(DIRECTIONS)
                    for name in reversed(self.one(by)):
                        key = {name: key}
                    order.append({"key": key})
                else:
                    order.append(self.measure_order(entity))
            given["orderBy"] = order
        if self.chance(30):
            given["limit"] = self.one((None, 0, 1, 2, 1000))
        return given

    def group_key(self, entity: Entity, depth: int) -> dict[str, Any]:
        ways = self.ways(entity, depth)
        way = self.one(ways)
        if not isinstance(way, Column):
            return {way.name: self.group_key(self.source.model.entity(way.target), depth - 1)}
        units = {"DateTime": len(UNITS), "Date": 5}.get(way.type.name, 1)
        return {way.name: self.one(UNITS[:units])}

    def ways(self, entity: Entity, depth: int) -> list[Column | Relation]:
        """The sortable columns, and to-ones that lead to some."""
        columns = [column for column in entity.columns if not column.hidden and sortable(column.type)]
        if not depth:
            return [*columns]
        return columns + [
            relation
            for relation in entity.relations
            if not relation.hidden and not relation.to_many
            if any(sortable(c.type) and not c.hidden for c in self.source.model.entity(relation.target).columns)
        ]

    def has_zones(self, entity: Entity, paths: Iterable[tuple[str, ...]]) -> bool:
        """Whether every moment grouped by is one in any zone, for Python knows no years before the first."""
        rows = self.source.tables.rows[entity.name]
        values = [value for row in rows for value in row.values() if isinstance(value, datetime)]
        return all(1 < value.year < 9999 for value in values) and all(len(path) == 1 for path in paths)

    def order_by(self, entity: Entity) -> list[dict[str, Any]]:
        return [self.order_key(entity, 2) for _ in range(self.number(3))] if self.order_ways(entity, 2) else []

    def order_key(self, entity: Entity, depth: int) -> dict[str, Any]:
        way = self.one(self.order_ways(entity, depth))
        if isinstance(way, Column):
            return {way.name: self.one(DIRECTIONS)}
        target = self.source.model.entity(way.target)
        if way.to_many:
            return {way.name + FieldKind.AGGREGATE: self.measure_order(target)}
        return {way.name: self.order_key(target, depth - 1)}

    def order_ways(self, entity: Entity, depth: int) -> list[Any]:
        many = [relation for relation in entity.relations if relation.to_many and not relation.hidden]
        return [*self.ways(entity, depth), *many]

    def measure_order(self, entity: Entity) -> dict[str, Any]:
        measures = self.measurable(entity)
        if not measures or self.chance(30):
            return {"count": self.one(DIRECTIONS)}
        function, column = self.one(measures)
        return {function: {column.name: self.one(DIRECTIONS)}}

    def where(self, entity: Entity, depth: int) -> dict[str, Any]:
        where: dict[str, Any] = {}
        for _ in range(self.number(2) + (depth == 2)):
            kind = self.number(9)
            relations = [r for r in entity.relations if not r.hidden]
            columns = [column for column in entity.columns if not column.hidden]
            if kind >= 7 and depth:
                name = self.one(("and", "or", "not"))
                if name == "not":
                    where[name] = self.where(entity, depth - 1)
                else:
                    where[name] = [self.where(entity, depth - 1) for _ in range(self.number(2))]
            elif kind >= 5 and depth and relations:
                relation = self.one(relations)
                inner = self.where(self.source.model.entity(relation.target), depth - 1)
                if relation.to_many and self.chance(50):
                    where[relation.name + FieldKind.AGGREGATE] = self.aggregated(relation, inner)
                    continue
                quantifier = self.one(("some", "none", "every"))
                where[relation.name] = {quantifier: inner} if relation.to_many else inner
            elif columns:
                column = self.one(columns)
                where[column.name] = self.conditions(column.type)
        return where

    def aggregated(self, relation: Relation, where: dict[str, Any]) -> dict[str, Any]:
        """What the rows of a to-many must come to."""
        found: dict[str, Any] = {"where": where} if self.chance(50) else {}
        measures = self.measurable(self.source.model.entity(relation.target))
        for _ in range(self.number(2)):
            if not measures or self.chance(40):
                found["count"] = {self.one(("eq", "neq", "gt", "lte")): self.number(3)}
                continue
            function, column = self.one(measures)
            type_ = measured(function, column.type)
            assert type_ is not None
            conditions = {"gt": self.number(2)} if type_ == COUNT else self.conditions(type_)
            found.setdefault(function, {})[column.name] = conditions
        return found

    def conditions(self, type_: ValueType) -> dict[str, Any]:
        known = operators(type_)
        found: dict[str, Any] = {}
        for _ in range(1 if self.chance(90) else self.number(2)):
            name = self.one(known)
            match known[name]:
                case Operand.SAME | Operand.ITEM:
                    found[name] = self.leaf(type_)
                case Operand.LIST:
                    found[name] = [self.leaf(type_) for _ in range(self.number(3))]
                case Operand.PATHS:
                    found[name] = [self.at_path() for _ in range(self.number(2))]
                case Operand.TEXT if type_.name == "JSON":
                    found[name] = self.one(JSON_KEYS)
                case Operand.TEXT:
                    found[name] = self.one(PATTERNS) if name.endswith("like") else self.one(TEXTS)
                case Operand.BOOLEAN:
                    found[name] = self.chance(50)
        return found

    def at_path(self) -> dict[str, Any]:
        """Conditions on a part of a JSON value."""
        found: dict[str, Any] = {"at": [self.one(JSON_KEYS) for _ in range(self.number(2))]}
        for _ in range(self.number(2)):
            name = self.one(AT_PATH)
            match AT_PATH[name]:
                case Operand.LIST:
                    found[name] = [self.one(JSON_OPERANDS) for _ in range(self.number(2))]
                case Operand.BOOLEAN:
                    found[name] = self.chance(50)
                case Operand.TEXT:
                    found[name] = self.one(PATTERNS if name.endswith("like") else JSON_KEYS)
                case _ if name in ("gt", "gte", "lt", "lte"):
                    found[name] = self.one((0, 1.5, "", "a", True, False))
                case _:
                    found[name] = self.one(JSON_OPERANDS)
        return found

    def leaf(self, type_: ValueType) -> Any:
        """A value of the (item) type in JSON, mostly one that some row holds."""
        if type_.name == "JSON":
            return self.one(JSON_OPERANDS)
        pool: list[Any] = []
        for entity in self.source.model.entities.values():
            for other in entity.columns:
                if other.type.name == type_.name and other.type.sql == type_.sql and not other.computed:
                    for row in self.source.tables.rows[entity.name]:
                        value = row[other.column]
                        items = value if isinstance(value, list) else [value]
                        pool += [output(other.type.item, item) for item in items if item is not None]
        edges = _edges(type_.item)
        if type_.sql == "smallint" and type_.is_list:
            # Arrays compare with arrays of the same type alone: what is no smallint is refused.
            edges = (0, 1, -(2**15))
        value = self.one(pool) if pool and self.chance(70) else self.one(edges)
        if type_.name == "BigInt" and self.chance(30):
            return int(value)
        return value

    # --- values -----------------------------------------------------------------------

    def render(self, value: Any, type_: GraphQLInputType, *, exact: bool = False) -> str:
        """The value as a literal, or a variable, or a literal with variables in it.

        Args:
            exact: a variable here must be of the non-null type (items of lists, members of @oneOf).
        """
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        required = exact or isinstance(type_, GraphQLNonNull)
        if self.chance(25) and not (value is None and required):
            # There may be no row where a cursor should be of one: then it is null.
            is_given = value is not None and not (isinstance(value, str) and _MARK.fullmatch(value))
            name = f"{nullable}!" if required or (is_given and self.chance(30)) else str(nullable)
            default = self.literal(value, nullable) if self.chance(20) else None
            return self.variable(name, value, default, default)
        if value is None:
            return "null"
        if isinstance(nullable, GraphQLList):
            items = value if isinstance(value, list) else [value]
            if len(items) == 1 and self.chance(20):
                # A list of one may be written without brackets, if no variable stands for the one.
                return self.literal(items[0], nullable.of_type)
            return f"[{', '.join(self.render(item, nullable.of_type) for item in items)}]"
        if isinstance(nullable, GraphQLInputObjectType):
            parts = [
                f"{k}: {self.render(v, self.field_type(nullable, k), exact=nullable.is_one_of)}"
                for k, v in value.items()
            ]
            return f"{{{', '.join(parts)}}}"
        return self.literal(value, nullable)

    def field_type(self, type_: GraphQLInputObjectType, name: str) -> GraphQLInputType:
        found: GraphQLInputField = type_.fields[name]
        return found.type

    def literal(self, value: Any, type_: GraphQLInputType) -> str:
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        if value is None:
            return "null"
        if isinstance(type_, GraphQLList):
            items = value if isinstance(value, list) else [value]
            return f"[{', '.join(self.literal(item, type_.of_type) for item in items)}]"
        if isinstance(type_, GraphQLInputObjectType):
            parts = [f"{key}: {self.literal(item, self.field_type(type_, key))}" for key, item in value.items()]
            return f"{{{', '.join(parts)}}}"
        if isinstance(type_, GraphQLEnumType):
            return str(value)
        if type_.name == "Decimal" and self.chance(30):
            return str(value).lower()
        # Keys without quotes.
        return re.sub(r'"(\w+)": ', r"\1: ", json.dumps(value)) if isinstance(value, dict | list) else json.dumps(value)

    def variable(self, type_: str, value: Any, default: str | None, literal: str | None) -> str:
        """A new variable with this value, given, or left to its default where that is the value."""
        name = f"v{len(self.definitions)}"
        self.definitions.append(f"${name}: {type_}{'' if default is None else f' = {default}'}")
        if default is None or default != literal or self.chance(50):
            self.variables[name] = value
        return f"${name}"


class _Exports(_Builder):
    def operation(self) -> Operation:
        entity = self.one(self.source.model.entities.values())
        kinds = [FieldKind.LIST, FieldKind.LIST, FieldKind.LIST, *([FieldKind.GROUPS] if self.ways(entity, 2) else [])]
        root = self.many("Query", entity.plural, entity, self.kind("Query", entity.plural, kinds), 3)
        header = f"query Q({', '.join(self.definitions)}) " if self.definitions else ""
        return Operation("\n".join([f"{header}{{ {root} }}", *self.fragments]), self.variables)

    def kind(self, parent: str, name: str, kinds: Iterable[FieldKind]) -> FieldKind:
        return super().kind(parent, name, [kind for kind in kinds if kind is not FieldKind.CONNECTION])


def _edges(type_: ValueType) -> tuple[Any, ...]:
    if type_.is_enum:
        return MOODS
    match type_.name:
        case "ID" if type_.sql == "bigint":
            return ("0", "-9223372036854775808", 7)
        case "ID" | "UUID" if type_.sql == "uuid":
            return ("00000000-0000-0000-0000-000000000000", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")
        case "Int":
            return (0, 1, 2, -(2**31), 2**31 - 1)
        case "BigInt":
            return ("0", "1", "-9223372036854775808", "9223372036854775807")
        case "Float":
            return (0, 0.5, -1e300 if type_.sql != "real" else -1e30, 3)
        case "Decimal":
            return ("0", "1", "1.0000", "0.5", "99999999999999999999.5")
        case "Boolean":
            return (True, False)
        case "DateTime":
            return ("2026-03-29T01:00:00.000001Z", "2026-01-01T00:00:00+14:00", "1970-01-01 00:00", "9999-12-31T00:00Z")
        case "Date":
            return ("2026-01-01", "0001-01-02", "9999-12-30")
        case "Time":
            return ("00:00", "12:00:00.5", "23:59:59.999999")
        case "Bytes":
            return ("", "AA==", "////")
    return TEXTS
