"""FROM items that have their names from the beginning.

SQLAlchemy asks the system for random bytes to name an item that has none, and each time Python's interpreter lock is
free for a moment. A thread that compiles a large statement so takes it back before the event loop wakes up, thousands
of times, and the loop stands still.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import LateralFromClause, SelectBase, TableValuedAlias


def lateral(rows: SelectBase, name: str) -> LateralFromClause:
    """Return the rows of a SELECT that may refer to the FROM items before it."""
    return rows.subquery(name).lateral(name)


def unnested(
    function: FunctionElement[Any], *columns: str | ColumnElement[Any], name: str, with_ordinality: str | None = None
) -> TableValuedAlias:
    """Return the rows of a function.

    Args:
        columns: the columns of the rows.
        with_ordinality: the name of a column with the number of the row. None: there is none.
    """
    options = {} if with_ordinality is None else {"with_ordinality": with_ordinality}
    return function.table_valued(*columns, name=name, **options).render_derived(name=name)
