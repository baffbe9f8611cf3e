"""Digests of keys, for one viewer. They break the ties of rows whose keys are hidden.

A digest is the SHA-256 of a secret key of the viewer (64 characters, one block), the entity's name and the whole key
of the row. So the order is the same for each request of the viewer, in each process that has the secret. It reveals
neither the keys nor which of them comes first. The digests of two rows with an equal hidden part of their keys have
nothing in common. The same holds for two entities with equal keys, and for two viewers.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.predicates import TEXT
from clew.access.types import Operand, TieKey
from clew.sql.binds import Binds
from clew.sql.json import text_constant
from clew.sql.scope import Scope

_COLON: ColumnElement[Any] = sa.literal_column("':'")
_UTF8: ColumnElement[Any] = sa.literal_column("'UTF8'")


def key_digest(scope: Scope, binds: Binds) -> ColumnElement[Any]:
    """Return the digest of the key of a row of `scope`, as `bytea`."""
    *some, last = (sa.cast(scope.column(column), sa.Text()) for column in scope.entity.key_columns)
    parts: list[ColumnElement[Any]] = [binds.add(Operand(TieKey(), TEXT, "ties"))]
    parts.append(text_constant(f"{scope.entity.name}:"))
    for part in some:
        # Add the length, so that two keys never give one text.
        parts += (sa.func.length(part), _COLON, part)
    # Not `||`: the key of a view may be null.
    return sa.func.sha256(sa.func.convert_to(sa.func.concat(*parts, last), _UTF8), type_=sa.LargeBinary())
