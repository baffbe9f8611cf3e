"""Read the body of a request: complete JSON of a limited size."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive, Scope

from clew.deadlines import Deadlines
from clew.errors import ClewError, Code
from clew.wire.disconnect import ClientGone

# For the whole body.
_DEADLINES = Deadlines(seconds=10.0)


class HTTPError(Exception):
    """The request is refused by the rules of HTTP."""

    def __init__(self, status: int, error: ClewError, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.error = error
        self.headers = headers


async def json_body(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    """Return the bytes of a body whose Content-Type is JSON.

    Args:
        headers: those of the scope, by lower-case name.
        most: the largest number of bytes.

    Raises:
        HTTPError: 415 for another type, 413 for too many bytes, 408 if they do not arrive in time.
        ClientGone: the client left.
    """
    # Few requests have a header twice.
    if len(headers) != len(scope["headers"]) and [name for name, _ in scope["headers"]].count(b"content-type") > 1:
        raise HTTPError(415, ClewError("Content-Type is given twice.", hint="Send one Content-Type: application/json."))
    # A form on a foreign page cannot send this type. That is the protection against CSRF.
    kind, _, parameters = headers.get(b"content-type", b"").partition(b";")
    if kind.strip().lower() != b"application/json":
        raise HTTPError(
            415, ClewError("The body must be application/json.", hint="Set Content-Type: application/json.")
        )
    if parameters and not _is_utf8(parameters):
        raise HTTPError(415, ClewError("The body must be UTF-8.", hint="Leave the charset out."))
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HTTPError(415, ClewError("A compressed body is not supported.", hint="Send it uncompressed."))
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 12 or int(length) > most):
        raise too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        with _DEADLINES.limit():
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > most:
                    raise too_large(most)
                if not message.get("more_body"):
                    return b"".join([*parts, part]) if parts else part
                parts.append(part)
    except TimeoutError:
        error = ClewError("The body did not arrive in time.", code=Code.TIMEOUT)
        raise HTTPError(408, error, ((b"connection", b"close"),)) from None


def too_large(most: int) -> HTTPError:
    """Return the refusal of a request with more bytes than allowed."""
    error = ClewError(f"The request is larger than {most} bytes.", code=Code.LIMIT_EXCEEDED)
    # The rest of the body is not read, so the connection cannot be used again.
    return HTTPError(413, error, ((b"connection", b"close"),))


def _is_utf8(parameters: bytes) -> bool:
    for parameter in parameters.lower().split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            return False
    return True
