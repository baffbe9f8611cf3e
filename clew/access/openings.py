"""Decide which parts of the model a role set may ever see and write. Its schema is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clew.access.link_paths import keys_of, many_to_manys_at, owner_of_link
from clew.access.predicates import FALSE
from clew.access.rules import Rule, Rules, is_about, member_of, shown_names
from clew.access.sight import Sight
from clew.access.types import TRUE, AllOf, Exists
from clew.model.types import Column, CustomField, Entity, Opening, Operation, Relation
from clew.model.writing import is_free_link, is_generated_key, writable_fields


class Openings:
    """Decide which parts of the model are open to the roles of a sight, for any claims."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.model = rules.model

    def openings(self, sight: Sight) -> dict[str, Opening]:
        """Return the open parts of each entity for the roles of `sight`, without entities that show nothing.

        Leave out a relation if its other end shows nothing. Leave out a to-many if no rule opens the to-one back. An
        entity may then have no field left, so repeat this until nothing changes.
        """
        found = {name: self.opening(entity, sight) for name, entity in self.model.entities.items()}
        openings = {name: opening for name, opening in found.items() if opening is not None}
        while True:
            shown: dict[str, Opening] = {}
            for name, opening in openings.items():
                entity = self.model.entity(name)
                dead = {r.name for r in entity.relations if self._leads_nowhere(r, openings, sight)}
                dead |= {r.name for r in entity.resolvers if r.type in self.model.entities and r.type not in openings}
                ends_shown = not dead or not is_free_link(entity)
                if ends_shown and (fields := opening.fields - dead):
                    shown[name] = replace(opening, fields=fields)
            if shown == openings:  # endless if false: it stops when nothing changes
                return shown
            openings = shown

    def _leads_nowhere(self, relation: Relation, openings: Mapping[str, Opening], sight: Sight) -> bool:
        """Return whether no row can ever be at the other end, whatever the claims."""
        owner, to_ones = owner_of_link(self.model, relation)
        if relation.target not in openings:
            return True
        # A generated link is in two lists. Each list has its own rules.
        if sight.admin or is_free_link(owner):
            return False
        if owner.name not in openings:
            return True
        rules = list(self.rules.reading(owner, owner.allow, sight.roles))
        return any(self.rules.mask(owner, to_one, rules, sight) == FALSE for to_one in to_ones)

    def custom_fields(self, sight: Sight) -> tuple[CustomField, ...]:
        """Return the application's own root fields that the roles of `sight` may use."""
        return tuple(
            custom
            for custom in self.model.custom_fields
            if sight.admin or any(not sight.roles.isdisjoint(rule.roles) for rule in custom.allow)
        )

    def opening(self, entity: Entity, sight: Sight) -> Opening | None:
        """Return the parts of an entity that the roles of `sight` may see and write if the viewer has every claim.

        Return None if there are no such parts.
        """
        everything = frozenset(shown_names(entity))
        deletes = sight.admin or self._may(entity, Operation.DELETE, sight.roles)
        creates = self._writable(entity, sight, Operation.CREATE)
        updates = self._writable(entity, sight, Operation.UPDATE)
        if sight.admin:
            unguarded = not self.rules.guards(entity, sight)
            return Opening(everything, unconditional=unguarded, creates=creates, updates=updates, deletes=deletes)
        if is_free_link(entity):
            return self._opening_of_link(entity, everything, sight)
        rules = list(self.rules.reading(entity, entity.allow, sight.roles))
        if not rules:
            return None
        fields: set[str] = set()
        conditional: set[str] = set()
        for name in everything:
            mask = self.rules.mask(entity, name, rules, sight)
            if mask == FALSE:
                continue
            fields.add(name)
            if mask is not None:
                conditional.add(name)
        if not fields:
            return None
        unconditional = not self.rules.guards(entity, sight) and any(
            rule.predicate == TRUE and not rule.claims for rule in rules
        )
        shown = frozenset(r.name for r in entity.relations if self._shown(r, rules, sight))
        return Opening(frozenset(fields), frozenset(conditional), unconditional, shown, creates, updates, deletes)

    def _opening_of_link(self, link: Entity, everything: frozenset[str], sight: Sight) -> Opening | None:
        """Return the open parts of a generated link: it shows the keys that its ends show."""
        fields, conditional = set(everything), set[str]()
        for end in link.relations:
            opening = self.opening(self.model.entity(end.target), sight)
            if opening is None or any(
                field.name not in opening.fields for field in many_to_manys_at(self.model, link, end)
            ):
                return None
            for column, key in keys_of(self.model, link, end):
                if key.name not in opening.fields:
                    fields.discard(column.name)
                elif key.name in opening.conditional:
                    conditional.add(column.name)
        return Opening(frozenset(fields), frozenset(conditional))

    def _may(self, entity: Entity, operation: Operation, roles: frozenset[str]) -> bool:
        """Return whether a rule of the roles allows the operation."""
        return any(operation in rule.to and not roles.isdisjoint(rule.roles) for rule in entity.allow)

    def _writable(self, entity: Entity, sight: Sight, operation: Operation) -> frozenset[str] | None:
        """Return the fields that rules of the roles let clients write. Return None if no rule allows the operation."""
        if not entity.is_writable:
            return None
        possible = writable_fields(entity, admin=sight.admin)
        if sight.admin:
            return possible
        rules = list(self.rules.allowing(entity, entity.allow, sight.roles, operation))
        if not rules:
            return None
        found: set[str] = set()
        for name in possible:
            member = member_of(entity, name)
            if member.allow:
                held = any(True for _ in self.rules.allowing(entity, member.allow, sight.roles, operation))
            # alike without `isinstance(member, Column)`: a relation is no part of a key
            elif isinstance(member, Column) and is_generated_key(entity, member):
                held = any(rule.fields is not None and name in rule.fields for rule in rules)
            else:
                held = any(is_about(rule.fields, member) for rule in rules)
            if held:
                found.add(name)
        return frozenset(found)

    def _shown(self, relation: Relation, rules: list[Rule], sight: Sight) -> bool:
        """Return whether the target of a to-one is visible whenever the row is.

        That is so if every rule that opens the row includes the condition of a rule that opens the target.
        """
        target = self.model.entity(relation.target)
        # alike without `is_free_link(target)`: a generated link has no rule to be the same as
        if relation.to_many or is_free_link(target) or self.rules.guards(target, sight):
            return False
        theirs = list(self.rules.reading(target, target.allow, sight.roles))
        return bool(rules) and all(  # alike without `bool(rules)`: without rules there is no opening
            any(
                isinstance(item, Exists)
                and item.relation == relation
                and any(item.rows.where == other.predicate and other.claims <= rule.claims for other in theirs)
                for item in (rule.predicate.items if isinstance(rule.predicate, AllOf) else (rule.predicate,))
            )
            for rule in rules
        )
