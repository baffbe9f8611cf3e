"""`/metrics`: who may read it, what it says, and that it says nothing about anybody."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clew.config import Settings
from clew.database.pool import Pool
from clew.database.snapshots import OldestSnapshot
from clew.errors import Code
from clew.metrics import Metrics
from tests.faults.lab import served
from tests.sockets.client import socket
from tests.sockets.conftest import desk, made_desk
from tests.sockets.desk import Desk, channel, token

pytestmark = pytest.mark.anyio

__all__ = ["desk", "made_desk"]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
SECRET = "the secret of the admin, for the numbers"
TOKEN = "the token of those who read the numbers"
ADMIN = {"x-clew-admin-secret": SECRET}
NOTES = "subscription { notes(orderBy: [{text: ASC}]) { text } }"

Numbers = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Numbers:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def numbers(port: int) -> Numbers:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        answer = await client.get("/metrics", headers=ADMIN)
    assert answer.status_code == 200
    return parsed(answer.text)


def number(found: Numbers, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


async def becomes(port: int, value: float, name: str, **labels: str) -> None:
    """Wait for a number."""
    until = time.monotonic() + 15
    while (found := number(await numbers(port), name, **labels)) != value:
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)


async def post(port: int, query: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        return await client.post("/graphql", json={"query": query, **more}, headers=headers or {})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([("authorization", f"Bearer {token()}")], 403),
        ([("authorization", f"Bearer {token(roles=['metrics'])}")], 403),
        ([("authorization", "Bearer x")], 401),
        ([("authorization", "Bearer " + TOKEN[:-1])], 401),
        ([("authorization", "Basic " + TOKEN)], 401),
        ([("authorization", TOKEN)], 401),
        ([("authorization", "Bearer " + TOKEN), ("authorization", "Bearer other")], 401),
        ([("x-clew-admin-secret", TOKEN)], 401),
        ([("x-clew-admin-secret", SECRET + "x")], 401),
        ([("x-forwarded-for", "127.0.0.1")], 401),
        ([("x-clew-admin-secret", SECRET)], 200),
        ([("authorization", "bearer  " + TOKEN)], 200),
    ],
)
async def test_an_admin_and_whoever_has_the_token_may_read_it(
    desk: Desk, headers: list[tuple[str, str]], status: int
) -> None:
    async with (
        served(desk.app(admin_secret=SECRET, metrics_token=TOKEN)) as port,
        httpx.AsyncClient(base_url=f"http://localhost:{port}") as client,
    ):
        answer = await client.get("/metrics", headers=headers)
        assert answer.status_code == status
        assert ("clew_" in answer.text) == (status == 200)
        if status != 200:
            assert answer.json()["errors"][0]["message"] in (
                "Metrics are for an admin.",
                "The credentials are not valid.",
            )


async def test_without_a_token_no_bearer_reads_it(desk: Desk) -> None:
    async with served(desk.app()) as port, httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        for given in ("Bearer", "Bearer None", "Bearer " + TOKEN):
            assert (await client.get("/metrics", headers={"authorization": given})).status_code == 401


async def test_the_token_opens_nothing_else(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET, metrics_token=TOKEN)) as port:
        answer = await post(port, "{ notes { id } }", {"authorization": "Bearer " + TOKEN})
        assert answer.status_code == 401


def test_a_weak_token_and_one_that_is_another_secret_are_refused() -> None:
    common = {"DATABASE_URL": "postgresql://x/y", "secret": TOKEN[::-1], "admin_secret": SECRET}
    weak = Settings.model_validate({**common, "metrics_token": "metrics"}).production_faults()
    assert [fault for fault in weak if "CLEW_METRICS_TOKEN is weak" in fault]
    same = Settings.model_validate({**common, "metrics_token": SECRET}).production_faults()
    assert [fault for fault in same if "must differ" in fault]


async def test_operations_are_counted_by_transport_kind_and_code(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET, max_operations=3)) as port:
        member = {"authorization": f"Bearer {token()}"}
        await post(port, "{ notes { id } }", member)
        await post(port, "mutation { break }")
        await post(port, "{ nope }")
        await post(port, "{")
        await post(port, "{ notes { id } }", {"authorization": "Bearer forged"})
        await post(port, "{ notes { id } }", {"accept": "text/event-stream", **member})
        await post(port, "subscription { ticks(to: 2) }", {"accept": "text/event-stream"})
        async with socket(port, init={"authorization": f"Bearer {token()}"}) as client:
            await client.results("{ notes { id } }")
            await client.results("subscription { ticks(to: 2) }")
            await client.results("subscription { nope }")
            await client.subscribe(NOTES, "live")
            assert (await client.receive())["type"] == "next"
        await becomes(port, 0, "clew_sockets", transport="websocket")
        found = await numbers(port)

        def count(transport: str, kind: str, code: str) -> float:
            return number(found, "clew_operation_seconds_count", transport=transport, kind=kind, code=code)

        assert count("http", "query", "OK") == 1
        assert count("http", "mutation", "INTERNAL") == 1
        assert count("http", "unknown", "GRAPHQL_VALIDATION_FAILED") == 1
        assert count("http", "unknown", "GRAPHQL_PARSE_FAILED") == 1
        assert count("http", "unknown", "UNAUTHENTICATED") == 1
        assert count("sse", "query", "OK") == 1
        assert count("sse", "subscription", "OK") == 1
        assert count("websocket", "query", "OK") == 1
        assert count("websocket", "subscription", "OK") == 2
        assert count("websocket", "unknown", "GRAPHQL_VALIDATION_FAILED") == 1
        assert sum(value for (name, _), value in found.items() if name == "clew_operation_seconds_count") == 11


async def test_an_operation_whose_client_leaves_is_counted_as_cancelled(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET)) as port:
        with pytest.raises(httpx.ReadTimeout):
            async with httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=0.3) as client:
                await client.post("/graphql", json={"query": "{ wait(seconds: 60) }"})
        labels = {"transport": "http", "kind": "query", "code": "CANCELLED"}
        await becomes(port, 1, "clew_operation_seconds_count", **labels)


async def test_what_is_under_way_is_shown(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET, max_in_flight=1)) as port:
        running = [asyncio.ensure_future(post(port, "{ wait(seconds: 1) }")) for _ in range(2)]
        await becomes(port, 1, "clew_operations_in_flight")
        await becomes(port, 1, "clew_operations_waiting")
        await asyncio.gather(*running)
        await becomes(port, 0, "clew_operations_in_flight")


async def test_live_queries_and_the_log_are_shown(desk: Desk) -> None:
    channel("measured")
    async with served(desk.app(admin_secret=SECRET)) as port:
        member = {"authorization": f"Bearer {token('measured')}"}
        async with socket(port, init=member) as client:
            for id_ in ("1", "2"):
                await client.subscribe(NOTES, id_)
                assert (await client.receive())["payload"] == {"data": {"notes": []}}
            await client.subscribe("subscription { noteChanges { kind } }", "3")
            await client.subscribe('subscription { channel(name: "measured") }', "4")
            await becomes(port, 1, "clew_subscriptions", kind="changes")
            await becomes(port, 1, "clew_subscriptions", kind="custom")
            before = await numbers(port)
            assert number(before, "clew_subscriptions", kind="live") == 2
            assert number(before, "clew_live_groups") == 1
            assert number(before, "clew_sockets", transport="websocket") == 1
            assert number(before, "clew_live_results_total") == 2
            made = await post(port, 'mutation { createNote(input: {text: "measured"}) { id } }', member)
            for _ in range(3):
                assert (await client.receive())["type"] == "next"
            found = await numbers(port)
            assert number(found, "clew_change_log_rows_total") == 1
            assert number(found, "clew_change_log_lag_seconds_count") == 1
            assert number(found, "clew_change_log_unread_seconds") < 10
            assert number(found, "clew_live_results_total") == 4
            assert number(found, "clew_live_runs_total") == number(before, "clew_live_runs_total") + 1
            assert number(found, "clew_change_events_total") == 1
            assert number(found, "clew_live_behind") == 0
            note = made.json()["data"]["createNote"]["id"]
            same = 'mutation($n: ID!) { updateNote(id: $n, set: {text: "other"}) { id } %s }'
            again = same % 'b: updateNote(id: $n, set: {text: "measured"}) { id }'
            await post(port, again, member, variables={"n": note})
            # The result is the one before, so nothing is sent.
            await becomes(port, number(found, "clew_live_suppressed_total") + 1, "clew_live_suppressed_total")
            assert number(await numbers(port), "clew_live_results_total") == 4
            await post(port, "mutation($n: ID!) { deleteNote(id: $n) { id } }", member, variables={"n": note})
        await becomes(port, 0, "clew_subscriptions", kind="live")
        found = await numbers(port)
        assert number(found, "clew_subscriptions", kind="changes") == 0
        assert number(found, "clew_subscriptions", kind="custom") == 0
        assert number(found, "clew_live_groups") == 0
        assert number(found, "clew_change_log_unread_seconds") == 0


async def test_labels_are_few_and_say_nothing_of_clients(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET)) as port:
        for text in ("private", 'a"b\n', "x" * 300):
            await post(
                port, "query Private($v: String) { notes(where: {text: {eq: $v}}) { id } }", variables={"v": text}
            )
            await post(port, f"{{ {text} }}", {"authorization": "Bearer private", "x-request-id": "private"})
        found = await numbers(port)
        allowed = {
            "transport": {"http", "sse", "websocket"},
            "kind": {"query", "mutation", "subscription", "unknown", "live", "changes", "custom", "output"},
            "job": {"tidy"},
            "queue": {"default"},
            "status": {"SUCCEEDED", "FAILED", "CANCELLED"},
            "code": {"OK", "CANCELLED", *Code},
            "pool": {"requests", "live"},
            "state": {"in_use", "idle"},
            "what": {"websocket", "changes"},
            "generation": {"0", "1", "2"},
        }
        for name, labels in found:
            for label, value in labels:
                assert label == "le" or value in allowed[label], (name, label, value)


async def test_two_apps_in_one_process_count_apart(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET)) as one, served(desk.app(admin_secret=SECRET)) as other:
        await post(one, "{ viewer { id } }")
        labels = {"transport": "http", "kind": "query", "code": "OK"}
        assert number(await numbers(one), "clew_operation_seconds_count", **labels) == 1
        assert number(await numbers(other), "clew_operation_seconds_count", **labels) == 0


async def test_openmetrics_is_there_for_those_who_ask(desk: Desk) -> None:
    async with served(desk.app(admin_secret=SECRET)) as port, httpx.AsyncClient() as client:
        accept = {"accept": "application/openmetrics-text; version=1.0.0"}
        answer = await client.get(f"http://localhost:{port}/metrics", headers={**ADMIN, **accept})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        assert answer.headers["cache-control"] == "no-store"


async def test_the_pool_is_shown(desk: Desk) -> None:
    metrics, pool = Metrics(), Pool(desk.url, size=1)
    pool.measure(metrics, "requests")
    connection = await pool.acquire()
    waiter = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    found = parsed((await metrics.shown(""))[0].decode())
    assert number(found, "clew_pool_connections", pool="requests", state="in_use") == 1
    assert number(found, "clew_pool_connections_max", pool="requests") == 1
    assert number(found, "clew_pool_waiting", pool="requests") == 1
    pool.release(connection)
    pool.release(await waiter)
    found = parsed((await metrics.shown(""))[0].decode())
    assert number(found, "clew_pool_connections", pool="requests", state="idle") == 1
    assert number(found, "clew_pool_waiting", pool="requests") == 0
    await pool.close()


async def test_the_oldest_snapshot_is_shown(desk: Desk) -> None:
    pool, holder = Pool(desk.url, size=1), await asyncpg.connect(desk.url)
    assert await OldestSnapshot(pool).look() == 0
    transaction = holder.transaction(isolation="repeatable_read")
    await transaction.start()
    await holder.fetchval("SELECT count(*) FROM notes")
    await asyncio.sleep(0.2)
    oldest = OldestSnapshot(pool)
    seconds = await oldest.look()
    assert seconds is not None
    assert 0.2 <= seconds < 60
    # Scrapes that come often ask the database once.
    assert await oldest.look() == seconds
    await transaction.rollback()
    await holder.close()
    await pool.close()


async def test_a_database_that_does_not_answer_holds_nothing_up(desk: Desk) -> None:
    pool = Pool(desk.url, size=1)
    held = await pool.acquire()
    metrics = Metrics()
    OldestSnapshot(pool).measure(metrics)
    began = time.monotonic()
    text, _ = await metrics.shown("")
    assert time.monotonic() - began < 5
    assert b"clew_oldest_snapshot_seconds" not in text
    pool.release(held)
    await pool.close()


async def test_every_number_is_documented_and_no_other_is(desk: Desk) -> None:
    documented = dict(re.findall(r"^\| `(clew_\w+)` \| ([^|]*) \|", DOCS.read_text("utf-8"), re.MULTILINE))
    async with served(desk.app(admin_secret=SECRET, run_jobs=True)) as port, httpx.AsyncClient() as client:
        await post(port, "{ viewer { id } }")
        text = (await client.get(f"http://localhost:{port}/metrics", headers=ADMIN)).text
    shown: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("clew_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels if label != "le"}
            shown[name] = ", ".join(f"`{label}`" for label in sorted(labels)) or "none"
    assert documented == shown
