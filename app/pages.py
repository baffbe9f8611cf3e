"""The demo's page at `/`: one file of HTML, one script, and an icon."""

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


async def _icon(_request: Request) -> FileResponse:
    return FileResponse(_FOLDER / "icon.svg")


routes = [Route("/", _page), Route("/page.js", _script), Route("/icon.svg", _icon)]
