"""JSON as text that Postgres concatenates.

Each piece is JSON text by itself. An object is its pieces with constants between them. Postgres' own constructors look
up the type of each value for each row, and write spaces. `row_to_json` over a subquery keeps each list of keys, which a
client chooses, in memory until the session ends. Keys stand in the order of the selection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler

from clew.model.types import Column, ValueType
from clew.sql.binds import bare_type, is_padded
from clew.sql.literals import quote_text
from clew.sql.sources import unnested
from clew.sql.types import sql_type

# A Postgres function takes at most 100 arguments.
_ARGUMENTS = 100
# The most pieces in a chain of `||`, and the most chains that `||` joins. It is faster than `concat`, which copies all
# text three times, but each `||` copies both its operands.
_CHAIN = 8

_BASE64: ColumnElement[Any] = sa.literal_column("'base64'")
_NEWLINE: ColumnElement[Any] = sa.literal_column("E'\\n'")
_EMPTY_TEXT: ColumnElement[Any] = sa.literal_column("''")
_QUOTE: ColumnElement[Any] = sa.literal_column("'\"'")
_TEXT = sa.Text()
_WHOLE: ColumnElement[Any] = sa.literal_column("'{}'::text[]")
_TEXT_ARRAY = sa.ARRAY(sa.Text())
_MOMENT_ARRAY = sql_type(ValueType("DateTime", "timestamptz", is_list=True))
WITHOUT_ZONE = frozenset({"timestamp", "timestamp without time zone"})
_EXACT = frozenset({"BigInt", "Decimal"})
_INTEGERS = frozenset({"smallint", "int2", "integer", "int", "int4", "bigint", "int8"})
NUMBERS = _INTEGERS | {"numeric", "decimal"}
BOOLEANS = frozenset({"boolean", "bool"})


class Json(ColumnElement[Any]):
    """JSON built of other expressions, as text. It is never null.

    SQLAlchemy's own functions search their arguments for FROM items again at each level around them. For nested JSON
    that took a third of a statement's compilation. Every SELECT here names its FROM, so no search is needed.
    """

    inherit_cache = False
    _from_objects: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        self.type = _TEXT

    def parts(self) -> Iterable[ColumnElement[Any]]:
        """Return the expressions that it is made of."""
        raise NotImplementedError


class JsonConstant(Json):
    """JSON that the schema or the document determines."""

    __visit_name__ = "clew_json_constant"

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return ()


class JsonScalar(Json):
    """An expression that is JSON text already. It becomes `null` where it is null.

    Args:
        is_large: whether the text may be long.
    """

    __visit_name__ = "clew_json_scalar"

    def __init__(self, text: ColumnElement[Any], *, is_large: bool = False) -> None:
        super().__init__()
        self.text = text
        self.is_large = is_large

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return (self.text,)


class JsonObject(Json):
    """An object with these keys (GraphQL names) in this order.

    Args:
        is_alone: whether a few of these at most are built at once. Then `format` writes it: Postgres is sooner ready to
            call one function than to join texts, but each call takes longer.
    """

    __visit_name__ = "clew_json_object"

    def __init__(self, pairs: Sequence[tuple[str, ColumnElement[Any]]], *, is_alone: bool = False) -> None:
        super().__init__()
        self.pairs = pairs
        self.is_alone = is_alone

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return [value for _, value in self.pairs]


class JsonArray(Json):
    """An array with an item for each row of `where`, in `order` or as the rows come."""

    __visit_name__ = "clew_json_array"

    def __init__(
        self,
        item: ColumnElement[Any],
        order: Sequence[ColumnElement[Any]] = (),
        where: ColumnElement[bool] | None = None,
    ) -> None:
        super().__init__()
        self.items = _Items(item, order, where)

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return (self.items,)


class JsonIf(Json):
    """`item` where the condition is true, else `otherwise`."""

    __visit_name__ = "clew_json_if"

    def __init__(
        self, condition: ColumnElement[bool], item: ColumnElement[Any], otherwise: ColumnElement[Any] | None = None
    ) -> None:
        super().__init__()
        self.condition = condition
        self.item = item
        self.otherwise = NULL if otherwise is None else otherwise

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return (self.condition, self.item, self.otherwise)


class _Items(Json):
    """The items of an array, with commas between them."""

    __visit_name__ = "clew_json_items"

    def __init__(
        self, item: ColumnElement[Any], order: Sequence[ColumnElement[Any]], where: ColumnElement[bool] | None
    ) -> None:
        super().__init__()
        self.item = item
        self.order = order
        self.where = where

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return [self.item, *self.order, *([] if self.where is None else [self.where])]


# Returns the output form of a scalar, given its SQL and its type.
AsJson = Callable[[ColumnElement[Any], ValueType], Json]

NULL = JsonConstant("null")
EMPTY_ARRAY = JsonConstant("[]")


def text_constant(text: str) -> ColumnElement[Any]:
    """Return a constant of the schema as SQL text (never a client's value)."""
    return sa.literal_column(f"{quote_text(text)}::text")


def json_name(name: str) -> Json:
    """Return a GraphQL name as JSON."""
    return JsonConstant(f'"{name}"')


def json_text(expression: ColumnElement[Any]) -> Json:
    """Return text that needs no escapes as JSON."""
    return JsonScalar(_in_quotes(expression))


def json_boolean(expression: ColumnElement[bool]) -> Json:
    """Return a condition as JSON."""
    return JsonScalar(sa.cast(expression, _TEXT))


def json_column(expression: ColumnElement[Any], column: Column, as_json: AsJson | None = None) -> Json:
    """Return the output form of a column's scalar.

    Args:
        expression: the column, or null where it is masked.
        as_json: how to write a scalar; None for `json_value`.
    """
    if column.computed is not None and not column.computed.stored and not column.type.is_list:
        # Its SQL may be a bare constant, which has no type by itself.
        expression = sa.case((sa.true(), expression))
    return (as_json or json_value)(expression, column.type)


def json_value(expression: ColumnElement[Any], type_: ValueType) -> Json:
    """Return the output form of a scalar."""
    base = bare_type(type_.sql).lower()
    if type_.is_list:
        return JsonScalar(sa.cast(sa.func.to_json(_list(expression, type_, base)), _TEXT), is_large=True)
    match type_.name:
        case "Int" if base in _INTEGERS:
            return JsonScalar(sa.cast(expression, _TEXT))
        case "Boolean" if base in BOOLEANS:
            return JsonScalar(sa.cast(expression, _TEXT))
        case "BigInt" | "Decimal" | "ID" if base in NUMBERS:
            return JsonScalar(_in_quotes(sa.cast(expression, _TEXT)))
        case "ID" | "UUID" if base == "uuid":
            return JsonScalar(_in_quotes(sa.cast(expression, _TEXT)))
        case "JSON" if base in ("json", "jsonb"):
            return JsonScalar(sa.cast(expression, _TEXT), is_large=True)
        case "Bytes":
            text = sa.func.translate(sa.func.encode(expression, _BASE64), _NEWLINE, _EMPTY_TEXT)
            return JsonScalar(_in_quotes(text), is_large=True)
        case "BigInt" | "Decimal":
            expression = sa.cast(expression, _TEXT)
        case "ID" if base != "text":
            expression = sa.cast(expression, _TEXT)
        case "DateTime" if base in WITHOUT_ZONE:
            expression = sa.func.timezone(sa.literal_column("'UTC'"), expression)
    return JsonScalar(sa.cast(sa.func.to_json(expression), _TEXT))


def _list(expression: ColumnElement[Any], type_: ValueType, base: str) -> ColumnElement[Any]:
    """Return a list whose JSON has the output form of each item."""
    if type_.name == "Bytes":
        item = sa.column("item", sa.LargeBinary)
        items = unnested(sa.func.unnest(expression), item, name="items", with_ordinality="position")
        texts = sa.select(sa.func.translate(sa.func.encode(items.c.item, _BASE64), _NEWLINE, _EMPTY_TEXT))
        array = sa.func.array(texts.select_from(items).scalar_subquery())
        return sa.case((expression.is_not(None), array))
    if type_.name in _EXACT or (type_.name == "ID" and base not in ("uuid", "text")):
        return sa.cast(expression, _TEXT_ARRAY)
    if type_.name == "DateTime" and base in WITHOUT_ZONE:
        # Sessions run in UTC.
        return sa.cast(expression, _MOMENT_ARRAY)
    return expression


def key_value(column: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """Return a column in the form that can be bound again: as text where asyncpg cannot hold every value."""
    if type_.name in ("DateTime", "Date", "Time"):
        if type_.name == "DateTime" and bare_type(type_.sql) in WITHOUT_ZONE:
            column = sa.func.timezone(sa.literal_column("'UTC'"), column)
        return sa.func.to_json(column).op("#>>", return_type=_TEXT)(_WHOLE)
    return sa.cast(column, _TEXT) if type_.name in ("ID", "String") and is_padded(type_) else column


def _in_quotes(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    return _QUOTE.op("||")(expression).op("||")(_QUOTE)


# --- SQL ------------------------------------------------------------------------------


def _pieces(value: ColumnElement[Any]) -> Iterator[str | ColumnElement[Any]]:
    """Yield the constants and expressions that make up a value's text."""
    match value:
        case JsonConstant(text=text):
            yield text
        case JsonArray(items=items):
            yield "["
            yield items
            yield "]"
        case JsonObject(pairs=pairs):
            before = "{"
            for key, inner in pairs:
                yield f'{before}"{key}":'
                yield from _pieces(inner)
                before = ","
            yield "}" if pairs else "{}"
        case _:
            yield value


@compiles(JsonObject)
def _compile_object(element: JsonObject, compiler: SQLCompiler, **options: Any) -> str:
    pieces = list(_pieces(element)) if element.is_alone else []
    values = [piece for piece in pieces if not isinstance(piece, str)]
    if not 0 < len(values) < _ARGUMENTS:
        return _compile_pieces(element, compiler, **options)
    inside = _inside(options)
    pattern = "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces)
    return f"format({', '.join([quote_text(pattern), *(compiler.process(value, **inside) for value in values)])})"


@compiles(JsonConstant)
@compiles(JsonArray)
def _compile_pieces(element: Json, compiler: SQLCompiler, **options: Any) -> str:
    """Join small pieces into chains. Join chains and large pieces so that none of them is copied many times."""
    options = _inside(options)
    chains: list[list[str]] = [[]]
    constant = ""

    def end_constant() -> None:
        nonlocal constant
        if constant:
            chains[-1].append(quote_text(constant))
            constant = ""

    for piece in _pieces(element):
        if isinstance(piece, str):
            constant += piece
            continue
        is_large = not isinstance(piece, JsonScalar) or piece.is_large
        if is_large or len(chains[-1]) >= _CHAIN:
            end_constant()
            chains.append([])
        end_constant()
        chains[-1].append(compiler.process(piece, **options))
        if is_large:
            chains.append([])
    if chains == [[]]:
        return f"{quote_text(constant)}::text"
    end_constant()
    chains = [chain for chain in chains if chain]
    while len(chains) > _CHAIN:
        blocks = [chains[start : start + _ARGUMENTS] for start in range(0, len(chains), _ARGUMENTS)]
        chains = [[f"concat({', '.join(map(_joined, block))})"] for block in blocks]
    return _balanced(chains)


def _joined(chain: Sequence[str]) -> str:
    return " || ".join(chain)


def _balanced(chains: Sequence[Sequence[str]]) -> str:
    """Join chains, each in as few steps as the others."""
    if len(chains) == 1:
        return _joined(chains[0])
    half = len(chains) // 2
    left, right = _balanced(chains[:half]), _balanced(chains[half:])
    is_bare = len(chains) - half == 1 and len(chains[-1]) == 1
    return f"{left} || {right}" if is_bare else f"{left} || ({right})"


@compiles(JsonScalar)
def _compile_scalar(element: JsonScalar, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce({compiler.process(element.text, **_inside(options))}, 'null')"


@compiles(_Items)
def _compile_items(element: _Items, compiler: SQLCompiler, **options: Any) -> str:
    options = _inside(options)
    order = ", ".join(compiler.process(key, **options) for key in element.order)
    items = f"string_agg({compiler.process(element.item, **options)}, ','{f' ORDER BY {order}' if order else ''})"
    if element.where is not None:
        items += f" FILTER (WHERE {compiler.process(element.where, **options)})"
    return f"coalesce({items}, '')"


@compiles(JsonIf)
def _compile_if(element: JsonIf, compiler: SQLCompiler, **options: Any) -> str:
    options = _inside(options)
    condition, item, otherwise = (compiler.process(part, **options) for part in element.parts())
    return f"CASE WHEN {condition} THEN {item} ELSE {otherwise} END"


def _inside(options: dict[str, Any]) -> dict[str, Any]:
    """Return the compiler's options for a part of a SELECT's column."""
    return {**options, "within_columns_clause": False, "add_to_result_map": None}
