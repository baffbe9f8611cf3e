"""A batch of changes by table: what became of each row, and the rows of other tables as they were before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clew.access.types import Logged, LogPart
from clew.changes.types import Batch, Change, ChangeKind
from clew.live.tables import table_of
from clew.model.types import Entity


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a row within its batch.

    `row` is the same for all changes of one row, from its creation to its end. `gone`: the change takes the row away,
    by a deletion or a soft deletion. `first` is the row as it was before the batch; None if it is new.
    """

    change: Change
    row: int
    gone: bool
    first: str | None


class Cut:
    """A batch, cut by table. Each part is worked out once, for all who read it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.tables = frozenset(change.name for change in batch.changes)
        self._steps: dict[str, tuple[Step, ...]] = {}
        self._were: dict[str, dict[Logged, list[str]]] = {}
        self._given: dict[tuple[str, int, int], dict[Logged, list[str | None]]] = {}

    def of(self, entity: Entity) -> Iterable[Change]:
        """Yield the changes of an entity's rows, in their order."""
        name = table_of(entity)
        return (change for change in self.batch.changes if change.name == name)

    def size(self, entity: Entity) -> int:
        """Return about how many bytes an entity's changes take."""
        return sum(100 + len(c.old_text or "") + len(c.new_text or "") for c in self.of(entity))

    def steps(self, entity: Entity) -> tuple[Step, ...]:
        """Return the changes of an entity's rows, and its RESETs, in their order."""
        found = self._steps.get(entity.name)
        if found is None:
            found = self._steps[entity.name] = tuple(_steps(entity, self.of(entity)))
        return found

    def given(self, entity: Entity, start: int, stop: int) -> dict[Logged, list[str | None]]:
        """Return the rows of some steps, as a statement gets them."""
        key = (entity.name, start, stop)
        if key not in self._given:
            steps = self.steps(entity)[start:stop]
            self._given[key] = {
                Logged(entity.name, LogPart.OLD): [step.change.old_text for step in steps],
                Logged(entity.name, LogPart.NEW): [step.change.new_text for step in steps],
                Logged(entity.name, LogPart.FIRST): [step.first if step.gone else None for step in steps],
            }
        return self._given[key]

    def is_known(self, entity: Entity) -> bool:
        """Return whether rows of the entity have changed, and how each of them was before is known."""
        if table_of(entity) not in self.tables:
            return False
        return all(change.kind is not ChangeKind.RESET for change in self.of(entity))

    def were(self, entity: Entity) -> dict[Logged, list[str]]:
        """Return the rows of an entity that the batch touches, and those among them that were there before it.

        Args:
            entity: one that `is_known`.
        """
        found = self._were.get(entity.name)
        if found is None:
            found = self._were[entity.name] = _were(entity, self.of(entity))
        return found


def _steps(entity: Entity, changes: Iterable[Change]) -> Iterable[Step]:
    rows: dict[tuple[str, ...], tuple[int, str | None]] = {}
    deleted = entity.soft_delete
    for count, change in enumerate(changes):
        old, new = change.old, change.new
        row, first = count, change.old_text
        if old is not None:
            row, first = rows.pop(_key(entity, old), (row, first))
        if new is not None:
            rows[_key(entity, new)] = row, first
        gone = new is None
        if deleted is not None and old is not None and new is not None:
            gone = old.get(deleted.column) is None and new.get(deleted.column) is not None
        yield Step(change, row, gone and change.kind is not ChangeKind.RESET, first)


def _were(entity: Entity, changes: Iterable[Change]) -> dict[Logged, list[str]]:
    touched: list[str] = []
    before: dict[tuple[str, ...], str | None] = {}
    for change in changes:
        for row, text, was in ((change.old, change.old_text, True), (change.new, change.new_text, False)):
            if row is not None and text is not None:
                touched.append(text)
                before.setdefault(_key(entity, row), text if was else None)
    were = [text for text in before.values() if text is not None]
    return {Logged(entity.name, LogPart.TOUCHED): touched, Logged(entity.name, LogPart.WERE): were}


def _key(entity: Entity, row: dict[str, object]) -> tuple[str, ...]:
    return tuple(repr(row.get(column.column)) for column in entity.key_columns)
