"""Find the fields of an operation that no plan answers: the application's own code, and Clew's fields for jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    SKIP,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    VisitorAction,
    get_named_type,
    visit,
)

from clew.access.sight import Sight
from clew.access.visible import Access
from clew.document.collect import is_included
from clew.document.prepare import Prepared
from clew.engine.rule_report import Judgement, rules_of, rules_of_custom
from clew.model import names
from clew.model.types import CustomField, Model, Operation, ResolverField, RowArgument
from clew.viewer import Viewer

_ROOTS = frozenset(kind.value.title() for kind in OperationType)
_RESOLVER = "a resolver of the application"
_SOURCE = "a source of the application; each of its events is an operation of its own"
_JOB = "it queues a job in the transaction of the mutation; the handler is the application's"
_OUTPUT = "Clew follows the output of a job, if `job(id)` finds it for the viewer"
_JOBS = "Clew changes jobs or their queues"
_CLEW = {**dict.fromkeys(names.JOB_MUTATIONS, _JOBS), **dict.fromkeys(names.JOB_SUBSCRIPTIONS, _OUTPUT)}


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A field that no plan answers.

    `field` is the name of its type and its own, as in `Query.weather`. `why` says who answers it. `rows` are its
    `@row` arguments. `custom`: its declaration, if it is a root field of the application.
    """

    field: str
    why: str
    rows: tuple[RowArgument, ...] = ()
    custom: CustomField | None = None


def unplanned_fields(prepared: Prepared, variables: Mapping[str, Any], model: Model) -> tuple[Unplanned, ...]:
    """Return the fields of an operation that no plan answers, in the order of the document.

    Fields of the application's own types are not among them: the field that gives the object is.

    Args:
        variables: the coerced variables, for `@skip` and `@include`.

    Raises:
        ClewError: BAD_USER_INPUT for a null condition.
    """
    types = TypeInfo(prepared.schema)
    found = _Fields(types, variables, model)
    visit(prepared.operation, TypeInfoVisitor(types, found))
    for name in found.fragments:
        # A fragment may spread others: they are added to the end.
        types = found.types = TypeInfo(prepared.schema)
        visit(prepared.fragments[name], TypeInfoVisitor(types, found))
    return tuple(dict.fromkeys(found.fields))


def rules_of_unplanned(found: Iterable[Unplanned], access: Access, sight: Sight, viewer: Viewer) -> Iterator[Judgement]:
    """Yield the rules that say who may use these fields, and those for the rows that their `@row` arguments name."""
    for field in found:
        if field.custom is not None:
            yield from rules_of_custom(field.custom, sight)
        for row in field.rows:
            for operation in dict.fromkeys((Operation.READ, row.to)):
                rules = rules_of(access, access.model.entity(row.entity), {operation}, sight, viewer)
                yield from (judgement for _, judgement in rules)


class _Fields(Visitor):
    """Looks for such fields. `fragments` are the names of those that the visited parts spread."""

    def __init__(self, types: TypeInfo, variables: Mapping[str, Any], model: Model) -> None:
        super().__init__()
        self.types = types
        self.fields: list[Unplanned] = []
        self.fragments: list[str] = []
        self._variables = variables
        self._model = model
        self._custom = {(custom.parent, custom.name): custom for custom in model.custom_fields}

    def enter_field(self, node: FieldNode, *_: Any) -> VisitorAction:
        if not self._is_included(node):
            return SKIP
        parent, name = self.types.get_parent_type(), node.name.value
        if parent is not None and not name.startswith("__"):
            self._note(parent.name, name)
        return None

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> VisitorAction:
        return None if self._is_included(node) else SKIP

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        if self._is_included(node) and node.name.value not in self.fragments:
            self.fragments.append(node.name.value)

    def _is_included(self, node: FieldNode | InlineFragmentNode | FragmentSpreadNode) -> bool:
        return not node.directives or is_included(node.directives, self._variables)

    def _note(self, parent: str, name: str) -> None:
        field = f"{parent}.{name}"
        entity = self._model.entities.get(parent)
        if entity is not None:
            resolver = entity.resolver(name)
            # The result of a job is what its handler gave.
            if resolver is not None and not entity.is_job:
                self.fields.append(Unplanned(field, self._resolved(resolver), resolver.rows))
        elif parent in _ROOTS:
            custom = self._custom.get((parent, name))
            if custom is not None:
                self.fields.append(Unplanned(field, self._of_root(custom), custom.rows, custom))
            elif name in _CLEW:
                self.fields.append(Unplanned(field, _CLEW[name]))

    def _resolved(self, resolver: ResolverField) -> str:
        gets = f"; it gets {', '.join(resolver.requires)}" if resolver.requires else ""
        return _RESOLVER + gets + self._rows()

    def _of_root(self, custom: CustomField) -> str:
        if custom.job is not None:
            return _JOB
        return (_SOURCE if custom.parent == "Subscription" else _RESOLVER) + self._rows()

    def _rows(self) -> str:
        """Say that the field at hand gives keys of rows, if it does."""
        type_ = self.types.get_type()
        name = "" if type_ is None else get_named_type(type_).name
        return f"; it gives keys, by which Clew reads rows of {name}" if name in self._model.entities else ""
