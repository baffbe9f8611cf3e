"""The answer to an operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class AnswerError(AssertionError):
    """An operation that should succeed has errors. `errors` are those of the answer."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.errors = errors
        super().__init__("\n".join(["The operation has errors:", *(f"  - {_line(error)}" for error in errors)]))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an operation, as a client gets it.

    `data` is None if the answer has no data. `errors` is empty if it has no errors. `status` and `headers` (by
    lower-case name) are those of the HTTP response, and `extensions` that of the GraphQL response.
    """

    data: Any
    errors: list[dict[str, Any]]
    status: int
    headers: Mapping[str, str] = field(repr=False)
    extensions: Mapping[str, Any] = field(repr=False)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in order (docs/errors.md)."""
        return [error["extensions"]["code"] for error in self.errors]

    def raise_for_errors(self) -> Any:
        """Return the data.

        Raises:
            AnswerError: the answer has an error.
        """
        __tracebackhide__ = True
        if self.errors:
            raise AnswerError(self.errors)
        return self.data


def _line(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions", {})
    place = ".".join(str(key) for key in error.get("path", ()))
    known = {name: value for name, value in extensions.items() if name not in ("code", "requestId")}
    return (
        f"{extensions.get('code', 'no code')}{f' at {place}' if place else ''}: {error['message']}"
        f"{f' {known}' if known else ''}"
    )
