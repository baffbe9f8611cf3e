"""What became of an operation, and its errors as a client sees them: `docs/errors.md`.

An `Outcome` knows nothing of a transport. A transport encodes it, and says by its own means what it says beside that.
What is not meant for the client goes to the log.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from clew.errors import ClewError, Code
from clew.json_numbers import encode as encode

log = structlog.get_logger("clew.engine")

# Characters of graphql-core's messages.
_LONGEST_MESSAGE = 1000
INTERNAL = "Something went wrong on the server."


# Not frozen: that would cost each request as much as the look into a cache.
@dataclass(slots=True)
class Outcome:
    """What became of an operation.

    `data` is JSON text where the database made it, else plain values; None is `null`.
    `errors` are entries of `errors`, as JSON has them; `code` is the first one's.
    `executed`: execution began, so the response has `data`. Otherwise the request was refused before.
    `error` is what ended the operation as a whole. It is None where fields failed, or the document is not valid.
    `extensions` of the response, as JSON has them.
    `contended`: nothing was done, because another transaction was in the way; the same may succeed at once.
    """

    data: bytes | Mapping[str, Any] | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    executed: bool = True
    error: ClewError | None = None
    extensions: Mapping[str, Any] | None = None
    contended: bool = False

    @property
    def code(self) -> Code | None:
        """The code of the first error, None without errors."""
        return Code(self.errors[0]["extensions"]["code"]) if self.errors else None

    @property
    def body(self) -> bytes:
        """The response as JSON."""
        return self.response(encode(self.errors), self.data if isinstance(self.data, bytes) else encode(self.data))

    def response(self, errors: bytes, data: bytes) -> bytes:
        """Return the response as JSON, of errors and data that are JSON already."""
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
    """One entry of `errors`.

    Args:
        error: from parsing, validation, coercion or execution.
        default: the code of an error that is no ClewError's and no exception's.
        cause: what it is made of, instead of its original error.
        is_news: whether the log has not had its original error yet.
    """
    cause = cause or error.original_error
    if isinstance(cause, ClewError):
        return _entry(cause.message, cause.code, request_id, error, cause.hint, cause.extensions)
    if default is Code.INTERNAL:
        if is_news:
            log.error(
                "resolver failed",
                request_id=request_id,
                path=".".join(str(key) for key in error.path or ()),
                exc_info=cause if cause is not None else error,
            )
        return _entry(INTERNAL, Code.INTERNAL, request_id, error)
    code = Code.GRAPHQL_PARSE_FAILED if isinstance(error, GraphQLSyntaxError) else default
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        # It repeats what the client sent: a name or a text of a hundred thousand characters, twenty times.
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
    """Return the outcome of a request whose document or variables are not valid."""
    return Outcome(errors=[formatted(error, request_id, default) for error in errors], executed=False)


def refusal(error: ClewError, request_id: str) -> Outcome:
    """Return the outcome of a request that one of our own errors stopped before it was executed."""
    return Outcome(errors=[_told(error, request_id)], executed=False, error=error)


def failure(error: ClewError, request_id: str) -> Outcome:
    """Return the outcome of an operation that failed as a whole while it was executed."""
    return Outcome(errors=[_told(error, request_id)], error=error)


def _told(error: ClewError, request_id: str) -> dict[str, Any]:
    return _entry(error.message, error.code, request_id, None, error.hint, error.extensions)


class QueriesOnlyError(ClewError):
    """A request that may only run queries has another operation."""

    def __init__(self) -> None:
        super().__init__("This request can only run a query.")


class RateLimitedError(ClewError):
    """The viewer sends more operations than it may.

    Args:
        rate: operations that are allowed a minute.
        seconds: after which the next one may be sent.
    """

    def __init__(self, rate: int, seconds: int) -> None:
        super().__init__(
            f"Too many operations: at most {rate} a minute are allowed.",
            code=Code.RATE_LIMITED,
            hint=f"Try again in {seconds} s.",
        )
        self.seconds = seconds


class ResponseTooLargeError(ClewError):
    """The answer would have more bytes than the viewer may be sent.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The response is too large: at most {most} bytes are allowed.",
            code=Code.LIMIT_EXCEEDED,
            hint="Ask for fewer fields, or give lists a smaller `limit`.",
        )


def raised(outcome: Outcome) -> ClewError | None:
    """Return the first error as an exception, None without errors."""
    if outcome.error is not None or not outcome.errors:
        return outcome.error
    entry = outcome.errors[0]
    extensions = dict(entry["extensions"])
    del extensions["requestId"]
    code, hint = extensions.pop("code"), extensions.pop("hint", None)
    return ClewError(entry["message"], code=code, hint=hint, extensions=extensions)


def new_request_id() -> str:
    """Make an id for a request that came without one."""
    return uuid.uuid4().hex


def encode_in_parts(value: Any) -> bytes:
    """Encode a large value part by part, so that other threads have their turn between the parts."""
    parts: list[bytes] = []
    _encode_into(parts, value)
    return b"".join(parts)


def _encode_into(parts: list[bytes], value: Any) -> None:
    if isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):
        for index, (key, item) in enumerate(value.items()):
            parts.append((b"," if index else b"{") + encode(key) + b":")
            _encode_into(parts, item)
        parts.append(b"}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            parts.append(b"," if index else b"[")
            _encode_into(parts, item)
        parts.append(b"]")
    else:
        parts.append(encode(value))
