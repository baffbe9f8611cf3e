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

_CURSOR = re.compile(r"([1-9][0-9]{0,8}):([0-9]{1,9})", re.ASCII)
_DECODER = Decoder()

# What a chunk takes in memory beside its texts, in bytes.
_OVERHEAD = 400

ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class Position(NamedTuple):
    """A place in a job's output: after a chunk of an attempt. 0 is before the first chunk."""

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

    @property
    def position(self) -> Position:
        return Position(self.attempt, self.seq)

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory, when it is encoded too."""
        return _OVERHEAD + 3 * len(self.data)

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
    def bytes(self) -> bytes:
        return _event("reset", self.position, dumps({"attempt": self.attempt, "step": self.step}, compact=True))


@dataclass(frozen=True, slots=True)
class Final:
    """The job has ended. Its position is one after the last chunk: whoever has it needs nothing more."""

    position: Position
    status: Status

    @property
    def bytes(self) -> bytes:
        return _event("final", self.position, f'{{"status":"{self.status}"}}')


OutputEvent: TypeAlias = Chunk | Reset | Final


def fields_of(event: OutputEvent) -> Mapping[str, Any]:
    """Return the fields of `JobOutput` in the API."""
    found: dict[str, Any] = {
        "kind": None,
        "data": None,
        "cursor": str(event.position),
        "reset": isinstance(event, Reset),
        "final": isinstance(event, Final),
        "attempt": event.position.attempt,
        "step": None,
        "status": None,
    }
    match event:
        case Chunk():
            found |= {"kind": event.kind, "data": event.value}
        case Reset():
            found["step"] = event.step
        case Final():
            found["status"] = event.status.value
    return found


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
