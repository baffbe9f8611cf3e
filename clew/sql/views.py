"""What the SQL of views reads, as far as it names it."""

from __future__ import annotations

from clew.model.types import Entity, Model
from clew.sql.words import identifiers


def read_by(view: Entity, model: Model) -> list[Entity]:
    """The entities that a view reads, by way of other views too: each after those that it reads itself.

    Known by their names in the SQL, so a column of a table's name counts for the table. What a function
    reads is not known.
    """
    found: dict[str, Entity] = {}
    _collect(view, model, found)
    return list(found.values())


def _collect(view: Entity, model: Model, found: dict[str, Entity]) -> None:
    names = identifiers(view.view_sql or "")
    for entity in model.entities.values():
        if entity.table in names and entity is not view and entity.name not in found:
            if entity.view_sql is not None:
                _collect(entity, model, found)
            found[entity.name] = entity
