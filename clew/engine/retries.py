"""Mutations that lost to another transaction and are run again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from graphql import FieldNode, GraphQLObjectType, TypeInfo, TypeInfoVisitor, Visitor, visit

from clew.document.prepare import Prepared
from clew.model.types import Model

_MOST = 3
_FIRST_PAUSE = 0.02


def pauses() -> Iterator[float]:
    """How long to wait before each further try, in seconds; apart, so that those who met do not meet again."""
    for number in range(_MOST):
        yield random.uniform(0.5, 1.5) * _FIRST_PAUSE * 4**number  # noqa: S311  no secret


def can_run_again(prepared: Prepared, model: Model) -> bool:
    """Whether a rollback undoes all of it: no code of the application's own runs, which may have reached further."""
    types = TypeInfo(prepared.schema)
    found = _Custom(types, prepared.schema.mutation_type, model)
    visit(prepared.document, TypeInfoVisitor(types, found))
    return not found.any


class _Custom(Visitor):
    """Looks for fields that are resolved by the application; types of its own are only reached through such."""

    def __init__(self, types: TypeInfo, root: GraphQLObjectType | None, model: Model) -> None:
        super().__init__()
        self.any = False
        self._types = types
        self._root = root
        self._model = model

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, name = self._types.get_parent_type(), node.name.value
        if parent is None or name.startswith("__"):
            return
        entity = self._model.entities.get(parent.name)
        if entity is not None:
            self.any |= entity.resolver(name) is not None
        elif parent is self._root:
            self.any |= name not in self._model.write_fields
