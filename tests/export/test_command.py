"""`clew export`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clew.cli.commands.export import line
from clew.export.exports import Progress
from tests.cli.forks import Forks, environment_of
from tests.export.depot import Depot

Export = Callable[..., subprocess.CompletedProcess[str]]
SECRETS = "query Mine($d: Boolean!) { secrets(where: {done: {eq: $d}}) { id text } }"


@pytest.fixture
def export(depot: Depot, forks: Forks) -> Export:
    """Run `clew export ...` on the depot with a document on standard input."""

    def run(*arguments: str, document: str) -> subprocess.CompletedProcess[str]:
        environment = environment_of({"DATABASE_URL": depot.url})
        return forks.run(depot.root, environment, ("clew", "export", "-", *arguments), document)

    return run


def test_it_writes_to_standard_output_as_an_admin(export: Export) -> None:
    done = export("--variables", '{"d": true}', document=SECRETS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "id,text\n2,two\n3,three\n", "")


def test_it_writes_for_a_viewer_under_its_rules(export: Export) -> None:
    given = ("--variables", '{"d": true}', "--role", "user", "--claims", '{"sub": "ada"}', "--format", "ndjson")
    done = export(*given, document=SECRETS)
    assert [json.loads(text) for text in done.stdout.splitlines()] == [{"id": 2, "text": "two"}]
    refused = export("--role", "user", "--claims", '{"sub": "ada"}', document="{ pages { id } }")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "No rule lets you export `pages`." in refused.stderr
    nobody = export("--claims", "{}", document=SECRETS)
    assert "--claims needs --role." in nobody.stderr


def test_a_file_is_there_when_it_is_whole(export: Export, tmp_path: Path) -> None:
    target = tmp_path / "secrets.ndjson"
    done = export("--output", str(target), document="{ secrets { id } }")
    assert done.returncode == 0, done.stderr
    assert target.read_text() == '{"id":1}\n{"id":2}\n{"id":3}\n'
    broken = tmp_path / "items.csv"
    done = export("-o", str(broken), document="{ items { id share } }")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Something went wrong on the server." in done.stderr
    assert list(tmp_path.iterdir()) == [target]
    done = export("-o", str(tmp_path / "none" / "x.csv"), document="{ secrets { id } }")
    assert "cannot be written" in done.stderr


def test_a_document_that_is_wrong_is_told(export: Export) -> None:
    done = export(document="{ nothing }")
    assert done.returncode == 1
    assert "Cannot query field 'nothing'" in done.stderr


def test_the_bar_shows_how_far_it_is() -> None:
    progress = Progress()
    assert line(progress, 0).startswith(f"[{' ' * 30}]   0%")
    progress.bytes, progress.lines, progress.expected = 3_000_000, 50, 100
    assert line(progress, 2) == f"[{'#' * 15}{' ' * 15}]  50%  3.0 MB  1.5 MB/s  2 s"
    progress.lines = 1000
    assert " 99%" in line(progress, 2)
    progress.is_whole = True
    assert line(progress, 2).startswith(f"[{'#' * 30}] 100%")
