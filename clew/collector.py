"""Pause the garbage collector. This module imports nothing of Clew."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


# In seconds: how long full collections may wait, before one is due whatever is under way.
_LONGEST = 10.0
# More collections of young objects than there ever are between two full ones.
_NEVER = 2**30


class FullCollections:
    """Puts off full collections, which walk over all objects in one go, while large work is under way.

    That work runs in short turns. Its objects are many, but they hold no cycles: each is freed when it is not used any
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
