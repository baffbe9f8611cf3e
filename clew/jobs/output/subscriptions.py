"""`subscription { jobOutput(id:, after:) {...} }`: the output of a job over the transports of subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Self

from graphql.execution.values import get_argument_values

from clew.document.collect import collect
from clew.engine import Engine, Request
from clew.engine.outcome import ResponseTooLargeError, failure, new_request_id
from clew.engine.types import Begun
from clew.jobs.output.follow import Follower
from clew.jobs.output.source import JobOutputs
from clew.jobs.output.types import Selection
from clew.jobs.visibility import is_visible
from clew.live.types import SUBSCRIPTIONS, Payload
from clew.metrics import Metrics


class OutputSubscriptions:
    """Opens subscriptions of jobs' output."""

    def __init__(self, engine: Engine, outputs: JobOutputs) -> None:
        self._engine = engine
        self._outputs = outputs
        self._open = 0

    def measure(self, metrics: Metrics) -> None:
        """Show how many subscriptions there are."""
        metrics.gauge("clew_subscriptions", SUBSCRIPTIONS, lambda: self._open, kind="output")

    async def open(self, begun: Begun, request: Request) -> OutputStream:
        """Follow the job that the one field names.

        Raises:
            ClewError: NOT_FOUND, GONE, UNAVAILABLE, and BAD_USER_INPUT for a cursor that is none.
        """
        prepared, values = begun.prepared, begun.ready.values
        root = prepared.schema.subscription_type
        assert root is not None
        selection: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        arguments: dict[str, Any] = {}
        for key, nodes in collect(
            [prepared.operation.selection_set], root.name, prepared.fragments, values.coerced
        ).items():
            sets = [node.selection_set for node in nodes if node.selection_set is not None]
            inner = collect(sets, "JobOutput", prepared.fragments, values.coerced)
            selection.append((key, tuple((alias, subnodes[0].name.value) for alias, subnodes in inner.items())))
            if sets:
                field = root.fields[nodes[0].name.value]
                arguments = get_argument_values(field, nodes[0], prepared.with_sources(values, request.variables))
        job = str(arguments["id"])
        after = arguments.get("after") if request.last_event_id is None else request.last_event_id
        follower = self._outputs.follow(job, after, partial(is_visible, self._engine, begun.session.viewer, job))
        await follower.open()
        self._open += 1
        return OutputStream(follower, tuple(selection), prepared.limits.response_bytes, request, self._left)

    def _left(self) -> None:
        self._open -= 1


class OutputStream:
    """The events of one subscription. What many of them get is encoded once."""

    def __init__(
        self,
        follower: Follower,
        selection: Selection,
        most: int | None,
        request: Request,
        left: Callable[[], None],
    ) -> None:
        self._follower = follower
        self._selection = selection
        self._most = most
        self._request = request
        self._left: Callable[[], None] | None = left

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payload:
        """Return the next event, once there is one.

        Raises:
            ClewError: as `Follower.take`.
        """
        event = await anext(self._follower)
        body = event.result(self._selection)
        if self._most is not None and len(body) > self._most:
            body = failure(ResponseTooLargeError(self._most), self._request.id or new_request_id()).body
        return Payload(body, str(event.position))

    async def aclose(self) -> None:
        """Follow no more."""
        left, self._left = self._left, None
        if left is not None:
            left()
        await self._follower.aclose()
