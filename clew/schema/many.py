"""The types of connections, aggregates and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLNullableOutputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
)

from clew.model.measures import COUNT, FUNCTIONS, measured
from clew.model.operators import sortable
from clew.model.types import Column, Entity, Model, Relation, ValueType
from clew.schema.objects import InputType, ObjectType

_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE")
# The suffix of a function's types after "Aggregate". `min` and `max` share theirs, and so do orders of numbers.
_SUFFIXES = {"countDistinct": "CountDistinct", "sum": "Sum", "avg": "Avg", "min": "MinMax", "max": "MinMax"}
_ORDER_SUFFIXES = {**_SUFFIXES, "sum": "Number", "avg": "Number"}
_DESCRIPTIONS = {
    "countDistinct": "The number of different values, without nulls.",
    "sum": "Sums; null if there is no value.",
    "avg": "Averages; null if there is no value.",
    "min": "Smallest values; null if there is none.",
    "max": "Largest values; null if there is none.",
}


class Builder(Protocol):
    """The parts of the schema's builder that these types need."""

    model: Model
    objects: dict[str, GraphQLObjectType | GraphQLInterfaceType]
    filters: dict[str, GraphQLInputObjectType]
    orders: dict[str, GraphQLInputObjectType]
    direction: GraphQLEnumType

    def columns(self, entity: Entity) -> list[Column]: ...

    def relations(self, entity: Entity) -> list[Relation]: ...

    def generated(
        self,
        type_: GraphQLOutputType,
        arguments: dict[str, GraphQLArgument] | None = None,
        *,
        description: str | None = None,
    ) -> GraphQLField: ...

    def value_filter(self, type_: ValueType) -> GraphQLInputObjectType: ...

    def nullable_output_type(self, type_: ValueType) -> GraphQLNullableOutputType: ...


class ManyTypes:
    """Makes the types of connections, aggregates and groups, each once, when a field first needs it."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._objects: dict[str, GraphQLObjectType] = {}
        self._inputs: dict[str, GraphQLInputObjectType] = {}
        self._units: dict[str, GraphQLEnumType] = {}

    # --- connections ------------------------------------------------------------------

    def connection(self, entity: Entity) -> GraphQLOutputType:
        """Return `PostConnection!`."""
        generated = self._builder.generated
        node = GraphQLNonNull(self._builder.objects[entity.name])
        edge = self._object(
            f"{entity.name}Edge",
            lambda: {
                "cursor": generated(GraphQLNonNull(GraphQLString), description="The row's cursor."),
                "node": generated(node),
            },
            f"A {entity.name} and its cursor.",
        )
        return GraphQLNonNull(
            self._object(
                f"{entity.name}Connection",
                lambda: {
                    "edges": generated(GraphQLNonNull(GraphQLList(GraphQLNonNull(edge)))),
                    "nodes": generated(
                        GraphQLNonNull(GraphQLList(node)), description="The rows of the page, without cursors."
                    ),
                    "pageInfo": generated(GraphQLNonNull(self._page_info())),
                    "totalCount": generated(
                        GraphQLNonNull(GraphQLInt), description="The number of rows on all pages together."
                    ),
                },
                f"A page of {entity.name}.",
            )
        )

    def _page_info(self) -> GraphQLObjectType:
        generated = self._builder.generated
        return self._object(
            "PageInfo",
            lambda: {
                "hasNextPage": generated(
                    GraphQLNonNull(GraphQLBoolean), description="Whether there are rows after this page."
                ),
                "hasPreviousPage": generated(
                    GraphQLNonNull(GraphQLBoolean), description="Whether there are rows before this page."
                ),
                "startCursor": generated(
                    GraphQLString, description="The cursor of the first row; null if the page is empty."
                ),
                "endCursor": generated(
                    GraphQLString, description="The cursor of the last row; null if the page is empty."
                ),
            },
            "The place of a page in its connection.",
        )

    # --- aggregates -------------------------------------------------------------------

    def aggregate(self, entity: Entity) -> GraphQLOutputType:
        """Return `PostAggregate!`."""
        return GraphQLNonNull(
            self._object(
                f"{entity.name}Aggregate",
                lambda: self._measure_fields(entity),
                f"Aggregates over {entity.name}.",
            )
        )

    def _measure_fields(self, entity: Entity) -> dict[str, GraphQLField]:
        generated = self._builder.generated
        fields = {"count": generated(GraphQLNonNull(GraphQLInt), description="The number of rows.")}
        for function in FUNCTIONS:
            columns = dict(self._measured(entity, function))
            if columns:
                type_ = self._measures(entity, function, columns)
                fields[function] = generated(GraphQLNonNull(type_), description=_DESCRIPTIONS[function])
        return fields

    def _measures(self, entity: Entity, function: str, columns: dict[str, ValueType]) -> GraphQLObjectType:
        generated = self._builder.generated

        def field(type_: ValueType) -> GraphQLField:
            output = self._builder.nullable_output_type(type_)
            return generated(GraphQLNonNull(output) if type_ is COUNT else output)

        return self._object(
            f"{entity.name}Aggregate{_SUFFIXES[function]}",
            lambda: {name: field(type_) for name, type_ in columns.items()},
            f"Aggregates over columns of {entity.name}.",
        )

    def _measured(self, entity: Entity, function: str) -> Iterator[tuple[str, ValueType]]:
        """Yield the columns that have this function, with the type of its result."""
        for column in self._builder.columns(entity):
            type_ = measured(function, column.type)
            if type_ is not None:
                yield column.name, type_

    def aggregate_filter(self, entity: Entity) -> GraphQLInputObjectType:
        """Return `PostAggregateFilter`."""
        value_filter = self._builder.value_filter

        def functions() -> dict[str, GraphQLInputType]:
            types: dict[str, GraphQLInputType] = {"count": value_filter(COUNT)}
            for function in FUNCTIONS:
                if columns := dict(self._measured(entity, function)):
                    types[function] = self._values(
                        f"{entity.name}Aggregate{_SUFFIXES[function]}Filter",
                        columns,
                        value_filter,
                        f"A filter on aggregated columns of {entity.name}. All given fields must match.",
                    )
            return {**types, "where": self._builder.filters[entity.name]}

        return self._input(
            f"{entity.name}AggregateFilter",
            functions,
            f"A filter on aggregates over {entity.name}, for rows that match `where`. All given fields must match.",
        )

    def aggregate_order(self, entity: Entity) -> GraphQLInputObjectType:
        """Return `PostAggregateOrderBy`."""
        return self._input(
            f"{entity.name}AggregateOrderBy",
            lambda: self._measure_orders(entity),
            f"One sort key: an aggregate over {entity.name}.",
            one_of=True,
        )

    def _measure_orders(self, entity: Entity) -> dict[str, GraphQLInputType]:
        direction = self._builder.direction
        types: dict[str, GraphQLInputType] = {"count": direction}
        for function in FUNCTIONS:
            if columns := dict(self._measured(entity, function)):
                types[function] = self._values(
                    f"{entity.name}Aggregate{_ORDER_SUFFIXES[function]}OrderBy",
                    columns,
                    lambda _type: direction,
                    f"One sort key: an aggregated column of {entity.name}.",
                    one_of=True,
                )
        return types

    # --- groups -----------------------------------------------------------------------

    def groupable(self, entity: Entity) -> bool:
        """Return whether there is a column that rows can be grouped by."""
        return any(sortable(column.type) for column in self._builder.columns(entity))

    def group_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        """Return the arguments `by`, `timeZone` and `orderBy` of `postsGroups`."""
        return {
            "by": GraphQLArgument(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(self._group_by(entity)))),
                description="The keys that make a group.",
            ),
            "timeZone": GraphQLArgument(
                GraphQLString, description="The time zone for units of time, such as Europe/Berlin. Default: UTC."
            ),
            "orderBy": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self._group_order(entity))),
                description="The order; the first key counts first. The keys of `by` break ties.",
            ),
        }

    def _group_by(self, entity: Entity) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputType]:
            types: dict[str, GraphQLInputType] = {
                column.name: self._unit(column) for column in self._builder.columns(entity) if sortable(column.type)
            }
            for relation, target in self._to_ones(entity):
                types[relation.name] = self._group_by(target)
            return types

        return self._input(f"{entity.name}GroupBy", fields, f"One key to group {entity.name} by.", one_of=True)

    def _unit(self, column: Column) -> GraphQLEnumType:
        name = "GroupUnit"
        units: tuple[str, ...] = ()
        if column.type.name == "DateTime" and not column.type.is_enum:
            name, units = "DateTimeGroupUnit", _UNITS
        elif column.type.name == "Date" and not column.type.is_enum:
            name, units = "DateGroupUnit", _UNITS[:4]
        if name not in self._units:
            description = "How to group: by the value itself" + (", or by a unit of time." if units else ".")
            values = {unit: GraphQLEnumValue(unit) for unit in ("VALUE", *units)}
            self._units[name] = GraphQLEnumType(name, values, description=description)
        return self._units[name]

    def _group_order(self, entity: Entity) -> GraphQLInputObjectType:
        return self._input(
            f"{entity.name}GroupRowOrderBy",
            lambda: {"key": self._builder.orders[entity.name], **self._measure_orders(entity)},
            f"One sort key of groups of {entity.name}: a key of `by`, or an aggregate.",
            one_of=True,
        )

    def group_row(self, entity: Entity) -> GraphQLOutputType:
        """Return `PostGroupRow`."""
        generated = self._builder.generated
        return self._object(
            f"{entity.name}GroupRow",
            lambda: {
                "key": generated(
                    GraphQLNonNull(self._group_key(entity)), description="The group's values of the keys in `by`."
                ),
                **self._measure_fields(entity),
            },
            f"A group of {entity.name}.",
        )

    def _group_key(self, entity: Entity) -> GraphQLObjectType:
        generated, output = self._builder.generated, self._builder.nullable_output_type

        def fields() -> dict[str, GraphQLField]:
            columns = {
                column.name: generated(output(column.type))
                for column in self._builder.columns(entity)
                if sortable(column.type)
            }
            for relation, target in self._to_ones(entity):
                columns[relation.name] = generated(GraphQLNonNull(self._group_key(target)))
            return columns

        return self._object(f"{entity.name}GroupRowKey", fields, f"The keys of a group of {entity.name}.")

    def _to_ones(self, entity: Entity) -> Iterable[tuple[Relation, Entity]]:
        for relation in self._builder.relations(entity):
            target = self._builder.model.entity(relation.target)
            if not relation.to_many and self.groupable(target):
                yield relation, target

    # --- making -----------------------------------------------------------------------

    def _object(self, name: str, fields: Callable[[], dict[str, GraphQLField]], description: str) -> GraphQLObjectType:
        if name not in self._objects:
            self._objects[name] = ObjectType(name, fields, description=description)
        return self._objects[name]

    def _input(
        self, name: str, types: Callable[[], dict[str, GraphQLInputType]], description: str, *, one_of: bool = False
    ) -> GraphQLInputObjectType:
        if name not in self._inputs:
            self._inputs[name] = InputType(
                name,
                lambda: {field: GraphQLInputField(type_) for field, type_ in types().items()},
                description=description,
                is_one_of=one_of,
            )
        return self._inputs[name]

    def _values(
        self,
        name: str,
        columns: dict[str, ValueType],
        type_of: Callable[[ValueType], GraphQLInputType],
        description: str,
        *,
        one_of: bool = False,
    ) -> GraphQLInputObjectType:
        return self._input(
            name, lambda: {column: type_of(type_) for column, type_ in columns.items()}, description, one_of=one_of
        )
