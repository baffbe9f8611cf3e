"""Writes under rules that ask of other entities, on the club with what `club/elsewhere.graphql` adds to it.

Ann teaches course 1 and Cat course 2, Ben is a pupil, Gil has left. Ann's pass alone is valid.
"""

# ruff: noqa: E501 (GraphQL on its lines)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clew.errors import Code
from tests.attacks.attack import Alike, Expectation, Gives, Refused
from tests.attacks.viewers import BAD_INPUT

FORBIDDEN = Refused((Code.FORBIDDEN,))

Changes = Mapping[str, Mapping[str, Any]]


def _written(field: str, *keys: int, **changed: Mapping[str, Any]) -> tuple[Expectation, Changes]:
    """The field gives the row, and changes these rows: `Pass_1`."""
    return Gives({field: {"id": keys[0]}}), {name.replace("_", " "): row for name, row in changed.items()}


WRITES_ELSEWHERE: tuple[tuple[str, str, Expectation] | tuple[str, str, Expectation, Changes], ...] = (
    # Who has no such row makes none.
    *(
        (who, f'createEnrolment(input: {{id: 9, student: "{name}", part: TEACHER, course: 1}}) {{ id }}', FORBIDDEN)
        for who, name in (("ben", "ben"), ("gil", "gil"), ("nobody", "ben"), ("empty", ""))
    ),
    (
        "ben",
        'createEnrolments(inputs: [{id: 9, student: "ben", part: TEACHER, course: 1}, {id: 10, student: "ben", part: PUPIL, course: 1}]) { count }',
        FORBIDDEN,
    ),
    (
        "ben",
        'upsertEnrolment(input: {id: 9, student: "ben", part: TEACHER, course: 1}, on: id) { id }',
        FORBIDDEN,
    ),
    (
        "ann",
        'createEnrolment(input: {id: 9, student: "fay", part: TEACHER, course: 1}) { id }',
        *_written(
            "createEnrolment",
            9,
            Enrolment_9={"id": 9, "student": "fay", "part": "TEACHER", "course": 1, "deleted_at": None},
        ),
    ),
    # A row is not its own proof, nor is one that is written before it and not allowed; what was true before is one.
    ("ben", "updateEnrolment(id: 2, set: {part: TEACHER}) { id }", FORBIDDEN),
    ("ben", 'upsertEnrolment(input: {id: 2, student: "ben", part: TEACHER, course: 1}, on: id) { id }', FORBIDDEN),
    ("ben", "updateEnrolments(where: {}, all: true, set: {part: TEACHER}) { count }", FORBIDDEN),
    (
        "ann",
        "updateEnrolment(id: 1, set: {part: PUPIL}) { id }",
        *_written("updateEnrolment", 1, Enrolment_1={"part": "PUPIL"}),
    ),
    # What a root field takes away the next one has not.
    (
        "ann",
        "one: updateEnrolment(id: 1, set: {part: PUPIL}) { id } two: updateEnrolment(id: 2, set: {course: 2}) { id }",
        Gives({"one": {"id": 1}, "two": None}),
        {"Enrolment 1": {"part": "PUPIL"}},
    ),
    (
        "ann",
        "updateManyEnrolments(updates: [{id: 1, set: {part: PUPIL}}, {id: 2, set: {course: 2}}]) { count }",
        Gives({"updateManyEnrolments": {"count": 1}}),
        {"Enrolment 1": {"part": "PUPIL"}},
    ),
    ("ben", "deleteEnrolment(id: ~) { id }", Alike(("1", "2", "3", "99"), Gives({"deleteEnrolment": None}))),
    ("gil", "deleteEnrolments(where: {}, all: true) { count }", Gives({"deleteEnrolments": {"count": 0}})),
    # Before.
    *((who, 'updateLesson(id: 1, set: {plan: "x"}) { id }', FORBIDDEN) for who in ("ben", "gil", "nobody", "empty")),
    ("ben", "updateLesson(id: ~, inc: {hours: 1}) { id }", Alike(("1", "2"), FORBIDDEN)),
    ("ann", 'updateLesson(id: 3, set: {plan: "x"}) { id }', *_written("updateLesson", 3, Lesson_3={"plan": "x"})),
    # Of the row's own course, before and after.
    ("ann", 'updateLesson(id: 1, set: {title: "x"}) { id }', *_written("updateLesson", 1, Lesson_1={"title": "x"})),
    ("ann", 'updateLesson(id: 2, set: {title: "x"}) { id }', FORBIDDEN),
    ("ann", "updateLesson(id: 1, set: {course: 2}) { id }", FORBIDDEN),
    ("ann", "updateLesson(id: 2, set: {course: 1}) { id }", FORBIDDEN),
    # DELETE, with a guard for everybody.
    ("ben", "deleteLesson(id: ~) { id }", Alike(("1", "99"), Gives({"deleteLesson": None}))),
    ("ann", "deleteLesson(id: 1) { id }", Gives({"deleteLesson": {"id": 1}}), {"Lesson 1": {}}),
    *(
        (
            who,
            "createRecess(input: {id: 1}) { id } deleteLesson(id: 1) { id }",
            Gives({"createRecess": {"id": 1}, "deleteLesson": None}),
            {"Recess 1": {"id": 1}},
        )
        for who in ("warden", "admin")
    ),
    # A row's links are read as they were, here and beyond a relation.
    ("ben", 'updateLesson(id: 3, set: {topic: "x", drills: {connect: [{id: 1}]}}) { id }', FORBIDDEN),
    ("ben", 'updateLesson(id: 2, set: {topic: "x"}) { id }', *_written("updateLesson", 2, Lesson_2={"topic": "x"})),
    (
        "ben",
        'updateLesson(id: 2, set: {topic: "x", drills: {connect: [{id: 2}], disconnect: [{id: 1}]}}) { id }',
        Gives({"updateLesson": {"id": 2}}),
        {
            "Lesson 2": {"topic": "x"},
            "LessonDrill 1 2": {},
            "LessonDrill 2 2": {"lesson_id": 2, "drill_id": 2},
        },
    ),
    ("ben", 'updatePass(id: 2, set: {text: "x", zones: {connect: [{id: 1}]}}) { id }', FORBIDDEN),
    (
        "ann",
        'updatePass(id: 2, set: {text: "x", zones: {connect: [{id: 1}]}}) { id }',
        Gives({"updatePass": {"id": 2}}),
        {"Pass 2": {"text": "x"}, "PassZone 2 1": {"pass_id": 2, "zone_id": 1}},
    ),
    # By the entity itself, and by a view of it.
    ("ben", "updatePass(id: 2, set: {valid: true}) { id }", FORBIDDEN),
    ("ben", 'createPass(input: {id: 9, holder: "ben", valid: true}) { id }', FORBIDDEN),
    ("ben", 'updatePass(id: 2, set: {valid: true, note: "x"}) { id }', FORBIDDEN),
    (
        "ben",
        "updateManyPasses(updates: [{id: 2, set: {valid: true}}, {id: 3, set: {valid: true}}]) { count }",
        FORBIDDEN,
    ),
    (
        "ben",
        'createPasses(inputs: [{id: 8, holder: "ben", valid: true}, {id: 9, holder: "ben", valid: true}]) { count }',
        FORBIDDEN,
    ),
    (
        "ann",
        'updatePass(id: 1, set: {valid: false, note: "x"}) { id }',
        *_written("updatePass", 1, Pass_1={"valid": False, "note": "x"}),
    ),
    # Two rows do not prove each other; one that is allowed without the other does.
    (
        "ben",
        'createAssignment(input: {id: 1, owner: "ben", grants: {create: [{id: 1, owner: "ben"}]}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'createGrant(input: {id: 1, owner: "ben", assignment: {create: {id: 1, owner: "ben"}}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'createAssignment(input: {id: 1, owner: "ben", grants: {create: [{id: 1, owner: "ben"}]}, approvals: {create: [{id: 1, owner: "ben"}]}}) { id }',
        *_written(
            "createAssignment",
            1,
            Assignment_1={"id": 1, "owner": "ben"},
            Grant_1={"id": 1, "owner": "ben", "assignment_id": 1},
            Approval_1={"id": 1, "owner": "ben", "assignment_id": 1},
        ),
    ),
    # Nor do a row and a link of its own that has rules.
    ("ben", 'updateTroupe(id: 1, set: {title: "ben", actors: {connect: [{id: "ben"}]}}) { id }', FORBIDDEN),
    (
        "ann",
        'updateTroupe(id: 1, set: {title: "ann"}) { id }',
        *_written("updateTroupe", 1, Troupe_1={"title": "ann"}),
    ),
    # Nor do two rows that are both changed, or both go.
    *(
        ("ben", f"updateTower(id: 1, set: {{watches: {{{both}}}}}) {{ id }}", FORBIDDEN)
        for both in (
            "delete: [{id: 1}, {id: 2}]",
            "delete: [{id: 1}], update: [{id: 2, set: {awake: false}}]",
            "update: [{id: 1, set: {awake: false}}, {id: 2, set: {awake: false}}]",
        )
    ),
    ("ben", "updateTower(id: 2, set: {watches: {delete: [{id: 3}]}}) { id }", BAD_INPUT),
    (
        "ben",
        "updateTower(id: 1, set: {watches: {delete: [{id: 1}]}}) { id }",
        Gives({"updateTower": {"id": 1}}),
        {"Watch 1": {}},
    ),
    (
        "ben",
        "updateManyWatches(updates: [{id: 1, set: {awake: false}}, {id: 2, set: {awake: false}}]) { count }",
        Gives({"updateManyWatches": {"count": 1}}),
        {"Watch 1": {"awake": False}},
    ),
    (
        "ben",
        "deleteWatches(where: {towerId: {eq: 1}}) { count }",
        Gives({"deleteWatches": {"count": 1}}),
        {"Watch 1": {}},
    ),
    (
        "ben",
        "updateWatches(where: {towerId: {eq: 1}}, set: {awake: false}) { count }",
        Gives({"updateWatches": {"count": 1}}),
        {"Watch 1": {"awake": False}},
    ),
    # Each row of a list counts those before it.
    ("ben", "createSlots(inputs: [{id: 2}, {id: 3}]) { count }", FORBIDDEN),
    ("ben", "createSlot(input: {id: 2}) { id }", *_written("createSlot", 2, Slot_2={"id": 2})),
)
