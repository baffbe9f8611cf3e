"""`clew new`: write a project that runs at once."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from clew.cli.parser import clew_version
from clew.starter.create import create


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("new", help="write a project that runs at once")
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="the project's folder; it does not exist yet, or is empty"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the project, and say what to do next."""
    created = create(arguments.folder, clew_version())
    print(f"Wrote {created.files} files into {created.root}")
    if created.name != created.root.name:
        print(f"The project is called {created.name}: {created.root.name!r} cannot be the name of a project.")
    print("\nStart it:\n")
    if created.root != Path.cwd():
        print(f"  cd {shlex.quote(str(arguments.folder))}")
    print("  clew dev\n\nREADME.md says what is there, and what to do next.")
    return 0
