"""Who may write what: the club's rules to the letter."""

# ruff: noqa: E501, UP031 (GraphQL on its lines, and with its braces)

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from clew import Viewer
from tests.writes.api import Api, code

pytestmark = pytest.mark.anyio

MEMBER_1, MEMBER_2, MEMBER_3 = (f"00000000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))


def user(name: str | None, *roles: str, **claims: Any) -> Viewer:
    return Viewer(name, frozenset({"user", *roles}), claims)


ANN, BEN, CAT = user("ann"), user("ben"), user("cat")
FORBIDDEN = {"message": "The access rules do not allow this.", "extensions": {"code": "FORBIDDEN"}}


# --- one rule before and after --------------------------------------------------------


async def test_each_field_needs_one_rule_that_holds_before_and_after(club: Api) -> None:
    # Publishing is for drafts, stars are for what is public already.
    found = await club.ok('mutation { updateNote(id: 1, set: {state: "public"}) { state } }', viewer=ANN)
    assert found == {"updateNote": {"state": "public"}}
    found = await club.ok("mutation { updateNote(id: 4, inc: {stars: 1}) { stars } }", viewer=ANN)
    assert found == {"updateNote": {"stars": 1}}
    assert (
        await club.fails('mutation { updateNote(id: 3, set: {state: "public", stars: 5}) { id } }', viewer=BEN)
        == FORBIDDEN
    )


async def test_a_row_under_no_rule_is_no_such_row(club: Api) -> None:
    # Another's draft is hidden; what is public and another's may be read, and may not be deleted.
    for note in (1, 999):
        async with club.unchanged():
            document = 'mutation($id: Int!) { updateNote(id: $id, set: {text: "x"}) { id } deleteNote(id: $id) { id } }'
            assert await club.ok(document, {"id": note}, BEN) == {"updateNote": None, "deleteNote": None}
    async with club.unchanged():
        assert await club.ok("mutation { deleteNote(id: 2) { id } }", viewer=ANN) == {"deleteNote": None}
        found = await club.ok('mutation { deleteNotes(where: {state: {eq: "public"}}) { count } }', viewer=ANN)
        assert found == {"deleteNotes": {"count": 0}}


async def test_a_field_under_no_rule_that_holds_is_refused(club: Api) -> None:
    assert await club.fails('mutation { updateNote(id: 4, set: {text: "x"}) { id } }', viewer=ANN) == FORBIDDEN
    async with club.unchanged():
        document = 'mutation { updateNotes(where: {id: {in: [1, 3, 999]}}, set: {text: "x"}) { count } }'
        assert await club.ok(document, viewer=CAT) == {"updateNotes": {"count": 0}}


async def test_the_row_must_be_readable_in_the_end(club: Api) -> None:
    # Everybody may give away a draft's state, but not so that it vanishes: it stays the author's own.
    document = 'mutation { createClub(input: {name: "Mine"}) { id } }'
    assert await club.fails(document, viewer=ANN) == FORBIDDEN
    # A public note of another, starred, stays readable; a member who leaves the club no longer reads it.
    document = 'mutation { updateMember(id: "%s", set: {clubId: 2}) { id } }'
    assert await club.fails(document % MEMBER_1, viewer=ANN) == FORBIDDEN


# --- no row vouches for itself --------------------------------------------------------


async def test_a_new_member_does_not_vouch_for_itself(club: Api) -> None:
    own = '{clubId: 2, personId: "ben", level: ADMIN}'
    documents = [
        f"mutation {{ createMember(input: {own}) {{ id }} }}",
        f'mutation {{ createMembers(inputs: [{own}, {{clubId: 2, personId: "cat"}}]) {{ count }} }}',
        f"mutation {{ upsertMember(input: {own}, on: club_person) {{ id }} }}",
        f"mutation {{ upsertMembers(inputs: [{own}], on: club_person) {{ count }} }}",
    ]
    for document in documents:
        assert await club.fails(document, viewer=BEN) == FORBIDDEN


async def test_one_new_row_does_not_vouch_for_another(club: Api) -> None:
    document = """mutation { createMembers(inputs: [
      {clubId: 2, personId: "ben", level: ADMIN}, {clubId: 2, personId: "ann"}]) { count } }"""
    assert await club.fails(document, viewer=BEN) == FORBIDDEN
    document = """mutation { createClub(input: {name: "New", members: {create: [
      {personId: "ben", level: ADMIN}, {personId: "ann"}]}}) { id } }"""
    assert await club.fails(document, viewer=BEN) == FORBIDDEN


async def test_a_guest_does_not_promote_itself(club: Api) -> None:
    for document in (
        'mutation { updateMember(id: "%s", set: {level: ADMIN}) { id } }',
        'mutation { upsertMember(input: {clubId: 1, personId: "ben", level: ADMIN}, on: club_person) { id } }',
        'mutation { updateClub(id: 1, set: {members: {update: [{id: "%s", set: {level: ADMIN}}]}}) { id } }',
    ):
        document = document.replace("%s", MEMBER_2)
        before = await club.dump()
        found = await club.run(document, viewer=BEN)
        assert found.get("errors") or found["data"] == {"updateMember": None}, found
        assert await club.dump() == before


async def test_an_admin_of_a_club_may_what_a_guest_may_not(club: Api) -> None:
    document = (
        """mutation {
      createMember(input: {clubId: 1, personId: "cat"}) { level person { name } }
      updateMember(id: "%s", set: {level: ADMIN}) { level }
    }"""
        % MEMBER_2
    )
    assert await club.ok(document, viewer=ANN) == {
        "createMember": {"level": "GUEST", "person": {"name": "Cat"}},
        "updateMember": {"level": "ADMIN"},
    }
    # An admin that steps down does so by the rule as it was before.
    document = 'mutation { updateMember(id: "%s", set: {level: GUEST}) { level } }' % MEMBER_1
    assert await club.ok(document, viewer=ANN) == {"updateMember": {"level": "GUEST"}}


# --- hidden rows ----------------------------------------------------------------------


async def test_a_to_one_leads_to_readable_rows_only(club: Api) -> None:
    errors = []
    for target in (3, 999):
        errors.append(
            await club.fails(f'mutation {{ createNote(input: {{text: "x", clubId: {target}}}) {{ id }} }}', viewer=ANN)
        )
        errors.append(
            await club.fails(f"mutation {{ updateNote(id: 1, set: {{clubId: {target}}}) {{ id }} }}", viewer=ANN)
        )
        errors.append(
            await club.fails(
                f'mutation {{ createNotes(inputs: [{{text: "x", club: {{connect: {{id: 2}}}}}}, {{text: "y", clubId: {target}}}]) {{ count }} }}',
                viewer=ANN,
            )
        )
    paths = [["input"], ["set"], ["inputs", 1]]
    assert [error["extensions"].pop("path") for error in errors] == paths * (len(errors) // 3)
    assert all(error == errors[0] for error in errors)
    assert (code(errors[0]), errors[0]["extensions"]["fields"]) == ("CONSTRAINT_VIOLATION", ["club"])
    given = [
        await club.fails(
            f'mutation {{ createNote(input: {{text: "x", club: {{connect: {{id: {n}}}}}}}) {{ id }} }}', viewer=ANN
        )
        for n in (3, 999)
    ]
    assert given[0] == given[1]


async def test_which_of_two_keys_leads_nowhere_does_not_tell_whether_the_other_is_hidden(club: Api) -> None:
    errors = [
        await club.fails(
            f'mutation {{ createMember(input: {{clubId: {club_id}, personId: "{person}"}}) {{ id }} }}', viewer=ANN
        )
        for club_id in (3, 999)
        for person in ("dan", "nobody")
    ]
    assert all(error == errors[0] for error in errors)


async def test_a_clash_with_a_hidden_row_is_one_with_a_visible_one(club: Api) -> None:
    errors = [
        await club.fails('mutation { createClub(input: {name: "%s"}) { id } }' % name, viewer=BEN)
        for name in ("Chess", "Rowing", "Secret")
    ]
    errors += [
        await club.fails('mutation { upsertClub(input: {name: "%s", open: true}, on: name) { id } }' % name, viewer=BEN)
        for name in ("Rowing", "Secret")
    ]
    assert all(error == errors[0] for error in errors)
    assert (code(errors[0]), errors[0]["extensions"]["fields"]) == ("CONSTRAINT_VIOLATION", ["name"])


async def test_no_row_is_known_by_a_key_that_is_masked_on_it(club: Api) -> None:
    # Ben is visible to Ann, and his secret is not.
    errors = [
        await club.fails(
            'mutation { createMember(input: {clubId: 1, person: {connect: {secret: "%s"}}}) { id } }' % secret,
            viewer=ANN,
        )
        for secret in ("b", "z")
    ]
    assert errors[0] == errors[1]
    document = 'mutation { createMember(input: {clubId: 1, person: {connect: {secret: "a"}}}) { id } }'
    assert code(await club.fails(document, viewer=ANN)) == "CONSTRAINT_VIOLATION"


async def test_a_generated_link_is_written_under_its_field(club: Api) -> None:
    document = 'mutation { updateClub(id: 1, set: {tags: {connect: [{id: "fun"}]}}) { tags { id } } }'
    assert await club.ok(document, viewer=BEN) == {"updateClub": {"tags": [{"id": "fun"}]}}
    document = 'mutation { updateClub(id: 1, set: {tags: {disconnect: [{id: "fun"}]}}) { tags { id } } }'
    assert await club.ok(document, viewer=BEN) == {"updateClub": {"tags": []}}
    errors = [
        await club.fails(
            'mutation { updateClub(id: 1, set: {tags: {connect: [{id: "%s"}]}}) { id } }' % tag, viewer=BEN
        )
        for tag in ("nsfw", "nothing")
    ]
    assert errors[0] == errors[1]
    # Open to read is not open to write.
    document = 'mutation { updateClub(id: 2, set: {tags: {connect: [{id: "fun"}]}}) { tags { id } } }'
    async with club.unchanged():
        assert await club.ok(document, viewer=BEN) == {"updateClub": None}


async def test_a_link_with_no_rules_of_its_own_that_is_declared_is_not_written(club: Api) -> None:
    type_ = (await club.engine.role(ANN)).schema.type_map["PersonSetInput"]
    assert isinstance(type_, GraphQLInputObjectType)
    assert "clubs" not in type_.fields


# --- guards and presets ---------------------------------------------------------------


async def test_guards_bind_rules_and_where_they_say_so_an_admin(club: Api) -> None:
    async with club.unchanged():
        document = 'mutation { updateNote(id: 5, set: {text: "x"}) { id } }'
        assert await club.ok(document, viewer=ANN) == {"updateNote": None}
        assert await club.ok(document) == {"updateNote": None}
    assert await club.fails('mutation { updateNote(id: 1, set: {text: "spam"}) { id } }', viewer=ANN) == FORBIDDEN
    assert await club.fails('mutation { createNote(input: {text: "spam"}) { id } }', viewer=ANN) == FORBIDDEN
    document = 'mutation { updateNote(id: 1, set: {text: "spam", frozen: true}) { text frozen } }'
    assert await club.ok(document) == {"updateNote": {"text": "spam", "frozen": True}}


async def test_presets_fill_what_no_input_has(club: Api) -> None:
    document = 'mutation { createNote(input: {text: "Hello", state: "draft"}) { authorId slug labels version } }'
    filled = {"authorId": "ann", "slug": "hello-draft", "labels": ["new"], "version": 1}
    assert await club.ok(document, viewer=ANN) == {"createNote": filled}
    # By SQL it is over the row as it is then.
    document = 'mutation { updateNote(id: 1, set: {text: "Bye"}) { slug version } }'
    assert await club.ok(document, viewer=ANN) == {"updateNote": {"slug": "bye-draft", "version": 2}}
    # A default counts too.
    document = 'mutation { createNote(input: {text: "Hi"}) { slug } }'
    assert await club.ok(document, viewer=ANN) == {"createNote": {"slug": "hi-draft"}}
    for viewer, has_them in ((ANN, False), (Viewer.admin(), True)):
        schema = (await club.engine.role(viewer)).schema
        for name in ("NoteCreateInput", "NoteSetInput"):
            type_ = schema.type_map[name]
            assert isinstance(type_, GraphQLInputObjectType)
            assert all((field in type_.fields) is has_them for field in ("authorId", "author", "slug", "labels"))


async def test_an_admin_is_bound_by_no_preset(club: Api) -> None:
    document = """mutation { createNote(input: {text: "A", authorId: "ben", slug: "mine", labels: []}) { id authorId slug labels }
      updateNote(id: 1, set: {slug: "other"}) { slug } }"""
    found = await club.ok(document)
    assert found["createNote"] == {"id": 101, "authorId": "ben", "slug": "mine", "labels": []}
    assert found["updateNote"] == {"slug": "other"}


async def test_who_lacks_the_claim_of_a_preset_creates_nothing(club: Api) -> None:
    assert await club.fails('mutation { createNote(input: {text: "x"}) { id } }', viewer=user(None)) == FORBIDDEN


@pytest.mark.parametrize(
    "document", ['createNote(input: {text: "x"}) { id }', 'upsertNote(input: {id: 77, text: "x"}, on: id) { id }']
)
async def test_an_admin_without_the_claim_of_a_preset_is_told_how_to_give_the_value(club: Api, document: str) -> None:
    error = await club.fails(f"mutation {{ {document} }}")
    told = error["extensions"]
    assert (told["code"], told["kind"], told["fields"]) == ("CONSTRAINT_VIOLATION", "REQUIRED", ["authorId"])
    assert told["hint"] == (
        "Its @preset needs the claim sub. Give authorId in the input, or act as a viewer who has the claim:"
        " X-Clew-Role and X-Clew-Claims."
    )
    assert await club.ok('mutation { createNote(input: {text: "x", authorId: "ben"}) { authorId } }')


# --- fields and claims ----------------------------------------------------------------


async def test_a_field_with_rules_of_its_own(club: Api) -> None:
    document = 'mutation { updatePerson(id: "ann", set: {secret: "new", motto: "m"}) { secret motto } }'
    assert await club.ok(document, viewer=ANN) == {"updatePerson": {"secret": "new", "motto": "m"}}
    async with club.unchanged():
        assert await club.ok(document, viewer=BEN) == {"updatePerson": None}


async def test_what_no_rule_opens_is_unknown_to_the_byte(club: Api) -> None:
    document = 'mutation { updatePerson(id: "ann", set: {%s: true}) { id } }'
    errors = [await club.fails(document % name, viewer=ANN) for name in ("hiding", "nothin")]
    assert str(errors[0]).replace("hiding", "nothin") == str(errors[1])
    for field in ("createPerson(input: {})", "createNothing(input: {})", "deleteTag(id: 1)"):
        error = await club.fails(f"mutation {{ {field} {{ id }} }}", viewer=ANN)
        assert error["message"] == f"Cannot query field '{field.split('(')[0]}' on type 'Mutation'."


async def test_ids_are_given_where_a_rule_names_them(club: Api) -> None:
    document = 'mutation { createNote(input: {id: 7, text: "x"}) { id } }'
    assert await club.ok(document, viewer=ANN) == {"createNote": {"id": 7}}
    type_ = (await club.engine.role(ANN)).schema.type_map["ClubCreateInput"]
    assert isinstance(type_, GraphQLInputObjectType)
    assert "id" not in type_.fields


@pytest.mark.parametrize(
    ("claims", "count"),
    [
        ({"clubs": [1]}, 1),
        ({"clubs": []}, 0),
        ({"clubs": None}, 0),
        ({}, 0),
        ({"clubs": ["x"]}, 0),
        ({"clubs": "1"}, 1),
    ],
)
async def test_a_rule_without_its_claim_is_dropped(claims: dict[str, Any], count: int, club: Api) -> None:
    # Cat is no author, and sees Ben's draft by no rule: only what is public counts.
    await club.sql("UPDATE notes SET state = 'public' WHERE id = 3")
    document = 'mutation { updateNotes(where: {id: {in: [1, 3]}}, set: {text: "r"}) { count } }'
    if count:
        assert await club.ok(document, viewer=user("cat", "reviewer", **claims)) == {"updateNotes": {"count": 1}}
    else:
        # It is starred by everybody: the row is there, its text is not for Cat.
        assert await club.fails(document, viewer=user("cat", "reviewer", **claims)) == FORBIDDEN


async def test_a_stale_version_is_a_conflict(club: Api) -> None:
    document = 'mutation($v: Int) { updateNote(id: 1, set: {text: "x"}, ifVersion: $v) { version } }'
    assert await club.ok(document, {"v": 1}, ANN) == {"updateNote": {"version": 2}}
    error = await club.fails(document, {"v": 1}, ANN)
    assert code(error) == "CONFLICT"
    # There is no version of a hidden row.
    async with club.unchanged():
        assert await club.ok(document, {"v": 77}, BEN) == {"updateNote": None}


async def test_a_rule_of_a_field_opens_no_row_for_deletion(club: Api) -> None:
    # Clerks hold everything on one field of people, and nothing on people.
    clerk = user("ann", "clerk")
    error = await club.fails('mutation { deletePerson(id: "ben") { id } }', viewer=clerk)
    assert code(error) == "GRAPHQL_VALIDATION_FAILED"
    async with club.unchanged():
        document = 'mutation { updatePerson(id: "ben", set: {hiding: true}) { id } }'
        assert await club.ok(document, viewer=clerk) == {"updatePerson": None}


async def test_a_constraint_tells_no_name_that_the_schema_does_not_have(club: Api) -> None:
    document = 'mutation { createReport(input: {title: "x"}) { id } }'
    await club.ok(document)
    for viewer, fields in ((Viewer.admin(), ["owner", "title"]), (ANN, ["title"])):
        error = await club.fails(document, viewer=viewer)
        assert (code(error), error["extensions"]["fields"]) == ("CONSTRAINT_VIOLATION", fields)
