"""Which rows a viewer sees. THE primitive: every read of every feature starts here (SPEC 6)."""

from __future__ import annotations

from clew.model.types import Entity
from clew.plan.types import TRUE, IsNull, Visible
from clew.viewer import Viewer


def visible(entity: Entity, viewer: Viewer) -> Visible:
    """The masked rows of `entity` for `viewer`.

    Raises:
        PermissionError: nobody but an admin has rules yet; there is no half-open door.
    """
    if not viewer.is_admin:
        raise PermissionError(f"no rule lets this viewer read {entity.name}")
    deleted = entity.soft_delete
    return Visible(entity, TRUE if deleted is None else IsNull(deleted, negated=False))
