"""Report which access rules applied to an operation of a viewer, and why the others did not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from clew.access import types as access_types
from clew.access.conditions import unmasked
from clew.access.link_paths import keys_of, many_to_manys_over, to_ones_back
from clew.access.sight import Sight
from clew.access.types import Predicate, Visible
from clew.access.visible import Access
from clew.errors import Location
from clew.model.rule_text import allow_text, guard_text, members
from clew.model.types import AllowRule, Column, CustomField, Entity, GuardRule, Operation, Relation, ResolverField
from clew.model.writing import is_free_link
from clew.plan import types as plan_types
from clew.plan import write as write_plans
from clew.plan.types import ReadPlan, Required
from clew.sql.arguments import claim_fault
from clew.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one rule for an entity or field that an operation touches.

    `about` is the entity or field (`User`, `User.email`); for a write the operation follows (`User UPDATE`). `rule` is
    the text of the rule, `at` its file and line. `why` tells the reason why it applies to the viewer, or does not.
    """

    about: str
    rule: str
    at: str
    applies: bool
    why: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A field that the operation touches and that may be masked on a visible row: null, or an empty list.

    The field is open on a row if one of the rules in `opened_by` holds; these are files and lines. If `opened_by` is
    empty, the field is masked on every row.
    """

    field: str
    opened_by: tuple[str, ...]


@dataclass
class _Touched:
    """The parts of the model that a plan touches: entities by name, columns and relations by identity.

    `deleted` names the entities whose deleted rows the plan reads. `masked` are the columns and relations that the
    plan reads through a mask. `required` are the masks of resolvers.
    """

    access: Access
    entities: dict[str, Entity] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    members: set[int] = field(default_factory=set)
    masked: set[int] = field(default_factory=set)
    required: list[Predicate] = field(default_factory=list)


def report_rules(access: Access, plan: ReadPlan, sight: Sight, viewer: Viewer) -> tuple[list[Judgement], list[Masked]]:
    """Return the rules for everything that a plan touches, and the fields in it that rules mask.

    Args:
        plan: a plan that `access` made for `sight`.
        sight: the viewer's sight.
    """
    touched = _Touched(access)
    _walk(plan, touched)
    judgements: list[Judgement] = []
    masked: list[Masked] = []
    for entity in touched.entities.values():
        asked = {Operation.READ, Operation.DELETE} if entity.name in touched.deleted else {Operation.READ}
        judgements += (judgement for _, judgement in rules_of(access, entity, asked, sight, viewer))
        hidden = access.visible(entity, sight).masks
        for member in members(entity):
            mask = hidden.get(member.name)
            if isinstance(member, ResolverField):
                is_touched = is_masked = mask is not None and mask in touched.required
            else:
                is_touched, is_masked = id(member) in touched.members, id(member) in touched.masked
            if not is_touched or sight.admin:
                continue
            about = f"{entity.name}.{member.name}"
            allowing = _of_allows(access, entity, about, member.allow, {Operation.READ}, sight, viewer)
            judgements += (judgement for _, judgement in allowing)
            if mask is not None and is_masked:
                whose, opening = _opening(access, entity, member)
                opened_by = [
                    place_of(rule.location)
                    for rule in _openers(whose, opening)
                    if _why_not(access, whose, rule, sight, viewer) is None
                ]
                masked.append(Masked(about, tuple(opened_by)))
    return judgements, masked


def _walk(node: Any, touched: _Touched, is_masked: bool = False) -> None:
    """Note the parts of a plan. Leave out its masks and its conditions for visible rows: these are the rules."""
    if isinstance(node, Visible):
        _walk_rows(node, touched)
    elif isinstance(node, Column | Relation):
        touched.members.add(id(node))
        if is_masked:
            touched.masked.add(id(node))
        if isinstance(node, Relation):
            _open_elsewhere(to_ones_back(touched.access.model, node), touched)
    elif isinstance(node, tuple):
        for item in node:
            _walk(item, touched, is_masked)
    elif isinstance(node, Required):
        # A resolver gets the columns that it requires, whatever their rules say.
        if node.mask is not None:
            touched.required.append(node.mask)
    elif is_part_of_plan(node):
        values = {part.name: getattr(node, part.name) for part in fields(node)}
        if "mask" in values or "masks" in values:
            # `masks` holds the masks of the steps of a path.
            is_masked = any(mask is not None for mask in (values.pop("mask", None), *values.pop("masks", ())))
        for value in values.values():
            _walk(value, touched, is_masked)


def is_part_of_plan(value: object) -> bool:
    """Return whether a value is one of the dataclasses that make up plans."""
    modules = (access_types.__name__, plan_types.__name__, write_plans.__name__)
    return is_dataclass(value) and type(value).__module__ in modules


def _walk_rows(rows: Visible, touched: _Touched) -> None:
    """Note the entity of the rows. If a generated link is read by itself, note its ends: their rules apply to it."""
    touched.entities[rows.entity.name] = rows.entity
    if rows.deleted:
        touched.deleted.add(rows.entity.name)
    if is_free_link(rows.entity) and rows != unmasked(rows.entity):
        model = touched.access.model
        touched.entities.update((end.target, model.entity(end.target)) for end in rows.entity.relations)
        _open_elsewhere(many_to_manys_over(touched.access.model, rows.entity), touched)


def _open_elsewhere(relations: Iterable[Relation], touched: _Touched) -> None:
    """Note relations that the operation does not name, but that must be open for a row to be visible."""
    for relation in relations:
        touched.members.add(id(relation))
        touched.masked.add(id(relation))


def rules_of(
    access: Access, entity: Entity, asked: Set[Operation], sight: Sight, viewer: Viewer
) -> Iterator[tuple[AllowRule | GuardRule, Judgement]]:
    """Yield the rules and guards of an entity for some operations, without the rules of its fields."""
    about = _about(entity.name, asked)
    if not sight.admin:
        yield from _of_allows(access, entity, about, entity.allow, asked, sight, viewer)
    for guard in entity.guards:
        if not asked.isdisjoint(guard.to):
            applies = guard.binds_admin or not sight.admin
            fault = _fault(access, entity, guard, sight, viewer) if applies else None
            why = "it binds every role" if applies else "it binds no admin"
            if fault is not None:
                if Operation.READ in asked:
                    why = f"{fault}: no {'' if Operation.READ in guard.to else 'deleted '}row is visible"
                else:
                    why = f"{fault}: no row may be written"
            text = f"@guard {guard_text(access.model, entity, guard)}"
            yield guard, Judgement(about, text, place_of(guard.location), applies, why)


def rules_of_fields(
    access: Access, entity: Entity, asked: Set[Operation], sight: Sight, viewer: Viewer, fields: Collection[str]
) -> Iterator[tuple[AllowRule, Judgement]]:
    """Yield the rules that are declared on `fields` of an entity, for an operation."""
    if not sight.admin:
        for member in (member for member in members(entity) if member.name in fields):
            about = _about(f"{entity.name}.{member.name}", asked)
            yield from _of_allows(access, entity, about, member.allow, asked, sight, viewer)


def rules_of_asked(
    access: Access, asked: Iterable[tuple[Entity, Operation]], sight: Sight, viewer: Viewer
) -> Iterator[Judgement]:
    """Yield the rules of entities for operations of a mutation, and those of their fields for what it writes."""
    for entity, operation in asked:
        given = (access, entity, {operation}, sight, viewer)
        yield from (judgement for _, judgement in rules_of(*given))
        if operation is not Operation.READ:
            # READ rules on fields mask the fields. They do not hide rows.
            names = [member.name for member in members(entity)]
            yield from (judgement for _, judgement in rules_of_fields(*given, names))


def rules_of_custom(custom: CustomField, sight: Sight) -> Iterator[Judgement]:
    """Yield the rules that say who may use a root field of the application. An admin may use all."""
    for rule in () if sight.admin else custom.allow:
        held = [role for role in rule.roles if role in sight.roles]
        why = _named(held or rule.roles, *(("is held", "are held") if held else ("is not held", "are not held")))
        text = f"@allow(role: {_listed(rule.roles)})"
        yield Judgement(f"{custom.parent}.{custom.name}", text, place_of(rule.location), bool(held), why)


def _about(name: str, asked: Set[Operation]) -> str:
    return name if Operation.READ in asked else f"{name} {', '.join(sorted(asked))}"


def _of_allows(
    access: Access,
    entity: Entity,
    about: str,
    rules: tuple[AllowRule, ...],
    asked: Set[Operation],
    sight: Sight,
    viewer: Viewer,
) -> Iterator[tuple[AllowRule, Judgement]]:
    for rule in rules:
        if not asked.isdisjoint(rule.to):
            why_not = _why_not(access, entity, rule, sight, viewer)
            why = why_not or _named([role for role in rule.roles if role in sight.roles], "is held", "are held")
            text = f"@allow(role: {_listed(rule.roles)}) {allow_text(access.model, entity, rule)}"
            yield rule, Judgement(about, text, place_of(rule.location), why_not is None, why)


def _why_not(access: Access, entity: Entity, rule: AllowRule, sight: Sight, viewer: Viewer) -> str | None:
    if sight.roles.isdisjoint(rule.roles):
        return _named(rule.roles, "is not held", "are not held")
    return _fault(access, entity, rule, sight, viewer)


def _fault(access: Access, entity: Entity, rule: AllowRule | GuardRule, sight: Sight, viewer: Viewer) -> str | None:
    """Return what is wrong with the claims that a rule names; None if they are usable."""
    given = {name: value for name, value in viewer.claims.items() if name != "sub" or viewer.id is None}
    if viewer.id is not None:
        given["sub"] = viewer.id
    faults = {
        f"claim {'.'.join(claim.path)} {claim_fault(claim, given) or 'is not a text'}"
        for claim in access.rules.claims_of(entity, rule) - sight.usable
    }
    return ", ".join(sorted(faults)) or None


def _opening(
    access: Access, entity: Entity, member: Column | Relation | ResolverField
) -> tuple[Entity, Column | Relation | ResolverField]:
    """Return the field whose rules open `member`, with its entity.

    For a key in a generated link, that is the key field of the row at that end. For any other field, it is `member`.
    """
    if is_free_link(entity):
        for end in entity.relations:
            for column, key in keys_of(access.model, entity, end):
                if column is member:
                    return access.model.entity(end.target), key
    return entity, member


def _openers(entity: Entity, member: Column | Relation | ResolverField) -> list[AllowRule]:
    """Return the READ rules that open a field on visible rows: its own, or else the type's rules that include it."""
    names = {member.name, member.relation} if isinstance(member, Column) else {member.name}
    return [
        rule
        for rule in member.allow or entity.allow
        if Operation.READ in rule.to and (member.allow or rule.fields is None or not rule.fields.isdisjoint(names))
    ]


def _listed(roles: Sequence[str]) -> str:
    return roles[0] if len(roles) == 1 else f"[{', '.join(roles)}]"


def _named(roles: Sequence[str], one: str, several: str) -> str:
    return f"role {roles[0]} {one}" if len(roles) == 1 else f"roles {', '.join(roles)} {several}"


def place_of(location: Location | None) -> str:
    """Return the file and line of a rule."""
    return f"{location.file}:{location.line}" if location is not None else "?"
