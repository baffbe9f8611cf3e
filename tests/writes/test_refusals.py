"""Why a write is refused: which rules were tried on which row, and what of them failed. For those who may know."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from clew import Viewer
from clew.engine import Request
from clew.engine.explain import explained, recorder, rehearsed
from clew.engine.witness import Missed, Recorder, Refused, Tried
from clew.model.types import Operation
from clew.writes.hooks import Registered
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

SDL = """
type Team @table
  @allow(role: user, where: {open: true}) {
  id: Int! @id
  open: Boolean! @default(value: true)
  posts: [Post!]! @relation(from: team)
}

type Post @table
  @is(name: "mine", where: {author: "$auth.sub"})
  @guard(to: [CREATE, UPDATE], where: {frozen: false}, check: {title: {neq: "spam"}})
  @allow(role: user, where: {or: [{state: "public"}, {is: "mine"}]})
  @allow(role: user, to: UPDATE, where: {is: "mine", state: "draft"}, check: {is: "mine"}, fields: [title, author])
  @allow(role: user, to: UPDATE, where: {state: "public"}, fields: [stars, team])
  @allow(role: editor, to: UPDATE, where: {teamId: {in: "$auth.teams"}}, fields: [stars])
  @allow(role: user, to: CREATE, check: {is: "mine", state: "draft"}, fields: [title, state, author])
  @allow(role: user, to: DELETE, where: {is: "mine", state: "draft"}) {
  id: Int! @id
  title: String!
  author: String!
  state: String! @default(value: "draft")
  stars: Int! @default(value: 0)
  frozen: Boolean! @default(value: false)
  team: Team
  secret: String @allow(role: user, to: [READ, UPDATE], where: {author: "$auth.sub", state: "draft"})
}
"""
DATA = """
INSERT INTO teams (id, open) VALUES (1, true), (2, false);
INSERT INTO posts (id, title, author, state, frozen) VALUES
  (1, 'Ann drafts', 'ann', 'draft', false), (2, 'Ann tells', 'ann', 'public', false),
  (3, 'Ben drafts', 'ben', 'draft', false), (4, 'Ben tells', 'ben', 'public', false), (5, 'Ice', 'ann', 'draft', true);
SELECT setval(pg_get_serial_sequence('posts', 'id'), 100);
"""
ANN = Viewer.seen_as(["user"], {"sub": "ann"})
TITLES, STARS, EDITORS, CREATING, DELETING = 13, 14, 15, 16, 17


@pytest.fixture
async def blog(prepared_url: str) -> AsyncIterator[Api]:
    async with api_of(prepared_url, SDL, DATA) as api:
        yield api


async def rehearse(blog: Api, document: str, viewer: Viewer = ANN) -> tuple[Recorder, dict[str, Any]]:
    """What a mutation would do, and its answer; nothing is done."""
    async with blog.unchanged():
        with capture_logs() as logs:
            witness, outcome = await rehearsed(blog.engine, Request(f"mutation {{ {document} }}"), viewer)
    # What nobody has asked for is no refusal of anybody.
    assert [line for line in logs if line["event"] == "write refused"] == []
    return witness, json.loads(outcome.body)


async def refused(blog: Api, document: str, viewer: Viewer = ANN) -> Refused:
    witness, answer = await rehearse(blog, document, viewer)
    (found,) = witness.refusals
    (error,) = answer["errors"]
    assert error["extensions"]["refusal"] == found.extension()
    return found


async def missed(blog: Api, document: str, viewer: Viewer = ANN) -> Missed:
    witness, _ = await rehearse(blog, document, viewer)
    assert witness.refusals == []
    (found,) = witness.missed
    return found


def by_line(tried: tuple[Tried, ...]) -> dict[int, tuple[bool | None, bool | None, tuple[str, ...]]]:
    """The rules that apply: by their lines whether they held before and after, and what failed."""
    return {
        int(found.judgement.at.rpartition(":")[2]): (found.before, found.after, found.failed)
        for found in tried
        if found.judgement.applies
    }


# --- which condition of which row -----------------------------------------------------


async def test_a_check_that_fails_names_the_row_and_the_part_that_failed(blog: Api) -> None:
    found = await refused(blog, 'updatePost(id: 1, set: {author: "ben", title: "x"}) { id }')
    assert (found.field, found.refusal.phase, found.row) == ("updatePost", "check", {"id": 1})
    # Ann could not read it any more: that comes first.
    assert found.refusal.why == "No READ rule would show the row as it is now."
    failed = by_line(found.tried)
    assert failed[TITLES] == (True, False, ('{author: "$auth.sub"}',))
    assert failed[12] == (None, False, ('{or: [{state: "public"}, {author: "$auth.sub"}]}',))


async def test_a_row_that_goes_after_others_is_told_what_no_longer_holds(prepared_url: str) -> None:
    sdl = """
      type Team @table @allow(role: user) @allow(role: user, to: UPDATE, fields: [owners]) {
        id: Int! @id
        owners: [Owner!]!
      }
      type Owner @table @allow(role: user)
        @allow(role: user, to: DELETE, where: {id: {gt: 0}, team: {ownersAggregate: {count: {gt: 1}}}}) {
        id: Int! @id
        team: Team!
      }"""
    rows = "INSERT INTO teams (id) VALUES (1); INSERT INTO owners (id, team_id) VALUES (1, 1), (2, 1)"
    async with api_of(prepared_url, sdl, rows) as api:
        found = await refused(api, "updateTeam(id: 1, set: {owners: {delete: [{id: 2}, {id: 1}]}}) { id }")
        assert (found.field, found.refusal.phase, found.row) == ("updateTeam", "recall", {"id": 1})
        assert found.refusal.why == "No rule holds."
        assert by_line(found.tried) == {7: (False, None, ("{team: {ownersAggregate: {count: {gt: 1}}}}",))}


async def test_what_is_created_is_named_by_its_new_key(blog: Api) -> None:
    found = await refused(blog, 'createPost(input: {title: "x", author: "ann", state: "public"}) { id }')
    assert (found.refusal.why, found.row) == ("No rule holds.", {"id": 101})
    assert by_line(found.tried) == {CREATING: (None, False, ('{state: "draft"}',)), 11: (None, True, ())}


async def test_a_guard_that_fails_is_told(blog: Api) -> None:
    found = await refused(blog, 'updatePost(id: 1, set: {title: "spam"}) { id }')
    assert found.refusal.why == "A guard does not hold."
    assert by_line(found.tried)[11] == (True, False, ('{title: {neq: "spam"}}',))


async def test_fields_that_no_rule_opens_are_named_before_anything_is_written(blog: Api) -> None:
    found = await refused(blog, 'updatePost(id: 1, set: {title: "x"}, inc: {stars: 1}) { id }')
    assert (found.refusal.phase, found.refusal.fields) == ("gather", ("stars",))
    assert found.refusal.why == "No rule that holds opens stars."
    failed = by_line(found.tried)
    assert failed[TITLES] == (True, None, ("does not open stars",))
    assert failed[STARS] == (False, None, ('{state: "public"}',))


async def test_a_fields_own_rules_are_tried(blog: Api) -> None:
    found = await refused(blog, 'updatePost(id: 2, set: {secret: "x"}) { id }')
    assert found.refusal.fields == ("secret",)
    (own,) = [tried for tried in found.tried if tried.judgement.about == "Post.secret UPDATE"]
    assert (own.before, own.failed) == (False, ('{state: "draft"}',))


async def test_rules_of_roles_and_claims_that_are_not_held_are_told(blog: Api) -> None:
    found = await refused(blog, "updatePost(id: 1, inc: {stars: 1}) { id }")
    (editors,) = [tried for tried in found.tried if tried.judgement.at.endswith(f":{EDITORS}")]
    assert (editors.judgement.applies, editors.judgement.why) == (False, "role editor is not held")


# --- rows that are not there ----------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "operation", "row", "why", "failed"),
    [
        ('updatePost(id: 9, set: {title: "x"}) { id }', "UPDATE", {"id": 9}, "There is no such row.", {}),
        (
            'updatePost(id: 3, set: {title: "x"}) { id }',
            "UPDATE",
            {"id": 3},
            "No READ rule shows the row.",
            {12: (False, None, ('{or: [{state: "public"}, {author: "$auth.sub"}]}',))},
        ),
        (
            "deletePost(id: 4) { id }",
            "DELETE",
            {"id": 4},
            "No rule for DELETE holds of the row, or a guard does not.",
            {DELETING: (False, None, ('{author: "$auth.sub"}', '{state: "draft"}'))},
        ),
        (
            'updatePost(id: 5, set: {title: "x"}) { id }',
            "UPDATE",
            {"id": 5},
            "No rule for UPDATE holds of the row, or a guard does not.",
            {
                TITLES: (True, None, ()),
                STARS: (False, None, ('{state: "public"}',)),
                11: (False, None, ("{frozen: false}",)),
            },
        ),
    ],
)
async def test_a_row_that_is_no_such_row_is_told_with_the_reason(
    blog: Api, document: str, operation: str, row: dict[str, Any], why: str, failed: Any
) -> None:
    found = await missed(blog, document)
    assert (found.entity.name, found.operation, found.row, found.why) == ("Post", operation, row, why)
    assert by_line(found.tried) == failed


async def test_a_to_one_to_a_hidden_row_and_one_to_none_are_told_apart_here_alone(blog: Api) -> None:
    hidden, none = "updatePost(id: 4, set: {teamId: 2}) { id }", "updatePost(id: 4, set: {teamId: 7}) { id }"
    (of_hidden, answer), (of_none, same) = await rehearse(blog, hidden), await rehearse(blog, none)
    for found in (answer, same):
        found["errors"][0]["extensions"].pop("requestId")
    assert answer == same
    assert [(m.entity.name, m.row, m.why) for m in of_hidden.missed] == [
        ("Team", {"id": 2}, "No READ rule shows the row.")
    ]
    assert by_line(of_hidden.missed[0].tried) == {3: (False, None, ("{open: true}",))}
    assert [(m.entity.name, m.row, m.why) for m in of_none.missed] == [("Team", {"id": 7}, "There is no such row.")]


async def test_what_is_connected_and_is_not_there_is_told(blog: Api) -> None:
    found = await missed(blog, "updatePost(id: 4, set: {team: {connect: {id: 2}}}) { id }")
    assert (found.entity.name, found.row, found.why) == ("Team", {"id": 2}, "No READ rule shows the row.")


async def test_a_guard_without_its_claim_is_told(prepared_url: str) -> None:
    sdl = """
    type Note @table @allow(role: user, to: ALL) @guard(to: UPDATE, where: {region: "$auth.region"}) {
      id: Int! @id
      region: String!
    }
    """
    async with api_of(prepared_url, sdl, "INSERT INTO notes (id, region) VALUES (1, 'eu')") as api:
        found = await missed(api, 'updateNote(id: 1, set: {region: "x"}) { id }')
        (guard,) = [tried for tried in found.tried if tried.judgement.rule.startswith("@guard")]
        assert (guard.before, guard.failed) == (False, ("claim region is absent: no row may be written",))


async def test_a_condition_that_raises_by_itself_changes_nothing(prepared_url: str) -> None:
    sdl = """
    type Note @table @allow(role: user) @allow(role: user, to: UPDATE, where: {n: {gt: 0}, ratio: {gt: 1}}) {
      id: Int! @id
      n: Int!
      ratio: Int @computed(sql: "10 / n")
    }
    """
    async with api_of(prepared_url, sdl, "INSERT INTO notes (id, n) VALUES (1, 0), (2, 1)") as api:
        document = "mutation { a: updateNote(id: 1, set: {n: 2}) { n } b: updateNote(id: 2, set: {n: 3}) { n } }"
        plain = (await api.engine.execute(Request(document), ANN)).body
        witness = await recorder(api.engine, ANN)
        assert (await api.engine.execute(Request(document), ANN, None, witness)).body == plain
        assert json.loads(plain) == {"data": {"a": None, "b": {"n": 3}}}
        assert witness.missed == []


# --- a rehearsal ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        'createPost(input: {title: "x", author: "ann"}) { title }',
        'updatePost(id: 1, set: {title: "x"}) { title }',
        'updatePosts(where: {state: {eq: "draft"}}, set: {title: "x"}) { count }',
        "deletePosts(where: {}, all: true) { count rows { title } }",
        'a: updatePost(id: 1, set: {title: "x"}) { title } b: deletePost(id: 1) { title }',
    ],
)
async def test_a_rehearsal_answers_as_the_mutation_does_and_writes_nothing(blog: Api, document: str) -> None:
    witness, answer = await rehearse(blog, document)
    assert answer == await blog.run(f"mutation {{ {document} }}", viewer=ANN)
    assert all(step.explain for step in witness.steps if step.plan is not None)


async def test_a_rehearsal_judges_what_a_commit_would(prepared_url: str) -> None:
    late = "ALTER TABLE notes ADD CONSTRAINT late UNIQUE (text) DEFERRABLE INITIALLY DEFERRED"
    rows = "INSERT INTO notes (id, text) VALUES (1, 'a'), (2, 'b')"
    async with api_of(prepared_url, "type Note @table { id: Int! @id text: String! }", f"{late}; {rows}") as api:
        document = 'updateNote(id: 1, set: {text: "b"}) { id }'
        _, answer = await rehearse(api, document, Viewer.admin())
        found = await api.run(f"mutation {{ {document} }}")
        assert answer["errors"][0]["extensions"]["code"] == found["errors"][0]["extensions"]["code"]
        assert found["errors"][0]["extensions"]["code"] == "CONSTRAINT_VIOLATION"


async def test_what_runs_the_projects_own_python_is_not_rehearsed(shopping: Api) -> None:
    company = "00000000-0000-7000-8000-000000000001"
    for document in (
        f'mutation {{ renameCompany(id: "{company}", name: "x") }}',
        f'mutation {{ updateCompany(id: "{company}", set: {{name: "x"}}) {{ people {{ shout }} }} }}',
    ):
        async with shopping.unchanged():
            text = await explained(shopping.engine, document, {})
        assert "Verdict\n  not run: The mutation runs Python of the project" in text
        assert "Step 1" not in text


# --- as text --------------------------------------------------------------------------


async def test_the_text_holds_rules_steps_sql_values_explain_and_the_verdict(blog: Api) -> None:
    document = 'mutation ($id: Int!) { updatePost(id: $id, set: {author: "ben"}) { id } }'
    async with blog.unchanged():
        text = await explained(blog.engine, document, {"id": 1}, ANN)
    for line in (
        "Viewer\n  ann: anon, user",
        'Rules\n  Post\n    applies  schema.graphql:12  @allow(role: user) READ, where {or: [{state: "public"}, ',
        "  Post UPDATE\n    applies  schema.graphql:13",
        "    dropped  schema.graphql:15",
        "Step 1: updatePost, gather\n  Plan\n    Lock visible=Post permits=UPDATE[schema.graphql:13, "
        "schema.graphql:14, schema.graphql:25, schema.graphql:11] by_key=True named=True",
        "  SQL\n    SELECT clew_given.clew_position AS position",
        "= [1] ($key.id)",
        "= 'ann' ($auth.sub)",
        "  EXPLAIN\n    LockRows",
        "Step 3: updatePost, write\n  Plan\n    Update entity=Post sets=[author]",
        "= ['ben'] ($set.author)",
        "Step 4: updatePost, check\n  Plan\n    Check visible=Post permits=UPDATE[",
        "Verdict\n  refused: updatePost: FORBIDDEN The access rules do not allow this.\n"
        "  updatePost, phase check: UPDATE of Post {id: 1}\n"
        "    No READ rule would show the row as it is now.\n",
        'held before; did not hold after; not true: {author: "$auth.sub"}',
        "  Everything is rolled back.",
    ):
        assert line in text, text


BOARD = """
type Board @table @allow(role: user) @allow(role: user, to: CREATE) @allow(role: user, to: UPDATE) {
  id: Int! @id
  name: String! @unique
  cards: [Card!]! @relation(from: board)
  owner: Owner
}

type Card @table
  @allow(role: user)
  @allow(role: user, to: [CREATE, UPDATE])
  @guard(to: DELETE, where: {done: true}) {
  id: Int! @id
  done: Boolean! @default(value: false)
  board: Board
}

type Owner @table @allow(role: user) {
  id: Int! @id
}
"""
NEW_BOARD = 'createBoard(input: {name: "%s"}) { id }'


def about(text: str) -> list[str]:
    """What the rules in a text are about."""
    rules = text.partition("Rules\n")[2].partition("\n\n")[0].splitlines()
    return [line.strip() for line in rules if not line.startswith("    ")]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (NEW_BOARD % "new", ["Board", "Board CREATE"]),
        (NEW_BOARD % "taken", ["Board", "Board CREATE"]),
        ('upsertBoard(input: {name: "new"}, on: name) { id }', ["Board", "Board CREATE", "Board UPDATE"]),
        (
            'createBoards(inputs: [{name: "b", owner: {connect: {id: 1}}}]) { count }',
            ["Board", "Board CREATE", "Owner"],
        ),
        (
            'createBoard(input: {name: "b", cards: {create: [{}], connect: [{id: 1}]}}) { id }',
            ["Board", "Board CREATE", "Card", "Card CREATE", "Card UPDATE"],
        ),
        (
            "updateManyCards(updates: [{id: 1, set: {done: true}}]) { count }",
            ["Card", "Card UPDATE"],
        ),
    ],
)
async def test_the_text_holds_each_rule_whether_or_not_a_statement_asks_it(
    prepared_url: str, document: str, found: list[str]
) -> None:
    rows = "INSERT INTO boards (id, name) VALUES (1, 'taken'); INSERT INTO owners (id) VALUES (1)"
    async with api_of(prepared_url, BOARD, rows) as api:
        text = await explained(api.engine, f"mutation {{ {document} }}", {}, ANN)
        assert about(text) == found
        given = {"board": {"name": "given"}}
        text = await explained(
            api.engine,
            "mutation ($board: BoardCreateInput!) { ...M } fragment M on Mutation"
            " { createBoard(input: $board) { id } x: createBoard(input: $board) @skip(if: true) { id } }",
            given,
            ANN,
        )
        assert about(text) == ["Board", "Board CREATE"]


async def test_the_text_holds_the_rules_of_rows_that_have_hooks(prepared_url: str) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError

    hooks = [Registered("before", "Board", Operation.CREATE, never)]
    async with api_of(prepared_url, BOARD, "SELECT 1", hooks) as api:
        text = await explained(api.engine, f"mutation {{ {NEW_BOARD % 'new'} }}", {}, ANN)
        assert "The mutation runs Python of the project" in text
        assert about(text) == ["Board", "Board CREATE"]
        assert "    applies  schema.graphql:2  @allow(role: user) CREATE, every row: role user is held" in text


async def test_the_text_of_what_is_allowed_and_of_no_such_row(blog: Api) -> None:
    text = await explained(blog.engine, 'mutation { updatePost(id: 1, set: {title: "x"}) { title } }', {}, ANN)
    assert text.endswith("Verdict\n  allowed\n  Everything is rolled back.")
    assert "Step 5: updatePost, read\n  Plan\n    Read\n      Rows visible=Post" in text
    text = await explained(blog.engine, 'mutation { updatePost(id: 9, set: {title: "x"}) { title } }', {}, ANN)
    assert "  updatePost: Post {id: 9} is not there for UPDATE\n    There is no such row.\n" in text


async def test_the_page_about_refusals_shows_what_is_printed(prepared_url: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "understanding-a-refusal.md").read_text()
    sdl, document, verdict = re.findall(r"^```[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:3]
    async with api_of(prepared_url, sdl) as api:
        assert (await explained(api.engine, document, {}, ANN)).endswith("\n\n" + verdict.rstrip())


async def test_an_upsert_shows_its_savepoint(shopping: Api) -> None:
    document = 'mutation { upsertCompany(input: {name: "New"}, on: name) { name } }'
    async with shopping.unchanged():
        text = await explained(shopping.engine, document, {})
    assert "SAVEPOINT clew_upsert" in text


# --- who is told ----------------------------------------------------------------------


async def test_a_refusal_is_logged_with_its_rules_and_without_values(blog: Api) -> None:
    with capture_logs() as logs:
        await blog.fails('mutation { x: updatePost(id: 1, set: {author: "ben"}) { id } }', viewer=ANN)
    (line,) = [line for line in logs if line["event"] == "write refused"]
    assert len(line.pop("request_id")) == 32
    assert line == {
        "event": "write refused",
        "log_level": "info",
        "viewer": "ann",
        "field": "x",
        "entity": "Post",
        "operation": "UPDATE",
        "phase": "check",
        "rules": ["schema.graphql:13", "schema.graphql:14", "schema.graphql:11"],
    }


async def test_without_a_witness_nothing_is_told(blog: Api) -> None:
    error = await blog.fails('mutation { updatePost(id: 1, set: {author: "ben"}) { id } }', viewer=ANN)
    assert error == {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}
