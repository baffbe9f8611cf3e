"""Numbers about one app, in the text format of Prometheus (docs/metrics.md).

Each part of the app says what it counts, by its own method `measure(metrics)`. Most of it is read when somebody asks.
Labels have few values, all of them Clew's own: nothing that a client sends, and nothing about a viewer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import cast

from prometheus_client import CollectorRegistry, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

# In seconds, from a read by key to the longest statement.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# What the metric `clew_slow_readers_total` is. Several parts count such clients.
SLOW_READERS = "WebSockets and change events that ended because their client read too slowly."

# A number at this moment; None: it is not known.
Read = Callable[[], float | None]
Look = Callable[[], Awaitable[float | None]]
# The numbers of all processes of a server, by the name of the process, given those of this one.
Others = Callable[["Metrics"], Awaitable[Mapping[str, Iterable[Metric]]]]


@dataclass(slots=True)
class _Family:
    """The numbers of one name: what tells them apart, and how each is read."""

    make: type[GaugeMetricFamily] | type[CounterMetricFamily]
    about: str
    reads: list[tuple[dict[str, str], Read]] = field(default_factory=list)


class _Seconds:
    """How seconds are distributed: how many went into each bucket, and their sum.

    prometheus_client's own takes locks and calls several functions for each observation. This one is for the loop only.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the upper bound of each bucket, with the observations up to there."""
        return list(zip((*map(str, _BUCKETS), "+Inf"), accumulate(self.counts), strict=True))


class Metrics(Collector):
    """The numbers of one app. Several apps in one process have one each.

    `others`: where several processes share a socket, gets the numbers of all of them. None: there is this one.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._families: dict[str, _Family] = {}
        self._shared: list[tuple[str, str, dict[str, str], Look]] = []
        self.others: Others | None = None
        # By transport, kind and code.
        self._operations: dict[tuple[str, str, str], _Seconds] = {}
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    # --- what the parts of an app call --------------------------------------------------

    def gauge(self, name: str, about: str, read: Read, **labels: str) -> None:
        """Show a number that rises and falls. One name may have several, with other labels."""
        self._families.setdefault(name, _Family(GaugeMetricFamily, about)).reads.append((labels, read))

    def counter(self, name: str, about: str, read: Read, **labels: str) -> None:
        """Show a number that only rises. Its name ends in `_total`."""
        self._families.setdefault(name, _Family(CounterMetricFamily, about)).reads.append((labels, read))

    def histogram(self, name: str, about: str) -> Histogram:
        """Show how seconds are distributed. The caller observes them."""
        return Histogram(name, about, buckets=_BUCKETS, registry=self.registry)

    def shared(self, name: str, about: str, look: Look, **labels: str) -> None:
        """Show a number that is the same in all processes. `look` finds it, raises nothing and ends soon."""
        self._shared.append((name, about, labels, look))

    def ended(self, transport: str, kind: str, code: str, seconds: float) -> None:
        """Count an operation of a client.

        Args:
            kind: query, mutation, subscription, or unknown if it was refused before that was clear.
            code: that of its first error, or OK.
        """
        key = (transport, kind, code)
        found = self._operations.get(key)
        if found is None:
            found = self._operations[key] = _Seconds()
        found.observe(seconds)

    # --- what shows them ----------------------------------------------------------------

    async def shown(self, accept: str) -> tuple[bytes, str]:
        """Return all numbers as text, and its media type.

        Args:
            accept: the header of the request. It may ask for OpenMetrics.
        """
        encode, media = choose_encoder(accept)
        found = _Found()
        if self.others is None:
            found.add(self.registry.collect())
        else:
            for worker, families in (await self.others(self)).items():
                found.add(families, {"worker": worker})
        for name, about, labels, look in self._shared:
            if (value := await look()) is not None:
                family = GaugeMetricFamily(name, about, labels=list(labels))
                family.add_metric(list(labels.values()), value)
                found.add([family])
        # It only collects.
        return encode(cast("CollectorRegistry", found)), media

    def collect(self) -> Iterator[Metric]:
        """Read all that is read when somebody asks."""
        operations = HistogramMetricFamily(
            "clew_operation_seconds",
            "Seconds until operations of clients were answered. Of a subscription: until its first result.",
            labels=("transport", "kind", "code"),
        )
        for key, seconds in self._operations.items():
            operations.add_metric(key, seconds.buckets(), seconds.total)
        yield operations
        for name, family in self._families.items():
            made = family.make(name, family.about, labels=list(family.reads[0][0]))
            for labels, read in family.reads:
                value = read()
                if value is not None:
                    made.add_metric(list(labels.values()), value)
            yield made

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: parts are added later."""
        return iter(())


class _Found:
    """Numbers of several processes, each name once."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, families: Iterable[Metric], labels: Mapping[str, str] | None = None) -> None:
        """Add numbers, with further labels."""
        for family in families:
            kept = self._families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            kept.samples += [
                sample._replace(labels={**(labels or {}), **sample.labels}, exemplar=None)
                for sample in family.samples
                # When counting began is when the process did.
                if not sample.name.endswith("_created")
            ]

    def collect(self) -> Iterable[Metric]:
        return self._families.values()
