"""Each `.graphql` here has its SQL and its result beside it: a change of either is seen in review.

`pytest tests/golden --write-golden` writes them anew. The first line of a document may give
its variables: `# variables: {"id": 1}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clew import Viewer
from clew.engine import Engine, Request
from tests.shop import Shop

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.graphql"))
PREFIX = "# variables:"


def read_case(path: Path) -> tuple[str, dict[str, Any]]:
    document = path.read_text()
    first = document.partition("\n")[0]
    return document, json.loads(first.removeprefix(PREFIX)) if first.startswith(PREFIX) else {}


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


def test_there_is_a_case_for_each_golden_file() -> None:
    stems = {path.with_suffix("") for path in CASES}
    orphans = [
        path for suffix in ("sql", "json") for path in HERE.glob(f"*/*.{suffix}") if path.with_suffix("") not in stems
    ]
    assert orphans == []
