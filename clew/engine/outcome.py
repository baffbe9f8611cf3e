"""The result of an operation, and its errors as a client sees them: `docs/errors.md`.

An `Outcome` does not depend on a transport. Each transport encodes it, and adds its own status and headers. Details
that are not meant for the client go to the log.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from clew.aside import PLAIN
from clew.errors import ClewError, Code
from clew.json_numbers import Written, dumps, encode_key
from clew.json_numbers import encode as encode

log = structlog.get_logger("clew.engine")

# How many characters of a graphql-core message a client gets.
_LONGEST_MESSAGE = 1000
# Where graphql-core says that an input is null, and has Python's word for it. What a client sent is quoted, so it
# cannot end a message like this.
_PYTHONS_NULL = re.compile(r"(?<=' not to be )None(?=\.\Z)")
# How many plain items of a list are encoded in one go.
_ITEMS = 1000
# How many characters of text are encoded in one go.
_CHARACTERS = 64 * 1024
INTERNAL = "Something went wrong on the server."


# Not frozen: freezing would cost each request as much as a cache lookup.
@dataclass(slots=True)
class Outcome:
    """The result of an operation.

    `data` is JSON text if the database made it, else plain values; None is `null`.
    `errors` are the entries of the response's `errors`, as plain JSON values; `code` is the code of the first entry.
    `executed`: execution began, so the response has `data`. If False, the request was refused before.
    `error` is the error that ended the whole operation. It is None if only fields failed, or the document is invalid.
    `extensions` are those of the response, as plain JSON values.
    `contended`: another transaction was in the way, so nothing was done. A new try may succeed at once.
    """

    data: bytes | Mapping[str, Any] | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    executed: bool = True
    error: ClewError | None = None
    extensions: Mapping[str, Any] | None = None
    contended: bool = False

    @property
    def code(self) -> Code | None:
        """Return the code of the first error; None without errors."""
        return Code(self.errors[0]["extensions"]["code"]) if self.errors else None

    @property
    def body(self) -> bytes:
        """Return the response as JSON."""
        return self.response(encode(self.errors), self.data if isinstance(self.data, bytes) else encode(self.data))

    def response(self, errors: bytes, data: bytes) -> bytes:
        """Return the response as JSON, given errors and data as JSON."""
        if not self.errors and self.extensions is None:
            return b'{"data":%b}' % data
        parts: list[bytes] = []
        if self.errors:
            parts += (b',"errors":', errors)
        if self.executed:
            parts += (b',"data":', data)
        if self.extensions is not None:
            parts += (b',"extensions":', encode(self.extensions))
        parts[0] = b"{" + parts[0][1:]
        return b"".join((*parts, b"}"))


def formatted(
    error: GraphQLError,
    request_id: str,
    default: Code,
    cause: BaseException | None = None,
    *,
    is_news: bool = True,
) -> dict[str, Any]:
    """Return one entry of `errors`. Log an unexpected error, and a fault of the application's own operation.

    Args:
        error: an error from parsing, validation, coercion or execution.
        default: the code of an error that neither a ClewError nor another exception caused.
        cause: the exception to report instead of the original error.
        is_news: False if the original error is in the log already.
    """
    cause = cause or error.original_error
    told = cause.told if isinstance(cause, ClewError) else None
    if is_news and default is Code.INTERNAL and (told is None or told is not cause):
        log.error(
            "resolver failed",
            request_id=request_id,
            path=".".join(str(key) for key in error.path or ()),
            exc_info=cause if cause is not None else error,
        )
    if told is not None:
        return _entry(told.message, told.code, request_id, error, told.hint, told.extensions)
    if default is Code.INTERNAL:
        return _entry(INTERNAL, Code.INTERNAL, request_id, error)
    code = Code.GRAPHQL_PARSE_FAILED if isinstance(error, GraphQLSyntaxError) else default
    message = _PYTHONS_NULL.sub("null", error.message)
    if len(message) > _LONGEST_MESSAGE:
        # A message repeats what the client sent. That may be a name of a hundred thousand characters, twenty times.
        message = f"{message[:_LONGEST_MESSAGE]} ..."
    return _entry(message, code, request_id, error)


def _entry(
    message: str,
    code: Code,
    request_id: str,
    error: GraphQLError | None = None,
    hint: str | None = None,
    extensions: dict[str, Any] | None = None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": message}
    if error is not None and error.locations:
        entry["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error is not None and error.path:
        entry["path"] = error.path
    entry["extensions"] = {**(extensions or {}), "code": code.value}
    if hint:
        entry["extensions"]["hint"] = hint
    entry["extensions"]["requestId"] = request_id
    return entry


def refused(errors: Sequence[GraphQLError], request_id: str, default: Code) -> Outcome:
    """Return the outcome of a request with an invalid document or invalid variables."""
    return Outcome(errors=[formatted(error, request_id, default) for error in errors], executed=False)


def refusal(error: ClewError, request_id: str) -> Outcome:
    """Return the outcome of a request that a ClewError stopped before execution."""
    return Outcome(errors=[_told(error, request_id)], executed=False, error=error)


def failure(error: ClewError, request_id: str) -> Outcome:
    """Return the outcome of an operation that failed as a whole during execution."""
    return Outcome(errors=[_told(error, request_id)], error=error)


def _told(error: ClewError, request_id: str) -> dict[str, Any]:
    error = error.told
    return _entry(error.message, error.code, request_id, None, error.hint, error.extensions)


class QueriesOnlyError(ClewError):
    """The request may only run queries, but its operation is a mutation."""

    def __init__(self) -> None:
        super().__init__("This request can only run a query.")


class NotStreamedError(ClewError):
    """The operation is a subscription, but the request gets one response."""

    def __init__(self) -> None:
        super().__init__(
            "A subscription cannot be run as a single request.",
            hint="Send it over a WebSocket, or with `Accept: text/event-stream`.",
        )


class RunsPythonError(ClewError):
    """The mutation would run the application's code in a rehearsal, and must not."""

    def __init__(self, hint: str) -> None:
        super().__init__("The mutation runs Python of the project, whose effects a rollback may not undo.", hint=hint)


class RateLimitedError(ClewError):
    """The viewer sends operations too often.

    Args:
        rate: how many operations are allowed in a minute.
        seconds: how long to wait before the next operation.
    """

    def __init__(self, rate: int, seconds: int) -> None:
        super().__init__(
            f"Too many operations: at most {rate} a minute are allowed.",
            code=Code.RATE_LIMITED,
            hint=f"Try again in {seconds} s.",
        )
        self.seconds = seconds


class ResponseTooLargeError(ClewError):
    """The response would be larger than the viewer's limit.

    Args:
        most: the limit in bytes.
    """

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The response is too large: at most {most} bytes are allowed.",
            code=Code.LIMIT_EXCEEDED,
            hint="Ask for fewer fields, or give lists a smaller `limit`.",
        )


def raised(outcome: Outcome) -> ClewError | None:
    """Return the first error as an exception; None without errors."""
    if outcome.error is not None or not outcome.errors:
        return outcome.error
    entry = outcome.errors[0]
    extensions = dict(entry["extensions"])
    del extensions["requestId"]
    code, hint = extensions.pop("code"), extensions.pop("hint", None)
    return ClewError(entry["message"], code=code, hint=hint, extensions=extensions)


def new_request_id() -> str:
    """Return an id for a request that came without one."""
    return uuid.uuid4().hex


def encode_in_parts(value: Any) -> bytes:
    """Encode a large or deep value part by part, so that other threads can run between the parts."""
    # Not a list of parts: to free millions of them at its end would block the other threads.
    text = bytearray()
    # The values that are under way by their ids, the outermost first: Python's own stack is too small for deep ones.
    under_way = {id(value): _parts(text, value, as_read=False)}
    while under_way:
        last = next(reversed(under_way))
        for inner, as_read in under_way[last]:
            if id(inner) in under_way:
                raise ValueError("The answer holds a value that holds itself.")
            under_way[id(inner)] = _parts(text, inner, as_read=as_read)
            break
        else:
            # `del` would leave a gap, which `reversed` would pass over each time.
            under_way.popitem()
    return bytes(text)


def _parts(text: bytearray, value: Any, *, as_read: bool) -> Iterator[tuple[Any, bool]]:
    """Append the JSON of a value. Yield each value in it that is not encoded in one go, with its `as_read`.

    Args:
        as_read: whether numbers are to be written as they were read.
    """
    if isinstance(value, Written):
        yield value.value, True
    elif isinstance(value, str):
        text += b'"'
        for index in range(0, len(value), _CHARACTERS):
            text += encode(value[index : index + _CHARACTERS])[1:-1]
        text += b'"'
    elif isinstance(value, dict) and not _is_small(value):
        text += b"{"
        for index, (key, item) in enumerate(value.items()):
            text += b"," if index else b""
            if isinstance(key, str):
                yield key, False
            else:
                text += encode_key(key).encode()
            text += b":"
            if _is_small(item):
                text += _whole(item, as_read=as_read)
            else:
                yield item, as_read
        text += b"}"
    elif isinstance(value, list):
        text += b"["
        for start in range(0, len(value), _ITEMS):
            text += b"," if start else b""
            items = value[start : start + _ITEMS]
            if _is_small(items):
                text += _whole(items, as_read=as_read)[1:-1]
                continue
            for index, item in enumerate(items):
                text += b"," if index else b""
                if _is_small(item):
                    text += _whole(item, as_read=as_read)
                else:
                    yield item, as_read
        text += b"]"
    else:
        text += _whole(value, as_read=as_read)


def _is_small(value: Any) -> bool:
    """Return whether to encode a value in one go: it holds no others that hold values, and no long texts."""
    if isinstance(value, dict):
        items: Iterable[Any] = chain(value, value.values())
    elif isinstance(value, list):
        if len(value) > _ITEMS:
            return False
        items = value
    else:
        items = (value,)
    characters = 0
    for item in items:
        if type(item) is str:
            characters += len(item)
        elif type(item) not in PLAIN and isinstance(item, dict | list | Written):
            return False
    return characters <= _CHARACTERS


def _whole(value: Any, *, as_read: bool) -> bytes:
    return dumps(value, compact=True).encode("utf-8", "replace") if as_read else encode(value)
