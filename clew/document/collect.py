"""CollectFields of the GraphQL specification (6.3.2), for object types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

from clew.errors import ClewError


def collect(
    selection_sets: Iterable[SelectionSetNode],
    type_name: str,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    interfaces: Collection[str] = (),
) -> dict[str, tuple[FieldNode, ...]]:
    """Return the fields of an object in order, by response key, with all nodes of each key.

    Args:
        selection_sets: those of all nodes that share the object's response key.
        type_name: the object's type.
        fragments: the document's fragments by name.
        variables: the coerced variables, for `@skip` and `@include`.
        interfaces: those that the type implements.

    Raises:
        ClewError: BAD_USER_INPUT for a null condition, which a variable with a default allows.
    """
    fields: dict[str, list[FieldNode]] = {}
    visited: set[str] = set()
    names = (type_name, *interfaces)

    def walk(selections: Iterable[SelectionNode]) -> None:
        for node in selections:
            if node.directives and not is_included(node.directives, variables):
                continue
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                fields.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or condition.name.value in names:
                    walk(node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in visited:
                    continue
                visited.add(name)
                fragment = fragments[name]
                if fragment.type_condition.name.value in names:
                    walk(fragment.selection_set.selections)

    for selection_set in selection_sets:
        walk(selection_set.selections)
    return {key: tuple(nodes) for key, nodes in fields.items()}


def is_included(directives: Iterable[DirectiveNode], variables: Mapping[str, Any]) -> bool:
    """Return whether `@skip` and `@include` among these directives let their node be.

    Raises:
        ClewError: BAD_USER_INPUT for a null condition.
    """
    for directive in directives:
        name = directive.name.value
        if name not in ("skip", "include"):
            continue
        (argument,) = directive.arguments or ()
        value = argument.value
        if isinstance(value, VariableNode):
            condition = variables[value.name.value]
            if condition is None:
                raise ClewError(f"`@{name}(if:)` must not be null.", hint=f"Give ${value.name.value} a value.")
        else:
            assert isinstance(value, BooleanValueNode)
            condition = value.value
        if condition is (name == "skip"):
            return False
    return True
