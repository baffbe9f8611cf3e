"""The plan: the reads of an operation, resolved against the model. It knows nothing of the database.

A plan is immutable. It depends on the document, on the viewer's roles and on the *shape* of the variables: which are
absent or null, and which keys an input object has. It never depends on their values. Those are `Operand`s: they are
bound when the operation runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql import FieldNode

from clew.access.types import FieldPath, Measure, Operand, Predicate, Rows, Visible
from clew.model.types import Column, Relation

# --- output ---------------------------------------------------------------------------

# The key of an object that has the name of its type, where a field may return several types. It is no name in GraphQL.
TYPE_KEY = "$type"


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
    """The columns that a `@resolver` field needs of its row, under the field's response key, by SDL name.

    Null where `mask` does not hold. Then no resolver runs.
    """

    key: str
    columns: tuple[Column, ...]
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class One:
    """A to-one: an object. It is null where no row is visible or `mask` does not hold."""

    key: str
    relation: Relation
    read: Read
    mask: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A to-many. It is empty where `mask` does not hold. `link` are the visible links of a many-to-many."""

    key: str
    relation: Relation
    read: Read | Connection | Aggregate
    link: Visible | None = None
    mask: Predicate | None = None


Output = Value | TypeName | Required | One | Many


@dataclass(frozen=True, slots=True)
class Read:
    """Rows, and the fields to return of each.

    Of an entity with variants, the fields are to-ones to the same row as one of its types. The first that is there is
    the row.
    """

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
    """A key that groups rows. `unit` truncates a moment or a day, in the time zone `zone`."""

    value: FieldPath
    unit: str | None = None
    zone: Operand | None = None


@dataclass(frozen=True, slots=True)
class KeyValue:
    """The value of the key at this index."""

    key: str
    index: int


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """One key of the order of groups: the index of a group key, or a measure."""

    value: int | Measure
    descending: bool
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """The `key` of a group under a response key. It holds an object for each to-one."""

    key: str
    output: tuple[KeyValue | TypeName | GroupKeys, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """An object for each group of equal keys. The keys come last in the order, to break ties."""

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
    """A place in an order, from a cursor: the value of each key, None for a null.

    Which values are null is part of the plan, because a null needs another comparison.
    """

    values: tuple[Operand | None, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """A page of rows between two positions: the first of these rows, or the last (`backward`).

    `rows` are all rows, in order. `rows.limit` cuts the page. `order` names the ordering of the page's cursors.
    """

    rows: Rows
    output: tuple[ConnectionOutput, ...]
    order: str
    after: Position | None = None
    before: Position | None = None
    backward: bool = False

    @property
    def fields(self) -> tuple[Output, ...]:
        """The fields of each row, from all places together."""
        found: list[Output] = []
        for output in self.output:
            if isinstance(output, Nodes):
                found += output.output
            elif isinstance(output, Edges):
                found += [field for node in output.output if isinstance(node, Node) for field in node.output]
        return tuple(found)


# --- change events --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChangeValue:
    """`kind`, `cursor` or `at` of a change event, under a response key."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class ChangeNode:
    """The changed row as it is now, under a response key. `nodes` are the field's."""

    key: str
    output: tuple[Output, ...]
    nodes: tuple[FieldNode, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """An event for each change of a row that is one of `rows` before or after it."""

    rows: Rows
    output: tuple[ChangeValue | ChangeNode | Value | TypeName, ...]


# --- root fields ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RootOne:
    """A root field that returns the row with a unique key, or null."""

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
    """`viewer`: pairs of response key and field name. It needs no database."""

    key: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RootCustom:
    """A root field that Ariadne resolves, or introspection."""

    key: str
    nodes: tuple[FieldNode, ...]


@dataclass(frozen=True, slots=True)
class RootChanges:
    """A root field of Subscription that gives change events. `node` has its other arguments: `on` and `after`."""

    key: str
    read: Changes
    node: FieldNode


Root = RootOne | RootMany | RootTypeName | RootViewer | RootCustom | RootChanges


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A query, or a subscription. `resolvers` says whether some generated row has a field that Python must resolve."""

    roots: tuple[Root, ...]
    resolvers: bool = False

    @property
    def reads(self) -> tuple[RootOne | RootMany, ...]:
        return tuple(root for root in self.roots if isinstance(root, RootOne | RootMany))

    @property
    def changes(self) -> RootChanges | None:
        """The field of change events of a subscription. It is the only field then."""
        return next((root for root in self.roots if isinstance(root, RootChanges)), None)

    @property
    def passthrough(self) -> bool:
        """Whether the database's JSON is the response as it is. Then Python does not look into it."""
        return not self.resolvers and not any(isinstance(root, RootCustom) for root in self.roots)
