"""What requests get that no route answers: errors with a JSON body, as everywhere (SPEC 7)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from clew.engine.outcome import new_request_id, refusal
from clew.errors import ClewError, Code

_CODES = {401: Code.UNAUTHENTICATED, 403: Code.FORBIDDEN, 404: Code.NOT_FOUND}


def refused_by_http(_request: Request, error: Exception) -> Response:
    """The JSON body of an HTTPException, the application's own routes' among them."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, Code.BAD_USER_INPUT if error.status_code < 500 else Code.INTERNAL)
    hint = "The API is at /graphql." if error.status_code == 404 else None
    body = refusal(ClewError(f"{error.detail}.", code=code, hint=hint), new_request_id()).body
    return Response(body, error.status_code, error.headers, "application/json")
