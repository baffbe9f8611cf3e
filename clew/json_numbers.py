"""Numbers of JSON as they are written: what a float would round keeps its digits. Imports nothing of Clew."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from types import NoneType
from typing import Any

# No column's type has longer numbers that anybody uses, and Postgres stops at 131,072 digits.
MOST_DIGITS = 1000

# What `numeric` holds beside numbers, as Postgres writes it.
NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})

# Stands for a piece of JSON while the JSON around it is written. Nobody outside can know it.
_MARK = secrets.token_hex(16)


class ExactFloat(float):
    """The float nearest to a number, which is kept as it was written: `str()` gives that, and `int()` goes by it."""

    __slots__ = ("text",)
    text: str

    def __repr__(self) -> str:
        return self.text

    def __int__(self) -> int:
        # A float has all digits of its integers, the number perhaps not all of a float's.
        return int(Decimal(self.text)) if self.is_storable else super().__int__()

    def __reduce__(self) -> tuple[Callable[[str], ExactFloat], tuple[str]]:
        return exact_float, (self.text,)

    @property
    def is_storable(self) -> bool:
        """Whether Postgres' `numeric` holds the number, and it is not too long."""
        try:
            return len(self.text) <= MOST_DIGITS and abs(Decimal(self.text).adjusted()) <= MOST_DIGITS
        except InvalidOperation:
            return False


def exact_float(text: str) -> ExactFloat:
    """The number of a JSON text: for `parse_float=` of Python's decoder."""
    # Not `__new__`, which Python would call twice as slowly.
    number = ExactFloat(text)
    number.text = text
    return number


def _refuse(constant: str) -> Any:
    raise json.JSONDecodeError(constant, "", 0)


class Decoder(json.JSONDecoder):
    """Reads JSON with its numbers as they are written. NaN and Infinity are no JSON, though Python reads them."""

    def __init__(
        self,
        *,
        parse_int: Callable[[str], Any] | None = None,
        object_hook: Callable[[dict[str, Any]], Any] | None = None,
        object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    ) -> None:
        super().__init__(
            parse_float=exact_float,
            parse_constant=_refuse,
            parse_int=parse_int,
            object_hook=object_hook,
            object_pairs_hook=object_pairs_hook,
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise json.JSONDecodeError("a key twice", "", 0)
    return found


class UniqueDecoder(Decoder):
    """Reads JSON as `Decoder` does, and refuses an object with a key twice. Two readers might take different ones."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unique)


_PLAIN = frozenset((str, int, bool, NoneType))


def holds_exact(value: Any) -> bool:
    """Whether a value of JSON holds, at any depth, a number that Python would write otherwise than it was read."""
    if type(value) in _PLAIN:
        # Nearly all values. The tests below are slow.
        return False
    if isinstance(value, Mapping):
        return any(map(holds_exact, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_exact, value))
    return isinstance(value, ExactFloat) and float.__repr__(value) != value.text


class Written:
    """A part of an answer whose numbers are to be written as they were read. A large one may have no such numbers."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def plain(answer: Any) -> Any:
    """An answer with the values of its `Written` parts."""
    if isinstance(answer, dict):
        return {key: plain(item) for key, item in answer.items()}
    if isinstance(answer, list):
        return [plain(item) for item in answer]
    return answer.value if isinstance(answer, Written) else answer


def dumps(value: Any, *, compact: bool = False, allow_nan: bool = False) -> str:
    """JSON text of a value, its numbers as they were read.

    Args:
        compact: without blanks.
        allow_nan: write NaN and infinity, as Python reads them.

    Raises:
        ValueError: it holds NaN or infinity, and may not.
    """
    separators = (",", ":") if compact else (", ", ": ")
    if holds_exact(value):
        return _written(value, *separators, allow_nan)
    return json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=separators)


def _written(value: Any, comma: str, colon: str, allow_nan: bool) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, ExactFloat):
        return value.text
    if isinstance(value, Mapping):
        items = (encode_key(key) + colon + _written(item, comma, colon, allow_nan) for key, item in value.items())
        return "{" + comma.join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + comma.join(_written(item, comma, colon, allow_nan) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=allow_nan)


def encode_key(key: Any) -> str:
    """A key of an object; what is no text becomes one as Python's encoder makes it."""
    return encode_basestring(key if isinstance(key, str) else next(iter(json.loads(json.dumps({key: 0})))))


def encode(value: Any) -> bytes:
    """An answer as JSON in UTF-8. The numbers of its `Written` parts are as they were read.

    Raises:
        ValueError: it holds NaN or infinity, which are no JSON: better no answer than one that no client can read.
    """
    written: list[str] = []

    def mark(part: Any) -> str:
        if not isinstance(part, Written):
            raise TypeError(f"Object of type {type(part).__name__} is not JSON serializable")
        written.append(dumps(part.value, compact=True))
        return f"{_MARK}{len(written) - 1}."

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=mark)
    if written:
        before, *parts = text.split(f'"{_MARK}')
        numbered = (part.partition('."') for part in parts)
        text = before + "".join(written[int(number)] + rest for number, _, rest in numbered)
    return text.encode("utf-8", "replace")
