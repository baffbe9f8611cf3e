"""`batched`: call the user's function once for all parents of a level."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any

from graphql import GraphQLResolveInfo
from graphql.pyutils import is_awaitable


def batched(resolver: Callable[..., Sequence[Any] | Awaitable[Sequence[Any]]]) -> Callable[..., Any]:
    """Make a resolver from a function that gets all parents of a level and returns their values.

    See docs/resolvers.md, "All parents at once".

    Args:
        resolver: `(parents, info, **arguments)`, async or not. It gets the list of the parents that a resolver would
            get one by one, and the `info` of the first. It returns a list with one value for each parent, in their
            order. An exception in place of a value is the error of that parent. A raised exception is the error of
            every parent.

    Returns:
        The resolver, to bind with Ariadne.
    """

    @wraps(resolver)
    def resolve(parent: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        async def values(parents: list[Any]) -> Sequence[Any]:
            outcome: Any = resolver(parents, info, **arguments)
            found: Any = await outcome if is_awaitable(outcome) else outcome
            name = getattr(resolver, "__qualname__", repr(resolver))
            if not isinstance(found, Sequence) or isinstance(found, str | bytes):
                raise TypeError(f"{name} is batched: it returned {type(found).__name__}, and must return a list")
            if len(found) != len(parents):
                raise TypeError(
                    f"{name} is batched: it returned {len(found)} values for {len(parents)} parents, and must return "
                    "one for each, in their order"
                )
            return found

        return info.context.running.batches.gather(info, parent, values)

    return resolve
