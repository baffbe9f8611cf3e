"""Every audit of npm's graphql-http, against a server of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.lab import served
from tests.node import assert_locked, installed, node
from tests.wire.conftest import MakeApp

AUDITS = Path(__file__).parent / "audits"


@pytest.mark.anyio
async def test_all_61_audits_of_graphql_http_are_ok(make_app: MakeApp) -> None:
    folder = await installed(AUDITS)
    async with served(make_app()) as port:
        output = await node(folder, "audit.mjs", f"http://localhost:{port}/graphql")
    results = [json.loads(line) for line in output.splitlines()]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


def test_the_audits_are_locked() -> None:
    assert_locked(AUDITS)
