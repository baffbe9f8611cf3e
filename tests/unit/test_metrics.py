"""Times of operations are shown as prometheus_client itself would show them."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from clew.metrics import Metrics

ABOUT = "Seconds until operations of clients were answered. Of a subscription: until its first result."
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SEEN = [
    ("http", "query", "OK", seconds) for seconds in (0.0, 0.0005, *BUCKETS, 0.00100001, 9.99, 10.1, 1e6, 0.003, 0.003)
] + [("websocket", "mutation", "CONFLICT", 0.3), ("http", "unknown", "CANCELLED", 0.7)]


@pytest.mark.anyio
@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
@pytest.mark.parametrize("count", [0, len(SEEN)])
async def test_they_look_like_those_of_the_library(accept: str, count: int) -> None:
    metrics, registry = Metrics(), CollectorRegistry()
    labels = ("transport", "kind", "code")
    theirs = Histogram("clew_operation_seconds", ABOUT, labels, buckets=BUCKETS, registry=registry)
    for transport, kind, code, seconds in SEEN[:count]:
        metrics.ended(transport, kind, code, seconds)
        theirs.labels(transport, kind, code).observe(seconds)
    generate = generate_openmetrics if "openmetrics" in accept else generate_latest
    # The page leaves out when counting began.
    expected = [line for line in lines(generate(registry)) if "_created" not in line]
    shown, _ = await metrics.shown(accept)
    assert [line for line in lines(shown) if "clew_operation_seconds" in line] == expected
    assert lines(shown)[0] == expected[0]


def lines(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line != "# EOF"]
