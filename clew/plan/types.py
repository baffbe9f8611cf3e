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


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the viewer, by its path, coerced to `type`, in the `form` of the operand that it is (see there)."""

    path: tuple[str, ...]
    type: ValueType
    form: str = "value"


@dataclass(frozen=True, slots=True)
class Keys:
    """One column of the keys that a statement is given when it runs, as a list that the database takes."""

    name: str


# How many bytes a statement may give.
MOST_BYTES = Keys("\0bytes")


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


Source = Literal | Variable | Template | Constant | Claim | Keys | Now | Ruled | CursorKey | Marker | TieKey


@dataclass(frozen=True, slots=True)
class Operand:
    """A bound value: where it comes from, the type it is compared as, and what to call it in errors.

    `form` says what becomes of it: `value` as it is, `pattern` a LIKE pattern to check,
    `prefix`, `suffix` and `infix` texts to escape and wrap as LIKE patterns,
    `count` a limit or offset, of which `most` is the largest that the viewer may ask for,
    `zone` a time zone's name, `search` words to look for.
    """

    source: Source
    type: ValueType
    place: str
    form: str = "value"
    most: int | None = None


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


Predicate = Compare | IsNull | AllOf | AnyOf | Not | IsTrue | Exists | Aggregated | JsonPath | Search

TRUE = AllOf(())


# --- rows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visible:
    """The masked rows of an entity: what one viewer may see of it (SPEC 6).

    Every read starts from one, and only `plan.visible` makes them, so that a read that
    forgets the rules cannot be expressed; `plan.implied` leaves out what another row has
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
    """A to-many: of no rows where `mask` does not hold. `link` are the visible rows of a many-to-many's link."""

    key: str
    relation: Relation
    read: Read | Connection | Aggregate
    link: Visible | None = None
    mask: Predicate | None = None


Output = Value | TypeName | Required | One | Many


@dataclass(frozen=True, slots=True)
class Read:
    """Rows and what to give of each."""

    rows: Rows
    output: tuple[Output, ...]


# --- aggregates -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeasureValue:
    """A measure under a response key."""

    key: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Measures:
    """An object of measures under a response key: the `sum` of an aggregate."""

    key: str
    output: tuple[MeasureValue | TypeName, ...]


Measured = MeasureValue | TypeName | Measures


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One object over all the rows."""

    rows: Rows
    output: tuple[Measured, ...]


# --- groups ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What rows are grouped by. `unit` is what a moment or a day is cut to, in the time zone `zone`."""

    value: FieldPath
    unit: str | None = None
    zone: Operand | None = None


@dataclass(frozen=True, slots=True)
class KeyValue:
    """The value of one of the keys, by its place among them."""

    key: str
    index: int


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """One key of the order of groups: the place of a key, or a measure."""

    value: int | Measure
    descending: bool
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """The `key` of a group under a response key, and within it an object for each to-one."""

    key: str
    output: tuple[KeyValue | TypeName | GroupKeys, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """An object for each group of equal keys; the keys in turn are the last order."""

    rows: Rows
    by: tuple[GroupKey, ...]
    order: tuple[GroupOrder, ...]
    output: tuple[Measured | GroupKeys, ...]


# --- connections ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cursor:
    """The cursor of an edge under a response key."""

    key: str


@dataclass(frozen=True, slots=True)
class Node:
    """The row of an edge."""

    key: str
    output: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Edges:
    key: str
    output: tuple[Cursor | Node | TypeName, ...]


@dataclass(frozen=True, slots=True)
class Nodes:
    key: str
    output: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Pairs of response key and field name."""

    key: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TotalCount:
    key: str


ConnectionOutput = Edges | Nodes | PageInfo | TotalCount | TypeName


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an order, from a cursor: for each key its value, None for a null.

    Null or not is part of the plan, because each takes another comparison.
    """

    values: tuple[Operand | None, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """A page of rows between two positions: the first rows of it, or (`backward`) the last.

    `rows` are all of them, in order; `rows.limit` cuts the page. `order` names the
    ordering that the page's cursors are of.
    """

    rows: Rows
    output: tuple[ConnectionOutput, ...]
    order: str
    after: Position | None = None
    before: Position | None = None
    backward: bool = False

    @property
    def fields(self) -> tuple[Output, ...]:
        """What is given of each row, in all places together."""
        found: list[Output] = []
        for output in self.output:
            if isinstance(output, Nodes):
                found += output.output
            elif isinstance(output, Edges):
                found += [field for node in output.output if isinstance(node, Node) for field in node.output]
        return tuple(found)


# --- root fields ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RootOne:
    """A root field that gives one row by a unique key, or null."""

    key: str
    read: Read


@dataclass(frozen=True, slots=True)
class RootMany:
    """A root field over many rows."""

    key: str
    read: Read | Connection | Aggregate | Groups


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
