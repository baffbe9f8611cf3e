"""Each `.graphql` here has its SQL and its result beside it: a change of either is seen in review.

`pytest tests/golden --write-golden` writes them anew. The first line of a document may give
its variables: `# variables: {"id": 1}`.

Those of mutations have the steps in their order, each with its plan as a comment and its statement. What the answer
reads has the plan alone: statements of reads have cases of their own. `writes` are an admin's on the shop. In `ruled`
the first line says who writes to the club: `# viewer: {"sub": "ann"}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clew import Viewer
from clew.engine import Engine, Request
from clew.engine.explain import rehearsed, step_lines
from clew.writes.witness import Phase
from tests.shop import Shop
from tests.writes.api import Api

HERE = Path(__file__).parent
ALL = sorted(HERE.glob("*/*.graphql"))
CASES = [path for path in ALL if path.parent.name not in ("writes", "ruled")]
PREFIX = "# variables:"


def read_case(path: Path, prefix: str = PREFIX) -> tuple[str, dict[str, Any]]:
    document = path.read_text()
    first = document.partition("\n")[0]
    return document, json.loads(first.removeprefix(prefix)) if first.startswith(prefix) else {}


def compare(path: Path, text: str, write: bool) -> None:
    if write:
        path.write_text(text)
    assert path.read_text() == text


def without_ids(response: dict[str, Any]) -> dict[str, Any]:
    for error in response.get("errors", ()):
        error["extensions"].pop("requestId")
    return response


@pytest.mark.anyio
@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_the_statement_and_the_result_are_the_golden_ones(
    path: Path, shop: Shop, engine: Engine, pytestconfig: pytest.Config
) -> None:
    write: bool = pytestconfig.getoption("--write-golden")
    document, variables = read_case(path)
    if path.parent.name != "errors":
        sql = shop.clew.compile(document, variables).sql
        compare(path.with_suffix(".sql"), sql + "\n", write)
    response = json.loads((await engine.execute(Request(document, variables), Viewer.admin())).body)
    without_ids(response)
    compare(path.with_suffix(".json"), json.dumps(response, indent=2, ensure_ascii=False) + "\n", write)


@pytest.mark.anyio
@pytest.mark.parametrize("path", [p for p in CASES if p.parent.name == "reads"], ids=lambda path: path.stem)
async def test_graphql_core_gives_the_same_over_the_rows(path: Path, shop: Shop, engine: Engine) -> None:
    document, variables = read_case(path)
    response = await engine.execute(Request(document, variables), Viewer.admin())
    expected = json.dumps(shop.reference.execute(document, variables), ensure_ascii=False)
    # As text, because the order of the keys counts too.
    assert json.dumps(json.loads(response.body), ensure_ascii=False) == expected


async def compare_write(path: Path, engine: Engine, document: str, viewer: Viewer, write: bool) -> None:
    witness, outcome = await rehearsed(engine, Request(document), viewer)
    parts: list[str] = []
    for number, step in enumerate(witness.steps, 1):
        first, *plan = step_lines(step)
        sql = [] if step.phase is Phase.READ else [step.sql + ";"]
        parts.append("\n".join([f"-- {number}: {first}", *("-- " + line for line in plan), *sql]))
    compare(path.with_suffix(".sql"), "\n\n".join(parts) + "\n", write)
    found = without_ids(json.loads(outcome.body))
    compare(path.with_suffix(".json"), json.dumps(found, indent=2, ensure_ascii=False) + "\n", write)


@pytest.mark.anyio
@pytest.mark.parametrize("path", [p for p in ALL if p.parent.name == "writes"], ids=lambda path: path.stem)
async def test_a_mutations_steps_and_its_result_are_the_golden_ones(
    path: Path, engine: Engine, pytestconfig: pytest.Config
) -> None:
    document, _ = read_case(path)
    await compare_write(path, engine, document, Viewer.admin(), pytestconfig.getoption("--write-golden"))


@pytest.mark.anyio
@pytest.mark.parametrize("path", [p for p in ALL if p.parent.name == "ruled"], ids=lambda path: path.stem)
async def test_the_steps_of_a_mutation_under_rules_are_the_golden_ones(
    path: Path, club: Api, pytestconfig: pytest.Config
) -> None:
    document, claims = read_case(path, "# viewer:")
    viewer = Viewer.seen_as(["user"], claims)
    await compare_write(path, club.engine, document, viewer, pytestconfig.getoption("--write-golden"))


def test_there_is_a_case_for_each_golden_file() -> None:
    stems = {path.with_suffix("") for path in ALL}
    orphans = [
        path for suffix in ("sql", "json") for path in HERE.glob(f"*/*.{suffix}") if path.with_suffix("") not in stems
    ]
    assert orphans == []
