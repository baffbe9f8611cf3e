"""Plan a validated query or subscription as a `ReadPlan`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from clew.access.implied import linked, reached
from clew.access.predicates import conjunction
from clew.access.sight import Sight
from clew.access.types import AllOf, Compare, Literal, Operand, Predicate, Rows, Template, Variable, Visible
from clew.access.visible import Access
from clew.document.collect import collect
from clew.document.inputs import Tree, read_arguments, size
from clew.document.limits import Limits
from clew.errors import ClewError
from clew.model.types import Column, Entity, FieldKind
from clew.plan.connections import connection
from clew.plan.filters import filter_predicate, search_predicate
from clew.plan.groups import Grouping
from clew.plan.measures import COUNT, MEASURE_TYPES, measure
from clew.plan.paging import Page, cut, order_keys
from clew.plan.types import (
    TYPE_KEY,
    Aggregate,
    ChangeNode,
    Changes,
    ChangeValue,
    Connection,
    ConnectionOutput,
    Cursor,
    Edges,
    GroupKeys,
    Groups,
    Many,
    Measured,
    Measures,
    MeasureValue,
    Node,
    Nodes,
    One,
    Output,
    PageInfo,
    Read,
    ReadPlan,
    Required,
    Root,
    RootChanges,
    RootCustom,
    RootMany,
    RootOne,
    RootTypeName,
    RootViewer,
    TotalCount,
    TypeName,
    Value,
)
from clew.plan.weight import BudgetError, check_conditions


def plan_query(
    access: Access,
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    sight: Sight,
    limits: Limits,
    budget: int | None = None,
) -> ReadPlan:
    """Plan the generated fields of a query or a subscription.

    Args:
        operation: valid against `schema`, apart from the number of root fields of a subscription.
        fragments: the document's fragments by name.
        variables: coerced. Only their shape and the values for `@skip` and `@include` go into the plan.
        sight: the part of the viewer that decides what is visible.
        limits: the limits of the page and of the number of conditions.
        budget: the most fields and conditions, counting those of a variable at each use. None: no bound.

    Raises:
        ClewError: BAD_USER_INPUT for faults that validation cannot see, such as a null operand, and for a field of a
            subscription that must stand alone. LIMIT_EXCEEDED.
        BudgetError: the plan takes more than the budget.
    """
    return Planner(access, schema, fragments, variables, sight, limits, budget).query(operation)


def plan_rows(
    access: Access,
    schema: GraphQLSchema,
    entity: Entity,
    nodes: tuple[FieldNode, ...],
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    sight: Sight,
    limits: Limits,
    budget: int | None = None,
) -> Read:
    """Plan the reading of rows whose keys the user's own code returns.

    Args:
        entity: the entity of the rows.
        nodes: the nodes of the field that has the rows below it.
        fragments, variables, sight, limits, budget: as `plan_query`.

    Raises:
        ClewError, BudgetError: as `plan_query`.
    """
    planner = Planner(access, schema, fragments, variables, sight, limits, budget, typed=True)
    visible = access.visible(entity, sight)
    return Read(Rows(visible), planner.output(visible, nodes))


class Planner:
    """Plans one operation."""

    def __init__(
        self,
        access: Access,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
        sight: Sight,
        limits: Limits,
        budget: int | None,
        *,
        typed: bool = False,
    ) -> None:
        self.access = access
        self.model = access.model
        self.schema = schema
        self.fragments = fragments
        self.variables = variables
        self.sight = sight
        self.limits = limits
        self.budget = budget
        self.root_type, self.root_fields = "Query", self.model.root_fields
        self.resolvers = False
        # Whether a row that may have several types tells its type. The executor asks for it.
        self.typed = typed
        self.has_variants = False
        # The numbers of fields, and of conditions as a client writes them.
        self.fields = 0
        self.conditions = 0

    def query(self, operation: OperationDefinitionNode) -> ReadPlan:
        live = operation.operation is OperationType.SUBSCRIPTION
        if live:
            self.root_type, self.root_fields = "Subscription", self.model.live_fields
        fields = self.collected((operation.selection_set,), self.root_type)
        if live:
            self.check_live(fields)
        plan = self.planned(fields)
        if self.has_variants and not plan.passthrough:
            self.typed, self.fields, self.conditions = True, len(fields), 0
            plan = self.planned(fields)
        return plan

    def planned(self, fields: Mapping[str, tuple[FieldNode, ...]]) -> ReadPlan:
        return ReadPlan(tuple(self.root(key, nodes) for key, nodes in fields.items()), self.resolvers)

    def check_live(self, fields: Mapping[str, tuple[FieldNode, ...]]) -> None:
        """Check the root fields of a subscription.

        Live queries move together. GraphQL wants one field at most of any other kind
        (https://spec.graphql.org/draft/#sec-Single-Root-Field).
        """
        names = [nodes[0].name.value for nodes in fields.values()]
        if all(name == "__typename" for name in names):
            raise ClewError("The subscription has no field that gives results.")
        if len(names) > 1:
            for name in names:
                if name not in self.root_fields and name != "__typename":
                    raise ClewError(
                        f"`{name}` must be the only field of its subscription.", hint="Send a subscription for each."
                    )

    def root(self, key: str, nodes: tuple[FieldNode, ...]) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return RootTypeName(key, self.root_type)
        if self.root_type == "Subscription" and name in self.model.change_fields:
            return RootChanges(key, self.changes(self.model.change_fields[name], nodes), nodes[0])
        if name == "viewer" and self.root_type == "Query":
            fields = self.subfields(nodes, "Viewer")
            return RootViewer(key, tuple((alias, subnodes[0].name.value) for alias, subnodes in fields.items()))
        found = self.root_fields.get(name)
        if found is None:
            return RootCustom(key, nodes)
        if found.unique is not None:
            return RootOne(key, self.by_key(found.entity, found.unique, nodes))
        if found.kind is FieldKind.GROUPS:
            arguments = self.arguments(self.root_type, nodes[0])
            visible = self.visible(found.entity, arguments)
            return RootMany(key, self.groups(visible, arguments, nodes, self.page(visible)))
        arguments = self.arguments(self.root_type, nodes[0])
        visible = self.visible(found.entity, arguments)
        return RootMany(key, self.many(visible, visible, found.kind, arguments, nodes, self.page(visible)))

    def changes(self, entity: Entity, nodes: tuple[FieldNode, ...]) -> Changes:
        """Plan the events of changes of an entity's rows."""
        arguments = self.arguments(self.root_type, nodes[0])
        visible = self.access.visible(entity, self.sight)
        type_name = f"{entity.name}Change"
        output: list[ChangeValue | ChangeNode | Value | TypeName] = []
        for key, subnodes in self.subfields(nodes, type_name).items():
            name = subnodes[0].name.value
            if name == "__typename":
                output.append(TypeName(key, type_name))
            elif name == "node":
                output.append(ChangeNode(key, self.output(visible, subnodes), subnodes))
            elif name in entity.primary_key:
                output.append(Value(key, _column(entity, name), visible.masks.get(name)))
            else:
                output.append(ChangeValue(key, name))
        return Changes(Rows(visible, self.where(entity, arguments)), tuple(output))

    def by_key(self, entity: Entity, unique: tuple[str, ...], nodes: tuple[FieldNode, ...]) -> Read:
        arguments = self.arguments(self.root_type, nodes[0])
        visible = self.access.visible(entity, self.sight)
        conditions: list[Predicate] = []
        for name in unique:
            column, tree = _column(entity, name), arguments[name]
            assert isinstance(tree, Literal | Variable | Template)
            conditions.append(Compare(column, "eq", Operand(tree, column.type, name), visible.masks.get(name)))
        where = conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))
        return Read(Rows(visible, where), self.output(visible, nodes))

    def many(
        self,
        visible: Visible,
        asked: Visible,
        kind: FieldKind,
        arguments: Mapping[str, Tree],
        nodes: tuple[FieldNode, ...],
        page: Page,
    ) -> Read | Connection | Aggregate:
        """Plan a list, a connection or an aggregate over the rows of `visible` that the arguments ask for.

        Args:
            asked: the same rows, with only the conditions that are not proven yet.
        """
        entity = visible.entity
        where = self.where(entity, arguments)
        if kind is FieldKind.AGGREGATE:
            return Aggregate(Rows(asked, where), self.aggregate(entity, nodes))
        order = order_keys(self.access, self.sight, entity, arguments.get("orderBy"), "orderBy")
        if kind is FieldKind.CONNECTION:
            output = self.connection(visible, nodes)
            return connection(arguments, self.variables, asked, where, order, page, output)
        rows = Rows(asked, where, order, *cut(arguments, self.variables, page))
        return Read(rows, self.output(visible, nodes))

    def visible(self, entity: Entity, arguments: Mapping[str, Tree]) -> Visible:
        """Return the visible rows, with the deleted ones as the argument `deleted` says."""
        return self.access.visible(entity, self.sight, deleted(arguments))

    def where(self, entity: Entity, arguments: Mapping[str, Tree]) -> Predicate:
        """Return the condition of `where` and `search`."""
        where = filter_predicate(self.access, self.sight, entity, arguments.get("where"), "where")
        if (search := arguments.get("search")) is not None:
            where = conjunction([where, search_predicate(self.access, self.sight, entity, search)])
        return where

    def connection(self, visible: Visible, nodes: tuple[FieldNode, ...]) -> tuple[ConnectionOutput, ...]:
        entity = visible.entity
        output: list[ConnectionOutput] = []
        for key, subnodes in self.subfields(nodes, f"{entity.name}Connection").items():
            match subnodes[0].name.value:
                case "edges":
                    output.append(Edges(key, self.edge(visible, subnodes)))
                case "nodes":
                    output.append(Nodes(key, self.output(visible, subnodes)))
                case "pageInfo":
                    fields = self.subfields(subnodes, "PageInfo")
                    output.append(PageInfo(key, tuple((alias, n[0].name.value) for alias, n in fields.items())))
                case "totalCount":
                    output.append(TotalCount(key))
                case _:
                    output.append(TypeName(key, f"{entity.name}Connection"))
        return tuple(output)

    def edge(self, visible: Visible, nodes: tuple[FieldNode, ...]) -> tuple[Cursor | Node | TypeName, ...]:
        type_name = f"{visible.entity.name}Edge"
        output: list[Cursor | Node | TypeName] = []
        for key, subnodes in self.subfields(nodes, type_name).items():
            match subnodes[0].name.value:
                case "cursor":
                    output.append(Cursor(key))
                case "node":
                    output.append(Node(key, self.output(visible, subnodes)))
                case _:
                    output.append(TypeName(key, type_name))
        return tuple(output)

    def aggregate(self, entity: Entity, nodes: tuple[FieldNode, ...]) -> tuple[Measured, ...]:
        fields = self.subfields(nodes, f"{entity.name}Aggregate")
        masks, parent = self.access.visible(entity, self.sight).masks, f"{entity.name}Aggregate"
        return tuple(self.measure(entity, masks, parent, key, subnodes) for key, subnodes in fields.items())

    def measure(
        self, entity: Entity, masks: Mapping[str, Predicate], parent: str, key: str, nodes: tuple[FieldNode, ...]
    ) -> Measured:
        """Plan `count`, or an object of measures such as `sum`."""
        function = nodes[0].name.value
        if function == "__typename":
            return TypeName(key, parent)
        if function == "count":
            return MeasureValue(key, COUNT)
        type_name = MEASURE_TYPES[function].format(entity.name)
        values: list[MeasureValue | TypeName] = []
        for alias, subnodes in self.subfields(nodes, type_name).items():
            name = subnodes[0].name.value
            if name == "__typename":
                values.append(TypeName(alias, type_name))
            else:
                values.append(MeasureValue(alias, measure(entity, function, name, masks)))
        return Measures(key, tuple(values))

    def groups(
        self, visible: Visible, arguments: Mapping[str, Tree], nodes: tuple[FieldNode, ...], page: Page
    ) -> Groups:
        """Plan the groups of rows of `visible`, with its masks on what they are made of."""
        entity, masks = visible.entity, visible.masks
        where = self.where(entity, arguments)
        grouping = Grouping(self.access, self.sight, entity, masks, arguments["by"], arguments.get("timeZone"))
        output: list[Measured | GroupKeys] = []
        for key, subnodes in self.subfields(nodes, f"{entity.name}GroupRow").items():
            if subnodes[0].name.value == "key":
                below = self.subfields(subnodes, f"{entity.name}GroupRowKey")
                output.append(GroupKeys(key, tuple(grouping.key_values(entity, below, self.subfields))))
            else:
                output.append(self.measure(entity, masks, f"{entity.name}GroupRow", key, subnodes))
        rows = Rows(visible, where, (), *cut(arguments, self.variables, page))
        return Groups(rows, grouping.keys, grouping.order(arguments.get("orderBy")), tuple(output))

    def page(self, visible: Visible) -> Page:
        """Return the page of a root field: that of the rules, else the general limit. An admin has none."""
        if self.sight.admin:  # alike if false: an admin's limits have no page
            return Page(None, None)
        most = self.limits.page if visible.page is None else visible.page
        return Page(most, most)

    def nested_page(self, visible: Visible) -> Page:
        """Return the page of a relation. Nested lists multiply, so its default is smaller."""
        page = self.page(visible)
        if page.most is None or self.limits.nested_page is None:
            return page
        return Page(page.most, min(page.most, self.limits.nested_page))

    def output(self, visible: Visible, nodes: tuple[FieldNode, ...]) -> tuple[Output, ...]:
        """Plan the fields of each row. The statement has made sure that it is a row of `visible`."""
        if visible.entity.variants:
            return tuple(self.variants(visible, nodes))
        fields = self.subfields(nodes, visible.entity.name)
        return tuple(self.field(visible, key, subnodes) for key, subnodes in fields.items())

    def variants(self, visible: Visible, nodes: tuple[FieldNode, ...]) -> Iterable[One]:
        """Yield the row as each of the types that it may have, as far as the viewer sees them."""
        self.has_variants = True
        for name in visible.entity.variants:
            relation = visible.entity.relation(name)
            assert relation is not None
            if relation.target in self.schema.type_map:
                far, _ = self.access.across(relation, self.sight)
                output = self.output(far, nodes)
                if self.typed:
                    output = (TypeName(TYPE_KEY, relation.target), *output)
                yield One(name, relation, Read(Rows(reached(relation, visible, far)), output))

    def field(self, visible: Visible, key: str, nodes: tuple[FieldNode, ...]) -> Output:
        entity, name = visible.entity, nodes[0].name.value
        if name == "__typename":
            return TypeName(key, entity.name)
        mask = visible.masks.get(name)
        column = entity.column(name)
        if column is not None:
            return Value(key, column, mask)
        many = entity.many(name)
        if many is not None:
            relation, kind = many
            arguments = self.arguments(entity.name, nodes[0])
            far, link = self.access.across(relation, self.sight, deleted(arguments))
            asked = reached(relation, visible, far)
            read = self.many(far, asked, kind, arguments, nodes, self.nested_page(far))
            if link is not None:  # alike if false: asks again what follows
                link = linked(relation, visible, far, link)
            return Many(key, relation, read, link, visible.masks.get(relation.name))
        to_one = entity.relation(name)
        if to_one is not None:
            far, _ = self.access.across(to_one, self.sight)
            return One(key, to_one, Read(Rows(reached(to_one, visible, far)), self.output(far, nodes)), mask)
        resolver = entity.resolver(name)
        assert resolver is not None, f"{entity.name}.{name}"
        self.resolvers = True
        return Required(key, tuple(_column(entity, required) for required in resolver.requires), mask)

    def subfields(self, nodes: tuple[FieldNode, ...], type_name: str) -> dict[str, tuple[FieldNode, ...]]:
        return self.collected((node.selection_set for node in nodes if node.selection_set is not None), type_name)

    def collected(self, sets: Iterable[SelectionSetNode], type_name: str) -> dict[str, tuple[FieldNode, ...]]:
        interfaces = self.model.interfaces.get(type_name, ())
        found = collect(sets, type_name, self.fragments, self.variables, interfaces)
        self.fields += len(found)
        self.check_budget()
        return found

    def arguments(self, parent: str, node: FieldNode) -> dict[str, Any]:
        type_ = self.schema.type_map[parent]
        assert isinstance(type_, GraphQLObjectType)
        found = read_arguments(node, type_.fields[node.name.value].args, self.variables)
        # Check while planning, not at its end: each cheap alias would have a whole variable planned again.
        self.conditions += sum(map(size, found.values()))
        check_conditions(self.conditions, self.limits.conditions)
        self.check_budget()
        return found

    def check_budget(self) -> None:
        if self.budget is not None and self.fields + self.conditions > self.budget:
            raise BudgetError


def deleted(arguments: Mapping[str, Tree]) -> str | None:
    """Return the value of the argument `deleted`: INCLUDE, ONLY or None."""
    given = arguments.get("deleted")
    return given.value if isinstance(given, Literal) else None


def _column(entity: Entity, name: str) -> Column:
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column
