"""The plan: what an operation reads, resolved against the model, with no database in it.

A plan is immutable and depends on the document, on the viewer's roles and on the *shape*
of the variables (which are absent or null, which keys an input object has), never on
their values: those are `Operand`s, bound when the operation runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql import FieldNode

from clew.access.types import FieldPath, Measure, Operand, Predicate, Rows, Visible
from clew.model.types import Column, Relation

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
