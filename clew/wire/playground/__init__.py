"""The playground at `/graphql` (docs/playground.md): its page, its files, and the JSON that the page asks for."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from clew.access.visible import Access
from clew.auth.authenticate import Authenticator
from clew.errors import ClewError, Code
from clew.wire.playground.diagram import diagram
from clew.wire.playground.examples import examples
from clew.wire.respond import Headers

# What `make playground` makes: the page, and beside it the page's files, where its links lead to.
BUILT = Path(__file__).parent / "built"
_PREFIX = "/graphql/playground"
_FALLBACK = Path(__file__).parent / "fallback.html"
_CDN = "https://unpkg.com"

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".ttf": "font/ttf"}
# The name of a file has the hash of its content.
_FOR_EVER = "public, max-age=31536000, immutable"


class Playground:
    """The page, and the routes beside it. The page is read anew for each request, since it may be built meanwhile.

    Args:
        access: the rules of the model that the diagram shows.
        authenticator: finds the sender of a request.
        operations: the folder of the project's operations.
    """

    def __init__(self, access: Access, authenticator: Authenticator, operations: Path) -> None:
        self._access = access
        self._authenticator = authenticator
        self._operations = operations
        self.routes: Sequence[BaseRoute] = (
            Route(f"{_PREFIX}/examples.json", self._examples),
            Route(f"{_PREFIX}/model.json", self._model),
            Route(f"{_PREFIX}/{{name}}", self._file),
        )

    def page(self) -> tuple[bytes, Headers]:
        """Return the page and its headers. If it has not been built, it is GraphiQL from a CDN."""
        try:
            return (BUILT / "index.html").read_bytes(), _headers(_policy("'self'"))
        except FileNotFoundError:
            return self._fallback

    @cached_property
    def _fallback(self) -> tuple[bytes, Headers]:
        body = _FALLBACK.read_bytes()
        (script,) = re.findall(rb"<script>(.*?)</script>", body, re.DOTALL)
        known = base64.b64encode(hashlib.sha256(script).digest()).decode()
        return body, _headers(_policy(f"'sha256-{known}' {_CDN}", also=_CDN))

    async def _examples(self, _request: Request) -> Response:
        found = await run_in_threadpool(examples, self._operations)
        return JSONResponse({"examples": found}, headers={"cache-control": "no-cache"})

    async def _model(self, request: Request) -> Response:
        """Show the whole model with its rules, as only an admin may see it."""
        caller = await self._authenticator.caller(request.scope, dict(request.scope["headers"]))
        if not caller.is_admin:
            code = Code.UNAUTHENTICATED if caller.id is None else Code.FORBIDDEN
            raise ClewError("The model is for an admin.", code=code)
        return JSONResponse(await run_in_threadpool(diagram, self._access), headers={"cache-control": "no-store"})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        folder = BUILT / _PREFIX.lstrip("/")
        # A name that the folder lists leads nowhere else.
        if name not in _names(folder):
            raise HTTPException(404)
        media = _TYPES.get(Path(name).suffix, "application/octet-stream")
        return FileResponse(folder / name, media_type=media, headers={"cache-control": _FOR_EVER})


def _names(folder: Path) -> set[str]:
    """Return the names of the files in a folder, which need not exist."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def _policy(scripts: str, also: str = "") -> str:
    """Return the Content-Security-Policy of a page.

    The editor makes `<style>` elements and `style` attributes, which no hash can name. Scripts are never inline, but
    for one whose hash is in `scripts`.

    Args:
        scripts: the sources of scripts.
        also: a further source of styles and fonts.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "worker-src 'self'",
            "connect-src 'self'",
            f"style-src 'self' 'unsafe-inline' {also}".rstrip(),
            f"font-src 'self' data: {also}".rstrip(),
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _headers(policy: str) -> Headers:
    return (
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
    )
