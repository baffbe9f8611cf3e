"""Hooks beside generated writes: docs/hooks.md."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from clew import CREATE, DELETE, UPDATE, Clew, ClewError, Context, RowDraft, Viewer
from clew.config import Settings
from clew.engine import Request
from clew.engine.witness import Recorder
from clew.errors import SchemaError
from clew.model.types import Operation
from clew.writes.hooks import Registered
from tests.databases import create_tables
from tests.writes.api import ADMIN, api_of, code

pytestmark = pytest.mark.anyio

ANN = Viewer("ann", frozenset({"user"}))

SDL = """
enum State { OPEN DONE }

type Course @table @allow(role: user, where: {hidden: false}) @allow(role: user, to: CREATE, fields: [id, grades]) {
  id: Int! @id
  hidden: Boolean! @default(value: false)
  grades: [Grade!]!
}

type Grade @table
  @allow(role: user, where: {owner: "$auth.sub"})
  @allow(role: user, to: [CREATE, UPDATE, DELETE], where: {owner: "$auth.sub"}, check: {points: {lte: 10}},
    fields: [id, points, slug, course]) {
  id: Int! @id
  owner: String! @preset(claim: "sub")
  points: Int! @default(value: 0)
  slug: String @unique
  state: State! @default(value: OPEN)
  at: DateTime
  on: Date
  price: Decimal
  data: JSON
  tags: [String!]
  token: UUID
  size: BigInt
  raw: Bytes
  filled: String @preset(sql: "'by sql'")
  course: Course! @relation(onDelete: CASCADE)
}

type Node @table
  @allow(role: user, where: {tree: "a"})
  @allow(role: user, to: ALL, where: {tree: "a"}, fields: [id, parent]) {
  id: Int! @id
  tree: String! @default(value: "a")
  parent: Node
}

type Total @table { id: Int! @id count: Int! }
"""
DATA = "INSERT INTO courses (id, hidden) VALUES (1, false), (2, true)"
GRADES = (
    DATA
    + "; INSERT INTO grades (id, owner, points, slug, course_id) VALUES "
    # Not in the order of their keys, in which they are changed.
    + ", ".join(f"({n}, 'ann', {n}, 's{n}', 1)" for n in (3, 2, 1))
)
CREATE_GRADE = "mutation { createGrade(input: {id: 9, points: 3, courseId: 1}) { id } }"


class Hooked:
    """Collects hooks, as `Clew` does, and what they were called with."""

    def __init__(self) -> None:
        self.all: list[Registered] = []
        self.calls: list[Any] = []

    def before(self, entity: str, operation: Operation, run: Callable[[RowDraft], Any] | None = None) -> Hooked:
        def hook(drafts: Sequence[RowDraft], context: Context) -> None:
            self.calls.append([(draft.key, dict(draft)) for draft in drafts])
            if run is not None:
                for draft in drafts:
                    run(draft)

        self.all.append(Registered("before", entity, operation, hook))
        return self

    def after(self, entity: str, operation: Operation, sql: str | None = None) -> Hooked:
        async def hook(keys: Sequence[Any], context: Context) -> None:
            self.calls.append(list(keys))
            if sql is not None:
                await context.connection.execute(text(sql))

        self.all.append(Registered("after", entity, operation, hook))
        return self


def setting(**values: Any) -> Callable[[RowDraft], None]:
    return lambda draft: draft.update(values)


def setting_all(values: dict[str, Any]) -> Callable[[RowDraft], None]:
    return lambda draft: draft.update(values)


def refusing(error: Exception) -> Callable[[RowDraft], None]:
    def refuse(_: RowDraft) -> None:
        raise error

    return refuse


# --- before -------------------------------------------------------------------------------


async def test_a_hook_gets_what_the_client_gives_and_what_is_preset(prepared_url: str) -> None:
    hooked = Hooked().before("Grade", CREATE)
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        assert hooked.calls == [[(None, {"id": 9, "points": 3, "courseId": 1, "owner": "ann"})]]


VALUES: dict[str, Any] = {
    "state": "DONE",
    "at": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
    "on": datetime.date(2026, 1, 2),
    "price": Decimal("1.50"),
    "data": {"a": [1, None, {"b": 1.5}]},
    "tags": ["x", "y"],
    "token": uuid.UUID(int=7),
    "size": 2**40,
    "raw": b"ab",
    "slug": None,
}


async def test_values_are_python_values_both_ways(prepared_url: str) -> None:
    seen: list[Any] = []

    def change(draft: RowDraft) -> None:
        draft.update(VALUES)
        seen.append({name: draft[name] for name in VALUES})

    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, change).all) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        assert seen == [VALUES]
        assert await api.sql('SELECT state::text, at, "on", price, tags, token, size, raw FROM grades') == [
            ("DONE", VALUES["at"], VALUES["on"], Decimal("1.50"), ["x", "y"], uuid.UUID(int=7), 2**40, b"ab")
        ]
        assert await api.sql("SELECT data->'a'->2->>'b' FROM grades") == ["1.5"]


async def test_a_hook_sets_fields_that_the_viewer_cannot(prepared_url: str) -> None:
    hooked = Hooked().before("Grade", CREATE, setting(state="DONE"))
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        assert await api.sql("SELECT state::text FROM grades") == ["DONE"]


async def test_a_hook_takes_a_value_away(prepared_url: str) -> None:
    def take(draft: RowDraft) -> None:
        del draft["points"]

    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, take).all) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        assert await api.sql("SELECT points FROM grades") == [0]


async def test_a_hook_gives_a_required_to_one(prepared_url: str) -> None:
    document = "mutation { createGrade(input: {id: 9}) { id } }"
    given: dict[str, Any] = {}
    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, setting_all(given)).all) as api:
        assert code(await api.fails(document, viewer=ANN)) == "BAD_USER_INPUT"
        given["courseId"] = 1
        await api.ok(document, viewer=ANN)


@pytest.mark.parametrize(
    "document",
    [
        CREATE_GRADE,
        "mutation { createGrades(inputs: [{id: 8, courseId: 1}, {id: 9, courseId: 1}]) { count } }",
        "mutation { createCourse(input: {id: 5, grades: {create: [{id: 9}]}}) { id } }",
        "mutation { upsertGrade(on: id, input: {id: 9, courseId: 1}) { id } }",
    ],
)
@pytest.mark.parametrize("value", [{"points": 11}, {"owner": "bob"}])
async def test_rules_judge_what_a_hook_before_left(document: str, value: dict[str, Any], prepared_url: str) -> None:
    given: dict[str, Any] = {}
    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, setting_all(given)).all) as api:
        given.update(value)
        assert code(await api.fails(document, viewer=ANN)) == "FORBIDDEN"
        given.clear()
        await api.ok(document, viewer=ANN)


@pytest.mark.parametrize("course", [2, 77])
async def test_a_hook_leads_to_no_hidden_row(course: int, prepared_url: str) -> None:
    """A hidden row and an absent one are alike, also if the hook takes the key from what a client says."""
    hooked = Hooked().before("Grade", CREATE, setting(courseId=course))
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        error = await api.fails(CREATE_GRADE, viewer=ANN)
        assert error["extensions"] == {
            "code": "CONSTRAINT_VIOLATION",
            "kind": "REFERENCE",
            "entity": "Grade",
            "fields": ["course"],
            "path": ["input"],
        }
        await api.aside.execute("UPDATE courses SET hidden = false")
        if course == 2:
            await api.ok(CREATE_GRADE, viewer=ANN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda draft: draft.update(points="x"), "refusing.hook sets Grade.points to a value that does not fit"),
        (lambda draft: draft.update(points=None), "must not be null"),
        (lambda draft: draft.update(state="LATE"), "Grade.state"),
        (lambda draft: draft.update(tags="x"), "must be a list"),
        (lambda draft: draft.update(nope=1), "Grade.nope, which is not a stored field"),
        (lambda draft: draft.update(course=1), "Grade.course, which is not a stored field"),
        (lambda draft: draft.update(filled="x"), "Grade.filled, which @preset"),
    ],
)
async def test_a_value_that_does_not_fit_is_a_fault_of_the_hook(
    change: Callable[[RowDraft], None], message: str, prepared_url: str
) -> None:
    raised: list[str] = []

    def refusing(draft: RowDraft) -> None:
        try:
            change(draft)
        except TypeError as error:
            raised.append(str(error))
            raise

    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, refusing).all) as api:
        error = await api.fails(CREATE_GRADE, viewer=ANN)
        assert code(error) == "INTERNAL"
        assert error["message"] == "Something went wrong on the server."
    assert "the hook Hooked.before.<locals>.hook" in raised[0]
    assert message.removeprefix("refusing.hook ") in raised[0]


async def test_a_hook_cannot_change_what_rows_of_the_input_fill(prepared_url: str) -> None:
    document = "mutation { createCourse(input: {id: 5, grades: {create: [{id: 9}]}}) { id } }"
    connect = "mutation { createGrade(input: {id: 9, course: {connect: {id: 1}}}) { id } }"
    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, setting(courseId=1)).all) as api:
        for one in (document, connect):
            assert code(await api.fails(one, viewer=ANN)) == "INTERNAL"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClewError("No.", code="CONFLICT", hint="Wait."), ("CONFLICT", "No.")),
        (ValueError("secret"), ("INTERNAL", "Something went wrong on the server.")),
    ],
)
@pytest.mark.parametrize("operation", [CREATE, UPDATE, DELETE])
async def test_a_hook_refuses(
    error: Exception, expected: tuple[str, str], operation: Operation, prepared_url: str
) -> None:
    documents = {
        CREATE: CREATE_GRADE,
        UPDATE: "mutation { updateGrade(id: 1, set: {points: 2}) { id } }",
        DELETE: "mutation { deleteGrade(id: 1) { id } }",
    }
    async with api_of(prepared_url, SDL, GRADES, Hooked().before("Grade", operation, refusing(error)).all) as api:
        found = await api.fails(documents[operation], viewer=ANN)
        assert (code(found), found["message"]) == expected


async def test_one_call_has_all_rows_of_a_step(prepared_url: str) -> None:
    hooked = Hooked().before("Grade", CREATE).before("Grade", UPDATE).before("Course", CREATE)
    async with api_of(prepared_url, SDL, GRADES, hooked.all) as api:
        await api.ok(
            "mutation { createCourse(input: {id: 5, grades: {create: [{id: 8}, {id: 9}]}}) { id } }", viewer=ANN
        )
        assert hooked.calls == [
            [(None, {"id": 5})],
            [(None, {"id": 8, "owner": "ann"}), (None, {"id": 9, "owner": "ann"})],
        ]
        hooked.calls.clear()
        await api.ok("mutation { updateGrades(where: {id: {lt: 3}}, set: {points: 4}) { count } }", viewer=ANN)
        assert hooked.calls == [[(1, {"points": 4}), (2, {"points": 4})]]


async def test_a_hook_takes_the_place_of_inc(prepared_url: str) -> None:
    seen: list[Any] = []

    def change(draft: RowDraft) -> None:
        seen.append((dict(draft), dict(draft.inc), dict(draft.append)))
        if draft.key == 2:
            draft["points"] = 9

    async with api_of(prepared_url, SDL, GRADES, Hooked().before("Grade", UPDATE, change).all) as api:
        await api.ok('mutation { updateGrades(all: true, inc: {points: 2}, append: {tags: ["x"]}) { count } }')
        assert seen[0] == ({}, {"points": 2}, {"tags": ["x"]})
        assert await api.sql("SELECT points FROM grades ORDER BY id") == [3, 9, 5]


async def test_a_draft_is_closed_after_its_hook(prepared_url: str) -> None:
    kept: list[RowDraft] = []
    async with api_of(prepared_url, SDL, DATA, Hooked().before("Grade", CREATE, kept.append).all) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        with pytest.raises(TypeError, match="after it has ended"):
            kept[0]["points"] = 10


async def test_the_rules_refuse_a_client_before_a_hook_runs(prepared_url: str) -> None:
    hooked = Hooked().before("Grade", CREATE).before("Course", UPDATE).after("Course", UPDATE)
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        other = Viewer(None, frozenset({"user"}))
        assert code(await api.fails(CREATE_GRADE, viewer=other)) == "FORBIDDEN"
        hidden = "mutation { createGrade(input: {id: 9, courseId: 2}) { id } }"
        assert code(await api.fails(hidden, viewer=ANN)) == "CONSTRAINT_VIOLATION"
    assert hooked.calls == []


# --- after --------------------------------------------------------------------------------


async def test_a_hook_after_gets_the_keys(prepared_url: str) -> None:
    hooked = Hooked().after("Grade", CREATE).after("Grade", UPDATE).after("Grade", DELETE)
    async with api_of(prepared_url, SDL, GRADES, hooked.all) as api:
        inputs = "[{id: 8, courseId: 1}, {id: 9, courseId: 1}]"
        await api.ok(f"mutation {{ createGrades(inputs: {inputs}) {{ count }} }}", viewer=ANN)
        await api.ok("mutation { updateGrade(id: 8, set: {points: 1}) { id } }")
        await api.ok("mutation { deleteGrades(where: {id: {gt: 7}}) { count } }")
        await api.ok("mutation { deleteCourse(id: 1) { id } }")
        await api.ok("mutation { updateGrades(where: {id: {gt: 70}}, set: {points: 1}) { count } }")
        assert hooked.calls == [[8, 9], [8], [8, 9]]


async def test_an_upsert_runs_the_hooks_of_what_it_does(prepared_url: str) -> None:
    hooked = Hooked()
    for operation in (CREATE, UPDATE):
        hooked.before("Grade", operation).after("Grade", operation)
    async with api_of(prepared_url, SDL, GRADES, hooked.all) as api:
        await api.ok(
            "mutation { upsertGrades(on: id, inputs: [{id: 9, courseId: 1}, {id: 1, courseId: 1}]) { count } }",
            viewer=ANN,
        )
        assert hooked.calls == [
            [(1, {"courseId": 1})],
            [(None, {"id": 9, "courseId": 1, "owner": "ann"})],
            [1],
            [9],
        ]


async def test_rules_judge_what_a_hook_after_left(prepared_url: str) -> None:
    hooked = Hooked().after("Grade", CREATE, "UPDATE grades SET points = 11")
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        assert code(await api.fails(CREATE_GRADE, viewer=ANN)) == "FORBIDDEN"
        assert hooked.calls == [[9]]


async def test_a_hook_after_runs_for_no_row_that_the_rules_refuse(prepared_url: str) -> None:
    """Not even if it would make the row fit the rules."""
    hooked = Hooked().after("Grade", CREATE, "UPDATE grades SET points = 1")
    document = "mutation { createGrade(input: {id: 9, points: 11, courseId: 1}) { id } }"
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        assert code(await api.fails(document, viewer=ANN)) == "FORBIDDEN"
    assert hooked.calls == []


# --- several rows -------------------------------------------------------------------------


async def test_a_hook_leads_to_a_row_before(prepared_url: str) -> None:
    """The inputs do not have the to-one that the hook sets."""

    def lead(draft: RowDraft) -> None:
        draft["parentId"] = draft["id"] - 1 if draft["id"] > 1 else None

    async with api_of(prepared_url, SDL, hooks=Hooked().before("Node", CREATE, lead).all) as api:
        await api.ok("mutation { createNodes(inputs: [{id: 1}, {id: 2}, {id: 3}]) { count } }", viewer=ANN)
        assert await api.sql("SELECT parent_id FROM nodes ORDER BY id") == [None, 1, 2]


async def test_a_hook_hands_a_unique_value_on(prepared_url: str) -> None:
    slugs = {1: "free", 2: "s1", 3: "s2"}

    def move(draft: RowDraft) -> None:
        draft["slug"] = slugs[draft.key]

    # One statement would change the rows as they lie in the table: the last one first.
    planner = " ".join(
        f"EXECUTE format('ALTER DATABASE %I SET enable_{join} = off', current_database());"
        for join in ("nestloop", "mergejoin")
    )
    data = f"{GRADES}; DO $$ BEGIN {planner} END $$"
    async with api_of(prepared_url, SDL, data, Hooked().before("Grade", UPDATE, move).all) as api:
        await api.ok("mutation { updateGrades(all: true, set: {points: 4}) { count } }", viewer=ANN)
        assert await api.sql("SELECT slug FROM grades ORDER BY id") == ["free", "s1", "s2"]


SHARING = """
type Tenant @table { id: Int! @id tasks: [Task!]! }
type Account @table { tenant: Tenant! @id number: Int! @id }
type Task @table { tenant: Tenant! @id number: Int! @id
  assignee: Account @relation(columns: [tenant_id, assignee_number]) }
"""


@pytest.mark.parametrize("around", ["createTenant(input: {id: 3, ", "updateTenant(id: 1, set: {"])
async def test_a_hook_leaves_what_rows_around_a_row_share(around: str, prepared_url: str) -> None:
    document = (
        f"mutation {{ {around} tasks: {{create: [{{number: 1, assignee: {{create: {{number: 5}}}}}}]}}}}) {{ id }} }}"
    )
    given: dict[str, Any] = {}
    data = "INSERT INTO tenants VALUES (1), (2)"
    async with api_of(prepared_url, SHARING, data, Hooked().before("Account", CREATE, setting_all(given)).all) as api:
        given["tenantId"] = 2
        assert code(await api.fails(document)) in ("INTERNAL", "BAD_USER_INPUT")
        given.clear()
        await api.ok(document)


OWNERS = """
type Team @table @allow(role: user) { id: Int! @id owners: [Owner!]! }
type Owner @table @allow(role: user)
  @allow(role: user, to: DELETE, where: {team: {ownersAggregate: {count: {gt: 1}}}}) { id: Int! @id team: Team! }
"""


async def test_hooks_of_a_deletion_run_once_for_each_row_that_goes(prepared_url: str) -> None:
    data = "INSERT INTO teams VALUES (1); INSERT INTO owners (id, team_id) VALUES (1, 1), (2, 1), (3, 1)"
    hooked = Hooked().before("Owner", DELETE).after("Owner", DELETE)
    async with api_of(prepared_url, OWNERS, data, hooked.all) as api:
        found = await api.ok("mutation { deleteOwners(all: true) { count } }", viewer=ANN)
        assert found == {"deleteOwners": {"count": 2}}
        assert hooked.calls == [[(1, {})], [1], [(2, {})], [2]]


# --- the operation ------------------------------------------------------------------------


async def test_a_hook_has_the_context_of_resolvers(prepared_url: str) -> None:
    async def before(drafts: Sequence[RowDraft], context: Context) -> None:
        context.state.who = context.viewer.id
        await context.connection.execute(text("INSERT INTO totals VALUES (1, 1)"))

    async def after(keys: Sequence[int], context: Context) -> None:
        assert context.state.who == "ann"
        found = await context.graphql("query ($id: Int!) { grade(id: $id) { points } }", id=keys[0])
        assert found == {"grade": {"points": 3}}
        await context.system.graphql("mutation { updateTotal(id: 1, inc: {count: 1}) { id } }")

    hooks = [Registered("before", "Grade", CREATE, before), Registered("after", "Grade", CREATE, after)]
    async with api_of(prepared_url, SDL, DATA, hooks) as api:
        await api.ok(CREATE_GRADE, viewer=ANN)
        assert await api.sql("SELECT count FROM totals") == [2]
        # The row of totals is there by now.
        again = CREATE_GRADE.replace("9", "10")
        assert code(await api.fails(again, viewer=ANN)) == "CONSTRAINT_VIOLATION"


async def test_a_hook_runs_again_in_no_retry(prepared_url: str) -> None:
    calls: list[int] = []

    async def loses(drafts: Sequence[RowDraft], context: Context) -> None:
        calls.append(len(drafts))
        await context.connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"))

    async with api_of(prepared_url, SDL, DATA, [Registered("before", "Grade", CREATE, loses)]) as api:
        assert code(await api.fails(CREATE_GRADE, viewer=ANN)) == "CONFLICT"
    assert calls == [1]


async def test_a_rehearsal_runs_no_hook(prepared_url: str) -> None:
    hooked = Hooked().before("Grade", CREATE)
    async with api_of(prepared_url, SDL, DATA, hooked.all) as api:
        session = await api.engine.open(ADMIN)
        witness = Recorder(api.engine.access, session.sight, ADMIN)
        outcome = await api.engine.rehearse(Request(CREATE_GRADE), ADMIN, witness)
        assert outcome.errors is not None
        assert "runs Python of the project" in outcome.errors[0]["message"]
    assert hooked.calls == []


async def test_a_hook_returns_nothing(prepared_url: str) -> None:
    hook = Registered("before", "Grade", CREATE, lambda drafts, _: list(drafts))
    async with api_of(prepared_url, SDL, DATA, [hook]) as api:
        assert code(await api.fails(CREATE_GRADE, viewer=ANN)) == "INTERNAL"


async def test_the_page_about_hooks_works(prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8")
    (sdl,) = re.findall(r"^```graphql sdl\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (program,) = re.findall(r"^```python\n# app/main.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "schema.graphql").write_text(sdl)
    mails: list[str] = []

    async def send_mails(keys: Sequence[str]) -> None:
        mails.extend(keys)

    found: dict[str, Any] = {"send_mails": send_mails}
    monkeypatch.chdir(tmp_path)
    exec(program, found)
    clew = found["clew"]
    await create_tables(prepared_url, clew.build()[0])
    create = (
        'mutation ($points: Int!, $c: ID!) { createGrade(input: {student: "ann", points: $points, courseId: $c}) %s }'
    )
    teacher = Viewer("bob", frozenset({"teacher"}))
    async with clew.running(Settings.model_validate({"DATABASE_URL": prepared_url})):
        made = await clew.graphql(
            'mutation { createCourse(input: {title: "Art", passMark: 5}) { id } }', viewer=Viewer.admin()
        )
        course = made["createCourse"]["id"]
        grade = await clew.graphql(create % "{ id state }", {"points": 7, "c": course}, viewer=teacher)
        assert grade["createGrade"]["state"] == "FINAL"
        assert mails == [grade["createGrade"]["id"]]
        with pytest.raises(ClewError, match="Points are not negative") as refused:
            await clew.graphql(create % "{ id }", {"points": -1, "c": course}, viewer=teacher)
        assert refused.value.extensions == {"field": "points"}
        with pytest.raises(ClewError) as refused:
            await clew.graphql(create % "{ id }", {"points": 101, "c": course}, viewer=teacher)
        assert refused.value.code == "FORBIDDEN"
        assert len(mails) == 1
        kept = await clew.graphql("{ grades { id } }", viewer=teacher)
        assert kept == {"grades": [{"id": mails[0]}]}


def test_a_hook_that_would_never_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "schema.graphql").write_text(
        """
        type Post @table { id: ID! @id tags: [Tag!]! @relation(through: "PostTag") }
        type Tag @table { id: ID! @id posts: [Post!]! @relation(through: "PostTag") }
        type Busy @view(sql: "SELECT id FROM posts") { id: ID! @id }
        """
    )
    clew = Clew(project=tmp_path)

    @clew.before("Post", CREATE)
    @clew.before("Nope", CREATE)
    @clew.before("Post", Operation.READ)
    @clew.before("Busy", UPDATE)
    async def hook(drafts: Sequence[RowDraft], context: Context) -> None: ...

    @clew.after("Note", DELETE)
    @clew.after("PostTag", CREATE)
    def late(keys: Sequence[Any], context: Context) -> None: ...

    with pytest.raises(SchemaError) as raised:
        clew.build()
    name = "the hook test_a_hook_that_would_never_run_is_an_error.<locals>."
    assert [fault.message.removeprefix(name) for fault in raised.value.diagnostics] == [
        "hook is before UPDATE of Busy, which is a view",
        "hook is before READ of Post, which is not a write",
        "hook is before CREATE of Nope, which is not an entity",
        "late is after CREATE of PostTag, whose rows Clew links itself",
        "late is after DELETE of Note, which is not an entity",
    ]
