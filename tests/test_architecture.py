"""ARCHITECTURE.md is true of the code, and the import layers are what it says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

# A path, and after a colon a name in that file: `clew/engine/engine.py:Engine.execute`.
PLACE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+(?:/|\.(?:py|sql|json|graphql|toml|md)))(?::([\w.]+))?`")
# Made by the project's first migration.
GENERATED = {"migrations/schema.json"}


@cache
def names_in(file: Path) -> frozenset[str]:
    """The functions, classes and methods that a module defines, as `name` or `Class.name`."""

    def walk(body: list[ast.stmt], prefix: str) -> set[str]:
        found: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found |= walk(node.body, f"{prefix}{node.name}.")
        return found

    return frozenset(walk(ast.parse(file.read_text("utf-8")).body, ""))


def packages() -> list[Path]:
    """Everything on the first level of `clew/`: its folders and modules."""
    folders = [path for path in (ROOT / "clew").iterdir() if (path / "__init__.py").exists()]
    return sorted([*folders, *(ROOT / "clew").glob("[!_]*.py")])


def import_contracts() -> list[dict[str, object]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts: list[dict[str, object]] = document["tool"]["importlinter"]["contracts"]
    return contracts


def test_every_place_it_names_exists() -> None:
    places = PLACE.findall(TEXT)
    assert len(places) > 60
    wrong = []
    for path, name in places:
        file = ROOT / path
        if path not in GENERATED and not file.exists():
            wrong.append(path)
        elif name and name not in names_in(file):
            wrong.append(f"{path}:{name}")
    assert wrong == []


def test_it_tells_where_to_begin() -> None:
    section = TEXT.split("## Where to begin\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    subjects = [row[0].removeprefix("| ").split(",")[0] for row in rows]
    assert subjects == [
        *("an operator of filters", "a directive", "a scalar", "a transport"),
        *("another form of output", "a panel of the playground"),
        *(
            "a limit",
            "a rule position",
            "a moment for hooks",
            "a CLI command",
            "something to new projects",
            "a migration step",
        ),
    ]
    assert [row[0] for row in rows if not (PLACE.search(row[1]) and PLACE.search(row[2]))] == []


def test_every_code_span_that_looks_like_a_path_is_checked() -> None:
    spans = re.findall(r"`((?:clew|tests|bench|app)/[^`\s]+)`", TEXT)
    assert [span for span in spans if not PLACE.fullmatch(f"`{span}`")] == []


def test_it_mentions_every_part_of_the_package() -> None:
    missing = []
    for path in packages():
        place = f"clew/{path.name}" + ("/" if path.is_dir() else "")
        if f"`{place}" not in TEXT:
            missing.append(place)
    assert missing == []


def test_the_layers_hold_every_part_of_the_package() -> None:
    (contract,) = (contract for contract in import_contracts() if contract["name"] == "Imports flow one way")
    layers = contract["layers"]
    assert isinstance(layers, list)
    listed = [part.strip() for layer in layers for part in layer.split("|")]
    required = {name for name in listed if not name.startswith("(")}
    known = {name.strip("()") for name in listed}
    present = {f"clew.{path.stem}" for path in packages()}
    assert present - known == set(), "a package without a layer may import anything"
    assert required - present == set()


def test_it_tells_the_layers_in_their_order() -> None:
    (contract,) = (contract for contract in import_contracts() if contract["name"] == "Imports flow one way")
    layers = contract["layers"]
    assert isinstance(layers, list)
    present = {path.stem for path in packages()}
    block = re.search(r"## Import layers.*?```\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    told = [{name.strip() for name in level.split(",")} for level in block[1].split(">")]
    listed = [{part.strip(" ()").removeprefix("clew.") for part in layer.split("|")} & present for layer in layers]
    assert told == [level for level in listed if level]


def test_the_front_half_may_not_import_a_database_or_a_server() -> None:
    (contract,) = (contract for contract in import_contracts() if contract["type"] == "forbidden")
    sources, forbidden = contract["source_modules"], contract["forbidden_modules"]
    assert isinstance(sources, list)
    assert isinstance(forbidden, list)
    assert {"clew.sdl", "clew.model", "clew.plan"} <= set(sources)
    assert {"sqlalchemy", "asyncpg", "alembic", "starlette", "uvicorn", "ariadne"} <= set(forbidden)


def test_the_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    assert linter.exists(), "import-linter is not beside this Python: run `make install`"
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
