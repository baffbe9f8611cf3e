"""Tables that were there before Clew, as `docs/existing-database.md` brings them into a project."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from graphql import Source

from clew import Clew, Viewer
from clew.model.build import parse_model
from tests.migrations.project import REPOSITORY, Project

PAGE = (REPOSITORY / "docs" / "existing-database.md").read_text("utf-8")


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def edit(revision: Path) -> None:
    """Delete what the page does not keep."""
    made = revision.read_text()
    kept = block("python")
    assert set(kept.splitlines()) <= set(made.splitlines()), "nothing is kept that the revision did not have"
    revision.write_text(made[: made.index("def upgrade")] + kept)


def test_they_are_served_and_left_as_they_are(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    sdl = block("graphql sdl")
    (project.root / "graphql").mkdir()
    (project.root / "graphql" / "schema.graphql").write_text(sdl)
    project.execute(block("sql"))
    project.execute(
        "INSERT INTO tbl_customer (full_nm) VALUES ('Ada'); INSERT INTO tbl_order VALUES (7, 1, 'PAID', 12)"
    )
    before = set(project.schema())

    model = parse_model(Source(sdl))
    made = project.make(model, "what was there")
    assert made is not None
    edit(made.path)
    project.up()
    assert project.make(model) is None
    assert [kind for kind, *_ in before - set(project.schema())] == []

    monkeypatch.setenv("DATABASE_URL", project.url)
    clew, clerk = Clew(project=project.root), Viewer("42", frozenset({"clerk"}))

    async def use() -> tuple[object, object]:
        async with clew.running():
            created = await clew.graphql('mutation { createCustomer(input: {name: "Bo"}) { id } }', viewer=clerk)
            found = await clew.graphql("{ customers { name orders { id state total } } }", viewer=clerk)
            return created, found

    created, found = asyncio.run(use())
    assert created == {"createCustomer": {"id": 2}}
    ordered = [{"id": 7, "state": "PAID", "total": "12.00"}]
    assert found == {"customers": [{"name": "Ada", "orders": ordered}, {"name": "Bo", "orders": []}]}

    project.down()
    assert project.value("SELECT count(*) FROM tbl_customer") == 2
