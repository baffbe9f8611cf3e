"""Which pages of other origins may call (CORS)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from clew.engine.outcome import new_request_id, refusal
from clew.errors import ClewError

_OF_THE_BODY = ("content-length", "content-type")


class Cors(CORSMiddleware):
    """Starlette's middleware, with the usual JSON for a preflight that is refused."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        message = f"{bytes(response.body).decode()}."
        hint = "CLEW_CORS_ORIGINS lists the origins that may call." if "origin" in message else None
        headers = {name: value for name, value in response.headers.items() if name not in _OF_THE_BODY}
        body = refusal(ClewError(message, hint=hint), new_request_id()).body
        return Response(body, response.status_code, headers, "application/json")
