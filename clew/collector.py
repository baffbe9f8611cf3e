"""Pauses of the garbage collector. Imports nothing of Clew."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_frozen = False


def freeze() -> None:
    """Keep all objects that exist now out of every later collection, for the life of the process."""
    global _frozen
    gc.freeze()
    _frozen = True


@contextmanager
def paused() -> Iterator[None]:
    """Collect nothing while thousands of objects are made that all live on: it would take a third of the time.

    They count as old at once, or the next object after the pause would begin with a walk over all of them.

    Also a decorator: `@paused()`.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # `unfreeze` would thaw what `freeze` keeps. `gc.get_freeze_count` would tell too, by walking all of it.
            if not _frozen:
                gc.freeze()
                gc.unfreeze()
            gc.enable()
