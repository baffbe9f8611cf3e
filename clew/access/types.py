"""Define predicates, and the rows that they select. Access rules and filters both become predicates.

All of them are frozen, and hold no values: a value is an `Operand`, which is bound when an operation runs.
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
    """A value in the document, coerced by its GraphQL type."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """A value inside the coerced variables. `path` is the variable's name, then the keys into it.

    `enum` is set if the application has bound its own values to the enum. The database has the names instead.
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
    """A value in a rule, as the SDL has it. It is not coerced yet.

    Two constants are equal if they are written alike. Python's own `==` would take `true` for 1 and `false` for 0.
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
    """A claim of the viewer, by its path, coerced to `type`. `form` and `reach` are the same as in its operand."""

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
    """The rows of an entity that a root field has written, for rules that read them as they were before.

    `near`: whether these are the generated links of the judged row itself.
    """

    entity: str
    near: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """One column of the keys that a statement gets when it runs, as a list.

    `of` distinguishes several sets of keys in one statement: it is the name of an argument, or a `Past`.
    """

    column: str
    of: str | Past | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """The old contents of the rows of a `Past`, as a list of texts."""

    of: Past


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a write gives to a column, as a list with one value for each row."""

    column: str
    change: Change = Change.SET


@dataclass(frozen=True, slots=True)
class Places:
    """A list with one number for each row: its place, or any number if the write gives no values for the rows."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a deletion. It marks deleted rows, or finds the rows that it has marked."""


@dataclass(frozen=True, slots=True)
class MostBytes:
    """The most bytes that a statement may return."""


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


# The values that a statement gets when it runs, beside variables and claims.
Supplied = Keys | Images | Logged | Values | Places | Moment | MostBytes
MOST_BYTES = MostBytes()


@dataclass(frozen=True, slots=True)
class Now:
    """The transaction's time."""


@dataclass(frozen=True, slots=True)
class ThisTransaction:
    """The number of the transaction with its time, or null if it has written nothing.

    In a cluster that a dump was restored into, numbers of the dump come again. Times do not.
    """


@dataclass(frozen=True, slots=True)
class Ruled:
    """A field of the row that a rule is about. `path` has the to-ones to follow, then a column."""

    path: tuple[str, ...]
    entity: Entity


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The text of one order key's value in a cursor. The cursor must belong to the ordering named `order`."""

    cursor: Literal | Variable
    order: str
    index: int


@dataclass(frozen=True, slots=True)
class Marker:
    """The mark around cursors in the output of Postgres. Clew finds them by it, and seals them (`clew.sql.cursors`)."""


@dataclass(frozen=True, slots=True)
class TieKey:
    """The viewer's own key for the digests that break ties (see `clew.sql.ties`)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of the viewer, as bytes. It binds cursors and digests to the viewer.

    It is the key of one more value beside the values of claims.
    """


Source = (
    Literal
    | Variable
    | Template
    | Constant
    | Claim
    | Supplied
    | Now
    | ThisTransaction
    | Ruled
    | CursorKey
    | Marker
    | TieKey
)


@dataclass(frozen=True, slots=True)
class Operand:
    """A bound value: its source, the type that it is compared as, and its name in errors (`place`).

    `reach` says how much of a stored value the comparison reads. `form` says how to convert the value:

    - `value`: leave it as it is.
    - `pattern`: check it as a LIKE pattern.
    - `prefix`, `suffix`, `infix`: escape the text, and make a LIKE pattern of it.
    - `count`: a limit or an offset. `most` is the largest that the viewer may ask for.
    - `zone`: the name of a time zone.
    - `search`: words to look for.
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
    """A value that an aggregate computes over rows: their `count` (without a column), or a function of a column.

    The column counts as null on rows for which `mask` does not hold.
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
    """`column operator operand`, three-valued as in SQL. `operator` has its name in the API: `eq`, `ilike`.

    The column counts as null if `mask` does not hold.
    """

    column: Column
    operator: str
    operand: Operand
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class IsNull:
    """The column is null. It also counts as null if `mask` does not hold."""

    column: Column
    negated: bool
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of the items hold. Without items it is true."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one item holds. Without items it is false."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Predicate


@dataclass(frozen=True, slots=True)
class IsTrue:
    """`item` is true, and neither false nor unknown. This predicate itself is never unknown."""

    item: Predicate
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """A visible row at the other end of `relation` matches. This predicate is never unknown.

    `link` has the visible rows of a many-to-many's link. If `mask` does not hold, the relation has no rows.
    """

    relation: Relation
    rows: Rows
    link: Visible | None = None
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Somewhere:
    """Some row of an entity matches, without a relation to it. This predicate is never unknown."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Aggregates over the rows at the other end of a to-many meet every condition (measure, operator, operand).

    If `mask` does not hold, there are no such rows.
    """

    relation: Relation
    rows: Rows
    conditions: tuple[tuple[Measure, str, Operand], ...]
    link: Visible | None = None
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class JsonPath:
    """`operator` on the value in a JSON column at a path of keys and indexes. A missing value is null."""

    column: Column
    path: Operand
    operator: str
    operand: Operand
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The `@search` fields match a web search.

    `parts` has the fields, each with the condition under which it is open. A closed field counts as empty.
    """

    entity: Entity
    parts: tuple[tuple[SearchField, Predicate | None], ...]
    operand: Operand


Predicate = Compare | IsNull | AllOf | AnyOf | Not | IsTrue | Exists | Somewhere | Aggregated | JsonPath | Search

TRUE = AllOf(())


# --- rows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visible:
    """The masked rows of an entity: the part of it that one viewer may see (docs/access.md).

    Every read starts from one, and only `access.visible` makes them. So no read can forget the rules. `access.implied`
    drops conditions that another row already proves.

    `page` is the size of the largest page; None for no limit. `masks` has, by field name, the condition under which
    the field is open. A field without a mask is always open. All predicates are about the row itself: `Ruled` operands
    in them refer to it. `deleted`: whether the read asks for deleted rows, too.
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
    """A digest of a row's primary key, made with a secret key of the viewer. It breaks ties if the key is masked.

    Without the secret, the digest reveals nothing about the primary key (see `clew.sql.ties`).
    """

    entity: Entity

    @property
    def type(self) -> ValueType:
        return _DIGEST


_DIGEST = ValueType("Bytes", "bytea")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A value that is reached from a row: follow the to-ones of `path`, then take a column or a measure of a to-many.

    `masks` has the condition under which each relation of the path is open, and last that of the column or to-many.
    None means always.
    """

    end: Column | RelatedMeasure | KeyDigest
    path: tuple[tuple[Relation, Visible], ...] = ()
    masks: tuple[Predicate | None, ...] = (None,)

    @property
    def nullable(self) -> bool:
        """Whether the value may be null on some row."""
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
        """Whether nulls come first. The default is that of Postgres."""
        return self.descending if self.nulls_first is None else self.nulls_first

    @property
    def backward(self) -> OrderKey:
        """The same key, the other way round."""
        return OrderKey(self.value, not self.descending, not self.nulls_lead)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one entity. They are made visible, filtered, ordered and cut, in this order.

    `ceiling` is a constant that is at least limit + offset, if one of them is a variable. It lets the database plan for
    a small page (see `clew.document.inputs.ceiling`).
    """

    visible: Visible
    where: Predicate = TRUE
    order: tuple[OrderKey, ...] = ()
    limit: Operand | None = None
    offset: Operand | None = None
    ceiling: int | None = None
