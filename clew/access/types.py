"""Predicates, and the rows that they hold of: what access rules and filters both become.

They are frozen and know no value: values are `Operand`s, which are bound when an operation runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputType, ValueNode

from clew.model.measures import COUNT, measured
from clew.model.types import Column, Entity, Relation, SearchField, ValueType

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
    """A value that stands in a rule, as the SDL has it: not yet coerced.

    Equal to what is written alike: to Python `true` is 1 and `false` 0, which in JSON they are not.
    """

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


class Reach(StrEnum):
    """How much of a stored value a comparison reads, and how often (see `clew.sql.effort`)."""

    NARROW = "narrow"  # the value is always small
    SAME = "same"  # only a value of the same length
    WHOLE = "whole"
    ITEMS = "items"  # all items, for each item of the operand
    PARTS = "parts"  # all parts of a JSON value, for parts of the operand
    WITHIN = "within"  # the text, for a text that may be anywhere in it
    PATTERN = "pattern"  # the text, for a LIKE pattern
    ANY_CASE = "any case"  # the same without regard to case


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the viewer, by its path, coerced to `type`. `form` and `reach` are those of its operand."""

    path: tuple[str, ...]
    type: ValueType
    form: str = "value"
    reach: Reach = Reach.NARROW


class Change(StrEnum):
    """How a write changes a column."""

    SET = "set"
    INCREASE = "inc"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Past:
    """The rows of an entity that a root field has written, where a rule reads them as they were before.

    `near`: the entity is a generated link, and its rows are the links of the judged row itself.
    """

    entity: str
    near: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """One column of the keys that a statement is given when it runs, as a list that the database takes.

    `of` tells several sets of keys in one statement apart: the name of an argument, or the rows of a `Past`.
    """

    column: str
    of: str | Past | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """The rows of a `Past` as they were, as a list of texts."""

    of: Past


@dataclass(frozen=True, slots=True)
class Values:
    """What a write gives to a column, as a list of one value a row."""

    column: str
    change: Change = Change.SET


@dataclass(frozen=True, slots=True)
class Places:
    """One number for each row: its place, or just one where a write gives nothing else of it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a deletion: to mark rows with, or to find those that it has marked."""


@dataclass(frozen=True, slots=True)
class MostBytes:
    """How many bytes a statement may give."""


class LogPart(StrEnum):
    """The rows of logged changes that a statement is given.

    `OLD` and `NEW` are those before and after each change that it judges. `FIRST` are those before the batch, for
    changes that take a row away. `WERE` are the rows of another entity as they were before the batch, and `TOUCHED` are
    all rows before and after the changes of that entity.
    """

    OLD = "old"
    NEW = "new"
    FIRST = "first"
    WERE = "were"
    TOUCHED = "touched"


@dataclass(frozen=True, slots=True)
class Logged:
    """Rows of an entity from the change log, as a list of JSON texts."""

    entity: str
    part: LogPart


# What a statement is given when it runs, beside variables and claims.
Supplied = Keys | Images | Logged | Values | Places | Moment | MostBytes
MOST_BYTES = MostBytes()


@dataclass(frozen=True, slots=True)
class Now:
    """The transaction's time."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """A field of the row that a rule is about: to-ones to follow, and a column."""

    path: tuple[str, ...]
    entity: Entity


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The text of one order key's value in a cursor; `order` names the ordering that it must be of."""

    cursor: Literal | Variable
    order: str
    index: int


@dataclass(frozen=True, slots=True)
class Marker:
    """What cursors are marked with on their way out, to be found and sealed (see `clew.sql.cursors`)."""


@dataclass(frozen=True, slots=True)
class TieKey:
    """The viewer's key of the digests that break ties (see `clew.sql.ties`)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as bytes: what stands beside the claims' values, for cursors and digests to be the viewer's own."""


Source = Literal | Variable | Template | Constant | Claim | Supplied | Now | Ruled | CursorKey | Marker | TieKey


@dataclass(frozen=True, slots=True)
class Operand:
    """A bound value: where it comes from, the type it is compared as, and what to call it in errors.

    `form` says what becomes of it: `value` as it is, `pattern` a LIKE pattern to check,
    `prefix`, `suffix` and `infix` texts to escape and wrap as LIKE patterns,
    `count` a limit or offset, of which `most` is the largest that the viewer may ask for,
    `zone` a time zone's name, `search` words to look for.
    `reach` says how much of a stored value the comparison reads.
    """

    source: Source
    type: ValueType
    place: str
    form: str = "value"
    most: int | None = None
    reach: Reach = Reach.NARROW


# --- measures -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measure:
    """What an aggregate computes over rows: `count` of them (no column), or a function of a column.

    Where `mask` does not hold the column is null.
    """

    function: str
    column: Column | None = None
    mask: Predicate | None = None

    @property
    def type(self) -> ValueType:
        """The type of the result."""
        if self.column is None:
            return COUNT
        found = measured(self.function, self.column.type)
        assert found is not None, self.function
        return found


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


@dataclass(frozen=True, slots=True)
class Somewhere:
    """Some row of an entity matches, whatever row is asked about: no relation leads there. Never unknown."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What the rows at the other end of a to-many come to: every condition (measure, operator, operand) holds.

    Where `mask` does not hold there are no such rows.
    """

    relation: Relation
    rows: Rows
    conditions: tuple[tuple[Measure, str, Operand], ...]
    link: Visible | None = None
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class JsonPath:
    """`operator` on what a JSON column holds at a path of keys and indexes; null where there is nothing."""

    column: Column
    path: Operand
    operator: str
    operand: Operand
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The `@search` fields match a web search. `parts` are the fields with when each is open, else taken as empty."""

    entity: Entity
    parts: tuple[tuple[SearchField, Predicate | None], ...]
    operand: Operand


Predicate = Compare | IsNull | AllOf | AnyOf | Not | IsTrue | Exists | Somewhere | Aggregated | JsonPath | Search

TRUE = AllOf(())


# --- rows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visible:
    """The masked rows of an entity: what one viewer may see of it (docs/access.md).

    Every read starts from one, and only `access.visible` makes them, so that a read that
    forgets the rules cannot be expressed; `access.implied` leaves out what another row has
    shown already. `page` is the largest page, None for none.
    `masks` are, by field, when it is open: always, where there is none. The predicates
    are about the row itself: it is what `Ruled` operands in them refer to. `deleted`:
    deleted rows were asked for.
    """

    entity: Entity
    where: Predicate = TRUE
    page: int | None = None
    masks: Mapping[str, Predicate] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RelatedMeasure:
    """A measure over the rows at the other end of a to-many."""

    relation: Relation
    rows: Rows
    measure: Measure
    link: Visible | None = None

    @property
    def type(self) -> ValueType:
        return self.measure.type


@dataclass(frozen=True, slots=True)
class KeyDigest:
    """A digest of a row's primary key, with a key of the viewer's own: where the one is not open, that breaks ties.

    Whoever does not know the digest's key learns nothing of the row's (see `clew.sql.ties`).
    """

    entity: Entity

    @property
    def type(self) -> ValueType:
        return _DIGEST


_DIGEST = ValueType("Bytes", "bytea")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A value of a row: a column, or a measure of a to-many, at the end of `path`, to-ones to follow.

    `masks` are when each of the path's relations is open, and at the end the column or to-many.
    """

    end: Column | RelatedMeasure | KeyDigest
    path: tuple[tuple[Relation, Visible], ...] = ()
    masks: tuple[Predicate | None, ...] = (None,)

    @property
    def nullable(self) -> bool:
        """Whether it may be null on some row."""
        if self.path or self.masks != (None,):
            return True
        match self.end:
            case Column(nullable=nullable):
                return nullable
            case RelatedMeasure(measure=measure):
                return measure.function not in ("count", "countDistinct")
        return False


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an ordering."""

    value: FieldPath
    descending: bool
    nulls_first: bool | None = None

    @property
    def nulls_lead(self) -> bool:
        """Whether nulls come first, as Postgres has it unless told."""
        return self.descending if self.nulls_first is None else self.nulls_first

    @property
    def backward(self) -> OrderKey:
        """The same key, the other way round."""
        return OrderKey(self.value, not self.descending, not self.nulls_lead)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one entity: visible, filtered, ordered and cut, in this order.

    `ceiling` is not below limit + offset where one of them is a variable: a constant by
    which the database can plan for a small page (see `clew.document.inputs.ceiling`).
    """

    visible: Visible
    where: Predicate = TRUE
    order: tuple[OrderKey, ...] = ()
    limit: Operand | None = None
    offset: Operand | None = None
    ceiling: int | None = None
