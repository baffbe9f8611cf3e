"""The newest output of the jobs that are followed in this process, shared by all their followers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from clew.jobs.output.types import ENDED, Chunk, Final, Position, Reset
from clew.jobs.types import Status

# In bytes: what all streams of a process hold together; what a follower takes at once.
MOST_HELD = 32 * 2**20
MOST_TAKEN = 64 * 2**10

# How many followers are woken in one round of the event loop. Each takes it some 30 microseconds.
_MOST_WOKEN = 25

# In seconds: what a follower adds to the least time between two rounds, when there are many. They get several chunks at
# once then, and other work has its turn.
_EACH = 0.00005

# How many joined pieces a stream remembers: followers who keep up ask for the same ones.
_MOST_JOINED = 2


@dataclass(slots=True)
class State:
    """How a job is, as the database says.

    `dropped`: chunks of the attempt up to this one are not kept any more; None if none were dropped.
    """

    attempt: int
    status: Status
    dropped: int | None


@dataclass(eq=False, slots=True)
class Stream:
    """The output of one job: its last chunks, without gaps.

    Attributes:
        attempt: the last one that has begun.
        head: its last chunk that is committed. -1: that it has begun is not known yet from its output.
        step: the last step that was finished before it.
        status: None if there is no such job.
        dropped: chunks of the attempt up to this one are not kept any more.
        is_open: whether anything of this is known.
        is_behind: whether the database has more than was read last.
        turn: how often all of this has turned out to be void. What followers have then is void, too.
        read_at: when the database was asked for it last.
        roused_at: when the followers were woken last.
        rousing: will wake them.
        wake: what is called when something is new, by follower.
    """

    job: str
    attempt: int = 0
    head: int = 0
    step: str | None = None
    status: Status | None = Status.QUEUED
    dropped: int = -1
    held: int = 0
    is_open: bool = False
    is_behind: bool = False
    turn: int = 0
    read_at: float = 0.0
    roused_at: float = 0.0
    rousing: asyncio.TimerHandle | None = None
    wake: dict[object, Callable[[], None]] = field(default_factory=dict)
    _chunks: list[Chunk] = field(default_factory=list)
    _joined: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def is_begun(self) -> bool:
        """Whether the output of the attempt may be given to followers."""
        return self.head >= 0 or self.is_over

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def reset(self) -> Reset:
        return Reset(self.attempt, self.step)

    @property
    def final(self) -> Final:
        assert self.status is not None
        return Final(Position(self.attempt, max(0, self.head) + 1), self.status)

    def after(self, seq: int) -> Sequence[Chunk] | None:
        """Return the next chunks of the attempt after one; None if they are not held."""
        index = len(self._chunks) - (self.head - seq)
        if index < 0:
            return None
        size = 0
        found: list[Chunk] = []
        for chunk in self._chunks[index : index + 1000]:
            size += len(chunk.data)
            if found and size > MOST_TAKEN:
                break
            found.append(chunk)
        return found

    def joined(self, chunks: Sequence[Chunk]) -> bytes:
        """Return the bytes of chunks that follow each other. Those that many followers ask for are joined once."""
        if len(chunks) == 1:
            return chunks[0].bytes
        if chunks[0].attempt != self.attempt:
            return b"".join(chunk.bytes for chunk in chunks)
        key = chunks[0].seq, chunks[-1].seq
        found = self._joined.get(key)
        if found is None and len(self.wake) == 1:
            return b"".join(chunk.bytes for chunk in chunks)
        if found is None:
            if len(self._joined) >= _MOST_JOINED:
                del self._joined[next(iter(self._joined))]
            found = self._joined[key] = b"".join(chunk.bytes for chunk in chunks)
        return found

    def open(self, state: State | None, last: int | None, step: str | None) -> None:
        """Begin after the last chunk that there is; None if there is none."""
        self.is_open = True
        if state is None:
            self.status = None
            return
        self._begin(state.attempt)
        self.status, self.step = state.status, step
        self.dropped = -1 if state.dropped is None else state.dropped
        self.skip(max(self.dropped, self.head if last is None else last))

    def restart(self) -> None:
        """Forget all, because the database is another one."""
        self._forget()
        self.is_open = False
        self.turn += 1

    def feed(self, chunks: Sequence[Chunk]) -> bool:
        """Add chunks that this process has written, in order. Return False if something is missing before them."""
        if not self.is_open:
            return False
        for chunk in chunks:
            if chunk.position <= (self.attempt, self.head):
                continue
            first = _first(chunk.attempt)
            if chunk.attempt > self.attempt and chunk.seq == first:
                self._begin(chunk.attempt)
            if chunk.position != (self.attempt, self.head + 1):
                return False
            self._append(chunk)
        return True

    def update(self, state: State | None, chunks: Sequence[Chunk], *, is_all: bool) -> None:
        """Take in what the database says.

        Args:
            state: None if there is no such job.
            chunks: the next ones of its attempt.
            is_all: whether they are all that there are.
        """
        if state is None:
            self.status = None
            return
        if state.attempt < self.attempt:
            # What was fed meanwhile is newer.
            return
        if state.attempt > self.attempt:
            self._begin(state.attempt)
        self.is_behind = not is_all
        self.dropped = -1 if state.dropped is None else state.dropped
        self.skip(self.dropped)
        for chunk in chunks:
            if chunk.seq > self.head:
                self.skip(chunk.seq - 1)
                self._append(chunk)
        if is_all:
            self.status = state.status

    def is_beyond(self, position: Position) -> bool:
        """Return whether a position is one of output that is not there, and so was lost.

        The end of an execution is one after its last chunk, and the job may have been queued again.
        """
        if not self.attempt or position.attempt != self.attempt or self.is_behind:
            return False
        return position.seq > max(0, self.head) + (self.status is not Status.RUNNING)

    def skip(self, seq: int) -> None:
        """Go on after a chunk. Those between are not held."""
        if seq > self.head:
            self._forget()
            self.head = seq

    def forget_half(self) -> None:
        """Hold fewer chunks. Followers who are behind read them from the database."""
        half = (len(self._chunks) + 1) // 2
        self.held -= sum(chunk.size for chunk in self._chunks[:half])
        del self._chunks[:half]

    def _begin(self, attempt: int) -> None:
        self._forget()
        self.attempt, self.head, self.step, self.dropped = attempt, _first(attempt) - 1, None, -1
        self.status = Status.RUNNING

    def _append(self, chunk: Chunk) -> None:
        self.head = chunk.seq
        if chunk.seq == 0:
            self.step = chunk.step
        else:
            self._chunks.append(chunk)
            self.held += chunk.size

    def _forget(self) -> None:
        self._chunks = []
        self._joined.clear()
        self.held = 0


def _first(attempt: int) -> int:
    """The number of the first row of an attempt. The first attempt needs none that says that it begins."""
    return 0 if attempt > 1 else 1


class Ring:
    """The streams of a process. Together they hold a bounded number of bytes.

    Args:
        most: that number; None: `MOST_HELD`.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most or MOST_HELD
        self.streams: dict[str, Stream] = {}

        self._held = 0

    def join(self, job: str, follower: object, wake: Callable[[], None]) -> Stream:
        """Return the stream of a job. It calls `wake` when it has something new, until the follower leaves."""
        stream = self.streams.get(job)
        if stream is None:
            stream = self.streams[job] = Stream(job)
        stream.wake[follower] = wake
        return stream

    def leave(self, stream: Stream, follower: object) -> None:
        """Call no more for a follower. What nobody follows is not held."""
        stream.wake.pop(follower, None)
        if not stream.wake and self.streams.get(stream.job) is stream:
            del self.streams[stream.job]
            self._held -= stream.held

    @contextmanager
    def changing(self, stream: Stream) -> Iterator[None]:
        """Let the stream change. Then wake its followers, and hold no more than allowed."""
        before = stream.held
        try:
            yield
        finally:
            self._held += stream.held - before
            while self._held > self._most:
                largest = max(self.streams.values(), key=lambda other: other.held)
                before = largest.held
                largest.forget_half()
                self._held += largest.held - before
            _rouse(stream)


def _rouse(stream: Stream) -> None:
    """Wake the followers of a stream: at once, or if there are many, not too soon after the last time."""
    if stream.rousing is not None:
        return
    loop = asyncio.get_running_loop()
    due = stream.roused_at + (len(stream.wake) - _MOST_WOKEN) * _EACH
    if loop.time() >= due:
        _wake_all(stream)
    else:
        stream.rousing = loop.call_at(due, _wake_all, stream)


def _wake_all(stream: Stream) -> None:
    stream.rousing = None
    stream.roused_at = asyncio.get_running_loop().time()
    _wake(list(stream.wake.values()))


def _wake(wakes: Sequence[Callable[[], None]]) -> None:
    """Wake followers, some in each round of the loop, so that others have their turn in between."""
    for wake in wakes[:_MOST_WOKEN]:
        wake()
    if len(wakes) > _MOST_WOKEN:
        asyncio.get_running_loop().call_soon(_wake, wakes[_MOST_WOKEN:])
