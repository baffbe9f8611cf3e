"""The plan: what an operation reads, resolved against the model, with no database in it.

A plan is immutable and depends on the document, on the viewer's roles and on the *shape*
of the variables (which are absent or null, which keys an input object has), never on
their values: those are `Operand`s, bound when the operation runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLEnumType, GraphQLInputType, ValueNode

from clew.model.types import Column, Entity, Relation, ValueType

# --- operands -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the document, coerced by its GraphQL type."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """A value inside the coerced variables: the variable's name, then keys into it.

    `enum` is set where the application bound values of its own to the enum: the database knows the names.
    """

    path: tuple[str | int, ...]
    enum: GraphQLEnumType | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A list or JSON literal with variables in it, coerced when the operation runs."""

    node: ValueNode
    type: GraphQLInputType
    enum: GraphQLEnumType | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in a rule, as the SDL has it: not yet coerced."""

    value: Any


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the viewer, by its path, coerced to `type`."""

    path: tuple[str, ...]
    type: ValueType


@dataclass(frozen=True, slots=True)
class Now:
    """The transaction's time."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """A field of the row that a rule is about: to-ones to follow, and a column."""

    path: tuple[str, ...]
    entity: Entity


Source = Literal | Variable | Template | Constant | Claim | Now | Ruled


@dataclass(frozen=True, slots=True)
class Operand:
    """A bound value: where it comes from, the type it is compared as, and what to call it in errors.

    `form` says what becomes of it: `value` as it is, `pattern` a LIKE pattern to check,
    `prefix`, `suffix` and `infix` texts to escape and wrap as LIKE patterns,
    `count` a limit or offset, of which `most` is the largest that the viewer may ask for.
    """

    source: Source
    type: ValueType
    place: str
    form: str = "value"
    most: int | None = None


# --- predicates -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    """`column operator operand`, three-valued as in SQL. `operator` is the API's: `eq`, `ilike`.

    Where `mask` does not hold the column is null.
    """

    column: Column
    operator: str
    operand: Operand
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether the column is null, as it is also where `mask` does not hold."""

    column: Column
    negated: bool
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conjunction; of nothing, true."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Disjunction; of nothing, false."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Predicate


@dataclass(frozen=True, slots=True)
class IsTrue:
    """Whether `item` is true, as opposed to false or unknown: itself never unknown."""

    item: Predicate
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """Some visible row at the other end of `relation` matches; false where there is none.

    `link` are the visible rows of a many-to-many's link. Where `mask` does not hold the
    relation leads nowhere. Never unknown.
    """

    relation: Relation
    rows: Rows
    link: Visible | None = None
    mask: Predicate | None = None


Predicate = Compare | IsNull | AllOf | AnyOf | Not | IsTrue | Exists

TRUE = AllOf(())


# --- rows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visible:
    """The masked rows of an entity: what one viewer may see of it (SPEC 6).

    Every read starts from one, and only `plan.visible.visible` makes them, so that a read
    that forgets the rules cannot be expressed. `page` is the largest page, None for none.
    `masks` are, by field, when it is open: always, where there is none. The predicates
    are about the row itself: it is what `Ruled` operands in them refer to.
    """

    entity: Entity
    where: Predicate = TRUE
    page: int | None = None
    masks: Mapping[str, Predicate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an ordering. `path` are to-ones to follow from the row to the column's row.

    `masks` are when each of the path's relations is open, and at the end the column.
    """

    column: Column
    descending: bool
    nulls_first: bool | None = None
    path: tuple[tuple[Relation, Visible], ...] = ()
    masks: tuple[Predicate | None, ...] = (None,)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one entity: visible, filtered, ordered and cut, in this order.

    `ceiling` is not below limit + offset where one of them is a variable: a constant by
    which the database can plan for a small page (see `paging.ceiling`).
    """

    visible: Visible
    where: Predicate = TRUE
    order: tuple[OrderKey, ...] = ()
    limit: Operand | None = None
    offset: Operand | None = None
    ceiling: int | None = None


# --- output ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """A column under a response key; null where `mask` does not hold."""

    key: str
    column: Column
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class TypeName:
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Required:
    """What a `@resolver` field needs of its row, under the field's response key, by SDL name.

    Null where `mask` does not hold: then the field is not resolved.
    """

    key: str
    columns: tuple[Column, ...]
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class One:
    """A to-one: an object, or null where there is no visible row or `mask` does not hold."""

    key: str
    relation: Relation
    read: Read
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A to-many: a list, empty where `mask` does not hold. `link` are the visible rows of a many-to-many's link."""

    key: str
    relation: Relation
    read: Read
    link: Visible | None = None
    mask: Predicate | None = None


Output = Value | TypeName | Required | One | Many


@dataclass(frozen=True, slots=True)
class Read:
    """Rows and what to give of each."""

    rows: Rows
    output: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class RootOne:
    """A root field that gives one row by a unique key, or null."""

    key: str
    read: Read


@dataclass(frozen=True, slots=True)
class RootMany:
    key: str
    read: Read


@dataclass(frozen=True, slots=True)
class RootTypeName:
    """`__typename` of the operation's root type."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class RootViewer:
    """`viewer`: pairs of response key and field name; needs no database."""

    key: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RootCustom:
    """A root field that Ariadne resolves, or introspection."""

    key: str
    nodes: tuple[FieldNode, ...]


Root = RootOne | RootMany | RootTypeName | RootViewer | RootCustom


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A query operation. `resolvers`: some generated row has a field that Python must resolve."""

    roots: tuple[Root, ...]
    resolvers: bool = False

    @property
    def reads(self) -> tuple[RootOne | RootMany, ...]:
        return tuple(root for root in self.roots if isinstance(root, RootOne | RootMany))

    @property
    def passthrough(self) -> bool:
        """Whether the database's JSON is the response: nothing of it passes through Python."""
        return not self.resolvers and not any(isinstance(root, RootCustom) for root in self.roots)
