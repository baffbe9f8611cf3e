"""Where a worker looks for jobs in the queue.

While anybody holds an old snapshot, rows that were claimed stay in the index, and a read from its beginning passes over
all of them. But a row is numbered by its transaction, and a transaction that has ended adds no rows. So a worker goes
on from the first row that it saw, or, if that is earlier, from the oldest transaction that was running then. A
transaction that runs for long is looked up by itself, so that it does not hold the place back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clew.changes.connection import Snapshot

# In seconds: how long a transaction runs before it is looked up by itself; how often all is looked at anew.
_LONG = 1.0
_ANEW = 60.0

# How many transactions are looked up by themselves, for each name.
_MOST_LATE = 16

_END = 2**63 - 1


@dataclass(slots=True)
class Place:
    """A part of the index: the rows of a name from one on, up to a transaction."""

    name: str
    queue: str
    xid: int = 0
    number: int = 0
    until: int = _END

    @property
    def is_main(self) -> bool:
        return self.until == _END


class Places:
    """The places where rows of some names may be.

    Args:
        queues: the queue of each name.
    """

    def __init__(self, queues: Mapping[str, str]) -> None:
        self._queues = dict(queues)
        self._since: dict[int, float] = {}
        self._anew_at = 0.0
        self._places: list[Place] = []
        self.forget()

    def forget(self) -> None:
        """Look at everything anew."""
        self._places = [Place(name, queue) for name, queue in self._queues.items()]

    @property
    def is_empty(self) -> bool:
        return not self._queues

    def arguments(self) -> tuple[Sequence[str], Sequence[str], Sequence[int], Sequence[int], Sequence[int]]:
        """Return the places as a claim takes them."""
        places = self._places
        return (
            [place.name for place in places],
            [place.queue for place in places],
            [place.xid for place in places],
            [place.number for place in places],
            [place.until for place in places],
        )

    def go_on(self, snapshot: Snapshot, firsts: Iterable[tuple[int, int | None, int | None]], now: float) -> None:
        """Note what a claim has seen.

        Args:
            snapshot: the claim's.
            firsts: the first row of each place, by the place's number from 1, if there is one. A place whose queue is
                paused is left out.
            now: a monotonic clock's seconds.
        """
        if now >= self._anew_at:
            # Rows of another database, from a dump, are numbered by its transactions.
            self._anew_at = now + _ANEW
            self.forget()
            return
        _, following, running = snapshot
        self._since = {xid: self._since.get(xid, now) for xid in running}
        late = sorted(xid for xid, since in self._since.items() if now - since > _LONG)[:_MOST_LATE]
        oldest = min((xid for xid in running if xid not in late), default=following)
        seen = {place - 1: (xid, number) for place, xid, number in firsts}
        places: list[Place] = []
        for index, place in enumerate(self._places):
            if index not in seen:
                places.append(place)
                continue
            xid, number = seen[index]
            first = None if xid is None or number is None else (xid, number)
            if place.is_main:
                begin = max((place.xid, place.number), min((oldest, 0), first or (oldest, 0)))
                places += [
                    Place(place.name, place.queue, one, 0, one + 1) for one in late if place.xid <= one < begin[0]
                ]
                place.xid, place.number = begin
                places.append(place)
            elif first is not None:
                place.number = first[1]
                places.append(place)
            elif place.xid in self._since:
                places.append(place)
        self._places = places
