"""Live queries by changes that are told by hand: what runs again, when, and who gets it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import asyncpg
import pytest

from clew import Viewer
from clew.changes.types import ChangeKind
from clew.database.errors import ContentionError, UnavailableError
from clew.document.limits import Limits
from clew.errors import ClewError, Code
from clew.live.queries import LiveStream
from clew.live.tables import UnloggedError
from tests.live.chat import Chat, chat, user

pytestmark = pytest.mark.anyio
ADMIN = Viewer.admin()
UPDATE, INSERT, DELETE, RESET = ChangeKind.UPDATE, ChangeKind.INSERT, ChangeKind.DELETE, ChangeKind.RESET
# Seconds in which a result comes on a busy machine, and in which none comes that would come at all.
SOON, NEVER = 10.0, 0.15

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[asyncpg.Record]]]


@pytest.fixture
async def world(prepared_url: str) -> AsyncIterator[Chat]:
    async with chat(prepared_url) as made:
        yield made


class Runs:
    """Counts the statements of the live queries. `fails` says which of them fail."""

    def __init__(self, world: Chat) -> None:
        self.sent: list[tuple[str, Sequence[Any]]] = []
        self.fails: ClewError | None = None
        self.bad: Any = None
        self.slow: str | None = None
        self.gate: asyncio.Event | None = None
        self.has_read = asyncio.Event()
        for pool in (world.live_pool, world.engine.pool):
            pool.fetch = partial(self.fetch, pool.fetch)  # type: ignore[method-assign]  # looks on, and does the same

    async def fetch(self, fetch: Fetch, sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        self.sent.append((sql, arguments))
        if self.fails is not None and (self.bad is None or _holds(arguments, self.bad)):
            raise self.fails
        found = await fetch(sql, arguments)
        self.has_read.set()
        if self.slow is not None and self.slow in sql:
            await asyncio.sleep(1)
        if self.gate is not None:
            await self.gate.wait()
        return found

    def __len__(self) -> int:
        return len(self.sent)


def _holds(arguments: Sequence[Any], value: Any) -> bool:
    return any(value in item if isinstance(item, list) else item == value for item in arguments)


@pytest.fixture
def runs(world: Chat) -> Runs:
    return Runs(world)


async def result(stream: LiveStream) -> Any:
    payload = await asyncio.wait_for(anext(stream), SOON)
    return json.loads(payload.body)["data"]


async def silent(*streams: LiveStream) -> bool:
    """Whether none of the streams gets a result. They stay usable."""
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    done, _ = await asyncio.wait(waiting, timeout=NEVER)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return not done


THREAD = "($id: Int!) { thread(id: $id) { title messages { text } } }"
MINE = "{ threads { id title } }"


async def test_the_first_result_is_that_of_the_query(world: Chat) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    payload = await anext(stream)
    assert payload.body == await world.fresh(THREAD, ADMIN, {"id": 3})


@pytest.mark.parametrize(
    ("table", "old", "new", "sql"),
    [
        (
            "threads",
            {"id": 3, "title": "x"},
            {"id": 3, "title": "new"},
            "UPDATE threads SET title = 'new' WHERE id = 3",
        ),
        (
            "messages",
            None,
            {"id": 100, "thread_id": 3, "text": "new"},
            "INSERT INTO messages VALUES (100, 3, 1, 'new')",
        ),
        ("messages", {"id": 3, "thread_id": 3}, None, "DELETE FROM messages WHERE thread_id = 3"),
        (
            "messages",
            {"id": 3, "thread_id": 3, "text": "a"},
            {"id": 3, "thread_id": 4, "text": "a"},
            "UPDATE messages SET thread_id = 4 WHERE thread_id = 3",
        ),
    ],
)
async def test_a_change_of_any_row_behind_it_gives_a_new_result(
    world: Chat, table: str, old: dict[str, Any] | None, new: dict[str, Any] | None, sql: str
) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    before = await result(stream)
    await world.sql(sql)
    world.feed.tell(table, UPDATE if old and new else INSERT if new else DELETE, old, new)
    after = await result(stream)
    assert after != before
    assert after == json.loads(await world.fresh(THREAD, ADMIN, {"id": 3}))["data"]


async def test_changes_that_cannot_matter_run_nothing(world: Chat, runs: Runs) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    await result(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    before = len(runs)
    world.feed.tell("threads", UPDATE, {"id": 4, "title": "a"}, {"id": 4, "title": "b"})
    world.feed.tell("messages", INSERT, None, {"id": 200, "thread_id": 4})
    # Of the thread itself, but no column that is read.
    world.feed.tell("threads", UPDATE, {"id": 3, "team_id": 1}, {"id": 3, "team_id": 2})
    world.feed.tell("teams", DELETE, {"id": 1}, None)
    done, _ = await asyncio.wait([waiting], timeout=NEVER)
    assert not done
    assert len(runs) == before
    waiting.cancel()


async def test_a_change_that_leaves_the_result_as_it_is_sends_nothing(world: Chat, runs: Runs) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    await result(stream)
    before = len(runs)
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": "b"})
    assert await silent(stream)
    assert len(runs) == before + 1


async def test_a_rule_that_leads_through_a_relation_is_lifted(world: Chat) -> None:
    # Users see the messages of their threads: thread 3 is that of user 4.
    mine = await world.open("{ messages { text } }", user(4))
    others = await world.open("{ messages { text } }", user(5))
    await result(mine)
    await result(others)
    await world.sql("UPDATE messages SET text = 'new' WHERE thread_id = 3")
    world.feed.tell(
        "messages", UPDATE, {"id": 3, "thread_id": 3, "text": "a"}, {"id": 3, "thread_id": 3, "text": "new"}
    )
    assert {"text": "new"} in (await result(mine))["messages"]
    assert await silent(others)


async def test_a_rule_is_followed_where_its_own_rows_change(world: Chat) -> None:
    stream = await world.open(MINE, user(4, "reader"))
    before = await result(stream)
    await world.sql("DELETE FROM members WHERE user_id = 4")
    world.feed.tell("members", DELETE, {"team_id": 2, "user_id": 4}, None)
    after = await result(stream)
    assert len(after["threads"]) < len(before["threads"])


async def test_a_write_between_subscribing_and_the_first_result_is_not_lost(world: Chat, runs: Runs) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    runs.gate = asyncio.Event()
    waiting = asyncio.ensure_future(result(stream))
    # The first run has read. Its answer is under way.
    await asyncio.wait_for(runs.has_read.wait(), SOON)
    await world.sql("UPDATE threads SET title = 'between' WHERE id = 3")
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "thread 3"}, {"id": 3, "title": "between"})
    await asyncio.sleep(0.05)
    runs.gate.set()
    first = await waiting
    if first["thread"]["title"] != "between":
        assert (await result(stream))["thread"]["title"] == "between"


async def test_where_any_change_of_a_table_matters_runs_are_apart(world: Chat, runs: Runs) -> None:
    async def follow() -> None:
        async for _ in stream:
            pass

    stream = await world.open("{ teams { name } }", ADMIN)
    following = asyncio.ensure_future(follow())
    await asyncio.wait_for(runs.has_read.wait(), SOON)
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        await world.sql("UPDATE teams SET name = name || '.' WHERE id = 1")
        world.feed.tell("teams", UPDATE, {"id": 1, "name": "a"}, {"id": 1, "name": "b"})
    await asyncio.sleep(NEVER)
    # At most one in 50 ms.
    assert 3 <= len(runs) <= 2 + (time.monotonic() - began) / 0.05
    following.cancel()


async def test_equal_live_queries_share_one_run(world: Chat, runs: Runs) -> None:
    streams = [await world.open(THREAD, ADMIN, {"id": 3}) for _ in range(20)]
    await asyncio.gather(*map(result, streams))
    before = len(runs)
    await world.sql("UPDATE threads SET title = 'new' WHERE id = 3")
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": "new"})
    first, *others = await asyncio.wait_for(asyncio.gather(*waiting), SOON)
    # It is encoded once, too.
    assert all(other.body is first.body for other in others)
    assert len(runs) == before + 1


async def test_a_statement_runs_a_hundred_live_queries_at_most(world: Chat, runs: Runs) -> None:
    streams = [await world.open(THREAD, ADMIN, {"id": number}) for number in range(250)]
    await asyncio.gather(*map(result, streams))
    await world.sql("UPDATE threads SET title = title || '!'")
    (group,) = world.live._groups.values()
    group.per_member = 1e-5
    before = len(runs)
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    world.feed.tell("threads", RESET)
    await asyncio.wait_for(asyncio.gather(*waiting[1:28]), SOON)
    # The others stay without a result.
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert max(len(arguments[0]) for sql, arguments in runs.sent[before:] if "clew_member" in sql) == 100


async def test_live_queries_of_one_text_run_in_one_statement(world: Chat, runs: Runs) -> None:
    streams = [await world.open(MINE, user(number)) for number in range(1, 10)]
    waiting = [asyncio.ensure_future(result(stream)) for stream in streams]
    await asyncio.gather(*waiting)
    before = len(runs)
    waiting = [asyncio.ensure_future(result(stream)) for stream in streams]
    await asyncio.sleep(0)
    await world.sql("UPDATE threads SET title = title || '!'")
    world.feed.tell("threads", RESET)
    found = await asyncio.gather(*waiting)
    # On a slow machine a statement has fewer members.
    assert any("clew_member" in sql for sql, _ in runs.sent[before:])
    for number, threads in enumerate(found, 1):
        assert threads == json.loads(await world.fresh(MINE, user(number)))["data"]


@pytest.mark.parametrize(
    "condition", ['title: {eq: "%s"}', 'messages: {some: {text: {eq: "%s"}}}', 'title: {in: ["%s"]}']
)
async def test_values_in_the_document_find_their_own_live_query(world: Chat, condition: str) -> None:
    # The statements of the two are equal.
    first, second = (f"{{ threads(where: {{{condition % text}}}) {{ id }} }}" for text in ("one", "two"))
    streams = [await world.open(document, ADMIN) for document in (first, second)]
    assert [await result(stream) for stream in streams] == [{"threads": []}] * 2
    await world.sql("UPDATE threads SET title = 'two' WHERE id = 3")
    await world.sql("UPDATE messages SET text = 'two' WHERE id = 2")
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "x"}, {"id": 3, "title": "two"})
    world.feed.tell(
        "messages", UPDATE, {"id": 2, "thread_id": 3, "text": "x"}, {"id": 2, "thread_id": 3, "text": "two"}
    )
    assert await result(streams[1]) == {"threads": [{"id": 3}]}
    assert await silent(streams[0])


async def test_rules_with_equal_statements_find_live_queries_by_their_own_claims(world: Chat) -> None:
    document = "{ notes { text } }"
    by_name, by_desk = Viewer("1", frozenset({"named"}), {"name": "a"}), Viewer("1", frozenset({"desk"}), {"desk": "b"})
    streams = [await world.open(document, viewer) for viewer in (by_name, by_desk)]
    assert [await result(stream) for stream in streams] == [{"notes": []}] * 2
    await world.sql("INSERT INTO notes VALUES (1, 'b', 'new')")
    world.feed.tell("notes", INSERT, None, {"id": 1, "place": "b", "text": "new"})
    assert await result(streams[1]) == {"notes": [{"text": "new"}]}
    assert await silent(streams[0])


async def test_one_bad_member_fails_alone(world: Chat, runs: Runs) -> None:
    streams = [await world.open(MINE, user(number)) for number in range(1, 10)]
    await asyncio.gather(*map(result, streams))
    runs.fails, runs.bad = ClewError("The statement took too long.", code=Code.TIMEOUT), 5
    waiting = [asyncio.ensure_future(result(stream)) for stream in streams]
    await asyncio.sleep(0)
    await world.sql("UPDATE threads SET title = title || '!'")
    world.feed.tell("threads", RESET)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [number for number, item in enumerate(found, 1) if isinstance(item, ClewError)] == [5]
    # The failed one has ended; its client may subscribe again.
    with pytest.raises(StopAsyncIteration):
        await anext(streams[4])
    runs.fails = None
    assert await result(await world.open(MINE, user(5)))


@pytest.mark.parametrize("error", [UnavailableError(), ContentionError()], ids=str)
async def test_live_queries_wait_for_what_passes(world: Chat, runs: Runs, error: ClewError) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    await result(stream)
    await world.sql("UPDATE threads SET title = 'new' WHERE id = 3")
    runs.fails = error
    waiting = asyncio.ensure_future(result(stream))
    await asyncio.sleep(0)
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": "new"})
    await asyncio.sleep(NEVER)
    assert not waiting.done()
    runs.fails = None
    assert (await waiting)["thread"]["title"] == "new"


async def test_a_new_live_query_fails_at_once_without_the_database(world: Chat, runs: Runs) -> None:
    runs.fails = ClewError("The database is not available.", code=Code.UNAVAILABLE)
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    with pytest.raises(ClewError) as caught:
        await result(stream)
    assert caught.value.code is Code.UNAVAILABLE
    assert world.live.subscriptions == 0


async def test_a_new_live_query_that_loses_to_a_transaction_runs_again(world: Chat, runs: Runs) -> None:
    runs.fails = ContentionError()
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    asyncio.get_running_loop().call_later(0.05, setattr, runs, "fails", None)
    assert await result(stream)
    runs.fails = ContentionError()
    other = await world.open(THREAD, ADMIN, {"id": 4})
    with pytest.raises(ContentionError):
        await result(other)


async def test_costly_live_queries_do_not_keep_quick_ones_waiting(world: Chat, runs: Runs) -> None:
    costly = "{ threads { title team { name } } }"
    slow = [await world.open(costly, user(number, "user", "reader")) for number in range(1, 6)]
    quick = await world.open(THREAD, ADMIN, {"id": 3})
    await asyncio.gather(*map(result, (*slow, quick)))
    for group in world.live._groups.values():
        if group.members and next(iter(group.members.values())).streams.keys() & set(slow):
            group.per_member = 1.0
    runs.slow = "teams"
    waiting = [asyncio.ensure_future(result(stream)) for stream in slow]
    found = asyncio.ensure_future(result(quick))
    await asyncio.sleep(0)
    await world.sql("UPDATE threads SET title = title || '!'")
    began = time.monotonic()
    world.feed.tell("threads", RESET)
    await found
    assert time.monotonic() - began < 1.5
    assert not all(task.done() for task in waiting)
    for task in waiting:
        task.cancel()


async def test_a_client_that_does_not_read_costs_no_statements(world: Chat, runs: Runs) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    await result(stream)
    before = len(runs)
    for number in range(50):
        await world.sql(f"UPDATE threads SET title = 'title {number}' WHERE id = 3")
        world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": f"title {number}"})
        await asyncio.sleep(0)
    await asyncio.sleep(NEVER)
    assert len(runs) == before
    # When it reads again, it gets the newest state, once.
    assert (await result(stream))["thread"]["title"] == "title 49"
    assert await silent(stream)


async def test_a_table_without_its_triggers_is_not_live(world: Chat) -> None:
    world.feed.missing = {(None, "messages")}
    with pytest.raises(UnloggedError):
        await world.open(THREAD, ADMIN, {"id": 3})
    assert await result(await world.open(MINE, ADMIN))


async def test_a_live_query_ends_when_its_table_is_another_one_without_triggers(world: Chat) -> None:
    threads, teams = await world.open(THREAD, ADMIN, {"id": 3}), await world.open("{ teams { name } }", ADMIN)
    await result(threads)
    await result(teams)
    world.feed.missing = {(None, "messages")}
    world.feed.lose("messages")
    with pytest.raises(UnloggedError):
        await result(threads)
    assert await silent(teams)


async def test_those_who_subscribe_all_at_once_leave_connections_to_others(world: Chat, runs: Runs) -> None:
    streams = [await world.open(THREAD, ADMIN, {"id": number}) for number in range(1, 9)]
    runs.gate = asyncio.Event()
    first = [asyncio.ensure_future(result(stream)) for stream in streams]
    async with asyncio.timeout(SOON):
        while len(runs) < 2:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    # The pool has four connections.
    assert len(runs) == 2
    runs.gate.set()
    assert [found["thread"]["title"] for found in await asyncio.gather(*first)] == [f"thread {n}" for n in range(1, 9)]


async def test_nothing_is_kept_of_streams_that_are_closed(world: Chat) -> None:
    streams = [await world.open(MINE, user(number)) for number in range(1, 4)]
    await asyncio.gather(*map(result, streams))
    assert (world.live.subscriptions, world.live.groups, len(world.feed.listeners)) == (3, 1, 1)
    for stream in streams:
        await stream.aclose()
    assert (world.live.subscriptions, world.live.groups, len(world.feed.listeners)) == (0, 0, 0)
    with pytest.raises(StopAsyncIteration):
        await anext(streams[0])


async def test_a_stream_that_is_closed_while_it_waits_ends(world: Chat) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3})
    await result(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_throttle_holds_results_back(world: Chat) -> None:
    stream = await world.open(THREAD, ADMIN, {"id": 3}, throttle=300)
    await result(stream)
    began = time.monotonic()
    await world.sql("UPDATE threads SET title = 'new' WHERE id = 3")
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": "new"})
    await result(stream)
    assert time.monotonic() - began >= 0.29


async def test_a_role_has_a_floor_of_the_throttle(prepared_url: str) -> None:
    async with chat(prepared_url, Limits(live_rate=200)) as world:
        stream = await world.open(MINE, user(4))
        await result(stream)
        began = time.monotonic()
        await world.sql("UPDATE threads SET title = 'new' WHERE owner_id = 4")
        world.feed.tell("threads", RESET)
        await result(stream)
        assert time.monotonic() - began >= 0.29


@pytest.mark.parametrize("extensions", [{"throttle": -1}, {"throttle": "1"}, {"throttle": True}, {"patch": 1}])
async def test_wrong_extensions_are_refused(world: Chat, extensions: dict[str, Any]) -> None:
    with pytest.raises(ClewError) as caught:
        await world.open(THREAD, ADMIN, {"id": 3}, **extensions)
    assert caught.value.code is Code.BAD_USER_INPUT


async def test_a_client_may_ask_for_differences(world: Chat) -> None:
    document = "{ threads(orderBy: [{id: ASC}]) { id title } }"
    stream = await world.open(document, ADMIN, patch=True)
    first = await result(stream)
    await world.sql("UPDATE threads SET title = 'new' WHERE id = 3")
    world.feed.tell("threads", UPDATE, {"id": 3, "title": "a"}, {"id": 3, "title": "new"})
    answer = json.loads((await anext(stream)).body)
    index = next(number for number, thread in enumerate(first["threads"]) if thread["id"] == 3)
    step = {"op": "replace", "path": f"/threads/{index}/title", "value": "new"}
    assert answer == {"extensions": {"patch": [step]}}


async def test_a_result_above_the_limit_of_bytes_ends_the_live_query(prepared_url: str) -> None:
    async with chat(prepared_url, Limits(live_rate=None, response_bytes=2000)) as world:
        stream = await world.open("{ messages { text } }", user(4))
        await result(stream)
        await world.sql("UPDATE messages SET text = repeat('x', 3000)")
        world.feed.tell("messages", RESET)
        with pytest.raises(ClewError) as caught:
            await result(stream)
        assert caught.value.code is Code.LIMIT_EXCEEDED


async def test_several_root_fields_are_one_result(world: Chat) -> None:
    stream = await world.open("{ a: thread(id: 3) { title } b: threadsAggregate { count } }", ADMIN)
    assert await result(stream) == {"a": {"title": "thread 3"}, "b": {"count": 27}}
    await world.sql("UPDATE threads SET deleted_at = now() WHERE id = 9")
    world.feed.tell("threads", UPDATE, {"id": 9, "deleted_at": None}, {"id": 9, "deleted_at": "now"})
    assert (await result(stream))["b"] == {"count": 26}
