"""Comparisons that Postgres cannot interrupt: what a client may ask for is soon over, the rest is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.lab import Lab, ask, client_of

# Values of a request's body. In each a comparison goes as far as it can before it finds a difference.
TEXT = "a" * 1_000_000
TAGS = [f"{number:x}" for number in range(100_000)]
DATA = [0] * 300_000 + [1]
# In seconds of the database's processor: what 400 units of work come to, with room for slow machines.
MOST = 4.0

LARGEST: tuple[tuple[str, Any], ...] = (
    ("text", {"contains": "a" * 390 + "b"}),
    ("text", {"endsWith": "a" * 390 + "b"}),
    ("text", {"like": "%" + "a" * 390 + "b%"}),
    ("text", {"ilike": "%" + "a" * 390 + "B%"}),
    ("text", {"contains": "ab" * 190}),
    ("tags", {"hasAny": [f"x{number}" for number in range(390)]}),
    ("tags", {"hasAll": [f"{number:x}" for number in range(99_700, 100_000)]}),
    ("data", {"contains": [1] * 130}),
    ("data", {"path": [{"at": [], "contains": [1] * 130}]}),
)

REFUSED: tuple[tuple[str, Any], ...] = (
    ("text", {"contains": "a" * 60_000 + "b"}),
    ("text", {"endsWith": "a" * 500}),
    ("text", {"like": "%" + "a" * 20_000 + "b%"}),
    ("text", {"ilike": "a%" + "A" * 3000 + "%"}),
    ("tags", {"hasAny": [f"x{number}" for number in range(500)]}),
    ("tags", {"hasAll": [f"x{number}" for number in range(10_000)]}),
    ("data", {"contains": [1] * 2000}),
    ("data", {"path": [{"at": [], "contains": [1] * 2000}]}),
)


@pytest.fixture
async def client(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    """Of an application with one row of such values."""
    await lab.aside.execute(
        "INSERT INTO wides (id, text, tags, data) VALUES (1, $1, $2, $3)", TEXT, TAGS, json.dumps(DATA)
    )
    async with client_of(lab.app(pool_max=1, statement_timeout=60)) as client:
        yield client


@pytest.mark.anyio
@pytest.mark.parametrize(("field", "condition"), LARGEST, ids=lambda part: str(part)[:30])
async def test_the_largest_comparison_is_soon_over(
    lab: Lab, client: httpx.AsyncClient, field: str, condition: Any
) -> None:
    # The session is one of the pool, of which there is one.
    await ask(client, "{ items { id } }")
    process = await lab.aside.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'clew' AND datname = current_database()"
    )
    before = processor_seconds(process)
    answer = await ask(client, "query ($w: WideFilter) { wides(where: $w) { id } }", w={field: condition})
    assert answer.json().keys() == {"data"}, answer.text
    assert processor_seconds(process) - before < MOST


@pytest.mark.anyio
@pytest.mark.parametrize(("field", "condition"), REFUSED, ids=lambda part: str(part)[:30])
async def test_a_longer_one_is_refused(lab: Lab, client: httpx.AsyncClient, field: str, condition: Any) -> None:
    for document in (
        "query ($w: WideFilter) { wides(where: $w) { id } }",
        "query ($w: WideFilter) { widesConnection(where: $w) { totalCount } }",
        'mutation ($w: WideFilter!) { updateWides(where: $w, set: {text: ""}) { count } }',
        "mutation ($w: WideFilter!) { deleteWides(where: $w) { count } }",
    ):
        (error,) = (await ask(client, document, w={"not": {field: condition}})).json()["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert f"`where.not.{field}." in error["message"]


def processor_seconds(process: int) -> float:
    """Return the time that a process has used (proc(5))."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100
