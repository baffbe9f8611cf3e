"""Several rows mean what single fields in their order would mean: docs/writes.md."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import Api, api_of, code

pytestmark = pytest.mark.anyio

ANN = Viewer("ann", frozenset({"user"}))

QUIZZES = """
type Quiz @table(plural: "quizzes")
  @allow(role: user)
  @allow(role: user, to: [CREATE, UPDATE], fields: [id, maxAttempts, attempts]) {
  id: Int! @id
  maxAttempts: Int! @default(value: 1)
  attempts: [Attempt!]!
}

type Attempt @table
  @allow(role: user)
  @allow(role: user, to: [CREATE, UPDATE], where: {},
    check: {quiz: {attemptsAggregate: {count: {lt: "$row.quiz.maxAttempts"}}}}) {
  id: Int! @id
  quiz: Quiz!
  slug: String @unique
}
"""
QUIZ_ROWS = "INSERT INTO quizzes (id, max_attempts) VALUES (1, 1), (2, 2), (3, 9)"


async def count(api: Api, quiz: int) -> int:
    found = await api.ok(f"{{ quiz(id: {quiz}) {{ attemptsAggregate {{ count }} }} }}")
    number: int = found["quiz"]["attemptsAggregate"]["count"]
    return number


@pytest.mark.parametrize(("made", "is_allowed"), [(1, True), (2, True), (3, False)])
@pytest.mark.parametrize(
    "document",
    [
        "mutation { createAttempts(inputs: [%s]) { count } }",
        "mutation { upsertAttempts(on: slug, inputs: [%s]) { count } }",
        "mutation { updateQuiz(id: 2, set: {attempts: {create: [%s]}}) { id } }",
        "mutation { updateManyQuizzes(updates: [{id: 2, set: {attempts: {create: [%s]}}}]) { count } }",
    ],
)
async def test_a_quota_counts_the_rows_before(document: str, made: int, is_allowed: bool, prepared_url: str) -> None:
    nested = "set: {attempts" in document
    rows = ", ".join(f'{{slug: "s{n}"{"" if nested else ", quizId: 2"}}}' for n in range(made))
    async with api_of(prepared_url, QUIZZES, QUIZ_ROWS) as api:
        if is_allowed:
            await api.ok(document % rows, viewer=ANN)
        else:
            assert code(await api.fails(document % rows, viewer=ANN)) == "FORBIDDEN"
        assert await count(api, 2) == (made if is_allowed else 0)


async def test_a_quota_counts_nested_rows_of_new_rows_and_connected_ones(prepared_url: str) -> None:
    document = "mutation { createQuiz(input: {id: 7, maxAttempts: 2, attempts: {create: [%s]}}) { id } }"
    rows = QUIZ_ROWS + "; INSERT INTO attempts (id, quiz_id) VALUES (11, 3), (12, 3), (13, 3)"
    async with api_of(prepared_url, QUIZZES, rows) as api:
        assert code(await api.fails(document % "{}, {}, {}", viewer=ANN)) == "FORBIDDEN"
        await api.ok(document % "{}, {}", viewer=ANN)
        connect = "mutation { updateQuiz(id: 2, set: {attempts: {connect: [%s]}}) { id } }"
        assert code(await api.fails(connect % "{id: 11}, {id: 12}, {id: 13}", viewer=ANN)) == "FORBIDDEN"
        await api.ok(connect % "{id: 11}, {id: 12}", viewer=ANN)
        move = "mutation { updateAttempts(where: {id: {in: [11, 12, 13]}}, set: {quizId: 1}) { count } }"
        assert code(await api.fails(move, viewer=ANN)) == "FORBIDDEN"
        assert (await count(api, 7), await count(api, 2), await count(api, 1)) == (2, 2, 0)


TEAMS = """
type Team @table @allow(role: user, to: ALL, fields: [id, name, owners]) {
  id: Int! @id
  name: String @unique
  owners: [Owner!]!
}

type Owner @table
  @allow(role: user, to: [READ, CREATE, UPDATE])
  @allow(role: user, to: DELETE, where: {team: {ownersAggregate: {count: {gt: 1}}}}) {
  id: Int! @id
  team: Team!
  name: String
}
"""
OWNERS = """INSERT INTO teams (id, name) VALUES (1, 'A'), (2, 'B');
  INSERT INTO owners (id, team_id) VALUES (11, 1), (12, 1), (13, 1), (21, 2)"""


async def test_a_deletion_counts_those_before_it(prepared_url: str) -> None:
    async with api_of(prepared_url, TEAMS, OWNERS) as api:
        document = "mutation { deleteOwners(where: {id: {gt: 0}}) { count rows { id } } }"
        found = await api.ok(document, viewer=ANN)
        assert found == {"deleteOwners": {"count": 2, "rows": [{"id": 11}, {"id": 12}]}}
        assert await api.ok("{ owners { id } }") == {"owners": [{"id": 13}, {"id": 21}]}


@pytest.mark.parametrize("way", ['name: "C"', "id: 3"])
async def test_an_input_connects_a_row_that_one_before_it_has_made(way: str, prepared_url: str) -> None:
    first, second = '{name: "x", team: {create: {id: 3, name: "C"}}}', f'{{name: "y", team: {{connect: {{{way}}}}}}}'
    document = "mutation { createOwners(inputs: [%s, %s]) { rows { team { name } } } }"
    async with api_of(prepared_url, TEAMS, OWNERS) as api:
        # But not a row that one after it makes.
        assert code(await api.fails(document % (second, first), viewer=ANN)) == "BAD_USER_INPUT"
        found = await api.ok(document % (first, second), viewer=ANN)
        assert found == {"createOwners": {"rows": [{"team": {"name": "C"}}] * 2}}


GUILDS = """
type Guild @table @allow(role: user, to: ALL, fields: [id, name, crafts]) {
  id: Int! @id
  name: String @unique
  crafts: [Craft!]!
}

type Craft @table @allow(role: user, to: ALL, fields: [id, guild, tool, spare, signs, seals]) {
  id: Int! @id
  guild: Guild
  tool: Tool
  spare: Tool
  signs: [Tool!]! @relation(through: "CraftSign")
  seals: [Tool!]! @relation(through: "CraftSeal")
}

type CraftSeal @table @allow(role: user, to: ALL) { craft: Craft! @id tool: Tool! @id }

type Tool @table @allow(role: user, to: ALL, fields: [id, name, code, crafts]) {
  id: Int! @id
  name: String @unique
  code: String @unique %s
  crafts: [Craft!]! @relation(from: "tool")
}
"""
GUILD_ROWS = "INSERT INTO guilds (id, name) VALUES (1, 'A'), (2, 'B'); INSERT INTO crafts (id, guild_id) VALUES (5, 1)"


@pytest.mark.parametrize("way", ['name: "saw"', "id: 3"])
@pytest.mark.parametrize(
    "document",
    [
        "createGuild(input: {id: 7, crafts: {create: [{id: 10, %s}, {id: 11, %s}]}}) { id }",
        "createGuilds(inputs: [{id: 7, crafts: {create: [{id: 10, %s}]}}, {id: 8, crafts: {create: [{id: 11, %s}]}}])"
        " { count }",
        "updateGuild(id: 1, set: {crafts: {create: [{id: 10, %s}, {id: 11, %s}]}}) { id }",
        "updateManyGuilds(updates: [{id: 1, set: {crafts: {create: [{id: 10, %s}]}}},"
        " {id: 2, set: {crafts: {create: [{id: 11, %s}]}}}]) { count }",
        "upsertCrafts(on: id, inputs: [{id: 10, %s}, {id: 11, %s}]) { count }",
        # One that is changed, and one that is new.
        "upsertCrafts(on: id, inputs: [{id: 5, %s}, {id: 11, %s}]) { count }",
        "upsertGuilds(on: id, inputs: [{id: 1, crafts: {create: [{id: 10, %s}]}}, {id: 8, crafts: {create: "
        "[{id: 11, %s}]}}]) { count }",
    ],
)
async def test_nested_rows_and_upserts_connect_what_was_made_before_them(
    document: str, way: str, prepared_url: str
) -> None:
    made, connected = 'tool: {create: {id: 3, name: "saw"}}', f"tool: {{connect: {{{way}}}}}"
    async with api_of(prepared_url, GUILDS % "", GUILD_ROWS) as api:
        error = await api.fails(f"mutation {{ {document % (connected, made)} }}", viewer=ANN)
        assert code(error) == "BAD_USER_INPUT"
        await api.ok(f"mutation {{ {document % (made, connected)} }}", viewer=ANN)
        assert await api.sql("SELECT tool_id FROM crafts WHERE tool_id IS NOT NULL") == [3, 3]


@pytest.mark.parametrize(
    ("crafts", "sql"),
    [
        ('{id: 10, signs: {create: [{id: 3, name: "saw"}]}}, {id: 11, signs: {connect: [{name: "saw"}]}}', "sign"),
        ('{id: 10, seals: {create: [{id: 3, name: "saw"}]}}, {id: 11, seals: {connect: [{name: "saw"}]}}', "seal"),
    ],
)
async def test_nested_links_lead_to_what_was_made_before_them(crafts: str, sql: str, prepared_url: str) -> None:
    async with api_of(prepared_url, GUILDS % "", GUILD_ROWS) as api:
        document = "mutation { updateGuild(id: 1, set: {crafts: {create: [%s]}}) { id } }"
        first, second = crafts[: crafts.index(", {id: 11")], crafts[crafts.index("{id: 11") :]
        assert code(await api.fails(document % f"{second}, {first}", viewer=ANN)) == "BAD_USER_INPUT"
        # It is linked once.
        await api.ok(document % crafts.replace('[{name: "saw"}]', '[{name: "saw"}, {name: "saw"}]'), viewer=ANN)
        assert await api.sql(f"SELECT craft_id, tool_id FROM craft_{sql}s ORDER BY craft_id") == [(10, 3), (11, 3)]


@pytest.mark.parametrize(
    "crafts",
    [
        # Fields of one row have no order, nor has what is nested in a row one before the row.
        '{id: 10, tool: {create: {id: 3, name: "saw"}}, spare: {connect: {name: "saw"}}}',
        '{id: 10, tool: {create: {id: 3, name: "saw", crafts: {create: [{id: 12, spare: {connect: {id: 3}}}]}}}}',
        '{id: 10, signs: {create: [{id: 3, name: "saw"}], connect: [{name: "saw"}]}}',
        # Of a value that is not given no row is known.
        '{id: 10, tool: {create: {id: 3}}}, {id: 11, tool: {connect: {name: "saw"}}}',
    ],
)
async def test_a_row_leads_to_none_that_no_entry_before_it_has_made(crafts: str, prepared_url: str) -> None:
    async with api_of(prepared_url, GUILDS % "", GUILD_ROWS) as api:
        error = await api.fails(
            f"mutation {{ updateGuild(id: 1, set: {{crafts: {{create: [{crafts}]}}}}) {{ id }} }}", viewer=ANN
        )
        assert code(error) == "BAD_USER_INPUT"


@pytest.mark.parametrize(("rule", "is_known"), [("", True), ("@allow(role: user, to: ALL, where: {id: 1})", False)])
async def test_a_row_before_is_known_by_no_key_that_may_be_masked(rule: str, is_known: bool, prepared_url: str) -> None:
    document = """mutation { updateGuild(id: 1, set: {crafts: {create: [
      {tool: {create: {id: 1, code: "c"}}}, {tool: {connect: {%s}}}
    ]}}) { id } }"""
    async with api_of(prepared_url, GUILDS % rule, GUILD_ROWS) as api:
        if not is_known:
            assert code(await api.fails(document % 'code: "c"', viewer=ANN)) == "BAD_USER_INPUT"
        await api.ok(document % ('code: "c"' if is_known else "id: 1"), viewer=ANN)


@pytest.mark.parametrize("seen", ["{}", "{size: {gt: 0}}"])
@pytest.mark.parametrize(
    "field",
    [
        "createNode(input: {id: 1, kids: {create: [%s]}}) { id }",
        "updateNode(id: 9, set: {kids: {create: [%s]}}) { id }",
    ],
)
async def test_a_nested_row_leads_to_one_of_its_list_by_its_key(field: str, seen: str, prepared_url: str) -> None:
    sdl = f"""type Node @table @allow(role: user, where: {seen})
      @allow(role: user, to: [CREATE, UPDATE], where: {{}}, fields: [id, size, parent, twin, kids]) {{
      id: Int! @id
      size: Int! @default(value: 1)
      parent: Node
      twin: Node
      kids: [Node!]! @relation(from: "parent")
    }}"""
    rows = "INSERT INTO nodes (id, size) VALUES (8, 0), (9, 1)"
    async with api_of(prepared_url, sdl, rows) as api:
        for twin in (7, *(() if seen == "{}" else (3, 8))):
            error = await api.fails(f"mutation {{ {field % f'{{id: 2}}, {{id: 3, twinId: {twin}}}'} }}", viewer=ANN)
            assert code(error) == "CONSTRAINT_VIOLATION"
        # Rows that give other fields are other statements.
        kids = "{id: 2}, {id: 3, size: 2, twinId: 2}, {id: 4, twinId: 3}, {id: 5, size: 2, twinId: 4}"
        await api.ok(f"mutation {{ {field % kids} }}", viewer=ANN)
        assert await api.sql("SELECT twin_id FROM nodes WHERE id BETWEEN 2 AND 5 ORDER BY id") == [None, 2, 3, 4]


async def test_a_key_leads_to_a_row_before_and_to_none_after(prepared_url: str) -> None:
    sdl = "type Node @table @allow(role: user, to: ALL, fields: [id, parent]) { id: Int! @id parent: Node }"
    async with api_of(prepared_url, sdl) as api:
        document = "mutation { createNodes(inputs: [%s]) { count } }"
        await api.ok(document % "{id: 1}, {id: 2, parentId: 1}", viewer=ANN)
        error = await api.fails(document % "{id: 4, parentId: 3}, {id: 3}", viewer=ANN)
        assert code(error) == "CONSTRAINT_VIOLATION"


async def test_one_field_is_undone_as_a_whole(prepared_url: str) -> None:
    async with api_of(prepared_url, QUIZZES, QUIZ_ROWS) as api:
        document = "mutation { createAttempts(inputs: [{quizId: 3}, {quizId: 1}, {quizId: 1}]) { count } }"
        assert code(await api.fails(document, viewer=ANN)) == "FORBIDDEN"
        assert await count(api, 3) == 0


async def test_rows_take_a_unique_value_once_it_is_free(prepared_url: str) -> None:
    async with api_of(prepared_url, TEAMS, OWNERS) as api:
        document = "mutation { updateManyTeams(updates: [%s]) { count } }"
        pair = '{id: 2, set: {name: "C"}}', '{id: 1, set: {name: "B"}}'
        assert code(await api.fails(document % ", ".join(reversed(pair)), viewer=ANN)) == "CONSTRAINT_VIOLATION"
        await api.ok(document % ", ".join(pair), viewer=ANN)
        document = "mutation { upsertTeams(on: id, inputs: [%s]) { count } }"
        pair = '{id: 1, name: "Z"}', '{id: 5, name: "B"}'
        assert code(await api.fails(document % ", ".join(reversed(pair)), viewer=ANN)) == "CONSTRAINT_VIOLATION"
        await api.ok(document % ", ".join(pair), viewer=ANN)


CREWS = """
type Crew @table @allow(role: user) @allow(role: user, to: UPDATE, fields: [name, members]) {
  id: Int! @id
  name: String @unique
  members: [Member!]!
}

type Member @table @allow(role: user)
  @allow(role: user, to: [UPDATE, DELETE], where: {crew: {name: {neq: "frozen"},
    membersAggregate: {count: {gt: 1}, where: {isHead: true}}}}, check: {}) {
  id: Int! @id
  crew: Crew
  isHead: Boolean! @default(value: true)
}
"""
CREW_ROWS = """INSERT INTO crews (id, name) VALUES (1, 'one');
  INSERT INTO members (id, crew_id, is_head) VALUES (1, 1, true), (2, 1, true), (3, 1, false)"""


@pytest.mark.parametrize(
    ("members", "is_allowed"),
    [
        ("delete: [{id: 1}]", True),
        ("delete: [{id: 1}, {id: 2}]", False),
        ("delete: [{id: 3}, {id: 2}]", True),
        ("disconnect: [{id: 1}, {id: 2}]", False),
        ("disconnect: [{id: 2}]", True),
        ("update: [{id: 1, set: {isHead: false}}]", True),
        ("update: [{id: 1, set: {isHead: false}}, {id: 2, set: {isHead: false}}]", False),
        ("update: [{id: 1, set: {isHead: false}}, {id: 3, set: {isHead: true}}]", False),
        ("update: [{id: 3, set: {isHead: true}}, {id: 1, set: {isHead: false}}]", True),
        ("delete: [{id: 1}], update: [{id: 2, set: {isHead: false}}]", False),
        ("delete: [{id: 1}], disconnect: [{id: 2}]", False),
    ],
)
@pytest.mark.parametrize(
    "document",
    [
        "mutation { updateCrew(id: 1, set: {%smembers: {%s}}) { id } }",
        "mutation { updateManyCrews(updates: [{id: 1, set: {%smembers: {%s}}}]) { count } }",
    ],
)
async def test_a_nested_change_counts_those_before_it(
    document: str, members: str, is_allowed: bool, prepared_url: str
) -> None:
    async with api_of(prepared_url, CREWS, CREW_ROWS) as api:
        if is_allowed:
            # What the field makes of other entities does not count: the crew is not frozen yet.
            await api.ok(document % ('name: "frozen", ', members), viewer=ANN)
        else:
            assert code(await api.fails(document % ("", members), viewer=ANN)) == "FORBIDDEN"


CASCADES = """
type Team @table @allow(role: user, to: [READ, UPDATE], fields: [id, seats, owners]) {
  id: Int! @id
  seats: [Seat!]!
  owners: [Owner!]!
}
type Seat @table @allow(role: user, to: [READ, DELETE]) { id: Int! @id team: Team! owners: [Owner!]! %s }
type Owner @table @allow(role: user)
  @allow(role: user, to: DELETE, where: {team: {owners: {some: {id: {neq: "$row.id"}}}}})
  @allow(role: user, to: UPDATE, where: {}, check: {team: {owners: {some: {id: {neq: "$row.id"}, boss: true}}}}) {
  id: Int! @id
  team: Team!
  boss: Boolean! @default(value: true)
  seat: Seat @relation(onDelete: CASCADE)
  %s
}
"""
CASCADE_ROWS = """INSERT INTO teams (id) VALUES (1); INSERT INTO seats (id, team_id) VALUES (1, 1), (2, 1);
  INSERT INTO owners (id, team_id, seat_id) VALUES (1, 1, 1), (2, 1, NULL)"""


@pytest.mark.parametrize("softly", ["", "deletedAt: DateTime @softDelete"], ids=["hard", "soft"])
@pytest.mark.parametrize(
    ("changes", "is_allowed"),
    [
        ("seats: {delete: [{id: 1}]}, owners: {delete: [{id: 2}]}", False),
        ("seats: {delete: [{id: 1}]}, owners: {update: [{id: 2, set: {boss: false}}]}", False),
        ("seats: {delete: [{id: 2}]}, owners: {delete: [{id: 2}]}", True),
        ("seats: {delete: [{id: 2}]}, owners: {update: [{id: 2, set: {boss: false}}]}", True),
    ],
)
async def test_what_a_deletion_takes_along_counts(
    changes: str, is_allowed: bool, softly: str, prepared_url: str
) -> None:
    async with api_of(prepared_url, CASCADES % (softly, softly), CASCADE_ROWS) as api:
        document = f"mutation {{ updateTeam(id: 1, set: {{{changes}}}) {{ id }} }}"
        if is_allowed:
            await api.ok(document, viewer=ANN)
        else:
            assert code(await api.fails(document, viewer=ANN)) == "FORBIDDEN"


async def test_a_change_by_a_filter_is_judged_as_one_by_key(prepared_url: str) -> None:
    sdl = """
      type Team @table @allow(role: user) { id: Int! @id members: [Member!]! }
      type Member @table @allow(role: user) @allow(role: user, to: CREATE, fields: [id, team])
        @allow(role: user, to: UPDATE, where: {team: {members: {some: {boss: true}}}}, check: {id: {gt: 0}}) {
        id: Int! @id
        team: Team!
        boss: Boolean! @default(value: false)
        buddy: Member
      }"""
    rows = (
        "INSERT INTO teams (id) VALUES (1); INSERT INTO members (id, team_id, boss) VALUES (1, 1, true), (2, 1, false)"
    )
    async with api_of(prepared_url, sdl, rows) as api:
        buddy = "set: {buddy: {create: {id: %d, teamId: 1}}}"
        await api.ok(f"mutation {{ updateMember(id: 1, {buddy % 20}) {{ id }} }}", viewer=ANN)
        await api.ok(f"mutation {{ updateMembers(where: {{id: {{eq: 2}}}}, {buddy % 21}) {{ count }} }}", viewer=ANN)


async def test_a_tree_goes_by_a_rule_that_reads_it(prepared_url: str) -> None:
    sdl = """
      type Node @table @guard(to: DELETE, where: {locked: false}) @allow(role: user)
        @allow(role: user, to: DELETE,
          where: {kids: {every: {locked: false}}, or: [{id: 1}, {parent: {id: {gt: 0}}}]}) {
        id: Int! @id
        locked: Boolean! @default(value: false)
        parent: Node @relation(onDelete: CASCADE)
        kids: [Node!]!
      }"""
    rows = "INSERT INTO nodes (id, parent_id) VALUES (1, NULL), (2, 1), (3, 1), (4, 2)"
    async with api_of(prepared_url, sdl, rows) as api:
        assert await api.ok("mutation { deleteNode(id: 2) { id } }", viewer=ANN) == {"deleteNode": {"id": 2}}
        assert await api.ok("mutation { deleteNodes(all: true) { count } }", viewer=ANN) == {
            "deleteNodes": {"count": 1}
        }
