"""Every error code that a client can see, and the exceptions with these codes. This module imports nothing of Clew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The value of `extensions.code` in an error (docs/errors.md)."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    CONSTRAINT_VIOLATION = "CONSTRAINT_VIOLATION"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    UNAVAILABLE = "UNAVAILABLE"
    GONE = "GONE"
    INTERNAL = "INTERNAL"


class ClewError(Exception):
    """An error whose message the client may read.

    Raise it from resolvers and jobs. The client gets any other exception as `INTERNAL` without
    its text; the log gets the full text.

    Args:
        message: one sentence for the client.
        code: `extensions.code`; a `Code` or its name.
        hint: advice for the client (`extensions.hint`).
        extensions: further members of `extensions`, JSON-serialisable.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code | str = Code.BAD_USER_INPUT,
        hint: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = Code(code)
        self.hint = hint
        self.extensions = dict(extensions or {})

    @property
    def told(self) -> ClewError:
        """What a client gets of it. If that is another error, this one is a fault of the application, for the log."""
        return self


class InvalidOwnOperationError(ClewError):
    """An operation that the application sends does not parse, or is not valid for the viewer.

    Its message and code are for the application. They name what the viewer may not know, so a client gets `told`
    instead, and the log gets the message.

    Args:
        is_system: whether the operation is the application's, and not under a viewer's rules.
    """

    def __init__(self, message: str, code: Code, *, is_system: bool) -> None:
        super().__init__(message, code=code)
        self._is_system = is_system

    @property
    def told(self) -> ClewError:
        if self._is_system:
            return ClewError("Something went wrong on the server.", code=Code.INTERNAL)
        return ClewError("This needs a type or field that your role does not have.", code=Code.FORBIDDEN)


class StartupError(Exception):
    """Clew cannot start or a command cannot run. The CLI prints the error and exits with 1.

    Args:
        message: the fault and its place.
        hint: advice to the user.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an SDL file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int


class Severity(StrEnum):
    """Whether a diagnostic stops the project from running."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault of the SDL or its Python bindings, or a warning about them.

    `source` is the text of the line at `location`. The caret line underlines `length` of its
    characters.
    """

    message: str
    location: Location | None = None
    source: str | None = None
    length: int = 1
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """Return the fault as the CLI prints it: place and message, line, carets, hint."""
        if self.location is None:
            head = [f"{self.severity}: {self.message}"]
        else:
            place = self.location
            head = [f"{place.file}:{place.line}:{place.column}: {self.severity}: {self.message}"]
            if self.source is not None:
                number = str(place.line)
                pad = " " * len(number)
                indent = "".join("\t" if c == "\t" else " " for c in self.source[: place.column - 1])
                head.append(f" {number} | {self.source}")
                head.append(f" {pad} | {indent}{'^' * max(1, self.length)}")
        if self.hint:
            head.append(f"  hint: {self.hint}")
        return "\n".join(head)


@dataclass(eq=False)
class SchemaError(Exception):
    """The SDL or its bindings are not valid. It holds every fault in file order."""

    diagnostics: Sequence[Diagnostic] = field(default_factory=tuple)

    def __str__(self) -> str:
        count = len(self.diagnostics)
        body = "\n\n".join(diagnostic.render() for diagnostic in self.diagnostics)
        return f"{body}\n\n{count} error{'s' if count != 1 else ''}."
