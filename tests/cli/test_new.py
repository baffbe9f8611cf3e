"""`clew new`: the project that it writes runs, and is as clean as its own checks ask."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from graphql import parse, validate

from clew.model.build import load_model
from clew.schema.build import build_schema
from tests.cli.conftest import stop_postgres
from tests.cli.forks import ROOT, Forks, environment_of
from tests.cli.test_dev import Dev
from tests.server import copy_empty_cluster

TEMPLATE = ROOT / "clew" / "starter" / "template"


def new(forks: Forks, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    return forks.run(folder, environment_of({}), ("clew", "new", name))


def run(project: Path, *command: str, **environment: str) -> str:
    """Run a program of this Python in the project. It succeeds; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=environment_of(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(forks: Forks) -> Iterator[Path]:
    """A project as `clew new` writes it; what tests do to it must not change its files."""
    with tempfile.TemporaryDirectory(prefix="clew-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        done = new(forks, folder, "shop")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert "  cd shop\n  clew dev\n" in done.stdout
        yield folder / "shop"


def test_it_writes_every_template_and_fills_its_gaps(made: Path) -> None:
    templates = [path for path in TEMPLATE.rglob("*") if path.is_file()]
    names = {str(path.relative_to(TEMPLATE)).removesuffix(".template").replace("dot-", ".") for path in templates}
    assert {".gitignore", ".dockerignore", ".env.example", ".github/workflows/test.yml"} <= names
    made_by_clew = {"alembic.ini", "migrations/env.py", "migrations/script.py.mako", "graphql/directives.graphql"}
    made_by_clew |= {"migrations/schema.json", "migrations/versions/0001_first_tables.py"}
    written = {path for path in made.rglob("*") if path.is_file() and not {".clew", "__pycache__"} & set(path.parts)}
    assert names | made_by_clew == {str(path.relative_to(made)) for path in written}
    for path in written:
        assert re.findall(r"@[A-Z]+@", path.read_text("utf-8")) == [], path


def test_the_package_has_every_template() -> None:
    # A hidden file, and one in a hidden folder, fits no pattern of setuptools.
    paths = [path.relative_to(TEMPLATE) for path in TEMPLATE.rglob("*")]
    assert [path for path in paths if path.name.startswith(".")] == []
    assert [path for path in paths if (TEMPLATE / path).is_file() and path.suffix != ".template"] == []
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "**/*.template" in settings["tool"]["setuptools"]["package-data"]["clew"]


def test_it_requires_this_version(made: Path) -> None:
    project = tomllib.loads((made / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "shop"
    assert project["dependencies"] == [f"clew=={version('clew')}"]


def test_its_sdl_and_bindings_are_right(made: Path, forks: Forks) -> None:
    done = forks.run(made, environment_of({}), ("clew", "check"))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    # The type of its job is none.
    assert done.stdout == "No errors; 3 entities.\n"


def test_its_operations_are_valid(made: Path) -> None:
    schema = build_schema(load_model(made / "graphql"))
    for file in (made / "graphql" / "operations").iterdir():
        assert validate(schema, parse(file.read_text("utf-8"))) == []


def test_its_python_is_formatted_linted_and_typed(made: Path) -> None:
    run(made, "ruff", "format", "--no-cache", "--check", ".")
    run(made, "ruff", "check", "--no-cache", ".")
    run(made, "mypy", "--cache-dir", str(ROOT / ".clew" / "mypy-of-new-project"))


def test_its_own_tests_pass(made: Path, postgres_url: str) -> None:
    printed = run(made, "pytest", "-p", "no:cacheprovider", "-W", "error", "-q", DATABASE_URL=postgres_url)
    assert re.search(r"^4 passed", printed, re.MULTILINE), printed


def test_dev_serves_it_and_answers_what_its_readme_asks(made: Path) -> None:
    (made / ".clew" / "postgres").mkdir(parents=True)
    copy_empty_cluster(made / ".clew" / "postgres")
    revisions = set((made / "migrations" / "versions").glob("*.py"))
    dev = Dev(made)
    try:
        dev.ready()
        assert "demo data added" in dev.output
        assert " 3 entities, checked in " in dev.output
        asked = re.findall(r"query=(\{.*\})'", (made / "README.md").read_text("utf-8"))
        assert len(asked) == 4
        for query in asked:
            assert "errors" not in dev.ask(query), query
        anonymous = dev.ask("{ boards { title tasks { title } } }", {"X-Clew-Role": "anon"})
        assert [board["title"] for board in anonymous["data"]["boards"]] == ["Launch"]
        assert len(anonymous["data"]["boards"][0]["tasks"]) == 3
    finally:
        dev.stop()
        stop_postgres(made)
    # The first migration was there.
    assert set((made / "migrations" / "versions").glob("*.py")) == revisions


def test_its_files_for_docker_and_ci_are_well_formed(made: Path) -> None:
    compose = yaml.safe_load((made / "docker-compose.yml").read_text("utf-8"))
    assert set(compose["services"]) == {"postgres", "migrate", "clew"}
    needed = set(re.findall(r"\$\{(\w+)", (made / "docker-compose.yml").read_text("utf-8")))
    assert needed <= set(re.findall(r"^(?:# )?(\w+)=", (made / ".env.example").read_text("utf-8"), re.MULTILINE))
    workflow = (made / ".github" / "workflows" / "test.yml").read_text("utf-8")
    assert set(yaml.safe_load(workflow)) == {"name", True, "permissions", "jobs"}  # YAML takes `on` for a Boolean.
    ours = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    actions = re.findall(r"uses: (\S+)", workflow)
    assert len(actions) == 2
    assert set(actions) <= set(re.findall(r"uses: (\S+)", ours))


def test_a_folder_that_is_not_empty_is_one_message(made: Path, forks: Forks) -> None:
    done = new(forks, made.parent, "shop")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {made} is not empty: it holds .")
    assert "  hint: " in done.stderr


def test_another_name_than_the_folders_is_told(forks: Forks, tmp_path: Path) -> None:
    done = new(forks, tmp_path, "My Shop!")
    assert done.returncode == 0, done.stderr
    assert "The project is called my-shop" in done.stdout
    assert "  cd 'My Shop!'\n" in done.stdout


def test_the_current_folder_needs_no_cd(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    done = new(forks, tmp_path / "shop", ".")
    assert done.returncode == 0, done.stderr
    assert "Start it:\n\n  clew dev\n" in done.stdout
