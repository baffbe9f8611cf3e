"""Pause the garbage collector. This module imports nothing of Clew."""

from __future__ import annotations

import gc
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
