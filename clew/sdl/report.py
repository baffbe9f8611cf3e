"""Collect every fault of the SDL with its line and caret, so that all are shown at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from graphql import DirectiveNode, Node, Source, print_ast

from clew.errors import Diagnostic, Location, SchemaError, Severity

# The line ends of the GraphQL specification. str.splitlines splits at more characters.
LINE_END = re.compile(r"\r\n|[\n\r]")
_TOKEN = re.compile(r'"(?:[^"\\\n\r]|\\.)*"|[^\W\d]\w*|\S')


def location_of(node: Node) -> Location | None:
    """Return the place where `node` begins, or None for a node that was not parsed from a file."""
    if node.loc is None:
        return None
    token = node.loc.start_token
    return Location(node.loc.source.name, token.line, token.column)


def did_you_mean(word: str, options: Iterable[str], prefix: str = "") -> str | None:
    """Return a hint that names the nearest of `options`, after `prefix`, or None if none is near."""
    options = list(options)
    near = get_close_matches(word, options, n=1, cutoff=0.6)
    if not near:
        near = [option for option in options if option.lower() == word.lower()]
    return f'did you mean "{prefix}{near[0]}"?' if near else None


def renamed_or_near(word: str, renamed: Mapping[str, str], options: Iterable[str]) -> str | None:
    """Return a hint that names the new name of `word`, by the old names in `renamed`, or the nearest of `options`."""
    return f'it is called "{renamed[word]}" now' if word in renamed else did_you_mean(word, options)


def shown(node: Node) -> str:
    """Return a value or type as messages quote it: on one line, shortened if long."""
    text = " ".join(print_ast(node).split())
    return text if len(text) <= 60 else text[:57] + "..."


class Report:
    """The faults found so far.

    Args:
        files: the name of every file, in the order for listing faults.
    """

    def __init__(self, files: Sequence[str] = ()) -> None:
        self._order: dict[str, int] = {name: number for number, name in enumerate(files)}
        self._lines: dict[str, list[str]] = {}
        self._seen: set[tuple[Location | None, str]] = set()
        self._diagnostics: list[Diagnostic] = []

    def __len__(self) -> int:
        return len(self._diagnostics)

    def error(self, node: Node | None, message: str, hint: str | None = None) -> None:
        """Add a fault at `node`, or of the whole schema if `node` is None. A repeated fault counts once."""
        if node is None or node.loc is None:
            self.add(Diagnostic(message, hint=hint))
            return
        loc = node.loc
        first = loc.start_token
        lines = self.lines(loc.source)
        line = lines[first.line - 1] if first.line <= len(lines) else ""
        if isinstance(node, DirectiveNode):
            length = len(node.name.value) + 1
        elif loc.end_token.line == first.line:
            length = loc.end - loc.start
        else:
            length = first.end - first.start
        length = max(1, min(length, len(line) - first.column + 1))
        self.add(Diagnostic(message, Location(loc.source.name, first.line, first.column), line, length, hint))

    def error_at(self, source: Source, line: int, column: int, message: str, hint: str | None = None) -> None:
        """Add a fault at a place of `source`. Line and column count from 1; the caret marks the token there."""
        self._add_at(source, line, column, message, hint, Severity.ERROR)

    def warning_at(self, source: Source, line: int, column: int, message: str, hint: str | None = None) -> None:
        """Add a warning at a place of `source`, as `error_at` adds a fault."""
        self._add_at(source, line, column, message, hint, Severity.WARNING)

    def _add_at(
        self, source: Source, line: int, column: int, message: str, hint: str | None, severity: Severity
    ) -> None:
        lines = self.lines(source)
        text = lines[line - 1] if line <= len(lines) else ""
        token = _TOKEN.match(text, column - 1)
        length = len(token.group()) if token else 1
        self.add(Diagnostic(message, Location(source.name, line, column), text, length, hint, severity))

    def add(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.location, diagnostic.message)
        if key not in self._seen:
            self._seen.add(key)
            self._diagnostics.append(diagnostic)

    def lines(self, source: Source) -> list[str]:
        if source.name not in self._lines:
            self._lines[source.name] = LINE_END.split(source.body)
        return self._lines[source.name]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every fault in file order; those without a place come first."""

        def place(diagnostic: Diagnostic) -> tuple[int, str, int, int]:
            where = diagnostic.location
            if where is None:
                return (-1, "", 0, 0)
            return (self._order.get(where.file, len(self._order)), where.file, where.line, where.column)

        return tuple(sorted(self._diagnostics, key=place))

    def raise_if_any(self) -> None:
        """Raise SchemaError with every fault, if there is any."""
        if self._diagnostics:
            raise SchemaError(self.diagnostics)
