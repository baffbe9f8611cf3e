"""Random operations on a model, as Hypothesis strategies: they shrink to the smallest that fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)
from hypothesis import strategies as st

from clew.model.operators import Operand, operators, sortable
from clew.model.types import Column, Entity, Model, ValueType
from clew.schema.build import DIRECTIONS
from tests.properties.models import MOODS, TEXTS
from tests.reference import Tables, output

PATTERNS = ("%", "", "_", "a%", "%\\%%", "\\\\", "A_", "%é%", "%😀", "a\\b", "%''%", "__")


@dataclass(frozen=True)
class Operation:
    """A document and its variables."""

    document: str
    variables: dict[str, Any]

    def __repr__(self) -> str:
        return f"\n{self.document}\n{json.dumps(self.variables, ensure_ascii=False)}"


@dataclass(frozen=True)
class Source:
    """What operations are about. `tables` holds the rows, so that operands are often values that are there."""

    model: Model
    schema: GraphQLSchema
    tables: Tables


def operations(source: Source) -> st.SearchStrategy[Operation]:
    """Queries of some root fields."""

    @st.composite
    def build(draw: st.DrawFn) -> Operation:
        return _Builder(draw, source).operation()

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
        return Operation("\n".join([header + selection, *self.fragments]), self.variables)

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
                given[key] = self.leaf(column) if here is None or self.chance(20) else here
            arguments = self.arguments("Query", name, given)
        else:
            name = entity.plural
            arguments = self.arguments("Query", name, self.list_arguments(entity))
        return f"{self.alias()}: {name}{arguments}{self.condition()} {self.selection(entity, 3)}"

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
        kind = self.number(9)
        if kind >= 5 and relations and depth > 0 and self.fields < 40:
            relation = self.one(relations)
            target = self.source.model.entity(relation.target)
            given = self.list_arguments(target) if relation.to_many and self.chance(70) else {}
            arguments = self.arguments(entity.name, relation.name, given)
            head = relation.name if not arguments and self.chance(50) else f"{self.alias()}: {relation.name}{arguments}"
            again.append((head, target))
            return f"{head}{self.condition()} {self.selection(target, depth - 1)}"
        if kind == 4 and depth > 0 and self.fields < 40:
            inner = self.selection(entity, depth - 1)
            if self.chance(50):
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {entity.name} {inner}")
                twice = f" ...{name}" if self.chance(20) else ""
                return f"...{name}{self.condition()}{twice}"
            on = f" on {entity.name}" if self.chance(50) else ""
            return f"...{on}{self.condition()} {inner}"
        if kind == 3 or not columns:
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

    def list_arguments(self, entity: Entity) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.chance(60):
            given["where"] = None if self.chance(4) else self.where(entity, 2)
        if self.chance(50) and any(sortable(c.type) and not c.hidden for c in entity.columns):
            given["orderBy"] = None if self.chance(4) else self.order_by(entity)
        if self.chance(30):
            given["limit"] = self.one((None, 0, 1, 2, 3, 1000, 2**31 - 1))
        if self.chance(20):
            given["offset"] = self.one((None, 0, 1, 2, 2**31 - 1))
        return given

    def order_by(self, entity: Entity) -> list[dict[str, Any]]:
        return [self.order_key(entity, 2) for _ in range(self.number(3))]

    def order_key(self, entity: Entity, depth: int) -> dict[str, Any]:
        ways: list[Any] = [column for column in entity.columns if not column.hidden and sortable(column.type)]
        if depth:
            for relation in entity.relations:
                target = self.source.model.entity(relation.target)
                if not relation.to_many and any(sortable(c.type) and not c.hidden for c in target.columns):
                    ways.append((relation.name, target))
        way = self.one(ways)
        if isinstance(way, Column):
            return {way.name: self.one(DIRECTIONS)}
        return {way[0]: self.order_key(way[1], depth - 1)}

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
                quantifier = self.one(("some", "none", "every"))
                where[relation.name] = {quantifier: inner} if relation.to_many else inner
            elif columns:
                column = self.one(columns)
                where[column.name] = self.conditions(entity, column)
        return where

    def conditions(self, entity: Entity, column: Column) -> dict[str, Any]:
        known = operators(column.type) if column.type.name != "JSON" else {"isNull": Operand.BOOLEAN}
        found: dict[str, Any] = {}
        for _ in range(1 if self.chance(90) else self.number(2)):
            name = self.one(known)
            match known[name]:
                case Operand.SAME | Operand.ITEM:
                    found[name] = self.leaf(column)
                case Operand.LIST:
                    found[name] = [self.leaf(column) for _ in range(self.number(3))]
                case Operand.TEXT:
                    found[name] = self.one(PATTERNS) if name.endswith("like") else self.one(TEXTS)
                case Operand.BOOLEAN:
                    found[name] = self.chance(50)
        return found

    def leaf(self, column: Column) -> Any:
        """A value of the column's (item) type in JSON, mostly one that some row holds."""
        pool: list[Any] = []
        for entity in self.source.model.entities.values():
            for other in entity.columns:
                if other.type.name == column.type.name and other.type.sql == column.type.sql and not other.computed:
                    for row in self.source.tables.rows[entity.name]:
                        value = row[other.column]
                        items = value if isinstance(value, list) else [value]
                        pool += [output(other.type.item, item) for item in items if item is not None]
        edges = _edges(column.type.item)
        if column.type.sql == "smallint" and column.type.is_list:
            # Arrays compare with arrays of the same type alone: what is no smallint is refused.
            edges = (0, 1, -(2**15))
        value = self.one(pool) if pool and self.chance(70) else self.one(edges)
        if column.type.name == "BigInt" and self.chance(30):
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
            name = f"{nullable}!" if required or (value is not None and self.chance(30)) else str(nullable)
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
        return json.dumps(value)

    def variable(self, type_: str, value: Any, default: str | None, literal: str | None) -> str:
        """A new variable with this value, given, or left to its default where that is the value."""
        name = f"v{len(self.definitions)}"
        self.definitions.append(f"${name}: {type_}{'' if default is None else f' = {default}'}")
        if default is None or default != literal or self.chance(50):
            self.variables[name] = value
        return f"${name}"


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
