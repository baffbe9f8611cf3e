"""The rules of SPEC 6, compiled once: who sees which rows and fields, as predicates.

A rule's condition becomes a predicate over the unmasked database, with claims as
operands. Whether a rule counts for a viewer depends on the roles and on which of the
claims it names the viewer has; nothing else of a viewer goes into a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clew.access.predicates import FALSE, comparison, conjunction, disjunction, operand, operand_type, quantified
from clew.access.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Claim,
    Compare,
    Constant,
    Exists,
    IsNull,
    IsTrue,
    Measure,
    Not,
    Now,
    Operand,
    Predicate,
    Rows,
    Ruled,
    Visible,
)
from clew.model.types import (
    AllowRule,
    Column,
    CustomField,
    Entity,
    FieldKind,
    GuardRule,
    Model,
    Opening,
    Operation,
    Relation,
    RelationKind,
    ValueType,
)
from clew.model.writing import is_free_link, is_generated_key, writable_fields
from clew.same import Same


@dataclass(frozen=True, slots=True)
class Sight:
    """What of a viewer a plan depends on.

    `roles` are the viewer's that some rule names; `usable` the claims that rules name and
    the viewer has, in a form that fits.
    """

    admin: bool
    roles: frozenset[str] = frozenset()
    usable: frozenset[Claim] = frozenset()


ADMIN = Sight(admin=True)


@dataclass(frozen=True, slots=True)
class Permit:
    """A rule for writing: `before` of the row as it was, `after` of what becomes of it; `fields` None for all.

    `rule` is the model's, None for what binds an admin.
    """

    before: Predicate
    after: Predicate
    fields: frozenset[str] | None = None
    rule: AllowRule | GuardRule | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Permits:
    """The rules for one operation on an entity. Each written field needs one whole rule, and all guards.

    `own` are, by field, the rules of fields that have rules of their own.
    """

    rules: tuple[Permit, ...]
    own: Mapping[str, tuple[Permit, ...]]
    guards: tuple[Permit, ...]
    operation: Operation = field(default=Operation.UPDATE, compare=False)

    @property
    def every(self) -> tuple[Permit, ...]:
        """All of them, the guards last."""
        return (*self.rules, *(permit for permits in self.own.values() for permit in permits), *self.guards)

    def holding(self, entity: Entity, field: str) -> tuple[Permit, ...]:
        """The rules of which one must hold where the field is written."""
        if field in self.own:
            return self.own[field]
        member = _member(entity, field)
        # alike without `isinstance(member, Column)`: a relation is no part of a key
        if isinstance(member, Column) and is_generated_key(entity, member):
            # What the database makes is the client's to give only where a rule says so.
            return tuple(permit for permit in self.rules if permit.fields is not None and field in permit.fields)
        return tuple(permit for permit in self.rules if _holds(permit.fields, member))


@dataclass(frozen=True, slots=True)
class _Rule:
    predicate: Predicate
    claims: frozenset[Claim]
    fields: frozenset[str] | None
    limit: int | None

    def is_usable(self, sight: Sight) -> bool:
        """Whether the viewer has every claim that the rule names, before and after: without one it is dropped whole."""
        return self.claims <= sight.usable


@dataclass
class Access:
    """The compiled rules of a model; immutable but for its caches."""

    model: Model
    _rules: dict[tuple[str, Same], _Rule] = field(default_factory=dict)
    _visible: dict[tuple[str, Sight, str | None, tuple[str, ...]], Visible] = field(default_factory=dict)
    _permits: dict[tuple[str, Sight, Operation], Permits] = field(default_factory=dict)
    _guarding: dict[tuple[str, Sight, Operation], Permits] = field(default_factory=dict)
    _all: dict[str, Visible] = field(default_factory=dict)
    _claims: dict[tuple[str, Same], frozenset[Claim]] = field(default_factory=dict)

    def openings(self, sight: Sight) -> dict[str, Opening]:
        """What each entity shows to the roles of `sight`; those that show nothing are left out.

        A relation shows nothing whose other end does not, and a to-many nothing where no rule opens the to-one back;
        that may leave an entity empty, and so on.
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
            if shown == openings:  # endless if false: it looks for what no longer changes
                return shown
            openings = shown

    def _leads_nowhere(self, relation: Relation, openings: Mapping[str, Opening], sight: Sight) -> bool:
        """Whether no row can ever be at the other end, whatever the claims."""
        owner, to_ones = self._owning(relation)
        if relation.target not in openings:
            return True
        # Each of the two lists that such a link is in is open by its own rules.
        if sight.admin or is_free_link(owner):
            return False
        if owner.name not in openings:
            return True
        rules = list(self._reading(owner, owner.allow, sight.roles))
        return any(self._mask(owner, to_one, rules, sight) == FALSE for to_one in to_ones)

    def custom_fields(self, sight: Sight) -> tuple[CustomField, ...]:
        """The user's own root fields that the roles of `sight` may use."""
        return tuple(
            custom
            for custom in self.model.custom_fields
            if sight.admin or any(not sight.roles.isdisjoint(rule.roles) for rule in custom.allow)
        )

    def roles(self) -> frozenset[str]:
        """Every role that a rule names."""
        return frozenset(role for rule in _all_rules(self.model) for role in rule.roles)

    def claims(self, roles: frozenset[str]) -> frozenset[Claim]:
        """The claims that the rules of these roles and the guards name."""
        found: set[Claim] = set()
        for entity in self.model.entities.values():
            for rules in (entity.allow, *(item.allow for item in _members(entity))):
                for rule in rules:
                    if not roles.isdisjoint(rule.roles):
                        found |= self._named(entity, rule)
            for guard in entity.guards:
                found |= self._named(entity, guard)
        return frozenset(found)

    def _named(self, entity: Entity, rule: AllowRule | GuardRule) -> frozenset[Claim]:
        """The claims of a rule's conditions, before and after."""
        key = (entity.name, Same(rule))
        if key not in self._claims:  # alike if true: a cache
            conditions = (self.condition(entity, rule.where), self.condition(entity, rule.check))
            self._claims[key] = frozenset(claim for condition in conditions for claim in _claims(condition))
        return self._claims[key]

    def claims_of(self, entity: Entity, rule: AllowRule | GuardRule) -> frozenset[Claim]:
        """The claims that one rule of `entity` names, before and after."""
        return self._named(entity, rule)

    def guard_claims(self) -> frozenset[Claim]:
        """The claims that guards name which bind an admin too."""
        return frozenset(
            claim
            for entity in self.model.entities.values()
            for guard in entity.guards
            if guard.binds_admin
            for claim in self._named(entity, guard)
        )

    # --- what a role set's schema shows -----------------------------------------------

    def opening(self, entity: Entity, sight: Sight) -> Opening | None:
        """What of `entity` the roles of `sight` may ever see; None for nothing. Claims count as given."""
        everything = frozenset(_names(entity))
        deletes = sight.admin or self._may(entity, Operation.DELETE, sight.roles)
        creates = self._writable(entity, sight, Operation.CREATE)
        updates = self._writable(entity, sight, Operation.UPDATE)
        if sight.admin:
            unguarded = not self._guards(entity, sight)
            return Opening(everything, unconditional=unguarded, creates=creates, updates=updates, deletes=deletes)
        if is_free_link(entity):
            return self._opening_of_link(entity, everything, sight)
        rules = list(self._reading(entity, entity.allow, sight.roles))
        if not rules:
            return None
        fields: set[str] = set()
        conditional: set[str] = set()
        for name in everything:
            mask = self._mask(entity, name, rules, sight)
            if mask == FALSE:
                continue
            fields.add(name)
            if mask is not None:
                conditional.add(name)
        if not fields:
            return None
        unconditional = not self._guards(entity, sight) and any(rule.predicate == TRUE for rule in rules)
        shown = frozenset(r.name for r in entity.relations if self._shown(r, rules, sight))
        return Opening(frozenset(fields), frozenset(conditional), unconditional, shown, creates, updates, deletes)

    def _opening_of_link(self, link: Entity, everything: frozenset[str], sight: Sight) -> Opening | None:
        """What the roles may see of a link without rules of its own: with the keys that its ends show."""
        fields, conditional = set(everything), set[str]()
        for end in link.relations:
            opening = self.opening(self.model.entity(end.target), sight)
            if opening is None or any(field.name not in opening.fields for field in self._carried(link, end)):
                return None
            for column, key in self.keys_of(link, end):
                if key.name not in opening.fields:
                    fields.discard(column.name)
                elif key.name in opening.conditional:
                    conditional.add(column.name)
        return Opening(frozenset(fields), frozenset(conditional))

    def _carried(self, link: Entity, end: Relation) -> Sequence[Relation]:
        """The many-to-many fields of the rows at one end of a link."""
        return self.model.linking.get((link.name, end.name), ())

    def keys_of(self, link: Entity, end: Relation) -> Iterable[tuple[Column, Column]]:
        """The columns of a link that lead to one end, each with the part of the key there."""
        target = self.model.entity(end.target)
        for ours, theirs in end.on:
            column, key = link.column_by_sql(ours), target.column_by_sql(theirs)
            assert column is not None
            assert key is not None
            yield column, key

    def _may(self, entity: Entity, operation: Operation, roles: frozenset[str]) -> bool:
        """Whether some rule of the roles is for this operation."""
        return any(operation in rule.to and not roles.isdisjoint(rule.roles) for rule in entity.allow)

    def _writable(self, entity: Entity, sight: Sight, operation: Operation) -> frozenset[str] | None:
        """The fields that some rule of the roles lets be written; None without a rule for the operation."""
        if entity.view_sql is not None:
            return None
        possible = writable_fields(entity, admin=sight.admin)
        if sight.admin:
            return possible
        rules = list(self._allowing(entity, entity.allow, sight.roles, operation))
        if not rules:
            return None
        found: set[str] = set()
        for name in possible:
            member = _member(entity, name)
            if member.allow:
                held = any(True for _ in self._allowing(entity, member.allow, sight.roles, operation))
            # alike without `isinstance(member, Column)`: a relation is no part of a key
            elif isinstance(member, Column) and is_generated_key(entity, member):
                held = any(rule.fields is not None and name in rule.fields for rule in rules)
            else:
                held = any(_holds(rule.fields, member) for rule in rules)
            if held:
                found.add(name)
        return frozenset(found)

    def _shown(self, relation: Relation, rules: list[_Rule], sight: Sight) -> bool:
        """Whether each rule that opens a row holds only where the to-one's row is open too, by the same condition."""
        target = self.model.entity(relation.target)
        # alike without `is_free_link(target)`: a generated link has no rule to be the same as
        if relation.to_many or is_free_link(target) or self._guards(target, sight):
            return False
        theirs = [rule.predicate for rule in self._reading(target, target.allow, sight.roles)]
        return bool(rules) and all(  # alike without `bool(rules)`: without rules there is no opening
            any(
                isinstance(item, Exists) and item.relation == relation and item.rows.where in theirs
                for item in (rule.predicate.items if isinstance(rule.predicate, AllOf) else (rule.predicate,))
            )
            for rule in rules
        )

    # --- what a viewer sees -----------------------------------------------------------

    def visible(self, entity: Entity, sight: Sight, deleted: str | None = None) -> Visible:
        """The masked rows of `entity`: THE primitive, which every read of every feature starts from.

        Args:
            deleted: INCLUDE for the deleted rows too on which the viewer holds DELETE, ONLY for these alone.
        """
        return self._seen(entity, sight, deleted, ())

    def across(self, relation: Relation, sight: Sight, deleted: str | None = None) -> tuple[Visible, Visible | None]:
        """The masked rows at the other end of a relation: where `visible` starts a read, this is how it goes on.

        Rows that have a to-one back are there only where that is open to the viewer: the to-many tells what it tells.

        Args:
            deleted: as for `visible`.

        Returns:
            The rows, and those of a many-to-many's link; None for another relation.
        """
        target = self.model.entity(relation.target)
        owner, to_ones = self._owning(relation)
        if relation.through is None:
            return self._seen(target, sight, deleted, to_ones), None
        # The relation looks at both ends itself, and is open by its own rules, whatever those of the list back.
        link = unmasked(owner) if is_free_link(owner) else self._seen(owner, sight, None, to_ones)
        return self._seen(target, sight, deleted, ()), link

    def telling(self, relation: Relation) -> tuple[Relation, ...]:
        """The to-ones that say whose the rows at the other end are: a row is there where they are open."""
        owner, names = self._owning(relation)
        return () if is_free_link(owner) else tuple(one for one in owner.relations if one.name in names)

    def carried(self, link: Entity) -> tuple[Relation, ...]:
        """The many-to-many fields that a link without rules of its own follows."""
        return tuple(field for end in link.relations for field in self._carried(link, end))

    def _owning(self, relation: Relation) -> tuple[Entity, tuple[str, ...]]:
        """The entity whose rows say who belongs to whom, and its to-ones that say it and are not the relation."""
        if relation.through is None:
            return self.model.entity(relation.target), () if relation.inverse is None else (relation.inverse,)
        link = self.model.entity(relation.through.entity)
        near = frozenset((column, ours) for ours, column in relation.through.local)
        ends = (near, frozenset(relation.through.remote))
        return link, tuple(r.name for r in link.relations if r.kind is RelationKind.TO_ONE and frozenset(r.on) in ends)

    def _seen(self, entity: Entity, sight: Sight, deleted: str | None, to_ones: tuple[str, ...]) -> Visible:
        key = (entity.name, sight, deleted, to_ones)
        found = self._visible.get(key)
        if found is None:  # alike if true: a cache
            if len(self._visible) >= 4096:  # alike if true or false: the bound of a cache
                self._visible.clear()
            found = self._visible[key] = self._see(entity, sight, deleted, to_ones)
        return found

    def held(self, entity: Entity, sight: Sight, operation: Operation) -> Visible:
        """The rows of `entity` that a client's key may name for `operation`.

        They are visible, their key is open, and some rule, and every guard, admits the operation.
        """
        visible = self.visible(entity, sight)
        asked = [visible.where, *(visible.masks[name] for name in entity.primary_key if name in visible.masks)]
        if operation is not Operation.READ:
            asked.append(self._admitting(entity, sight, operation))
        return replace(visible, where=conjunction(asked))

    def _admitting(self, entity: Entity, sight: Sight, operation: Operation) -> Predicate:
        """What holds of the rows on which some rule, and every guard, admits `operation`."""
        guards = self._guards(entity, sight, operation)
        if sight.admin:
            return conjunction(guards)
        rules = self._allowing(entity, entity.allow, sight.roles, operation)
        return conjunction([*guards, disjunction([rule.predicate for rule in rules if rule.is_usable(sight)])])

    def permits(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """What the rules say of writing rows of `entity`: CREATE, UPDATE or DELETE."""
        key = (entity.name, sight, operation)
        found = self._permits.get(key)
        if found is None:  # alike if true: a cache
            if len(self._permits) >= 4096:  # alike if true or false: the bound of a cache
                self._permits.clear()
            found = self._permits[key] = self._permitted(entity, sight, operation)
        return found

    def guarding(self, entity: Entity, sight: Sight, operation: Operation) -> Permits:
        """Return the guards alone: they bind rows that a write of another row changes along, too."""
        key = (entity.name, sight, operation)
        found = self._guarding.get(key)
        if found is None:  # alike if true: a cache
            if len(self._guarding) >= 4096:  # alike if true or false: the bound of a cache
                self._guarding.clear()
            guards = self._guarding_permits(entity, sight, operation)
            found = self._guarding[key] = Permits((Permit(TRUE, TRUE),), {}, guards, operation)
        return found

    def every_row(self, entity: Entity) -> Visible:
        """All rows, deleted and hidden ones too: only for guards, which bind whatever the viewer sees."""
        if entity.name not in self._all:  # alike if true: a cache
            self._all[entity.name] = Visible(entity)
        return self._all[entity.name]

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
            everything = frozenset(member.name for member in _members(entity))
            return Permits((Permit(TRUE, TRUE, everything),), {}, guards, operation)

        def permitting(rules: Iterable[AllowRule]) -> tuple[Permit, ...]:
            return tuple(
                self._permit(entity, rule, rule.fields)
                for rule in rules
                if operation in rule.to and not sight.roles.isdisjoint(rule.roles) and self._usable(entity, rule, sight)
            )

        own = {member.name: permitting(member.allow) for member in _members(entity) if member.allow}
        # What the server fills no rule lets be set, not even by connecting the row to another from there.
        own |= {column.name: () for column in entity.columns if column.preset is not None}
        return Permits(permitting(entity.allow), own, guards, operation)

    def _permit(self, entity: Entity, rule: AllowRule | GuardRule, fields: frozenset[str] | None) -> Permit:
        before = self.condition(entity, rule.where)
        return Permit(before, before if rule.check is None else self.condition(entity, rule.check), fields, rule)

    def _usable(self, entity: Entity, rule: AllowRule | GuardRule, sight: Sight) -> bool:
        return self._compiled(entity, rule).is_usable(sight)

    def _see(self, entity: Entity, sight: Sight, deleted: str | None, to_ones: tuple[str, ...]) -> Visible:
        guards = self._guards(entity, sight)
        present = self._present(entity, sight, deleted)
        with_deleted = deleted is not None and entity.soft_delete is not None
        if sight.admin:
            return Visible(entity, conjunction([present, *guards]), deleted=with_deleted)
        if is_free_link(entity):
            return self._see_link(entity, guards, sight)
        rules = [rule for rule in self._reading(entity, entity.allow, sight.roles) if rule.is_usable(sight)]
        masks: dict[str, Predicate] = {}
        for name in _names(entity):
            mask = self._mask(entity, name, rules, sight, only_usable=True)
            if mask is not None:  # alike if true: None among the masks is no mask
                masks[name] = mask
        limits = [rule.limit for rule in rules]
        # alike if `limit is not None` is true: none is None there
        page = None if None in limits or not limits else max(limit for limit in limits if limit is not None)
        opened = [self._mask(entity, name, rules, sight, only_usable=True) for name in to_ones]
        masking = [mask for mask in opened if mask is not None]
        # The rules come last: `clew.access.implied` takes each by itself.
        where = conjunction([present, *guards, *masking, disjunction([rule.predicate for rule in rules])])
        return Visible(entity, where, page, masks, with_deleted)

    def _see_link(self, link: Entity, guards: Iterable[Predicate], sight: Sight) -> Visible:
        """The rows of a link without rules of its own.

        A row is there where both ends are, and where every many-to-many field that it carries is open on its end. It
        shows the keys that its ends show.
        """
        asked = [*guards]
        masks: dict[str, Predicate] = {}
        for end in link.relations:
            rows = self.visible(self.model.entity(end.target), sight)
            carried = (_when_open(rows, field) for field in self._carried(link, end))
            asked.append(_at_end(end, rows, [mask for mask in carried if mask is not None]))
            for column, key in self.keys_of(link, end):
                mask = _when_open(rows, key)
                if mask is not None:
                    masks[column.name] = _at_end(end, rows, [mask])
        return Visible(link, conjunction(asked), masks=masks)

    def _present(self, entity: Entity, sight: Sight, deleted: str | None) -> Predicate:
        """What holds of the rows that are not deleted, or of those too on which the viewer holds DELETE."""
        column = entity.soft_delete
        if column is None or deleted is None:
            return _present(entity)
        admitting = self._admitting(entity, sight, Operation.DELETE)
        if deleted == "ONLY":
            return conjunction([IsNull(column, negated=True), admitting])
        return disjunction([_present(entity), admitting])

    def _guards(self, entity: Entity, sight: Sight, operation: Operation = Operation.READ) -> list[Predicate]:
        found: list[Predicate] = []
        for guard in entity.guards:
            if operation in guard.to and (guard.binds_admin or not sight.admin):
                rule = self._compiled(entity, guard)
                # A guard cannot be dropped: a rule AND-ed to what a missing claim decides is dropped whole.
                found.append(rule.predicate if rule.is_usable(sight) else FALSE)
        return found

    def _mask(
        self, entity: Entity, name: str, rules: list[_Rule], sight: Sight, *, only_usable: bool = False
    ) -> Predicate | None:
        """When a field of a visible row is open: None for always, FALSE for never."""
        member = _member(entity, name)
        if member.allow:
            own = list(self._reading(entity, member.allow, sight.roles))
            if only_usable:
                own = [rule for rule in own if rule.is_usable(sight)]
        else:
            own = [rule for rule in rules if _holds(rule.fields, member)]
            if rules and len(own) == len(rules):
                return None
        if any(rule.predicate == TRUE for rule in own):
            return None
        return disjunction([rule.predicate for rule in own])

    # --- compiling --------------------------------------------------------------------

    def _reading(self, entity: Entity, rules: Iterable[AllowRule], roles: frozenset[str]) -> Iterable[_Rule]:
        return self._allowing(entity, rules, roles, Operation.READ)

    def _allowing(
        self, entity: Entity, rules: Iterable[AllowRule], roles: frozenset[str], operation: Operation
    ) -> Iterable[_Rule]:
        for rule in rules:
            if operation in rule.to and not roles.isdisjoint(rule.roles):
                yield self._compiled(entity, rule)

    def _compiled(self, entity: Entity, rule: AllowRule | GuardRule) -> _Rule:
        key = (entity.name, Same(rule))
        if key not in self._rules:  # alike if true: a cache
            fields, limit = (rule.fields, rule.limit) if isinstance(rule, AllowRule) else (None, None)
            self._rules[key] = _Rule(self.condition(entity, rule.where), self._named(entity, rule), fields, limit)
        return self._rules[key]

    def condition(self, entity: Entity, where: Any) -> Predicate:
        """A rule's filter object as a predicate over the unmasked database.

        Args:
            entity: whose rows it is about; also what `$row` stands for.
            where: as the model holds it: checked, with `{is: name}`, `"$auth.x"` and the like in it.
        """
        return TRUE if where is None else self._filter(entity, where, entity)

    def _filter(self, entity: Entity, where: Mapping[str, Any], ruled: Entity) -> Predicate:
        items: list[Predicate] = []
        for name, value in where.items():
            if name in ("and", "or"):
                values = value if isinstance(value, list) else [value]
                parts = [self._filter(entity, item, ruled) for item in values]
                items.append(conjunction(parts) if name == "and" else disjunction(parts))
            elif name == "not":
                items.append(Not(self._filter(entity, value, ruled)))
            elif name == "is":
                items.append(self._filter(entity, entity.predicates[value], ruled))
            elif (column := entity.column(name)) is not None:
                items.extend(self._conditions(column, value, ruled))
            elif (many := entity.many(name)) is not None and many[1] is FieldKind.AGGREGATE:
                items.append(self._aggregated(many[0], value, ruled))
            else:
                relation = entity.relation(name)
                assert relation is not None, f"{entity.name}.{name}"
                items.extend(self._related(relation, value, ruled))
        return conjunction(items)

    def _aggregated(self, relation: Relation, where: Mapping[str, Any], ruled: Entity) -> Predicate:
        target = self.model.entity(relation.target)
        conditions: list[tuple[Measure, str, Operand]] = []
        for function, given in where.items():
            if function == "where":
                continue
            columns = {"count": given} if function == "count" else given
            for name, value in columns.items():
                measure = Measure(function, None if function == "count" else target.column(name))
                for operator, operand_ in _operators(value).items():
                    source = _source(operand_, operand_type(measure.type, operator), ruled)
                    conditions.append(
                        (measure, operator, operand(measure.type, operator, source, f"{name}.{operator}"))
                    )
        inner = self._filter(target, where.get("where", {}), ruled)
        link = None if relation.through is None else unmasked(self.model.entity(relation.through.entity))
        return Aggregated(relation, Rows(unmasked(target), inner), tuple(conditions), link)

    def _related(self, relation: Relation, where: Mapping[str, Any], ruled: Entity) -> Iterable[Predicate]:
        target = self.model.entity(relation.target)
        rows = unmasked(target)
        link = None if relation.through is None else unmasked(self.model.entity(relation.through.entity))
        if not relation.to_many:
            yield Exists(relation, Rows(rows, self._filter(target, where, ruled)), link)
            return
        for quantifier, value in where.items():
            inner = self._filter(target, value, ruled)
            yield quantified(quantifier, relation, rows, inner, link)

    def _conditions(self, column: Column, value: Any, ruled: Entity) -> Iterable[Predicate]:
        for operator, operand_ in _operators(value).items():
            source = _source(operand_, operand_type(column.type, operator), ruled)
            yield comparison(column, operator, source, f"{column.name}.{operator}")


def _operators(value: Any) -> Mapping[str, Any]:
    """A bare value means `eq`."""
    return value if isinstance(value, Mapping) else {"eq": value}


def _holds(fields: frozenset[str] | None, member: Any) -> bool:
    """Whether a rule for `fields` is about the member; a to-one opens its key too."""
    return fields is None or member.name in fields or (isinstance(member, Column) and member.relation in fields)


def _source(value: Any, type_: ValueType, ruled: Entity) -> Claim | Now | Ruled | Constant:
    if isinstance(value, str):
        head, *path = value.split(".")
        if value == "$now":
            return Now()
        if head == "$auth":
            return Claim(tuple(path), type_)
        if head == "$row":
            return Ruled(tuple(path), ruled)
    return Constant(value if isinstance(value, list) or not type_.is_list else [value])


def unmasked(entity: Entity) -> Visible:
    """The rows as rules read them: all that are not deleted."""
    return Visible(entity, _present(entity))


def _at_end(end: Relation, rows: Visible, also: Sequence[Predicate]) -> Predicate:
    """Whether one of the rows, of which `also` holds too, is at an end of a link."""
    where = conjunction([*also, rows.where])
    return FALSE if where == FALSE else Exists(end, Rows(replace(rows, where=where)))


def _when_open(rows: Visible, member: Column | Relation) -> Predicate | None:
    """When a field of the rows is open: None for always."""
    return FALSE if member.hidden else rows.masks.get(member.name)


def _present(entity: Entity) -> Predicate:
    column = entity.soft_delete
    return TRUE if column is None else IsNull(column, negated=False)


def _claims(predicate: Predicate) -> Iterable[Claim]:
    match predicate:
        case Compare(operand=operand):
            if isinstance(operand.source, Claim):
                yield operand.source
        case AllOf(items) | AnyOf(items):
            for item in items:
                yield from _claims(item)
        case Not(item) | IsTrue(item):
            yield from _claims(item)
        case Exists(rows=rows):
            yield from _claims(rows.where)
        case Aggregated(rows=rows, conditions=conditions):
            yield from _claims(rows.where)
            yield from (o.source for _, _, o in conditions if isinstance(o.source, Claim))


def _names(entity: Entity) -> Iterable[str]:
    """The API names of the fields that are not hidden."""
    return (member.name for member in _members(entity) if not getattr(member, "hidden", False))


def _members(entity: Entity) -> Iterable[Any]:
    return (*entity.columns, *entity.relations, *entity.resolvers)


def _member(entity: Entity, name: str) -> Any:
    return entity.column(name) or entity.relation(name) or entity.resolver(name)


def _all_rules(model: Model) -> Iterable[AllowRule]:
    for entity in model.entities.values():
        yield from entity.allow
        for member in _members(entity):
            yield from member.allow
    for custom in model.custom_fields:
        yield from custom.allow
