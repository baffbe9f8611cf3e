"""What rules say of rows that are written below other ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from clew import Viewer
from tests.writes.api import ADMIN, Api, api_of

pytestmark = pytest.mark.anyio

BOXES = """
type Box @table
  @allow(role: user, fields: [id, name, items, slips])
  @allow(role: user, to: [CREATE, UPDATE], fields: [id, name])
  @allow(role: packer, to: [CREATE, UPDATE], fields: [traces, labels]) {
  id: Int! @id
  name: String
  items: [Item!]!
  slips: [Slip!]!
  secrets: [Secret!]! @allow(role: boss)
  traces: [Trace!]!
  labels: [Label!]! @relation(through: "BoxLabel")
}

type Item @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

"A slip stays where it is."
type Slip @table
  @allow(role: user, to: [READ, CREATE], fields: [id, text, box])
  @allow(role: user, to: UPDATE, fields: [text]) {
  id: Int! @id
  text: String
  box: Box!
}

type Secret @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

type Trace @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

type Label @table @allow(role: user, to: ALL) { id: Int! @id text: String }
"""
ALL = ["create", "connect", "disconnect", "update", "delete"]


async def ways(api: Api, *roles: str) -> dict[str, list[str]]:
    """What the inputs of a box take for its to-manys."""
    types = (await api.engine.role(Viewer("ann", frozenset({"user", *roles})))).schema.type_map
    found = {}
    for name in ("BoxCreateInput", "BoxSetInput"):
        type_ = types[name]
        assert isinstance(type_, GraphQLInputObjectType)
        for field, given in type_.fields.items():
            if isinstance(given.type, GraphQLInputObjectType):
                found[f"{name[3:6].lower()} {field}"] = list(given.type.fields)
    return found


async def test_inputs_have_what_the_roles_could_ever_write(prepared_url: str) -> None:
    async with api_of(prepared_url, BOXES) as api:
        # Secrets and traces are closed, though they may be written by themselves; slips stay in their box.
        user = {
            "cre items": ["create", "connect"],
            "cre slips": ["create"],
            "set items": ALL,
            "set slips": ["create", "update"],
        }
        assert await ways(api, "user") == user
        # What is only written is not read: nobody learns which rows are there.
        both = ["create", "connect"]
        written = {"cre traces": both, "cre labels": both, "set traces": both, "set labels": both}
        assert await ways(api, "packer") == user | written
        secrets = {"cre secrets": both, "set secrets": ALL}
        assert await ways(api, "boss") == user | secrets


CRATES = """
type Crate @table @allow(role: user) @allow(role: user, to: UPDATE, check: {}) {
  id: Int! @id
  open: Boolean!
  goods: [Good!]! @allow(role: user, where: {open: true})
  marks: [Mark!]! @relation(through: "CrateMark") @allow(role: user, to: [READ, UPDATE], where: {open: true}, check: {})
    @allow(role: user, to: UPDATE)
}

type Good @table @allow(role: user, to: ALL, fields: [id, text, crate]) @allow(role: user, to: READ) {
  id: Int! @id
  text: String
  crate: Crate @allow(role: user, to: [READ, UPDATE])
}

type Mark @table @allow(role: user, to: ALL) { id: Int! @id text: String }
"""
CRATE_ROWS = """
INSERT INTO crates (id, open) VALUES (1, true), (2, false);
INSERT INTO goods (id, crate_id) VALUES (1, 1), (2, 2), (3, NULL);
INSERT INTO marks (id) VALUES (1), (2), (3);
INSERT INTO crate_marks (crate_id, mark_id) VALUES (1, 1), (2, 2);
"""
WAYS = ("disconnect: [{id: %d}]", 'update: [{id: %d, set: {text: "x"}}]', "delete: [{id: %d}]")


@pytest.mark.parametrize("field", ["goods", "marks"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_list_that_is_masked_on_a_row_does_not_tell_what_is_in_it(
    prepared_url: str, field: str, way: str
) -> None:
    viewer = Viewer("ann", frozenset({"user"}))
    async with api_of(prepared_url, CRATES, CRATE_ROWS) as api:
        errors = []
        for crate in ("id: 2, set: {", "id: 2, set: {open: true, "):
            for row in (2, 3, 999):
                document = f"mutation {{ updateCrate({crate} {field}: {{{way % row}}}}}) {{ id }} }}"
                errors.append(await api.fails(document, viewer=viewer))
        assert all(error == errors[0] for error in errors)
        assert errors[0]["extensions"] == {"code": "BAD_USER_INPUT"}
        # Where it is open, it is changed; and nothing is closed to an admin.
        document = f"mutation {{ updateCrate(id: %d, set: {{{field}: {{{way}}}}}) {{ id }} }}"
        await api.ok(document % (1, 1), viewer=viewer)
        await api.ok(document % (2, 2), viewer=ADMIN)


DESKS = """
type Person @table(plural: "people") @allow(role: user) @allow(role: user, to: CREATE, fields: [id]) {
  id: String! @id
  notes: [Note!]!
  papers: [Paper!]!
}

type Note @table @allow(role: user) @allow(role: user, to: CREATE, fields: [text]) {
  id: Int! @id
  text: String!
  person: Person! @preset(sql: "lower(text)")
}

type Paper @table @allow(role: user) @allow(role: user, to: CREATE, fields: [text]) {
  id: Int! @id
  text: String!
  person: Person! @preset(claim: "sub")
}
"""


@pytest.mark.parametrize(("field", "text"), [("notes", "Ann"), ("papers", "x")])
async def test_a_parent_agrees_with_a_preset_by_sql_as_with_one_by_claim(
    prepared_url: str, field: str, text: str
) -> None:
    viewer = Viewer("ann", frozenset({"user"}))
    document = f"""mutation($id: String!) {{
      createPerson(input: {{id: $id, {field}: {{create: [{{text: "{text}"}}]}}}}) {{ {field} {{ text personId }} }}
    }}"""
    async with api_of(prepared_url, DESKS) as api:
        other = await api.fails(document, {"id": "cat"}, viewer)
        assert other == {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}
        # No rule holds the field: it is not the client's.
        found = await api.ok(document, {"id": "ann"}, viewer)
        assert found == {"createPerson": {field: [{"text": text, "personId": "ann"}]}}
        # An admin gives what it will.
        document = document.replace("personId", "person { id }")
        found = await api.ok(document, {"id": "dan"}, Viewer.admin())
        assert found == {"createPerson": {field: [{"text": text, "person": {"id": "dan"}}]}}


POLLS = """
type Poll @table @allow(role: user, to: ALL) { id: Int! @id options: [Choice!]! votes: [Vote!]! }

type Choice @table @allow(role: user, to: ALL) {
  id: Int! @id
  poll: Poll!
  votes: [Vote!]! @relation(from: choice)
  %(choice)s
}

"Everybody has one vote that counts."
type Vote @table
  @allow(role: user, to: [READ, DELETE])
  @allow(role: user, to: CREATE, check: {poll: {votes: {none: {voter: "$auth.sub", %(counts)s}}}}) {
  id: Int! @id
  voter: String!
  poll: Poll!
  choice: %(to)s
  %(vote)s
}
"""
CASCADES = {
    "cascade": {"choice": "", "counts": "", "to": "Choice! @relation(onDelete: CASCADE)", "vote": ""},
    "set null": {
        "choice": "",
        "counts": "choiceId: {isNull: false}",
        "to": "Choice @relation(onDelete: SET_NULL)",
        "vote": "",
    },
    "soft": {
        "choice": "deletedAt: DateTime @softDelete",
        "counts": "",
        "to": "Choice @relation(onDelete: CASCADE)",
        "vote": "deletedAt: DateTime @softDelete",
    },
}


@pytest.mark.parametrize("way", CASCADES)
async def test_what_goes_with_a_deleted_row_is_gone_for_rows_after_it(prepared_url: str, way: str) -> None:
    rows = """INSERT INTO polls (id) VALUES (1); INSERT INTO choices (id, poll_id) VALUES (1, 1), (2, 1);
      INSERT INTO votes (id, voter, poll_id, choice_id) VALUES (101, 'ann', 1, 1), (102, 'bob', 1, 2)"""
    ann = Viewer("ann", frozenset({"user"}))
    async with api_of(prepared_url, POLLS % CASCADES[way], rows) as api:
        document = """mutation {
          updatePoll(id: 1, set: {options: {delete: [{id: 1}]}, votes: {create: [{voter: "x", choiceId: 2}]}}) { id }
        }"""
        # Ann's vote goes first, as in two steps. Bob's stays.
        bob = Viewer("bob", frozenset({"user"}))
        assert await api.fails(document, viewer=bob) == {
            "message": "The access rules do not allow this.",
            "extensions": {"code": "FORBIDDEN"},
        }
        assert await api.ok(document, viewer=ann) == {"updatePoll": {"id": 1}}


DIARY = '''
type Person @table(plural: "people") @allow(role: user) {
  id: String! @id
  count: EntryCount @relation(from: person)
  double: EntryDouble @relation(from: person)
}

"Who has one entry may write more, who has two may change them."
type Entry @table
  @allow(role: user)
  @allow(role: user, to: CREATE, check: {author: {count: {entries: {gte: 1}}}})
  @allow(role: user, to: UPDATE, where: {}, check: {author: {double: {entries: {gte: 4}, longest: {lt: 4}}}}) {
  id: Int! @id
  author: Person!
  text: String! @default(value: "")
}

type EntryCount
  @view(
    sql: """
    SELECT author_id AS person_id, count(*)::int AS n, max(length(text)) AS longest, 'a:b %(c)s' AS note -- $1
    FROM entries GROUP BY 1
    """
  ) {
  person: Person! @id
  entries: Int! @column(name: "n")
  longest: Int!
}

type EntryDouble
  @view(sql: "WITH twice AS (SELECT person_id, n * 2 AS n, longest FROM entry_counts) SELECT * FROM twice") {
  person: Person! @id
  entries: Int! @column(name: "n")
  longest: Int!
}
'''


async def test_a_view_of_the_written_rows_is_read_as_it_was(prepared_url: str) -> None:
    rows = """INSERT INTO people (id) VALUES ('ann'), ('bob'), ('cat'); INSERT INTO entries (id, author_id, text)
      VALUES (101, 'ann', 'a'), (102, 'ann', 'b'), (103, 'bob', 'c')"""
    ann, bob, cat = (Viewer(name, frozenset({"user"})) for name in ("ann", "bob", "cat"))
    forbidden = {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}
    async with api_of(prepared_url, DIARY, rows) as api:
        document = "mutation($by: String!) { createEntries(inputs: [{authorId: $by}, {authorId: $by}]) { count } }"
        assert await api.fails(document, {"by": "cat"}, cat) == forbidden
        assert await api.ok(document, {"by": "bob"}, bob) == {"createEntries": {"count": 2}}
        # Over a view of the view: their text was short before, and is long now.
        document = 'mutation { updateEntry(id: %d, set: {text: "long enough"}) { id } }'
        assert await api.ok(document % 101, viewer=ann) == {"updateEntry": {"id": 101}}
        assert await api.fails(document % 102, viewer=ann) == forbidden


async def test_a_row_of_any_value_is_read_as_it_was(prepared_url: str) -> None:
    sdl = """type Memo @table
      @allow(role: user, to: [READ, UPDATE], where: {},
        check: {next: {text: {eq: "old"}, first: {eq: "[[1], \\"x\\"]"}}}) {
      id: Int! @id text: String! lists: [JSON] next: Memo moment: DateTime
      first: String @computed(sql: "lists[1]::text")
    }"""
    rows = """INSERT INTO memos (id, text, lists, next_id, moment) VALUES
      (2, 'old', ARRAY['[[1], "x"]', NULL, '{}']::jsonb[], 2, '-infinity'), (1, 'a "b", (c) \\ ', NULL, 2, NULL)"""
    async with api_of(prepared_url, sdl, rows) as api:
        document = 'mutation { updateMemos(where: {id: {gt: 0}}, set: {text: "new"}) { count } }'
        assert await api.ok(document, viewer=Viewer("ann", frozenset({"user"}))) == {"updateMemos": {"count": 2}}


CLAIMS = """
type User @table @allow(role: user, to: [READ, UPDATE]) {
  id: Int! @id
  name: String
  posts: [Post!]! @relation(from: "author")
  reviewed: [Post!]! @relation(from: "reviewer")
}

type Post @table
  @is(name: "mine", where: {author: {id: "$auth.sub"}})
  @allow(role: user)
  @allow(role: user, to: UPDATE, where: {is: "mine"}, check: {is: "mine", status: DRAFT}, fields: [status, reviewer])
  @allow(role: user, to: UPDATE, where: {status: PAID}, check: {is: "mine"}, fields: [status, sum]) {
  id: Int! @id
  author: User!
  reviewer: User
  status: Status!
  sum: Int
  bills: [Bill!]!
}

type Bill @table @allow(role: user) @allow(role: user, to: UPDATE, where: {post: {status: PAID}}, check: {}) {
  id: Int! @id
  post: Post!
  sum: Int
}

enum Status { DRAFT PAID }
"""


async def test_one_change_of_a_row_opens_no_other(prepared_url: str) -> None:
    rows = """INSERT INTO users (id) VALUES (1), (2);
      INSERT INTO posts (id, author_id, reviewer_id, status) VALUES (1, 1, 1, 'DRAFT');
      INSERT INTO bills (id, post_id) VALUES (1, 1)"""
    ann = Viewer("1", frozenset({"user"}))
    forbidden = {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}
    document = "mutation($set: UserSetInput!) { updateUser(id: 1, set: $set) { id } }"
    async with api_of(prepared_url, CLAIMS, rows) as api:

        def twice(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, object]:
            changes = ({"update": [{"id": 1, "set": given}]} for given in (first, second))
            return {"set": dict(zip(("posts", "reviewed"), changes, strict=True))}

        # A draft that is paid for a moment is judged as the draft that it was, and so are its bills.
        bill = {"bills": {"update": [{"id": 1, "set": {"sum": 9}}]}}
        for first, second in (({"status": "PAID"}, {}), ({"status": "PAID"}, {"status": "DRAFT", "sum": 9})):
            assert await api.fails(document, twice(first, second), ann) == forbidden
        error = await api.fails(document, twice({"status": "PAID", **bill}, {"status": "DRAFT"}), ann)
        assert error["message"] == "`set.posts.update.0.set.bills.update.0` does not belong to `bills`."
        # What each change may do alone both may.
        twice_a_draft = twice({"status": "DRAFT"}, {"status": "DRAFT"})
        assert await api.ok(document, twice_a_draft, ann) == {"updateUser": {"id": 1}}


async def test_a_to_one_leads_to_no_hidden_row_by_a_column_that_is_not_set(prepared_url: str) -> None:
    sdl = """
    type Seat @table @allow(role: user, where: {open: true}) { clubNo: Int! @id number: Int! @id open: Boolean! }
    type Booking @table @allow(role: user, to: ALL) {
      id: Int! @id
      clubNo: Int! @default(value: 2)
      seat: Seat @relation(columns: ["club_no", "seat_number"])
    }
    type Reservation @table @allow(role: user, to: ALL) {
      id: Int! @id
      clubNo: Int! @preset(sql: "1 + 1", on: [CREATE, UPDATE])
      seat: Seat @relation(columns: ["club_no", "seat_number"])
    }
    """
    rows = """INSERT INTO seats (club_no, number, open) VALUES (1, 1, true), (2, 1, false), (2, 2, true), (3, 1, true);
      INSERT INTO bookings (id, club_no, seat_number) VALUES (101, 1, 1);
      INSERT INTO reservations (id, club_no, seat_number) VALUES (101, 1, 1)"""
    user = Viewer("1", frozenset({"user"}))

    def no_row(entity: str, path: str) -> dict[str, Any]:
        told = {"kind": "REFERENCE", "entity": entity, "fields": ["seat"], "path": [path]}
        return {
            "message": "`seat` leads to no row.",
            "extensions": {**told, "code": "CONSTRAINT_VIOLATION"},
        }

    async with api_of(prepared_url, sdl, rows) as api:
        # Hidden, and not there.
        for by in (1, 7):
            document = f"mutation {{ updateBooking(id: 101, inc: {{clubNo: {by}}}) {{ id }} }}"
            assert await api.fails(document, viewer=user) == no_row("Booking", "set")
        for number in (1, 9):
            for field, entity, path in (
                (f"createBooking(input: {{seatNumber: {number}}})", "Booking", "input"),
                (f"createReservation(input: {{seatNumber: {number}}})", "Reservation", "input"),
                (f"updateReservation(id: 101, set: {{seatNumber: {number}}})", "Reservation", "set"),
            ):
                assert await api.fails(f"mutation {{ {field} {{ id }} }}", viewer=user) == no_row(entity, path)
        document = "mutation { updateBooking(id: 101, set: {seat: {connect: {clubNo: 1, number: 1}}}, %s) { id } }"
        error = await api.fails(document % "inc: {clubNo: 1}", viewer=user)
        assert error["message"] == "`set.seat` and inc both set clubNo."
        document = """mutation {
          updateBooking(id: 101, inc: {clubNo: 2}) { clubNo seatNumber }
          createBooking(input: {seatNumber: 2}) { clubNo seatNumber }
          createReservation(input: {seatNumber: 2}) { clubNo seatNumber }
          updateReservation(id: 101, set: {seatNumber: 2}) { clubNo seatNumber }
        }"""
        assert await api.ok(document, viewer=user) == {
            "updateBooking": {"clubNo": 3, "seatNumber": 1},
            "createBooking": {"clubNo": 2, "seatNumber": 2},
            "createReservation": {"clubNo": 2, "seatNumber": 2},
            "updateReservation": {"clubNo": 2, "seatNumber": 2},
        }


async def test_a_link_that_is_made_opens_nothing_in_the_same_root_field(prepared_url: str) -> None:
    sdl = """
    type Doc @table
      @allow(role: user)
      @allow(role: user, to: UPDATE, where: {editors: {some: {id: "$auth.sub"}}}, check: {}, fields: [text])
      @allow(role: user, to: UPDATE, where: {}, fields: [editors]) {
      id: Int! @id
      text: String
      public: Boolean!
      editors: [Person!]! @relation(through: "Editor")
    }
    type Person @table
      @allow(role: user)
      @allow(role: user, to: UPDATE, where: {id: "$auth.sub"}, check: {edited: {every: {public: true}}}) {
      id: Int! @id
      edited: [Doc!]! @relation(through: "Editor")
      read: [Doc!]! @relation(through: "Reader")
    }
    """
    rows = """INSERT INTO persons (id) VALUES (1); INSERT INTO docs (id, public) VALUES (1, false), (2, true);
      INSERT INTO readers (person_id, doc_id) VALUES (1, 1), (1, 2)"""
    user = Viewer("1", frozenset({"user"}))
    document = """mutation($doc: Int!) { updatePerson(id: 1, set: {
      edited: {connect: [{id: $doc}]}
      read: {update: [{id: $doc, set: {text: "mine", editors: {disconnect: [{id: 1}]}}}]}
    }) { edited { id } } }"""
    async with api_of(prepared_url, sdl, rows) as api:
        for doc in (1, 2):
            error = await api.fails(document, {"doc": doc}, user)
            assert error == {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}
