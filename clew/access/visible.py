"""Decide which rows and fields a viewer sees. Every read of every feature starts here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clew.access.conditions import present, unmasked
from clew.access.foresight import Reading
from clew.access.link_paths import keys_of, many_to_manys_at, owner_of_link
from clew.access.openings import Openings
from clew.access.permits import Permits, Permitting
from clew.access.predicates import FALSE, conjunction, disjunction
from clew.access.rules import Rules, shown_names
from clew.access.sight import Sight
from clew.access.types import AllOf, Exists, IsNull, Predicate, Rows, Visible
from clew.model.types import Column, CustomField, Entity, Model, Opening, Operation, Relation
from clew.model.writing import is_free_link


class Access:
    """The rules of a model, for reads, writes and schemas. Only the caches change."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rules = Rules(model)
        self._openings = Openings(self.rules)
        self._permitting = Permitting(self.rules)
        self._visible: dict[tuple[str, Sight, str | None, tuple[str, ...]], Visible] = {}
        self._all: dict[str, Visible] = {}

    def openings(self, sight: Sight) -> dict[str, Opening]:
        """Return for each entity the parts that the roles of `sight` may see and write; see `Openings.openings`."""
        return self._openings.openings(sight)

    def opening(self, entity: Entity, sight: Sight) -> Opening | None:
        """Return the parts of an entity that the roles of `sight` may ever see and write. Return None for no parts."""
        return self._openings.opening(entity, sight)

    def custom_fields(self, sight: Sight) -> tuple[CustomField, ...]:
        """Return the application's own root fields that the roles of `sight` may use."""
        return self._openings.custom_fields(sight)

    def permits(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """Return the rules for a write of rows of `entity`: CREATE, UPDATE or DELETE."""
        return self._permitting.permits(entity, sight, operation)

    def guarding(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """Return only the guards. They also bind rows that change along with another row."""
        return self._permitting.guarding(entity, sight, operation)

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
        """Return the conditions that a row must meet before it is written; see `Permitting.foreseen`."""
        return self._permitting.foreseen(entity, sight, operation, known, changed, unsettled, reading)

    def condition(self, entity: Entity, where: Any) -> Predicate:
        """Return a rule's filter object as a predicate; see `Conditions.condition`."""
        return self.rules.conditions.condition(entity, where)

    def visible(self, entity: Entity, sight: Sight, deleted: str | None = None) -> Visible:
        """Return the masked rows of `entity`. Every read of every feature starts from them.

        Args:
            deleted: INCLUDE also shows the deleted rows that the viewer may delete. ONLY shows just those.
        """
        return self._seen(entity, sight, deleted, ())

    def across(self, relation: Relation, sight: Sight, deleted: str | None = None) -> tuple[Visible, Visible | None]:
        """Return the masked rows at the other end of a relation. Reads that begin with `visible` go on with this.

        A to-many leaves out a row if its to-one back is masked on it. Otherwise the to-many would reveal that to-one.

        Args:
            deleted: as for `visible`.

        Returns:
            The rows, and the rows of a many-to-many's link; None for other relations.
        """
        target = self.model.entity(relation.target)
        owner, to_ones = owner_of_link(self.model, relation)
        if relation.through is None:
            return self._seen(target, sight, deleted, to_ones), None
        # The rules of both ends and of this relation decide on a generated link. The rules of the list back do not.
        link = unmasked(owner) if is_free_link(owner) else self._seen(owner, sight, None, to_ones)
        return self._seen(target, sight, deleted, ()), link

    def _seen(self, entity: Entity, sight: Sight, deleted: str | None, to_ones: tuple[str, ...]) -> Visible:
        key = (entity.name, sight, deleted, to_ones)
        found = self._visible.get(key)
        if found is None:  # alike if true: a cache
            if len(self._visible) >= 4096:  # alike if true or false: the bound of a cache
                self._visible.clear()
            found = self._visible[key] = self._see(entity, sight, deleted, to_ones)
        return found

    def exportable(self, entity: Entity, sight: Sight, deleted: str | None = None) -> Visible | None:
        """Return the masked rows of `entity` that the viewer may export. A rule for EXPORT opens them and their fields.

        READ must open them too. At the other end of relations READ alone decides, as everywhere. A viewer may export a
        generated link if it may export both ends.

        Args:
            deleted: as for `visible`.

        Returns:
            None: no rule lets the viewer export any row.
        """
        visible = self.visible(entity, sight, deleted)
        guards = self.rules.guards(entity, sight, Operation.EXPORT)
        if sight.admin:
            exported: Visible | None = Visible(entity, conjunction(guards))
        elif is_free_link(entity):
            ends = {end.target: self.exportable(self.model.entity(end.target), sight) for end in entity.relations}
            known = {name: rows for name, rows in ends.items() if rows is not None}
            exported = None if len(known) < len(ends) else self._see_link(entity, guards, known)
        else:
            exported = self._exported(entity, guards, sight)
        if exported is None:
            return None
        masks = dict(visible.masks)
        for name, mask in exported.masks.items():
            if mask != masks.get(name):
                masks[name] = conjunction([mask, *([masks[name]] if name in masks else [])])
        # The same rules often open rows for READ and EXPORT. `clew.access.implied` wants those for READ last.
        asked = [item for item in _items(exported.where) if item not in _items(visible.where)]
        return replace(visible, where=conjunction([*asked, visible.where]), masks=masks)

    def _exported(self, entity: Entity, guards: Iterable[Predicate], sight: Sight) -> Visible | None:
        """Return the rows and fields that the rules for EXPORT open, whatever READ opens."""
        allowing = self.rules.allowing(entity, entity.allow, sight.roles, Operation.EXPORT)
        rules = [rule for rule in allowing if rule.is_usable(sight)]
        if not rules:
            return None
        masks: dict[str, Predicate] = {}
        for name in shown_names(entity):
            mask = self.rules.mask(entity, name, rules, sight, only_usable=True, operation=Operation.EXPORT)
            if mask is not None:
                masks[name] = mask
        return Visible(entity, conjunction([*guards, disjunction([rule.predicate for rule in rules])]), masks=masks)

    def nameable(self, entity: Entity, sight: Sight, operation: Operation) -> Visible:
        """Return the rows of `entity` that a client may name by key for `operation`.

        Such a row is visible, its key is open, and some rule and every guard allow the operation.
        """
        visible = self.visible(entity, sight)
        asked = [visible.where, *(visible.masks[name] for name in entity.primary_key if name in visible.masks)]
        if operation is not Operation.READ:
            asked.append(self._allowing(entity, sight, operation))
        return replace(visible, where=conjunction(asked))

    def _allowing(self, entity: Entity, sight: Sight, operation: Operation) -> Predicate:
        """Return the condition that some rule and every guard allow `operation` on a row."""
        guards = self.rules.guards(entity, sight, operation)
        if sight.admin:
            return conjunction(guards)
        rules = self.rules.allowing(entity, entity.allow, sight.roles, operation)
        return conjunction([*guards, disjunction([rule.predicate for rule in rules if rule.is_usable(sight)])])

    def every_row(self, entity: Entity) -> Visible:
        """Return all rows, also deleted and hidden ones. Use them only for guards, which bind on hidden rows too."""
        if entity.name not in self._all:  # alike if true: a cache
            self._all[entity.name] = Visible(entity)
        return self._all[entity.name]

    def _see(self, entity: Entity, sight: Sight, deleted: str | None, to_ones: tuple[str, ...]) -> Visible:
        guards = self.rules.guards(entity, sight)
        present = self._present(entity, sight, deleted)
        with_deleted = deleted is not None and entity.soft_delete is not None
        if sight.admin:
            return Visible(entity, conjunction([present, *guards]), deleted=with_deleted)
        if is_free_link(entity):
            ends = {end.target: self.visible(self.model.entity(end.target), sight) for end in entity.relations}
            return self._see_link(entity, guards, ends)
        rules = [rule for rule in self.rules.reading(entity, entity.allow, sight.roles) if rule.is_usable(sight)]
        masks: dict[str, Predicate] = {}
        for name in shown_names(entity):
            mask = self.rules.mask(entity, name, rules, sight, only_usable=True)
            if mask is not None:
                masks[name] = mask
        limits = [rule.limit for rule in rules]
        # alike if `limit is not None` is true: none is None there
        page = None if None in limits or not limits else max(limit for limit in limits if limit is not None)
        opened = [self.rules.mask(entity, name, rules, sight, only_usable=True) for name in to_ones]
        masking = [mask for mask in opened if mask is not None]
        # The rules must come last: `clew.access.implied` treats each of them as a case.
        where = conjunction([present, *guards, *masking, disjunction([rule.predicate for rule in rules])])
        return Visible(entity, where, page, masks, with_deleted)

    def _see_link(self, link: Entity, guards: Iterable[Predicate], ends: Mapping[str, Visible]) -> Visible:
        """Return the visible rows of a generated link.

        A link is visible if both of its ends are, and if every many-to-many field that follows it is open on its end.
        It shows the keys that its ends show.

        Args:
            ends: the visible rows of the entities at its ends.
        """
        asked = [*guards]
        masks: dict[str, Predicate] = {}
        for end in link.relations:
            rows = ends[end.target]
            carried = (_when_open(rows, field) for field in many_to_manys_at(self.model, link, end))
            asked.append(_at_end(end, rows, [mask for mask in carried if mask is not None]))
            for column, key in keys_of(self.model, link, end):
                mask = _when_open(rows, key)
                if mask is not None:
                    masks[column.name] = _at_end(end, rows, [mask])
        return Visible(link, conjunction(asked), masks=masks)

    def _present(self, entity: Entity, sight: Sight, deleted: str | None) -> Predicate:
        """Return the condition that a row is not deleted, or that it is deleted and the viewer may delete it."""
        column = entity.soft_delete
        if column is None or deleted is None:
            return present(entity)
        allowing = self._allowing(entity, sight, Operation.DELETE)
        if deleted == "ONLY":
            return conjunction([IsNull(column, negated=True), allowing])
        return disjunction([present(entity), allowing])


def _items(where: Predicate) -> tuple[Predicate, ...]:
    return where.items if isinstance(where, AllOf) else (where,)


def _at_end(end: Relation, rows: Visible, also: Sequence[Predicate]) -> Predicate:
    """Return the condition that one of `rows` is at an end of a link, and that `also` holds for it."""
    where = conjunction([*also, rows.where])
    return FALSE if where == FALSE else Exists(end, Rows(replace(rows, where=where)))


def _when_open(rows: Visible, member: Column | Relation) -> Predicate | None:
    """Return the condition under which a field of the rows is open. None means always."""
    return FALSE if member.hidden else rows.masks.get(member.name)
