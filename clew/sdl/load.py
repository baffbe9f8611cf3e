"""Files -> parsed documents. Every unreadable file and every syntax error is reported, not the first alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from graphql import DocumentNode, GraphQLSyntaxError, Source, StringValueNode, Visitor, parse, visit

from clew.errors import Diagnostic, Location
from clew.sdl.report import LINE_END, Report

SUFFIXES = (".graphql", ".gql")
# Trusted documents (SPEC 7): operations, not SDL.
OPERATIONS = "operations"


def sdl_files(folder: Path) -> list[Path]:
    """The SDL files under `folder`, sorted by path; `operations/` is left out.

    Raises:
        OSError: the folder cannot be listed.
    """
    found: list[Path] = []

    def fail(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=fail, followlinks=False):
        here = Path(root)
        if here == folder and OPERATIONS in folders:
            folders.remove(OPERATIONS)
        found += [here / name for name in files if name.endswith(SUFFIXES)]
    return sorted(found)


def read_sources(folder: Path, base: Path | None = None) -> tuple[list[Source], list[Diagnostic]]:
    """Read every SDL file.

    Args:
        folder: the project's `graphql/`.
        base: files are named relative to it; by default by their path as given.

    Returns:
        the sources in order, and a diagnostic for each file that cannot be read.
    """
    shown = _name(folder, base)
    if not folder.is_dir():
        hint = f"put your schema into {shown}/schema.graphql"
        return [], [Diagnostic(f'there is no folder "{shown}"', hint=hint)]
    try:
        paths = sdl_files(folder)
    except OSError as error:
        return [], [Diagnostic(f'"{shown}" cannot be read: {error.strerror}')]
    if not paths:
        return [], [Diagnostic(f'there is no .graphql file in "{shown}"', hint="declare a type with @table in one")]
    sources: list[Source] = []
    faults: list[Diagnostic] = []
    for path in paths:
        name = _name(path, base)
        try:
            data = path.read_bytes()
        except OSError as error:
            faults.append(Diagnostic(f"the file cannot be read: {error.strerror}", Location(name, 1, 1)))
            continue
        try:
            # Editors on Windows begin files with a byte order mark.
            sources.append(Source(data.decode("utf-8-sig"), name))
        except UnicodeDecodeError as error:
            # utf-8-sig counts its offsets after the mark.
            data = data.removeprefix(b"\xef\xbb\xbf")
            before = LINE_END.split(data[: error.start].decode("utf-8", "replace"))
            message = f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot be read"
            place = Location(name, len(before), len(before[-1]) + 1)
            faults.append(Diagnostic(message, place, hint="save the file as UTF-8"))
    return sources, faults


def parse_sources(sources: Sequence[Source], report: Report) -> list[DocumentNode]:
    """Parse each source; syntax errors go into `report`. A file of comments alone is an empty document."""
    documents: list[DocumentNode] = []
    for source in sources:
        try:
            documents.append(parsed := parse(source))
            if "\\u" in source.body:
                visit(parsed, _Texts(report))
        except GraphQLSyntaxError as error:
            if _is_blank(source.body):
                continue
            place = error.locations[0] if error.locations else None
            line, column = (place.line, place.column) if place else (1, 1)
            message = error.message.removeprefix("Syntax Error: ").rstrip(".")
            hint = (
                "braces need at least one member: add a field, or remove the braces"
                if message == "Expected Name, found '}'"
                else None
            )
            report.error_at(source, line, column, message, hint)
        except RecursionError:
            report.error_at(source, 1, 1, "the file nests too deeply to be parsed")
    return documents


class _Texts(Visitor):
    """Reports what Postgres cannot store in a text."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if "\0" in node.value:
            self._report.error(node, "the text holds a null character, which Postgres cannot store")


def _is_blank(body: str) -> bool:
    return all(not (text := line.strip(" \t,\ufeff")) or text.startswith("#") for line in LINE_END.split(body))


def _name(path: Path, base: Path | None) -> str:
    if base is None:
        return path.as_posix()
    return Path(os.path.relpath(path, base)).as_posix()
