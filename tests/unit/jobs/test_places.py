"""Where a worker looks in the queue: never past a row, and not over and over at what is gone."""

from __future__ import annotations

import random

import pytest

from clew.jobs.places import Places

# A row of the queue: its transaction and its number.
Row = tuple[int, int]


class Queue:
    """The queue of one name, and transactions that add to it, end late, or are rolled back."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.following = 100
        self.number = 0
        self.running: dict[int, list[Row]] = {}
        self.visible: set[Row] = set()

    def step(self) -> None:
        """Let something happen."""
        chance = self.rng.random()
        if chance < 0.35 and len(self.running) < 8:
            self.running[self.following] = []
            self.following += self.rng.randint(1, 3)
        elif chance < 0.75 and self.running:
            xid = self.rng.choice(list(self.running))
            self.number += 1
            self.running[xid].append((xid, self.number))
        elif self.running:
            # The oldest one often stays open.
            choices = list(self.running)[1:] if self.rng.random() < 0.7 else list(self.running)
            if choices:
                rows = self.running.pop(self.rng.choice(choices))
                if self.rng.random() < 0.8:
                    self.visible.update(rows)

    def claim(self, places: Places, limit: int, now: float) -> set[Row]:
        """Take rows as a claim does; skip some, as if others were claiming them. Return all that are in the places."""
        snapshot = (min(self.running, default=self.following), self.following, sorted(self.running))
        found: set[Row] = set()
        firsts: list[tuple[int, int | None, int | None]] = []
        for index, (xid, number, until) in enumerate(zip(*places.arguments()[2:], strict=True)):
            rows = sorted(row for row in self.visible if row >= (xid, number) and row[0] < until)
            found.update(rows)
            firsts.append((index + 1, *(rows[0] if rows else (None, None))))
        skipped = {row for row in found if self.rng.random() < 0.1}
        self.visible -= set(sorted(found - skipped)[:limit])
        places.go_on(snapshot, firsts, now)
        return found


@pytest.mark.parametrize("seed", range(60))
def test_every_row_is_in_a_place_and_the_places_go_on(seed: int) -> None:
    rng = random.Random(seed)
    queue, places = Queue(rng), Places({"a": "default"})
    now = 0.0
    for _ in range(400):
        for _ in range(rng.randint(0, 6)):
            queue.step()
        now += rng.random() * 0.5
        before = set(queue.visible)
        assert queue.claim(places, rng.randint(1, 6), now) == before
    # However long the oldest transaction stays open, what comes after it is not looked at again.
    while queue.visible:
        now += 0.5
        queue.claim(places, 100, now)
    for _ in range(4):
        now += 0.6
        queue.claim(places, 100, now)
    _, _, xids, _, untils = places.arguments()
    assert sum(until - xid for xid, until in zip(xids[:-1], untils[:-1], strict=True)) <= len(queue.running)
    assert xids[-1] >= queue.following or not places.arguments()[0]


def test_a_place_whose_queue_is_paused_stays() -> None:
    places = Places({"a": "default", "b": "mail"})
    places.go_on((100, 100, []), [], 0.0)
    places.go_on((100, 100, []), [(1, None, None)], 1.0)
    names, queues, xids, numbers, _ = places.arguments()
    assert list(zip(names, queues, xids, numbers, strict=True)) == [("a", "default", 100, 0), ("b", "mail", 0, 0)]


def test_all_is_looked_at_anew_from_time_to_time() -> None:
    places = Places({"a": "default"})
    for now, xid in ((0.0, 0), (1.0, 100), (59.0, 100), (61.0, 0), (62.0, 100)):
        places.go_on((100, 100, []), [(1, None, None)], now)
        assert places.arguments()[2] == [xid]
