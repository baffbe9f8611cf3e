"""Mutations of those who may do less: on the club of `tests.writes`, with what `tests.attacks.club` adds to it.

Ann is an admin of club 1, Ben a guest there, Cat an admin of club 3, which is hidden from them; club 2 is open.
Notes 1, 2 and 5 are Ann's, 3 and 4 Ben's; 2 and 4 are public, 5 is frozen. Dan hides.
"""

# ruff: noqa: E501, UP031 (GraphQL on its lines, and with its braces)

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

from clew.errors import Code
from tests.attacks.attack import Alike, AsUnknown, Attack, Expectation, Gives, Refused, Repeated, Scattered, Who
from tests.attacks.elsewhere_writes import WRITES_ELSEWHERE
from tests.attacks.transports import DIGITS, MOST_BYTES
from tests.attacks.viewers import ANON, BAD_INPUT, INVALID, TOO_LONG_A_NUMBER, USER

ANN, BEN, CAT, EVA, FAY, GIL = (Who(name, USER) for name in ("ann", "ben", "cat", "eva", "fay", "gil"))
CLERK, USHER, WARDEN = (Who("ann", USER | {role}) for role in ("clerk", "usher", "warden"))
REVIEWER = Who("cat", USER | {"reviewer"}, {"clubs": [1]})
NOBODY, UNNAMED = Who(None, USER), Who("", USER)
ADMIN, CHIEF = Who(roles=frozenset({"admin"})), Who("ann", USER | {"admin"})
VIEWERS = {"anon": ANON, "ann": ANN, "ben": BEN, "cat": CAT, "clerk": CLERK, "usher": USHER, "admin": ADMIN}

MEMBER_1, MEMBER_2, MEMBER_3 = (f'"00000000-0000-7000-8000-00000000000{n}"' for n in (1, 2, 3))
NO_MEMBER = '"00000000-0000-7000-8000-000000000009"'

FORBIDDEN = Refused((Code.FORBIDDEN,))
CONSTRAINT = Refused((Code.CONSTRAINT_VIOLATION,))
NOT_FOUND = Refused((Code.NOT_FOUND,))
CONFLICT = Refused((Code.CONFLICT,))
NO_ROW = Refused((Code.BAD_USER_INPUT,))
NO_KEYS = Refused((Code.UNAUTHENTICATED,))
TOO_LONG = Refused((Code.LIMIT_EXCEEDED, Code.BAD_USER_INPUT))

Changes = Mapping[str, Mapping[str, Any]]
GONE: Mapping[str, Any] = {}
Entry = tuple[str, str, Expectation] | tuple[str, str, Expectation, Changes]


def null(field: str) -> Gives:
    """There names no row."""
    return Gives({field: None})


def count(field: str, number: int) -> Gives:
    return Gives({field: {"count": number}})


def nested(place: str) -> Refused:
    """Something is given that the row is nested in gives."""
    return Refused((Code.BAD_USER_INPUT,), f"`{place}` is set by the row around it.")


def twice(place: str) -> Refused:
    """A row is named by two entries of one list."""
    return Refused((Code.BAD_USER_INPUT,), f"`{place}` names a row twice.")


def made(entity: str, key: str, **columns: Any) -> Changes:
    """A new row."""
    return {f"{entity} {key}": {"id": key, **columns}}


def note_1(text: str = "x") -> Changes:
    """What becomes of Ann's draft when its text changes."""
    return {"Note 1": {"text": text, "slug": f"{text}-draft", "version": 2}}


# --- rows that the viewer may not write ---------------------------------------------------

ROWS: tuple[Entry, ...] = (
    # One that is hidden is one that is not there; one under no rule for the operation too.
    ("ann", 'updateNote(id: ~, set: {text: "x"}) { id }', Alike(("3", "999"), null("updateNote"))),
    ("ann", "updateNote(id: ~, inc: {stars: 1}) { id }", Alike(("3", "999"), null("updateNote"))),
    ("ann", 'updateNote(id: ~, set: {text: "x"}, ifVersion: 1) { id }', Alike(("3", "999"), null("updateNote"))),
    ("ann", 'updateNote(id: ~, set: {text: "x"}, ifVersion: 7) { id }', Alike(("3", "999"), null("updateNote"))),
    ("ann", "deleteNote(id: ~) { id }", Alike(("2", "3", "4", "999"), null("deleteNote"))),
    ("cat", "deleteNote(id: ~) { id }", Alike(("1", "2", "3", "4", "5", "999"), null("deleteNote"))),
    ("ann", 'updatePerson(id: "~", set: {motto: "x"}) { id }', Alike(("ben", "dan", "zed"), null("updatePerson"))),
    ("ben", 'updateClub(id: ~, set: {name: "x"}) { id }', Alike(("2", "3", "9"), null("updateClub"))),
    ("ben", "deleteClub(id: ~) { id }", Alike(("2", "3", "9"), null("deleteClub"))),
    (
        "ben",
        "updateMember(id: ~, set: {level: ADMIN}) { id }",
        Alike((MEMBER_1, MEMBER_2, MEMBER_3, NO_MEMBER), null("updateMember")),
    ),
    ("ben", "deleteMember(id: ~) { id }", Alike((MEMBER_1, MEMBER_2, MEMBER_3, NO_MEMBER), null("deleteMember"))),
    ("ann", 'updateFolder(id: ~, set: {name: "x"}) { id }', Alike(("2", "4", "5", "99"), null("updateFolder"))),
    ("ann", "deleteFolder(id: ~) { id }", Alike(("2", "3", "4", "5", "99"), null("deleteFolder"))),
    ("ann", "restoreFolder(id: ~) { id }", Alike(("1", "2", "3", "5", "99"), null("restoreFolder"))),
    ("ann", "restorePaper(id: ~) { id }", Alike(("1", "2", "4", "5", "99"), null("restorePaper"))),
    ("clerk", 'updatePerson(id: "~", set: {hiding: true}) { id }', Alike(("ben", "dan", "zed"), null("updatePerson"))),
    # Several: those that are not held are not counted.
    (
        "ann",
        'updateManyNotes(updates: [{id: ~, set: {text: "y"}}]) { count rows { id } }',
        Alike(("3", "5", "999"), Gives({"updateManyNotes": {"count": 0, "rows": []}})),
    ),
    (
        "ann",
        'updateManyNotes(updates: [{id: 3, set: {text: "y"}}, {id: 1, set: {text: "x"}}]) { count }',
        count("updateManyNotes", 1),
        note_1(),
    ),
    (
        "ann",
        'updateNotes(where: {id: {in: [1, 3, 5, 999]}}, set: {text: "x"}) { count rows { id } }',
        Gives({"updateNotes": {"count": 1, "rows": [{"id": 1}]}}),
        note_1(),
    ),
    (
        "ann",
        "deleteNotes(where: {id: {in: [1, 2, 3, 4, 999]}}) { count rows { id } }",
        Gives({"deleteNotes": {"count": 1, "rows": [{"id": 1}]}}),
        {"Note 1": GONE},
    ),
    ("cat", 'updateNotes(where: {}, all: true, set: {state: "x"}) { count rows { id } }', FORBIDDEN),
    ("cat", 'updateNotes(all: true, set: {state: "x"}) { count rows { id } }', FORBIDDEN),
    ("cat", "deleteNotes(all: true) { count rows { id } }", Gives({"deleteNotes": {"count": 0, "rows": []}})),
    ("ben", "deleteMembers(where: null, all: true) { count }", count("deleteMembers", 0)),
    (
        "cat",
        "deleteNotes(where: {}, all: true) { count rows { id } }",
        Gives({"deleteNotes": {"count": 0, "rows": []}}),
    ),
    ("ben", "deleteMembers(where: {}, all: true) { count }", count("deleteMembers", 0)),
    ("ben", "updateMembers(where: {}, all: true, set: {level: ADMIN}) { count }", count("updateMembers", 0)),
    ("ben", "deleteClubs(where: {id: {neq: 1}}) { count }", count("deleteClubs", 0)),
    ("ann", "deletePapers(where: {id: {gt: 1}}) { count }", count("deletePapers", 0)),
    # What is masked on a row is in no filter, and not of a related row either.
    (
        "ann",
        'updateMembers(where: {person: {secret: {eq: "b"}}}, set: {level: ADMIN}) { count }',
        count("updateMembers", 0),
    ),
    ("ann", 'deleteMembers(where: {person: {secret: {startsWith: "b"}}}) { count }', count("deleteMembers", 0)),
    (
        "ann",
        'updateMembers(where: {not: {person: {secret: {eq: "~"}}}}, set: {level: ADMIN}) { count }',
        Alike(("b", "z"), count("updateMembers", 2)),
        {f"Member {MEMBER_2[1:-1]}": {"level": "ADMIN"}},
    ),
    ("ann", 'updateNotes(where: {author: {secret: {eq: "b"}}}, inc: {stars: 1}) { count }', count("updateNotes", 0)),
    ("ann", 'deleteFolders(where: {papers: {some: {text: {eq: "Ben\'s"}}}}) { count }', count("deleteFolders", 0)),
    (
        "ann",
        'updateFolders(where: {papers: {some: {text: {eq: "Shared"}}}}, set: {data: 1}) { count }',
        count("updateFolders", 0),
    ),
    (
        "cat",
        'deleteMembers(where: {club: {members: {some: {personId: {eq: "ann"}}}}}) { count }',
        count("deleteMembers", 0),
    ),
    # Through the row that they belong to.
    (
        "ann",
        'updateClub(id: 1, set: {notes: {update: [{id: ~, set: {text: "x"}}]}}) { id }',
        Alike(("2", "3", "4", "5", "999"), BAD_INPUT),
    ),
    ("ann", "updateClub(id: 1, set: {notes: {delete: [{id: ~}]}}) { id }", Alike(("3", "999"), BAD_INPUT)),
    ("ann", "updateClub(id: 1, set: {notes: {delete: [{id: ~}]}}) { id }", Alike(("2", "4"), BAD_INPUT)),
    ("ann", "updateClub(id: 1, set: {notes: {disconnect: [{id: ~}]}}) { id }", Alike(("3", "999"), BAD_INPUT)),
    ("ann", "updateClub(id: 1, set: {notes: {connect: [{id: ~}]}}) { id }", Alike(("3", "999"), BAD_INPUT)),
    ("ann", "updateClub(id: 2, set: {notes: {connect: [{id: 1}]}}) { id }", null("updateClub")),
    ("ann", "updateClub(id: 1, set: {members: {connect: [{id: ~}]}}) { id }", Alike((MEMBER_3, NO_MEMBER), BAD_INPUT)),
    ("ann", "updateClub(id: 1, set: {members: {delete: [{id: ~}]}}) { id }", Alike((MEMBER_3, NO_MEMBER), BAD_INPUT)),
    (
        "ann",
        "updateClub(id: 1, set: {members: {update: [{id: ~, set: {level: ADMIN}}]}}) { id }",
        Alike((MEMBER_3, NO_MEMBER), BAD_INPUT),
    ),
    ("ben", "updateClub(id: 1, set: {members: {delete: [{id: %s}]}}) { id }" % MEMBER_1, BAD_INPUT),
    ("ben", "updateClub(id: 1, set: {members: {~disconnect~: [{id: %s}]}}) { id }" % MEMBER_1, AsUnknown()),
    (
        "ann",
        'updateFolder(id: 1, set: {papers: {update: [{id: ~, set: {text: "x"}}]}}) { id }',
        Alike(("2", "3", "4", "999"), BAD_INPUT),
    ),
    ("ann", "updateFolder(id: 3, set: {papers: {delete: [{id: ~}]}}) { id }", Alike(("3", "999"), BAD_INPUT)),
    ("ann", "updateFolder(id: 3, set: {papers: {connect: [{id: 1}]}}) { id }", FORBIDDEN),
    # Of a generated link both ends are looked at, and the field's rule.
    ("ben", 'updateClub(id: 2, set: {tags: {connect: [{id: "fun"}]}}) { id }', null("updateClub")),
    ("ben", 'updateClub(id: 1, set: {tags: {connect: [{id: "~"}]}}) { id }', Alike(("nsfw", "none"), BAD_INPUT)),
    ("ben", 'updateClub(id: 1, set: {tags: {disconnect: [{id: "~"}]}}) { id }', Alike(("nsfw", "none"), BAD_INPUT)),
    ("cat", 'updateClub(id: 3, set: {tags: {disconnect: [{id: "~"}]}}) { id }', Alike(("nsfw", "none"), BAD_INPUT)),
    # A way around the rules stands behind them.
    ("ann", "stamp(id: ~)", Alike(("3", "5", "999"), NOT_FOUND)),
    ("cat", "stamp(id: ~)", Alike(("1", "3", "5", "999"), NOT_FOUND)),
)

# --- fields that the viewer may not write, and rules of which each holds by half -----------

FIELDS: tuple[Entry, ...] = (
    ("ben", 'updateNote(id: 4, set: {text: "x", state: "x"}) { id }', FORBIDDEN),
    ("ann", 'updateNote(id: 4, set: {text: "x"}) { id }', FORBIDDEN),
    ("ann", "updateNote(id: 4, set: {club: {connect: {id: 1}}}) { id }", FORBIDDEN),
    ("ann", "updateNote(id: 4, set: {clubId: 1}) { id }", FORBIDDEN),
    ("ann", 'updateNote(id: 4, inc: {stars: 1}, set: {text: "x"}) { id }', FORBIDDEN),
    ("ann", 'updateManyNotes(updates: [{id: 1, set: {text: "x"}}, {id: 4, set: {text: "x"}}]) { count }', FORBIDDEN),
    ("ann", 'updateNotes(where: {state: {eq: "public"}}, set: {text: "x"}) { count }', FORBIDDEN),
    # A draft becomes public under the one rule, stars are for public ones: not both.
    ("ben", 'updateNote(id: 3, set: {state: "public", stars: 5}) { id }', FORBIDDEN),
    ("ben", 'updateNote(id: 3, set: {state: "public"}, inc: {stars: 5}) { id }', FORBIDDEN),
    ("ben", "updateNote(id: 3, set: {stars: 5}) { id }", FORBIDDEN),
    ("ben", "updateNote(id: 3, inc: {stars: 5}) { id }", FORBIDDEN),
    ("ben", 'updateNote(id: 4, set: {state: "draft", stars: 5}) { id }', FORBIDDEN),
    ("ben", 'updateManyNotes(updates: [{id: 3, set: {state: "public"}, inc: {stars: 5}}]) { count }', FORBIDDEN),
    ("ben", 'updateNotes(where: {id: {eq: 3}}, set: {state: "public"}, inc: {stars: 5}) { count }', FORBIDDEN),
    (
        "ben",
        'updateClub(id: 1, set: {notes: {update: [{id: 3, set: {state: "public"}, inc: {stars: 5}}]}}) { id }',
        FORBIDDEN,
    ),
    # An upsert is an update of what it finds.
    ("ben", 'upsertNote(input: {id: 4, text: "x", state: "draft"}, on: id) { id }', FORBIDDEN),
    ("ben", 'upsertNote(input: {id: 4, text: "x", state: "draft"}, on: id, update: [state]) { id }', FORBIDDEN),
    (
        "ben",
        'upsertNotes(inputs: [{id: 4, text: "x", state: "draft"}], on: id, update: [state, text]) { count }',
        FORBIDDEN,
    ),
    (
        "ben",
        'upsertNote(input: {id: 4, text: "x", state: "draft"}, on: id, update: []) { text }',
        Gives({"upsertNote": {"text": "Ben tells"}}),
    ),
    (
        "ben",
        'upsertNote(input: {id: 4, text: "x", state: "draft"}, on: id, update: [text]) { state }',
        Gives({"upsertNote": {"state": "public"}}),
        {"Note 4": {"text": "x", "slug": "x-public", "version": 2}},
    ),
    ("ben", 'upsertNotes(inputs: [{id: 4, text: "x"}, {id: 4, text: "y"}], on: id) { count }', BAD_INPUT),
    # Guards stand before every rule, and where they say so before an admin.
    *(
        (who, f, FORBIDDEN)
        for who in ("ann", "usher")
        for f in (
            'createNote(input: {text: "spam"}) { id }',
            'createNotes(inputs: [{text: "x"}, {text: "spam"}]) { count }',
            'createClub(input: {name: "x", notes: {create: [{text: "spam"}]}}) { id }',
            'updateNote(id: 1, set: {text: "spam"}) { id }',
            'updateNotes(where: {id: {eq: 1}}, set: {text: "spam"}) { count }',
            'updateManyNotes(updates: [{id: 1, set: {text: "spam"}}]) { count }',
            'updateClub(id: 1, set: {notes: {update: [{id: 1, set: {text: "spam"}}]}}) { id }',
            'upsertNote(input: {id: 1, text: "spam"}, on: id) { id }',
            'upsertNote(input: {id: 77, text: "spam"}, on: id) { id }',
        )
    ),
    *(
        (who, f, null("updateNote"))
        for who in ("ann", "admin")
        for f in (
            'updateNote(id: 5, set: {text: "x"}) { id }',
            "updateNote(id: 5, inc: {stars: 1}) { id }",
            "updateNote(id: 5, set: {frozen: false}) { id }",
        )
    ),
    ("admin", 'updateNotes(where: {id: {in: [1, 5]}}, set: {text: "x"}) { count }', count("updateNotes", 1), note_1()),
    ("admin", 'updateManyNotes(updates: [{id: 5, set: {text: "x"}}]) { count }', count("updateManyNotes", 0)),
    ("admin", 'upsertNote(input: {id: 5, text: "x", authorId: "ann"}, on: id) { id }', CONSTRAINT),
    ("admin", "updateClub(id: 1, set: {notes: {connect: [{id: 5}]}}) { id }", BAD_INPUT),
    (
        "admin",
        'updateNote(id: 1, set: {frozen: true, text: "spam"}) { id }',
        Gives({"updateNote": {"id": 1}}),
        {"Note 1": {"frozen": True, "text": "spam", "slug": "spam-draft", "version": 2}},
    ),
    # What a preset fills nobody gives, by another's row neither.
    ("ann", 'updatePerson(id: "ann", set: {folders: {~connect~: [{id: 3}]}}) { id }', AsUnknown()),
    ("usher", 'updatePerson(id: "ben", set: {folders: {~connect~: [{id: 1}]}}) { id }', AsUnknown()),
    ("usher", 'updatePerson(id: "ben", set: {folders: {create: [{name: "x"}]}}) { id }', FORBIDDEN),
    ("usher", 'updatePerson(id: "ben", set: {bookings: {create: [{id: "9"}]}}) { id }', FORBIDDEN),
    ("usher", 'updatePerson(id: "ben", set: {bookings: {~connect~: [{id: "1"}]}}) { id }', AsUnknown()),
    (
        "admin",
        'updatePerson(id: "ann", set: {folders: {connect: [{id: 3}]}}) { id }',
        Gives({"updatePerson": {"id": "ann"}}),
        {"Folder 3": {"owner_id": "ann"}},
    ),
    # Nobody knows the version of a row on which it is masked.
    ("clerk", 'updateDrawer(id: 1, set: {label: "x"}, ifVersion: ~) { id }', Alike(("7", "8"), CONFLICT)),
    (
        "clerk",
        'updateDrawer(id: 2, set: {label: "x"}, ifVersion: 1) { id }',
        Gives({"updateDrawer": {"id": 2}}),
        {"Drawer 2": {"label": "x", "edition": 2}},
    ),
)

SEEN: tuple[Entry, ...] = (
    # By a key that is masked on it no client knows a row; by another that is not, everybody does.
    ("ann", 'updateBadge(id: ~, set: {label: "x"}) { label }', Alike(("2", "3", "9"), null("updateBadge"))),
    (
        "ann",
        'updatePerson(id: "ann", set: {badges: {update: [{id: ~, set: {label: "x"}}]}}) { id }',
        Alike(("2", "3", "9"), BAD_INPUT),
    ),
    (
        "ann",
        'updatePerson(id: "ann", set: {badges: {disconnect: [{label: "Closed"}]}}) { id }',
        Gives({"updatePerson": {"id": "ann"}}),
        {"Badge 2": {"person_id": None}},
    ),
    # A generated link is written by the list that is open, whatever the other and the key tell.
    (
        "ann",
        'updateAlbum(id: 1, set: {songs: {disconnect: [{title: "First"}], connect: [{title: "Second"}]}}) { songs { title } }',
        Gives({"updateAlbum": {"songs": [{"title": "Second"}]}}),
        {"AlbumSong 1 1": GONE, "AlbumSong 1 2": {"album_id": 1, "song_id": 2}},
    ),
    ("ann", 'updateAlbum(id: 1, set: {songs: {disconnect: [{title: "Second"}]}}) { id }', BAD_INPUT),
    ("ann", "updateAlbum(id: 1, set: {songs: {~update~: [{id: 1, set: {}}]}}) { id }", AsUnknown()),
    # One of the application's own by its own rules, whatever the guards of what it leads to: one that is hidden is none.
    ("ann", "updateBracelet(id: 1, set: {charms: {disconnect: [{id: ~}]}}) { id }", Alike(("2", "3"), BAD_INPUT)),
    (
        "ann",
        "updateBracelet(id: 1, set: {charms: {disconnect: [{id: 1}]}}) { id }",
        Gives({"updateBracelet": {"id": 1}}),
        {"Hanging 1 1": GONE},
    ),
    # That it belongs to a hidden row does not matter while nobody says so.
    (
        "ann",
        'updateBadge(id: 4, set: {label: "x"}) { label }',
        Gives({"updateBadge": {"label": "x"}}),
        {"Badge 4": {"label": "x"}},
    ),
    # What the rule for writing lets go, that for reading holds.
    ("ann", "updateBadge(id: 1, set: {hidden: true}) { label }", FORBIDDEN),
    ("ann", "updateBadges(where: {}, all: true, set: {hidden: true}) { count }", FORBIDDEN),
    # A letter is known to be in a drawer by both ends.
    ("clerk", 'updateDrawer(id: 2, set: {letters: {update: [{id: 2, set: {text: "x"}}]}}) { id }', BAD_INPUT),
    *(
        ("clerk", field, Alike(("1", "2"), expect))
        for field, expect in (
            (
                'updateDrawers(where: {letters: {some: {id: {eq: ~}}}}, set: {label: "x"}) { count }',
                count("updateDrawers", 0),
            ),
            ("deleteLetters(where: {drawer: {id: {eq: ~}}}) { count }", count("deleteLetters", 0)),
            ("deleteLetters(where: {drawerId: {eq: ~}}) { count }", count("deleteLetters", 0)),
        )
    ),
    # That rules hold on every row is not that they hold every field.
    ("clerk", "updateDrawer(id: 2, set: {letters: {~connect~: [{id: 1}]}}) { id }", AsUnknown()),
    # Who vouches is another row, which nobody has touched.
    (
        "ann",
        "updateMember(id: %s, set: {level: ADMIN}) { level }" % MEMBER_2,
        Gives({"updateMember": {"level": "ADMIN"}}),
        {f"Member {MEMBER_2[1:-1]}": {"level": "ADMIN"}},
    ),
    (
        "ann",
        'createBooking(input: {id: "9", seatNumber: 2}) { id }',
        Gives({"createBooking": {"id": "9"}}),
        {"Booking 9": {"id": "9", "guest_id": "ann", "seat_number": 2, "seat_club_id": None}},
    ),
)

# --- links that vouch for the rows from which they are written ------------------------------

LINKS_VOUCHING: tuple[Entry, ...] = (
    # By way of another row, by what is gone, by a view, from either end.
    ("ben", 'updateChart(id: 1, set: {text: "x", mappers: {connect: [{id: "ben"}]}}) { id }', FORBIDDEN),
    ("ben", 'updateChart(id: 2, set: {note: "x", mappers: {disconnect: [{id: "ann"}]}}) { id }', FORBIDDEN),
    ("ben", 'updateChart(id: 1, set: {title: "x", mappers: {connect: [{id: "ben"}]}}) { id }', FORBIDDEN),
    ("ben", 'updateMapper(id: "ben", set: {charts: {connect: [{id: 1}]}}) { id }', FORBIDDEN),
    (
        "ben",
        'updateManyCharts(updates: [{id: 1, set: {text: "x"}}, {id: 3, set: {text: "x", mappers: {connect: [{id: "ben"}]}}}]) { count }',
        FORBIDDEN,
    ),
    # The link allows the row, which allows the link.
    (
        "ben",
        'updateMapper(id: "ben", set: {charts: {connect: [{id: 1}]}, owned: {update: [{id: 1, set: {body: "mine"}}]}}) { id }',
        FORBIDDEN,
    ),
    # A link that was there vouches. The row's own new links are part of it.
    (
        "ann",
        'updateChart(id: 2, set: {text: "x", mappers: {connect: [{id: "ann"}, {id: "ben"}]}}) { id }',
        Gives({"updateChart": {"id": 2}}),
        {"Chart 2": {"text": "x"}, "Mapping 2 ben": {"chart_id": 2, "mapper_id": "ben"}},
    ),
    (
        "ben",
        'updateMapper(id: "ben", set: {charts: {connect: [{id: 2}]}}) { id }',
        Gives({"updateMapper": {"id": "ben"}}),
        {"Mapping 2 ben": {"chart_id": 2, "mapper_id": "ben"}},
    ),
    (
        "ben",
        'updateMapper(id: "ben", set: {charts: {connect: [{id: 3}]}}) { id }',
        Gives({"updateMapper": {"id": "ben"}}),
        {"Mapping 3 ben": {"chart_id": 3, "mapper_id": "ben"}},
    ),
    (
        "ben",
        'createChart(input: {id: 9, body: "x", mappers: {connect: [{id: "ben"}]}}) { id }',
        Gives({"createChart": {"id": 9}}),
        {
            "Chart 9": {"id": 9, "body": "x"}
            | dict.fromkeys(("text", "note", "title", "seal", "stamp", "guild_id", "owner_id")),
            "Mapping 9 ben": {"chart_id": 9, "mapper_id": "ben"},
        },
    ),
    ("ben", 'createChart(input: {id: 9, body: "x", mappers: {connect: [{id: "ann"}]}}) { id }', FORBIDDEN),
    # One chart's link allows the mapper, who allows the other chart: each counts once it is allowed, and no sooner.
    (
        "cat",
        'updateMapper(id: "cat", set: {chief: true, owned: {update: [{id: 5, set: {title: "x", mappers: {connect: [{id: "cat"}]}}}, {id: 6, set: {title: "x", seal: "x", mappers: {connect: [{id: "cat"}]}}}]}}) { id }',
        Gives({"updateMapper": {"id": "cat"}}),
        {
            "Chart 5": {"title": "x"},
            "Chart 6": {"title": "x", "seal": "x"},
            "Mapper cat": {"chief": True},
            "Mapping 5 cat": {"chart_id": 5, "mapper_id": "cat"},
            "Mapping 6 cat": {"chart_id": 6, "mapper_id": "cat"},
        },
    ),
    (
        "cat",
        'updateMapper(id: "cat", set: {chief: true, owned: {update: [{id: 6, set: {title: "x", seal: "x", mappers: {connect: [{id: "cat"}]}}}]}}) { id }',
        FORBIDDEN,
    ),
    # Nor does the link that goes allow the row, which allows it to go.
    (
        "eva",
        'updateMapper(id: "eva", set: {chief: true, owned: {update: [{id: 7, set: {stamp: "x", mappers: {disconnect: [{id: "eva"}]}}}]}}) { id }',
        FORBIDDEN,
    ),
    # One that was there vouches, though it is made once more.
    (
        "fay",
        'updateMapper(id: "fay", set: {chief: true, owned: {update: [{id: 8, set: {stamp: "x", mappers: {connect: [{id: "fay"}]}}}]}}) { id }',
        Gives({"updateMapper": {"id": "fay"}}),
        {"Mapper fay": {"chief": True}, "Chart 8": {"stamp": "x"}},
    ),
    # Nor does a new link vouch for another row once its own is allowed.
    (
        "gil",
        'updateMapper(id: "gil", set: {chief: true, charts: {connect: [{id: 3}]}, owned: {update: [{id: 11, set: {stamp: "x", body: "mine"}}, {id: 12, set: {title: "x", mappers: {connect: [{id: "gil"}]}}}]}}) { id }',
        FORBIDDEN,
    ),
    # One of the application's own has its own rules, and is gone for everybody.
    (
        "ann",
        'updateSailor(id: 1, set: {rank: 1, mateOf: {update: [{id: 1, set: {name: "x", sailors: {disconnect: [{id: 1}]}}}]}}) { id }',
        Gives({"updateSailor": {"id": 1}}),
        {"Sailor 1": {"rank": 1}, "Crew 1": {"name": "x"}, "Berth 1 1": GONE},
    ),
)

# --- what an error of the change itself would tell ----------------------------------------

TOLD: tuple[Entry, ...] = (
    # A number that is masked, by where it no longer fits; by a constraint on it; by one that compares it.
    *(
        ("ben", field, Alike(values, FORBIDDEN))
        for change, values in (
            ("inc: {budget: ~}", ("1", "2147483647")),
            ("inc: {heat: ~}", ("1", "99")),
            ("set: {untilDay: ~}", ("5", "50")),
            # It may be written, and not be read.
            ("inc: {tips: ~}", ("1", "2147483647")),
            ('append: {words: ["~"]}', ("x", "y")),
        )
        for field in (
            f"updatePurse(id: 1, {change}) {{ id }}",
            f"updatePurses(where: {{public: {{eq: true}}}}, {change}) {{ count }}",
            f"updateManyPurses(updates: [{{id: 1, {change}}}]) {{ count }}",
            f"updateBag(id: 1, set: {{purses: {{update: [{{id: 1, {change}}}]}}}}) {{ id }}",
            f"updateManyBags(updates: [{{id: 1, set: {{purses: {{update: [{{id: 1, {change}}}]}}}}}}]) {{ count }}",
        )
    ),
    *(
        (
            "ben",
            field
            % 'id: 1, title: "x", public: true, budget: 1, heat: ~, fromDay: 30, untilDay: ~, tips: 1, words: [], ownerId: "ann"',
            Alike(("40", "99", "100", "20"), FORBIDDEN),
        )
        for field in (
            "upsertPurse(input: {%s}, on: id, update: [heat, untilDay]) { id }",
            "upsertPurse(input: {%s}, on: id) { id }",
            "upsertPurses(inputs: [{%s}], on: id, update: [untilDay]) { count }",
        )
    ),
    (
        "ben",
        'updatePurse(id: 1, set: {description: "x", tips: 5}) { id }',
        Gives({"updatePurse": {"id": 1}}),
        {"Purse 1": {"description": "x", "tips": 5}},
    ),
    (
        "ann",
        "updatePurse(id: 1, inc: {tips: 1, budget: 1}) { tips }",
        Gives({"updatePurse": {"tips": 2147483001}}),
        {"Purse 1": {"tips": 2147483001, "budget": 2147483001}},
    ),
    # A row below, by a state that no rule allows: by a field that is not held, and by one that a check refuses.
    *(
        ("ben", worker % f"set: {{{field}, reviews: {{{way}}}}}", Alike(values, expect))
        for worker in (
            'updateWorker(id: "ben", %s) { id }',
            'updateManyWorkers(updates: [{id: "ben", %s}]) { count }',
        )
        for field, expect in (("level: 9", FORBIDDEN), ("grade: 9", BAD_INPUT), ('nick: "x"', BAD_INPUT))
        for way, values in (
            ("update: [{id: 1, inc: {score: ~}}]", ("1", "2147483647")),
            ("update: [{id: ~, set: {score: 1}}]", ("1", "2", "9")),
        )
    ),
    # Three rows of which each is allowed by the next one's new state; and two of which neither allows the first.
    (
        "ben",
        'updateLamp(id: "1", set: {holder: "ben", cords: {update: [{id: "1", set: {holder: "ben", plugs: {update: [{id: "1", set: {holder: "ben"}}]}}}]}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'updateLamp(id: "1", set: {holder: "ben", cords: {update: [{id: "1", set: {holder: "ben"}}]}}) { id }',
        FORBIDDEN,
    ),
    # Two rows of which each is allowed by the other's new state.
    ("ben", 'updateRoom(id: "1", set: {hostId: "ben"}) { id }', FORBIDDEN),
    ("ben", 'updateRoom(id: "1", set: {beds: {update: [{id: "1", set: {holderId: "ben"}}]}}) { id }', BAD_INPUT),
    (
        "ben",
        'updateRoom(id: "1", set: {hostId: "ben", beds: {update: [{id: "1", set: {holderId: "ben"}}]}}) { id }',
        BAD_INPUT,
    ),
    (
        "ben",
        'updateManyRooms(updates: [{id: "1", set: {hostId: "ben", beds: {update: [{id: "1", set: {holderId: "ben"}}]}}}]) { count }',
        BAD_INPUT,
    ),
    (
        "ben",
        'a: updateRoom(id: "1", set: {hostId: "ben"}) { id } b: updateRoom(id: "1", set: {beds: {update: [{id: "1", set: {holderId: "ben"}}]}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'upsertRoom(input: {id: "1", hostId: "ben", beds: {create: [{id: "9", holderId: "ben"}]}}, on: id) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'createRoom(input: {id: "9", hostId: "ben", beds: {create: [{id: "9", holderId: "ben"}]}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'createRooms(inputs: [{id: "9", hostId: "ben", beds: {create: [{id: "9", holderId: "ben"}]}}]) { count }',
        FORBIDDEN,
    ),
    (
        "ben",
        'updateRoom(id: "1", set: {hostId: "ben", beds: {create: [{id: "9", holderId: "ben"}]}}) { id }',
        FORBIDDEN,
    ),
    ("ben", 'createBed(input: {id: "9", holderId: "ben", room: {create: {id: "9", hostId: "ben"}}}) { id }', FORBIDDEN),
    # Where one is allowed by itself, it may vouch for the other.
    (
        "usher",
        'createRoom(input: {id: "9", hostId: "ann", beds: {create: [{id: "9", holderId: "ann"}]}}) { id }',
        Gives({"createRoom": {"id": "9"}}),
        {**made("Bed", "9", holder_id="ann", room_id="9"), **made("Room", "9", host_id="ann")},
    ),
    # A key that is masked is no key.
    ("ben", "createTask(input: {squadId: ~}) { id }", Alike(("1", "9"), CONSTRAINT)),
    ("ben", "createTasks(inputs: [{squadId: 2}, {squadId: ~}]) { count }", Alike(("1", "9"), CONSTRAINT)),
    ("ben", "updateTask(id: 1, set: {squadId: ~}) { id }", Alike(("1", "9"), CONSTRAINT)),
    ("ben", "updateTasks(where: {}, all: true, set: {squadId: ~}) { count }", Alike(("1", "9"), CONSTRAINT)),
    ("ben", "upsertTask(input: {id: 1, squadId: ~}, on: id) { id }", Alike(("1", "9"), CONSTRAINT)),
    ("ben", "createTask(input: {squad: {connect: {id: ~}}}) { id }", Alike(("1", "9"), BAD_INPUT)),
    # Nor is it told by a to-one to a row that the viewer knows by another key, whichever end it is set from.
    ("ben", 'createTask(input: {squad: {connect: {name: "~"}}}) { squadId }', Alike(("One", "Nine"), BAD_INPUT)),
    ("ben", 'updateTask(id: 1, set: {squad: {connect: {name: "~"}}}) { squadId }', Alike(("One", "Nine"), BAD_INPUT)),
    (
        "ben",
        'upsertTask(input: {id: 1, squad: {connect: {name: "~"}}}, on: id) { squadId }',
        Alike(("One", "Nine"), BAD_INPUT),
    ),
    *(
        (
            "usher",
            f'upsertSquad(input: {{name: "~", tasks: {{{way}}}}}, on: name) {{ tasks {{ squadId }} }}',
            Alike(("Two", "Two"), BAD_INPUT),
        )
        for way in ('create: [{text: "x"}]', "connect: [{id: 1}]")
    ),
    (
        "ben",
        'updateTask(id: 1, set: {squad: {connect: {name: "Two"}}}) { squadId }',
        Gives({"updateTask": {"squadId": 2}}),
        {"Task 1": {"squad_id": 2}},
    ),
    (
        "ben",
        'createChit(input: {id: 1, squad: {connect: {name: "One"}}}) { id }',
        Gives({"createChit": {"id": 1}}),
        {"Chit 1": {"id": 1, "squad_id": 1}},
    ),
    # Of a new row there is nothing to tell.
    ("usher", 'createTask(input: {squad: {create: {name: "One"}}}) { id }', CONSTRAINT),
    # Nor by whether a preset agrees, or by what is computed.
    (
        "usher",
        'upsertSquad(input: {name: "~", duties: {create: [{id: "9"}]}}, on: name) { name }',
        Alike(("Two", "Three"), BAD_INPUT),
    ),
    (
        "ann",
        'createLantern(input: {id: "9", pitch: {connect: {name: "~"}}}) { half }',
        Alike(("Green", "None"), BAD_INPUT),
    ),
    # Nor by whether two to-ones agree on a part of it.
    (
        "ben",
        'updateTorch(id: 1, set: {pitch: {connect: {name: "Green"}}, hall: {connect: {name: "~"}}}) { id }',
        Alike(("North", "South"), BAD_INPUT),
    ),
    ("ben", 'updateTorch(id: 1, set: {pitch: {connect: {name: "Green"}}}) { id }', BAD_INPUT),
    # Nor by whether a part of it is as the input says.
    *(
        ("ben", field, Alike(("7", "8"), BAD_INPUT))
        for field in (
            'createFlare(input: {id: 9, pitchNumber: ~, pitch: {connect: {name: "Green"}}}) { id }',
            'updateFlare(id: 1, set: {pitchNumber: ~, pitch: {connect: {name: "Green"}}}) { id }',
        )
    ),
    # Nor does what a preset in SQL makes of a text lead to a hidden row.
    ("ann", 'createQuote(input: {id: "9", text: "~"}) { id }', Alike(("Dan", "Zed"), CONSTRAINT)),
    ("ann", 'updateQuote(id: "1", set: {text: "~"}) { id }', Alike(("Dan", "Zed"), CONSTRAINT)),
    (
        "ann",
        'updateQuote(id: "1", set: {text: "Ben"}) { author { id } }',
        Gives({"updateQuote": {"author": {"id": "ben"}}}),
        {"Quote 1": {"text": "Ben", "author_id": "ben"}},
    ),
    # Of rows that are nested in one, each counts for the next.
    (
        "ben",
        "updateShelf(id: 1, set: {jars: {create: [{id: 1}]}}) { id }",
        Gives({"updateShelf": {"id": 1}}),
        {"Jar 1": {"id": 1, "label": None, "shelf_id": 1}},
    ),
    ("ben", "updateShelf(id: 1, set: {jars: {create: [{id: 1}, {id: 2}]}}) { id }", FORBIDDEN),
    ("ben", "createJars(inputs: [{id: 1, shelfId: 1}, {id: 2, shelfId: 1}]) { count }", FORBIDDEN),
    # Of two that go or change, neither can go because of the other.
    (
        "ben",
        "updateTent(id: 1, set: {poles: {~}}) { id }",
        Alike(
            (
                "delete: [{id: 1}, {id: 2}]",
                "disconnect: [{id: 1}, {id: 2}]",
                "delete: [{id: 2}], disconnect: [{id: 1}]",
                "update: [{id: 2, set: {up: false}}, {id: 1, set: {up: false}}]",
            ),
            FORBIDDEN,
        ),
    ),
    (
        "ben",
        "updateTent(id: 1, set: {poles: {disconnect: [{id: 1}], update: [{id: 2, set: {up: true}}]}}) { id }",
        FORBIDDEN,
    ),
    (
        "ben",
        "updateTent(id: 1, set: {poles: {delete: [{id: 3}], update: [{id: 1, set: {up: false}}]}}) { id }",
        Gives({"updateTent": {"id": 1}}),
        {"Pole 1": {"up": False}, "Pole 3": GONE},
    ),
    ("ben", "updateTent(id: 1, set: {ropes: {disconnect: [{id: 1}, {id: 2}]}}) { id }", FORBIDDEN),
    (
        "ben",
        "updateTent(id: 1, set: {ropes: {disconnect: [{id: 2}]}}) { id }",
        Gives({"updateTent": {"id": 1}}),
        {"Hitch 1 2": GONE},
    ),
    ("ben", "updateManyTents(updates: [{id: 1, set: {poles: {delete: [{id: 2}, {id: 1}]}}}]) { count }", FORBIDDEN),
    # Of rows that are new nothing was before.
    (
        "ben",
        'updateTray(id: 1, set: {hooks: {create: [{id: "8"}, {id: "9"}]}}) { id }',
        Gives({"updateTray": {"id": 1}}),
        {**made("Hook", "8", up=True, tray_id=1), **made("Hook", "9", up=True, tray_id=1)},
    ),
    # An entry leads to a row that one before it makes, by a key that it gives; to no other row that is new.
    *(
        (
            "ben",
            'updateForge(id: 1, set: {pieces: {create: [{id: "8", tongs: {create: {id: "7", name: "new"}}}, '
            f'{{id: "9", tongs: {{connect: {{{way}: "{key}"}}}}}}]}}}}) {{ id }}',
            Gives({"updateForge": {"id": 1}}),
            {
                **made("Tongs", "7", name="new", stamp=None, rusty=False, pair_id=None),
                **made("Piece", "8", forge_id=1, tongs_id="7"),
                **made("Piece", "9", forge_id=1, tongs_id="7"),
            },
        )
        for way, key in (("id", "7"), ("name", "new"))
    ),
    *(
        ("ben", f"updateForge(id: 1, set: {{pieces: {{create: [{pieces}]}}}}) {{ id }}", NO_ROW)
        for pieces in (
            '{id: "9", tongs: {connect: {name: "new"}}}, {id: "8", tongs: {create: {id: "7", name: "new"}}}',
            '{id: "8", others: {create: [{id: "7", name: "new"}]}}, {id: "9", others: {connect: [{name: "old"}]}}',
            # A piece, no tongs; and a key that the rules mask on some.
            '{id: "8", tongs: {create: {id: "7", pieces: {create: [{id: "6"}]}}}}, {id: "9", tongs: {connect: {id: "6"}}}',
            '{id: "8", tongs: {create: {id: "7"}}}, {id: "9", tongs: {connect: {name: "new"}}}',
            '{id: "8", tongs: {create: {id: "7", stamp: "s"}}}, {id: "9", tongs: {connect: {stamp: "s"}}}',
            '{id: "8", tongs: {create: {id: "7", pieces: {create: [{id: "6"}]}}}}, '
            '{id: "9", tongs: {create: {id: "5", pieces: {connect: [{id: "6"}]}}}}',
        )
    ),
    # By its key a row leads to another of its list, to no hidden one of that key, and not to itself.
    (
        "ben",
        'updateForge(id: 1, set: {pieces: {create: [{id: "8", others: {create: [{id: "6"}, {id: "7", pairId: "6"}]}}]}}) { id }',
        Gives({"updateForge": {"id": 1}}),
        {
            **made("Tongs", "6", name=None, stamp=None, rusty=False, pair_id=None),
            **made("Tongs", "7", name=None, stamp=None, rusty=False, pair_id="6"),
            **made("Piece", "8", forge_id=1, tongs_id=None),
            "PieceTongs 8 6": {"piece_id": "8", "tongs_id": "6"},
            "PieceTongs 8 7": {"piece_id": "8", "tongs_id": "7"},
        },
    ),
    *(
        ("ben", f"updateForge(id: 1, set: {{pieces: {{create: [{pieces}]}}}}) {{ id }}", CONSTRAINT)
        for pieces in (
            '{id: "1"}, {id: "9", tongsId: "1"}',
            '{id: "8", tongs: {create: {id: "7", pairId: "7"}}}',
            '{id: "8", others: {create: [{id: "6"}, {id: "7", pairId: "1"}]}}',
        )
    ),
    # It tells nothing of a row that is hidden and has that key, and makes none that its writer could not read.
    (
        "ben",
        'updateForge(id: 1, set: {pieces: {create: [{id: "8", tongs: {create: {id: "7", name: "old"}}}, '
        '{id: "9", tongs: {connect: {name: "old"}}}]}}) { id }',
        CONSTRAINT,
    ),
    (
        "ben",
        'updateForge(id: 1, set: {pieces: {create: [{id: "8", tongs: {create: {id: "7", rusty: true}}}, '
        '{id: "9", tongs: {connect: {id: "7"}}}]}}) { id }',
        FORBIDDEN,
    ),
    # One rule holds of a row beside all others as they were, another beside those before it: none holds of both.
    (
        "ben",
        'updateTray(id: 1, set: {hooks: {update: [{id: "1", set: {up: false}}, {id: "2", set: {up: false}}]}}) { id }',
        FORBIDDEN,
    ),
    # One counts for those after it, in the order of the entries, whatever their keys.
    (
        "ben",
        "updateTray(id: 1, set: {dominoes: {update: [{id: 2, set: {down: true}}, {id: 1, set: {down: true}}]}}) { id }",
        Gives({"updateTray": {"id": 1}}),
        {"Domino 1": {"down": True}, "Domino 2": {"down": True}},
    ),
    (
        "ben",
        "updateTray(id: 1, set: {dominoes: {update: [{id: 1, set: {down: true}}, {id: 2, set: {down: true}}]}}) { id }",
        FORBIDDEN,
    ),
    # And only once it is allowed itself.
    (
        "ben",
        "updateHand(id: 1, set: {moved: true, dominoes: {update: [{id: 4, set: {down: true}}, {id: 3, set: {down: true}}]}}) { id }",
        FORBIDDEN,
    ),
    # A constraint tells nothing to those whom no rule could allow the row.
    ("ben", 'createScore(input: {pupilId: 1, course: "~", by: "ann"}) { id }', Alike(("art", "new"), FORBIDDEN)),
    ("ben", 'createScore(input: {pupilId: 1, course: "~"}) { id }', Alike(("art", "new"), FORBIDDEN)),
    (
        "ben",
        'createScore(input: {pupilId: 1, course: "~", by: "ben", points: 7}) { id }',
        Alike(("art", "new"), FORBIDDEN),
    ),
    ("ben", 'createScore(input: {pupilId: ~, course: "x", by: "ann"}) { id }', Alike(("1", "2", "9"), FORBIDDEN)),
    ("ben", 'updateScore(id: 2, set: {course: "~", by: "ann"}) { id }', Alike(("art", "new"), FORBIDDEN)),
    (
        "ben",
        'upsertScore(on: id, input: {id: ~, pupilId: 1, course: "x", by: "ann"}) { id }',
        Alike(("1", "99"), FORBIDDEN),
    ),
    (
        "ben",
        'createScores(inputs: [{pupilId: 1, course: "a", by: "ben"}, {pupilId: 1, course: "~"}]) { count }',
        Alike(("art", "new"), FORBIDDEN),
    ),
    # So it is where the rule asks for rows of the same entity.
    ("ben", 'createGuest(input: {denId: 2, sub: "~"}) { sub }', Alike(("eva", "fay"), FORBIDDEN)),
    (
        "ben",
        'updateDen(id: 2, set: {guests: {create: [{sub: "~"}]}}) { id }',
        Alike(("eva", "fay"), FORBIDDEN),
    ),
    (
        "ben",
        'updateDen(id: 2, set: {perches: {create: [{}]}, guests: {create: [{sub: "~"}]}}) { id }',
        Alike(("eva", "fay"), FORBIDDEN),
    ),
    # Whom a rule could allow it learns that a key is taken.
    (
        "ben",
        'updateDen(id: 3, set: {guests: {create: [{sub: "ben", host: true}, {sub: "ben"}]}}) { id }',
        CONSTRAINT,
    ),
    (
        "ben",
        'updateDen(id: 4, set: {perches: {delete: [{id: 1}]}, guests: {create: [{sub: "eva"}]}}) { id }',
        CONSTRAINT,
    ),
    ("ben", 'createScore(input: {pupilId: 1, course: "art", by: "ben"}) { id }', CONSTRAINT),
    ("ben", 'createScore(input: {pupilId: 3, course: "art", by: "ben", points: 7}) { id }', CONSTRAINT),
    ("ben", 'updateScore(id: 2, set: {course: "art"}) { id }', CONSTRAINT),
    (
        "ben",
        'createScore(input: {pupilId: 1, course: "art", by: "ben", remarks: {create: [{text: "y"}]}}) { id }',
        CONSTRAINT,
    ),
    (
        "ben",
        'createScore(input: {id: 9, pupilId: 3, course: "new", by: "ben", points: 7, remarks: {create: [{id: 9, text: "y"}]}}) '
        "{ course }",
        Gives({"createScore": {"course": "new"}}),
        {
            "Score 9": {"id": 9, "pupil_id": 3, "course": "new", "by": "ben", "points": 7},
            "Remark 9": {"id": 9, "text": "y", "score_id": 9},
        },
    ),
    # A condition that is unknown allows nothing, whatever is around it.
    (
        "ben",
        'updatePallets(where: {loads: {some: {id: {gt: 0}}}}, set: {text: "x"}) { count rows { id loads { id } } }',
        Gives({"updatePallets": {"count": 1, "rows": [{"id": 2, "loads": [{"id": 2}]}]}}),
        {"Pallet 2": {"text": "x"}},
    ),
    (
        "ben",
        'updatePallets(where: {not: {loads: {every: {id: {gt: 9}}}}}, set: {text: "x"}) { count }',
        count("updatePallets", 1),
        {"Pallet 2": {"text": "x"}},
    ),
    ("ben", 'updateBale(id: ~, set: {text: "x"}) { id }', Alike(("1", "3", "9"), null("updateBale"))),
    (
        "ben",
        'updateBale(id: 2, set: {text: "x"}) { id }',
        Gives({"updateBale": {"id": 2}}),
        {"Bale 2": {"text": "x"}},
    ),
    ("ben", "updateBale(id: 2, set: {state: null}) { id }", FORBIDDEN),
    ("ben", 'createBale(input: {text: "x"}) { id }', FORBIDDEN),
    # Errors name nothing that the role cannot see.
    ("ben", "createTask(input: {squad: {connect: {}}}) { id }", BAD_INPUT),
    ("ben", "createTask(input: {squad: {connect: {name: null}}}) { id }", BAD_INPUT),
    ("ben", "createChore(input: {}) { id }", CONSTRAINT),
)

# --- what a write changes elsewhere -------------------------------------------------------

ELSEWHERE: tuple[Entry, ...] = (
    # What a cascade takes along does not come back below what is deleted, nor is it put there.
    ("ann", "restoreSheet(id: 5) { id }", CONSTRAINT),
    ("admin", "restoreSheet(id: 5) { id }", CONSTRAINT),
    ("ann", "createSheet(input: {final: false, binderId: ~}) { id }", Alike(("3", "99"), CONSTRAINT)),
    ("ann", "updateSheet(id: 2, set: {binderId: ~}) { id }", Alike(("3", "99"), CONSTRAINT)),
    ("ann", "updateSheet(id: 2, set: {binder: {connect: {id: ~}}}) { id }", Alike(("3", "99"), BAD_INPUT)),
    (
        "ann",
        "restoreSheet(id: 6) { id }",
        Gives({"restoreSheet": {"id": 6}}),
        {"Sheet 6": {"deleted_at": None}},
    ),
    # Rows that would go, or lose their to-one, with a ledger: posted ones, and one whose foreign key forbids it. It is
    # the same whether the viewer sees that row.
    *((who, "deleteLedger(id: ~) { id }", Alike(("1", "3", "5", "6"), CONSTRAINT)) for who in ("ben", "admin")),
    *(
        (who, "deleteLedgers(where: {id: {eq: ~}}) { count }", Alike(("1", "3", "5", "6"), CONSTRAINT))
        for who in ("ben", "admin")
    ),
    *(
        (
            who,
            "updatePage(id: 5, set: {ledgers: {delete: [{id: ~}]}}) { id }",
            Alike(("12", "13", "14", "15"), CONSTRAINT),
        )
        for who in ("ben", "admin")
    ),
    # A guard on what becomes of the row.
    *((who, "deleteLedger(id: 7) { id }", FORBIDDEN) for who in ("ben", "admin")),
    # What goes with it takes more along; what stays does not.
    *((who, "deleteLedger(id: 8) { id }", CONSTRAINT) for who in ("ben", "admin")),
    (
        "ben",
        "deleteLedger(id: 9) { id }",
        Gives({"deleteLedger": {"id": 9}}),
        {"Ledger 9": GONE, "Stub 4": {"ledger_id": None}},
    ),
    ("ben", "deleteLedger(id: 2) { id }", Gives({"deleteLedger": {"id": 2}}), {"Ledger 2": GONE, "Line 2": GONE}),
    (
        "ben",
        "deleteLedger(id: 4) { id }",
        Gives({"deleteLedger": {"id": 4}}),
        {"Ledger 4": GONE, "Stub 2": {"ledger_id": None}},
    ),
    # A generated link changes both of its ends.
    *(
        (who, field, expect)
        for who in ("ben", "admin")
        for field, expect in (
            ("updatePage(id: 2, set: {seals: {connect: [{id: 1}]}}) { id }", null("updatePage")),
            ("updateSeal(id: 1, set: {pages: {connect: [{id: 2}]}}) { id }", BAD_INPUT),
            ("updateSeal(id: 1, set: {pages: {connect: [{id: 1}, {id: 2}]}}) { id }", BAD_INPUT),
            ("updateSeal(id: 1, set: {pages: {disconnect: [{id: 3}]}}) { id }", BAD_INPUT),
            ("createSeal(input: {pages: {connect: [{id: 2}]}}) { id }", BAD_INPUT),
            ("deleteSeal(id: 1) { id }", CONSTRAINT),
            ("deleteSeals(where: {id: {gt: 0}}) { count }", CONSTRAINT),
        )
    ),
    (
        "ben",
        "updateSeal(id: 2, set: {pages: {connect: [{id: 1}, {id: 1}]}}) { pages { id } }",
        Gives({"updateSeal": {"pages": [{"id": 1}]}}),
        {"PageSeal 1 2": {"page_id": 1, "seal_id": 2}},
    ),
    ("ben", "deleteSeal(id: 2) { id }", Gives({"deleteSeal": {"id": 2}}), {"Seal 2": GONE}),
    # Links go with a row where the guards at their other ends hold. Its own guards for UPDATE do not count.
    ("ben", "deleteSeal(id: 3) { id }", Gives({"deleteSeal": {"id": 3}}), {"Seal 3": GONE, "PageSeal 1 3": GONE}),
    ("ben", "deletePage(id: 3) { id }", Gives({"deletePage": {"id": 3}}), {"Page 3": GONE, "PageSeal 3 1": GONE}),
    # What a guard requires afterwards holds for links from both ends.
    ("ben", "updatePage(id: 1, set: {seals: {connect: [{id: 4}]}}) { id }", FORBIDDEN),
    ("ben", "updateSeal(id: 4, set: {pages: {connect: [{id: 1}]}}) { id }", FORBIDDEN),
    ("ben", "createSeal(input: {broken: true, pages: {connect: [{id: 1}]}}) { id }", FORBIDDEN),
    # And for links that an admin writes by themselves.
    *(
        ("admin", field, expect)
        for field, expect in (
            ("createPageSeal(input: {pageId: 2, sealId: 2}) { pageId }", CONSTRAINT),
            ("createPageSeal(input: {pageId: 9, sealId: 2}) { pageId }", CONSTRAINT),
            ("createPageSeal(input: {page: {connect: {id: 2}}, sealId: 2}) { pageId }", CONSTRAINT),
            ("createPageSeal(input: {pageId: 2, seal: {create: {}}}) { pageId }", CONSTRAINT),
            ("createPageSeals(inputs: [{pageId: 1, sealId: 2}, {pageId: 2, sealId: 2}]) { count }", CONSTRAINT),
            ("createPageSeal(input: {pageId: 1, sealId: 4}) { pageId }", FORBIDDEN),
            ("deletePageSeal(pageId: 3, sealId: 1) { pageId }", CONSTRAINT),
            ("deletePageSeals(where: {sealId: {gt: 0}}) { count }", CONSTRAINT),
        )
    ),
    (
        "admin",
        "createPageSeal(input: {pageId: 1, sealId: 2}) { pageId }",
        Gives({"createPageSeal": {"pageId": 1}}),
        {"PageSeal 1 2": {"page_id": 1, "seal_id": 2}},
    ),
    (
        "admin",
        "createPageSeal(input: {page: {create: {id: 9, locked: true}}, sealId: 2}) { pageId }",
        Gives({"createPageSeal": {"pageId": 9}}),
        {"Page 9": {"id": 9, "locked": True}, "PageSeal 9 2": {"page_id": 9, "seal_id": 2}},
    ),
    (
        "admin",
        "deletePageSeals(where: {pageId: {eq: 1}}) { count }",
        count("deletePageSeals", 1),
        {"PageSeal 1 3": GONE},
    ),
    # Softly too; what is deleted already does not go with it.
    (
        "ben",
        "deleteBinder(id: 2) { id }",
        Gives({"deleteBinder": {"id": 2}}),
        {"Binder 2": {"deleted_at": ANY}, "Sheet 2": {"deleted_at": ANY}},
    ),
    *((who, "deleteBinder(id: 1) { id }", CONSTRAINT) for who in ("ben", "admin")),
    *((who, "restoreBinder(id: 3) { id }", CONSTRAINT) for who in ("ben", "admin")),
    # Only what was deleted with it comes back, also where nobody is told when that was.
    *(
        (who, "restoreBinder(id: 4) { id }", Gives({"restoreBinder": {"id": 4}}), {"Binder 4": {"deleted_at": None}})
        for who in ("ben", "admin")
    ),
    ("ben", "deleteKnot(id: 1) { id }", Gives({"deleteKnot": {"id": 1}}), {"Knot 1": GONE, "Knot 2": GONE}),
    # What goes along is gone for rows after it.
    (
        "ben",
        'updateGarden(id: 1, set: {trees: {delete: [{id: 1}]}, apples: {create: [{id: "9"}]}}) { id }',
        FORBIDDEN,
    ),
    (
        "ben",
        'updateGarden(id: 1, set: {apples: {create: [{id: "9"}]}}) { id }',
        Gives({"updateGarden": {"id": 1}}),
        made("Apple", "9", ripe=False, garden_id=1, tree_id=None),
    ),
    # For rows before it, it is there yet.
    (
        "ben",
        'updateGarden(id: 2, set: {apples: {create: [{id: "9"}]}, hedge: {delete: [{id: 2}]}}) { id }',
        Gives({"updateGarden": {"id": 2}}),
        {**made("Apple", "9", ripe=False, garden_id=2, tree_id=None), "Apple 2": GONE, "Tree 2": GONE},
    ),
    # What has a mark of deletion is there yet for a deletion that is none.
    *((who, "deleteLedger(id: 11) { id }", CONSTRAINT) for who in ("ben", "admin")),
    # Rows that are changed do not go with others: nothing would be judged.
    (
        "ben",
        "updatePage(id: 4, set: {lines: {update: [{id: 4, set: {posted: false}}]}, ledgers: {delete: [{id: 10}]}}) { id }",
        FORBIDDEN,
    ),
)

# --- members of a list ---------------------------------------------------------------------

MEMBERS: tuple[Entry, ...] = (
    # A row that is there, and not in the list.
    ("ben", "updatePage(id: 1, set: {seals: {delete: [{id: 2}]}}) { id }", BAD_INPUT),
    ("ben", "updatePage(id: 1, set: {seals: {disconnect: [{id: 2}]}}) { id }", BAD_INPUT),
    (
        "ben",
        "updatePage(id: 1, set: {seals: {update: [{id: ~, set: {broken: false}}]}}) { id }",
        Alike(("2", "9"), BAD_INPUT),
    ),
    (
        "ben",
        "updatePage(id: 1, set: {seals: {delete: [{id: 3}, {id: 3}]}}) { id }",
        Gives({"updatePage": {"id": 1}}),
        {"Seal 3": GONE, "PageSeal 1 3": GONE},
    ),
    (
        "ben",
        "updatePage(id: 1, set: {seals: {disconnect: [{id: 3}, {id: 3}]}}) { id }",
        Gives({"updatePage": {"id": 1}}),
        {"PageSeal 1 3": GONE},
    ),
    # What becomes of a row does not matter once it is gone.
    (
        "ben",
        "updateSeal(id: 3, set: {pages: {disconnect: [{id: 1}], delete: [{id: 1}]}}) { id }",
        Gives({"updateSeal": {"id": 3}}),
        {"Page 1": GONE, "PageSeal 1 3": GONE},
    ),
    # A guard for UPDATE says nothing of rows that are deleted.
    (
        "ben",
        "updateSeal(id: 1, set: {pages: {delete: [{id: 3}]}}) { id }",
        Gives({"updateSeal": {"id": 1}}),
        {"Page 3": GONE, "PageSeal 3 1": GONE},
    ),
    # One that is in the list, and may be read, but not changed; or changed, but not deleted.
    ("ann", 'updateChart(id: 2, set: {title: "x", mappers: {delete: [{id: "ann"}]}}) { id }', BAD_INPUT),
    (
        "ben",
        'updateChart(id: 2, set: {title: "x", mappers: {update: [{id: "ann", set: {chief: false}}]}}) { id }',
        BAD_INPUT,
    ),
    (
        "ann",
        'updateChart(id: 2, set: {title: "x", mappers: {update: [{id: "ann", set: {chief: false}}]}}) { id }',
        Gives({"updateChart": {"id": 2}}),
        {"Chart 2": {"title": "x"}, "Mapper ann": {"chief": False}},
    ),
    ("ben", 'updateRoom(id: "2", set: {beds: {delete: [{id: "2"}]}}) { id }', BAD_INPUT),
    # Each once.
    (
        "ben",
        'updateManyPurses(updates: [{id: 1, set: {description: "x"}}, {id: 1, set: {tips: 3}}]) { count }',
        twice("updates.1"),
    ),
    *(
        (
            "ben",
            f"updateClub(id: 1, set: {{notes: {{{way}: [{first}, {second}]}}}}) {{ id }}",
            twice(f"set.notes.{way}.1"),
        )
        for way, first, second in (
            ("update", '{id: 3, set: {state: "public"}}', "{id: 3, inc: {stars: 5}}"),
            ("update", '{id: 3, set: {text: "x"}}', '{id: 3, set: {text: "y"}}'),
            ("disconnect", "{id: 3}", "{id: 3}"),
        )
    ),
    # Places are taken once all have theirs, by hidden rows as by others.
    (
        "ben",
        "updateManyBottles(updates: [{id: 1, set: {place: 2, dark: false}}, {id: 2, set: {place: 1}}]) { count }",
        count("updateManyBottles", 2),
        {"Bottle 1": {"place": 2}, "Bottle 2": {"place": 1}},
    ),
    ("ben", "updateBottle(id: 1, set: {place: ~}) { id }", Alike(("2", "3"), CONSTRAINT)),
    ("ben", "updateBottles(where: {id: {lt: 3}}, inc: {place: 1}) { count }", CONSTRAINT),
)

DIRECTED: tuple[Entry, ...] = (
    # Whom one cheers one decides oneself; who cheers one does not follow from that.
    *(
        (
            "ann",
            'updateFan(id: "ann", set: {idols: {%s: [{id: "%s"}]}}) { idols(orderBy: [{id: ASC}]) { id } fans(orderBy: [{id: ASC}]) { id } }'
            % (way, other),
            Gives({"updateFan": {"idols": [{"id": name} for name in idols], "fans": [{"id": "ben"}, {"id": "cat"}]}}),
            changes,
        )
        for way, other, idols, changes in (
            ("connect", "ben", ["ben"], {}),
            ("connect", "cat", ["ben", "cat"], {"Cheer ann cat": {"fan_id": "ann", "idol_id": "cat"}}),
            ("disconnect", "ben", [], {"Cheer ann ben": GONE}),
        )
    ),
    *(
        (who, field, expect)
        for who, field, expect in (
            (
                "ann",
                'updateFan(id: "ann", set: {idols: {connect: [{id: "~"}]}}) { id }',
                Alike(("dan", "eve"), BAD_INPUT),
            ),
            (
                "ann",
                'updateFan(id: "ann", set: {idols: {disconnect: [{id: "~"}]}}) { id }',
                Alike(("dan", "eve"), BAD_INPUT),
            ),
            # By a row of the other direction no row is in the list.
            ("ann", 'updateFan(id: "ann", set: {idols: {disconnect: [{id: "cat"}]}}) { id }', BAD_INPUT),
            ("ann", 'updateFan(id: "ben", set: {idols: {disconnect: [{id: "ann"}]}}) { id }', null("updateFan")),
            # Nobody is made to cheer, by a generated link or by one of its own rules.
            ("ann", 'updateFan(id: "ann", set: {fans: {connect: [{id: "ben"}]}}) { id }', INVALID),
            ("ann", 'updateFan(id: "ann", set: {worshippers: {connect: [{id: "cat"}]}}) { id }', FORBIDDEN),
            ("ann", 'updateFan(id: "ann", set: {worshippers: {disconnect: [{id: "ben"}]}}) { id }', FORBIDDEN),
            (
                "ann",
                'updateFan(id: "ann", set: {worshippers: {disconnect: [{id: "~"}]}}) { id }',
                Alike(("dan", "eve"), BAD_INPUT),
            ),
            ("ann", 'createWorship(input: {fanId: "ben", heroId: "cat"}) { fanId }', FORBIDDEN),
            (
                "ann",
                'updateFan(id: "ann", set: {heroes: {connect: [{id: "~"}]}}) { id }',
                Alike(("dan", "eve"), BAD_INPUT),
            ),
        )
    ),
    (
        "ann",
        'updateFan(id: "ann", set: {heroes: {connect: [{id: "cat"}], disconnect: [{id: "ben"}]}}) { heroes { id } worshippers { id } }',
        Gives({"updateFan": {"heroes": [{"id": "cat"}], "worshippers": [{"id": "ben"}]}}),
        {"Worship ann ben": GONE, "Worship ann cat": {"fan_id": "ann", "hero_id": "cat"}},
    ),
)

SHARED: tuple[Entry, ...] = (
    # Which lodge a dark light is in, no bracket tells, from neither end; nor does it lead to a hidden bracket.
    *(
        ("ann", field, Alike(values, CONSTRAINT))
        for field, values in (
            ('updateLight(id: "2", set: {bracket: {connect: {lodgeId: ~, number: 1}}}) { id }', ("1", "2")),
            ('updateLights(where: {lit: {eq: false}}, set: {bracket: {connect: {name: "~"}}}) { count }', ("1a", "2a")),
            ('updateBracket(lodgeId: ~, number: 1, set: {lights: {connect: [{id: "2"}]}}) { number }', ("1", "2")),
            ('updateLight(id: "1", set: {bracketNumber: ~}) { id }', ("2", "9")),
            ('createLight(input: {id: "9", lit: true, lodgeId: 1, bracketNumber: ~}) { id }', ("2", "9")),
        )
    ),
    *(
        ("ann", field, Alike(values, BAD_INPUT))
        for field, values in (
            ('updateLight(id: "1", set: {bracket: {connect: {lodgeId: 1, number: ~}}}) { id }', ("2", "9")),
            (
                'createLight(input: {id: "9", lit: true, lodgeId: 1, bracket: {connect: {lodgeId: 1, number: ~}}}) { id }',
                ("2", "9"),
            ),
            # Nor is the key of a bracket told by what is given beside it.
            (
                'createLight(input: {id: "9", lit: true, lodgeId: ~, bracket: {connect: {name: "3a"}}}) { id }',
                ("3", "1"),
            ),
            (
                'createLight(input: {id: "9", lit: true, lodge: {connect: {id: ~}}, bracket: {connect: {name: "3a"}}}) { id }',
                ("1", "2"),
            ),
        )
    ),
    # Where a to-one leads is judged before anything is written, though the row of another is new.
    (
        "ann",
        'createLeaf(input: {id: "9", text: "moss", keeperId: "~", step: {create: {id: "1"}}}) { id }',
        Alike(("dan", "zed"), Refused((Code.CONSTRAINT_VIOLATION,), "No such keeper.")),
    ),
    (
        "usher",
        'updateLight(id: "1", set: {spareNumber: ~, bracket: {create: {number: 1, name: "x", open: true}}}) { id }',
        Alike(("2", "9"), Refused((Code.CONSTRAINT_VIOLATION,), "No such bracket.")),
    ),
    # No bracket takes a light to another lodge.
    *(
        ("ann", field, Refused((Code.BAD_USER_INPUT,), f"`{place}` leads to another lodgeId than the row has."))
        for field, place in (
            ('updateLight(id: "1", set: {bracket: {connect: {lodgeId: 2, number: 1}}}) { id }', "set.bracket"),
            (
                'updateBracket(lodgeId: 2, number: 1, set: {lights: {connect: [{id: "1"}]}}) { number }',
                "set.lights.connect.0",
            ),
        )
    ),
    (
        "ann",
        'updateLight(id: "1", set: {bracket: {connect: {lodgeId: 1, number: 3}}}) { id }',
        Gives({"updateLight": {"id": "1"}}),
        {"Light 1": {"bracket_number": 3}},
    ),
    # It may be taken from its bracket, and stays in its lodge.
    (
        "ann",
        'updateBracket(lodgeId: 1, number: 1, set: {lights: {disconnect: [{id: "1"}]}}) { number }',
        Gives({"updateBracket": {"number": 1}}),
        {"Light 1": {"bracket_number": None}},
    ),
    # Rows of two lodges are joined by nothing, whatever there is with half of each key.
    *(
        (
            who,
            "updateBracket(lodgeId: 1, number: 1, set: {twines: {%s: [{lodgeId: 2, number: 1}]}}) { number }" % way,
            BAD_INPUT,
        )
        for who in ("ann", "admin")
        for way in ("disconnect", "delete")
    ),
    (
        "ann",
        "updateBracket(lodgeId: 1, number: 1, set: {twines: {connect: [{lodgeId: 2, number: 1}]}}) { number }",
        Refused(
            (Code.BAD_USER_INPUT,), "`set.twines.connect.0` and the row around it set different values on lodgeId."
        ),
    ),
    # A preset by SQL leads to no hidden row beside the one that is named, and to no other.
    *(
        ("ann", 'updateLease(id: "1", set: {place: {connect: {hall: 1, number: 1}}}) { id }', CONSTRAINT),
        ("ann", 'updateLease(id: "1", set: {place: {connect: {hall: 1, number: 2}}}) { id }', FORBIDDEN),
    ),
    # Nor does one lead to a hidden row by what is added to its key, or is filled in.
    ("ann", 'updateStay(id: "1", inc: {hall: ~}) { id }', Alike(("1", "7"), CONSTRAINT)),
    ("ann", 'createStay(input: {id: "9", placeNumber: ~}) { id }', Alike(("1", "9"), CONSTRAINT)),
    ("ann", 'createLease(input: {id: "9", placeNumber: ~}) { id }', Alike(("1", "9"), CONSTRAINT)),
    ("ann", 'updateLease(id: "1", set: {placeNumber: ~}) { id }', Alike(("1", "9"), CONSTRAINT)),
    ("admin", 'createLease(input: {id: "9", hall: 3, placeNumber: ~}) { id }', Alike(("5", "9"), CONSTRAINT)),
    (
        "ann",
        'updateStay(id: "1", inc: {hall: 2}) { id }',
        Gives({"updateStay": {"id": "1"}}),
        {"Stay 1": {"hall": 3}},
    ),
    (
        "ann",
        'createStay(input: {id: "9", placeNumber: 2}) { id }',
        Gives({"createStay": {"id": "9"}}),
        made("Stay", "9", hall=2, place_number=2),
    ),
    (
        "ann",
        'createLease(input: {id: "9", placeNumber: 2}) { id }',
        Gives({"createLease": {"id": "9"}}),
        made("Lease", "9", hall=2, place_number=2),
    ),
    (
        "ann",
        'updateLease(id: "1", set: {placeNumber: 2}) { id }',
        Gives({"updateLease": {"id": "1"}}),
        {"Lease 1": {"hall": 2, "place_number": 2}},
    ),
    # Two to-ones that have a column in common lead to where both say, or nowhere.
    (
        "ann",
        'createBooking(input: {id: "9", club: {connect: {id: 1}}, seat: {connect: {clubId: 2, number: 2}}}) { id }',
        BAD_INPUT,
    ),
    *(
        ("ann", f, Alike(values, CONSTRAINT))
        for f, values in (
            # Where it leads is known once the other's row is new.
            ('createSpot(input: {id: "9", area: {create: {id: 22}}, placeNumber: ~}) { id }', ("1", "8")),
            ('updateSpot(id: "1", set: {area: {create: {id: ~}}}) { id }', ("22", "27")),
            # A new row with a part of the key is another one.
            (
                'createStays(inputs: [{id: "8", place: {create: {hall: 2, number: 9}}}, {id: "9", hall: 2, placeNumber: ~}]) { count }',
                ("1", "8"),
            ),
            (
                'updateStep(id: "1", set: {places: {create: [{hall: 2, number: 9}]}, stays: {create: [{id: "9", hall: 2, placeNumber: ~}]}}) { id }',
                ("1", "8"),
            ),
            # And so is one that goes.
            (
                'updateStep(id: "1", set: {flags: {delete: [{id: "3"}]}, leaves: {create: [{id: "9", text: "moss", flagId: "~"}]}}) { id }',
                ("2", "7"),
            ),
        )
    ),
    # The whole of its key leads to a new row beside it.
    (
        "ann",
        'updateStep(id: "1", set: {places: {create: [{hall: 2, number: 9}]}, stays: {create: [{id: "9", hall: 2, placeNumber: 9}]}}) { id }',
        Gives({"updateStep": {"id": "1"}}),
        {
            "Place 2 9": {"hall": 2, "number": 9, "open": True, "deleted_at": None},
            **made("Stay", "9", hall=2, place_number=9),
            "Site 2 9 1": {"step_id": "1", "place_hall": 2, "place_number": 9},
            "Sojourn 9 1": {"step_id": "1", "stay_id": "9"},
        },
    ),
    *(
        (who, field, Refused((Code.BAD_USER_INPUT,), f"`{place}` and another field set different values on {name}."))
        for who, field, place, name in (
            (
                "ann",
                'createSpot(input: {id: "9", area: {create: {id: 22}}, place: {connect: {hall: 2, number: 2}}}) { id }',
                "input.area",
                "placeHall",
            ),
            (
                "admin",
                "updatePost(id: %s, set: {area: {create: {id: 22}}, place: {connect: {hall: 2, number: 2}}}) { id }"
                % MEMBER_1,
                "set.area",
                "hall",
            ),
        )
    ),
    (
        "ann",
        'updateStay(id: "1", set: {place: {connect: {hall: 2, number: 2}}}, inc: {hall: 1}) { id }',
        Refused((Code.BAD_USER_INPUT,), "`set.place` and inc both set hall."),
    ),
    # That is told before whatever else is wrong.
    (
        "nobody",
        'createBooking(input: {id: "9", club: {connect: {id: 2}}, seat: {connect: {clubId: 1, number: 1}}}) { id }',
        BAD_INPUT,
    ),
    # Where neither end shows it nobody learns which letter is in which drawer.
    (
        "clerk",
        'updateDrawer(id: 1, set: {letters: {update: [{id: ~, set: {text: "x"}}]}}) { id }',
        Alike(("1", "2", "9"), BAD_INPUT),
    ),
    ("clerk", "updateDrawer(id: 1, set: {letters: {delete: [{id: ~}]}}) { id }", Alike(("1", "2", "9"), BAD_INPUT)),
    # A key by which a row is found is not changed by it.
    (
        "admin",
        'upsertMember(input: {clubId: 1, personId: "ben", club: {connect: {id: 2}}}, on: club_person) { id }',
        BAD_INPUT,
    ),
    # Nor is a filter of nothing one of something.
    *(
        ("ann", f"deleteFolders(where: {where}) {{ count }}", BAD_INPUT)
        for where in (
            "{papersAggregate: {where: {id: {eq: 1}}}}",
            "{papersAggregate: {max: {}}}",
            "{papersAggregate: {max: {id: {}}}}",
            "{data: {path: []}}",
            '{data: {path: [{at: ["a"]}]}}',
        )
    ),
)

# --- what is filled by a preset -------------------------------------------------------------

PRESETS: tuple[Entry, ...] = (
    # An admin may give it, and who gives nothing has one's own.
    (
        "chief",
        'createBooking(input: {id: "9", guestId: "ben"}) { id }',
        Gives({"createBooking": {"id": "9"}}),
        made("Booking", "9", guest_id="ben", seat_number=None, seat_club_id=None),
    ),
    (
        "chief",
        'createBooking(input: {id: "9"}) { id }',
        Gives({"createBooking": {"id": "9"}}),
        made("Booking", "9", guest_id="ann", seat_number=None, seat_club_id=None),
    ),
    # There is no claim to fill it with: that is no admin's fault, and nobody's who creates nothing.
    (
        "admin",
        'createTicket(input: {id: "9", title: "x"}) { id }',
        Gives({"createTicket": {"id": "9"}}),
        made("Ticket", "9", title="x", owner_id=None, made="X", changed=None),
    ),
    ("nobody", 'createTicket(input: {id: "9", title: "x"}) { id }', FORBIDDEN),
    ("empty", 'createTicket(input: {id: "9", title: "x"}) { id }', FORBIDDEN),
    (
        "nobody",
        'upsertTickets(inputs: [{id: "1", title: "x"}], on: id) { count }',
        count("upsertTickets", 1),
        {"Ticket 1": {"title": "x", "changed": "X"}},
    ),
    # What the row is nested in gives the same.
    (
        "ann",
        'updatePerson(id: "ann", set: {bookings: {create: [{id: "9"}]}}) { id }',
        Gives({"updatePerson": {"id": "ann"}}),
        made("Booking", "9", guest_id="ann", seat_number=None, seat_club_id=None),
    ),
    ("usher", 'updatePerson(id: "ben", set: {tickets: {create: [{id: "9", title: "x"}]}}) { id }', FORBIDDEN),
    # And a row that is not there yet, too.
    ("ann", 'createStep(input: {id: "8", rungs: {create: [{id: "9"}]}}) { id }', FORBIDDEN),
    (
        "ann",
        'createStep(input: {id: "ann", rungs: {create: [{id: "9"}]}}) { id }',
        Gives({"createStep": {"id": "ann"}}),
        {**made("Step", "ann", title=None, next_id=None), **made("Rung", "9", step_id="ann")},
    ),
    # By SQL, of what it is for only.
    # It is filled at each change.
    (
        "ann",
        'updateFlag(id: "1", set: {text: "x"}) { id }',
        Gives({"updateFlag": {"id": "1"}}),
        {"Flag 1": {"text": "x", "changer": "ann"}},
    ),
    ("nobody", 'updateFlag(id: "1", set: {text: "x"}) { id }', FORBIDDEN),
    ("empty", 'updateFlag(id: "1", set: {text: "x"}) { id }', FORBIDDEN),
    (
        "ann",
        'createTicket(input: {id: "9", title: "x"}) { id }',
        Gives({"createTicket": {"id": "9"}}),
        made("Ticket", "9", title="x", owner_id="ann", made="X", changed=None),
    ),
    (
        "ann",
        'updateTicket(id: "1", set: {title: "x"}) { id }',
        Gives({"updateTicket": {"id": "1"}}),
        {"Ticket 1": {"title": "x", "changed": "X"}},
    ),
    (
        "admin",
        'createTicket(input: {id: "9", title: "x", made: "mine"}) { id }',
        Gives({"createTicket": {"id": "9"}}),
        made("Ticket", "9", title="x", owner_id=None, made="mine", changed=None),
    ),
    (
        "admin",
        'updateTicket(id: "1", set: {title: "x", changed: "mine"}) { id }',
        Gives({"updateTicket": {"id": "1"}}),
        {"Ticket 1": {"title": "x", "changed": "mine"}},
    ),
)

# --- what is filled by the row around it ------------------------------------------------------

FILLED: tuple[Entry, ...] = (
    # It is not given a second time, by whatever name.
    (
        "ben",
        'updateClub(id: 1, set: {notes: {create: [{text: "x", clubId: 2}]}}) { id }',
        nested("set.notes.create.0.clubId"),
    ),
    (
        "ben",
        'updateClub(id: 1, set: {notes: {create: [{text: "x", club: {connect: {id: 2}}}]}}) { id }',
        nested("set.notes.create.0.club"),
    ),
    (
        "ann",
        'updateStep(id: "1", set: {leaves: {create: [{id: "9", place: "2"}]}}) { id }',
        nested("set.leaves.create.0.place"),
    ),
    (
        "ann",
        'updateStep(id: "1", set: {leaves: {create: [{id: "9", step: {connect: {id: "2"}}}]}}) { id }',
        nested("set.leaves.create.0.step"),
    ),
    # A rule must hold it all the same.
    ("ann", 'updateStep(id: "1", set: {leaves: {create: [{id: "9", text: "x"}]}}) { id }', FORBIDDEN),
    (
        "ann",
        'updateStep(id: "1", set: {leaves: {create: [{id: "9", text: "moss"}]}}) { id }',
        Gives({"updateStep": {"id": "1"}}),
        made("Leaf", "9", text="moss", place="1", keeper_id=None, flag_id=None),
    ),
    # A new row counts as one that a key may lead to, and no new row of another entity does.
    (
        "ann",
        'createLeafs(inputs: [{id: "8", text: "moss", step: {create: {id: "8"}}}, {id: "9", text: "moss", place: "8"}]) { count }',
        count("createLeafs", 2),
        {
            **made("Step", "8", title=None, next_id=None),
            **made("Leaf", "8", text="moss", place="8", keeper_id=None, flag_id=None),
            **made("Leaf", "9", text="moss", place="8", keeper_id=None, flag_id=None),
        },
    ),
    (
        "ann",
        'createLeafs(inputs: [{id: "8", flag: {create: {id: "8", text: "x"}}}, {id: "9", flagId: "8"}]) { count }',
        count("createLeafs", 2),
        {
            **made("Flag", "8", text="x", changer=None, step_id=None),
            **made("Leaf", "8", text=None, place=None, keeper_id=None, flag_id="8"),
            **made("Leaf", "9", text=None, place=None, keeper_id=None, flag_id="8"),
        },
    ),
    (
        "ann",
        'createLeafs(inputs: [{id: "8", flag: {create: {id: "8", text: "x"}}}, {id: "9", flagId: "~"}]) { count }',
        Alike(("2", "7"), CONSTRAINT),
    ),
    (
        "ann",
        'createStep(input: {id: "~", leaves: {create: [{id: "9", text: "moss", keeperId: "~"}]}}) { id }',
        Alike(("dan", "zoe"), CONSTRAINT),
    ),
    (
        "ann",
        'createStep(input: {id: "8", leaves: {create: [{id: "9", text: "moss", place: "8"}]}}) { id }',
        nested("input.leaves.create.0.place"),
    ),
    (
        "ann",
        'updateStay(id: "1", set: {hall: 2, placeNumber: 2, place: {connect: {hall: 2, number: 2}}}) { id }',
        Refused((Code.BAD_USER_INPUT,), "`set.place` and its key are both set."),
    ),
    (
        "ann",
        "createArea(input: {id: 22, places: {connect: [{hall: 2, number: 2}]}}) { id }",
        FORBIDDEN,
    ),
    # One key names a row, and the whole of it.
    ("ann", 'createBooking(input: {id: "9", seat: {connect: {number: 2}}}) { id }', BAD_INPUT),
)

# --- rules of which some are about the row, or the fields, and some are not --------------------

HALVES: tuple[Entry, ...] = (
    # None is about what becomes of the row.
    ("ann", 'updatePoster(id: "2", set: {text: "x"}) { id }', FORBIDDEN),
    (
        "ann",
        'updatePoster(id: "1", set: {text: "x"}) { id }',
        Gives({"updatePoster": {"id": "1"}}),
        {"Poster 1": {"text": "x"}},
    ),
    # One of them is.
    ("ann", 'createParcel(input: {id: "9", sent: true}) { id }', FORBIDDEN),
    ("ann", 'updateParcel(id: "1", set: {sent: true}) { id }', FORBIDDEN),
    (
        "ann",
        'updateParcel(id: "2", set: {label: "x"}) { id }',
        Gives({"updateParcel": {"id": "2"}}),
        {"Parcel 2": {"label": "x"}},
    ),
    # No field lacks a rule, but the row does.
    ("ann", "createSign(input: {}) { id }", FORBIDDEN),
    ("ann", "updateSign(id: %s, set: {up: false}) { id }" % MEMBER_1, FORBIDDEN),
    # A row leads to those before it, to none after it, whatever one may do.
    (
        "ann",
        'createSteps(inputs: [{id: "8", nextId: "9"}, {id: "9", nextId: "8"}]) { count }',
        CONSTRAINT,
    ),
    (
        "ann",
        'updateStep(id: "2", set: {title: "x", previous: {delete: [{id: "2"}]}}) { id }',
        BAD_INPUT,
    ),
    ("ann", "upsertNotes(inputs: [], on: id) { count }", count("upsertNotes", 0)),
)

# --- rows moved out of sight, into it, or to where others are ------------------------------

MOVES: tuple[Entry, ...] = (
    *(
        ("ann", f, FORBIDDEN)
        for f in (
            "updateMember(id: %s, set: {clubId: 2}) { id }" % MEMBER_1,
            "updateMember(id: %s, set: {club: {connect: {id: 2}}}) { id }" % MEMBER_1,
            'updateMember(id: %s, set: {club: {create: {name: "x"}}}) { id }' % MEMBER_1,
            "updateMembers(where: {}, all: true, set: {clubId: 2}) { count }",
            "updateManyMembers(updates: [{id: %s, set: {clubId: 2}}]) { count }" % MEMBER_2,
            "updateClub(id: 1, set: {members: {update: [{id: %s, set: {clubId: 2}}]}}) { id }" % MEMBER_1,
            'upsertMember(input: {clubId: 2, personId: "ann", level: ADMIN}, on: club_person) { id }',
            'updateClub(id: 1, set: {members: {update: [{id: %s, set: {personId: "cat"}}]}}) { id }' % MEMBER_1,
            "updateClub(id: 1, set: {notes: {connect: [{id: 4}]}}) { id }",
            "updatePaper(id: 1, set: {folderId: 3}) { id }",
            "updatePaper(id: 1, set: {folder: {connect: {id: 3}}}) { id }",
            "updatePaper(id: 1, set: {folderId: null}) { id }",
            'createPaper(input: {text: "x", folderId: 3}) { id }',
            'createPaper(input: {text: "x"}) { id }',
            "updateFolder(id: 3, set: {shared: false}) { id }",
            "updateFolder(id: 1, set: {papers: {disconnect: [{id: 1}]}}) { id }",
            'createClub(input: {name: "x"}) { id }',
        )
    ),
    ("ann", "updateFolder(id: 3, set: {papers: {connect: [{id: 1}]}}) { id }", FORBIDDEN),
    ("ann", "updateClub(id: 1, set: {members: {~disconnect~: [{id: %s}]}}) { id }" % MEMBER_2, AsUnknown()),
    # Read, and changed by whom it was shared with, within the rule.
    (
        "ann",
        "updateFolder(id: 3, set: {data: 1}) { data }",
        Gives({"updateFolder": {"data": 1}}),
        {"Folder 3": {"data": 1}},
    ),
)

# --- rows that vouch for themselves, or for one another ------------------------------------

VOUCHING: tuple[Entry, ...] = (
    ("ben", 'createVisit(input: {id: "9", guestId: "ben"}) { id }', FORBIDDEN),
    ("ben", 'createVisits(inputs: [{id: "8", guestId: "ben"}, {id: "9", guestId: "ben"}]) { count }', FORBIDDEN),
    (
        "ann",
        'createVisit(input: {id: "9", guestId: "ann"}) { id }',
        Gives({"createVisit": {"id": "9"}}),
        {"Visit 9": {"id": "9", "guest_id": "ann"}},
    ),
    # By a part of the condition, by a link, by a row that it leads to.
    ("ben", 'createBand(input: {id: "9", title: "x", leaderId: "ben"}) { id }', FORBIDDEN),
    (
        "ann",
        'createBand(input: {id: "9", title: "x", leaderId: "ann"}) { id }',
        Gives({"createBand": {"id": "9"}}),
        made("Band", "9", title="x", leader_id="ann"),
    ),
    ("ben", 'createJoining(input: {clubId: 2, personId: "ben"}) { clubId }', FORBIDDEN),
    ("ben", 'createJoining(input: {clubId: 1, personId: "ben"}) { clubId }', FORBIDDEN),
    (
        "ann",
        'createJoining(input: {clubId: 1, personId: "ben"}) { clubId }',
        Gives({"createJoining": {"clubId": 1}}),
        {"Joining 1 ben": {"club_id": 1, "person_id": "ben"}},
    ),
    ("ann", 'createGrade(input: {id: "9", level: 9, giverId: "9"}) { id }', FORBIDDEN),
    (
        "ann",
        'createGrade(input: {id: "9", level: 9, giverId: "1"}) { id }',
        Gives({"createGrade": {"id": "9"}}),
        made("Grade", "9", level=9, giver_id="1"),
    ),
    *(
        (name, f, FORBIDDEN)
        for name in ("ann", "ben", "cat")
        for f in (
            f'createMember(input: {{clubId: 2, personId: "{name}", level: ADMIN}}) {{ id }}',
            f'createMember(input: {{club: {{connect: {{id: 2}}}}, personId: "{name}", level: ADMIN}}) {{ id }}',
            f'createMembers(inputs: [{{clubId: 2, personId: "{name}", level: ADMIN}}]) {{ count }}',
            f'upsertMember(input: {{clubId: 2, personId: "{name}", level: ADMIN}}, on: club_person) {{ id }}',
            f'upsertMembers(inputs: [{{clubId: 2, personId: "{name}", level: ADMIN}}], on: club_person) {{ count }}',
            f'createClub(input: {{name: "x", members: {{create: [{{personId: "{name}", level: ADMIN}}]}}}}) {{ id }}',
            f'createMember(input: {{club: {{create: {{name: "x"}}}}, personId: "{name}", level: ADMIN}}) {{ id }}',
        )
    ),
    (
        "ben",
        'createMembers(inputs: [{clubId: 2, personId: "ben", level: ADMIN}, {clubId: 2, personId: "ann"}]) { count }',
        FORBIDDEN,
    ),
    ("cat", 'createMember(input: {clubId: 1, personId: "cat", level: ADMIN}) { id }', CONSTRAINT),
    ("ben", 'upsertMember(input: {clubId: 1, personId: "ben", level: ADMIN}, on: club_person) { id }', CONSTRAINT),
    ("ben", 'createMember(input: {clubId: 1, personId: "cat"}) { id }', FORBIDDEN),
    ("ben", 'updateClub(id: 1, set: {members: {create: [{personId: "cat", level: ADMIN}]}}) { id }', FORBIDDEN),
    (
        "ben",
        "updateClub(id: 1, set: {members: {update: [{id: %s, set: {level: ADMIN}}]}}) { id }" % MEMBER_2,
        BAD_INPUT,
    ),
    (
        "ben",
        "updateManyMembers(updates: [{id: %s, set: {level: ADMIN}}, {id: %s, set: {level: GUEST}}]) { count }"
        % (MEMBER_2, MEMBER_1),
        count("updateManyMembers", 0),
    ),
    (
        "ben",
        'updatePerson(id: "ben", set: {memberships: {update: [{id: %s, set: {level: ADMIN}}]}}) { id }' % MEMBER_2,
        BAD_INPUT,
    ),
    ("ben", 'updatePerson(id: "ben", set: {memberships: {create: [{clubId: 2, level: ADMIN}]}}) { id }', FORBIDDEN),
    # Who has stepped down by the first change makes no second one.
    (
        "ann",
        "updateManyMembers(updates: [{id: %s, set: {level: GUEST}}, {id: %s, set: {level: ADMIN}}]) { count }"
        % (MEMBER_1, MEMBER_2),
        count("updateManyMembers", 1),
        {f"Member {MEMBER_1[1:-1]}": {"level": "GUEST"}},
    ),
    (
        "ann",
        "a: updateMember(id: %s, set: {level: GUEST}) { id } b: updateMember(id: %s, set: {level: ADMIN}) { id }"
        % (MEMBER_1, MEMBER_2),
        Gives({"a": {"id": MEMBER_1[1:-1]}, "b": None}),
        {f"Member {MEMBER_1[1:-1]}": {"level": "GUEST"}},
    ),
    # Who leaves sees the club no more, and nobody else is made one of it by that.
    (
        "ann",
        'updateClub(id: 1, set: {members: {delete: [{id: %s}], create: [{personId: "cat"}]}}) { id }' % MEMBER_1,
        FORBIDDEN,
    ),
)

# --- what is hidden is told by nothing -----------------------------------------------------

HIDDEN_ROWS: tuple[Entry, ...] = (
    # A to-one leads to what may be read.
    *(
        ("ann", f, Alike(("3", "999"), CONSTRAINT))
        for f in (
            'createNote(input: {text: "x", clubId: ~}) { id }',
            'createNotes(inputs: [{text: "x"}, {text: "y", clubId: ~}]) { count }',
            "updateNote(id: 1, set: {clubId: ~}) { id }",
            "updateNotes(where: {id: {in: [1, 2]}}, set: {clubId: ~}) { count }",
            "updateManyNotes(updates: [{id: 1, set: {clubId: ~}}]) { count }",
            'upsertNote(input: {id: 1, text: "x", clubId: ~}, on: id) { id }',
            'upsertNote(input: {id: 77, text: "x", clubId: ~}, on: id) { id }',
            "updateClub(id: 1, set: {notes: {update: [{id: 1, set: {clubId: ~}}]}}) { id }",
            'createMember(input: {clubId: ~, personId: "ben"}) { id }',
            'createMember(input: {clubId: ~, personId: "dan"}) { id }',
            'createMember(input: {clubId: ~, personId: "nobody"}) { id }',
        )
    ),
    *(
        ("ann", f, Alike(("3", "999"), BAD_INPUT))
        for f in (
            'createNote(input: {text: "x", club: {connect: {id: ~}}}) { id }',
            'createNotes(inputs: [{text: "x", club: {connect: {id: 2}}}, {text: "y", club: {connect: {id: ~}}}]) { count }',
            "updateNote(id: 1, set: {club: {connect: {id: ~}}}) { id }",
            'upsertNote(input: {id: 1, text: "x", club: {connect: {id: ~}}}, on: id) { id }',
        )
    ),
    (
        "ann",
        'createNote(input: {text: "x", club: {connect: {name: "~"}}}) { id }',
        Alike(("Secret", "Nowhere"), BAD_INPUT),
    ),
    ("ann", 'createMember(input: {clubId: 1, personId: "~"}) { id }', Alike(("dan", "zed"), CONSTRAINT)),
    (
        "ann",
        'createMember(input: {clubId: 1, person: {connect: {secret: "~"}}}) { id }',
        Alike(("b", "d", "z"), BAD_INPUT),
    ),
    ("ann", 'createPaper(input: {text: "x", folderId: ~}) { id }', Alike(("2", "4", "5", "99"), CONSTRAINT)),
    ("admin", 'createPaper(input: {text: "x", folderId: ~}) { id }', Alike(("4", "99"), CONSTRAINT)),
    (
        "ann",
        'createPaper(input: {text: "x", folder: {connect: {name: "~"}}}) { id }',
        Alike(("Ben's", "Nowhere"), BAD_INPUT),
    ),
    ("ann", "updatePaper(id: 1, set: {folderId: ~}) { id }", Alike(("2", "4", "99"), CONSTRAINT)),
    ("ann", 'createBooking(input: {id: "9", seatClubId: 1, seatNumber: ~}) { id }', Alike(("2", "9"), CONSTRAINT)),
    (
        "ann",
        'createBooking(input: {id: "9", seat: {connect: {clubId: 1, number: ~}}}) { id }',
        Alike(("2", "9"), BAD_INPUT),
    ),
    (
        "ann",
        'createBooking(input: {id: "9", club: {connect: {id: 1}}, seatNumber: ~}) { id }',
        Alike(("2", "9"), CONSTRAINT),
    ),
    # Of a key of two columns one may be there already.
    ("ann", 'updateBooking(id: "1", set: {seatNumber: ~}) { id }', Alike(("2", "9"), CONSTRAINT)),
    (
        "ann",
        'updateManyBookings(updates: [{id: "3", set: {seatNumber: 2}}, {id: "1", set: {seatNumber: ~}}]) { count }',
        Alike(("2", "9"), CONSTRAINT),
    ),
    (
        "ann",
        'updateBooking(id: "4", set: {seatClubId: 1}) { id }',
        Gives({"updateBooking": {"id": "4"}}),
        {"Booking 4": {"seat_club_id": 1}},
    ),
    (
        "ann",
        'updateBooking(id: "3", set: {seatNumber: 2}) { id }',
        Gives({"updateBooking": {"id": "3"}}),
        {"Booking 3": {"seat_number": 2}},
    ),
    # Another row is in the way: hidden or not, these are the words.
    ("ann", 'createFolder(input: {name: "~"}) { id }', Alike(("Ann's", "Ben's", "Shared", "Taken"), CONSTRAINT)),
    ("ann", 'upsertFolder(input: {name: "~"}, on: name) { id }', Alike(("Ben's", "Taken"), CONSTRAINT)),
    (
        "ann",
        'upsertFolders(inputs: [{name: "Ann\'s"}, {name: "~"}], on: name, update: []) { count }',
        Alike(("Ben's", "Taken"), CONSTRAINT),
    ),
    ("ann", 'updateFolder(id: 1, set: {name: "~"}) { id }', Alike(("Ben's", "Shared", "Taken"), CONSTRAINT)),
    ("ann", "restoreFolder(id: 6) { id }", CONSTRAINT),
    ("ann", 'createNote(input: {id: ~, text: "x"}) { id }', Alike(("1", "2", "3", "4", "5"), CONSTRAINT)),
    ("ann", 'upsertNote(input: {id: ~, text: "x"}, on: id) { id }', Alike(("3", "5"), CONSTRAINT)),
    ("ann", 'updatePerson(id: "ann", set: {secret: "~"}) { id }', Alike(("b", "c", "d"), CONSTRAINT)),
    ("ann", 'createMember(input: {clubId: 1, personId: "ben"}) { id }', CONSTRAINT),
    ("ben", 'createClub(input: {name: "~"}) { id }', Alike(("Chess", "Rowing", "Secret"), CONSTRAINT)),
    ("ben", 'upsertClub(input: {name: "~", open: true}, on: name) { id }', Alike(("Rowing", "Secret"), CONSTRAINT)),
    # A list is what may be seen of it.
    ("ann", "deletePapers(where: {folder: {id: {in: [2, 3]}}}) { count }", count("deletePapers", 0)),
    (
        "ann",
        "restoreFolder(id: 4) { papers { id } }",
        Gives({"restoreFolder": {"papers": [{"id": 4}]}}),
        {"Folder 4": {"deleted_at": None}, "Paper 4": {"deleted_at": None}},
    ),
    ("reviewer", 'updateNote(id: 2, set: {text: "x"}) { id }', FORBIDDEN),
)

# --- names that the viewer does not have ---------------------------------------------------

_NAMES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    # Root fields: of what nobody, or somebody else, may write; of views; of what the database keeps.
    ("anon", "~createNote~(input: {}) { id }", {}),
    ("anon", "~deleteClubs~(where: {}) { count }", {}),
    ("anon", "~stamp~(id: 1)", {}),
    *(
        ("ann", f"~{name}~(id: 1) {{ id }}", {})
        for name in (
            "createPerson",
            "deletePerson",
            "updateTag",
            "deleteTag",
            "createLiking",
            "updateSeat",
            "deleteReport",
            "createRank",
            "updateRank",
            "deleteRank",
            "upsertReport",
            "createClubTag",
            "deleteDrawer",
            "createLetter",
        )
    ),
    *(
        ("ann", f"~{name}~(where: {{}}) {{ count }}", {})
        for name in ("deletePeople", "updateTags", "updateReports", "deleteDrawers", "updateRanks", "deleteSeats")
    ),
    # Fields of inputs: hidden, of others' rules, preset, kept by the database, keys.
    *(
        ("ann", f"createNote(input: {{text: 1, ~{name}~: 1}}) {{ id }}", {})
        for name in ("authorId", "author", "slug", "labels", "version", "stars", "frozen")
    ),
    *(
        ("ann", f"updateNote(id: 1, set: {{~{name}~: 1}}) {{ id }}", {})
        for name in ("authorId", "author", "slug", "labels", "version")
    ),
    ("ann", "updateNote(id: 1, inc: {~version~: 1}) { id }", {}),
    ("ann", "updateNote(id: 1, ~append~: {}) { id }", {}),
    ("ann", "updateNotes(where: {}, ~append~: {}) { count }", {}),
    ("ann", 'updatePerson(id: "ann", set: {~hiding~: true}) { id }', {}),
    ("ann", 'updatePerson(id: "ann", set: {~clubs~: {}}) { id }', {}),
    ("ann", "createClub(input: {name: 1, ~id~: 1}) { id }", {}),
    ("ann", "createMember(input: {~id~: 1}) { id }", {}),
    ("ann", "createReport(input: {title: 1, ~owner~: 1}) { id }", {}),
    ("ann", "createFolder(input: {name: 1, ~ownerId~: 1}) { id }", {}),
    ("ann", "createFolder(input: {name: 1, ~deletedAt~: 1}) { id }", {}),
    ("ann", "updateFolder(id: 1, set: {~deletedAt~: 1}) { id }", {}),
    ("ann", "updateFolder(id: 1, set: {~owner~: 1}) { id }", {}),
    # What a drawer holds, and how often it was changed, is nothing to Ann.
    ("ann", "updateDrawer(id: 1, set: {~letters~: {}}) { id }", {}),
    ("ann", "updateDrawer(id: 1, ~ifVersion~: 1) { id }", {}),
    ("ann", "updateDrawer(id: 1, set: {~edition~: 1}) { id }", {}),
    ("ann", "updateDrawer(id: 1, ~inc~: {}) { id }", {}),
    ("ann", "updateLetter(id: 1, set: {~drawerId~: 1}) { id }", {}),
    ("ann", "updateLetter(id: 1, set: {~drawer~: 1}) { id }", {}),
    # Nested, and by way of variables.
    ("ann", "createClub(input: {name: 1, notes: {create: [{text: 1, ~authorId~: 1}]}}) { id }", {}),
    ("ann", "updateClub(id: 1, set: {notes: {update: [{id: 1, set: {~slug~: 1}}]}}) { id }", {}),
    ("ann", "updateClub(id: 1, set: {tags: {~delete~: []}}) { id }", {}),
    ("ann", "createMember(input: {person: {~create~: {}}}) { id }", {}),
    ("ann", "createNote(input: {text: 1, club: {connect: {~open~: true}}}) { id }", {}),
    ("ann", "createNote(input: {text: 1, club: {connect: {id: 1}, ~update~: 1}}) { id }", {}),
    (
        "ann",
        "mutation ($v: NoteCreateInput!) { createNote(input: $v) { id } }",
        {"v": {"text": "x", "~authorId~": "ben"}},
    ),
    (
        "ann",
        "mutation ($v: [NoteCreateInput!]!) { createNotes(inputs: $v) { count } }",
        {"v": [{"text": "x"}, {"text": "x", "~slug~": "x"}]},
    ),
    ("ann", "mutation ($v: NoteSetInput) { updateNote(id: 1, set: $v) { id } }", {"v": {"~version~": 1}}),
    ("ann", 'mutation ($v: PersonSetInput) { updatePerson(id: "ann", set: $v) { id } }', {"v": {"~hiding~": True}}),
    (
        "ann",
        "mutation ($v: ClubSetInput) { updateClub(id: 1, set: $v) { id } }",
        {"v": {"notes": {"create": [{"text": "x", "~labels~": []}]}}},
    ),
    (
        "ann",
        "mutation ($v: [NoteUpdateInput!]!) { updateManyNotes(updates: $v) { count } }",
        {"v": [{"id": 1, "set": {"~author~": {}}}]},
    ),
    ("ann", "mutation ($v: ~PersonCreateInput~) { ping }", {}),
    ("ann", "query ($v: ~TagSetInput~) { ping }", {}),
    ("ann", "query ($v: ~DrawerLettersManySetInput~) { ping }", {}),
    ("anon", "query ($v: ~NoteCreateInput~) { ping }", {}),
    # What an upsert names.
    ("ann", "upsertNote(input: {id: 1, text: 1}, on: id, update: [~authorId~]) { id }", {}),
    ("ann", "upsertNote(input: {id: 1, text: 1}, on: id, update: [~version~]) { id }", {}),
    (
        "ann",
        'mutation ($v: [NoteField!]) { upsertNote(input: {id: 1, text: "x"}, on: id, update: $v) { id } }',
        {"v": ["text", "~slug~"]},
    ),
    ("ann", "upsertMember(input: {}, on: ~club~) { id }", {}),
    (
        "ann",
        'mutation ($v: FolderField!) { upsertFolder(input: {name: "x"}, on: name, update: [$v]) { id } }',
        {"v": "~ownerId~"},
    ),
    # Filters of writes are those of reads, answers too.
    ("ann", "updateNotes(where: {club: {tags: {some: {~hide~: 1}}}}, inc: {}) { count }", {}),
    ("ann", "deleteLetters(where: {~drawerId~: {eq: 1}}) { count }", {}),
    ("ann", "deleteLetters(where: {~drawer~: {id: {eq: 1}}}) { count }", {}),
    ("ann", "deleteLetters(where: {id: {gt: 0}}) { rows { ~drawerId~ } }", {}),
    ("ann", "updateDrawer(id: 1, set: {label: 1}) { ~edition~ }", {}),
    ("ann", '{ __type(name: "~DrawerLettersManySetInput~") { name } }', {}),
    ("anon", '{ __type(name: "~NoteBulk~") { name } }', {}),
)
HIDDEN = tuple(
    (who, text if text.startswith(("mutation", "query", "{")) else f"mutation {{ {text} }}", variables)
    for who, text, variables in _NAMES
)


def hidden_names() -> Iterable[Attack]:
    for who, document, variables in HIDDEN:
        yield Attack(f"{who} {document} {variables or ''}", VIEWERS[who], document, AsUnknown(), variables)


# --- values, and lists of them -------------------------------------------------------------

TEXTS: tuple[Any, ...] = ("\0", "a\0b", "\ud800", 1, 1.5, True, [], ["a"], {}, None)
IDS: tuple[Any, ...] = ("x", "", "1; DROP TABLE notes", 2**31, -(2**31) - 1, 10**30, 1.5, True, [], {}, None)
EMPTY = (
    *("{}", "{and: []}", "{or: []}", "{not: {}}", "{and: [{}]}", "{or: [{id: {eq: 1}}, {}]}", "{id: {}}"),
    *("{not: {id: {}}}", "{club: {}}", "{club: {name: {}}}", "{club: {members: {}}}", "{id: {eq: $none}}"),
    *("{not: {id: {eq: $none}}}", "{or: [{id: {eq: 1}}, {id: {gt: $none}}]}", "{club: {id: {eq: $none}}}"),
    *("{club: {members: {none: {id: {eq: $id}}}}}", "{club: {membersAggregate: {}}}"),
    *("{club: {membersAggregate: {count: {}}}}", "{club: {membersAggregate: {count: {gt: $none}}}}"),
)


def values() -> Iterable[Attack]:
    for value in TEXTS:
        for document in (
            "mutation ($v: String!) { createNote(input: {text: $v}) { id } }",
            "mutation ($v: String!) { updateNote(id: 1, set: {text: $v}) { id } }",
            "mutation ($v: String!) { updateFolder(id: 1, set: {papers: {create: [{text: $v}]}}) { id } }",
            "mutation ($v: String!) { upsertFolder(input: {name: $v}, on: name) { id } }",
        ):
            yield Attack(f"text {value!a} in {document}", ANN, document, BAD_INPUT, {"v": value})
    for value in ({"a": "\0"}, {"\0": 1}, ["a\0"], "\0", "\ud800", {"a": ["\udfff"]}):
        document = "mutation ($v: JSON) { updateFolder(id: 1, set: {data: $v}) { id } }"
        yield Attack(f"JSON {value!a}", ANN, document, BAD_INPUT, {"v": value})
    for value in IDS:
        for document in (
            "mutation ($v: Int!) { deleteNote(id: $v) { id } }",
            "mutation ($v: Int!) { updateNote(id: $v, inc: {stars: 1}) { id } }",
            'mutation ($v: Int!) { createNote(input: {text: "x", club: {connect: {id: $v}}}) { id } }',
            "mutation ($v: ID!) { deleteMember(id: $v) { id } }",
            "mutation ($v: Level!) { updateMember(id: %s, set: {level: $v}) { id } }" % MEMBER_2,
            "mutation ($v: [Level!]!) { updateMembers(where: {level: {in: $v}}, set: {level: GUEST}) { count } }",
        ):
            if not (value == [] and "[Level!]" in document):
                yield Attack(f"value {value!a} in {document}", ANN, document, BAD_INPUT, {"v": value})
    for literal in ("admin", "BOSS", '"ADMIN"', "1", "null", "[ADMIN]"):
        document = f"mutation {{ updateMember(id: {MEMBER_2}, set: {{level: {literal}}}) {{ id }} }}"
        wrong = Refused((Code.GRAPHQL_VALIDATION_FAILED, Code.BAD_USER_INPUT))
        yield Attack(f"level {literal}", ANN, document, wrong)
    # SQL is text, and names a row by nothing.
    for sql in ("'; DROP TABLE notes; --", "$1", ":x", "%s", "\\'", '"', "{}", "E'\\x'"):
        document = "mutation ($v: String!) { updateNote(id: 1, set: {text: $v}) { text } }"
        slug = f"{sql.lower()}-draft"
        changed = {"Note 1": {"text": sql, "slug": slug, "version": 2}}
        yield Attack(f"SQL {sql}", ANN, document, Gives({"updateNote": {"text": sql}}), {"v": sql}, changes=changed)
        document = "mutation ($v: String!) { updatePerson(id: $v, set: {motto: $v}) { id } }"
        yield Attack(f"SQL as a key {sql}", ANN, document, null("updatePerson"), {"v": sql})
    for many in (10_001,):
        document = "mutation ($v: [NoteCreateInput!]!) { createNotes(inputs: $v) { count } }"
        yield Attack(f"{many} inputs", ANN, document, TOO_LONG, {"v": [{"text": "x"}] * many})
        document = "mutation ($v: [NoteUpdateInput!]!) { updateManyNotes(updates: $v) { count } }"
        yield Attack(f"{many} updates", ANN, document, TOO_LONG, {"v": [{"id": 1}] * many})
        document = "mutation ($v: [NoteCreateInput!]!) { upsertNotes(inputs: $v, on: id) { count } }"
        yield Attack(
            f"{many} upserts", ANN, document, TOO_LONG, {"v": [{"id": 100 + n, "text": "x"} for n in range(many)]}
        )
        document = 'mutation ($v: [NoteCreateInput!]!) { createClub(input: {name: "x", notes: {create: $v}}) { id } }'
        yield Attack(f"{many} nested inputs", ANN, document, TOO_LONG, {"v": [{"text": "x"}] * many})


def empty_filters() -> Iterable[Attack]:
    for where in EMPTY:
        for field, rest in (("updateNotes", ', set: {text: "x"}'), ("deleteNotes", ", all: false")):
            document = f"mutation ($none: Int, $id: ID) {{ {field}(where: {where}{rest}) {{ count }} }}"
            used = "".join(
                f" ${name}: {type_}" for name, type_ in (("none", "Int"), ("id", "ID")) if f"${name}" in where
            )
            document = document.replace("($none: Int, $id: ID)", f"({used.strip()})" if used else "")
            yield Attack(f"{field} {where}{rest}", ANN, document, BAD_INPUT)
    for given in ("", "where: null", "all: false", "where: null, all: false", "all: null"):
        arguments = f"({given})" if given else ""
        yield Attack(
            f"deleteNotes without where: {given}", ANN, f"mutation {{ deleteNotes{arguments} {{ count }} }}", BAD_INPUT
        )
        document = f'mutation {{ updateNotes({given} set: {{text: "x"}}) {{ count }} }}'
        yield Attack(f"updateNotes without where: {given}", ANN, document, BAD_INPUT)
    for variables in ({}, {"v": None}, {"v": None, "all": None}, {"all": False}):
        yield Attack(
            f"where as a variable: {variables}",
            ANN,
            "mutation ($v: NoteFilter, $all: Boolean) { deleteNotes(where: $v, all: $all) { count } }",
            BAD_INPUT,
            variables,
        )
    yield Attack(
        "where as a variable",
        ANN,
        "mutation ($v: NoteFilter!) { deleteNotes(where: $v) { count } }",
        BAD_INPUT,
        {"v": {}},
    )


# --- one operation ------------------------------------------------------------------------

# What Ann may do, and what then fails.
DONE = 'done: updateNote(id: 1, set: {text: "x"}) { id }'
FAILS: tuple[tuple[str, Refused], ...] = (
    ('updateNote(id: 4, set: {text: "x"}) { id }', FORBIDDEN),
    ('createFolder(input: {name: "Ben\'s"}) { id }', CONSTRAINT),
    ('createNote(input: {text: "x", clubId: 3}) { id }', CONSTRAINT),
    ("deleteNotes(where: {}) { count }", BAD_INPUT),
    ('updateNote(id: 1, set: {text: "y"}, ifVersion: 7) { id }', CONFLICT),
    ("stamp(id: 3)", NOT_FOUND),
    ('createMember(input: {clubId: 2, personId: "ann", level: ADMIN}) { id }', FORBIDDEN),
    ("updateNote(id: 2, inc: {stars: 2147483647}) { id } again: updateNote(id: 2, inc: {stars: 1}) { id }", BAD_INPUT),
)


def operations() -> Iterable[Attack]:
    for last, expect in FAILS:
        yield Attack(f"done, then {last}", ANN, f"mutation {{ {DONE} {last} }}", expect)
        yield Attack(f"{last}, then done", ANN, f"mutation {{ {last} {DONE} }}", expect)
        yield Attack(f"stamped, then {last}", ANN, f"mutation {{ stamped: stamp(id: 1) {last} }}", expect)
    # The same by every spelling of GraphQL.
    field = 'updateNote(id: 3, set: {state: "public", stars: 5}) { id }'
    typed = "mutation ($id: Int!, $set: NoteSetInput) { updateNote(id: $id, set: $set) { id } }"
    split = "mutation ($id: Int!, $state: String, $stars: Int!) { updateNote(id: $id, set: {state: $state, stars: $stars}) { id } }"
    spellings: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"mutation {{ {field} }}", {}),
        (f"mutation {{ other: {field} }}", {}),
        (f"mutation {{ stars: {field} state: {field} }}", {}),
        (f"mutation {{ ...F }} fragment F on Mutation {{ {field} }}", {}),
        (f"mutation {{ ... on Mutation {{ ... {{ {field} }} }} }}", {}),
        (f"mutation ($yes: Boolean!) {{ ... @include(if: $yes) {{ {field} }} }}", {"yes": True}),
        (f"mutation ($no: Boolean!) {{ ...F @skip(if: $no) }} fragment F on Mutation {{ {field} }}", {"no": False}),
        (typed, {"id": 3, "set": {"state": "public", "stars": 5}}),
        (split, {"id": 3, "state": "public", "stars": 5}),
        (f"mutation {{ __typename {field} viewer: __typename }}", {}),
    )
    for document, variables in spellings:
        yield Attack(f"spelled {document[:60]}", BEN, document, FORBIDDEN, variables)
    skipped = f"mutation {{ {DONE} ... @skip(if: true) {{ {field} }} }}"
    yield Attack("skipped", ANN, skipped, Gives({"done": {"id": 1}}), changes=note_1())
    # A key is for one viewer, and his operation.
    document = 'mutation { updateNotes(where: {state: {eq: "draft"}}, set: {text: "x"}) { rows { id author { id } } } }'
    anns = Gives({"updateNotes": {"rows": [{"id": 1, "author": {"id": "ann"}}]}})
    bens = Gives({"updateNotes": {"rows": [{"id": 3, "author": {"id": "ben"}}]}})
    both = {**note_1(), "Note 3": {"text": "x", "slug": "x-draft", "version": 2}}
    yield Attack("another's key", ANN, document, Repeated(anns, BEN, bens), changes={**both, "kept": {"number": 2}})
    yield Attack("one's own key", ANN, document, Repeated(anns, ANN, anns), changes={**note_1(), "kept": {"number": 1}})
    yield Attack(
        "nobody's key", ANN, document, Repeated(anns, NOBODY, NO_KEYS), changes={**note_1(), "kept": {"number": 1}}
    )
    asked = "mutation { updateNotes(where: {id: {eq: 1}}, inc: {stars: 0}) { rows { text } } }"
    yield Attack(
        "an admin's key",
        ADMIN,
        asked,
        Repeated(Gives({"updateNotes": {"rows": [{"text": "Ann drafts"}]}}), BEN, Gives({"updateNotes": {"rows": []}})),
        changes={"Note 1": {"version": 2, "slug": "ann drafts-draft"}, "kept": {"number": 2}},
    )
    # What would be answered with too much is not done.
    fields = " ".join(f"a{number}: text" for number in range(90))
    yield Attack(
        "a large answer",
        ANN,
        f"mutation ($t: String!) {{ updateNote(id: 1, set: {{text: $t}}) {{ {fields} }} }}",
        Refused((Code.LIMIT_EXCEEDED,), f"The response is too large: at most {MOST_BYTES} bytes are allowed."),
        {"t": "".join(random.Random(1).choices("abcdef ", k=1500))},
    )
    # Sent as a query it is none.
    for word in ("query", ""):
        yield Attack(f"as {word or 'nothing'}", ANN, f"{word} {{ {DONE} }}", INVALID)
    yield Attack(
        "as a subscription",
        ANN,
        f"subscription {{ {DONE} }}",
        Refused((Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED)),
    )
    yield Attack("below a query", ANN, f"{{ ping ... on Mutation {{ {DONE} }} }}", INVALID)


def conditions() -> Iterable[Attack]:
    """More conditions than a filter may have, by themselves or with those of the rules."""
    many = {"or": [{"id": {"eq": number}} for number in range(5001)]}
    masked = {"or": [{"author": {"secret": {"eq": "x"}}}] * 1300}
    inner: dict[str, Any] = {"text": {"eq": "x"}}
    for _ in range(6):
        inner = {"club": {"notes": {"some": inner, "none": inner, "every": inner}}}
    twice = "a: deleteNotes(where: $w) { count } b: deleteNotes(where: $w) { count }"
    for name, where, fields in (
        *(
            (name, where, 'updateNotes(where: $w, set: {text: "x"}) { count }')
            for name, where in (("many", many), ("masked", masked), ("nested", inner))
        ),
        ("many, to delete", many, "deleteNotes(where: $w) { count }"),
        ("masked, to delete", masked, "deleteNotes(where: $w) { count }"),
        ("twice half as many", {"or": many["or"][:2600]}, twice),
        (
            "below",
            {"not": inner},
            'updateNotes(where: {id: {eq: 1}}, set: {text: "x"}) { rows { club { notes(where: $w) { id } } } }',
        ),
    ):
        document = f"mutation ($w: NoteFilter!) {{ {fields} }}"
        yield Attack(f"{name} conditions", ANN, document, Refused((Code.LIMIT_EXCEEDED,)), {"w": where})


def digits() -> Iterable[Attack]:
    """Numbers that Python itself refuses to read, where something is written."""
    for place in (
        "updateNote(id: 1, inc: {stars: ~}) { id }",
        "updateNote(id: ~, set: {}) { id }",
        "deleteNotes(where: {id: {in: [1, ~]}}) { count }",
        "createNotes(inputs: [{text: ~}]) { count }",
        "updateFolder(id: 1, set: {data: {n: [~]}}) { id }",
    ):
        document = f"mutation {{ {place.replace('~', '1' * 5000)} }}"
        yield Attack(f"5,000 digits in {place}", ANN, document, TOO_LONG_A_NUMBER)
    for type_, place in (
        ("Int", "updateNote(id: 1, inc: {stars: $v}) { id }"),
        ("Int!", "deleteNote(id: $v) { id }"),
        ("Int!", "deleteNotes(where: {id: {in: [1, $v]}}) { count }"),
    ):
        yield Attack(
            f"a variable of 5,000 digits in {place}",
            ANN,
            f"mutation ($v: {type_}) {{ {place} }}",
            BAD_INPUT,
            {"v": DIGITS},
        )


def entries() -> Iterable[Attack]:
    people = {
        **VIEWERS,
        "eva": EVA,
        "fay": FAY,
        "gil": GIL,
        "reviewer": REVIEWER,
        "nobody": NOBODY,
        "empty": UNNAMED,
        "chief": CHIEF,
        "warden": WARDEN,
    }
    for who, field, expect, *changes in (
        *SEEN,
        *TOLD,
        *ELSEWHERE,
        *MEMBERS,
        *SHARED,
        *DIRECTED,
        *ROWS,
        *FIELDS,
        *PRESETS,
        *FILLED,
        *HALVES,
        *MOVES,
        *VOUCHING,
        *LINKS_VOUCHING,
        *HIDDEN_ROWS,
        *WRITES_ELSEWHERE,
    ):
        yield Attack(
            f"{who} {field}", people[who], f"mutation {{ {field} }}", expect, changes=changes[0] if changes else {}
        )


def order_of_what_is_written() -> Iterable[Attack]:
    """Rows by keys that are hidden, which a filter finds: they are locked in that order, and told in another."""
    noted = {f"Slip {n}": {"note": "x"} for n in range(10)}
    gone = {f"Slip {n}": GONE for n in range(10)}
    for name, who, first, rest in (("ann", ANN, "", "abcdefghij"), ("ben", BEN, "d", "abcefghij")):
        document = 'mutation { updateSlips(where: {}, all: true, set: {note: "x"}) { rows { choice } } }'
        yield Attack(f"{name}: the order of updates", who, document, Scattered(rest, first), changes=noted)
        document = "mutation { deleteSlips(where: {}, all: true) { rows { choice } } }"
        once = Scattered(rest, first, again=False)
        yield Attack(f"{name}: the order of what is deleted", who, document, once, changes=gone)


# Those that come as far as to where writes are judged.
JUDGED: tuple[Attack, ...] = tuple(replace(attack, about_rules=True) for attack in (*entries(), *empty_filters()))
WRITES: tuple[Attack, ...] = (
    *JUDGED,
    *order_of_what_is_written(),
    *(replace(attack, about_rules=True) for attack in (*hidden_names(), *values(), *operations())),
    *conditions(),
    *digits(),
)
