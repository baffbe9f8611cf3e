"""The direction of an order key."""

from __future__ import annotations

from typing import Any

from sqlalchemy.sql import ColumnElement


def direction(expression: ColumnElement[Any], descending: bool, nulls_first: bool | None) -> ColumnElement[Any]:
    """Return the expression as a key of ORDER BY. Nulls are where Postgres puts them if `nulls_first` is None."""
    ordered = expression.desc() if descending else expression.asc()
    if nulls_first is None:
        return ordered
    return ordered.nulls_first() if nulls_first else ordered.nulls_last()
