"""Programs of npm in tests: installed once from a locked folder, run under Node."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

PACKAGE, LOCK = "package.json", "package-lock.json"


async def run(*command: str, cwd: Path, seconds: float = 120) -> str:
    """Run a command to its end, within `seconds`; its output."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{' '.join(command)} failed:\n{err.decode()}"
    return out.decode()


async def node(folder: Path, script: str, *arguments: str) -> str:
    """Run a script of an installed folder; its output."""
    return await run(program("node"), script, *arguments, cwd=folder)


def program(name: str) -> str:
    """Where a program of Node is."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: some tests need Node.js >= 20.19 with npm."
    return found


async def installed(source: Path) -> Path:
    """A copy of the scripts in `source` beside the packages that they need, kept for the next run."""
    files = [source / PACKAGE, source / LOCK, *sorted(source.glob("*.mjs"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    name = f"clew-{source.name}-{os.geteuid()}-{digest.hexdigest()[:16]}"
    folder = Path(tempfile.gettempdir(), name)
    if not folder.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"clew-{source.name}-"))
        for file in files:
            shutil.copy(file, draft)
        await run(program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=draft)
        try:
            draft.rename(folder)
        except OSError:
            # Another worker was faster.
            shutil.rmtree(draft)
    assert folder.stat().st_uid == os.geteuid()
    return folder


def assert_locked(source: Path) -> None:
    """Each package has one version and one content, wherever it is fetched from."""
    wanted = json.loads((source / PACKAGE).read_text())["dependencies"]
    lock = json.loads((source / LOCK).read_text())
    packages = {name.removeprefix("node_modules/"): package for name, package in lock["packages"].items() if name}
    assert wanted.items() <= {name: package["version"] for name, package in packages.items()}.items()
    assert all("resolved" not in package for package in packages.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
