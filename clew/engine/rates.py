"""Limit how many operations a viewer may run in a minute."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Protocol

# In seconds. A viewer that was quiet for this long may run all operations of one window at once.
_WINDOW = 60.0
# How many viewers to remember. The count of a forgotten viewer starts anew.
_VIEWERS = 65_536


class RateLimiter(Protocol):
    """Count operations. An implementation may share its counts between processes."""

    def wait(self, viewer: Hashable, rate: int) -> float:
        """Count one operation of a viewer.

        Args:
            viewer: a key for the viewer.
            rate: how many operations the viewer may run in a minute.

        Returns:
            Seconds until the operation may run; 0 if it may run now. It is counted only if it may run now.
        """
        ...


class MemoryRateLimiter:
    """A token bucket for each viewer in this process, by the generic cell rate algorithm.

    It keeps one number for each bucket: the time at which the bucket will be full again.

    Args:
        clock: returns monotonic time in seconds.
        viewers: how many viewers to remember. The one that was quiet for the longest time is forgotten first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, viewers: int = _VIEWERS) -> None:
        self._clock = clock
        self._viewers = viewers
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, viewer: Hashable, rate: int) -> float:
        """Count one operation, as `RateLimiter` says."""
        now = self._clock()
        begins = self._full_at.get(viewer, now)
        full_at = (begins if begins > now else now) + _WINDOW / rate
        wait = full_at - now - _WINDOW
        # Ignore the rounding error of added fractions.
        if wait > 1e-6:
            return wait
        self._full_at[viewer] = full_at
        self._full_at.move_to_end(viewer)
        if len(self._full_at) > self._viewers:
            self._full_at.popitem(last=False)
        return 0.0


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """Return the part of an address that its owner cannot change at will: all of IPv4, the first half of IPv6."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))
