"""Compute the value that asyncpg takes for `$n` from an operand and the coerced variables."""

from __future__ import annotations

import math
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from graphql import GraphQLError
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined
from graphql.utilities import coerce_input_literal

from clew.access.types import (
    Claim,
    Constant,
    CursorKey,
    Identity,
    Literal,
    Marker,
    Operand,
    Reach,
    Supplied,
    Template,
    TieKey,
    Variable,
)
from clew.document.inputs import enum_names
from clew.errors import ClewError, Code
from clew.model.types import ValueType
from clew.moments import written
from clew.schema.scalars import SCALARS
from clew.sql.binds import bare_type, is_padded
from clew.sql.cursors import Cursors
from clew.sql.effort import MOST_EFFORT, effort
from clew.sql.types import is_list_of_decimals
from clew.stored_json import UnstorableError, check_text, stored_text

# The claims of a viewer that rules name, as asyncpg takes them, and the viewer's `Identity`.
Claims = Mapping[Any, Any]
# Returns one argument. It takes the coerced variables, and a mapping of the claims and the `Supplied` values.
Argument = Callable[[VariableValues, Mapping[Any, Any]], Any]
# Returns the units of work of comparing a row with one operand (see `clew.sql.effort`).
Effort = Callable[[VariableValues], float]

_MOST_SEARCHED = 2000
# Python finds these on some machines. Postgres never does.
_UNKNOWN_ZONES = ("localtime", "posix", "right/")
_DIGITS = re.compile(r"-?[0-9]{1,10}")
# Numbers as texts in claims. Each number has one text, so that all readers read the same number.
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_DECIMAL = re.compile(r"(?:0|-?[1-9][0-9]*)(?:\.[0-9]+)?|-0\.[0-9]*[1-9][0-9]*")
_LIKE_SPECIAL = re.compile(r"([\\%_])")
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_REALS = ("real", "float4")
_TIMES_WITHOUT_ZONE = ("time", "time without time zone")
_HAS_OFFSET = re.compile("[+-]")
_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def argument(operand: Operand, cursors: Cursors) -> Argument:
    """Return a function that computes the operand's value when the operation runs, as asyncpg takes it.

    Args, and errors of the function: as `_value`.
    """
    value = _value(operand, cursors)
    if not is_list_of_decimals(operand.type):
        return value
    return lambda variables, claims: [None if item is None else str(item) for item in value(variables, claims)]


def _value(operand: Operand, cursors: Cursors) -> Argument:
    """Return a function that computes the operand's value when the operation runs. A list has Decimals, not texts.

    Args:
        cursors: opens cursors, and knows their marker.

    The function raises ClewError BAD_USER_INPUT, naming the operand's place, for a value that Postgres cannot take:
    a comparison in SQL must never raise.
    """
    source = operand.source
    if isinstance(source, Claim | Supplied):
        return lambda _variables, claims: claims[source]
    if isinstance(source, Marker):
        return lambda _variables, _claims: cursors.marker
    if isinstance(source, TieKey):
        return lambda _variables, claims: cursors.tie_key(claims[Identity()])
    if isinstance(source, CursorKey):
        return lambda variables, claims: _cursor_key(source, variables, claims[Identity()], operand.place, cursors)
    convert = _converter(operand)
    if isinstance(source, Constant):
        constant = convert(coerced(source.value, operand.type))
        return lambda _variables, _claims: constant
    if isinstance(source, Variable | Template) and source.enum is not None:
        convert = partial(enum_names, enum=source.enum)
    if isinstance(source, Literal):
        value = source.value
        try:
            fixed = convert(value)
        except ClewError as error:
            # Planning must not fail here: a plan from the cache would not fail either.
            failure = error
            return lambda _variables, _claims: _raise(failure)
        return lambda _variables, _claims: fixed
    if isinstance(source, Variable):
        name, *rest = source.path
        if not rest:
            if convert is _same:
                return lambda variables, _claims: variables.coerced[name]  # type: ignore[index]  # coerced before any operand is read
            return lambda variables, _claims: convert(variables.coerced[name])  # type: ignore[index]  # coerced before any operand is read
        return lambda variables, _claims: convert(_dig(variables.coerced, source.path))
    assert isinstance(source, Template)
    return lambda variables, _claims: convert(_fill(source, variables, operand.place))


def operand_effort(operand: Operand) -> Effort | None:
    """Return a function that computes the work of comparing a row with a client's operand. None: there is little.

    The values of claims are bounded one by one, in `usable_claims`.
    """
    source, reach = operand.source, operand.reach
    if reach is Reach.NARROW:
        return None
    if isinstance(source, Literal):
        units = effort(source.value, reach)
        return lambda _variables: units
    if isinstance(source, Variable):
        return lambda variables: effort(_dig(variables.coerced, source.path), reach)
    if isinstance(source, Template):
        return lambda variables: effort(_fill(source, variables, operand.place), reach)
    return None


def _cursor_key(
    source: CursorKey, variables: VariableValues, viewer: bytes, place: str, cursors: Cursors
) -> str | None:
    cursor = source.cursor
    text = cursor.value if isinstance(cursor, Literal) else _dig(variables.coerced, cursor.path)
    return cursors.open(text, source.order, viewer, place)[source.index]


def usable_claims(wanted: Iterable[Claim], claims: Mapping[str, Any]) -> dict[Claim, Any]:
    """Return the wanted claims that a viewer has in a form that fits, as asyncpg takes them.

    Leave out a claim that is absent, null, empty or of another type. The rules that name it then do not count
    (docs/access.md). Claims coerce like variables. Texts of digits also coerce to integers.
    """
    found: dict[Claim, Any] = {}
    for claim in wanted:
        value, fault = _claim(claim, claims)
        if fault is None:
            found[claim] = value
    return found


def claim_fault(claim: Claim, claims: Mapping[str, Any]) -> str | None:
    """Return why a viewer's claim cannot be used, as the end of a sentence. None: it can be used."""
    return _claim(claim, claims)[1]


def _claim(claim: Claim, claims: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Return a claim as asyncpg takes it, or the reason why it cannot be used."""
    value: Any = claims
    for step in claim.path:
        if not isinstance(value, Mapping) or step not in value:
            return None, "is absent"
        value = value[step]
    if value is None:
        return None, "is null"
    if isinstance(value, list) and not claim.type.is_list:
        return None, "is a list"
    if isinstance(value, str | list | Mapping) and not value:
        return None, f"is an empty {'text' if value == '' else 'list' if value == [] else 'object'}"
    if claim.type.is_list and not isinstance(value, list):
        value = [value]
    try:
        if _holds_nothing(value):
            return None, "holds something empty"
        if not all(_is_one_number(item, claim.type) for item in (value if claim.type.is_list else [value])):
            raise ValueError
        found = coerced(value, claim.type)
        if effort(found, claim.reach) > MOST_EFFORT:
            return None, "would be compared too much with each row"
        return _converter(Operand(claim, claim.type, "claim", claim.form, reach=claim.reach))(found), None
    except (ClewError, GraphQLError, ValueError, TypeError, RecursionError):
        return None, f"does not fit {claim.type.name} ({claim.type.sql})"


def _holds_nothing(value: Any) -> bool:
    """Return whether a claim, or a part of it at any depth, is null or empty. It would match rows that nobody meant."""
    if isinstance(value, list | Mapping):
        parts = value.values() if isinstance(value, Mapping) else value
        return not value or any(map(_holds_nothing, parts))
    return value is None or value == ""


def _is_one_number(value: Any, type_: ValueType) -> bool:
    """Return whether a numeric claim is a number, or a text of ASCII digits without leading zeros."""
    if not isinstance(value, str):
        return True
    if type_.name == "Decimal":
        return _DECIMAL.fullmatch(value) is not None
    is_whole = type_.name in ("Int", "BigInt") or type_.sql in _INTEGERS
    return not is_whole or _WHOLE.fullmatch(value) is not None


def coerced(value: Any, type_: ValueType) -> Any:
    """Coerce a constant or claim as an input of its scalar. Raise GraphQLError if it does not fit."""
    if type_.is_list:
        return [coerced(item, type_.item) for item in value]
    if value is None:  # alike if false: asked before, and by each scalar
        raise GraphQLError("null")
    if type_.is_enum:
        if not isinstance(value, str):
            raise GraphQLError("not an enum value")
        return value
    if type_.name == "Int" and isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return SCALARS[type_.name].coerce_input_value(value)


def constant_value(value: Any, type_: ValueType) -> Any:
    """Return a constant of the SDL as asyncpg takes it."""
    return _converter(Operand(Constant(value), type_, "preset"))(coerced(value, type_))


def key_value(value: Any, type_: ValueType, place: str) -> Any:
    """Return a scalar of a key as asyncpg takes it.

    Args:
        value: in the input form of the scalar, as JSON has it.

    Raises:
        ClewError: BAD_USER_INPUT, naming `place`, for a value that Postgres cannot take.
        GraphQLError: it is not a value of the scalar.
    """
    return item_converter(type_)(coerced(value, type_), place)


def _raise(error: ClewError) -> Any:
    raise error


def _dig(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _fill(template: Template, variables: VariableValues, place: str) -> Any:
    try:
        value = coerce_input_literal(template.node, template.type, variables)
    except GraphQLError as error:
        raise ClewError(f"`{place}`: {error.message}") from error
    if value is Undefined:
        raise ClewError(f"`{place}` has a value that does not fit its type.")
    return value


def _same(value: Any) -> Any:
    return value


def _converter(operand: Operand) -> Callable[[Any], Any]:
    place, type_ = operand.place, operand.type
    if operand.form == "count":
        return lambda value: _count(value, place, operand.most)
    if operand.form == "zone":
        return lambda value: _zone(value, place)
    if operand.form == "search":
        return lambda value: _words(value, place)
    if operand.form != "value":
        return lambda value: _pattern(value, operand.form, place)
    item = item_converter(type_)
    if item is as_it_is and operand.reach is not Reach.ITEMS:
        return _same
    if not type_.is_list:
        return lambda value: item(value, place)
    if operand.reach is Reach.ITEMS:
        # Postgres would compare a value once more each time that it is there.
        return lambda values: [None if value is None else item(value, place) for value in dict.fromkeys(values)]
    return lambda values: [None if value is None else item(value, place) for value in values]


def item_converter(type_: ValueType) -> Callable[[Any, str], Any]:
    """Return the converter of a scalar's coerced values to those that asyncpg takes.

    Its second argument names the value's place. It raises ClewError, with the place, if Postgres cannot take a value.
    """
    if type_.name in ("DateTime", "Date"):
        return _moment
    if type_.name == "Time":
        return _time_of_day if bare_type(type_.sql).lower() in _TIMES_WITHOUT_ZONE else _moment
    if type_.name in ("ID", "String") and is_padded(type_):
        return _padded
    if type_.name == "ID":
        if type_.sql == "uuid":
            return _uuid
        if type_.sql in _INTEGERS:
            return partial(_integer, bound=_INTEGERS[type_.sql])
        return _text
    if type_.name == "String":
        return _text
    if type_.name == "Float":
        return _real if type_.sql in _REALS else _float
    if type_.name == "JSON":
        return _json
    return as_it_is


def as_it_is(value: Any, _place: str) -> Any:
    """Return the value unchanged: the converter of scalars that asyncpg takes as they are."""
    return value


def _moment(value: Any, _place: str) -> str:
    return written(value)


def _time_of_day(value: Any, place: str) -> str:
    text = written(value)
    # Postgres would drop the offset silently.
    if len(text) > 8 and (_HAS_OFFSET.search(text, 8)):
        raise ClewError(f"`{place}` must be a time without an offset.")
    return text


def _padded(value: str, place: str) -> str:
    return _text(value, place).rstrip(" ")


def _float(value: Any, _place: str) -> float:
    return float(value)


def _count(value: int, place: str, most: int | None) -> int:
    if value < 0:
        raise ClewError(f"`{place}` must not be negative.")
    if most is not None and value > most:
        raise ClewError(f"`{place}` must not be more than {most}.", code=Code.LIMIT_EXCEEDED)
    return value


def _zone(value: str, place: str) -> str:
    """Return the name of a time zone. Refuse unknown names: Postgres raises on them."""
    try:
        ZoneInfo("" if value.startswith(_UNKNOWN_ZONES) else value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ClewError(f"`{place}` is not a time zone.", hint="Write a name such as Europe/Berlin.") from None
    return value


def _words(value: str, place: str) -> str:
    """Return the text of a web search. Postgres raises on a word of more than 2,046 bytes."""
    text = _text(value, place)
    if len(text.encode()) > _MOST_SEARCHED:
        raise ClewError(f"`{place}` must not be longer than {_MOST_SEARCHED} bytes.")
    return text


def _text(value: str, place: str) -> str:
    try:
        check_text(value)
    except UnstorableError as error:
        raise ClewError(f"`{place}` {error.fault}", hint=error.hint) from None
    return value


def _uuid(value: str, place: str) -> uuid.UUID:
    if not _UUID.fullmatch(value):
        raise ClewError(f"`{place}` must be a UUID.")
    return uuid.UUID(value)


def _integer(value: str, place: str, bound: int) -> int:
    if not _INTEGER.fullmatch(value):
        raise ClewError(f"`{place}` must be an integer.")
    number = int(value)
    if not -bound <= number < bound:
        raise ClewError(f"`{place}` is out of range.")
    return number


def _real(value: float, _place: str) -> float:
    """Return the operand of a comparison with a `real`. Out of range it is infinity: every `real` compares alike."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    return float(value)


def _json(value: Any, place: str) -> str:
    try:
        return stored_text(value)
    except UnstorableError as error:
        raise ClewError(f"`{place}` {error.fault}", hint=error.hint) from None


def _pattern(value: str, form: str, place: str) -> str:
    text = _text(value, place)
    if form == "pattern":
        # LIKE raises only on a pattern that ends in a lone escape.
        if (len(text) - len(text.rstrip("\\"))) % 2:
            raise ClewError(f"`{place}` must not end in a single backslash.", hint="Write \\\\ for a backslash.")
        return text
    escaped = _LIKE_SPECIAL.sub(r"\\\1", text)
    return {"prefix": f"{escaped}%", "suffix": f"%{escaped}", "infix": f"%{escaped}%"}[form]
