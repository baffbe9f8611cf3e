"""Which access rules counted for an operation and a viewer, and why the others did not."""

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
from clew.model.types import AllowRule, Column, Entity, GuardRule, Operation, Relation, ResolverField
from clew.model.writing import is_free_link
from clew.plan import types as plan_types
from clew.plan import write as write_plans
from clew.plan.types import ReadPlan, Required
from clew.sql.arguments import claim_fault
from clew.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule about something that an operation touches.

    `about` is an entity or a field (`User`, `User.email`), of a write with the operation (`User UPDATE`). `rule` is
    what the rule says, `at` its file and line, and `why` it applies to the viewer or does not.
    """

    about: str
    rule: str
    at: str
    applies: bool
    why: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A field that the operation touches and visible rows may hide: null (a list empty) unless one of the rules holds.

    `opened_by` are the rules' files and lines; without any it is hidden on every row.
    """

    field: str
    opened_by: tuple[str, ...]


@dataclass
class _Touched:
    """What of the model a plan touches: entities by name, columns and relations by identity.

    `deleted` are the names of those whose deleted rows are asked for. `masked` are the columns and relations that the
    plan reads through a mask; `required` are the masks of resolvers.
    """

    access: Access
    entities: dict[str, Entity] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    members: set[int] = field(default_factory=set)
    masked: set[int] = field(default_factory=set)
    required: list[Predicate] = field(default_factory=list)


def report_rules(access: Access, plan: ReadPlan, sight: Sight, viewer: Viewer) -> tuple[list[Judgement], list[Masked]]:
    """The rules about what a plan touches, and the fields in it that rules mask.

    Args:
        plan: made by `access` for `sight`.
        sight: of the viewer.
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
    """Note what is in a plan; not what is in its masks and visible rows, which are the rules themselves."""
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
        # The columns that it requires are fetched whatever their rules say.
        if node.mask is not None:
            touched.required.append(node.mask)
    elif is_part_of_plan(node):
        values = {part.name: getattr(node, part.name) for part in fields(node)}
        if "mask" in values or "masks" in values:
            # `masks` are those of the steps of a path.
            is_masked = any(mask is not None for mask in (values.pop("mask", None), *values.pop("masks", ())))
        for value in values.values():
            _walk(value, touched, is_masked)


def is_part_of_plan(value: object) -> bool:
    """Return whether the value is one of the dataclasses that plans consist of."""
    modules = (access_types.__name__, plan_types.__name__, write_plans.__name__)
    return is_dataclass(value) and type(value).__module__ in modules


def _walk_rows(rows: Visible, touched: _Touched) -> None:
    """Note whose rows they are; a link that Clew made has the rules of its ends, where it is read by itself."""
    touched.entities[rows.entity.name] = rows.entity
    if rows.deleted:
        touched.deleted.add(rows.entity.name)
    if is_free_link(rows.entity) and rows != unmasked(rows.entity):
        model = touched.access.model
        touched.entities.update((end.target, model.entity(end.target)) for end in rows.entity.relations)
        _open_elsewhere(many_to_manys_over(touched.access.model, rows.entity), touched)


def _open_elsewhere(relations: Iterable[Relation], touched: _Touched) -> None:
    """Note relations that must be open for a row to be there, though the operation does not name them."""
    for relation in relations:
        touched.members.add(id(relation))
        touched.masked.add(id(relation))


def rules_of(
    access: Access, entity: Entity, asked: Set[Operation], sight: Sight, viewer: Viewer
) -> Iterator[tuple[AllowRule | GuardRule, Judgement]]:
    """The rules and guards of an entity for some operations, without those of its fields."""
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
    """The rules of those of an entity's `fields` that have rules of their own, for an operation."""
    if not sight.admin:
        for member in (member for member in members(entity) if member.name in fields):
            about = _about(f"{entity.name}.{member.name}", asked)
            yield from _of_allows(access, entity, about, member.allow, asked, sight, viewer)


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
    """What is wrong with the claims that a rule names."""
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
    """The field whose rules open another, with its entity: of a key in a link that Clew made, that of the row there."""
    if is_free_link(entity):
        for end in entity.relations:
            for column, key in keys_of(access.model, entity, end):
                if column is member:
                    return access.model.entity(end.target), key
    return entity, member


def _openers(entity: Entity, member: Column | Relation | ResolverField) -> list[AllowRule]:
    """The READ rules that open a field of visible rows: its own, else those of the type that hold it."""
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
    """A rule's file and line."""
    return f"{location.file}:{location.line}" if location is not None else "?"
