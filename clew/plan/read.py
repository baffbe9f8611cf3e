"""A validated query operation -> `ReadPlan`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
)

from clew.model.types import Column, Entity, Relation
from clew.plan.collect import collect
from clew.plan.filters import filter_predicate
from clew.plan.inputs import read_arguments
from clew.plan.limits import Limits
from clew.plan.paging import cut, order_keys
from clew.plan.types import (
    AllOf,
    Compare,
    Literal,
    Many,
    One,
    Operand,
    Output,
    Predicate,
    Read,
    ReadPlan,
    Required,
    Root,
    RootCustom,
    RootMany,
    RootOne,
    RootTypeName,
    RootViewer,
    Rows,
    Template,
    TypeName,
    Value,
    Variable,
    Visible,
)
from clew.plan.visible import Access, Sight


def plan_query(
    access: Access,
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    sight: Sight,
    limits: Limits,
) -> ReadPlan:
    """Plan the generated fields of a query operation.

    Args:
        operation: valid against `schema`.
        fragments: the document's fragments by name.
        variables: the coerced variables, of which only the shape and the values given to
            `@skip` and `@include` go into the plan.
        sight: what of the viewer decides what is visible.
        limits: for the page.

    Raises:
        ClewError: BAD_USER_INPUT for what validation cannot see, such as a null operand.
    """
    return _Planner(access, schema, fragments, variables, sight, limits).query(operation)


class _Planner:
    def __init__(
        self,
        access: Access,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
        sight: Sight,
        limits: Limits,
    ) -> None:
        self.access = access
        self.model = access.model
        self.schema = schema
        self.fragments = fragments
        self.variables = variables
        self.sight = sight
        self.limits = limits
        self.resolvers = False

    def query(self, operation: OperationDefinitionNode) -> ReadPlan:
        fields = collect((operation.selection_set,), "Query", self.fragments, self.variables)
        roots = tuple(self.root(key, nodes) for key, nodes in fields.items())
        return ReadPlan(roots, self.resolvers)

    def root(self, key: str, nodes: tuple[FieldNode, ...]) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return RootTypeName(key, "Query")
        if name == "viewer":
            fields = self.subfields(nodes, "Viewer")
            return RootViewer(key, tuple((alias, subnodes[0].name.value) for alias, subnodes in fields.items()))
        found = self.model.root_fields.get(name)
        if found is None:
            return RootCustom(key, nodes)
        entity, unique = found
        if unique is None:
            return RootMany(key, self.list(entity, "Query", nodes))
        return RootOne(key, self.by_key(entity, unique, nodes))

    def by_key(self, entity: Entity, unique: tuple[str, ...], nodes: tuple[FieldNode, ...]) -> Read:
        arguments = self.arguments("Query", nodes[0])
        masks = self.access.visible(entity, self.sight).masks
        conditions: list[Predicate] = []
        for name in unique:
            column, tree = _column(entity, name), arguments[name]
            assert isinstance(tree, Literal | Variable | Template)
            conditions.append(Compare(column, "eq", Operand(tree, column.type, name), masks.get(name)))
        where = conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))
        return Read(Rows(self.access.visible(entity, self.sight), where), self.output(entity, nodes))

    def list(self, entity: Entity, parent: str, nodes: tuple[FieldNode, ...]) -> Read:
        arguments = self.arguments(parent, nodes[0])
        where = filter_predicate(self.access, self.sight, entity, arguments.get("where"), "where")
        order = order_keys(self.access, self.sight, entity, arguments.get("orderBy"), "orderBy")
        visible = self.access.visible(entity, self.sight)
        rows = Rows(visible, where, order, *cut(arguments, self.variables, self.page(visible)))
        return Read(rows, self.output(entity, nodes))

    def page(self, visible: Visible) -> int | None:
        """The largest page: what the rules say, else the limit for all; none for an admin."""
        if self.sight.admin:
            return None
        return self.limits.page if visible.page is None else visible.page

    def output(self, entity: Entity, nodes: tuple[FieldNode, ...]) -> tuple[Output, ...]:
        fields = self.subfields(nodes, entity.name)
        return tuple(self.field(entity, key, subnodes) for key, subnodes in fields.items())

    def field(self, entity: Entity, key: str, nodes: tuple[FieldNode, ...]) -> Output:
        name = nodes[0].name.value
        if name == "__typename":
            return TypeName(key, entity.name)
        mask = self.access.visible(entity, self.sight).masks.get(name)
        column = entity.column(name)
        if column is not None:
            return Value(key, column, mask)
        relation = entity.relation(name)
        if relation is not None:
            return self.relation(entity, relation, key, nodes, mask)
        resolver = entity.resolver(name)
        assert resolver is not None, f"{entity.name}.{name}"
        self.resolvers = True
        return Required(key, tuple(_column(entity, required) for required in resolver.requires), mask)

    def relation(
        self, entity: Entity, relation: Relation, key: str, nodes: tuple[FieldNode, ...], mask: Predicate | None
    ) -> Output:
        target = self.model.entity(relation.target)
        if relation.to_many:
            return Many(
                key, relation, self.list(target, entity.name, nodes), self.access.link(relation, self.sight), mask
            )
        rows = Rows(self.access.visible(target, self.sight))
        return One(key, relation, Read(rows, self.output(target, nodes)), mask)

    def subfields(self, nodes: tuple[FieldNode, ...], type_name: str) -> dict[str, tuple[FieldNode, ...]]:
        sets = (node.selection_set for node in nodes if node.selection_set is not None)
        return collect(sets, type_name, self.fragments, self.variables)

    def arguments(self, parent: str, node: FieldNode) -> dict[str, Any]:
        type_ = self.schema.type_map[parent]
        assert isinstance(type_, GraphQLObjectType)
        return read_arguments(node, type_.fields[node.name.value].args, self.variables)


def _column(entity: Entity, name: str) -> Column:
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column
