"""Rules that ask of other entities: whoever has no such row sees and writes nothing by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clew.errors import Code
from tests.attacks.attack import Attack, Expectation, Gives, Refused, Who
from tests.attacks.viewers import ANON, EU, M3, STRANGER, USER, rows

# m3 is a guide of level 2, m43 one of level 3, m63 one of level 1, and m23 was one of level 5.
M23, M43, M63 = (Who(f"m{number}", USER, EU) for number in (23, 43, 63))
NOBODY = Who(None, USER, EU)
NOT_FOUND = Refused((Code.NOT_FOUND,))

# As `HIDDEN` of the table.
HIDDEN: tuple[tuple[str, str, dict[str, Any]], ...] = tuple(
    (role, document, {})
    for role, document in (
        ("anon", "{ ~guides~ { id } }"),
        ("user", "{ ~shuttings~ { id } }"),
        ("anon", "{ venues { ~open~ } }"),
        ("anon", "{ venues { ~stalls~ { id } } }"),
        ("user", "{ guides { ~member~ { id } } }"),
        ("anon", '{ ~venueByCode~(code: "c2") { id } }'),
        # No filter of a client asks of other entities.
        ("user", "{ venues(where: {~exists~: {id: 1}}) { id } }"),
        ("anon", "{ venues(where: {not: {~exists~: {id: 1}}}) { id } }"),
        ("user", "{ stalls(where: {venue: {~exists~: {id: 1}}}) { id } }"),
    )
)

_BOTH = {"venuesAggregate": {"count": 2, "countDistinct": {"code": 0}, "max": {"code": None}}}
READS: tuple[tuple[str, Who, str, Expectation], ...] = (
    *(
        (f"the venues of {name}", who, "{ venues { id } }", rows("venues", 1))
        for name, who in (
            ("anybody", ANON),
            ("a stranger", STRANGER),
            ("nobody", NOBODY),
            ("one who has left", M23),
            ("a beginner", M63),
        )
    ),
    ("the venues of a guide", M3, "{ venues { id } }", rows("venues", 1, 2)),
    ("a stranger's venue", STRANGER, "{ venue(id: 2) { id } }", Gives({"venue": None})),
    ("a guide's venue", M3, "{ venue(id: 2) { id code } }", Gives({"venue": {"id": 2, "code": None}})),
    ("the best guide's venue", M43, "{ venue(id: 2) { id code } }", Gives({"venue": {"id": 2, "code": "c2"}})),
    ("a venue that is shut", M43, "{ venue(id: 3) { id } }", Gives({"venue": None})),
    ("a venue by a code", M3, '{ venueByCode(code: "c2") { id } }', Gives({"venueByCode": None})),
    ("a venue by one's code", M43, '{ venueByCode(code: "c2") { id } }', Gives({"venueByCode": {"id": 2}})),
    ("venues by a code", M3, '{ venues(where: {code: {eq: "c2"}}) { id } }', rows("venues")),
    ("venues by none", M3, '{ venues(where: {not: {code: {eq: "c2"}}}) { id } }', rows("venues")),
    ("venues without a code", M3, "{ venues(where: {code: {isNull: true}}) { id } }", rows("venues", 1, 2)),
    ("venues in the order of codes", M3, "{ venues(orderBy: [{code: DESC}]) { id } }", rows("venues", 1, 2)),
    ("the order of one's codes", M43, "{ venues(orderBy: [{code: DESC}]) { id } }", rows("venues", 2, 1)),
    (
        "venues in all",
        M3,
        "{ venuesAggregate { count countDistinct { code } max { code } } }",
        Gives(_BOTH),
    ),
    ("a stranger's venues in all", STRANGER, "{ venuesAggregate { count } }", Gives({"venuesAggregate": {"count": 1}})),
    (
        "groups of codes",
        M3,
        "{ venuesGroups(by: [{code: VALUE}]) { key { code } count } }",
        Gives({"venuesGroups": [{"key": {"code": None}, "count": 2}]}),
    ),
    (
        "a page of venues",
        STRANGER,
        "{ venuesConnection { totalCount nodes { id } } }",
        Gives({"venuesConnection": {"totalCount": 1, "nodes": [{"id": 1}]}}),
    ),
    ("a stranger's stalls", STRANGER, "{ stalls { id } }", rows("stalls")),
    (
        "stalls",
        M3,
        "{ stalls { id venue { id } } }",
        Gives({"stalls": [{"id": 10, "venue": {"id": 1}}, {"id": 20, "venue": {"id": 2}}, {"id": 30, "venue": None}]}),
    ),
    (
        "the stalls of a stranger's venues",
        STRANGER,
        "{ venues { id open stalls { id } } }",
        Gives({"venues": [{"id": 1, "open": None, "stalls": []}]}),
    ),
    (
        "the stalls of venues",
        M3,
        "{ venues { stalls { id } } }",
        Gives({"venues": [{"stalls": [{"id": 10}]}, {"stalls": [{"id": 20}]}]}),
    ),
    ("venues by a stall", STRANGER, "{ venues(where: {stalls: {some: {}}}) { id } }", rows("venues")),
    (
        "the landmarks of venues",
        M3,
        "{ venues { landmarks { id } } }",
        Gives({"venues": [{"landmarks": []}, {"landmarks": []}]}),
    ),
    (
        "the landmarks of the best guide's venues",
        M43,
        "{ venues { landmarks { id } } }",
        Gives({"venues": [{"landmarks": [{"id": 1}]}, {"landmarks": [{"id": 1}, {"id": 2}]}]}),
    ),
    ("venues by a landmark", M3, "{ venues(where: {landmarks: {some: {id: {eq: 1}}}}) { id } }", rows("venues")),
    ("links to landmarks", M3, "{ venueLandmarks { venueId } }", Gives({"venueLandmarks": []})),
    (
        "the best guide's links to landmarks",
        M43,
        "{ venueLandmarks { venueId landmarkId } }",
        Gives(
            {
                "venueLandmarks": [
                    {"venueId": venue, "landmarkId": landmark} for venue, landmark in ((1, 1), (2, 1), (2, 2))
                ]
            }
        ),
    ),
    ("a stranger's landmarks", STRANGER, "{ landmarks { id } }", rows("landmarks")),
    ("the landmarks of one who has left", M23, "{ landmarks { id } }", rows("landmarks")),
    (
        "landmarks",
        M63,
        "{ landmarks { id venues { id } } }",
        Gives({"landmarks": [{"id": 1, "venues": [{"id": 1}]}, {"id": 2, "venues": []}]}),
    ),
    ("deleted venues", M3, "{ venues(deleted: ONLY) { id } }", rows("venues")),
    ("the best guide's deleted venues", M43, "{ venues(deleted: ONLY) { id } }", rows("venues", 4)),
    ("an argument", M3, "{ ofVenue(id: 2) }", NOT_FOUND),
    ("the argument of one who has left", M23, "{ ofVenue(id: 1) }", NOT_FOUND),
    ("an argument that is open", M43, "{ ofVenue(id: 2) }", Gives({"ofVenue": "with {'id': 2}"})),
)


def reads() -> Iterable[Attack]:
    for name, who, document, expect in READS:
        yield Attack(name, who, document, expect, about_rules=True)
