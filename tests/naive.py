"""What Postgres computes of values, once more in Python: aggregates, units of time, parts of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from clew.model.types import ValueType

# More digits than any sum of the tests has: Python's own 28 would round.
_DIGITS = 2000


def measure(function: str, type_: ValueType, values: Sequence[Any]) -> Any:
    """An aggregate of a column of `type_`; null and no rows as in SQL."""
    found = [value for value in values if value is not None]
    if function == "countDistinct":
        return len(set(found))
    if not found:
        return None
    if function in ("min", "max"):
        return min(found) if function == "min" else max(found)
    if type_.name == "Float":
        return sum(found) / (len(found) if function == "avg" else 1)
    with localcontext(prec=_DIGITS):
        total = sum(found, Decimal(0)) if type_.name != "Int" else sum(found)
        if function == "sum":
            return total
        mean = _quotient(Decimal(total), len(found))
    return mean if type_.name == "Decimal" else float(mean)


def _quotient(total: Decimal, count: int) -> Decimal:
    """`numeric` division with the scale that Postgres selects (`select_div_scale` in its numeric.c)."""
    (weight, first), (other_weight, other_first) = _first_digit(total), _first_digit(Decimal(count))
    quotient_weight = weight - other_weight - (first <= other_first)
    scale = min(max(16 - quotient_weight * 4, _scale(total), 0), 1000)
    return (total / count).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def _first_digit(value: Decimal) -> tuple[int, int]:
    """The weight and value of the first digit to the base of 10,000."""
    if not value:
        return 0, 0
    weight = value.adjusted() // 4
    return weight, int(abs(value).scaleb(-4 * weight))


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def truncated(unit: str, value: Any, zone: str | None) -> Any:
    """Where the unit of a moment or a day begins, on the clocks of `zone`."""
    if value is None or unit == "VALUE":
        return value
    if not isinstance(value, datetime):
        return _first_day(unit, value)
    clock = ZoneInfo(zone or "UTC")
    here = value.astimezone(clock)
    if unit in ("HOUR", "MINUTE"):
        # The offset stays, as in Postgres, if the clocks change within the hour.
        cut = timedelta(
            minutes=here.minute if unit == "HOUR" else 0, seconds=here.second, microseconds=here.microsecond
        )
        return value - cut
    day = here.date() if unit == "DAY" else _first_day(unit, here.date())
    return datetime(day.year, day.month, day.day, tzinfo=clock).astimezone(value.tzinfo)


def _first_day(unit: str, day: date) -> date:
    match unit:
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
        case "QUARTER":
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    return day.replace(day=1, month=1)


# --- JSON -----------------------------------------------------------------------------


def json_operate(operator: str, stored: Any, operand: Any) -> bool | None:
    """An operator of a JSON column but for `path`; `stored` is the decoded value, None for SQL's null."""
    match operator:
        case "eq":
            return json_key(stored) == json_key(operand)
        case "neq":
            return json_key(stored) != json_key(operand)
        case "in":
            return json_key(stored) in [json_key(value) for value in operand]
        case "contains":
            return _holds(stored, operand, top=True)
        case "hasKey":
            # A text of its own is to Postgres a list of one.
            return operand in stored if isinstance(stored, dict) else operand in _texts(stored)
    if _kind(stored) != _kind(operand):
        return None
    return bool(
        {"gt": stored > operand, "gte": stored >= operand, "lt": stored < operand, "lte": stored <= operand}[operator]
    )


def at_path(stored: Any, path: Sequence[str]) -> Any:
    """What a decoded JSON value holds at a path; None where there is nothing."""
    for step in path:
        if isinstance(stored, dict):
            stored = stored.get(step)
        elif isinstance(stored, list) and re.fullmatch(r"-?[0-9]+", step) and -len(stored) <= int(step) < len(stored):
            stored = stored[int(step)]
        else:
            return None
    return stored


def json_key(value: Any) -> str:
    """Equal for values that are equal to `jsonb`: numbers by value, true not 1."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [plain(inner) for inner in item]
        if isinstance(item, int | float) and not isinstance(item, bool):
            return {"": str(Decimal(str(item)).normalize() + 0)}
        return item

    return json.dumps([plain(value)], sort_keys=True)


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def _holds(value: Any, part: Any, *, top: bool = False) -> bool:
    """`value @> part`."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and _holds(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(value, list) and all(any(_holds(one, item) for one in value) for item in part)
    if top and isinstance(value, list):
        return any(json_key(item) == json_key(part) for item in value)
    return json_key(value) == json_key(part)
