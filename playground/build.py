"""Build the playground's page from this folder, by npm and Vite (docs/playground.md).

`make playground` runs it, and `make dev` runs it beside the server. It does nothing if what it would build is there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
BUILT = SOURCE.parent / "clew" / "wire" / "playground" / "built"
# In the folder that is built: what it was built from.
STAMP = ".inputs"


class BuildError(Exception):
    """The page cannot be built. Its text says why, and what to do."""


def inputs() -> str:
    """Return a digest of all that the page is built from."""
    digest = hashlib.sha256()
    names = ("index.html", "package.json", "package-lock.json", "vite.config.js")
    for file in (*(SOURCE / name for name in names), *sorted((SOURCE / "src").iterdir())):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def is_built(into: Path) -> bool:
    """Return whether a folder has the page as it would be built now."""
    try:
        return (into / STAMP).read_text("utf-8") == inputs()
    except FileNotFoundError:
        return False


def build(into: Path) -> None:
    """Build the page into a folder, which then has all of it: no one sees a part.

    Raises:
        BuildError: there is no npm, or it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise BuildError("npm is not installed. Install Node.js 20.19 or later, which has it.")
    into.parent.mkdir(parents=True, exist_ok=True)
    made_from = inputs()
    draft = Path(tempfile.mkdtemp(prefix="built-", dir=into.parent))
    try:
        log = into.with_name(f"{into.name}.log")
        _install(npm, log)
        _run(log, npm, "run", "build", "--", "--outDir", str(draft), "--emptyOutDir", "--logLevel", "error")
        log.unlink()
        (draft / STAMP).write_text(made_from, "utf-8")
        # Only root's processes could read a folder of `mkdtemp`.
        draft.chmod(0o755)
        shutil.rmtree(into, ignore_errors=True)
        draft.rename(into)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _install(npm: str, log: Path) -> None:
    """Install the locked packages, unless they are those of the last time."""
    lock = (SOURCE / "package-lock.json").read_text("utf-8")
    installed = SOURCE / "node_modules" / ".installed"
    if not installed.exists() or installed.read_text("utf-8") != lock:
        _run(log, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        installed.write_text(lock, "utf-8")


def _run(log: Path, *command: str) -> None:
    with log.open("w") as out:
        done = subprocess.run(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode != 0:
        raise BuildError(f"npm {command[1]} failed. {os.path.relpath(log)} says why.")


def main() -> int:
    """Build the page unless it is there."""
    parser = argparse.ArgumentParser(description="Build the playground's page.")
    parser.add_argument("--into", type=Path, default=BUILT, help="the folder of the page")
    parser.add_argument(
        "--beside", action="store_true", help="a server starts meanwhile: do not hinder it, do not fail"
    )
    given = parser.parse_args()
    if is_built(given.into):
        return 0
    if given.beside:
        os.nice(10)
    try:
        build(given.into)
    except BuildError as error:
        says = "The playground uses GraphiQL from a CDN, as its page is not built" if given.beside else "No playground"
        print(f"  {says}: {error}", file=sys.stderr)
        return 0 if given.beside else 1
    except KeyboardInterrupt:
        return 130
    if given.beside:
        print("  The playground's page is built. Load it again if it is open.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
