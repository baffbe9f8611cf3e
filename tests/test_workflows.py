"""The workflows, hooks and metadata of the repository agree with its tools and its documentation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def matrix(name: str) -> set[str]:
    """The values of one axis of the tests' matrix."""
    return set(re.findall(rf'[{{ ]{name}: "?([\d.]+)', read(".github/workflows/test.yml")))


def test_every_python_that_is_promised_is_tested() -> None:
    classifiers = tomllib.loads(read("pyproject.toml"))["project"]["classifiers"]
    promised = {name.rsplit(" ", 1)[1] for name in classifiers if "Python :: 3." in name}
    assert matrix("python") == promised


def test_every_postgres_that_is_promised_is_tested() -> None:
    promised = re.search(r"Postgres (\d+) to (\d+)", read("docs/deployment.md"))
    assert promised is not None
    first, last = map(int, promised.groups())
    assert matrix("postgres") == {str(version) for version in range(first, last + 1)}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_its_actions_and_makes_what_there_is(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= targets
    actions = re.findall(r"uses: (?!\./)(\S+)", text)
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert "permissions:\n  contents: read\n" in text


def test_the_hooks_before_a_commit_are_those_of_make_check_and_fetch_nothing() -> None:
    config = read(".pre-commit-config.yaml")
    assert set(re.findall(r"repo: (\S+)", config)) == {"local"}
    assert set(re.findall(r"language: (\S+)", config)) == {"system"}
    hooks = set(re.findall(r"entry: \.venv/bin/([\w-]+)", config))
    assert hooks == {"ruff", "mypy", "lint-imports"}
    assert hooks <= set(re.findall(r"\$\(BIN\)/([\w-]+)", read("Makefile")))
