"""A field that is an entity, resolved by the user's own code: it returns keys, and Clew reads the rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import Source, print_schema
from sqlalchemy import text

from clew import Viewer
from clew.config import Settings
from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.database.pool import Pool
from clew.errors import ClewError
from clew.model.build import parse_model
from clew.plan.read import plan_rows
from clew.plan.types import Read
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from tests.engine import office
from tests.engine.conftest import Desk
from tests.engine.office import BADGE, PEOPLE, SDL, user

pytestmark = pytest.mark.anyio

ADMIN = Viewer.admin()
AUDITOR = Viewer("x", frozenset({"auditor"}))


# --- what is read ---------------------------------------------------------------------


async def test_keys_become_rows_in_their_order_as_often_as_they_are_given(desk: Desk) -> None:
    found = await desk.data(user(1), "query ($i: [String]) { picks(ids: $i) { id } }", i=["p3", "p1", "p3", "p2"])
    assert found == {"picks": [{"id": "p3"}, {"id": "p1"}, {"id": "p3"}, {"id": "p2"}]}


async def test_a_row_that_is_hidden_or_absent_and_a_null_key_are_null(desk: Desk) -> None:
    document = 'query { none: pick { id } picks(ids: ["p7", null, "p99", "p2"]) { id } }'
    assert await desk.data(user(1), document) == {"none": None, "picks": [None, None, None, {"id": "p2"}]}
    # No rule hides a row from an auditor: for that role a null is a fault.
    document = 'query { none: pick { id } picks(ids: ["p7", "p2"]) { id } }'
    assert await desk.data(AUDITOR, document) == {"none": None, "picks": [{"id": "p7"}, {"id": "p2"}]}
    assert await desk.data(user(1), "{ picks(ids: []) { id } }") == {"picks": []}


async def test_arguments_with_the_names_of_cursors_take_any_value(desk: Desk) -> None:
    document = "query ($after: String, $before: Int) { between(after: $after, before: $before) }"
    # The second has the shape of a cursor.
    for after in ("2026-01-01", "1.AA", "", None):
        assert await desk.data(user(1), document, after=after, before=2) == {"between": f"{after} 2"}
    # One variable for both: the connection refuses what is no cursor for it.
    document = (
        "query ($after: String) { between(after: $after, before: 1) peopleConnection(after: $after) { totalCount } }"
    )
    for after in ("2026-01-01", "1.AA"):
        (error,) = (await desk.answer(user(1), document, after=after))["errors"]
        assert error["message"] == "`after` is not a cursor of this list in this order."
    assert (await desk.data(user(1), document, after=None))["between"] == "None 1"


async def test_fields_are_masked_for_the_viewer(desk: Desk) -> None:
    document = '{ picks(ids: ["p1", "p2"]) { id salary } }'
    found = {viewer.id: (await desk.data(viewer, document))["picks"] for viewer in (user(1), user(2))}
    assert [row["salary"] for row in found["p1"]] == [100, None]
    assert [row["salary"] for row in found["p2"]] == [None, 200]
    assert [row["salary"] for row in (await desk.data(ADMIN, document))["picks"]] == [100, 200]


async def test_who_lacks_a_claim_has_a_plan_of_its_own(desk: Desk) -> None:
    nobody = Viewer(None, frozenset({"user"}))
    for _ in range(2):
        for viewer, salary in ((user(1), 100), (nobody, None)):
            assert await desk.data(viewer, '{ pick(id: "p1") { salary } }') == {"pick": {"salary": salary}}


async def test_nested_selections_arguments_fragments_and_aliases_are_read_by_plan(desk: Desk) -> None:
    document = """
      query ($n: Int, $with: Boolean!, $where: TaskFilter) {
        mine: pick(id: "p1") { who: name ...T tasks(limit: $n, where: $where) { title owner { id } } __typename }
      }
      fragment T on Person { first: tasks(limit: 1, orderBy: {number: DESC}) { number } team @include(if: $with) }
    """
    for with_team in (True, False, True):
        found = await desk.data(user(1), document, n=1, **{"with": with_team}, where={"number": {"gt": 1}})
        team = {"team": "red"} if with_team else {}
        assert found["mine"] == {
            "who": "Person 1",
            "first": [{"number": 2}],
            **team,
            "tasks": [{"title": "Task 1.2", "owner": {"id": "p1"}}],
            "__typename": "Person",
        }
    found = await desk.data(user(1), document, n=5, **{"with": False}, where={"title": {"eq": "Task 1.1"}})
    assert found["mine"]["tasks"] == [{"title": "Task 1.1", "owner": {"id": "p1"}}]


async def test_a_composite_key_is_a_dict_and_a_uuid_may_be_pythons(desk: Desk) -> None:
    assert await desk.data(user(1), "{ pickTasks { title } }") == {"pickTasks": [{"title": "Task 3.2"}, None, None]}
    found = await desk.data(ADMIN, "{ pickTasks { title reviewer { id } } }")
    assert found["pickTasks"][2] == {"title": "Task 1.9", "reviewer": {"id": "p9"}}
    document = "query ($n: Boolean) { pickBadge(native: $n) { id } }"
    for native in (True, False):
        assert await desk.data(ADMIN, document, n=native) == {"pickBadge": {"id": BADGE}}


async def test_fields_of_plain_types_may_be_entities(desk: Desk) -> None:
    document = "{ groups { name lead { name } members { id } task { title } groups { lead { id } } } }"
    found = (await desk.data(user(1), document))["groups"]
    assert [row["lead"] for row in found] == [{"name": "Person 1"}, None, {"name": "Person 1"}]
    assert [row["members"] for row in found] == [[{"id": "p2"}, None, {"id": "p2"}], None, []]
    assert [row["task"] for row in found] == [{"title": "Task 1.1"}, None, {"title": "Task 7.1"}]
    assert [row["groups"] for row in found] == [[{"lead": {"id": "p3"}}]] * 3


async def test_page_limits_hold_inside(desk: Desk) -> None:
    found = await desk.answer(user(1), '{ pick(id: "p1") { tasks(limit: 5000) { title } } }')
    assert found["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


# --- how often it is asked ------------------------------------------------------------


async def test_a_field_and_level_is_one_statement(desk: Desk) -> None:
    assert len(await desk.statements(user(1), "{ people { id next { name } } }")) == 2
    assert len(await desk.statements(user(1), "{ people { id next { name next { name } } } }")) == 3
    assert len(await desk.statements(user(1), "{ people { next { next { next { next { id } } } } } }")) == 5
    assert len(await desk.statements(user(1), "{ people { tasks { reviewer { tasks { reviewer { id } } } } } }")) == 3
    assert len(await desk.statements(user(1), "{ people { next { id } circle { id } other: next { id } } }")) == 4


async def test_resolvers_that_take_longer_than_others_are_waited_for(desk: Desk) -> None:
    document = "{ people { id slowNext { id slowNext { id } } } }"
    assert len(await desk.statements(user(1), document)) == 3
    found = (await desk.data(user(1), document))["people"]
    assert found[0] == {"id": "p0", "slowNext": {"id": "p1", "slowNext": {"id": "p2"}}}
    assert found[6] == {"id": "p6", "slowNext": None}


async def test_so_are_those_above_of_plain_types(desk: Desk) -> None:
    assert len(await desk.statements(user(1), "{ groups { groups { lead { id } } } }")) == 1


async def test_lists_of_different_lengths_on_the_way_make_no_difference(desk: Desk) -> None:
    document = """{
      people { slowNext { tasks(limit: 1, where: {ownerId: {in: ["p3", "p5"]}}) { reviewer { id } }
        circle { tasks { reviewer { next { id } } } } } }
    }"""
    found = await desk.statements(user(1), document)
    assert len(found) == 6


async def test_nothing_is_asked_for_null_keys(desk: Desk) -> None:
    assert await desk.statements(user(1), "{ pick { id } slowPick { id } }") == []


async def test_more_keys_than_a_statement_may_have_parameters(desk: Desk) -> None:
    ids = [f"p{number % PEOPLE}" for number in range(80_000)]
    found = (await desk.data(ADMIN, "query ($i: [String]) { picks(ids: $i) { id } }", i=ids))["picks"]
    assert [person["id"] for person in found] == ids


async def test_a_plan_is_made_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[str] = []

    def plan(*arguments: Any) -> Read:
        planned.append(arguments[2].name)
        return plan_rows(*arguments)

    monkeypatch.setattr("clew.engine.statements.plan_rows", plan)
    document = "query ($n: Int!) { people { next { tasks(where: {number: {lte: $n}}) { title } } } }"
    for number in (1, 2, 1):
        for viewer in (user(1), user(2)):
            found = (await desk.data(viewer, document, n=number))["people"]
            assert len(found[0]["next"]["tasks"]) == number
    assert planned == ["Person"]


async def test_viewers_at_once_share_plans_and_never_rows(desk: Desk) -> None:
    document = "{ viewer { id } people { next { id salary slowNext { id salary } } } }"

    async def ask(number: int) -> None:
        found = await desk.data(user(number), document)
        assert found["viewer"] == {"id": f"p{number}"}
        rows = [row["next"] for row in found["people"] if row["next"]]
        rows += [row["slowNext"] for row in rows if row["slowNext"]]
        seen = {row["id"]: row["salary"] for row in rows if row["salary"] is not None}
        # p7 is hidden, and so is the way to p8.
        assert seen == ({} if number in (7, 8) else {f"p{number}": number * 100})

    await asyncio.gather(*(ask(number % PEOPLE) for number in range(60)))


# --- in a mutation --------------------------------------------------------------------


async def test_a_mutation_reads_what_it_has_written(desk: Desk) -> None:
    document = (
        'mutation { a: rename(id: "p1", name: "Z") { name next { name } } b: rename(id: "p2", name: "Y") { name } }'
    )
    before = await desk.names()
    try:
        found = await desk.data(user(1), document)
        assert found == {"a": {"name": "Z", "next": {"name": "Person 2"}}, "b": {"name": "Y"}}
        assert (await desk.names())["p1"] == "Z"
    finally:
        for key in ("p1", "p2"):
            await desk.engine.pool.fetch("UPDATE people SET name = $2 WHERE id = $1", (key, before[key]))


async def test_a_mutation_that_fails_later_has_changed_nothing(desk: Desk) -> None:
    before = await desk.names()
    found = await desk.answer(user(1), 'mutation { rename(id: "p1", name: "Z") { name } fail(id: "p2") }')
    assert found["data"] is None
    assert found["errors"][0]["extensions"] == {"id": "p2", "code": "CONFLICT", "hint": "Try another."}
    assert await desk.names() == before


async def test_statements_of_siblings_on_the_one_connection_take_turns(desk: Desk) -> None:
    document = """mutation { rename(id: "p1", name: "Person 1") {
      next { id } slowNext { id next { id } } circle { id slowNext { id } } tasks { reviewer { slowNext { id } } }
    } }"""
    for _ in range(5):
        assert (await desk.data(user(1), document))["rename"]["slowNext"]["next"] == {"id": "p3"}


# --- faults ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(5))
async def test_what_is_no_key_is_the_resolvers_fault(desk: Desk, kind: int) -> None:
    found = await desk.answer(user(1), 'query ($k: Int!) { wrong(kind: $k) { id } pick(id: "p1") { id } }', k=kind)
    assert found["data"] == {"wrong": None, "pick": {"id": "p1"}}
    (error,) = found["errors"]
    assert (error["message"], error["path"]) == ("Something went wrong on the server.", ["wrong"])
    assert error["extensions"] == {"code": "INTERNAL"}


async def test_so_is_one_key_where_a_list_is_due(desk: Desk) -> None:
    found = await desk.answer(user(1), "{ wrongs { id } }")
    assert found["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_a_failing_sibling_leaves_nobody_waiting(desk: Desk) -> None:
    document = '{ picks(ids: ["p1", "p2", "p3"]) { id slowNext { id } strict next { id } } }'
    async with asyncio.timeout(5):
        found = await desk.answer(user(1), document)
    assert [row and row["slowNext"]["id"] for row in found["data"]["picks"]] == ["p2", None, "p4"]
    assert [error["path"] for error in found["errors"]] == [["picks", 1, "strict"]]


async def test_a_statement_that_fails_fails_the_fields_that_wait_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, calls = Pool.fetch, 0

    async def broken(self: Pool, sql: str, arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ClewError("The database is not available.", code="UNAVAILABLE")
        return await fetch(self, sql, arguments)

    monkeypatch.setattr(Pool, "fetch", broken)
    found = await desk.answer(user(1), "{ people(limit: 2) { id next { id } } }")
    assert found["data"] == {"people": [{"id": "p0", "next": None}, {"id": "p1", "next": None}]}
    assert {error["extensions"]["code"] for error in found["errors"]} == {"UNAVAILABLE"}


@pytest.mark.parametrize("level", [1, 2])
async def test_who_leaves_takes_resolvers_and_statements_along(desk: Desk, level: int) -> None:
    document = "{ people { slowNext { slowNext { id } } } }"
    await desk.data(user(1), document)
    office.ran.clear()
    running = asyncio.create_task(desk.answer(user(1), document))
    while len(office.ran) < level * (PEOPLE - 2):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "resolve_slow_next" in repr(task) or "Batches" in repr(task)]
    assert len((await desk.data(user(1), document))["people"]) == PEOPLE - 1
    office.ran.clear()


async def test_resolvers_and_rows_share_a_pool_of_one_connection(desk: Desk) -> None:
    settings = Settings.model_validate({"DATABASE_URL": desk.office.url, "CLEW_POOL_MAX": 1, "CLEW_POOL_TIMEOUT": 3})
    engine = desk.office.clew.asgi(settings).engine
    document = '{ people { slowNext { next { id } } } counted ask(document: "{ counted people { next { id } } }") }'
    found = await asyncio.gather(*(engine.graphql(document, {}, user(number)) for number in range(8)))
    await engine.pool.close()
    assert all(answer == found[0] for answer in found)


async def test_a_resolver_that_the_executor_gives_up_takes_no_connection(desk: Desk) -> None:
    pool = desk.engine.pool
    for _ in range(3):
        found = await desk.answer(user(1), "{ counted sudden }")
        assert found["data"] is None
    await asyncio.sleep(0.1)
    assert pool._open == len(pool._idle)


async def test_an_operation_never_waits_for_a_second_connection(desk: Desk) -> None:
    pool = Pool(desk.office.url, size=1, wait=1)
    connection = OperationConnection(alchemy_engine(pool), pool)
    lent = await pool.acquire()
    resolver = asyncio.create_task(connection.scalar(text("SELECT 1")))
    await asyncio.sleep(0.01)
    batch = asyncio.create_task(connection.fetch("SELECT 2", ()))
    await asyncio.sleep(0.01)
    pool.release(lent)
    assert await resolver == 1
    assert [tuple(row) for row in await batch] == [(2,)]
    await connection.finish()
    await pool.close()


# --- the schema -----------------------------------------------------------------------


async def schema_of(desk: Desk, *roles: str) -> str:
    return print_schema((await desk.engine.role(Viewer("p1", frozenset(roles)))).schema)


async def test_such_a_field_is_nullable_where_a_rule_may_hide_its_row(desk: Desk) -> None:
    assert "picks(ids: [String]): [Person]!" in await schema_of(desk, "user")
    assert "circle: [Person]!" in await schema_of(desk, "user")
    assert "picks(ids: [String]): [Person!]!" in await schema_of(desk, "auditor")
    assert "circle: [Person!]!" in await schema_of(desk, "admin")


async def test_what_leads_to_hidden_entities_only_is_not_there(desk: Desk) -> None:
    text = await schema_of(desk, "user")
    assert "Badge" not in text
    assert "Vault" not in text
    assert "vault" not in text
    assert "badge:" not in text
    assert "vault: Vault" in await schema_of(desk, "admin")
    found = [await desk.answer(user(1), f"{{ {name} {{ id }} }}") for name in ("vault", "vaulx")]
    assert str(found[0]).replace("vault", "vaulx") == str(found[1])


def test_deleted_rows_make_it_nullable_for_everybody() -> None:
    sdl = """
      type Note @table { id: ID! @id gone: DateTime @softDelete }
      type Shelf { notes: [Note!]! first: Note! }
      extend type Query { shelf: Shelf! notesOf: [[Note!]!]! }
    """
    text = print_schema(build_schema(parse_model(Source(sdl, "notes.graphql"))))
    assert "notes: [Note]!" in text
    assert "first: Note\n" in text
    assert "notesOf: [[Note]!]!" in text


def test_so_does_a_guard_that_binds_an_admin() -> None:
    sdl = """
      type Note @table @guard(to: READ, where: {open: true}, bindsAdmin: true) { id: ID! @id open: Boolean! }
      type Page @table { id: ID! @id note: Note! }
      extend type Query { best: Note! }
    """
    text = print_schema(build_schema(parse_model(Source(sdl, "notes.graphql"))))
    assert "best: Note\n" in text
    assert "note: Note\n" in text
    text = print_schema(build_schema(parse_model(Source(sdl.replace(", bindsAdmin: true", ""), "notes.graphql"))))
    assert "best: Note!" in text
    assert "note: Note!" in text


def test_a_field_of_a_plain_type_needs_no_resolver_of_its_own() -> None:
    model = parse_model(Source(SDL, "office.graphql"))
    faults = bind(build_schema(model), model, [])
    assert not any("Group" in fault.message or "Vault." in fault.message for fault in faults)
    assert any("Query.pick has no resolver" in fault.message for fault in faults)
