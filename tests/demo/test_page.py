"""The demo's page asks for nothing that is not there."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette

from app.pages import routes


@pytest.mark.anyio
async def test_the_page_and_all_its_files() -> None:
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        page = (await client.get("/")).raise_for_status()
        files = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.text)
        types = {file: (await client.get(file)).raise_for_status().headers["content-type"] for file in files}
    # Without an icon of its own a page asks for /favicon.ico.
    assert types["/icon.svg"].startswith("image/svg+xml")
    assert "javascript" in types["/page.js"]
