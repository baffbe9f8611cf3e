"""What the garbage collector walks over, and when. This module imports nothing of Clew."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

_frozen = False


def freeze() -> None:
    """Keep all present objects out of every later collection, for the life of the process."""
    global _frozen
    gc.freeze()
    _frozen = True


@contextmanager
def paused() -> Iterator[None]:
    """Pause collection while thousands of lasting objects are made: it would take a third of the time.

    Afterwards the objects count as old. Otherwise the next new object would start a walk over all of them.

    It is also a decorator: `@paused()`.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # `unfreeze` would undo `freeze`. `gc.get_freeze_count` would tell whether it ran, but it walks over every
            # frozen object.
            if not _frozen:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


# In bytes: the allowance for garbage in cycles, added to twice the needed memory (see `_note`).
_GARBAGE = 128 * 1024 * 1024


class Survivors:
    """Keeps what survives a full collection out of the next ones.

    A full collection walks over all objects in one go, which takes 0.7 s with 10,000 sockets. Nearly all of these
    objects are freed without it as soon as nothing uses them. All are walked over again once the process has twice as
    much memory.
    """

    def __init__(self) -> None:
        self._users = 0
        self._needed = 0
        self._walks_all = False

    def begin(self) -> None:
        """Freeze all present objects, and what survives from now on. Whoever calls this calls `end` later."""
        freeze()
        self._users += 1
        if self._users == 1:
            self._needed = self._memory()
            gc.callbacks.append(self._note)

    def end(self) -> None:
        """After the last `end`, stop freezing survivors."""
        self._users -= 1
        if not self._users:
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        if info["generation"] < 2:
            return
        memory = self._memory()
        if phase == "start":
            self._walks_all = memory > 2 * self._needed + _GARBAGE
            if self._walks_all:
                gc.unfreeze()
        else:
            gc.freeze()
            self._needed = memory if self._walks_all else min(memory, self._needed)

    @staticmethod
    def _memory() -> int:
        # Of this process, though the module may have been loaded before a fork.
        return int(psutil.Process().memory_info().rss)


survivors = Survivors()

# In seconds: how long full collections may wait, before one is due whatever is under way.
_LONGEST = 10.0
# More collections of young objects than there ever are between two full ones.
_NEVER = 2**30


class FullCollections:
    """Puts off full collections, which walk over all objects in one go, while large work is under way.

    That work runs in short turns. Its objects are many, but hold no cycles: each is freed when nothing uses it any
    more. Collections of the youngest objects go on.
    """

    def __init__(self) -> None:
        self._works = 0
        self._since = 0.0
        self._done = 0
        self._usual = gc.get_threshold()

    def begin(self) -> None:
        """Note that large work begins. Whoever calls this calls `end` later."""
        now, done = time.monotonic(), gc.get_stats()[2]["collections"]
        if not self._works or done != self._done:
            # It begins, or the full collection that was due has happened.
            self._since, self._done = now, done
        if not self._works:
            self._usual = gc.get_threshold()
        self._works += 1
        is_due = now - self._since > _LONGEST
        first, *later = self._usual
        # A second collection would make the objects of the work count as old, and a full one due as soon as it ends.
        gc.set_threshold(first, *(later if is_due else (_NEVER, _NEVER)))

    def end(self) -> None:
        """Note that large work has ended."""
        self._works -= 1
        if not self._works:
            gc.set_threshold(*self._usual)


full_collections = FullCollections()


class LargeWork:
    """One piece of work that may turn out to be large. Then it puts off full collections until its end."""

    def __init__(self) -> None:
        self.is_large = False

    def begin(self) -> None:
        """Note that the work is large. Do this any number of times."""
        if not self.is_large:
            self.is_large = True
            full_collections.begin()

    def end(self) -> None:
        """Note that the work has ended, and that what it made is gone. Do this at least once."""
        if self.is_large:
            self.is_large = False
            full_collections.end()
