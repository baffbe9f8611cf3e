"""The office, on a server of its own that logs every statement: they are counted there, not by us."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clew import Viewer
from clew.engine import Engine, Request
from tests.engine.office import Office, make_office

EXECUTED = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*)")


@dataclass(frozen=True)
class Desk:
    """An engine on the office, and the server's log."""

    engine: Engine
    office: Office
    log: Path

    async def answer(self, viewer: Viewer, document: str, **variables: Any) -> dict[str, Any]:
        """The response, the errors' request ids left out."""
        response = await self.engine.execute(Request(document, variables), viewer)
        found: dict[str, Any] = json.loads(response.body)
        for error in found.get("errors", ()):
            error["extensions"].pop("requestId")
        return found

    async def data(self, viewer: Viewer, document: str, **variables: Any) -> Any:
        found = await self.answer(viewer, document, **variables)
        assert "errors" not in found, found
        return found["data"]

    async def statements(self, viewer: Viewer, document: str, **variables: Any) -> list[str]:
        """What the server logs while the operation runs, once all it needs is prepared."""
        await self.answer(viewer, document, **variables)
        before = self.log.stat().st_size
        await self.answer(viewer, document, **variables)
        return EXECUTED.findall(self.log.read_text()[before:])

    async def names(self) -> dict[str, str]:
        """What has been committed."""
        rows = await self.engine.pool.fetch("SELECT id, name FROM people ORDER BY id", ())
        return {row["id"]: row["name"] for row in rows}


@pytest.fixture(scope="module")
def logging_office(
    logging_server: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Office, Path]]:
    url, log = logging_server
    with make_office(url, tmp_path_factory.mktemp("office")) as office:
        yield office, log


@pytest.fixture
async def desk(logging_office: tuple[Office, Path]) -> AsyncIterator[Desk]:
    """An engine with a pool of this test's own."""
    office, log = logging_office
    engine = office.engine()
    yield Desk(engine, office, log)
    await engine.pool.close()
