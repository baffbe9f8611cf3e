"""Estimate the size of a plan's statement before it is compiled.

A condition that a client writes once may stand in the statement many times. It brings the mask of its field, and the
visibility of the rows that it leads to, again at each step and in each list. Counting stays linear in the plan, because
it counts the rules of an entity once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from clew.access.types import (
    Aggregated,
    AllOf,
    AnyOf,
    Compare,
    Exists,
    FieldPath,
    IsNull,
    IsTrue,
    JsonPath,
    Measure,
    Not,
    Predicate,
    RelatedMeasure,
    Rows,
    Search,
    Somewhere,
    Visible,
)
from clew.errors import ClewError, Code
from clew.plan.types import (
    Aggregate,
    ChangeNode,
    Changes,
    ChangeValue,
    Connection,
    GroupKeys,
    Groups,
    KeyValue,
    Many,
    Measured,
    Measures,
    MeasureValue,
    One,
    Output,
    PageInfo,
    Read,
    ReadPlan,
    Required,
    TotalCount,
    TypeName,
    Value,
)


@dataclass(frozen=True, slots=True)
class Weight:
    """The size of a statement: `conditions`, with those of the rules, and `fields` of its output."""

    conditions: int
    fields: int = 0


def plan_weight(plan: ReadPlan) -> Weight:
    """Return the weight of a query's statement, or of those that judge and read change events."""
    scale = _Scale()
    conditions = sum(scale.read(root.read) for root in plan.reads)
    if plan.changes is not None:
        conditions += scale.changes(plan.changes.read)
    return Weight(conditions, scale.fields)


def read_weight(read: Read) -> Weight:
    """Return the weight of a statement that reads rows by given keys."""
    scale = _Scale()
    return Weight(scale.read(read), scale.fields)


def predicate_weight(predicate: Predicate) -> Weight:
    """Return the weight of a filter."""
    return Weight(_Scale().predicate(predicate))


class BudgetError(Exception):
    """Planning or compiling takes more than the budget."""


def check_weight(weight: Weight, most: int | None, budget: int | None) -> None:
    """Refuse more than `most` conditions, and stop at more than `budget` conditions and fields.

    Raises:
        ClewError: LIMIT_EXCEEDED.
        BudgetError: the conditions are within `most`, but with the fields they exceed `budget`.
    """
    check_conditions(weight.conditions, most)
    if budget is not None and weight.conditions + weight.fields > budget:
        raise BudgetError


def check_conditions(conditions: int, most: int | None) -> None:
    """Refuse more than `most` conditions.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """
    if most is not None and conditions > most:
        # The number of conditions would reveal rules that the client must not know.
        raise ClewError(
            f"The operation is too large: at most {most} conditions are allowed, including those of the access rules.",
            code=Code.LIMIT_EXCEEDED,
            hint="Use `in` for many values of one field, ask for fewer fields, or send several operations.",
        )


class _Scale:
    """Weighs one statement. It knows the parts that it has weighed before by identity."""

    def __init__(self) -> None:
        self.fields = 0
        self._known: dict[int, int] = {}

    # --- predicates -------------------------------------------------------------------

    def predicate(self, predicate: Predicate) -> int:
        match predicate:
            case Compare(mask=mask) | IsNull(mask=mask) | JsonPath(mask=mask):
                return 1 + self.mask(mask)
            case AllOf(items) | AnyOf(items):
                # An empty predicate is a part of the statement too.
                return sum(max(1, self.predicate(item)) for item in items)
            case Not(item) | IsTrue(item):
                return max(1, self.predicate(item))
            case Exists(rows=rows, link=link, mask=mask):
                return 1 + self.rows(rows) + self.visible(link) + self.mask(mask)
            case Somewhere(rows=rows):
                return 1 + self.rows(rows)
            case Aggregated(rows=rows, conditions=conditions, link=link, mask=mask):
                measured = sum(1 + self.mask(measure.mask) for measure, _, _ in conditions)
                found = 1 + self.rows(rows) + self.visible(link) + measured
                # The statement also computes the measures over no rows, for a masked relation.
                return found if mask is None else found + measured + self.mask(mask)
            case Search(parts=parts):
                return sum(1 + self.mask(mask) for _, mask in parts)
            case _:
                assert_never(predicate)

    def mask(self, mask: Predicate | None) -> int:
        if mask is None:
            return 0
        found = self._known.get(id(mask))
        if found is None:
            found = self._known[id(mask)] = self.predicate(mask)
        return found

    def visible(self, visible: Visible | None) -> int:
        return 0 if visible is None else self.mask(visible.where)

    def rows(self, rows: Rows) -> int:
        order = sum(self.path(key.value) for key in rows.order)
        return self.visible(rows.visible) + self.predicate(rows.where) + order

    def path(self, path: FieldPath) -> int:
        """Weigh a key of an order or of groups."""
        steps = sum(1 + self.visible(visible) for _, visible in path.path)
        masks = sum(map(self.mask, path.masks))
        if isinstance(end := path.end, RelatedMeasure):
            return 1 + steps + masks + self.rows(end.rows) + self.visible(end.link) + self.mask(end.measure.mask)
        return 1 + steps + masks

    # --- reads ------------------------------------------------------------------------

    def read(self, read: Read | Connection | Aggregate | Groups) -> int:
        match read:
            case Read(rows, output):
                return self.rows(rows) + self.outputs(output)
            case Aggregate(rows, output):
                return self.rows(rows) + self.measured(output)
            case Groups(rows, by, order, output):
                keys = sum(self.path(key.value) for key in by)
                orders = sum(1 + self.measure(key.value) for key in order if isinstance(key.value, Measure))
                return self.rows(rows) + keys + orders + self.measured(output)
            case Connection():
                return self.connection(read)
            case _:
                assert_never(read)

    def changes(self, changes: Changes) -> int:
        """Weigh change events. A row is judged as it was and as it is, then read."""
        found = 2 * self.rows(changes.rows)
        for output in changes.output:
            self.fields += 1
            match output:
                case ChangeNode(output=below):
                    found += self.rows(Rows(changes.rows.visible)) + self.outputs(below)
                case Value(mask=mask):
                    found += 2 * self.mask(mask)
                case ChangeValue() | TypeName():
                    pass
                case _:
                    assert_never(output)
        return found

    def connection(self, read: Connection) -> int:
        """Weigh a connection. Its rows count once for the page, and once for each field about rows beyond it."""
        positions = sum(position is not None for position in (read.after, read.before))
        order = sum(self.path(key.value) for key in read.rows.order)
        unordered = Rows(read.rows.visible, read.rows.where)
        found = self.rows(unordered) + order * (1 + positions)
        for output in read.output:
            self.fields += 1
            match output:
                case TotalCount():
                    found += 1 + self.rows(unordered)
                case PageInfo(fields=fields):
                    self.fields += len(fields)
                    asked = sum(name.startswith("has") for _, name in fields)
                    found += asked * positions * (1 + self.rows(unordered) + 2 * order)
                case _:
                    pass
        return found + self.outputs(read.fields)

    def outputs(self, outputs: Iterable[Output]) -> int:
        found = 0
        for output in outputs:
            self.fields += 1
            match output:
                case Value(mask=mask):
                    found += self.mask(mask)
                case Required(mask=mask, columns=columns):
                    self.fields += len(columns)
                    found += self.mask(mask)
                case One(read=read, mask=mask):
                    found += 1 + self.read(read) + self.mask(mask)
                case Many(read=read, link=link, mask=mask):
                    found += 1 + self.read(read) + self.visible(link) + self.mask(mask)
                case TypeName():
                    pass
                case _:
                    assert_never(output)
        return found

    def measured(self, outputs: Iterable[Measured | GroupKeys | KeyValue]) -> int:
        found = 0
        for output in outputs:
            self.fields += 1
            match output:
                case MeasureValue(measure=measure):
                    found += self.measure(measure)
                case Measures(output=inner) | GroupKeys(output=inner):
                    found += self.measured(inner)
                case _:
                    pass
        return found

    def measure(self, measure: Measure) -> int:
        return self.mask(measure.mask)
