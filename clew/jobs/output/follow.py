"""One follower of a job's output: every chunk of the current attempt once, in order, and then the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Self
from uuid import UUID

from clew.engine.outcome import INTERNAL
from clew.errors import ClewError, Code
from clew.jitter import jitter
from clew.jobs.output.ring import Stream
from clew.jobs.output.types import Chunk, GoneError, OutputEvent, Position, UnknownJobError
from clew.observe import get_logger

if TYPE_CHECKING:
    from clew.jobs.output.source import JobOutputs

_LOG = get_logger("clew.jobs")

# In seconds: how often it is asked whether the viewer still sees the job.
_LOOK = 30.0

IsVisible = Callable[[], Awaitable[bool]]


class Follower:
    """Events of one job, from a position on.

    It attaches to the ring first. What the ring does not hold is read from the table, and what the follower has already
    is left out. So nothing is lost or repeated in between, and a slow follower holds no more than one page.
    """

    def __init__(self, outputs: JobOutputs, job: str, after: Position | None, is_visible: IsVisible | None) -> None:
        self._outputs = outputs
        self._job = job
        self._has = after
        self._is_visible = is_visible
        self._stream: Stream | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: ClewError | None = None
        self._is_complete = False
        # That of the stream, as long as what the follower has is a part of that.
        self._turn: int | None = None
        self._pending: list[OutputEvent] = []
        self._looking: asyncio.Task[None] | None = None
        # Whether it could not be told the last time.
        self._is_in_doubt = False

    async def open(self) -> bool:
        """Attach to the output. Return whether there is anything to come: not if the position is after the end.

        Raises:
            UnknownJobError: there is no such job, or the viewer may not see it.
            GoneError: chunks after the position have been dropped.
            ClewError: UNAVAILABLE, if the database cannot be reached.
        """
        try:
            job = str(UUID(self._job))
        except ValueError:
            raise UnknownJobError from None
        if job != self._job.lower():
            raise UnknownJobError
        # alike without `self._is_visible is not None`: those who ask for clients always say
        if self._is_visible is not None and not await self._is_visible():
            raise UnknownJobError
        self._stream = stream = await self._outputs.join(job, self, self._wake)
        # alike if true: as above
        if self._is_visible is not None:
            self._looking = asyncio.get_running_loop().create_task(self._look(self._is_visible))
        try:
            if stream.status is None:  # alike if false: who sees it knows that it is there
                raise UnknownJobError
            if self._has is None:
                self._has = Position(stream.attempt, 0)
            if not stream.is_beyond(self._has):
                self._turn = stream.turn
            if stream.is_begun:  # alike if true: nothing is dropped before
                self._check_kept(stream)
        except ClewError:
            await self.aclose()
            raise
        self._is_complete = stream.is_over and self._has == stream.final.position
        return not self._is_complete

    async def take(self) -> Sequence[OutputEvent]:
        """Return the next events, at least one, once there are any. Return none at the end.

        Raises:
            GoneError: the next chunks have been dropped.
            UnknownJobError: the viewer may see the job no longer, or it is there no longer.
            ClewError: as `JobOutputs.page`.
        """
        if self._stream is None and not self._is_complete:
            await self.open()
        while (stream := self._stream) is not None and not self._is_complete:
            if self._error is not None:
                raise self._error
            if found := await self._next(stream):
                self._has = found[-1].position
                return found
        return ()

    def joined(self, events: Sequence[OutputEvent]) -> bytes:
        """Return the events as an event stream has them. Followers share the bytes."""
        if isinstance(events[0], Chunk) and self._stream is not None:
            return self._stream.joined(events)  # type: ignore[arg-type]  # `take` gives chunks, or one other event
        return b"".join(event.bytes for event in events)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OutputEvent:
        if not self._pending:
            self._pending = list(reversed(await self.take()))
            if not self._pending:
                raise StopAsyncIteration
        return self._pending.pop()

    async def aclose(self) -> None:
        """Follow no more. Calling it again does nothing."""
        stream, self._stream = self._stream, None
        self._is_complete = True
        if self._looking is not None:
            self._looking.cancel()
        if stream is not None:
            self._outputs.leave(stream, self)

    async def _next(self, stream: Stream) -> Sequence[OutputEvent]:
        """Return the events that there are now; none after waiting for something new."""
        if stream.status is None:
            raise UnknownJobError
        has = self._has
        assert has is not None
        if self._turn != stream.turn:
            if stream.is_open and stream.is_begun:
                self._turn = stream.turn
                return (stream.reset,)
        elif has.attempt != stream.attempt and stream.attempt:
            if stream.is_begun:
                if has.attempt or stream.attempt > 1:
                    return (stream.reset,)
                self._has = Position(stream.attempt, 0)
                return ()
        elif has.seq < stream.head and stream.attempt:
            self._check_kept(stream)
            chunks = stream.after(has.seq)
            if chunks is None:
                chunks = await self._outputs.page(stream.job, has)
                if self._turn != stream.turn:
                    return ()
                if not chunks or chunks[0].seq != has.seq + 1:
                    # Unless a new attempt has begun meanwhile, they were dropped.
                    if has.attempt == stream.attempt:
                        raise GoneError
                    return ()
                chunks = _without_gaps(chunks)
            return chunks
        elif stream.is_over:
            self._is_complete = True
            return (stream.final,)
        await self._wait()
        return ()

    def _check_kept(self, stream: Stream) -> None:
        """Raise GoneError if the next chunk was dropped."""
        has = self._has
        assert has is not None
        after = has.seq if has.attempt == stream.attempt else 0
        if after < stream.dropped:
            raise GoneError

    async def _wait(self) -> None:
        if self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Whether the viewer still sees the job.

    async def _look(self, is_visible: IsVisible) -> None:
        # One task from the beginning: one that a timer begins may come when the event loop ends, and be left behind.
        while self._error is None:
            await asyncio.sleep(_LOOK * jitter(0.8, 1.2))
            await self._ask(is_visible)
        self._wake()

    async def _ask(self, is_visible: IsVisible) -> None:
        try:
            self._error = None if await is_visible() else UnknownJobError()
            self._is_in_doubt = False
        except Exception as error:
            _LOG.info("not known whether a job is visible", exc_info=not isinstance(error, ClewError))
            told = error if isinstance(error, ClewError) else ClewError(INTERNAL, code=Code.INTERNAL)
            # Without the database nothing is told of the job either. Else a follower gets the benefit of one doubt.
            if told.code is not Code.UNAVAILABLE:
                self._error = told if self._is_in_doubt else None
                self._is_in_doubt = True


def _without_gaps(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """Return the chunks up to the first gap. A chunk that is there twice counts once."""
    found = [chunks[0]]
    for chunk in chunks[1:]:
        if chunk.seq == found[-1].seq + 1:
            found.append(chunk)
        elif chunk.seq != found[-1].seq:
            break
    return found
