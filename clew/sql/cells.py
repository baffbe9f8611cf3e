"""The cells of a row for a file with columns, such as CSV: each as the text that JSON has without its quotes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause

from clew.access.types import Measure
from clew.model.types import Column, ValueType
from clew.plan.types import (
    Aggregate,
    GroupKeys,
    Groups,
    KeyValue,
    Many,
    Measured,
    Measures,
    MeasureValue,
    One,
    Output,
    Read,
    TypeName,
    Value,
)
from clew.sql.aggregates import measures
from clew.sql.binds import bare_type
from clew.sql.documents import Documents
from clew.sql.filters import measure_value
from clew.sql.groups import grouped
from clew.sql.json import BOOLEANS, NUMBERS, WITHOUT_ZONE, Json, JsonScalar, json_value, text_constant
from clew.sql.pages import Pages, has_joins
from clew.sql.scope import Scope
from clew.sql.sources import lateral, unnested

_TEXT = sa.Text()
_WHOLE: ColumnElement[Any] = sa.literal_column("'{}'::text[]")
_QUOTE: ColumnElement[Any] = sa.literal_column("'\"'")
_NOTHING: ColumnElement[Any] = sa.literal_column("0")
_NOT_FINITE: tuple[ColumnElement[Any], ...] = tuple(
    sa.literal_column(f"'{text}'") for text in ("NaN", "Infinity", "-Infinity")
)
# Spreadsheets take a text for a formula that begins with one of these: = + - @ tab, line feed, carriage return, and the
# full-width forms of the first four (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ", ".join(str(ord(character)) for character in "=+-@\t\n\r＝＋－＠")  # noqa: RUF001
_APOSTROPHE: ColumnElement[Any] = sa.literal_column("''''")
_PLAIN_TEXTS = frozenset({"text", "varchar", "character varying", "citext"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of the file: its name, and the SQL of its value."""

    name: str
    value: ColumnElement[Any]


def _merged(cells: Iterable[Cell]) -> list[Cell]:
    """Return one cell for each name: of the types that a row may have, it has one."""
    found: dict[str, list[ColumnElement[Any]]] = {}
    for cell in cells:
        found.setdefault(cell.name, []).append(cell.value)
    return [Cell(name, values[0] if len(values) == 1 else sa.func.coalesce(*values)) for name, values in found.items()]


class FiniteDocuments(Documents):
    """JSON in which a Float that is NaN or infinite is null. In a response it would be null and have an error."""

    @staticmethod
    def as_json(expression: ColumnElement[Any], type_: ValueType) -> Json:
        """Return the output form of a scalar."""
        return json_value(_finite(expression, type_), type_)


class Cells(FiniteDocuments):
    """Makes the cells of rows.

    Args:
        raw: write texts as they are, also those that a spreadsheet would take for formulas.
    """

    def __init__(self, pages: Pages, *, raw: bool) -> None:
        super().__init__(pages)
        self.raw = raw

    def of_rows(self, read: Read) -> tuple[list[Cell], FromClause[Any], list[ColumnElement[Any]]]:
        """Return the cells of rows, their FROM item, and their order if joins may disturb that of the page."""
        is_joined = has_joins(read.output) or any(map(_is_aggregate, read.output))
        page = self.pages.list_page(read, None, None, is_joined=is_joined)
        cells, source = self.cells(read.output, page.scope, page.scope.source)
        return cells, source, page.order(read.rows.order)

    def of_groups(self, read: Groups) -> tuple[list[Cell], FromClause[Any]]:
        """Return the cells of groups, and their FROM item."""
        page = grouped(self.pages, read)

        def found(output: Measured | GroupKeys | KeyValue, path: str) -> Iterator[Cell]:
            match output:
                case KeyValue():
                    yield Cell(f"{path}{output.key}", self.cell(*page.key(output)))
                case GroupKeys(output=inner):
                    for item in inner:
                        yield from found(item, f"{path}{output.key}.")
                case Measures(output=values):
                    for value in values:
                        yield from found(value, f"{path}{output.key}.")
                case MeasureValue(measure=measure):
                    yield Cell(f"{path}{output.key}", self.cell(page.value(measure), measure.type))
                case TypeName(name=name):
                    yield Cell(f"{path}{output.key}", text_constant(name))

        return [cell for output in read.output for cell in found(output, "")], page.source

    def cells(
        self,
        outputs: Iterable[Output],
        scope: Scope,
        source: FromClause[Any],
        path: str = "",
        shown: ColumnElement[bool] | None = None,
        *,
        may_hide: bool = False,
    ) -> tuple[list[Cell], FromClause[Any]]:
        """Return the cells of a row of `scope`, and its FROM item: `source` with its joins.

        Args:
            path: of response keys that leads to the row, with a dot behind each.
            shown: whether there is such a row. Where it is not, its cells are null.
            may_hide: whether there may be a row although `shown` is false.
        """
        found: list[Cell] = []

        def add(name: str, value: ColumnElement[Any], *, is_null_without_row: bool = False) -> None:
            if shown is not None and (may_hide or not is_null_without_row):
                value = sa.case((shown, value))
            found.append(Cell(f"{path}{name}", value))

        for output in outputs:
            match output:
                case Value(column=column, mask=mask):
                    value = self.pages.masked(self.column(column, scope), mask, scope)
                    add(output.key, value, is_null_without_row=column.computed is None or column.computed.stored)
                case One(read=read, mask=mask):
                    row, is_there = self.pages.related(output, scope)
                    source = source.outerjoin(row.source, sa.true())
                    conditions = [is_there]
                    if shown is not None and may_hide:
                        conditions.insert(0, shown)
                    if mask is not None:
                        conditions.insert(0, self.pages.opened(mask, scope))
                    inner, source = self.cells(
                        read.output,
                        row,
                        source,
                        path if scope.entity.variants else f"{path}{output.key}.",
                        sa.and_(*conditions),
                        may_hide=may_hide or mask is not None,
                    )
                    found += inner
                case Many(read=Aggregate()):
                    cells, source = self.aggregated(output, scope, source)
                    for cell in cells:
                        add(cell.name, cell.value)
                case TypeName(name=name):
                    add(output.key, text_constant(name))
                case _:
                    add(output.key, self.output(output, scope))
        return _merged(found) if scope.entity.variants else found, source

    def column(self, column: Column, scope: Scope) -> ColumnElement[Any]:
        """Return the cell of a column."""
        value = scope.column(column)
        if column.computed is not None and not column.computed.stored and not column.type.is_list:
            # Its SQL may be a bare constant, which has no type by itself.
            value = sa.case((sa.true(), value))
        return self.cell(value, column.type)

    def aggregated(self, output: Many, scope: Scope, source: FromClause[Any]) -> tuple[list[Cell], FromClause[Any]]:
        """Return the cells of an aggregate over the rows at the other end of a to-many."""
        read = output.read
        assert isinstance(read, Aggregate)
        inner = self.pages.scope(read.rows.visible.entity.name, scope)
        columns = {
            _name(measure): measure_value(measure, inner, self.pages, self.pages.binds)
            for measure in measures(read.output)
        }
        if columns:
            labelled = [value.label(name) for name, value in columns.items()]
            statement = self.pages.select(labelled, read.rows, inner, self.pages.belonging(inner, scope, output))
            measured = lateral(statement, f"a{self.pages.number()}")
            source = source.outerjoin(measured, sa.true())

        def found(item: Measured, path: str) -> Iterator[Cell]:
            match item:
                case Measures(output=values):
                    for inner_item in values:
                        yield from found(inner_item, f"{path}{item.key}.")
                case MeasureValue(measure=measure):
                    value: ColumnElement[Any] = measured.c[_name(measure)]
                    if output.mask is not None:
                        is_count = measure.function in ("count", "countDistinct")
                        otherwise = _NOTHING if is_count else sa.null()
                        value = sa.case((self.pages.opened(output.mask, scope), value), else_=otherwise)
                    yield Cell(f"{path}{item.key}", self.cell(value, measure.type))
                case TypeName(name=name):
                    yield Cell(f"{path}{item.key}", text_constant(name))

        return [cell for item in read.output for cell in found(item, f"{output.key}.")], source

    def cell(self, value: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
        """Return a scalar as the text that its JSON has without quotes."""
        base = bare_type(type_.sql).lower()
        if type_.is_list:
            return _text(self.as_json(value, type_))
        match type_.name:
            case "Boolean" if base in BOOLEANS:
                return sa.cast(value, _TEXT)
            case "Float":
                return _finite(value, type_)
            case "Int" | "BigInt" | "Decimal" | "Boolean" | "UUID" | "Date" | "Time":
                return value
            case "ID" if base in NUMBERS or base == "uuid":
                return value
            case "ID":
                return self.guarded(sa.cast(value, _TEXT))
            case "JSON":
                return sa.cast(value, _TEXT)
            case "Bytes":
                return sa.func.btrim(_text(self.as_json(value, type_)), _QUOTE)
            case "DateTime":
                if base in WITHOUT_ZONE:
                    value = sa.func.timezone(sa.literal_column("'UTC'"), value)
                return sa.func.btrim(sa.cast(sa.func.to_json(value), _TEXT), _QUOTE)
        if type_.is_enum:
            return value
        if base not in _PLAIN_TEXTS:
            value = sa.func.to_json(value).op("#>>", return_type=_TEXT)(_WHOLE)
        return self.guarded(value)

    def guarded(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a text with an apostrophe before it, if a spreadsheet would take it for a formula."""
        if self.raw:
            return text
        begins = sa.func.ascii(text).op("IN", is_comparison=True)(sa.literal_column(f"({_FORMULA})"))
        return sa.case((begins, _APOSTROPHE.op("||", return_type=_TEXT)(text)), else_=text)


def _is_aggregate(output: Output) -> bool:
    return isinstance(output, Many) and isinstance(output.read, Aggregate)


def _name(measure: Measure) -> str:
    return measure.function if measure.column is None else f"{measure.function} {measure.column.name}"


def _text(json: Json) -> ColumnElement[Any]:
    """Return the JSON of a scalar as text that is null where the scalar is."""
    assert isinstance(json, JsonScalar)
    return sa.cast(json.text, _TEXT)


def _finite(value: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """Return a Float, or the Floats of a list, with null for those that are NaN or infinite."""
    if type_.name != "Float":
        return value
    if not type_.is_list:
        return _nulled(value)
    items = unnested(sa.func.unnest(value), "item", name="items", with_ordinality="position")
    statement = sa.select(_nulled(items.c.item)).select_from(items).order_by(items.c.position)
    return sa.case((value.is_not(None), sa.func.array(statement.scalar_subquery())))


def _nulled(value: ColumnElement[Any]) -> ColumnElement[Any]:
    for text in _NOT_FINITE:
        value = sa.func.nullif(value, text)
    return value
