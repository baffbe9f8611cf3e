"""Model -> graphql-core schema, as objects: an SDL string in between costs five times as much.

The plan reads back what a field or argument stands for from the model, by name; so the
schema holds types only, and resolvers only where Ariadne binds them.
"""

from __future__ import annotations

from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLNullableOutputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    NamedTypeNode,
    NameNode,
    Node,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    Visitor,
    extend_schema,
    parse,
    specified_directives,
    visit,
)

from clew.model.operators import Operand, filter_type_name, operators, sortable
from clew.model.types import Column, Entity, Model, Relation, RelationKind, ValueType
from clew.schema.scalars import SCALARS

DIRECTIONS = ("ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST")


class Row(dict[str, Any]):
    """One generated object as the database gave it: values in output form, by response key."""


def resolve_generated(source: Any, info: GraphQLResolveInfo[Any], **_arguments: Any) -> Any:
    """Resolve a generated field from what the statement returned for its response key.

    The database gives an enum's name; what the executor expects is the value that
    Ariadne may have bound to it.
    """
    value = source[info.path.key]
    if value is None:
        return None
    type_ = info.return_type
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(type_, GraphQLEnumType):
        return type_.values[value].value
    if isinstance(type_, GraphQLList):
        item = type_.of_type
        while isinstance(item, GraphQLNonNull):
            item = item.of_type
        if isinstance(item, GraphQLEnumType):
            values = item.values
            return [None if name is None else values[name].value for name in value]
    return value


def build_schema(model: Model) -> GraphQLSchema:
    """The complete API schema of a model, as the admin sees it.

    The result is valid by construction and marked so: graphql-core's own check of some
    thousand types takes longer than everything else; the tests run it.
    """
    return _Builder(model).build()


class _Builder:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.enums = {name: self._enum(name) for name in model.enums}
        self.objects = {name: self._object(entity) for name, entity in model.entities.items()}
        self.filters = {name: self._filter(entity) for name, entity in model.entities.items()}
        self.orders = {name: self._order(entity) for name, entity in model.entities.items()}
        self.value_filters: dict[str, GraphQLInputObjectType] = {}
        self.list_filters: dict[str, GraphQLInputObjectType] = {}
        self.direction = GraphQLEnumType(
            "OrderDirection",
            {name: GraphQLEnumValue(name) for name in DIRECTIONS},
            description="Which way to sort. Nulls come last in ASC and first in DESC unless said.",
        )

    def build(self) -> GraphQLSchema:
        custom = self._custom_definitions()
        # extend_schema looks names up in the generated schema: what only the user's own types use must be there too.
        used = {name for node in custom for name in _named_types(node)}
        extra: list[GraphQLNamedType] = [SCALARS[name] for name in SCALARS if name in used]
        extra += [type_ for name, type_ in self.enums.items() if name in used]
        schema = GraphQLSchema(
            query=GraphQLObjectType("Query", self._query_fields()),
            types=extra,
            directives=specified_directives,
            assume_valid=True,
        )
        if custom:
            document = DocumentNode(definitions=tuple(custom))
            schema = extend_schema(schema, document, assume_valid=True, assume_valid_sdl=True)
        return schema

    # --- the user's own ---------------------------------------------------------------

    def _custom_definitions(self) -> list[DefinitionNode]:
        definitions: list[DefinitionNode] = [
            node for node in self.model.custom_types if node.name.value not in self.model.enums
        ]
        for parent in ("Query", "Mutation", "Subscription"):
            # A job's field appears with the jobs themselves.
            nodes = tuple(
                custom.node for custom in self.model.custom_fields if custom.parent == parent and custom.job is None
            )
            if not nodes:
                continue
            if parent == "Query":
                definitions.append(ObjectTypeExtensionNode(name=NameNode(value=parent), fields=nodes))
            else:
                definitions.append(ObjectTypeDefinitionNode(name=NameNode(value=parent), fields=nodes))
                definitions.extend(parse(f"extend schema {{ {parent.lower()}: {parent} }}").definitions)
        for entity in self.model.entities.values():
            nodes = tuple(resolver.node for resolver in entity.resolvers)
            if nodes:
                definitions.append(ObjectTypeExtensionNode(name=NameNode(value=entity.name), fields=nodes))
        return definitions

    # --- output -----------------------------------------------------------------------

    def _query_fields(self) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for entity in self.model.entities.values():
            type_ = self.objects[entity.name]
            if entity.primary_key:
                fields[entity.single] = self._generated(
                    type_,
                    self._key_arguments(entity, entity.primary_key),
                    description=f"The {entity.name} with this key; null if there is none.",
                )
            for unique in entity.uniques:
                if unique.lookup:
                    fields[unique.lookup] = self._generated(
                        type_,
                        self._key_arguments(entity, unique.columns),
                        description=f"The {entity.name} with this unique key; null if there is none.",
                    )
            fields[entity.plural] = self._generated(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(type_))),
                self._list_arguments(entity),
                description=f"A list of {entity.name}.",
            )
        fields["viewer"] = self._generated(GraphQLNonNull(self._viewer()), description="Who asks.")
        return fields

    def _viewer(self) -> GraphQLObjectType:
        roles = GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString)))
        fields = {
            "id": self._generated(GraphQLID, description="The subject of the token; null without one."),
            "roles": self._generated(roles, description="The roles held, sorted."),
        }
        return GraphQLObjectType("Viewer", fields, description="Who asks.")

    def _object(self, entity: Entity) -> GraphQLObjectType:
        return GraphQLObjectType(entity.name, lambda: self._object_fields(entity), description=entity.description)

    def _object_fields(self, entity: Entity) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for name in entity.fields:
            if (column := entity.column(name)) is not None:
                if not column.hidden:
                    fields[name] = self._value_field(column)
            elif (relation := entity.relation(name)) is not None and not relation.hidden:
                for key in relation.key:
                    made = entity.column(key)
                    if made is not None and made.relation == relation.name and not made.hidden:
                        fields[key] = self._value_field(made)
                fields[name] = self._relation_field(relation)
        return fields

    def _value_field(self, column: Column) -> GraphQLField:
        type_ = self._nullable_output_type(column.type)
        return self._generated(
            type_ if column.nullable else GraphQLNonNull(type_),
            description=column.description,
            deprecation_reason=column.deprecation_reason,
        )

    def _relation_field(self, relation: Relation) -> GraphQLField:
        target = self.model.entity(relation.target)
        object_type = self.objects[target.name]
        type_: GraphQLOutputType = object_type
        arguments: dict[str, GraphQLArgument] = {}
        if relation.to_many:
            type_ = GraphQLNonNull(GraphQLList(GraphQLNonNull(object_type)))
            arguments = self._list_arguments(target)
        # The other row of a soft-deleted entity may be gone while this one points to it.
        elif relation.kind is RelationKind.TO_ONE and not relation.nullable and target.soft_delete is None:
            type_ = GraphQLNonNull(object_type)
        return self._generated(
            type_, arguments, description=relation.description, deprecation_reason=relation.deprecation_reason
        )

    def _generated(
        self,
        type_: GraphQLOutputType,
        arguments: dict[str, GraphQLArgument] | None = None,
        *,
        description: str | None = None,
        deprecation_reason: str | None = None,
    ) -> GraphQLField:
        return GraphQLField(
            type_,
            args=arguments,
            resolve=resolve_generated,
            description=description,
            deprecation_reason=deprecation_reason,
        )

    def _nullable_output_type(self, type_: ValueType) -> GraphQLNullableOutputType:
        item = self._leaf(type_)
        if not type_.is_list:
            return item
        return GraphQLList(item if type_.item_nullable else GraphQLNonNull(item))

    def _leaf(self, type_: ValueType) -> GraphQLScalarType | GraphQLEnumType:
        return self.enums[type_.name] if type_.is_enum else SCALARS[type_.name]

    def _enum(self, name: str) -> GraphQLEnumType:
        enum = self.model.enums[name]
        return GraphQLEnumType(
            name,
            {
                value.name: GraphQLEnumValue(
                    value.name, description=value.description, deprecation_reason=value.deprecation_reason
                )
                for value in enum.values
            },
            description=enum.description,
        )

    # --- input ------------------------------------------------------------------------

    def _key_arguments(self, entity: Entity, names: tuple[str, ...]) -> dict[str, GraphQLArgument]:
        arguments = {}
        for name in names:
            column = entity.column(name)
            assert column is not None, f"{entity.name}.{name}"
            arguments[name] = GraphQLArgument(GraphQLNonNull(self._leaf(column.type)), description=column.description)
        return arguments

    def _list_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        arguments = {
            "where": GraphQLArgument(self.filters[entity.name], description="Only rows for which this holds."),
            "orderBy": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self.orders[entity.name])),
                description="The order, the first key first; the primary key comes last of itself.",
            ),
            "limit": GraphQLArgument(GraphQLInt, description="At most so many rows."),
            "offset": GraphQLArgument(GraphQLInt, description="Leave out the first so many rows."),
        }
        if not any(sortable(column.type) for column in _visible_columns(entity)):
            del arguments["orderBy"]
        return arguments

    def _filter(self, entity: Entity) -> GraphQLInputObjectType:
        return GraphQLInputObjectType(
            f"{entity.name}Filter",
            lambda: self._filter_fields(entity),
            description=f"What a {entity.name} must be like; all given fields must hold.",
        )

    def _filter_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {
            column.name: GraphQLInputField(self._value_filter(column.type)) for column in _visible_columns(entity)
        }
        for relation in entity.relations:
            if relation.hidden:
                continue
            if relation.to_many:
                fields[relation.name] = GraphQLInputField(self._list_filter(relation.target))
            else:
                fields[relation.name] = GraphQLInputField(
                    self.filters[relation.target], description="Such a row is there, and this holds for it."
                )
        own = self.filters[entity.name]
        fields["and"] = GraphQLInputField(GraphQLList(GraphQLNonNull(own)), description="All of these hold.")
        fields["or"] = GraphQLInputField(GraphQLList(GraphQLNonNull(own)), description="One of these holds.")
        fields["not"] = GraphQLInputField(own, description="This does not hold.")
        return fields

    def _list_filter(self, target: str) -> GraphQLInputObjectType:
        if target not in self.list_filters:
            own = self.filters[target]
            self.list_filters[target] = GraphQLInputObjectType(
                f"{target}ListFilter",
                {
                    "some": GraphQLInputField(own, description="It holds for some row."),
                    "none": GraphQLInputField(own, description="It holds for no row."),
                    "every": GraphQLInputField(own, description="It holds for every row; so it does without any."),
                },
                description=f"What the rows of a list of {target} must be like; all given fields must hold.",
            )
        return self.list_filters[target]

    def _value_filter(self, type_: ValueType) -> GraphQLInputObjectType:
        name = filter_type_name(type_)
        if name not in self.value_filters:
            item = self._leaf(type_)
            kinds: dict[Operand, GraphQLInputType] = {
                Operand.SAME: item,
                Operand.ITEM: item,
                Operand.LIST: GraphQLList(GraphQLNonNull(item)),
                Operand.TEXT: GraphQLString,
                Operand.BOOLEAN: GraphQLBoolean,
            }
            self.value_filters[name] = GraphQLInputObjectType(
                name,
                {operator: GraphQLInputField(kinds[operand]) for operator, operand in operators(type_).items()},
                description="All given operators must hold; null operands are refused, use `isNull`.",
            )
        return self.value_filters[name]

    def _order(self, entity: Entity) -> GraphQLInputObjectType:
        return GraphQLInputObjectType(
            f"{entity.name}OrderBy",
            lambda: self._order_fields(entity),
            description=f"One key of an ordering of {entity.name}.",
            is_one_of=True,
        )

    def _order_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {
            column.name: GraphQLInputField(self.direction)
            for column in _visible_columns(entity)
            if sortable(column.type)
        }
        for relation in entity.relations:
            target = self.model.entity(relation.target)
            if not relation.hidden and not relation.to_many and any(sortable(c.type) for c in _visible_columns(target)):
                fields[relation.name] = GraphQLInputField(self.orders[relation.target])
        return fields


def _visible_columns(entity: Entity) -> list[Column]:
    return [column for column in entity.columns if not column.hidden]


def _named_types(node: Node) -> set[str]:
    """The names of the types that a definition refers to."""
    names: set[str] = set()

    class Names(Visitor):
        def enter_named_type(self, named: NamedTypeNode, *_: Any) -> None:
            names.add(named.name.value)

    visit(node, Names())
    return names
