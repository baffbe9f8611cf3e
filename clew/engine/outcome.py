"""Errors as a client sees them (SPEC 10). What is not meant for the client goes to the log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from clew.engine.types import Response
from clew.errors import ClewError, Code
from clew.exact import encode as encode

log = structlog.get_logger("clew.engine")

# Characters of graphql-core's messages.
_LONGEST_MESSAGE = 1000
INTERNAL = "Something went wrong on the server."


def formatted(
    error: GraphQLError, request_id: str, default: Code, cause: BaseException | None = None
) -> dict[str, Any]:
    """One entry of `errors`.

    Args:
        error: from parsing, validation, coercion or execution.
        default: the code of an error that is no ClewError's and no exception's.
        cause: what it is made of, instead of its original error.
    """
    cause = cause or error.original_error
    if isinstance(cause, ClewError):
        return _entry(cause.message, cause.code, request_id, error, cause.hint, cause.extensions)
    if default is Code.INTERNAL:
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


def refused(errors: Sequence[GraphQLError], request_id: str, default: Code) -> Response:
    """The response to a request that was not executed."""
    entries = [formatted(error, request_id, default) for error in errors]
    return Response(encode({"errors": entries}), executed=False, code=Code(entries[0]["extensions"]["code"]))


def refusal(error: ClewError, request_id: str) -> Response:
    """The response to a request that one of our own errors stopped before it was executed."""
    entry = _entry(error.message, error.code, request_id, None, error.hint, error.extensions)
    return Response(encode({"errors": [entry]}), executed=False, code=error.code)


def failure(error: ClewError, request_id: str) -> Response:
    """The response to an operation that failed as a whole while it was executed."""
    entry = _entry(error.message, error.code, request_id, None, error.hint, error.extensions)
    status = 503 if error.code is Code.UNAVAILABLE else None
    return Response(encode({"errors": [entry], "data": None}), executed=True, code=error.code, status=status)


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


def raised(entry: Mapping[str, Any]) -> ClewError:
    """One entry of `errors` as the exception that it was made of, or could have been."""
    extensions = dict(entry["extensions"])
    del extensions["requestId"]
    code, hint = extensions.pop("code"), extensions.pop("hint", None)
    return ClewError(entry["message"], code=code, hint=hint, extensions=extensions)


def new_request_id() -> str:
    """An id for a request that came without one."""
    return uuid.uuid4().hex


def encode_in_parts(value: Any) -> bytes:
    """As `encode`, of what is large: a part after the other, so that other threads have their turn between them."""
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
