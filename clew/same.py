"""Keys of caches for things that are told apart by being another thing."""

from __future__ import annotations

from typing import Any


class Same:
    """Equals another one that holds the very same thing. The thing lives as long as this does.

    Not a dataclass: the cache of writes makes some for each statement.
    """

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)
