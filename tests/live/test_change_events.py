"""What happens to rows, as each viewer sees it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from clew import Clew, ClewError, Viewer
from clew.changes.types import OtherEpochError
from clew.config import Settings
from clew.database.errors import ContentionError
from clew.engine import Outcome, Request
from clew.engine.explain import explained
from clew.errors import Code
from clew.live import events as live_events
from clew.live.events import SlowReaderError
from tests.live.newsroom import EDITOR, Newsroom, Reader, event, person

pytestmark = pytest.mark.anyio

NOTES = "subscription { noteChanges { kind id } }"
LABELS = "subscription { labelChanges { kind code number } }"


def told(found: list[dict[str, Any]]) -> list[str]:
    """Kinds and keys, such as `CREATED 1`."""
    return [" ".join(str(value) for value in one.values()) for one in found]


async def seen(newsroom: Newsroom, viewers: list[Viewer], *transactions: str, document: str = NOTES) -> list[list[str]]:
    """What each viewer is told of these transactions, each read as a batch of its own."""
    readers = [await newsroom.subscribe(viewer, document) for viewer in viewers]
    found: list[list[str]] = [[] for _ in viewers]
    for transaction in transactions:
        await newsroom.write(transaction)
        await newsroom.source.read()
        for reader, one in zip(readers, found, strict=True):
            one += told([event(payload) for payload in await reader.waiting()])
    for reader in readers:
        await reader.close()
    assert not newsroom.source.listeners
    return found


async def both(newsroom: Newsroom, viewers: list[Viewer], *statements: str, document: str = NOTES) -> list[list[str]]:
    """As `seen`, of one transaction."""
    return await seen(newsroom, viewers, "; ".join(statements), document=document)


# --- kinds ----------------------------------------------------------------------------


async def test_a_row_is_created_updated_and_deleted(newsroom: Newsroom) -> None:
    found = await seen(
        newsroom,
        [person(1), person(3), EDITOR],
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')",
        "UPDATE notes SET text = 'new' WHERE id = 10",
        "DELETE FROM notes WHERE id = 10",
    )
    assert found == [["CREATED 10", "UPDATED 10", "DELETED 10"], [], ["CREATED 10", "UPDATED 10", "DELETED 10"]]


async def test_a_row_that_comes_into_sight_is_created_and_one_that_leaves_it_deleted(newsroom: Newsroom) -> None:
    found = await seen(newsroom, [person(1), person(3)], "UPDATE notes SET room_id = 2 WHERE id = 2")
    assert found == [["DELETED 2"], ["CREATED 2"]]
    hidden = await seen(newsroom, [person(1), EDITOR], "UPDATE notes SET text = 'x' WHERE id = 3")
    assert hidden == [[], ["UPDATED 3"]]


async def test_where_decides_on_the_row_before_and_after(newsroom: Newsroom) -> None:
    document = "subscription { noteChanges(where: {level: {gt: 5}}) { kind id } }"
    found = await seen(
        newsroom,
        [person(1)],
        "UPDATE notes SET level = 1 WHERE id = 1",
        "UPDATE notes SET level = 6 WHERE id = 1",
        "UPDATE notes SET level = 7 WHERE id = 1",
        "UPDATE notes SET level = 5 WHERE id = 1",
        "DELETE FROM notes WHERE id = 1",
        document=document,
    )
    assert found == [["CREATED 1", "UPDATED 1", "DELETED 1"]]


async def test_a_client_asks_for_kinds_of_events(newsroom: Newsroom) -> None:
    document = "subscription { noteChanges(on: [CREATED, DELETED]) { kind id } }"
    statements = [
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')",
        "UPDATE notes SET text = 'new' WHERE id = 10",
        "DELETE FROM notes WHERE id = 10",
    ]
    assert await seen(newsroom, [EDITOR], *statements, document=document) == [["CREATED 10", "DELETED 10"]]
    only_resets = "subscription { noteChanges(on: []) { kind id } }"
    assert await seen(newsroom, [EDITOR], *statements, "TRUNCATE notes", document=only_resets) == [["RESET None"]]


async def test_one_transaction_gives_its_events_in_order(newsroom: Newsroom) -> None:
    found = await both(
        newsroom,
        [person(1)],
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2'), (11, 2, 'p2')",
        "UPDATE notes SET text = 'new' WHERE id IN (10, 11)",
        "UPDATE notes SET room_id = 1 WHERE id = 11",
        "DELETE FROM notes WHERE id = 10",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')",
    )
    assert found == [["CREATED 10", "UPDATED 10", "CREATED 11", "DELETED 10", "CREATED 10"]]


async def test_what_is_rolled_back_did_not_happen(newsroom: Newsroom) -> None:
    found = await both(
        newsroom,
        [EDITOR],
        "SAVEPOINT s",
        "UPDATE notes SET text = 'gone'",
        "ROLLBACK TO s",
        "UPDATE notes SET text = 'kept' WHERE id = 3",
    )
    assert found == [["UPDATED 3"]]


async def test_a_row_with_another_key_is_another_row(newsroom: Newsroom) -> None:
    await newsroom.write("INSERT INTO labels (code, number) VALUES ('a', 1)")
    found = await seen(
        newsroom,
        [person(1)],
        "UPDATE labels SET number = 2",
        "UPDATE labels SET number = 3, open = false",
        "UPDATE labels SET number = 4, open = true",
        document=LABELS,
    )
    assert found == [["DELETED a 1", "CREATED a 2", "DELETED a 2", "CREATED a 4"]]


async def test_truncate_is_a_reset(newsroom: Newsroom) -> None:
    document = "subscription { noteChanges { kind id node { id } cursor at } }"
    reader = await newsroom.subscribe(person(1), document)
    await newsroom.write("TRUNCATE notes")
    (found,) = await reader.events()
    assert found["kind"] == "RESET"
    assert (found["id"], found["node"]) == (None, None)
    assert found["cursor"]
    await newsroom.write("INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')")
    (again,) = await reader.events()
    assert (again["kind"], again["id"], again["node"]) == ("CREATED", 10, {"id": 10})
    assert datetime.fromisoformat(found["at"]) < datetime.fromisoformat(again["at"])
    assert again["at"].endswith("+00:00")


async def test_a_statement_over_too_many_rows_is_a_reset(newsroom: Newsroom) -> None:
    found = await seen(
        newsroom,
        [person(1)],
        "INSERT INTO labels (code, number) SELECT 'x', n FROM generate_series(1, 10001) AS n",
        document=LABELS,
    )
    assert found == [["RESET None None"]]


# --- soft deletion, deletions that take rows along ------------------------------------


async def test_a_soft_deletion_is_one_and_its_undoing_a_creation(newsroom: Newsroom) -> None:
    found = await seen(
        newsroom,
        [person(1), EDITOR],
        "UPDATE notes SET deleted_at = now() WHERE id = 1",
        "UPDATE notes SET text = 'while it is deleted' WHERE id = 1",
        "UPDATE notes SET deleted_at = NULL WHERE id = 1",
    )
    assert found == [["DELETED 1", "CREATED 1"]] * 2


async def test_a_deletion_that_takes_rows_along_is_seen_by_those_who_saw_them(newsroom: Newsroom) -> None:
    # With the room its guests are gone, too: nobody is in it any more.
    found = await seen(newsroom, [person(1), person(3), EDITOR], "DELETE FROM rooms WHERE id = 1")
    assert found == [["DELETED 1", "DELETED 2"], [], ["DELETED 1", "DELETED 2"]]


async def test_a_soft_deletion_takes_rows_along_as_a_real_one_does(newsroom: Newsroom) -> None:
    document = "subscription { bookChanges { kind id } }"
    deleting = [f"UPDATE {table} SET deleted_at = '2026-01-01'" for table in ("shelves", "books")]
    restoring = [f"UPDATE {table} SET deleted_at = NULL" for table in ("shelves", "books")]
    for order in (1, -1):
        assert await both(newsroom, [person(1)], *deleting[::order], document=document) == [["DELETED 1"]]
        assert await both(newsroom, [person(1)], *restoring[::order], document=document) == [["CREATED 1"]]


async def test_who_joins_what_is_deleted_sees_nothing_of_its_end(newsroom: Newsroom) -> None:
    joins = "INSERT INTO guests (room_id, person_id) VALUES (1, 'p5')"
    assert await both(newsroom, [person(5)], joins, "DELETE FROM rooms WHERE id = 1") == [[]]


async def test_who_left_before_what_is_deleted_saw_it_until_then(newsroom: Newsroom) -> None:
    leaves = "DELETE FROM guests WHERE person_id = 'p1'"
    assert await both(newsroom, [person(1)], leaves, "DELETE FROM notes WHERE id = 2") == [["DELETED 2"]]
    assert await both(newsroom, [person(1)], "DELETE FROM notes WHERE id = 3") == [[]]


async def test_a_row_that_changes_before_it_is_taken_along_is_deleted_once(newsroom: Newsroom) -> None:
    found = await both(
        newsroom,
        [person(1), person(2), person(3)],
        "UPDATE notes SET text = 'last words' WHERE id IN (1, 2)",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2'), (11, 1, 'p4')",
        "DELETE FROM rooms WHERE id = 1",
    )
    # Their own notes they see wherever these are. What was never there for them is not gone for them.
    assert found[0] == ["UPDATED 1", "DELETED 1", "DELETED 2"]
    assert found[1] == ["UPDATED 2", "CREATED 10", "DELETED 1", "DELETED 2", "DELETED 10"]
    assert found[2] == []


async def test_a_row_that_came_and_went_with_its_room_is_nothing(newsroom: Newsroom) -> None:
    found = await both(
        newsroom,
        [person(5)],
        "INSERT INTO rooms (id, name) VALUES (9, 'Nine')",
        "INSERT INTO guests (room_id, person_id) VALUES (9, 'p5')",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 9, 'p2')",
        "DELETE FROM rooms WHERE id = 9",
    )
    assert found == [[]]


# --- changes elsewhere ----------------------------------------------------------------


async def test_who_joins_in_the_transaction_sees_what_is_new_in_it(newsroom: Newsroom) -> None:
    statements = [
        "INSERT INTO guests (room_id, person_id) VALUES (1, 'p4')",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')",
    ]
    assert await both(newsroom, [person(4)], *statements) == [["CREATED 10"]]


async def test_who_leaves_in_the_transaction_sees_nothing_of_it(newsroom: Newsroom) -> None:
    found = await both(
        newsroom,
        [person(1), person(2)],
        "UPDATE notes SET text = 'a secret' WHERE id = 2",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 1, 'p2')",
        "DELETE FROM guests WHERE person_id = 'p1'",
    )
    assert found == [[], ["UPDATED 2", "CREATED 10"]]


async def test_a_change_elsewhere_is_no_event_of_its_own(newsroom: Newsroom) -> None:
    found = await seen(
        newsroom,
        [person(1)],
        "DELETE FROM guests WHERE person_id = 'p1'",
        "INSERT INTO guests (room_id, person_id) VALUES (2, 'p1')",
        "UPDATE rooms SET name = 'Other'",
    )
    assert found == [[]]


# --- what a viewer does not see -------------------------------------------------------


async def test_a_change_of_masked_fields_tells_nothing(newsroom: Newsroom) -> None:
    viewers = [person(1), person(2), EDITOR]
    private = await seen(newsroom, viewers, "UPDATE notes SET private = 'mine' WHERE id = 2")
    assert private == [[], ["UPDATED 2"], ["UPDATED 2"]]
    internal = await seen(newsroom, viewers, "UPDATE notes SET internal = 'of nobody' WHERE id = 2")
    assert internal == [[], [], []]


async def test_a_masked_field_that_opens_is_a_change(newsroom: Newsroom) -> None:
    viewers = [person(1)]
    nothing = ["UPDATE notes SET draft = 'a' WHERE id = 2", "UPDATE notes SET shared = true WHERE id = 3"]
    assert await seen(newsroom, viewers, *nothing) == [[]]
    found = await seen(
        newsroom,
        viewers,
        "UPDATE notes SET shared = true WHERE id = 2",
        "UPDATE notes SET draft = 'b' WHERE id = 2",
        "UPDATE notes SET shared = false WHERE id = 2",
        "UPDATE notes SET draft = 'c' WHERE id = 2",
        "UPDATE notes SET shared = true, draft = NULL WHERE id = 2",
    )
    assert found == [["UPDATED 2"] * 3]


async def test_a_masked_change_and_one_elsewhere_together_tell_nothing(newsroom: Newsroom) -> None:
    private, joins = "UPDATE notes SET private = 'x' WHERE id = 3", "INSERT INTO guests VALUES (2, 'p1')"
    leaves = "DELETE FROM guests WHERE person_id = 'p1'"
    assert await both(newsroom, [person(1)], private, joins) == [[]]
    assert await both(newsroom, [person(1)], leaves, "UPDATE notes SET private = 'y' WHERE id = 3") == [[]]


async def test_where_asks_masked_fields(newsroom: Newsroom) -> None:
    document = 'subscription { noteChanges(where: {private: {eq: "x"}}) { kind id } }'
    found = await seen(
        newsroom, [person(1), person(2)], "UPDATE notes SET private = 'x' WHERE id IN (1, 2)", document=document
    )
    assert found == [["CREATED 1"], ["CREATED 2"]]


async def test_a_masked_key_is_not_told_and_its_change_is_none(newsroom: Newsroom) -> None:
    document = "subscription { ticketChanges { kind node { title } } }"
    found = await seen(
        newsroom,
        [person(1)],
        "INSERT INTO tickets (id, title) VALUES (gen_random_uuid(), 'A')",
        "UPDATE tickets SET id = gen_random_uuid()",
        "UPDATE tickets SET serial = 1",
        "UPDATE tickets SET title = 'B'",
        document=document,
    )
    assert found == [["CREATED {'title': 'A'}", "UPDATED {'title': 'B'}"]]


# --- nodes ----------------------------------------------------------------------------


async def test_the_node_is_the_row_as_it_is_now_under_the_rules(newsroom: Newsroom) -> None:
    document = """subscription { noteChanges { kind now: node { id text private half heading author { name } }
      node { room { name notes { id } } } } }"""
    reader = await newsroom.subscribe(person(1), document)
    await newsroom.write("UPDATE notes SET text = 'first', private = 'p', level = 3, internal = 'i' WHERE id = 2")
    await newsroom.write("UPDATE notes SET text = 'second' WHERE id = 2")
    first, second = await reader.events()
    assert first == second
    assert first["now"] == {
        "id": 2,
        "text": "second",
        "private": None,
        "half": 1.5,
        "heading": "second/i",
        "author": {"name": "Person 2"},
    }
    assert first["node"] == {"room": {"name": "One", "notes": [{"id": 1}, {"id": 2}]}}


async def test_a_node_that_is_gone_or_hidden_is_null(newsroom: Newsroom) -> None:
    document = "subscription { noteChanges { kind id node { text } } }"
    reader = await newsroom.subscribe(person(1), document)
    await newsroom.write("UPDATE notes SET text = 'x' WHERE id = 1", "UPDATE notes SET text = 'x' WHERE id = 2")
    await newsroom.source.read()
    await newsroom.write("DELETE FROM notes WHERE id = 1", "UPDATE notes SET room_id = 2 WHERE id = 2")
    found = [event(payload) for payload in await reader.waiting()]
    assert [(one["kind"], one["id"], one["node"]) for one in found] == [("UPDATED", 1, None), ("UPDATED", 2, None)]


async def test_many_nodes_are_read_together(newsroom: Newsroom) -> None:
    reader = await newsroom.subscribe(EDITOR, "subscription { labelChanges { kind number node { number size } } }")
    await newsroom.write("INSERT INTO labels (code, number, size) SELECT 'x', n, n * n FROM generate_series(1, 1200) n")
    found = await reader.events()
    assert [one["number"] for one in found] == list(range(1, 1201))
    assert all(one["node"] == {"number": n, "size": n * n} for n, one in enumerate(found, 1))


# --- cursors --------------------------------------------------------------------------


SCRIPT = [
    "INSERT INTO labels (code, number) SELECT 'x', n FROM generate_series(1, 5) AS n",
    "UPDATE labels SET number = number + 10 WHERE number < 4; UPDATE notes SET text = 'between'",
    "DELETE FROM labels WHERE number = 11; UPDATE labels SET size = 1",
    "TRUNCATE labels; INSERT INTO labels (code, number) VALUES ('x', 1)",
]


async def resumed(newsroom: Newsroom, cursor: str | None, **more: Any) -> Reader:
    document = "subscription ($after: String) { labelChanges(after: $after) { kind code number cursor } }"
    return await newsroom.subscribe(EDITOR, document, after=cursor, **more)


@pytest.mark.parametrize("piece", [1, 2, 3, 10_000])
async def test_a_client_goes_on_after_any_event(newsroom: Newsroom, piece: int) -> None:
    newsroom.source.piece = piece
    reader = await resumed(newsroom, None)
    for transaction in SCRIPT:
        await newsroom.write(transaction)
        await newsroom.source.read()
    payloads = await reader.waiting()
    whole = [event(payload) for payload in payloads]
    assert len(whole) == 5 + 6 + 1 + 4 + 2
    assert [payload.id for payload in payloads] == [one["cursor"] for one in whole]
    assert len({one["cursor"] for one in whole}) == len(whole)
    for number, one in enumerate(whole):
        again = await resumed(newsroom, one["cursor"])
        rest = await again.events()
        assert told([{**other, "cursor": ""} for other in rest]) == told(
            [{**other, "cursor": ""} for other in whole[number + 1 :]]
        )
        await again.close()


async def test_the_id_of_the_last_result_goes_before_the_argument(newsroom: Newsroom) -> None:
    reader = await resumed(newsroom, None)
    for transaction in SCRIPT:
        await newsroom.write(transaction)
    payloads = await reader.rest()
    again = await resumed(newsroom, payloads[0].id, last=payloads[-2].id)
    (last,) = await again.rest()
    assert last.body == payloads[-1].body


async def test_a_cursor_is_of_one_viewer_one_field_and_its_arguments(newsroom: Newsroom) -> None:
    reader = await resumed(newsroom, None)
    await newsroom.write(SCRIPT[0])
    cursor = (await reader.rest())[0].id
    wrong = [
        (person(1), "labelChanges(after: $after)", cursor),
        (EDITOR, "noteChanges(after: $after)", cursor),
        (EDITOR, "labelChanges(after: $after, where: {size: {eq: 1}})", cursor),
        (EDITOR, "labelChanges(after: $after, on: [CREATED])", cursor),
        (EDITOR, "labelChanges(after: $after)", "0.AAAA"),
        (EDITOR, "labelChanges(after: $after)", f"1{cursor}"),
    ]
    for viewer, field, after in wrong:
        with pytest.raises(ClewError, match="`after` is not a cursor of this subscription"):
            await newsroom.subscribe(viewer, f"subscription ($after: String) {{ {field} {{ kind }} }}", after=after)
    connection = f'{{ labelsConnection(first: 1, after: "{cursor}") {{ nodes {{ code }} }} }}'
    assert "is not a cursor" in (await newsroom.engine.execute(Request(connection), EDITOR)).body.decode()


async def test_a_cursor_of_another_epoch_is_refused(newsroom: Newsroom) -> None:
    reader = await resumed(newsroom, None)
    await newsroom.write(SCRIPT[0])
    cursor = (await reader.rest())[0].id
    await reader.close()
    newsroom.source.epoch = "f"
    with pytest.raises(OtherEpochError):
        await resumed(newsroom, cursor)
    assert not newsroom.source.listeners


# --- limits and faults ----------------------------------------------------------------


async def test_a_client_that_does_not_read_is_told_where_to_go_on(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "_MOST_WAITING", 2000)
    slow, quick = await resumed(newsroom, None), await resumed(newsroom, None)
    seen_by_quick = []
    for number in range(100):
        await newsroom.write(f"INSERT INTO labels (code, number) VALUES ('y', {number})")
        seen_by_quick += await quick.events()
    assert len(seen_by_quick) == 100
    with pytest.raises(SlowReaderError) as ended:
        await slow.next()
    assert len(slow.stream._waiting.cuts) == 0
    # `clew_slow_readers_total`
    assert newsroom.events.lost == 1
    again = await resumed(newsroom, ended.value.extensions["cursor"])
    assert [one["number"] for one in await again.events()] == list(range(100))


async def test_a_change_that_fits_the_table_no_more_is_a_reset(newsroom: Newsroom) -> None:
    reader = await resumed(newsroom, None)
    await newsroom.write("INSERT INTO labels (code, number, size) SELECT 'x', n, n FROM generate_series(1, 9) AS n")
    await newsroom.write("ALTER TABLE labels ALTER size TYPE date USING NULL")
    try:
        kinds = [one["kind"] for one in await reader.events()]
    finally:
        await newsroom.write("ALTER TABLE labels ALTER size TYPE integer USING NULL")
    assert kinds == ["RESET"] * 9


async def test_a_server_that_stops_ends_its_subscriptions_and_skips_nothing(newsroom: Newsroom) -> None:
    reader = await resumed(newsroom, None)
    await newsroom.write(SCRIPT[0])
    await newsroom.engine.pool.close()
    with pytest.raises(ClewError) as ended:
        await reader.rest()
    assert ended.value.code is Code.UNAVAILABLE


async def test_an_operand_that_does_not_fit_is_refused_at_once(newsroom: Newsroom) -> None:
    with pytest.raises(ClewError, match="backslash"):
        await newsroom.subscribe(EDITOR, 'subscription { noteChanges(where: {text: {like: "\\\\"}}) { kind } }')
    assert not newsroom.source.listeners


async def test_all_who_ask_the_same_are_answered_by_one_statement(newsroom: Newsroom) -> None:
    readers = [await newsroom.subscribe(person(1), NOTES) for _ in range(20)]
    fetch, count = newsroom.engine.pool.fetch, 0

    async def counted(*given: Any) -> Any:
        nonlocal count
        count += 1
        return await fetch(*given)

    newsroom.engine.pool.fetch = counted  # type: ignore[method-assign,assignment]  # counts, and does the same
    tasks = [asyncio.create_task(reader.next()) for reader in readers]
    await asyncio.sleep(0)
    await newsroom.write("UPDATE notes SET text = 'x' WHERE id = 1")
    await newsroom.source.read()
    for task in tasks:
        assert event(await task) == {"kind": "UPDATED", "id": 1}
    assert count == 1


async def test_all_who_ask_alike_are_answered_by_one_statement(newsroom: Newsroom) -> None:
    document = """subscription ($levels: [Int!], $least: Int!) {
      noteChanges(where: {or: [{level: {in: $levels}}, {level: {gt: $least}}]}) { kind id } }"""
    viewers = [person(1), person(2), person(3), person(1)]
    given = [([1, 2], 7), ([], 7), ([1], 0), ([9], 100)]
    readers = [
        await newsroom.subscribe(viewer, document, levels=levels, least=least)
        for viewer in viewers
        for levels, least in given
    ]
    fetch, count = newsroom.engine.pool.fetch, 0

    async def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return await fetch(*arguments)

    async def all_told() -> list[list[str]]:
        found = await asyncio.gather(*(reader.waiting() for reader in readers))
        return [told([event(payload) for payload in payloads]) for payloads in found]

    newsroom.engine.pool.fetch = counted  # type: ignore[method-assign,assignment]  # counts, and does the same
    tasks = asyncio.create_task(all_told())
    await asyncio.sleep(0.05)
    tasks.cancel()
    await newsroom.write("UPDATE notes SET level = 1 WHERE id IN (1, 3)", "DELETE FROM rooms WHERE id = 2")
    await newsroom.source.read()
    # Room 2 goes, and with it the notes of p3, who saw none of these levels before.
    one, other = ["CREATED 1"], ["CREATED 3", "DELETED 3"]
    expected = [line for mine in (one, one, other, one) for line in (mine, [], mine, [])]
    assert await all_told() == expected
    # The first one does not wait for the others.
    assert count <= 2


@pytest.mark.parametrize(
    "error", [ContentionError(), ClewError("The database is not available.", code=Code.UNAVAILABLE)], ids=str
)
async def test_events_wait_for_what_passes(newsroom: Newsroom, error: ClewError) -> None:
    reader = await newsroom.subscribe(EDITOR, "subscription { labelChanges { kind node { code } } }")
    fetch, fails = newsroom.engine.pool.fetch, 2

    async def failing(*arguments: Any) -> Any:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise error
        return await fetch(*arguments)

    newsroom.engine.pool.fetch = failing  # type: ignore[method-assign,assignment]  # fails, then does the same
    await newsroom.write("INSERT INTO labels (code, number, open, size) VALUES ('z', 1000, true, 0)")
    await newsroom.source.read()
    assert event(await reader.next()) == {"kind": "CREATED", "node": {"code": "z"}}
    assert fails < 0
    await reader.close()


async def test_explain_shows_how_changes_are_judged(newsroom: Newsroom) -> None:
    document = 'subscription { noteChanges(where: {text: {eq: "x"}}) { kind node { text } } }'
    text = await explained(newsroom.engine, document, {}, person(1))
    assert "RootChanges key='noteChanges'" in text
    assert "ChangeNode key='node'" in text
    assert "newsroom.graphql:" in text
    assert "json_populate_record" in text
    assert "$1 = [] ($log.Note.old)" in text
    assert "Function Scan" in text
    assert "Change events: judged when rows change of\n  table     Note: any row\n" in text
    # A note is visible to the guests of its room.
    assert "  Rows of Guest, Room are read as they are then. Their changes are no events.\n" in text
    assert "$1 = [] ($key.id)" in text
    assert text.count("\nEXPLAIN\n") == 2


async def test_an_application_serves_change_events(newsroom: Newsroom, newsroom_database: tuple[str, Clew]) -> None:
    url, clew = newsroom_database
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": url}))
    request = Request("subscription { labelChanges { kind code number node { size } } }", id="same")
    stream = await app.subscriptions.open(request, EDITOR)
    assert not isinstance(stream, Outcome), stream.errors
    create = """mutation { createLabel(input: {code: "a", number: 1, size: 5}) { size }
      deleteLabel(code: "a", number: 1) { size } }"""
    done = await app.engine.execute(Request(create), Viewer.admin())
    assert not done.errors, done.errors
    first, second = [await asyncio.wait_for(anext(stream), 20) for _ in range(2)]
    assert event(first) == {"kind": "CREATED", "code": "a", "number": 1, "node": None}
    await stream.aclose()
    again = await app.subscriptions.open(replace(request, last_event_id=first.id), EDITOR)
    assert not isinstance(again, Outcome), again.errors
    assert (await asyncio.wait_for(anext(again), 20)).body == second.body
    await again.aclose()
    refused = await app.subscriptions.open(replace(request, last_event_id="0.AAAA"), EDITOR)
    assert isinstance(refused, Outcome)
    assert refused.code is Code.BAD_USER_INPUT
    await app.background.close()
    await app.engine.pool.close()
