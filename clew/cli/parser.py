"""The arguments of the command line."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clew.errors import StartupError
from clew.json_numbers import Decoder
from clew.viewer import role_names

COMMANDS = (
    *("new", "dev", "serve", "worker", "check", "schema", "migrate", "explain", "export", "jobs", "token", "psql"),
)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of `clew`. Each command's module adds its own part.

    Args:
        command: the only command that is needed, which spares loading the others. By default, and for a name that no
            command has, all of them.
    """
    parser = argparse.ArgumentParser(prog="clew", description="A GraphQL-first API server on Postgres.")
    parser.add_argument("--version", action="version", version=f"clew {clew_version() or '(not installed)'}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [command] if command in COMMANDS else COMMANDS:
        importlib.import_module(f"clew.cli.commands.{name}").configure(commands)
    return parser


def project_option(parser: argparse.ArgumentParser) -> None:
    """Add `--project`."""
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project's folder (default: the current one)"
    )


def address_options(parser: argparse.ArgumentParser) -> None:
    """Add `--host` and `--port`."""
    parser.add_argument("--host", help="the address to listen on (CLEW_HOST; default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="the port to listen on (CLEW_PORT; default: 8000)")


def positive(text: str) -> int:
    """Parse a whole number from 1."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 512:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 512")
    return int(text)


def roles(text: str) -> frozenset[str]:
    """Parse role names separated by commas, at least one."""
    names = role_names(text)
    if not names:
        raise argparse.ArgumentTypeError("at least one role is needed")
    return names


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object."""
    try:
        value = json.loads(text, cls=Decoder)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("a JSON object is needed")
    return value


def clew_version() -> str | None:
    """Return the version of Clew, or None if it runs from a folder and is not installed."""
    try:
        return version("clew")
    except PackageNotFoundError:
        return None


def read_file(name: str) -> str:
    """Return the text of the file that an argument names. `-` is standard input.

    Raises:
        StartupError: it cannot be read.
    """
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"{name} cannot be read: {reason}.") from None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)
