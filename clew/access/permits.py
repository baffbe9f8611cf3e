"""Turn the rules for writing into conditions on the old and the new state of a row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from clew.access.foresight import Foresight, Reading, depends_on
from clew.access.predicates import FALSE
from clew.access.rules import Rules, is_about, member_of
from clew.access.sight import Sight
from clew.access.types import TRUE, Predicate
from clew.model.rule_text import members
from clew.model.types import AllowRule, Column, Entity, GuardRule, Operation
from clew.model.writing import is_generated_key


@dataclass(frozen=True, slots=True)
class Permit:
    """A rule for writing. `before` must hold for the old state of the row, `after` for the new state.

    `fields` are the fields that the rule opens; None for all. `rule` is the rule of the model; None for an admin.
    """

    before: Predicate
    after: Predicate
    fields: frozenset[str] | None = None
    rule: AllowRule | GuardRule | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Permits:
    """The rules for one operation on an entity.

    For each written field there must be one rule that holds as a whole. All guards must hold too. `own` has the rules
    of fields with their own rules, by field name.
    """

    rules: tuple[Permit, ...]
    own: Mapping[str, tuple[Permit, ...]]
    guards: tuple[Permit, ...]
    operation: Operation = field(default=Operation.UPDATE, compare=False)

    @property
    def every(self) -> tuple[Permit, ...]:
        """Return all rules, then the guards."""
        return (*self.rules, *(permit for permits in self.own.values() for permit in permits), *self.guards)

    def holding(self, entity: Entity, field: str) -> tuple[Permit, ...]:
        """Return the rules that open a field. One of them must hold if the field is written."""
        if field in self.own:
            return self.own[field]
        member = member_of(entity, field)
        # alike without `isinstance(member, Column)`: a relation is no part of a key
        if isinstance(member, Column) and is_generated_key(entity, member):
            # A client may give a key that the database generates only if a rule names it.
            return tuple(permit for permit in self.rules if permit.fields is not None and field in permit.fields)
        return tuple(permit for permit in self.rules if is_about(permit.fields, member))


class Permitting:
    """Give the rules of a viewer for writing. Only the caches change."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._permits: dict[tuple[str, Sight, Operation], Permits] = {}
        self._guarding: dict[tuple[str, Sight, Operation], Permits] = {}
        self._foreseen: dict[Hashable, Permits] = {}

    def permits(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """Return the rules for a write of rows of `entity`: CREATE, UPDATE or DELETE."""
        return self._kept(self._permits, entity, sight, operation, self._permitted)

    def guarding(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """Return only the guards. They also bind rows that change along with another row."""
        return self._kept(self._guarding, entity, sight, operation, self._guarded)

    def foreseen(
        self,
        entity: Entity,
        sight: Sight,
        operation: Operation,
        known: frozenset[str],
        changed: frozenset[str],
        unsettled: frozenset[str] | None,
        reading: Reading,
    ) -> Permits:
        """Return the rules, each with an `after` to check before the write. If it fails, the rule cannot hold.

        This condition is TRUE for a rule that must have held before, and that depends on nothing that changes.

        Args:
            known: the columns whose values are known.
            changed: the columns that may change their values; empty for a new row.
            unsettled, reading: see `Foresight`.
        """
        key = (entity.name, sight, operation, known, changed, unsettled)
        found = self._foreseen.get(key)
        if found is None:
            if len(self._foreseen) >= 4096:  # alike if true or false: the bound of a cache
                self._foreseen.clear()
            foresight = Foresight(known, unsettled, reading)
            could = tuple(
                replace(permit, after=TRUE if _stays(permit, operation, changed) else foresight.could(permit.after))
                for permit in self.permits(entity, sight, operation).every
            )
            found = self._foreseen[key] = Permits(could, {}, (), operation)
        return found

    def _kept(
        self,
        kept: dict[tuple[str, Sight, Operation], Permits],
        entity: Entity,
        sight: Sight,
        operation: Operation,
        make: Callable[[Entity, Sight, Operation], Permits],
    ) -> Permits:
        key = (entity.name, sight, operation)
        found = kept.get(key)
        if found is None:  # alike if true: a cache
            if len(kept) >= 4096:  # alike if true or false: the bound of a cache
                kept.clear()
            found = kept[key] = make(entity, sight, operation)
        return found

    def _guarded(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        guards = self._guarding_permits(entity, sight, operation)
        return Permits((Permit(TRUE, TRUE),), {}, guards, operation)

    def _guarding_permits(self, entity: Entity, sight: Sight, operation: Operation) -> tuple[Permit, ...]:
        return tuple(
            self._permit(entity, guard, None)
            if self._usable(entity, guard, sight)
            else Permit(FALSE, FALSE, rule=guard)
            for guard in entity.guards
            if operation in guard.to and (guard.binds_admin or not sight.admin)
        )

    def _permitted(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        guards = self._guarding_permits(entity, sight, operation)
        if sight.admin:
            everything = frozenset(member.name for member in members(entity))
            return Permits((Permit(TRUE, TRUE, everything),), {}, guards, operation)

        def permitting(rules: Iterable[AllowRule]) -> tuple[Permit, ...]:
            return tuple(
                self._permit(entity, rule, rule.fields)
                for rule in rules
                if operation in rule.to and not sight.roles.isdisjoint(rule.roles) and self._usable(entity, rule, sight)
            )

        own = {member.name: permitting(member.allow) for member in members(entity) if member.allow}
        # No rule opens a field that a preset fills, not even if the client connects the row from its other end.
        own |= {column.name: () for column in entity.columns if column.preset is not None}
        return Permits(permitting(entity.allow), own, guards, operation)

    def _permit(self, entity: Entity, rule: AllowRule | GuardRule, fields: frozenset[str] | None) -> Permit:
        before = self.rules.conditions.condition(entity, rule.where)
        return Permit(
            before, before if rule.check is None else self.rules.conditions.condition(entity, rule.check), fields, rule
        )

    def _usable(self, entity: Entity, rule: AllowRule | GuardRule, sight: Sight) -> bool:
        return self.rules.compiled(entity, rule).is_usable(sight)


def _stays(permit: Permit, operation: Operation, changed: frozenset[str]) -> bool:
    """Return whether a rule that held for the old state of a row holds for every possible new state."""
    is_same = operation is Operation.UPDATE and permit.after is permit.before
    return is_same and not depends_on(permit.after, changed)
