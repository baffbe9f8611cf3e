"""Cache keys for objects that are compared by identity."""

from __future__ import annotations

from typing import Any


class Same:
    """A key that equals another one with the very same object. It keeps the object alive.

    Not a dataclass: the cache of writes makes some for each statement.
    """

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)
