"""`subscription { jobOutput(id:, after:) {...} }`: the output of a job over the transports of subscriptions."""

from __future__ import annotations

from functools import partial
from typing import Self

from graphql.execution.values import get_argument_values

from clew.engine import Engine, Request
from clew.engine.types import Begun
from clew.jobs.output.follow import Follower
from clew.jobs.output.source import JobOutputs
from clew.jobs.output.types import fields_of
from clew.jobs.visibility import is_visible
from clew.live.types import Payload
from clew.plan.types import RootCustom
from clew.schema.build import Row


class OutputSubscriptions:
    """Opens subscriptions of jobs' output."""

    def __init__(self, engine: Engine, outputs: JobOutputs) -> None:
        self._engine = engine
        self._outputs = outputs

    async def open(self, begun: Begun, request: Request) -> OutputStream:
        """Begin to follow the job that the arguments name.

        Raises:
            ClewError: NOT_FOUND if the viewer sees no such job; GONE, BAD_USER_INPUT or UNAVAILABLE as `Follower.open`.
        """
        executable, prepared = begun.ready.executable, begun.prepared
        assert executable is not None
        root = next(root for root in executable.plan.roots if isinstance(root, RootCustom))
        subscription = prepared.schema.subscription_type
        assert subscription is not None
        node = root.nodes[0]
        sources = prepared.with_sources(begun.ready.values, request.variables)
        arguments = get_argument_values(subscription.fields[node.name.value], node, sources)
        job, after = arguments["id"], request.last_event_id or arguments.get("after")
        seen = partial(is_visible, self._engine, begun.session.viewer, job)
        follower = self._outputs.follow(job, after, seen)
        await follower.open()
        return OutputStream(self._engine, begun, request, root.key, follower)


class OutputStream:
    """The events of one subscription."""

    def __init__(self, engine: Engine, begun: Begun, request: Request, key: str, follower: Follower) -> None:
        self._engine = engine
        self._begun = begun
        self._request = request
        self._key = key
        self._follower = follower

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payload:
        """Return the next event, once there is one.

        Raises:
            ClewError: as `Follower.take`.
        """
        event = await anext(self._follower)
        outcome = await self._engine.event(self._begun, self._request, Row({self._key: fields_of(event)}))
        return Payload(await self._engine.encoded(outcome), str(event.position))

    async def aclose(self) -> None:
        """Follow no more."""
        await self._follower.aclose()
