"""The tutorial, followed step by step: each file and each command of the page, as it stands there."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import stop_postgres
from tests.cli.forks import environment_of
from tests.server import copy_empty_cluster

TUTORIAL = Path(__file__).resolve().parent.parent / "docs" / "tutorial.md"
PROJECT = "help-desk"

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r'\w+ title="([^"]+)"')
# What differs from run to run.
VARYING = {
    re.compile(r"\b[0-9a-f]{32}\b"): "<request>",
    re.compile(r"\b\d+\.\d+ ?s\b"): "<seconds>",
}


@dataclass(frozen=True)
class Step:
    """A code block of the page; `line` is where it begins."""

    line: int
    kind: str
    text: str


def steps() -> list[Step]:
    page = TUTORIAL.read_text("utf-8")
    return [Step(page.count("\n", 0, found.start()) + 1, *found.groups()) for found in FENCE.finditer(page)]


def plain(text: str) -> str:
    for pattern, name in VARYING.items():
        text = pattern.sub(name, text)
    return text


class Terminal:
    """A shell, and what it has printed that no step has shown yet."""

    def __init__(self, folder: Path, environment: dict[str, str], script: str | None = None) -> None:
        self._process = subprocess.Popen(
            ["bash"] if script is None else ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.printed = ""

    def run(self, script: str) -> str:
        """Type `script`; what it prints."""
        assert self._process.stdin is not None
        self._process.stdin.write(f'{script}\necho "<done $?>"\n'.encode())
        self._process.stdin.flush()
        done = self.wait_for(r"<done (\d+)>\n")
        printed, self.printed = self.printed[: done.start()], ""
        assert done[1] == "0", f"{script}\n\nfails:\n{printed}"
        return printed

    def show(self, lines: str) -> None:
        """Read until it prints `lines`, and forget all up to their end. Nothing before them is a warning."""
        found = self.wait_for(re.escape(lines))
        assert "warning:" not in self.printed[: found.start()], self.printed
        self.printed = self.printed[found.end() :]

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until `pattern` is in what it has printed."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + 60
        while (found := re.search(pattern, self.printed)) is None:
            ready = select.select([self._process.stdout], [], [], max(deadline - time.monotonic(), 0))[0]
            data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            assert data, f"{pattern!r} does not come, but:\n{self.printed}"
            self.printed = plain(self.printed + data.decode())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)
        self._process.stdout.close()


class Newcomer:
    """Follows the page, in an empty folder, with a terminal for the server and one for what is live."""

    def __init__(self, home: Path) -> None:
        self.project = home / PROJECT
        self._environment = environment_of({"CLEW_PORT": "0", "PYTHONUNBUFFERED": "1"})
        self._environment["PATH"] = f"{home / 'bin'}:{os.environ['PATH']}"
        self._commands(home / "bin")
        self._terminals = {"": Terminal(home, self._environment)}
        self._answer = ""
        self._port = "8000"

    def _commands(self, folder: Path) -> None:
        """The commands that the page asks for, as this Python has them."""
        folder.mkdir()
        for name, arguments in {"clew": "-m clew.cli", "pytest": "-m pytest", "python3": ""}.items():
            command = folder / name
            command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            command.chmod(0o755)

    def follow(self, step: Step) -> None:
        name, _, terminal = step.kind.partition(" ")
        file = FILE.fullmatch(step.kind)
        if file is not None:
            (self.project / file[1]).write_text(step.text)
        elif step.kind == "sh":
            self._answer = self._terminals[""].run(self._here(step.text))
        elif step.kind == "json":
            assert json.loads(self._answer) == json.loads(plain(step.text))
        elif step.kind == "text":
            assert self._answer.strip() == plain(step.text).strip()
        elif name == "sh":
            if terminal == "server":
                self._quick_start()
            self._terminals[terminal] = Terminal(self.project, self._environment, self._here(step.text))
            if terminal == "server":
                self._port = self._terminals[terminal].wait_for(r":(\d+)/graphql\n")[1]
        else:
            assert name == "text", f"The test does not know what to do with a block of {step.kind!r}."
            self._terminals[terminal].show(plain(self._here(step.text)))

    def _quick_start(self) -> None:
        """Have empty databases ready, which `clew dev` and `pytest` would make in some seconds."""
        for name in ("postgres", "test-postgres"):
            folder = self.project / ".clew" / name
            folder.mkdir(parents=True)
            copy_empty_cluster(folder)

    def _here(self, text: str) -> str:
        """With the port on which the server of this test is."""
        return text.replace(":8000", f":{self._port}")

    def close(self) -> None:
        for terminal in reversed(self._terminals.values()):
            terminal.close()
        stop_postgres(self.project)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_the_tutorial_works_as_it_stands(newcomer: Newcomer) -> None:
    for step in steps():
        try:
            newcomer.follow(step)
        except AssertionError as error:
            error.add_note(f"docs/tutorial.md:{step.line}")
            raise


def test_the_text_names_each_file_that_a_block_is() -> None:
    """Where titles of code blocks are not shown, as on code hosts, the text before must say it."""
    page = TUTORIAL.read_text("utf-8")
    for found in FENCE.finditer(page):
        file = FILE.fullmatch(found[1])
        if file is not None:
            paragraph = page[: found.start()].rstrip().rpartition("\n\n")[2]
            assert f"`{file[1]}`" in paragraph, file[1]
