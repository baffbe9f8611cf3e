"""Every audit of npm's graphql-http, against a server of our own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.lab import served
from tests.wire.conftest import MakeApp

AUDITS = Path(__file__).parent / "audits"


async def run(*command: str, cwd: Path) -> str:
    """Run a command to its end; its output."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{' '.join(command)} failed:\n{err.decode()}"
    return out.decode()


def program(name: str) -> str:
    """Where a program of Node is."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: the audits of GraphQL over HTTP need Node.js >= 18 with npm."
    return found


async def installed() -> Path:
    """The folder with the audits and their dependencies, kept for the next run."""
    names = ("package.json", "package-lock.json", "audit.mjs")
    digest = hashlib.sha256(b"".join((AUDITS / name).read_bytes() for name in names)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"clew-audits-{os.geteuid()}-{digest}")
    if not folder.exists():
        draft = Path(tempfile.mkdtemp(prefix="clew-audits-"))
        for name in names:
            shutil.copy(AUDITS / name, draft)
        await run(program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=draft)
        try:
            draft.rename(folder)
        except OSError:
            # Another worker was faster.
            shutil.rmtree(draft)
    assert folder.stat().st_uid == os.geteuid()
    return folder


@pytest.mark.anyio
async def test_all_61_audits_of_graphql_http_are_ok(make_app: MakeApp) -> None:
    folder = await installed()
    async with served(make_app()) as port:
        output = await run(program("node"), "audit.mjs", f"http://localhost:{port}/graphql", cwd=folder)
    results = [json.loads(line) for line in output.splitlines()]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((AUDITS / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("resolved" not in package and package["integrity"].startswith("sha512-") for package in packages)
