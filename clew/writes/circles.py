"""Find entities whose write rules read each other's rows."""

from __future__ import annotations

from collections.abc import Iterable

from clew.access.permits import Permits
from clew.access.reach import reads
from clew.access.sight import Sight
from clew.access.types import TRUE, Predicate
from clew.access.visible import Access
from clew.model.types import Entity, Model, Operation
from clew.model.writing import is_free_link
from clew.sql.views import with_views


class Circles:
    """Find circles of entities: their rules read each other, so a row of one could justify a row of another."""

    def __init__(self, access: Access, sight: Sight) -> None:
        self._access = access
        self._sight = sight
        self._model: Model = access.model
        self._read: dict[str, frozenset[str]] = {}
        self._circles: dict[str, frozenset[str]] = {}

    def of(self, entity: Entity) -> frozenset[str]:
        """Return the entities in a circle with `entity`, itself included: its rules read them, and theirs read it.

        Only conditions on the new state of a row count. Return an empty set if `entity` is in no circle.
        """
        if entity.name not in self._circles:  # alike if true: a cache
            self._circles[entity.name] = frozenset(
                name
                for name in self._reached(entity.name)
                if entity.name in self._reached(name)  # alike if true: in no circle each is allowed in its turn
            )
        return self._circles[entity.name]

    def read(self, permits: Permits) -> frozenset[str]:
        """Return the entities that conditions on the new state of a row read. A view adds the entities it reads."""
        # alike if true: that reads nothing
        return self.read_by(permit.after for permit in permits.every if permit.after != TRUE)

    def recalled(self, entity: Entity, operation: Operation) -> frozenset[str]:
        """Return the entities that conditions on the old state of a row read, if `entity` is among them.

        Then a row that the same root field wrote earlier may change the verdict on this row.
        """
        permits = self._access.permits(entity, self._sight, operation)
        read = self.read_by(permit.before for permit in permits.every)
        return read if entity.name in read else frozenset()

    def read_by(self, conditions: Iterable[Predicate]) -> frozenset[str]:
        """Return the entities that conditions read. A view adds the entities it reads."""
        found = (name for condition in conditions for name in reads(condition, self._model))
        return with_views(found, self._model)

    def _reached(self, name: str) -> frozenset[str]:
        """Return the entities that the rules of an entity read, directly or through other entities' rules."""
        found: set[str] = set()
        pending = [name]
        while pending:
            for other in self._reads(pending.pop()):
                if other not in found:  # endless if true: circles have no end
                    found.add(other)  # endless without it: circles have no end
                    pending.append(other)
        return frozenset(found)

    def _reads(self, name: str) -> frozenset[str]:
        entity = self._model.entity(name)
        if is_free_link(entity):
            # The rules of its ends decide whether it may be written.
            return frozenset(end.target for end in entity.relations)
        if name not in self._read:  # alike if true: a cache
            to = (Operation.CREATE, Operation.UPDATE)
            every = (self.read(self._access.permits(entity, self._sight, operation)) for operation in to)
            self._read[name] = frozenset().union(*every)
        return self._read[name]
