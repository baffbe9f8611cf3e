"""Chunks of a job's output, and the events that a follower gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any, NamedTuple, TypeAlias

from clew.errors import ClewError, Code
from clew.jobs.types import Status
from clew.json_numbers import Decoder, dumps

_CURSOR = re.compile(r"(0|[1-9][0-9]{0,8}):([0-9]{1,9})", re.ASCII)
_DECODER = Decoder()

# What a GraphQL document selects: response keys with the fields of `JobOutput`, by the response key of the root field.
# Without fields it is the root's `__typename`.
Selection: TypeAlias = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

# What a chunk keeps of the results of different selections: so many, and bytes for each character of its data. A client
# may select the data again and again.
_MOST_RESULTS, _RESULT_BYTES = 4, 4

_FIELDS = {
    "__typename": '"JobOutput"',
    "reset": "false",
    "final": "false",
    **dict.fromkeys(("kind", "data", "step", "status"), "null"),
}

# What a chunk takes in memory beside its texts, in bytes.
_OVERHEAD = 400

ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class Position(NamedTuple):
    """A place in a job's output: after a chunk of an attempt. 0 is before the first chunk, or the first attempt."""

    attempt: int
    seq: int

    def __str__(self) -> str:
        return f"{self.attempt}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read a cursor.

        Raises:
            ClewError: BAD_USER_INPUT for a text that is none.
        """
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise ClewError("The cursor is not one of a job's output.", hint="Leave it out to begin anew.")
        return cls(int(found[1]), int(found[2]))


@dataclass(slots=True)
class Chunk:
    """A piece of output: text, or JSON as text.

    `bytes` is what an event stream sends for it. It is made once for all followers.
    """

    attempt: int
    seq: int
    kind: str
    data: str
    is_json: bool
    step: str | None = None
    _bytes: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _results: dict[Selection, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    _kept: int = field(default=0, init=False, repr=False, compare=False)

    @property
    def position(self) -> Position:
        return Position(self.attempt, self.seq)

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of `JobOutput` in the API, as JSON; those that it lacks are null."""
        data = self.data if self.is_json else encode_basestring(self.data)
        return {**_FIELDS, "kind": encode_basestring(self.kind), "data": data, **_place(self.position)}

    def result(self, selection: Selection) -> bytes:
        """Return what a GraphQL subscription with this selection gets. It is made once for many of them."""
        found = self._results.get(selection)
        if found is None:
            found = selected(self, selection)
            if len(self._results) < _MOST_RESULTS and self._kept + len(found) <= self._room:
                self._results[selection] = found
                self._kept += len(found)
        return found

    @property
    def _room(self) -> int:
        return _OVERHEAD + _RESULT_BYTES * len(self.data)

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory at most, when it is encoded too."""
        # Its text, and that as UTF-8. Whether all of it is ASCII Python knows without a look.
        return _OVERHEAD + (2 if self.data.isascii() else 8) * len(self.data) + self._room

    @property
    def value(self) -> Any:
        """The data as Python has it. Numbers keep their digits."""
        return _DECODER.decode(self.data) if self.is_json else self.data

    @property
    def bytes(self) -> bytes:
        if self._bytes is None:
            data = self.data if self.is_json else encode_basestring(self.data)
            self._bytes = _event("chunk", self.position, f'{{"data":{data},"kind":{encode_basestring(self.kind)}}}')
        return self._bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """A new attempt has begun: what came of earlier ones is void. `step` is the last step that was finished before."""

    attempt: int
    step: str | None

    @property
    def position(self) -> Position:
        return Position(self.attempt, 0)

    @property
    def fields(self) -> Mapping[str, str]:
        """As those of a chunk."""
        return {**_FIELDS, "reset": "true", "step": dumps(self.step), **_place(self.position)}

    def result(self, selection: Selection) -> bytes:
        """As that of a chunk."""
        return selected(self, selection)

    @property
    def bytes(self) -> bytes:
        return _event("reset", self.position, dumps({"attempt": self.attempt, "step": self.step}, compact=True))


@dataclass(frozen=True, slots=True)
class Final:
    """The job has ended. Its position is one after the last chunk: whoever has it needs nothing more."""

    position: Position
    status: Status

    @property
    def fields(self) -> Mapping[str, str]:
        """As those of a chunk."""
        return {**_FIELDS, "final": "true", "status": f'"{self.status}"', **_place(self.position)}

    def result(self, selection: Selection) -> bytes:
        """As that of a chunk."""
        return selected(self, selection)

    @property
    def bytes(self) -> bytes:
        return _event("final", self.position, f'{{"status":"{self.status}"}}')


OutputEvent: TypeAlias = Chunk | Reset | Final


def selected(event: OutputEvent, selection: Selection) -> bytes:
    """Return the GraphQL response for an event."""
    fields = event.fields
    roots = []
    for root, chosen in selection:
        inner = ",".join(f"{encode_basestring(key)}:{fields[name]}" for key, name in chosen)
        roots.append(
            f"{encode_basestring(root)}:{{{inner}}}" if chosen else f'{encode_basestring(root)}:"Subscription"'
        )
    return f'{{"data":{{{",".join(roots)}}}}}'.encode()


def _place(position: Position) -> Mapping[str, str]:
    return {"cursor": f'"{position}"', "attempt": str(position.attempt)}


class UnknownJobError(ClewError):
    """There is no such job, or the viewer may not see it."""

    def __init__(self) -> None:
        super().__init__("There is no such job.", code=Code.NOT_FOUND)


class GoneError(ClewError):
    """Chunks that the follower needs have been dropped."""

    def __init__(self) -> None:
        super().__init__(
            "This part of the job's output is no longer kept.",
            code=Code.GONE,
            hint="The job's result and status are still there.",
        )


def _event(name: str, position: Position, data: str) -> bytes:
    return f"id: {position}\nevent: {name}\ndata: {data}\n\n".encode()
