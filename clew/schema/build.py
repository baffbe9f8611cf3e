"""Build graphql-core schema objects from the model. Going through an SDL string would cost five times as much.

The plan reads the meaning of a field or argument from the model, by name. So the
schema holds types only, and resolvers only where Ariadne binds them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldDefinitionNode,
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
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLNullableInputType,
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
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    Visitor,
    extend_schema,
    parse,
    specified_directives,
    visit,
)

from clew.collector import paused
from clew.model.jobs import field_node
from clew.model.operators import AT_PATH, Operand, filter_type_name, operators, sortable
from clew.model.types import (
    Column,
    CustomField,
    Entity,
    FieldKind,
    Model,
    Opening,
    Operation,
    Relation,
    RelationKind,
    ResolverField,
    ValueType,
)
from clew.model.writing import writable_fields
from clew.plan.types import TYPE_KEY
from clew.schema.custom_types import OwnTypes
from clew.schema.inputs import WriteTypes
from clew.schema.jobs import JobFields
from clew.schema.many import ManyTypes
from clew.schema.objects import InputType, InterfaceType, ObjectType, field
from clew.schema.scalars import SCALARS

_LIVE = (
    "The fields that Query has too give their result at once, and again whenever it has changed. "
    "They are described at Query. The others give events."
)
DIRECTIONS = ("ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST")


# One generated object as the database returned it: values in output form, by response key. Rows have no class of their
# own, because the garbage collector skips plain dicts of plain values, and there may be a million of them.
Row = dict[str, Any]


def resolve_generated(source: Any, info: GraphQLResolveInfo[Any], **_arguments: Any) -> Any:
    """Resolve a generated field from the statement's value for its response key.

    The database returns an enum's name. The executor expects the value that Ariadne may have
    bound to that name.
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


@paused()
def build_schema(
    model: Model,
    openings: Mapping[str, Opening] | None = None,
    custom_fields: Collection[CustomField] | None = None,
) -> GraphQLSchema:
    """Return the API schema as a role set sees it.

    Args:
        openings: by entity. An entity without one does not exist for the roles. None: everything is open.
        custom_fields: the user's own root fields that the roles may use. None: all.

    The result is valid by construction and marked so. graphql-core's own check of a
    thousand types takes longer than the whole build. The tests run that check.
    """
    is_whole = openings is None
    if openings is None:
        openings = {entity.name: _everything(entity) for entity in model.entities.values()}
    custom = model.custom_fields if custom_fields is None else custom_fields
    return _Builder(model, openings, custom, is_whole=is_whole).build()


def _everything(entity: Entity) -> Opening:
    names = [column.name for column in entity.columns] + [relation.name for relation in entity.relations]
    names += [resolver.name for resolver in entity.resolvers]
    guarded = any(guard.binds_admin and Operation.READ in guard.to for guard in entity.guards)
    writable = writable_fields(entity, admin=True) if entity.is_writable else None
    return Opening(frozenset(names), unconditional=not guarded, creates=writable, updates=writable, deletes=True)


class _Builder:
    def __init__(
        self,
        model: Model,
        openings: Mapping[str, Opening],
        custom_fields: Collection[CustomField],
        *,
        is_whole: bool,
    ) -> None:
        self.model = model
        self.is_whole = is_whole
        self.openings = openings
        self.custom_fields = custom_fields
        self.entities = [entity for entity in model.entities.values() if entity.name in openings]
        self.enums = {name: self._enum(name) for name in model.enums}
        self.objects = {entity.name: self._object(entity) for entity in self.entities}
        self.filters = {entity.name: self._filter(entity) for entity in self.entities}
        self.orders = {entity.name: self._order(entity) for entity in self.entities}
        always = {entity.name for entity in self.entities if self.always_there(entity)}
        self.own = OwnTypes(model.custom_types, model.entities.keys() - openings.keys(), openings.keys() - always)
        self.value_filters: dict[str, GraphQLInputObjectType] = {}
        self.list_filters: dict[str, GraphQLInputObjectType] = {}
        self.direction = GraphQLEnumType(
            "OrderDirection",
            {name: GraphQLEnumValue(name) for name in DIRECTIONS},
            description="The sort direction. By default nulls come last in ASC and first in DESC.",
        )
        self.deleted = GraphQLEnumType(
            "DeletedRows",
            {
                "INCLUDE": GraphQLEnumValue("INCLUDE", description="Deleted rows and the other rows."),
                "ONLY": GraphQLEnumValue("ONLY", description="Only deleted rows."),
            },
            description="Whether a list has deleted rows.",
        )
        self.change_kind = GraphQLEnumType(
            "ChangeKind",
            {
                "CREATED": GraphQLEnumValue("CREATED", description="The row is new, or matches from now on."),
                "UPDATED": GraphQLEnumValue("UPDATED", description="The row has changed."),
                "DELETED": GraphQLEnumValue("DELETED", description="The row is gone, or matches no longer."),
                "RESET": GraphQLEnumValue(
                    "RESET", description="Any row may have changed: read again. It always comes."
                ),
            },
            description="What happened to a row, as the viewer sees it.",
        )
        self.many = ManyTypes(self)
        self.writes = WriteTypes(self)
        self.jobs = JobFields(self)

    # --- what is open -----------------------------------------------------------------

    def columns(self, entity: Entity) -> list[Column]:
        """Return the columns that the roles may ever see."""
        fields = self.openings[entity.name].fields
        return [column for column in entity.columns if not column.hidden and column.name in fields]

    def relations(self, entity: Entity) -> list[Relation]:
        """Return the relations that the roles may ever follow."""
        fields = self.openings[entity.name].fields
        return [
            relation
            for relation in entity.relations
            # alike without `relation.target in self.openings`: such a relation is in no opening
            if not relation.hidden and relation.name in fields and relation.target in self.openings
        ]

    def sortable(self, entity: Entity) -> bool:
        by_aggregate = any(r.to_many and self.aggregated(r) for r in self.relations(entity))
        return by_aggregate or any(sortable(column.type) for column in self.columns(entity))

    def aggregated(self, relation: Relation) -> bool:
        """Return whether the API has aggregates over the rows of a to-many."""
        return self.model.entity(relation.target).brings(FieldKind.AGGREGATE)

    def has_all(self, entity: Entity, names: Collection[str]) -> bool:
        return bool(names) and self.openings[entity.name].fields.issuperset(names)

    def conditional(self, entity: Entity, name: str) -> bool:
        return name in self.openings[entity.name].conditional

    def shown(self, entity: Entity, relation: Relation) -> bool:
        """Return whether a to-one always leads to a visible row: no rule hides it, and it cannot be soft-deleted."""
        target = self.model.entity(relation.target)
        always = self.openings[target.name].unconditional or relation.name in self.openings[entity.name].shown
        return always and target.soft_delete is None and not self.conditional(entity, relation.name)

    def always_there(self, entity: Entity) -> bool:
        """Return whether every row is visible."""
        return self.openings[entity.name].unconditional and entity.soft_delete is None

    def build(self) -> GraphQLSchema:
        queries = self._query_fields()
        writes = {**self.writes.fields(), **self.jobs.mutations()}
        live = {**self._live_fields(queries), **self.jobs.subscriptions()}
        generated = {"Query": queries, "Mutation": writes, "Subscription": live}
        custom = self._custom_definitions({name for name, fields in generated.items() if fields})
        # extend_schema looks names up in the generated schema. So types that only custom types use must be there too.
        used = {name for node in custom for name in _named_types(node)}
        extra: list[GraphQLNamedType] = [SCALARS[name] for name in SCALARS if name in used]
        extra += [type_ for name, type_ in self.enums.items() if name in used]
        # The types of an interface are found only by themselves.
        extra += [self.objects[entity.name] for entity in self.entities if entity.is_job]
        schema = GraphQLSchema(
            query=ObjectType("Query", queries),
            mutation=ObjectType("Mutation", writes) if writes else None,
            subscription=ObjectType("Subscription", live, description=_LIVE) if live else None,
            types=extra,
            directives=specified_directives,
            assume_valid=True,
        )
        if custom:
            document = DocumentNode(definitions=tuple(custom))
            schema = extend_schema(schema, document, assume_valid=True, assume_valid_sdl=True)
        return schema

    # --- the user's own ---------------------------------------------------------------

    def _custom_definitions(self, existing: Collection[str]) -> list[DefinitionNode]:
        """Return the definitions of the user's own fields and types.

        Args:
            existing: the root types that have generated fields.
        """
        definitions: list[DefinitionNode] = []
        for parent in ("Query", "Mutation", "Subscription"):
            own = [custom for custom in self.custom_fields if custom.parent == parent]
            nodes = self.own.fields(custom.node for custom in own if custom.job is None)
            nodes += tuple(field_node(custom) for custom in own if custom.job is not None)
            if not nodes:
                continue
            if parent in existing:
                definitions.append(ObjectTypeExtensionNode(name=NameNode(value=parent), fields=nodes))
            else:
                definitions.append(ObjectTypeDefinitionNode(name=NameNode(value=parent), fields=nodes))
                definitions.extend(parse(f"extend schema {{ {parent.lower()}: {parent} }}").definitions)
        for entity in self.entities:
            nodes = self.own.fields(
                self._resolver_node(entity, resolver)
                for resolver in entity.resolvers
                if resolver.name in self.openings[entity.name].fields
            )
            if nodes:
                definitions.append(ObjectTypeExtensionNode(name=NameNode(value=entity.name), fields=nodes))
        return [*self._reachable_types(definitions), *definitions]

    def _reachable_types(self, definitions: Sequence[DefinitionNode]) -> list[DefinitionNode]:
        """Return the user's own types that these definitions lead to. Others cannot be reached and are left out."""
        own = {node.name.value: node for node in self.own.types if node.name.value not in self.model.enums}
        reachable: dict[str, DefinitionNode] = {}
        wanted = [name for node in definitions for name in _named_types(node)]
        while wanted:
            name = wanted.pop()
            if name in own and name not in reachable:
                reachable[name] = own[name]
                wanted += _named_types(own[name])
                # A field that returns an interface may return any type that implements it.
                wanted += [
                    other
                    for other, node in own.items()
                    if name in {i.name.value for i in getattr(node, "interfaces", None) or ()}
                ]
        return [reachable[name] for name in own if name in reachable]

    def _resolver_node(self, entity: Entity, resolver: ResolverField) -> FieldDefinitionNode:
        node = resolver.node
        if not self.conditional(entity, resolver.name) or not isinstance(node.type, NonNullTypeNode):
            return node
        return FieldDefinitionNode(
            name=node.name,
            type=node.type.type,
            arguments=node.arguments,
            directives=node.directives,
            description=node.description,
        )

    # --- output -----------------------------------------------------------------------

    def _query_fields(self) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for entity in self.entities:
            type_ = self.objects[entity.name]
            if self.has_all(entity, entity.primary_key):
                fields[entity.single] = self.generated(
                    type_,
                    self._key_arguments(entity, entity.primary_key),
                    description=f"The {entity.name} with this key, or null.",
                )
            for unique in entity.uniques:
                if unique.lookup and self.has_all(entity, unique.columns):
                    fields[unique.lookup] = self.generated(
                        type_,
                        self._key_arguments(entity, unique.columns),
                        description=f"The {entity.name} with this unique key, or null.",
                    )
            fields[entity.plural] = self.generated(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(type_))),
                self._list_arguments(entity),
                description=f"A list of {entity.name}.",
            )
            if entity.primary_key and entity.brings(FieldKind.CONNECTION):
                fields[entity.plural + FieldKind.CONNECTION] = self.generated(
                    self.many.connection(entity),
                    self._connection_arguments(entity),
                    description=f"A page of {entity.name}, with cursors and the total count.",
                )
            if entity.brings(FieldKind.AGGREGATE):
                fields[entity.plural + FieldKind.AGGREGATE] = self.generated(
                    self.many.aggregate(entity),
                    self._row_arguments(entity),
                    description=f"Aggregates over {entity.name}.",
                )
            if self.many.groupable(entity) and entity.brings(FieldKind.GROUPS):
                rows = self._row_arguments(entity)
                fields[entity.plural + FieldKind.GROUPS] = self.generated(
                    GraphQLNonNull(GraphQLList(GraphQLNonNull(self.many.group_row(entity)))),
                    {**self.many.group_arguments(entity), **rows, "limit": self._limit("The most groups to return.")},
                    description=f"Aggregates over groups of {entity.name}.",
                )
        fields["viewer"] = self.generated(GraphQLNonNull(self._viewer()), description="The viewer of this request.")
        return fields

    def _live_fields(self, queries: Mapping[str, GraphQLField]) -> dict[str, GraphQLField]:
        """Return the fields of Subscription: those of Query over live entities, and the change events."""
        fields: dict[str, GraphQLField] = {}
        for name, query in queries.items():
            if name in self.model.live_fields:
                fields[name] = self.generated(query.type, _undescribed(query.args))
        for name, entity in self.model.change_fields.items():
            if entity.name in self.openings:
                fields[name] = self.generated(
                    GraphQLNonNull(self._change(entity)),
                    {
                        "where": GraphQLArgument(self.filters[entity.name]),
                        "on": GraphQLArgument(GraphQLList(GraphQLNonNull(self.change_kind))),
                        "after": GraphQLArgument(GraphQLString),
                    },
                    description=f"An event for each change of a {entity.name} that matches `where`, before or after.",
                )
        return fields

    def _change(self, entity: Entity) -> GraphQLObjectType:
        return ObjectType(
            f"{entity.name}Change",
            lambda: {
                "kind": self.generated(GraphQLNonNull(self.change_kind)),
                **{
                    column.name: self.generated(self.nullable_output_type(column.type), description=column.description)
                    for column in self.columns(entity)
                    if column.name in entity.primary_key
                },
                "node": self.generated(
                    self.objects[entity.name], description="The row as it is now; null if it is gone."
                ),
                "cursor": self.generated(
                    GraphQLNonNull(GraphQLString), description="Give it as `after` to go on after this event."
                ),
                "at": self.generated(GraphQLNonNull(SCALARS["DateTime"]), description="The time of the change."),
            },
            description=f"A change of a {entity.name}. Of RESET the key and `node` are null.",
        )

    def _viewer(self) -> GraphQLObjectType:
        roles = GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString)))
        fields = {
            "id": self.generated(
                GraphQLID, description="The viewer's id, such as the token's `sub`; null if there is none."
            ),
            "roles": self.generated(roles, description="The viewer's roles, sorted."),
        }
        return ObjectType("Viewer", fields, description="The viewer of a request.")

    def _object(self, entity: Entity) -> GraphQLObjectType | GraphQLInterfaceType:
        if entity.variants:
            return InterfaceType(
                entity.name,
                lambda: self._object_fields(entity),
                resolve_type=lambda row, *_: row[TYPE_KEY],
                description=entity.description,
            )
        return ObjectType(
            entity.name,
            lambda: self._object_fields(entity),
            interfaces=lambda: [self.interface(name) for name in self.model.interfaces.get(entity.name, ())],
            description=entity.description,
        )

    def interface(self, name: str) -> GraphQLInterfaceType:
        """Return the type of an entity with variants. The roles see it, as they see one of these."""
        found = self.objects[name]
        assert isinstance(found, GraphQLInterfaceType)
        return found

    def _object_fields(self, entity: Entity) -> dict[str, GraphQLField]:
        columns = {column.name: column for column in self.columns(entity)}
        relations = {relation.name: relation for relation in self.relations(entity)}
        fields: dict[str, GraphQLField] = {}
        for name in entity.fields:
            if name in columns:
                fields[name] = self._value_field(entity, columns[name])
            elif name in relations:
                fields[name] = self._relation_field(entity, relations[name])
                if relations[name].to_many:
                    fields |= self._many_fields(relations[name])
        return fields

    def _many_fields(self, relation: Relation) -> dict[str, GraphQLField]:
        """Return the fields that stand beside the list field of a to-many."""
        target = self.model.entity(relation.target)
        fields = {}
        if target.primary_key and target.brings(FieldKind.CONNECTION):
            fields[relation.name + FieldKind.CONNECTION] = self.generated(
                self.many.connection(target),
                _undescribed(self._connection_arguments(target)),
                description=f"A page of `{relation.name}`, with cursors and the total count.",
            )
        if self.aggregated(relation):
            fields[relation.name + FieldKind.AGGREGATE] = self.generated(
                self.many.aggregate(target),
                _undescribed(self._row_arguments(target)),
                description=f"Aggregates over `{relation.name}`.",
            )
        return fields

    def _value_field(self, entity: Entity, column: Column) -> GraphQLField:
        type_ = self.nullable_output_type(column.type)
        return self.generated(
            type_ if column.nullable or self.conditional(entity, column.name) else GraphQLNonNull(type_),
            description=column.description,
            deprecation_reason=column.deprecation_reason,
        )

    def _relation_field(self, entity: Entity, relation: Relation) -> GraphQLField:
        target = self.model.entity(relation.target)
        object_type = self.objects[target.name]
        type_: GraphQLOutputType = object_type
        arguments: dict[str, GraphQLArgument] = {}
        if relation.to_many:
            type_ = GraphQLNonNull(GraphQLList(GraphQLNonNull(object_type)))
            arguments = _undescribed(self._list_arguments(target))
        # alike without `relation.kind is RelationKind.TO_ONE`: any other to-one is nullable
        elif relation.kind is RelationKind.TO_ONE and not relation.nullable and self.shown(entity, relation):
            type_ = GraphQLNonNull(object_type)
        return self.generated(
            type_, arguments, description=relation.description, deprecation_reason=relation.deprecation_reason
        )

    def generated(
        self,
        type_: GraphQLOutputType,
        arguments: dict[str, GraphQLArgument] | None = None,
        *,
        description: str | None = None,
        deprecation_reason: str | None = None,
    ) -> GraphQLField:
        return field(
            type_,
            arguments,
            resolve=resolve_generated,
            description=description,
            deprecation_reason=deprecation_reason,
        )

    def nullable_input_type(self, type_: ValueType) -> GraphQLNullableInputType:
        item = self._leaf(type_)
        if not type_.is_list:
            return item
        return GraphQLList(item if type_.item_nullable else GraphQLNonNull(item))

    def nullable_output_type(self, type_: ValueType) -> GraphQLNullableOutputType:
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

    def _row_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        """Return the arguments that select rows."""
        arguments = {
            "where": GraphQLArgument(self.filters[entity.name], description="Only rows that match this filter.")
        }
        if self.has_all(entity, [part.column for part in entity.search]):
            arguments["search"] = GraphQLArgument(
                GraphQLString,
                description='Only rows with these words, such as `pear -plum "in quotes" or this`.',
            )
        if entity.soft_delete is not None and self.openings[entity.name].deletes:
            arguments["deleted"] = GraphQLArgument(
                self.deleted, description="Adds deleted rows, or shows only those. Default: no deleted rows."
            )
        return arguments

    def _order_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        if not self.sortable(entity):
            return {}
        return {
            "orderBy": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self.orders[entity.name])),
                description="The order; the first key counts first. The primary key breaks ties.",
            )
        }

    def _limit(self, description: str) -> GraphQLArgument:
        return GraphQLArgument(GraphQLInt, description=description)

    def _list_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        return {
            **self._row_arguments(entity),
            **self._order_arguments(entity),
            "limit": self._limit("The most rows to return."),
            "offset": self._limit("How many rows to skip at the start."),
        }

    def _connection_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        return {
            **self._row_arguments(entity),
            **self._order_arguments(entity),
            "first": self._limit("The number of rows, from the start or after `after`."),
            "after": GraphQLArgument(GraphQLString, description="A cursor: only rows after it."),
            "last": self._limit("The number of rows, from the end or before `before`."),
            "before": GraphQLArgument(GraphQLString, description="A cursor: only rows before it."),
        }

    def _filter(self, entity: Entity) -> GraphQLInputObjectType:
        return InputType(
            f"{entity.name}Filter",
            lambda: self._filter_fields(entity),
            description=f"A filter on {entity.name}. All given fields must match.",
        )

    def _filter_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {column.name: GraphQLInputField(self.value_filter(column.type)) for column in self.columns(entity)}
        for relation in self.relations(entity):
            if relation.to_many:
                target = self.model.entity(relation.target)
                fields[relation.name] = GraphQLInputField(self._list_filter(relation.target))
                if self.aggregated(relation):
                    fields[relation.name + FieldKind.AGGREGATE] = GraphQLInputField(self.many.aggregate_filter(target))
            else:
                fields[relation.name] = GraphQLInputField(
                    self.filters[relation.target], description="The row exists and matches this filter."
                )
        own = self.filters[entity.name]
        fields["and"] = GraphQLInputField(GraphQLList(GraphQLNonNull(own)), description="All of these filters match.")
        fields["or"] = GraphQLInputField(
            GraphQLList(GraphQLNonNull(own)), description="At least one of these filters matches."
        )
        fields["not"] = GraphQLInputField(own, description="This filter does not match.")
        return fields

    def _list_filter(self, target: str) -> GraphQLInputObjectType:
        if target not in self.list_filters:
            own = self.filters[target]
            self.list_filters[target] = InputType(
                f"{target}ListFilter",
                {
                    "some": GraphQLInputField(own, description="At least one row matches."),
                    "none": GraphQLInputField(own, description="No row matches."),
                    "every": GraphQLInputField(own, description="Every row matches; true if there are no rows."),
                },
                description=f"A filter on a list of {target}. All given fields must match.",
            )
        return self.list_filters[target]

    def value_filter(self, type_: ValueType) -> GraphQLInputObjectType:
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
            known = operators(type_)
            if Operand.PATHS in known.values():
                path = {operator: GraphQLInputField(kinds[operand]) for operator, operand in AT_PATH.items()}
                at = GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString)))
                kinds[Operand.PATHS] = GraphQLList(
                    GraphQLNonNull(
                        InputType(
                            "JSONPathFilter",
                            {"at": GraphQLInputField(at, description="The path: keys, and indexes as text."), **path},
                            description="A filter on the value at a path. All given operators must match.",
                        )
                    )
                )
            self.value_filters[name] = InputType(
                name,
                {operator: GraphQLInputField(kinds[operand]) for operator, operand in known.items()},
                description="All given operators must match. An operand cannot be null: use `isNull`.",
            )
        return self.value_filters[name]

    def _order(self, entity: Entity) -> GraphQLInputObjectType:
        return InputType(
            f"{entity.name}OrderBy",
            lambda: self._order_fields(entity),
            description=f"One sort key of {entity.name}.",
            is_one_of=True,
        )

    def _order_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {
            column.name: GraphQLInputField(self.direction) for column in self.columns(entity) if sortable(column.type)
        }
        for relation in self.relations(entity):
            target = self.model.entity(relation.target)
            if relation.to_many and self.aggregated(relation):
                order = self.many.aggregate_order(target)
                fields[relation.name + FieldKind.AGGREGATE] = GraphQLInputField(order)
            elif not relation.to_many and self.sortable(target):
                fields[relation.name] = GraphQLInputField(self.orders[relation.target])
        return fields


def _undescribed(arguments: dict[str, GraphQLArgument]) -> dict[str, GraphQLArgument]:
    """Return the arguments without their descriptions, which the field of Query has. They are a fifth of a schema."""
    return {name: GraphQLArgument(argument.type) for name, argument in arguments.items()}


def _named_types(node: Node) -> set[str]:
    """Return the names of the types that a definition refers to."""
    names: set[str] = set()

    class Names(Visitor):
        def enter_named_type(self, named: NamedTypeNode, *_: Any) -> None:
            names.add(named.name.value)

    visit(node, Names())
    return names
