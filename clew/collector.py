"""Pauses of the garbage collector. Imports nothing of Clew."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
            # Of what is frozen for good nothing may be thawed; and then a server runs, and has made little meanwhile.
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
