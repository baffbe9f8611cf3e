"""The user's own fields and types as a role set sees them, without those that lead only to hidden entities."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from graphql import (
    FieldDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
)


def type_name(node: TypeNode) -> str:
    """Return the name of the type inside lists and non-nulls."""
    while not isinstance(node, NamedTypeNode):
        assert isinstance(node, ListTypeNode | NonNullTypeNode)
        node = node.type
    return node.name.value


class OwnTypes:
    """The user's own types as a role set sees them.

    Args:
        types: all of the user's own types.
        hidden: the entities that the roles cannot see.
        partial: the entities of which the roles may not see every row.
    """

    def __init__(self, types: Sequence[TypeDefinitionNode], hidden: Collection[str], partial: Collection[str]) -> None:
        self._hidden = set(hidden)
        self._partial = frozenset(partial)
        while gone := {node.name.value for node in types if self._is_empty(node)} - self._hidden:
            self._hidden |= gone
        self.types = tuple(self._pruned(node) for node in types if node.name.value not in self._hidden)

    def fields(self, nodes: Iterable[FieldDefinitionNode]) -> tuple[FieldDefinitionNode, ...]:
        """Return the fields that exist for the roles. A field is nullable if it may lead to a hidden row."""
        return tuple(self._field(node) for node in nodes if type_name(node.type) not in self._hidden)

    def _field(self, node: FieldDefinitionNode) -> FieldDefinitionNode:
        if type_name(node.type) not in self._partial:
            return node
        return replace(node, type=_nullable(node.type))

    def _is_empty(self, node: TypeDefinitionNode) -> bool:
        if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            # alike without `()`: there are some, or it is empty
            return all(type_name(field.type) in self._hidden for field in node.fields or ())
        return isinstance(node, UnionTypeDefinitionNode) and not self._named(node.types)

    def _pruned(self, node: TypeDefinitionNode) -> TypeDefinitionNode:
        changes: dict[str, Any] = {}
        if isinstance(node, UnionTypeDefinitionNode):
            changes["types"] = self._named(node.types)
        elif isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            changes["fields"] = self.fields(node.fields or ())  # alike without `()`: there are some, or it is empty
            changes["interfaces"] = self._named(node.interfaces)
        return replace(node, **changes) if changes else node  # alike if true: a copy

    def _named(self, nodes: Iterable[NamedTypeNode] | None) -> tuple[NamedTypeNode, ...]:
        return tuple(node for node in nodes or () if node.name.value not in self._hidden)


def _nullable(node: TypeNode) -> TypeNode:
    """Make the innermost type nullable: the items of a list, or a single value."""
    if isinstance(node, NonNullTypeNode):
        if isinstance(node.type, ListTypeNode):
            return replace(node, type=replace(node.type, type=_nullable(node.type.type)))
        return node.type
    return replace(node, type=_nullable(node.type)) if isinstance(node, ListTypeNode) else node
