"""Live queries of one statement, and those of them that share a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from clew.changes.types import TableName
from clew.document.prepare import Prepared
from clew.engine.types import Executable, Ready, Request, Session
from clew.errors import ClewError
from clew.live.router import Watch, texts
from clew.plan.dependencies import Dependency
from clew.sql.arguments import argument
from clew.sql.cursors import Cursors
from clew.sql.members import MemberStatement

if TYPE_CHECKING:
    from clew.live.queries import LiveStream


# The seconds between two runs of members that any change of a table concerns: a multiple of what they take.
_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSES_A_RUN = 0.05, 2.0, 4


class Group:
    """The live queries of one statement. They differ in its operands only.

    `pending` are the members to run next, in the order in which they asked. `later` are those to run once the group
    has paused. `per_member` is the time in seconds that a member took in the last run.
    """

    def __init__(
        self,
        key: object,
        executable: Executable,
        dependencies: Sequence[tuple[Dependency, Sequence[TableName]]],
        *,
        alone: bool,
    ) -> None:
        self.key = key
        self.executable = executable
        # Whether each member runs by itself, because Python resolves some of its fields.
        self.alone = alone
        self.members: dict[object, Member] = {}
        everybody = self.members.values()
        self.watches: list[Watch[Member]] = [
            Watch(dependency, tables, everybody) for dependency, tables in dependencies
        ]
        self.together: MemberStatement | None = None
        self.pending: dict[Member, None] = {}
        self.later: dict[Member, None] = {}
        self.queued = False
        self.timer: asyncio.TimerHandle | None = None
        self.per_member = 0.001
        self.ended = 0.0

    @property
    def due(self) -> float:
        """The time at which members run again that any change of a table concerns."""
        took = self.per_member * len(self.members)
        return self.ended + min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, _PAUSES_A_RUN * took))


class Member:
    """The live queries that share a result: those of one group with equal arguments.

    `started` counts the runs. `finished` is the number of the last run that has ended. `version` counts the results.
    `payload` is the last one, while some stream has yet to take it.
    """

    __slots__ = (
        "arguments",
        "behind",
        "digest",
        "dirty",
        "error",
        "finished",
        "group",
        "key",
        "patch",
        "pauses",
        "payload",
        "prepared",
        "ready",
        "request",
        "running",
        "session",
        "started",
        "streams",
        "values",
        "version",
    )

    def __init__(
        self,
        group: Group,
        key: object,
        prepared: Prepared,
        ready: Ready,
        request: Request,
        session: Session,
        values: Sequence[Sequence[tuple[str, ...]]],
    ) -> None:
        self.group = group
        self.key = key
        self.prepared = prepared
        self.ready = ready
        self.request = request
        self.session = session
        self.arguments: Sequence[Any] = ready.arguments
        # For each watch of the group, the values of the operands of its routes.
        self.values = values
        self.streams: dict[LiveStream, None] = {}
        self.dirty = True
        # Whether it is dirty only because a table has changed, so that it may wait.
        self.pauses = False
        # Runs of one member never overlap: an earlier one would end with an older result.
        self.running = False
        self.started = 0
        self.finished = 0
        self.version = 0
        self.digest = b""
        self.payload: bytes | None = None
        # How many streams have yet to take it: there may be ten thousand.
        self.behind = 0
        # The difference that was made last, between its two payloads.
        self.patch: tuple[bytes, bytes, bytes] | None = None
        self.error: ClewError | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether some stream waits for a result."""
        return any(stream.is_waiting for stream in self.streams)

    def finish(self, run: int, result: Sequence[bytes | None], payload: Callable[[], bytes]) -> bool:
        """Take the result of a run, and wake the streams that have yet to send it. Return whether it differs."""
        hashed = blake2b(digest_size=16)
        for part in result:
            hashed.update(b"n" if part is None else b"%d:" % len(part))
            hashed.update(part or b"")
        digest = hashed.digest()
        self.finished = max(self.finished, run)
        differs = digest != self.digest
        if differs:
            self.digest = digest
            self.version += 1
            self.payload = None
        self.behind = 0
        for stream in self.streams:
            stream.is_behind = stream.sent != self.version
            if stream.is_behind:
                self.behind += 1
                stream.wake()
        if self.behind and self.payload is None:
            self.payload = payload()
        return differs

    def fail(self, error: ClewError) -> None:
        """End all streams with an error."""
        self.error = error
        for stream in self.streams:
            stream.wake()

    def taken(self, stream: LiveStream) -> None:
        """Note that a stream has taken the payload, or has gone. Drop the payload with the last one to take it."""
        if stream.is_behind:
            stream.is_behind = False
            self.behind -= 1
            if not self.behind:
                self.payload = None


def route_values(
    dependencies: Sequence[Dependency], ready: Ready, claims: Mapping[Any, Any], cursors: Cursors
) -> list[list[tuple[str, ...]]]:
    """Return the values of the operands of the routes.

    Args:
        dependencies: of the live query's own plan. Another plan with the same statement may have other constants, or
            may name other claims.
    """
    return [
        [texts(argument(route.operand, cursors)(ready.values, claims)) for route in dependency.routes]
        for dependency in dependencies
    ]
