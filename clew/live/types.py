"""What a subscription gives, and how a transport takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# What the metric `clew_subscriptions` is. Each kind of subscriptions has one.
SUBSCRIPTIONS = "Subscriptions under way."


@dataclass(frozen=True, slots=True)
class Payload:
    """One result of a subscription: the GraphQL response as JSON.

    `id`: a client that lost the connection may go on after this result by it (`Request.last_event_id`). None if the
    subscription cannot be resumed.
    """

    body: bytes
    id: str | None = None


class Stream(Protocol):
    """The results of one subscription.

    A transport asks for the next result once it has sent the one before. So a slow client holds at most one.
    """

    def __aiter__(self) -> Stream: ...

    async def __anext__(self) -> Payload:
        """Return the next result, once there is one.

        Raises:
            StopAsyncIteration: the subscription is complete.
            ClewError: the subscription ends with this error.
        """
        ...

    async def aclose(self) -> None:
        """End the subscription. Calling it again does nothing."""
        ...
