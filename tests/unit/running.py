"""What an executor needs of a running operation, for tests of it alone."""

from __future__ import annotations

from typing import Any

from clew.collector import LargeWork
from clew.resolvers.batches import Batches
from clew.slices import Slices


class EndlessTurns(Slices):
    """Every slice is over at once."""

    def is_over(self) -> bool:
        return True


async def unread(*_: Any) -> list[Any]:
    """Read no rows: no field asks for any."""
    raise AssertionError


class _Alone(LargeWork):
    """Puts off no full collection: no operation is around it that would end that."""

    def begin(self) -> None:
        """Note that the work is large."""
        self.is_large = True

    def end(self) -> None:
        """Note that the work has ended."""
        self.is_large = False


class Running:
    """A running operation, and the context of its resolvers."""

    def __init__(self, slices: Slices) -> None:
        self.slices = slices
        self.large = _Alone()
        self.batches = Batches(unread, slices)
        self.running = self
