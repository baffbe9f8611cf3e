"""The demo's page at `/`: one file of HTML and one script."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "page"
_POLICY = "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def _page(_request: Request) -> FileResponse:
    return FileResponse(_FOLDER / "index.html", headers={"content-security-policy": _POLICY})


async def _script(_request: Request) -> FileResponse:
    return FileResponse(_FOLDER / "page.js")


routes = [Route("/", _page), Route("/page.js", _script)]
