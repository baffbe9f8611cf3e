"""The entities that the SQL of views names."""

from __future__ import annotations

from collections.abc import Iterable

from clew.model.types import Entity, Model
from clew.sql.words import identifiers


def read_by(view: Entity, model: Model) -> list[Entity]:
    """Return the entities that a view reads, also through other views. Each comes after those that it reads itself.

    Names in the SQL tell them, so a column with the name of a table counts as the table. The reads of functions are
    unknown.
    """
    found: dict[str, Entity] = {}
    _collect(view, model, found)
    return list(found.values())


def with_views(names: Iterable[str], model: Model) -> frozenset[str]:
    """Return the names of entities, and of those that the views among them read."""
    found = set(names)
    for name in tuple(found):
        entity = model.entity(name)
        if entity.view_sql is not None:  # alike if true: a table reads no other
            found.update(other.name for other in read_by(entity, model))
    return frozenset(found)


def _collect(view: Entity, model: Model, found: dict[str, Entity]) -> None:
    names = identifiers(view.view_sql or "")
    for entity in model.entities.values():
        if entity.table in names and entity is not view and entity.name not in found:
            if entity.view_sql is not None:
                _collect(entity, model, found)
            found[entity.name] = entity
