"""The locks: what production installs, what work on Clew adds to that, and what makes the documentation's site."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = "requirements.lock"
DEVELOPMENT = "requirements-dev.lock"
SITE = "requirements-docs.lock"


def pins(lock: str) -> dict[str, str]:
    """The packages of a lock by name, with their versions, markers and hashes."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", "")
    return dict(line.split("==", 1) for line in text.splitlines() if line)


def names(requirements: list[str]) -> set[str]:
    """The names of packages in requirements such as `uvicorn[standard]>=0.54`."""
    return {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}


def declared(*path: str) -> set[str]:
    """The names of the requirements at a place in pyproject.toml."""
    found: object = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for key in path:
        assert isinstance(found, dict)
        found = found[key]
    assert isinstance(found, list)
    return names(found)


NPM = ("bench/postgraphile", "playground", "tests/browser", "tests/clients", "tests/wire/audits")


@pytest.mark.parametrize("folder", NPM)
def test_no_lock_of_npm_has_an_address(folder: str) -> None:
    # `npm install` writes those of who asks for money, too. They can go.
    assert "://" not in (ROOT / folder / "package-lock.json").read_text("utf-8")


@pytest.mark.parametrize("lock", [PRODUCTION, DEVELOPMENT, SITE])
def test_every_pin_has_hashes_and_no_lock_names_a_registry(lock: str) -> None:
    assert [name for name, pin in pins(lock).items() if "--hash=sha256:" not in pin] == []
    assert "://" not in (ROOT / lock).read_text("utf-8")


def test_production_has_the_versions_that_the_tests_run_on() -> None:
    development = pins(DEVELOPMENT)
    assert {name: development.get(name) for name in pins(PRODUCTION)} == pins(PRODUCTION)


def test_production_has_every_dependency_and_no_tool() -> None:
    production = set(pins(PRODUCTION))
    assert declared("project", "dependencies") <= production
    tools = declared("dependency-groups", "dev") | declared("project", "optional-dependencies", "dev")
    assert tools & production == set()
    assert tools <= set(pins(DEVELOPMENT))


def test_the_site_is_made_beside_the_tools_and_adds_nothing_to_their_set_up() -> None:
    site, development = pins(SITE), pins(DEVELOPMENT)
    both = site.keys() & development.keys()
    assert {name: site[name].split()[0] for name in both} == {name: development[name].split()[0] for name in both}
    generator = declared("dependency-groups", "docs")
    assert generator <= site.keys() - development.keys()


def test_the_image_installs_the_lock_of_production() -> None:
    image = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"--require-hashes --requirement {PRODUCTION}" in image
    assert DEVELOPMENT not in image
