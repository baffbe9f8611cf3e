"""Plan an export: one list or groups field, whose rows are written to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode, OperationType

from clew.access.predicates import FALSE
from clew.access.sight import Sight
from clew.access.types import Literal, Measure, Operand, Visible
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, FieldKind, Relation, ValueType
from clew.plan.cost import check_cost
from clew.plan.paging import Page
from clew.plan.read import Planner, deleted
from clew.plan.types import (
    Connection,
    GroupKeys,
    Groups,
    Many,
    Measured,
    Measures,
    MeasureValue,
    One,
    Output,
    Read,
    ReadPlan,
    Required,
    RootMany,
    TypeName,
)

_ALL = Page(None, None)
_HINT = "Such as { threads { id title } }."
_ONE_ROW = Operand(Literal(1), ValueType("BigInt", "bigint"), "limit", "count")


def plan_export(
    access: Access,
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    sight: Sight,
    limits: Limits,
    budget: int | None = None,
) -> ReadPlan:
    """Plan the one root field of an export. No page cuts its rows.

    The limit of cost bounds each row, as if the rows were a page of the largest size: a row must fit into memory.

    Args:
        operation: valid against `schema`.
        fragments, variables, sight, limits, budget: as for `clew.plan.read.plan_query`.

    Raises:
        ClewError: BAD_USER_INPUT for what is no list of rows, FORBIDDEN if no rule lets the viewer export the rows or a
            field of them. Else as `plan_query`.
        BudgetError: as `plan_query`.
    """
    if operation.operation is not OperationType.QUERY:
        raise ClewError("Only a query can be exported.", hint=_HINT)
    root = _ExportPlanner(access, schema, fragments, variables, sight, limits, budget).export(operation)
    if limits.cost is not None and limits.page is not None and isinstance(root.read, Read):
        one_row = replace(root.read, rows=replace(root.read.rows, limit=_ONE_ROW))
        check_cost(ReadPlan((replace(root, read=one_row),)), variables, max(1, limits.cost // limits.page))
    return ReadPlan((root,))


class _ExportPlanner(Planner):
    def export(self, operation: OperationDefinitionNode) -> RootMany:
        """Plan the root field."""
        fields = self.collected((operation.selection_set,), self.root_type)
        if len(fields) != 1:
            raise ClewError("An export has exactly one root field.", hint=_HINT)
        ((key, nodes),) = fields.items()
        name = nodes[0].name.value
        found = self.root_fields.get(name)
        if found is None or found.unique is not None or found.kind not in (FieldKind.LIST, FieldKind.GROUPS):
            hint = None if found is None else f"Export {_named(found.kind)} instead."
            raise ClewError(f"`{name}` is no list of rows, so it cannot be exported.", hint=hint)
        arguments = self.arguments(self.root_type, nodes[0])
        visible = self.access.exportable(found.entity, self.sight, deleted(arguments))
        if visible is None:
            raise ClewError(f"No rule lets you export `{name}`.", code=Code.FORBIDDEN)
        readable = self.access.visible(found.entity, self.sight).masks
        if found.kind is FieldKind.GROUPS:
            groups = self.groups(visible, arguments, nodes, _ALL)
            read: Read | Groups = groups
            used = _grouped(groups)
        else:
            read = self.list(visible, arguments, nodes)
            used = self.selected(visible, nodes)
        for field in used:
            if visible.masks.get(field) == FALSE and readable.get(field) != FALSE:
                raise ClewError(f"No rule lets you export the field `{field}`.", code=Code.FORBIDDEN)
        return RootMany(key, read)

    def list(self, visible: Visible, arguments: Mapping[str, Any], nodes: tuple[FieldNode, ...]) -> Read:
        """Plan a list of all rows, as long as the arguments say."""
        read = self.many(visible, visible, FieldKind.LIST, arguments, nodes, _ALL)
        assert isinstance(read, Read)
        _check(read.output, "")
        return read

    def selected(self, visible: Visible, nodes: tuple[FieldNode, ...]) -> Iterator[str]:
        """Yield the names of the fields that are selected of each row. One over many rows counts as its relation."""
        entity: Entity = visible.entity
        for subnodes in self.subfields(nodes, entity.name).values():
            name = subnodes[0].name.value
            many = entity.many(name)
            yield name if many is None else many[0].name


def _named(kind: FieldKind) -> str:
    return "the list" if kind is not FieldKind.LIST else "a list with a condition"


def _check(outputs: Iterable[Output], path: str) -> None:
    """Refuse fields that the database alone cannot answer row by row.

    Raises:
        ClewError: BAD_USER_INPUT.
    """
    for output in outputs:
        here = f"{path}{output.key}"
        match output:
            case Required():
                raise ClewError(
                    f"`{here}` has a resolver of its own, so it cannot be exported.", hint="Leave the field out."
                )
            case Many(read=Connection()):
                raise ClewError(
                    f"`{here}` is a connection, which cannot be exported.", hint="Ask for the list of the same rows."
                )
            case Many(read=Read(output=inner)) | One(read=Read(output=inner)):
                _check(inner, f"{here}.")


def _grouped(read: Groups) -> Iterator[str]:
    """Yield the names of the fields of the grouped rows that their groups are made of, or sorted by."""
    for key in read.by:
        first = key.value.path[0][0] if key.value.path else key.value.end
        assert isinstance(first, Relation | Column)
        yield first.name
    for order in read.order:
        if isinstance(order.value, Measure):
            yield from _column_of(order.value)
    for output in read.output:
        yield from _measured(output)


def _measured(output: Measured | GroupKeys) -> Iterator[str]:
    match output:
        case MeasureValue(measure=measure):
            yield from _column_of(measure)
        case Measures(output=inner):
            for item in inner:
                yield from _measured(item)
        case TypeName() | GroupKeys():
            pass


def _column_of(measure: Measure) -> Iterator[str]:
    if measure.column is not None:
        yield measure.column.name
