"""What rules ask of other entities: how often Postgres finds it out, and how a refusal tells of it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from clew import Viewer
from clew.engine import Request
from clew.engine.explain import execute_witnessed, explanation
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

SDL = """
enum Part { STUDENT TEACHER }
type Student @table @is(name: "me", where: {id: "$auth.sub"}) @allow(role: user, where: {is: "me"}) { id: String! @id }
type Enrolment @table @is(name: "teaching", where: {student: {is: "me"}, part: TEACHER}) @allow(role: user) {
  id: Int! @id
  student: Student!
  course: Int!
  part: Part!
}
type Room @table
  @is(name: "open", where: {exists: {Enrolment: {is: "teaching"}}})
  @allow(role: user, to: [READ, UPDATE], where: {is: "open"}, fields: [id, name, desks, tools])
  @allow(role: cleaner, fields: [id]) {
  id: Int! @id
  name: String! @allow(role: user, to: [READ, UPDATE], where: {exists: {Enrolment: {is: "teaching", course: 1}}})
  code: Int! @allow(role: user, where: {exists: {Enrolment: {is: "teaching", course: "$row.id"}}})
  desks: [Desk!]!
  tools: [Tool!]! @relation(through: "RoomTool")
}
type Desk @table @allow(role: user, where: {exists: {Enrolment: {is: "teaching"}}}) {
  id: Int! @id
  label: String
  room: Room!
}
type Tool @table @allow(role: user, where: {exists: {Enrolment: {is: "teaching"}}}) {
  id: Int! @id
  rooms: [Room!]! @relation(through: "RoomTool")
}
"""
ROOMS = 300
DATA = f"""
INSERT INTO students (id) VALUES ('ann'), ('ben');
INSERT INTO enrolments (id, student_id, course, part) VALUES (1, 'ann', 1, 'TEACHER'), (2, 'ben', 1, 'STUDENT');
INSERT INTO rooms (id, name, code) SELECT n, 'Room ' || n, n FROM generate_series(1, {ROOMS}) AS n;
INSERT INTO desks (id, room_id) SELECT n, n % {ROOMS} + 1 FROM generate_series(1, {3 * ROOMS}) AS n;
INSERT INTO tools (id) SELECT n FROM generate_series(1, 20) AS n;
INSERT INTO room_tools (room_id, tool_id) SELECT n, n % 20 + 1 FROM generate_series(1, {ROOMS}) AS n;
ANALYZE;
"""
ANN, BEN = (Viewer(name, frozenset({"user"})) for name in ("ann", "ben"))


@pytest.fixture
async def school(prepared_url: str) -> AsyncIterator[Api]:
    async with api_of(prepared_url, SDL, DATA) as api:
        yield api


async def scans(api: Api, document: str, viewer: Viewer = ANN) -> list[int]:
    """How often each scan of enrolments runs in the statement of a query; a scan that never ran is left out."""
    found = await explanation(api.engine, Request(document, {}), viewer)
    assert found is not None
    connection = await asyncpg.connect(api.url)
    try:
        sql = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) {found.compiled.sql}"
        (row,) = await connection.fetch(sql, *found.compiled.values)
    finally:
        await connection.close()
    plan = json.loads(row[0])[0]["Plan"]
    return [loops for loops in _loops(plan) if loops]


def _loops(plan: dict[str, Any]) -> list[int]:
    own = [plan["Actual Loops"]] if plan.get("Relation Name") == "enrolments" else []
    return own + [loops for inner in plan.get("Plans", ()) for loops in _loops(inner)]


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ("{ rooms(limit: 300) { id } }", 1),
        # The mask of the name is another place.
        ("{ rooms(limit: 300) { id name } }", 2),
        ('{ rooms(where: {name: {contains: "9"}}, orderBy: [{name: ASC}]) { id } }', None),
        # What the rooms have told is not asked of their desks and tools.
        ("{ rooms(limit: 300) { id desks { id } } }", 1),
        ("{ rooms(limit: 300) { id tools { id } } }", 1),
        ("{ desks(limit: 300) { id room { id } } }", 1),
        ("{ roomsAggregate { count } }", 1),
        ("{ roomsConnection(first: 10) { totalCount nodes { id } } }", 2),
        ("{ desksGroups(by: [{room: {id: VALUE}}]) { count } }", 2),
    ],
)
async def test_what_is_about_the_viewer_is_found_out_once(school: Api, document: str, places: int | None) -> None:
    found = await scans(school, document)
    assert set(found) == {1}
    assert places is None or len(found) == places


async def test_the_row_that_is_asked_about_is_the_one_that_the_rule_is_for(school: Api) -> None:
    given = await school.ok("{ rooms(limit: 2) { id code } }", viewer=ANN)
    assert given == {"rooms": [{"id": 1, "code": 1}, {"id": 2, "code": None}]}


async def test_without_such_a_row_no_row_is_looked_at(school: Api) -> None:
    found = await explanation(school.engine, Request("{ rooms { id } }", {}), BEN)
    assert found is not None
    connection = await asyncpg.connect(school.url)
    try:
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {found.compiled.sql}", *found.compiled.values)
    finally:
        await connection.close()
    text = "\n".join(row[0] for row in rows)
    assert "One-Time Filter" in text
    assert re.search(r"Scan.* on rooms .*\(never executed\)", text), text
    assert await school.ok("{ rooms { id } }", viewer=BEN) == {"rooms": []}


async def test_a_rule_without_a_claim_that_its_question_names_is_dropped(school: Api) -> None:
    nobody = Viewer(None, frozenset({"user", "cleaner"}))
    found = await explanation(school.engine, Request("{ rooms { id } }", {}), nobody)
    assert found is not None
    told = [(rule.applies, rule.why) for rule in found.rules if rule.about == "Room"]
    assert told == [(False, "claim sub is absent"), (True, "role cleaner is held")]


async def test_a_refusal_names_the_entity_that_has_no_such_row(school: Api) -> None:
    document = 'mutation { updateRoom(id: 2, set: {name: "x"}) { id } }'
    await school.sql("INSERT INTO enrolments (id, student_id, course, part) VALUES (3, 'ben', 2, 'TEACHER')")
    outcome = await execute_witnessed(school.engine, Request(document, {}), BEN)
    (error,) = json.loads(outcome.body)["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    told = json.dumps(error["extensions"], ensure_ascii=False)
    asked = '{exists: {Enrolment: {student: {id: "$auth.sub"}, part: "TEACHER", course: 1}}}'
    assert json.dumps(asked)[1:-1] in told, told
