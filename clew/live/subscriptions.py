"""The one entry for transports that carry subscriptions: it runs any operation, and finds what runs a subscription."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol, Self

from graphql import GraphQLError, OperationType

from clew.document.collect import collect
from clew.engine import Engine, Outcome, Request
from clew.engine.explain import recorder
from clew.engine.flights import Flight
from clew.engine.operation import RunningOperation
from clew.engine.outcome import new_request_id, refusal
from clew.engine.types import Begun
from clew.errors import ClewError
from clew.live.types import SUBSCRIPTIONS, Payload, Stream
from clew.metrics import Metrics
from clew.model import names
from clew.viewer import Viewer


class Opener(Protocol):
    """Open the subscriptions of one kind."""

    def measure(self, metrics: Metrics) -> None:
        """Show what they do."""
        ...

    async def open(self, begun: Begun, request: Request) -> Stream | Outcome:
        """Return the results, or the outcome that refuses the subscription.

        Raises:
            ClewError: refuses it.
        """
        ...


class Subscriptions:
    """Runs operations of every kind: queries and mutations as the engine does, and subscriptions.

    `queries` open live queries, `changes` open change events.

    Args:
        others: what opens further fields of Subscription, by their names.
        witnessed: whether an error says which rules refused a write, as in development.
    """

    def __init__(
        self,
        engine: Engine,
        queries: Opener,
        changes: Opener,
        others: Mapping[str, Opener],
        *,
        witnessed: bool = False,
    ) -> None:
        self.engine = engine
        self._witnessed = witnessed
        self._queries = queries
        self._changes = changes
        custom = CustomSubscriptions(engine)
        self._custom = {field.name for field in engine.model.custom_fields if field.parent == "Subscription"}
        self._alone: dict[str, Opener] = {
            **{names.change_field(entity.single): changes for entity in engine.model.entities.values()},
            **dict.fromkeys(self._custom, custom),
            **others,
        }
        self._custom_subscriptions = custom
        self._others = tuple(others.values())

    def measure(self, metrics: Metrics) -> None:
        """Show what subscriptions of all kinds do."""
        for part in (self._queries, self._changes, self._custom_subscriptions, *self._others):
            part.measure(metrics)

    async def open(self, request: Request, viewer: Viewer, flight: Flight | None = None) -> Outcome | Stream:
        """Run one operation for a viewer. Raise only on cancellation, and on faults in Clew itself.

        Args:
            flight: counts the operation as under way until the caller ends the flight: once an outcome or the first
                result of a stream is sent. A stream whose first result may take any time ends it itself.

        Returns:
            The outcome of a query, of a mutation, or of a subscription that is refused; else the results.
        """
        begun = await self.engine.begin(request, viewer, flight)
        if isinstance(begun, Outcome):
            return begun
        if begun.prepared.kind is not OperationType.SUBSCRIPTION:
            witness = await recorder(self.engine, viewer) if self._witnessed else None
            return await self.engine.finish(begun, request, witness=witness)
        try:
            opener, waits = self._opener(begun)
            opened = await opener.open(begun, request)
        except ClewError as error:
            return refusal(error, request.id or new_request_id())
        if waits and flight is not None:
            flight.answered()
            flight.end()
        return opened

    def _opener(self, begun: Begun) -> tuple[Opener, bool]:
        """Return what opens a subscription, and whether its first result may take any time."""
        prepared = begun.prepared
        root = prepared.schema.subscription_type
        assert root is not None
        selected = collect(
            [prepared.operation.selection_set], root.name, prepared.fragments, begun.ready.values.coerced
        )
        # Planning has checked that there is one field, or that all of them are live queries.
        name = next(nodes[0].name.value for nodes in selected.values() if nodes[0].name.value != "__typename")
        return self._alone.get(name, self._queries), name in self._alone


class CustomSubscriptions:
    """Opens subscriptions of the application's own: Ariadne's sources, bound by `SubscriptionType`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way: set[_Events] = set()

    def measure(self, metrics: Metrics) -> None:
        """Show how many there are."""
        metrics.gauge("clew_subscriptions", SUBSCRIPTIONS, lambda: len(self._under_way), kind="custom")

    async def open(self, begun: Begun, request: Request) -> Stream | Outcome:
        """Start the source of the one field. Its `@row` arguments are judged before."""
        operation = self._engine.source(begun, request)
        try:
            events = await operation.events()
        except BaseException:
            await operation.connection.finish()
            raise
        if isinstance(events, Outcome):
            await operation.connection.finish()
            return events
        found = _Events(self._engine, begun, request, operation, events, self._under_way)
        self._under_way.add(found)
        return found


class _Events:
    """The results of a custom subscription: one for each event of its source."""

    def __init__(
        self,
        engine: Engine,
        begun: Begun,
        request: Request,
        operation: RunningOperation,
        events: AsyncIterator[Any],
        under_way: set[_Events],
    ) -> None:
        self._under_way = under_way
        self._engine = engine
        self._begun = begun
        self._request = request
        self._operation = operation
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payload:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise
        except Exception as error:
            raise self._told(error) from None
        # A source holds no connection while it waits for its next event.
        await self._operation.connection.give_back()
        outcome = await self._engine.event(self._begun, self._request, event)
        return Payload(await self._engine.encoded(outcome))

    def _told(self, error: Exception) -> ClewError:
        entry = self._operation.told(GraphQLError("", original_error=error))
        extensions = dict(entry["extensions"])
        return ClewError(
            entry["message"],
            code=extensions.pop("code"),
            hint=extensions.pop("hint", None),
            extensions={name: value for name, value in extensions.items() if name != "requestId"},
        )

    async def aclose(self) -> None:
        self._under_way.discard(self)
        try:
            close: Callable[[], Any] | None = getattr(self._events, "aclose", None)
            if close is not None:
                await close()
        finally:
            await self._operation.connection.finish()
