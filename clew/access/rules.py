"""Compile the rules of a model, each once.

A rule's condition becomes a predicate over the unmasked database, with claims as operands. A rule counts for a viewer
that has one of its roles, and all claims that the rule names. A plan depends on nothing else about a viewer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clew.access.conditions import Conditions
from clew.access.predicates import FALSE, claims_in, disjunction
from clew.access.sight import Sight
from clew.access.types import TRUE, Claim, Predicate
from clew.model.rule_text import members
from clew.model.types import AllowRule, Column, Entity, GuardRule, Model, Operation
from clew.same import Same


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule or guard.

    `fields` are the fields that it opens; None for all. `limit` is the size of the largest page; None for no limit.
    """

    predicate: Predicate
    claims: frozenset[Claim]
    fields: frozenset[str] | None
    limit: int | None

    def is_usable(self, sight: Sight) -> bool:
        """Return whether the viewer has every claim that the rule names. Otherwise the whole rule does not count."""
        return self.claims <= sight.usable


class Rules:
    """The compiled rules of a model. Only the caches change."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.conditions = Conditions(model)
        self._rules: dict[tuple[str, Same], Rule] = {}
        self._claims: dict[tuple[str, Same], frozenset[Claim]] = {}

    def roles(self) -> frozenset[str]:
        """Return every role that a rule names."""
        return frozenset(role for rule in _every_rule(self.model) for role in rule.roles)

    def claims(self, roles: frozenset[str]) -> frozenset[Claim]:
        """Return the claims that the rules of these roles and the guards name."""
        found: set[Claim] = set()
        for entity in self.model.entities.values():
            for rules in (entity.allow, *(item.allow for item in members(entity))):
                for rule in rules:
                    if not roles.isdisjoint(rule.roles):
                        found |= self.claims_of(entity, rule)
            for guard in entity.guards:
                found |= self.claims_of(entity, guard)
        return frozenset(found)

    def claims_of(self, entity: Entity, rule: AllowRule | GuardRule) -> frozenset[Claim]:
        """Return the claims that a rule names, in `where` and in `check`."""
        key = (entity.name, Same(rule))
        if key not in self._claims:  # alike if true: a cache
            conditions = (self.conditions.condition(entity, rule.where), self.conditions.condition(entity, rule.check))
            self._claims[key] = frozenset(claim for condition in conditions for claim in claims_in(condition))
        return self._claims[key]

    def guard_claims(self) -> frozenset[Claim]:
        """Return the claims in guards that also bind an admin."""
        return frozenset(
            claim
            for entity in self.model.entities.values()
            for guard in entity.guards
            if guard.binds_admin
            for claim in self.claims_of(entity, guard)
        )

    def reading(self, entity: Entity, rules: Iterable[AllowRule], roles: frozenset[str]) -> Iterable[Rule]:
        """Yield those of `rules` that let some of the roles READ."""
        return self.allowing(entity, rules, roles, Operation.READ)

    def allowing(
        self, entity: Entity, rules: Iterable[AllowRule], roles: frozenset[str], operation: Operation
    ) -> Iterable[Rule]:
        """Yield those of `rules` that let some of the roles do `operation`."""
        for rule in rules:
            if operation in rule.to and not roles.isdisjoint(rule.roles):
                yield self.compiled(entity, rule)

    def compiled(self, entity: Entity, rule: AllowRule | GuardRule) -> Rule:
        """Return a rule of `entity`, compiled."""
        key = (entity.name, Same(rule))
        if key not in self._rules:  # alike if true: a cache
            fields, limit = (rule.fields, rule.limit) if isinstance(rule, AllowRule) else (None, None)
            self._rules[key] = Rule(
                self.conditions.condition(entity, rule.where), self.claims_of(entity, rule), fields, limit
            )
        return self._rules[key]

    def guards(self, entity: Entity, sight: Sight, operation: Operation = Operation.READ) -> list[Predicate]:
        """Return the conditions of the guards for `operation`."""
        found: list[Predicate] = []
        for guard in entity.guards:
            if operation in guard.to and (guard.binds_admin or not sight.admin):
                rule = self.compiled(entity, guard)
                # A guard always counts. If the viewer lacks one of its claims, it allows no row.
                found.append(rule.predicate if rule.is_usable(sight) else FALSE)
        return found

    def mask(
        self,
        entity: Entity,
        name: str,
        rules: list[Rule],
        sight: Sight,
        *,
        only_usable: bool = False,
        operation: Operation = Operation.READ,
    ) -> Predicate | None:
        """Return the condition under which a field of a visible row is open: None for always, FALSE for never.

        Args:
            rules: the rules of the entity for `operation`.
            only_usable: whether only rules count whose claims the viewer has. Then `rules` must have no others.
            operation: READ or EXPORT.
        """
        member = member_of(entity, name)
        if member.allow:
            own = list(self.allowing(entity, member.allow, sight.roles, operation))
            if only_usable:
                own = [rule for rule in own if rule.is_usable(sight)]
        else:
            own = [rule for rule in rules if is_about(rule.fields, member)]
            if rules and len(own) == len(rules):
                return None
        # A rule may also name claims in its `check`. Without them it opens no row either.
        if any(rule.predicate == TRUE and (only_usable or not rule.claims) for rule in own):
            return None
        return disjunction([rule.predicate for rule in own])


def is_about(fields: frozenset[str] | None, member: Any) -> bool:
    """Return whether a rule for `fields` includes the member. A to-one includes its key."""
    return fields is None or member.name in fields or (isinstance(member, Column) and member.relation in fields)


def shown_names(entity: Entity) -> Iterable[str]:
    """Return the API names of the fields that are not hidden."""
    return (member.name for member in members(entity) if not getattr(member, "hidden", False))


def member_of(entity: Entity, name: str) -> Any:
    """Return the column, relation or resolver field with a name."""
    return entity.column(name) or entity.relation(name) or entity.resolver(name)


def _every_rule(model: Model) -> Iterable[AllowRule]:
    for entity in model.entities.values():
        yield from entity.allow
        for member in members(entity):
            yield from member.allow
    for custom in model.custom_fields:
        yield from custom.allow
