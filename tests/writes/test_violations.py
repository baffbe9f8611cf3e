"""What the error of a violated constraint tells: docs/writes.md, "Errors"."""

# ruff: noqa: E501 (GraphQL on its lines)

from __future__ import annotations

from typing import Any

import pytest

from clew import Viewer
from clew.writes.types import Draft
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

SDL = """
type Course @table
  @allow(role: user, to: ALL, fields: [id, title, slug, sections, quizzes, tags, seats])
  @check(sql: "seats < 1000", message: "A course has less than 1,000 seats.") {
  id: Int! @id
  title: String!
  slug: String @unique(message: "The slug is taken.")
  seats: Int! @default(value: 1)
  owner: String! @default(value: "system")
  sections: [Section!]!
  quizzes: [Quiz!]!
  tags: [Tag!]! @relation(through: "CourseTag")
}

type Section @table @unique(fields: [course, place])
  @allow(role: user, to: ALL, fields: [id, course, place, quiz, title]) {
  id: Int! @id
  course: Course! @relation(onDelete: CASCADE)
  place: Int @check(sql: "place > 0", message: "Places count from 1.")
  title: String! @default(value: "x")
  quiz: Quiz @relation(message: "There is no such quiz.")
}

type Quiz @table(plural: "quizzes") @allow(role: user, to: ALL, where: {open: true}, fields: [id, open, course]) {
  id: Int! @id
  open: Boolean! @default(value: true)
  course: Course
}

type Tag @table @allow(role: user, to: ALL, fields: [id, courses]) {
  id: String! @id
  courses: [Course!]! @relation(through: "CourseTag")
}

type Secret @table {
  id: Int! @id
  course: Course!
}
"""
ROWS = """
INSERT INTO courses (id, title, slug) VALUES (1, 'One', 'one'), (2, 'Two', 'two'), (3, 'Three', 'three');
INSERT INTO quizzes (id, open) VALUES (1, true), (2, false);
INSERT INTO sections (id, course_id, place) VALUES (1, 1, 1), (2, 1, 2);
INSERT INTO tags (id) VALUES ('a');
INSERT INTO secrets (id, course_id) VALUES (1, 3);
SELECT setval(pg_get_serial_sequence(name, 'id'), 100) FROM unnest(ARRAY['courses', 'quizzes', 'sections']) AS name
"""
USER = Viewer("1", frozenset({"user"}))
VIOLATED = "A database constraint was violated."

CASES: list[tuple[str, str, dict[str, Any]]] = [
    (
        'createCourse(input: {title: "x", slug: "one"}) { id }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["input"]},
    ),
    (
        'createCourses(inputs: [{title: "x", slug: "a"}, {title: "y", slug: "b"}, {slug: "two", title: ""}]) { count }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["inputs", 2]},
    ),
    # Two of one list.
    (
        'createCourses(inputs: [{title: "x", slug: "a"}, {title: "y", slug: "b"}, {title: "z", slug: "a"}]) { count }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["inputs", 2]},
    ),
    (
        'updateCourse(id: 1, set: {slug: "two"}) { id }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["set"]},
    ),
    (
        'updateManyCourses(updates: [{id: 2, set: {title: "x"}}, {id: 1, set: {slug: "two"}}]) { count }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["updates", 1, "set"]},
    ),
    (
        'upsertCourse(on: id, input: {id: 9, title: "x", slug: "two"}) { id }',
        "The slug is taken.",
        {"kind": "UNIQUE", "entity": "Course", "fields": ["slug"], "path": ["input"]},
    ),
    (
        "updateCourse(id: 2, set: {sections: {create: [{place: 1}, {place: 2}, {place: 1}]}}) { id }",
        VIOLATED,
        {
            "kind": "UNIQUE",
            "entity": "Section",
            "fields": ["courseId", "place"],
            "path": ["set", "sections", "create", 2],
        },
    ),
    (
        "updateCourse(id: 2, set: {sections: {create: [{place: 1}, {place: 0}]}}) { id }",
        "Places count from 1.",
        {"kind": "CHECK", "entity": "Section", "fields": ["place"], "path": ["set", "sections", "create", 1]},
    ),
    (
        "updateCourse(id: 1, set: {sections: {update: [{id: 1, set: {place: 5}}, {id: 2, set: {place: -1}}]}}) { id }",
        "Places count from 1.",
        {"kind": "CHECK", "entity": "Section", "fields": ["place"], "path": ["set", "sections", "update", 1, "set"]},
    ),
    (
        'createCourse(input: {title: "x", seats: 1000}) { id }',
        "A course has less than 1,000 seats.",
        {"kind": "CHECK", "entity": "Course", "fields": ["seats"], "path": ["input"]},
    ),
    *(
        (
            f"updateCourse(id: 2, set: {{sections: {{create: [{{place: 1}}, {{quizId: {quiz}}}]}}}}) {{ id }}",
            "There is no such quiz.",
            {"kind": "REFERENCE", "entity": "Section", "fields": ["quiz"], "path": ["set", "sections", "create", 1]},
        )
        for quiz in (2, 77)
    ),
    (
        "createSection(input: {courseId: 88}) { id }",
        "`course` leads to no row.",
        {"kind": "REFERENCE", "entity": "Section", "fields": ["course"], "path": ["input"]},
    ),
    # Nothing tells of rows that stand in the way.
    ("deleteCourse(id: 3) { id }", VIOLATED, {"kind": "REFERENCE"}),
]


@pytest.fixture
async def api(prepared_url: str) -> Any:
    async with api_of(prepared_url, SDL, ROWS) as found:
        yield found


@pytest.mark.parametrize(("field", "message", "told"), CASES)
async def test_an_error_tells_its_kind_its_place_and_its_message(
    api: Api, field: str, message: str, told: dict[str, Any]
) -> None:
    error = await api.fails(f"mutation {{ {field} }}", viewer=USER)
    assert error == {"message": message, "extensions": {**told, "code": "CONSTRAINT_VIOLATION"}}


async def test_a_value_that_is_missing_is_required(api: Api) -> None:
    await api.sql("ALTER TABLE sections ALTER title DROP DEFAULT")
    error = await api.fails(
        'mutation { updateCourse(id: 2, set: {sections: {create: [{place: 1, title: "a"}, {place: 2}]}}) { id } }',
        viewer=USER,
    )
    told = {"kind": "REQUIRED", "entity": "Section", "fields": ["title"], "path": ["set", "sections", "create", 1]}
    assert error["extensions"] == {**told, "code": "CONSTRAINT_VIOLATION"}


async def test_a_constraint_of_ones_own_has_its_kind(api: Api) -> None:
    await api.sql("ALTER TABLE courses ADD EXCLUDE (title WITH =)")
    error = await api.fails('mutation { createCourse(input: {title: "One"}) { id } }', viewer=USER)
    assert error["extensions"] == {"kind": "EXCLUSION", "path": ["input"], "code": "CONSTRAINT_VIOLATION"}


async def test_an_upsert_of_a_row_that_is_hidden_is_told_as_one_that_is_taken(api: Api) -> None:
    errors = [
        await api.fails(
            f"mutation {{ upsertQuizzes(on: id, inputs: [{{id: 1}}, {{id: {n}}}]) {{ count }} }}", viewer=USER
        )
        for n in (2,)
    ]
    told = {"kind": "UNIQUE", "entity": "Quiz", "fields": ["id"], "path": ["inputs", 1]}
    assert errors[0]["extensions"] == {**told, "code": "CONSTRAINT_VIOLATION"}


async def test_the_first_row_at_fault_of_many_is_found(api: Api) -> None:
    inputs = [{"title": str(n), "slug": f"s{n}"} for n in range(1000)]
    inputs[777]["slug"] = inputs[900]["slug"] = "one"
    document = "mutation ($inputs: [CourseCreateInput!]!) { createCourses(inputs: $inputs) { count } }"
    error = await api.fails(document, {"inputs": inputs}, viewer=USER)
    assert error["extensions"]["path"] == ["inputs", 777]


def test_the_path_of_a_row() -> None:
    assert Draft("set.sections.create.2").path == ("set", "sections", "create", 2)
    assert (Draft("", "set.").path, Draft("updates.1", "set.").path) == (("set",), ("updates", 1, "set"))


LINKS = """
type Post @table @allow(role: user, to: ALL, fields: [id, labels, marks]) {
  id: Int! @id
  labels: [Label!]! @relation(through: "Labelling")
  marks: [Mark!]! @relation(through: "Marking")
}
type Label @table @allow(role: user, to: ALL, fields: [id]) { id: Int! @id }
type Mark @table @allow(role: user, to: ALL, fields: [id]) { id: Int! @id }
type Labelling @table @allow(role: user, to: ALL) { post: Post! @id label: Label! @id }
type Marking @table @unique(fields: [post, mark], message: "Marked already.") @allow(role: user, to: ALL) {
  id: Int! @id
  post: Post!
  mark: Mark!
  note: String!
}
"""
LINK_ROWS = """INSERT INTO posts (id) VALUES (1), (2); INSERT INTO labels (id) VALUES (1); INSERT INTO marks (id) VALUES (1);
INSERT INTO labellings (post_id, label_id) VALUES (1, 1); INSERT INTO markings (post_id, mark_id, note) VALUES (1, 1, '')
"""


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (
            "createLabelling(input: {postId: 1, labelId: 1}) { postId }",
            {"kind": "UNIQUE", "entity": "Labelling", "fields": ["postId", "labelId"], "path": ["input"]},
        ),
        (
            "createLabelling(input: {postId: 1, labelId: 9}) { postId }",
            {"kind": "REFERENCE", "entity": "Labelling", "fields": ["label"], "path": ["input"]},
        ),
        (
            'createMarking(input: {postId: 1, markId: 1, note: "x"}) { id }',
            {"kind": "UNIQUE", "entity": "Marking", "fields": ["postId", "markId"], "path": ["input"]},
        ),
        # A link that Clew makes lacks what only the link itself could be given.
        (
            "updatePost(id: 2, set: {labels: {connect: [{id: 1}]}, marks: {connect: [{id: 1}]}}) { id }",
            {"kind": "REQUIRED", "entity": "Marking", "fields": ["note"], "path": ["set", "marks", "connect", 0]},
        ),
        (
            "updatePost(id: 2, set: {marks: {create: [{id: 1}]}}) { id }",
            {"kind": "UNIQUE", "entity": "Mark", "fields": ["id"], "path": ["set", "marks", "create", 0]},
        ),
    ],
)
async def test_the_error_of_a_link_names_the_links_own_fields(
    field: str, told: dict[str, Any], prepared_url: str
) -> None:
    async with api_of(prepared_url, LINKS, LINK_ROWS) as api:
        for viewer in (USER, Viewer.admin()):
            error = await api.fails(f"mutation {{ {field} }}", viewer=viewer)
            assert error["extensions"] == {**told, "code": "CONSTRAINT_VIOLATION"}
            fields = api.engine.model.entity(told["entity"])
            assert fields.relation(told["fields"][0]) or fields.column(told["fields"][0])


GRADES = """
type Pupil @table @allow(role: user, where: {teacher: "$auth.sub"}) { id: Int! @id teacher: String! }

type Grade @table @unique(fields: [pupil, course], message: "There is a grade already.")
  @allow(role: user, where: {by: "$auth.sub"})
  @allow(role: user, to: [CREATE, UPDATE], fields: [id, pupil, course, by, mark, notes],
    where: {}, check: {
      by: "$auth.sub", or: [{mark: {lte: 6}}, {pupil: {teacher: "chief"}}], notes: {none: {text: {eq: "x"}}}
    }) {
  id: Int! @id
  pupil: Pupil!
  course: String!
  by: String! @default(value: "ben")
  mark: Int! @default(value: 1)
  code: String! @column(type: "varchar(3)") @default(value: "a")
  notes: [Note!]!
}

type Note @table @allow(role: user, to: ALL) { id: Int! @id grade: Grade text: String }
"""
GRADE_ROWS = """
INSERT INTO pupils (id, teacher) VALUES (1, 'ann'), (2, 'ben'), (3, 'ann');
INSERT INTO grades (id, pupil_id, course, by) VALUES (1, 1, 'art', 'ben'), (2, 1, 'golf', 'ann'), (3, 3, 'art', 'ann');
SELECT setval(pg_get_serial_sequence('grades', 'id'), 100)
"""
ANN = Viewer("ann", frozenset({"user"}), {"sub": "ann"})


@pytest.mark.parametrize(
    ("field", "told"),
    [
        # A grade of another's that is there, and one that is not: no rule could hold.
        ('createGrade(input: {pupilId: 1, course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        ('createGrade(input: {pupilId: 1, course: "new", by: "ben"}) { id }', "FORBIDDEN"),
        ('createGrade(input: {pupilId: 1, course: "art", by: "ann", mark: 7}) { id }', "FORBIDDEN"),
        ('createGrade(input: {pupilId: 1, course: "new", by: "ann", mark: 7}) { id }', "FORBIDDEN"),
        # A pupil that is hidden, and one that is not there.
        ('createGrade(input: {pupilId: 2, course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        ('createGrade(input: {pupilId: 9, course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        ('createGrade(input: {id: 1, pupilId: 3, course: "new", by: "ben"}) { id }', "FORBIDDEN"),
        (
            'createGrades(inputs: [{pupilId: 3, course: "", by: "ann"}, {pupilId: 1, course: "art"}]) { count }',
            "FORBIDDEN",
        ),
        ('updateGrade(id: 2, set: {course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        ('updateGrade(id: 2, set: {course: "new", by: "ben"}) { id }', "FORBIDDEN"),
        ('upsertGrade(on: id, input: {id: 9, pupilId: 1, course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        ('upsertGrade(on: id, input: {id: 1, pupilId: 1, course: "art", by: "ben"}) { id }', "FORBIDDEN"),
        # One that the rules could allow.
        ('createGrade(input: {pupilId: 1, course: "art", by: "ann"}) { id }', "CONSTRAINT_VIOLATION"),
        ('createGrade(input: {pupilId: 2, course: "art", by: "ann"}) { id }', "CONSTRAINT_VIOLATION"),
        ('updateGrade(id: 2, set: {course: "art"}) { id }', "CONSTRAINT_VIOLATION"),
        ('upsertGrade(on: id, input: {id: 1, pupilId: 1, course: "x", by: "ann"}) { id }', "CONSTRAINT_VIOLATION"),
        (
            'createGrade(input: {pupilId: 1, course: "art", by: "ann", notes: {create: [{text: "y"}]}}) { id }',
            "CONSTRAINT_VIOLATION",
        ),
    ],
)
async def test_what_no_rule_could_allow_is_forbidden_before_any_constraint(
    field: str, told: str, prepared_url: str
) -> None:
    async with api_of(prepared_url, GRADES, GRADE_ROWS) as api:
        error = await api.fails(f"mutation {{ {field} }}", viewer=ANN)
        assert error["extensions"]["code"] == told
        if told == "FORBIDDEN":
            assert error["extensions"] == {"code": "FORBIDDEN"}


ITEMS = """
type Item @table @unique(fields: [owner, slug]%s)
  @allow(role: user, to: [READ, CREATE, UPDATE], where: {owner: "$auth.sub"}, fields: [id, owner, slug, size, parent, kids])
  @allow(role: user, to: DELETE, where: {owner: "$auth.sub"}) {
  id: Int! @id
  owner: String! %s
  slug: String!
  size: Int! @default(value: 0)
  parent: Item
  kids: [Item!]! @relation(from: "parent")
}
type Box @table(plural: "boxes") @allow(role: user, to: ALL, fields: [id, text]) { id: Int! @id text: String @unique }
"""
ITEM_ROWS = """INSERT INTO items (id, owner, slug, size, parent_id) VALUES
  (1, 'ann', 'a', 2147483647, NULL), (2, 'ben', 'secret', 0, NULL), (3, 'ann', 'c', 0, 1);
  INSERT INTO boxes (id, text) VALUES (1, 'x'), (2, 'y')"""
FORTY = ", ".join(f'{{id: {n}, owner: "ann", slug: "s{n}"}}' for n in range(40, 80))
# In place of ~ stands a slug that a hidden row has, or one that is free.
DECOYS = [
    'createItems(inputs: [{id: 9, owner: "ben", slug: "~"}, {id: 1, owner: "ann", slug: "zz"}]) { count }',
    'updateItem(id: 1, set: {kids: {create: [{id: 9, owner: "ben", slug: "~"}, {id: 1, owner: "ann", slug: "q"}]}}) { id }',
    'createItem(input: {id: 1, owner: "ann", slug: "q", parent: {create: {id: 9, owner: "ben", slug: "~"}}}) { id }',
    'updateItem(id: 1, set: {owner: "ben", slug: "~", kids: {update: [{id: 3, inc: {size: 2147483647}}]}}) { id }',
    'updateItem(id: 1, set: {owner: "ben", slug: "~"}, inc: {size: 1}) { id }',
    'upsertItem(on: id, input: {id: 1, owner: "ben", slug: "~"}) { id }',
    'upsertItem(on: id, input: {id: 9, owner: "ben", slug: "~"}) { id }',
    'upsertItem(on: id, input: {id: 1, owner: "ann", slug: "a", kids: {create: [{id: 9, owner: "ben", slug: "~"}]}}) { id }',
    f'createItems(inputs: [{FORTY}, {{id: 99, owner: "ben", slug: "~", parentId: 1}}]) {{ count }}',
    'updateItem(id: 1, set: {kids: {create: [{id: 9, owner: "ben", slug: "~"}]}}) { id }',
]


@pytest.mark.parametrize("field", DECOYS)
@pytest.mark.parametrize("taken", ["secret", "free"])
@pytest.mark.parametrize(
    "kind", ["", "deferrable", "varchar(40)", "char(4)"], ids=["plain", "deferrable", "varchar", "char"]
)
async def test_no_other_fault_tells_that_a_key_is_taken(field: str, taken: str, kind: str, prepared_url: str) -> None:
    deferrable = ", deferrable: true" if kind == "deferrable" else ""
    sdl = ITEMS % (deferrable, f'@column(type: "{kind}")' if "char" in kind else "")
    async with api_of(prepared_url, sdl, ITEM_ROWS) as api:
        error = await api.fails(f"mutation {{ {field.replace('~', taken)} }}", viewer=ANN)
        assert error["extensions"] == {"code": "FORBIDDEN"}


DOCS = """
type Doc @table @allow(role: user, where: {owner: "$auth.sub"}) { id: Int! @id owner: String! open: Boolean! comments: [Comment!]! }
type Comment @table @allow(role: user)
  @allow(role: user, to: CREATE, where: {doc: {open: true}}, fields: [doc, parent, text]) {
  id: Int! @id
  doc: Doc!
  parent: Comment
  text: String!
}
"""
DOC_ROWS = """INSERT INTO docs (id, owner, open) VALUES (1, 'ann', true), (2, 'ben', true), (3, 'ben', false);
  INSERT INTO comments (doc_id, text) VALUES (1, 'x')"""


@pytest.mark.parametrize("doc", [2, 3, 4])
@pytest.mark.parametrize("before", ["", '{docId: 1, text: "a", parentId: 1}, '])
async def test_a_to_one_to_a_hidden_row_tells_nothing_of_it(doc: int, before: str, prepared_url: str) -> None:
    async with api_of(prepared_url, DOCS, DOC_ROWS) as api:
        document = f'mutation {{ createComments(inputs: [{before}{{docId: {doc}, text: "a"}}]) {{ count }} }}'
        error = await api.fails(document, viewer=ANN)
        assert (error["extensions"]["code"], error["extensions"]["kind"]) == ("CONSTRAINT_VIOLATION", "REFERENCE")


MEMBERS = """
type Team @table @allow(role: user) { id: Int! @id members: [Member!]! }
type Member @table @allow(role: user, where: {sub: "$auth.sub"})
  @allow(role: user, where: {team: {members: {some: {sub: "$auth.sub", owner: true}}}})
  @allow(role: user, to: CREATE, where: {team: {members: {some: {sub: "$auth.sub", owner: true}}}}) {
  team: Team! @id
  sub: String! @id
  owner: Boolean! @default(value: false)
}
"""
MEMBER_ROWS = """INSERT INTO teams (id) VALUES (1), (2);
  INSERT INTO members (team_id, sub, owner) VALUES (1, 'ann', true), (2, 'ben', true)"""


@pytest.mark.parametrize("sub", ["ben", "eva"])
@pytest.mark.parametrize("before", ["", '{teamId: 1, sub: "gil"}, '])
async def test_a_rule_that_asks_its_own_entity_is_judged_before_a_key(sub: str, before: str, prepared_url: str) -> None:
    async with api_of(prepared_url, MEMBERS, MEMBER_ROWS) as api:
        document = f'mutation {{ createMembers(inputs: [{before}{{teamId: 2, sub: "{sub}"}}]) {{ count }} }}'
        error = await api.fails(document, viewer=ANN)
        assert error["extensions"] == {"code": "FORBIDDEN"}


async def test_a_trigger_that_makes_a_row_allowed_is_no_refusal(prepared_url: str) -> None:
    trigger = """CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner := 'ann'; RETURN NEW; END $$;
      CREATE TRIGGER own BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION own()"""
    async with api_of(prepared_url, ITEMS % ("", ""), f"{ITEM_ROWS}; {trigger}") as api:
        await api.ok('mutation { createItem(input: {id: 9, owner: "ben", slug: "z"}) { id } }', viewer=ANN)


async def test_the_message_about_a_hidden_field_is_not_told(prepared_url: str) -> None:
    sdl = """type Item @table @allow(role: user, to: ALL, fields: [id]) {
      id: Int! @id
      secret: Int @default(value: 5) @unique(message: "Secret 5 is taken.")
    }"""
    async with api_of(prepared_url, sdl, "INSERT INTO items (id) VALUES (1)") as api:
        error = await api.fails("mutation { createItem(input: {id: 2}) { id } }", viewer=ANN)
        assert error["message"] == VIOLATED
        error = await api.fails("mutation { createItem(input: {id: 2}) { id } }")
        assert error["message"] == "Secret 5 is taken."
