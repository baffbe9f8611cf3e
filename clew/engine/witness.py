"""Record the statements of a mutation, and why rules refused it: for `clew explain` and `X-Clew-Explain`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from clew.access.permits import Permit, Permits
from clew.access.sight import Sight
from clew.access.types import Operand, Places, Predicate, Supplied, Values
from clew.access.visible import Access
from clew.engine.rule_report import Judgement, rules_of, rules_of_asked, rules_of_fields
from clew.errors import ClewError
from clew.model.rule_text import conjuncts
from clew.model.types import AllowRule, Column, Entity, GuardRule, Operation
from clew.plan.types import Read
from clew.plan.write import Check, Find, Leads, Lock, Plan, Recall
from clew.same import Same
from clew.sql.keys import Key, bound_keys
from clew.sql.statement import Statement
from clew.viewer import Viewer
from clew.writes.witness import Phase, Prober, Refusal

Explain = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]

# For how many missing rows of one statement to find the reason.
_MOST_MISSED = 10


@dataclass(frozen=True, slots=True)
class Step:
    """A statement that ran.

    Args:
        field: the response key of the root field.
        plan: None for a statement that controls the transaction, such as a savepoint, and for one that sorts rows.
        explain: the lines of Postgres' EXPLAIN.
    """

    field: str
    phase: Phase
    sql: str
    plan: Plan | Read | None = None
    operands: tuple[Operand, ...] = ()
    arguments: tuple[Any, ...] = ()
    explain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was tried on a row.

    Args:
        before: whether it held for the old state of the row; None if that was not asked.
        after: whether it held for the new state of the row; None if that was not asked.
        failed: the parts of its condition that did not hold, and the fields that it does not open.
    """

    judgement: Judgement
    before: bool | None
    after: bool | None
    failed: tuple[str, ...]

    def extension(self) -> dict[str, Any]:
        """Return the part of the response's `extensions`, ready for JSON."""
        rule = self.judgement
        return {
            "about": rule.about,
            "rule": rule.rule,
            "at": rule.at,
            "applies": rule.applies,
            "why": rule.why,
            "before": self.before,
            "after": self.after,
            "failed": list(self.failed),
        }


@dataclass(frozen=True, slots=True)
class Missed:
    """A row that the input names but the write cannot reach. No error tells a client the reason."""

    field: str
    entity: Entity
    operation: Operation
    row: Mapping[str, Any]
    why: str
    tried: tuple[Tried, ...] = ()

    def extension(self) -> dict[str, Any]:
        """Return the part of the response's `extensions`, ready for JSON."""
        return {
            "field": self.field,
            "entity": self.entity.name,
            "operation": self.operation.value,
            "row": _plain(self.row),
            "why": self.why,
            "rules": [tried.extension() for tried in self.tried],
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, and the rules that were tried."""

    field: str
    refusal: Refusal
    tried: tuple[Tried, ...] = ()

    @property
    def row(self) -> Mapping[str, Any]:
        """Return the key of the row by its fields; empty for a new row."""
        return _by_field(self.refusal.entity, self.refusal.key)

    def extension(self) -> dict[str, Any]:
        """Return the part of the response's `extensions`, ready for JSON."""
        refusal = self.refusal
        return {
            "phase": refusal.phase.value,
            "entity": refusal.entity.name,
            "operation": refusal.operation.value,
            "row": _plain(self.row) or None,
            "why": refusal.why,
            "fields": list(refusal.fields),
            "rules": [tried.extension() for tried in self.tried],
        }


class Recorder:
    """A `clew.writes.witness.Witness` that keeps every report.

    Args:
        sight: the viewer's sight.
        explain: runs EXPLAIN of each statement before the statement; None: do not run EXPLAIN.
    """

    def __init__(self, access: Access, sight: Sight, viewer: Viewer, explain: Explain | None = None) -> None:
        self.field = ""
        self.explain = explain
        self.steps: list[Step] = []
        self.missed: list[Missed] = []
        self.refusals: list[Refused] = []
        # The entities and operations whose rules were asked, in the order of asking.
        self._asked: dict[tuple[str, Operation], Entity] = {}
        self._judged: dict[tuple[Phase, str], tuple[Check | Recall, Mapping[Supplied, Any]]] = {}
        self._access = access
        self._sight = sight
        self._viewer = viewer

    @property
    def rehearses(self) -> bool:
        """Return whether this is a rehearsal: the mutation will be rolled back, and refusals are not logged."""
        return self.explain is not None

    def restart(self) -> None:
        """Forget all reports, because the mutation runs again."""
        kept: Any
        for kept in (self.steps, self.missed, self.refusals, self._asked, self._judged):
            kept.clear()

    def rules(self) -> list[Judgement]:
        """Return the rules for everything that the mutation touched, and whether each applies to the viewer."""
        asked = ((entity, operation) for (_, operation), entity in self._asked.items())
        return list(rules_of_asked(self._access, asked, self._sight, self._viewer))

    # --- what runs --------------------------------------------------------------------

    async def begins(self, phase: Phase, plan: Plan, statement: Statement, arguments: Sequence[Any]) -> None:
        """See `Witness`."""
        match plan:
            case Lock(visible=visible, permits=permits) | Check(visible=visible, permits=permits):
                self._asks(visible.entity, Operation.READ)
                self._asks(visible.entity, permits.operation)
            case Recall(entity=entity, permits=permits):
                self._asks(entity, permits.operation)
            case Find(visible=visible) | Leads(visible=visible):
                self._asks(visible.entity, Operation.READ)
        await self._step(phase, plan, statement, arguments)

    async def reads(self, plan: Read | None, statement: Statement, arguments: Sequence[Any]) -> None:
        """Note a statement that reads rows for the answer."""
        if plan is not None:
            self._asks(plan.rows.visible.entity, Operation.READ)
        await self._step(Phase.READ, plan, statement, arguments)

    def commands(self, sql: str) -> None:
        """See `Witness`."""
        self.steps.append(Step(self.field, Phase.WRITE, sql))

    async def _step(
        self, phase: Phase, plan: Plan | Read | None, statement: Statement, arguments: Sequence[Any]
    ) -> None:
        lines: tuple[str, ...] = ()
        if self.explain is not None:
            rows = await self.explain(f"EXPLAIN (VERBOSE, COSTS) {statement.sql}", arguments)
            lines = tuple(row[0] for row in rows)
        step = Step(self.field, phase, statement.sql, plan, statement.operands, tuple(arguments), lines)
        self.steps.append(step)

    def _asks(self, entity: Entity, operation: Operation) -> None:
        self._asked.setdefault((entity.name, operation), entity)

    # --- what is not there ------------------------------------------------------------

    async def ran(
        self, store: Prober, plan: Plan, bound: Mapping[Supplied, Any], records: Sequence[asyncpg.Record]
    ) -> None:
        """See `Witness`."""
        # If the reason cannot be found, leave it out. The mutation must go on as without a witness.
        with suppress(ClewError):
            await self._look(store, plan, bound, records)

    async def _look(
        self, store: Prober, plan: Plan, bound: Mapping[Supplied, Any], records: Sequence[asyncpg.Record]
    ) -> None:
        match plan:
            case Lock(visible=visible, permits=permits, by_key=True):
                keys = _rows(bound_keys(visible.entity, ()), bound)
                there = {record[0] for record in records}
                for key in [key for n, key in enumerate(keys) if n + 1 not in there][:_MOST_MISSED]:
                    await self._misses(store, visible.entity, permits.operation, key)
            case Find(visible=visible, columns=columns):
                values = _rows([Values(column.name) for column in columns], bound)
                there = {record[0] for record in records}
                gone = [row for n, row in enumerate(values) if n + 1 not in there]
                await self._not_found(store, visible.entity, columns, gone[:_MOST_MISSED])
            case Leads(relation=relation):
                target = self._access.model.entity(relation.target)
                pairs = [
                    (plan.write.entity.column_by_sql(ours), target.column_by_sql(theirs))
                    for ours, theirs in relation.on
                ]
                given = [Values(ours.name) for ours, _ in pairs if ours is not None]
                if all(source in bound for source in given):
                    astray = [row for row, (leads,) in zip(_rows(given, bound), records, strict=True) if not leads]
                    columns = [theirs for _, theirs in pairs if theirs is not None]
                    await self._not_found(store, target, columns, astray[:_MOST_MISSED])
            case Check(visible=visible):
                self._judged[Phase.CHECK, visible.entity.name] = plan, bound
            case Recall(entity=entity):
                self._judged[Phase.RECALL, entity.name] = plan, bound

    async def _not_found(
        self, store: Prober, entity: Entity, columns: Sequence[Column], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Note missing rows, given the values of the columns that name them."""
        if not rows:
            return
        bound: dict[Supplied, Any] = {
            Values(column.name): list(values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)
        }
        records = await store.probe(Find(self._access.every_row(entity), columns), bound)
        keys = {record[0] - 1: tuple(record)[1:] for record in records}
        for n, row in enumerate(rows):
            if n in keys:
                await self._misses(store, entity, Operation.READ, keys[n])
            else:
                named = {column.name: value for column, value in zip(columns, row, strict=True)}
                self.missed.append(Missed(self.field, entity, Operation.READ, named, "There is no such row."))

    async def _misses(self, store: Prober, entity: Entity, operation: Operation, key: Key) -> None:
        """Note a row that an operation cannot reach, and the reason."""
        why, tried = await self._why(store, entity, operation, key)
        self.missed.append(Missed(self.field, entity, operation, _by_field(entity, key), why, tried))

    async def _why(
        self, store: Prober, entity: Entity, operation: Operation, key: Key
    ) -> tuple[str, tuple[Tried, ...]]:
        readable, failed = await self._failed(store, entity, operation, key)
        if readable is None:
            return "There is no such row.", ()
        if not readable and operation is not Operation.READ:
            _, failed = await self._failed(store, entity, Operation.READ, key)
        asked = operation if readable else Operation.READ
        why = f"No rule for {asked} holds of the row, or a guard does not."
        if asked is Operation.READ:
            why = "No READ rule shows the row" + (", or it is deleted." if entity.soft_delete is not None else ".")
            if readable:
                why = "The fields by which it is named, or its key, are masked on the row."
        return why, tuple(self._tried(entity, asked, failed))

    def _tried(
        self, entity: Entity, operation: Operation, failed: Mapping[Same, Sequence[str]], *, after: bool = False
    ) -> Iterator[Tried]:
        """Yield the rules of an entity that were tried on the old state of a row; with `after`, on its new state."""
        for rule, judgement in self._rules(entity, operation):
            parts = tuple(failed.get(Same(rule), ()))
            holds = not parts if judgement.applies else None
            yield Tried(judgement, None if after else holds, holds if after else None, parts)

    # --- what is refused --------------------------------------------------------------

    async def refused(self, store: Prober, refusal: Refusal) -> None:
        """See `Witness`."""
        entity, operation, permits = refusal.entity, refusal.operation, refusal.permits
        self._asks(entity, operation)
        if permits is None:
            self.refusals.append(Refused(self.field, refusal))
            return
        failed: dict[Same, list[str]] = {}
        read: tuple[Tried, ...] = ()
        if refusal.key:
            try:
                if refusal.phase in (Phase.RECALL, Phase.CHECK):
                    plan, bound = self._judged[refusal.phase, entity.name]
                    readable, failed = await self._failed(
                        store, entity, operation, refusal.key, plan, bound, refusal.fields
                    )
                    if not readable:
                        _, hiding = await self._failed(store, entity, Operation.READ, refusal.key)
                        read = tuple(self._tried(entity, Operation.READ, hiding, after=True))
                else:
                    _, failed = await self._failed(store, entity, operation, refusal.key, fields=refusal.fields)
            except ClewError:
                # The transaction is broken. Report the refusal alone.
                failed = {}
        before = refusal.before or (None,) * len(permits.every)
        after = refusal.after or (None,) * len(permits.every)
        flags = {Same(permit.rule): (permit, b, a) for permit, b, a in zip(permits.every, before, after, strict=True)}
        tried: list[Tried] = []
        for rule, judgement in self._rules(entity, operation, refusal.fields):
            permit, held, holds = flags.get(Same(rule), (None, None, None))
            about = list(failed.get(Same(rule), ()))
            if permit is not None and not isinstance(rule, GuardRule):
                closed = [name for name in refusal.fields if permit not in permits.holding(entity, name)]
                about += [f"does not open {name}" for name in closed]
            tried.append(Tried(judgement, held, holds, tuple(about)))
        self.refusals.append(Refused(self.field, refusal, (*tried, *read)))

    def of(self, refusal: Refusal) -> Refused | None:
        """Return the record of a refusal; None if there is none."""
        return next((known for known in self.refusals if known.refusal is refusal), None)

    async def _failed(
        self,
        store: Prober,
        entity: Entity,
        operation: Operation,
        key: Key,
        judged: Check | Recall | None = None,
        bound: Mapping[Supplied, Any] | None = None,
        fields: Collection[str] = (),
    ) -> tuple[bool | None, dict[Same, list[str]]]:
        """Find the parts of the rules' conditions that do not hold for a row.

        Args:
            judged: the plan that judged the row; None to judge its current state.
            bound: the values that `judged` was run with.
            fields: the fields whose own rules are tried, too.

        Returns:
            Whether the row is readable, None if there is no row; and the failed parts as text, by rule.
        """
        parts: list[tuple[Same, str, Predicate]] = []
        failed: dict[Same, list[str]] = {}
        for rule, judgement in self._rules(entity, operation, fields):
            if judgement.applies and not self._access.rules.claims_of(entity, rule) <= self._sight.usable:
                failed[Same(rule)] = [judgement.why]
            elif judgement.applies:
                where = rule.check if isinstance(judged, Check) and rule.check is not None else rule.where
                parts += (
                    (Same(rule), text, self._access.condition(entity, part))
                    for part, text in conjuncts(self._access.model, entity, where)
                )
        # Set both sides of a permit: a Recall reads `before`, a Check reads `after`.
        permits = Permits(tuple(Permit(part, part) for *_, part in parts), {}, (), operation)
        if judged is None:
            judged = Check(self._access.visible(entity, self._sight), permits)
        bound_now = {**(bound or {}), **bound_keys(entity, [key])}
        if bound and (isinstance(judged, Recall) or judged.ordered):
            bound_now[Places()] = [bound[Places()][_rows(bound_keys(entity, ()), bound).index(key)]]
        record, *_ = await store.probe(replace(judged, permits=permits), bound_now)
        # A Recall returns no readable flag: its row has been read already.
        readable, *held = (True, *record) if isinstance(judged, Recall) else record
        for (same, text, _), holds in zip(parts, held, strict=True):
            if not holds:
                failed.setdefault(same, []).append(text)
        return readable, failed

    def _rules(
        self, entity: Entity, operation: Operation, fields: Collection[str] = ()
    ) -> list[tuple[AllowRule | GuardRule, Judgement]]:
        given = (self._access, entity, {operation}, self._sight, self._viewer)
        return [*rules_of(*given), *rules_of_fields(*given, fields)]


def _rows(sources: Any, bound: Mapping[Supplied, Any]) -> list[tuple[Any, ...]]:
    """Return the bound arrays as rows."""
    return list(zip(*(bound[source] for source in sources), strict=True))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row as JSON values."""
    plain = bool | int | str | None
    return {name: value if isinstance(value, plain) else str(value) for name, value in row.items()}


def _by_field(entity: Entity, key: Key) -> dict[str, Any]:
    return dict(zip(entity.primary_key, key, strict=True)) if key else {}
