"""The rules of GraphQL's validation, run together.

graphql-core asks each of some thirty rules at each node whether it looks at nodes of this
kind, and finds that out anew for each document: half of the time that validation takes.
Here it is known by the rules' classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from graphql import BREAK, SKIP, Node, ValidationContext
from graphql.language.visitor import EnterLeaveVisitor
from graphql.validation import ASTValidationRule, ValidationRule

# The place of a rule among the others, and its methods for a kind of nodes.
_Method = Callable[..., Any] | None
_Bound = tuple[int, _Method, _Method]


@cache
def together(rules: tuple[type[ASTValidationRule], ...]) -> type[ASTValidationRule]:
    """One rule that is all of these: it finds the same faults in the same order."""
    known: dict[str, tuple[int, ...]] = {}

    class Together(ValidationRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rules = [rule(context) for rule in rules]
            self.skipping: list[Any] = [None] * len(rules)

        def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
            found = self.enter_leave_map.get(kind)
            if found is None:
                if kind not in known:
                    known[kind] = tuple(index for index, rule in enumerate(rules) if any(_methods(rule, kind)))
                bound = [(index, *_methods(self.rules[index], kind)) for index in known[kind]]
                found = self.enter_leave_map[kind] = _merged(bound, self.skipping)
            return found

    return Together


def _methods(rule: ASTValidationRule | type[ASTValidationRule], kind: str) -> tuple[_Method, _Method]:
    return (
        getattr(rule, f"enter_{kind}", None) or getattr(rule, "enter", None),
        getattr(rule, f"leave_{kind}", None) or getattr(rule, "leave", None),
    )


def _merged(bound: Sequence[_Bound], skipping: list[Any]) -> EnterLeaveVisitor:
    """The rules' methods for one kind of nodes as one of each.

    Args:
        skipping: by rule, the node below which it looks at nothing, or BREAK when it looks at nothing any more.
    """
    if not bound:
        return EnterLeaveVisitor(None, None)

    def enter(node: Node, *place: Any) -> None:
        for index, method, _ in bound:
            if skipping[index] is None and method is not None:
                result = method(node, *place)
                if result is SKIP or result is False:
                    skipping[index] = node
                elif result is BREAK or result is True:
                    skipping[index] = BREAK

    def leave(node: Node, *place: Any) -> None:
        for index, _, method in bound:
            if skipping[index] is node:
                skipping[index] = None
            elif skipping[index] is None and method is not None:
                result = method(node, *place)
                if result is BREAK or result is True:
                    skipping[index] = BREAK

    return EnterLeaveVisitor(enter, leave)
