"""Compile a plan to a `COPY` whose output is a file: CSV, or JSON with a row a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, Select

from clew.model.types import Model
from clew.plan.types import Groups, Read, ReadPlan, RootMany
from clew.sql.arguments import argument, operand_effort
from clew.sql.binds import bare_type
from clew.sql.cells import Cell, Cells, FiniteDocuments
from clew.sql.cursors import Cursors
from clew.sql.groups import group, grouped
from clew.sql.json import Json
from clew.sql.pages import Pages, has_joins
from clew.sql.settings import SettingBinds, setting
from clew.sql.statement import Statement, compiled
from clew.sql.tables import Tables

# The delimiters of CSV that can be asked for, as SQL.
DELIMITERS = {",": "','", ";": "';'", "|": "'|'", "\t": "E'\\t'"}
# These characters are in no JSON, so COPY quotes nothing and doubles nothing.
_LINES = r"FORMAT csv, DELIMITER E'\x03', QUOTE E'\x02', ESCAPE E'\x02', ENCODING 'UTF8'"
_BREAKS: ColumnElement[Any] = sa.literal_column(r"E'\n\r'")
_SPACES: ColumnElement[Any] = sa.literal_column("'  '")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a file. `delimiter` is None for NDJSON. `raw`: do not guard against formulas."""

    delimiter: str | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class CopyStatement(Statement):
    """A SELECT to `copy`. Its operands are in `settings`, by name. `root` is the field's response key.

    `columns` are those of CSV. `options` are those of the COPY.
    """

    root: str = ""
    options: str = ""
    columns: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def copy(self) -> str:
        """The SQL that writes the file."""
        return f"COPY ({self.sql}) TO STDOUT ({self.options})"


def compile_copy(plan: ReadPlan, form: Form, model: Model, tables: Tables, cursors: Cursors) -> CopyStatement:
    """Compile the one list or groups field of a plan."""
    (root,) = plan.reads
    assert isinstance(root, RootMany)
    assert isinstance(root.read, Read | Groups)
    binds = SettingBinds()
    pages = Pages(model, tables, binds)
    columns: tuple[str, ...] = ()
    if form.delimiter is None:
        select, options = _lines(pages, root.read), _LINES
    else:
        cells, select = _table(pages, root.read, form)
        columns = tuple(cell.name for cell in cells)
        options = f"FORMAT csv, DELIMITER {DELIMITERS[form.delimiter]}, ENCODING 'UTF8'"
    sql = compiled(select, binds, cursors).sql
    used = {setting(n): operand for n, operand in enumerate(binds.names.values()) if f"'{setting(n)}'" in sql}
    efforts = ((operand_effort(operand), operand.place) for operand in used.values())
    return CopyStatement(
        sql,
        tuple(used.values()),
        tuple(argument(operand, cursors) for operand in used.values()),
        efforts=tuple((compute, place) for compute, place in efforts if compute is not None),
        root=root.key,
        options=options,
        columns=columns,
        settings=tuple(used),
    )


def _table(pages: Pages, read: Read | Groups, form: Form) -> tuple[list[Cell], Select[Any]]:
    made = Cells(pages, raw=form.raw)
    order: list[ColumnElement[Any]] = []
    if isinstance(read, Groups):
        cells, source = made.of_groups(read)
    else:
        cells, source, order = made.of_rows(read)
    columns = (cell.value.label(f"c{number}") for number, cell in enumerate(cells))
    return cells, sa.select(*columns).select_from(source).order_by(*order)


def _lines(pages: Pages, read: Read | Groups) -> Select[Any]:
    if isinstance(read, Groups):
        groups = grouped(pages, read)
        json = group(groups, read, FiniteDocuments.as_json)
        return sa.select(_line(json, has_breaks=False)).select_from(groups.source)
    page = pages.list_page(read, None, None, is_joined=has_joins(read.output))
    json, source = FiniteDocuments(pages).object(read.output, page.scope)
    # Only a column of the type `json` keeps line breaks, between the parts of a value.
    columns = (column for entity in pages.model.entities.values() for column in entity.columns)
    has_breaks = any(bare_type(column.type.sql).lower() == "json" for column in columns)
    return sa.select(_line(json, has_breaks=has_breaks)).select_from(source).order_by(*page.order(read.rows.order))


def _line(json: Json, *, has_breaks: bool) -> ColumnElement[Any]:
    """Return JSON on one line."""
    return (sa.func.translate(json, _BREAKS, _SPACES) if has_breaks else json).label("c0")
