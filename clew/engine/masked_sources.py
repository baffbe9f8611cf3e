"""Warn, in `clew check`, of computed fields, views and checks that tell a role of values which are masked for it.

By design computed fields and views show their sources (docs/access.md, "Computed fields and views"), and a check over
several columns tells a writer of one how it compares with the others. The columns are found by their names in the SQL.
So a warning may name a column that the SQL does not read, if it shares the name of one that it does read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphql import Source

from clew.access.sight import Sight
from clew.access.types import AllOf, AnyOf, Predicate
from clew.access.visible import Access
from clew.errors import Diagnostic, Location
from clew.model.types import Check, Column, Entity, Model, Opening, Operation
from clew.schema.roles import roles_of
from clew.sdl.report import Report
from clew.sql.views import read_by
from clew.sql.words import identifiers
from clew.viewer import ADMIN, ANON, USER, Viewer

_HINT_OF_CHECK = (
    "whoever writes the one finds out the other by trying; let the role see it, or do not let it UPDATE the one"
)
_HINT = "by design it shows what it is made of; give it rules as strict as those of its sources, if that is not meant"


@dataclass(frozen=True, slots=True)
class _Role:
    """A role, and the fields that its holders may see."""

    name: str
    sight: Sight
    openings: dict[str, Opening]


def warnings(model: Model, sources: Sequence[Source]) -> tuple[Diagnostic, ...]:
    """Return a warning for each computed field, view and check that tells a role of masked values, in file order.

    Args:
        sources: the files of the SDL. Warnings quote their lines.
    """
    access = Access(model)
    known = access.rules.roles()
    roles = []
    for name in sorted((known | {ANON, USER}) - {ADMIN}):
        sight = roles_of(Viewer.seen_as([name]), known)
        opened = access.openings(sight)
        roles.append(
            _Role(name, Sight(admin=False, roles=sight.roles, usable=access.rules.claims(sight.roles)), opened)
        )
    texts = {source.name: source for source in sources}
    report = Report([source.name for source in sources])
    for entity in model.entities.values():
        if entity.is_job:
            # Its fields show what is hidden in it, by design.
            continue
        for check, own in _checks(entity):
            names = identifiers(check.sql or "")
            columns = [column for column in entity.columns if column is own or column.column in names]
            for written in columns:
                compared = {role.name: _compared(access, entity, written, columns, role) for role in roles}
                subject = f'the check "{check.sql}", by writes of "{entity.name}.{written.name}",'
                _warn(report, texts, check.location, subject, compared, _HINT_OF_CHECK)
        for column in entity.columns:
            if column.computed is not None:
                made_of = _own_sources(entity, column)
                found = {role.name: _masked_for(access, entity, column, made_of, role) for role in roles}
                _warn(report, texts, column.location, f'the computed field "{entity.name}.{column.name}"', found)
        if entity.view_sql is not None:
            read = _sources_of_view(entity, model)
            found = {role.name: _closed_to(entity, read, role) for role in roles}
            _warn(report, texts, entity.location, f'the view "{entity.name}"', found)
    return report.diagnostics


def _warn(
    report: Report,
    texts: dict[str, Source],
    location: Location | None,
    subject: str,
    found: dict[str, tuple[str, ...]],
    hint: str = _HINT,
) -> None:
    """Add one warning for all roles that have the same masked sources."""
    by_sources: dict[tuple[str, ...], list[str]] = {}
    for role, names in found.items():
        if names:
            by_sources.setdefault(names, []).append(role)
    for names, roles in by_sources.items():
        assert location is not None, subject
        whom = f"the role{'s' if len(roles) > 1 else ''} {', '.join(roles)}"
        message = f"{subject} shows {whom} what the rules mask: {', '.join(names)}"
        report.warning_at(texts[location.file], location.line, location.column, message, hint)


def _checks(entity: Entity) -> Iterator[tuple[Check, Column | None]]:
    """Yield the checks over a row in SQL, with the column that has one."""
    yield from ((check, None) for check in entity.checks)
    yield from ((check, column) for column in entity.columns for check in column.checks)


def _compared(
    access: Access, entity: Entity, written: Column, columns: Iterable[Column], role: _Role
) -> tuple[str, ...]:
    """Return the columns that are masked for the role on some row where it may change a column."""
    opening = role.openings.get(entity.name)
    name = next((name for name in (written.name, written.relation) if name in _updates(opening)), None)
    if opening is None or name is None:
        return ()
    masks = access.visible(entity, role.sight).masks
    permits = access.permits(entity, role.sight, Operation.UPDATE).holding(entity, name)
    return tuple(
        f"{entity.name}.{column.name}"
        for column in columns
        if column is not written
        and (
            column.name not in opening.fields
            or (
                column.name in opening.conditional
                and not all(_proves(permit.before, masks.get(column.name)) for permit in permits)
            )
        )
    )


def _updates(opening: Opening | None) -> frozenset[str]:
    return opening.updates or frozenset() if opening is not None else frozenset()


def _proves(condition: Predicate, mask: Predicate | None) -> bool:
    """Return whether a condition, or one of its parts that all hold, implies a mask."""
    parts = condition.items if isinstance(condition, AllOf) else ()
    return any(_implies(part, mask) for part in (condition, *parts))


def _own_sources(entity: Entity, column: Column) -> list[Column]:
    """Return the columns that a computed field names."""
    assert column.computed is not None
    names = identifiers(column.computed.sql)
    return [source for source in entity.columns if source is not column and source.column in names]


def _masked_for(
    access: Access, entity: Entity, column: Column, made_of: Iterable[Column], role: _Role
) -> tuple[str, ...]:
    """Return the sources that are masked for the role on some row where the computed field is open."""
    opening = role.openings.get(entity.name)
    if opening is None or column.name not in opening.fields:
        return ()
    masks = access.visible(entity, role.sight).masks
    own = masks.get(column.name)
    return tuple(
        f"{entity.name}.{source.name}"
        for source in made_of
        if source.name not in opening.fields
        or (source.name in opening.conditional and not _implies(own, masks.get(source.name)))
    )


def _implies(mask: Predicate | None, other: Predicate | None) -> bool:
    """Return whether each alternative of `mask` is also one of `other`. None means: always open."""
    if mask is None or other is None:
        return other is None
    alternatives = _alternatives(other)
    return all(item in alternatives for item in _alternatives(mask))


def _alternatives(mask: Predicate) -> Sequence[Predicate]:
    return mask.items if isinstance(mask, AnyOf) else (mask,)


def _sources_of_view(view: Entity, model: Model) -> list[tuple[Entity, tuple[Column, ...]]]:
    """Return the entities that a view reads, with the columns that its SQL names, or the SQL of a view it reads.

    Leave out keys and `deletedAt`: nearly every view names them, to join rows and to leave out deleted ones.
    """
    read = read_by(view, model)
    names = frozenset().union(*(identifiers(entity.view_sql or "") for entity in (view, *read)))
    return [
        (
            entity,
            tuple(
                column
                for column in entity.columns
                if column.column in names
                and column.name not in entity.primary_key
                and column.relation is None
                and not column.soft_delete
            ),
        )
        for entity in read
    ]


def _closed_to(view: Entity, read: Iterable[tuple[Entity, tuple[Column, ...]]], role: _Role) -> tuple[str, ...]:
    """Return the sources of a view that are closed to the role: whole entities, and masked columns.

    A column that is open only on some rows counts if the view is open on all of its rows. Otherwise it does not count:
    the conditions of two types cannot be compared.
    """
    shown = role.openings.get(view.name)
    if shown is None:
        return ()
    unconditional = shown.unconditional and not shown.fields <= shown.conditional
    closed: list[str] = []
    for entity, columns in read:
        opening = role.openings.get(entity.name)
        if opening is None:
            closed.append(entity.name)
            continue
        closed += (
            f"{entity.name}.{column.name}"
            for column in columns
            if column.name not in opening.fields or (unconditional and column.name in opening.conditional)
        )
    return tuple(closed)
