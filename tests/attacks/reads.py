"""Connections, aggregates, groups, searches, JSON, deleted rows and keys: each shows what a list would, no more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clew.errors import Code
from clew.sql.cursors import Cursors
from tests.access.guarded import MEMBERS
from tests.attacks.attack import Alike, Attack, Expectation, Gives, Refused, Scattered, Who, WithCursor
from tests.attacks.viewers import (
    ANON,
    BAD_INPUT,
    EDITOR,
    EU,
    M3,
    M3_EDITOR,
    STRANGE_EDITOR,
    STRANGER,
    TOO_LARGE,
    USER,
    rows,
)

# As `HIDDEN` of the table: viewer, a document with what is hidden from it between ~, variables.
HIDDEN: tuple[tuple[str, str, dict[str, Any]], ...] = tuple(
    (role, document, {})
    for role, document in (
        # Aggregates.
        ("anon", "{ ~membersAggregate~ { count } }"),
        ("user", "{ ~auditsAggregate~ { count } }"),
        ("anon", "{ teamsAggregate { ~sum~ { budget } } }"),
        ("user", "{ teamsAggregate { ~avg~ { budget } } }"),
        ("user", "{ teamsAggregate { min { ~budget~ } } }"),
        ("anon", "{ teamsAggregate { countDistinct { ~public~ } } }"),
        ("user", "{ tasksAggregate { countDistinct { ~secrecy~ } } }"),
        ("user", "{ membersAggregate { max { ~password~ } } }"),
        ("editor", "{ membersAggregate { countDistinct { ~password~ } } }"),
        ("anon", "{ teams { ~projectsAggregate~ { count } } }"),
        ("user", "{ members { teamsAggregate { max { ~budget~ } } } }"),
        # Live queries and change events.
        ("user", "subscription { ~audits~ { note } }"),
        ("anon", "subscription { ~members~ { id } }"),
        ("user", "subscription { ~viewer~ { id } }"),
        ("user", "subscription { teamsAggregate { min { ~budget~ } } }"),
        ("user", "subscription { ~auditChanges~ { kind } }"),
        ("anon", "subscription { ~memberChanges~ { kind } }"),
        ("user", "subscription { teamChanges(where: {~budget~: {gt: 1}}) { kind } }"),
        ("user", "subscription { memberChanges { node { ~password~ } } }"),
        ("user", "subscription { teamChanges { ~budget~ } }"),
        ("user", "subscription { projectChanges(~search~: 1) { kind } }"),
        ("user", "query ($v: ~AuditChange~) { ping }"),
        # Filters and orders by them.
        ("anon", "{ teams(where: {~projectsAggregate~: {count: {gt: 0}}}) { id } }"),
        ("user", "{ members(where: {teamsAggregate: {min: {~budget~: {gt: 1}}}}) { id } }"),
        ("user", "{ members(where: {teamsAggregate: {~sum~: {budget: {gt: 1}}}}) { id } }"),
        ("user", "{ members(where: {teamsAggregate: {where: {~budget~: {gt: 1}}, count: {gt: 0}}}) { id } }"),
        ("anon", "{ teams(orderBy: [{~projectsAggregate~: {count: ASC}}]) { id } }"),
        ("user", "{ members(orderBy: [{teamsAggregate: {min: {~budget~: ASC}}}]) { id } }"),
        ("user", "{ members(orderBy: [{teamsAggregate: {~sum~: {budget: ASC}}}]) { id } }"),
        # Groups.
        ("user", "{ ~auditsGroups~(by: [{id: VALUE}]) { count } }"),
        ("anon", "{ teamsGroups(by: [{~budget~: VALUE}]) { count } }"),
        ("user", "{ membersGroups(by: [{~password~: VALUE}]) { count } }"),
        ("user", "{ tasksGroups(by: [{team: {~budget~: VALUE}}]) { count } }"),
        ("user", "{ tasksGroups(by: [{id: VALUE}]) { key { ~secrecy~ } } }"),
        ("user", "{ tasksGroups(by: [{id: VALUE}]) { key { team { ~budget~ } } } }"),
        ("user", "{ tasksGroups(by: [{id: VALUE}], orderBy: [{key: {~secrecy~: ASC}}]) { count } }"),
        ("user", "{ teamsGroups(by: [{id: VALUE}], orderBy: [{min: {~budget~: ASC}}]) { count } }"),
        ("user", "{ teamsGroups(by: [{id: VALUE}], orderBy: [{~sum~: {budget: ASC}}]) { count } }"),
        ("user", "{ teamsGroups(by: [{id: VALUE}]) { max { ~budget~ } } }"),
        ("user", "{ tasksGroups(by: [{id: VALUE}], where: {~secrecy~: {eq: HIGH}}) { count } }"),
        # Connections.
        ("anon", "{ ~membersConnection~ { totalCount } }"),
        ("anon", "{ teams { ~membersConnection~ { totalCount } } }"),
        ("user", "{ membersConnection(orderBy: [{~password~: ASC}]) { totalCount } }"),
        ("user", "{ membersConnection(where: {~password~: {eq: 1}}) { totalCount } }"),
        ("user", "{ teamsConnection { nodes { ~budget~ } } }"),
        ("user", "{ teamsConnection { edges { node { ~budget~ } } } }"),
        # Full text search with a field that is hidden: there is none.
        ("anon", "{ notes(~search~: 1) { id } }"),
        ("anon", "{ notesConnection(~search~: 1) { totalCount } }"),
        ("anon", "{ notesAggregate(~search~: 1) { count } }"),
        ("anon", "{ notesGroups(by: [{id: VALUE}], ~search~: 1) { count } }"),
        # JSON.
        ("anon", "{ notes(where: {~data~: {isNull: true}}) { id } }"),
        ("anon", '{ notes(where: {~data~: {path: [{at: ["color"], eq: "red"}]}}) { id } }'),
        ("anon", "{ notes(where: {~data~: {contains: {n: 1}}}) { id } }"),
        ("anon", "query ($v: ~JSONFilter~) { ping }"),
        ("anon", "query ($v: ~JSONPathFilter~) { ping }"),
        # Deleted rows, for who may delete none.
        ("anon", "{ notes(~deleted~: INCLUDE) { id } }"),
        ("user", "{ notes(~deleted~: ONLY) { id } }"),
        ("user", "{ notesConnection(~deleted~: ONLY) { totalCount } }"),
        ("user", "{ notesAggregate(~deleted~: ONLY) { count } }"),
        ("user", "{ notesGroups(by: [{id: VALUE}], ~deleted~: ONLY) { count } }"),
        ("editor", "{ projects(~deleted~: ONLY) { id } }"),
        ("editor", "{ teams { projects(~deleted~: ONLY) { id } } }"),
        ("editor", "{ teams { projectsAggregate(~deleted~: ONLY) { count } } }"),
        ("editor", "{ teams { projectsConnection(~deleted~: ONLY) { totalCount } } }"),
        ("anon", "query ($v: ~DeletedRows~) { ping }"),
        # Fields of the application's own.
        ("user", "{ ~auditsOf~(ids: [1]) { id } }"),
        ("anon", "{ ~notesOf~(ids: [1]) { id } }"),
        ("user", '{ __type(name: "~AuditConnection~") { name } }'),
        ("user", '{ __type(name: "~AuditAggregate~") { name } }'),
        ("user", '{ __type(name: "~AuditGroupRow~") { name } }'),
        # What a to-one does not tell its other end does not.
        ("user", "{ members { ~reviewed~ { id } } }"),
        ("user", "{ members { ~reviewedConnection~ { totalCount } } }"),
        ("user", "{ members { ~reviewedAggregate~ { count } } }"),
        ("user", "{ members(where: {~reviewed~: {some: {id: {eq: 1}}}}) { id } }"),
        ("user", "{ members(where: {~reviewedAggregate~: {count: {gt: 0}}}) { id } }"),
        ("user", "{ members(orderBy: [{~reviewedAggregate~: {count: ASC}}]) { id } }"),
        ("user", "{ teams { members { ~reviewed~ { id } } } }"),
        # A link that Clew made shows no key that its ends do not show.
        ("user", "{ essayTopics { ~topicId~ } }"),
        ("user", "{ essayTopics(where: {~topicId~: {eq: 2}}) { topic { name } } }"),
        ("user", "{ essayTopics(orderBy: [{~topicId~: ASC}]) { topic { name } } }"),
        ("user", "{ essayTopicsAggregate { max { ~topicId~ } } }"),
        ("user", "{ essayTopicsAggregate { countDistinct { ~topicId~ } } }"),
        ("user", "{ essayTopicsGroups(by: [{~topicId~: VALUE}]) { count } }"),
        ("user", "{ essayTopicsConnection(orderBy: [{~topicId~: ASC}]) { totalCount } }"),
        ("user", "{ ~essayTopic~(essayId: 1, topicId: 1) { essayId } }"),
        # And no row that one of its lists does not show, though the other does.
        ("user", "{ ~essayWarnings~ { essay { title } } }"),
        ("user", "{ ~essayWarningsAggregate~ { count } }"),
        ("user", "{ ~essayWarningsConnection~ { totalCount } }"),
        ("user", "{ ~essayWarningsGroups~(by: [{essay: {title: VALUE}}]) { count } }"),
        ("user", "{ ~essayWarning~(essayId: 1, topicId: 2) { essayId } }"),
        ("user", "query ($v: ~EssayWarningFilter~) { ping }"),
        ("user", '{ __type(name: "~EssayWarning~") { name } }'),
        ("editor", "{ ~essayWarnings~ { essay { title } } }"),
        ("user", "{ ~essayDrafts~ { essay { title } } }"),
        # The key of a hidden row is that of no row.
        ("anon", '{ ofTeam(id: "~t5~") }'),
        ("user", '{ ofTeam(id: "~t5~") }'),
    )
)

TEAM_OF_3 = sorted(f"m{number}" for number in range(3, MEMBERS, 20))
OTHERS_OF_3 = [member for member in TEAM_OF_3 if member != "m3"]
M23 = Who("m23", USER, EU)
NOT_FOUND = Refused((Code.NOT_FOUND,))


def _groups(field: str, *pairs: tuple[Any, int]) -> Gives:
    return Gives({field: [{"key": key, "count": count} for key, count in pairs]})


def _teams(field: str, *values: Any) -> Gives:
    return Gives(
        {"teams": [{"id": team, field: value} for team, value in zip(("t0", "t1", "t3"), values, strict=True)]}
    )


def _nodes(field: str, *keys: Any, total: int | None = None) -> Gives:
    more = {} if total is None else {"totalCount": total}
    return Gives({field: {"nodes": [{"id": key} for key in keys], **more}})


def _reviews(field: str, other: Any, own: Any) -> Gives:
    return Gives({"members": [{"id": "m23", field: other}, {"id": "m3", field: own}]})


BOTH = 'where: {id: {in: ["m3", "m23"]}}'


# What each may see is told in the table, and of notes beside the rows: M3 sees 1, 2, 3 and 7, of the last two neither
# body nor data.
ROWS: tuple[tuple[str, Who, str, Expectation], ...] = (
    # Aggregates: over the rows that may be seen, of the values that may be seen.
    ("the number of teams", ANON, "{ teamsAggregate { count } }", Gives({"teamsAggregate": {"count": 2}})),
    (
        "an aggregate of hidden rows",
        ANON,
        '{ teamsAggregate(where: {id: {eq: "t5"}}) { count min { name } } }',
        Gives({"teamsAggregate": {"count": 0, "min": {"name": None}}}),
    ),
    (
        "nothing, counted",
        STRANGER,
        "{ membersAggregate { count max { name } } tasksAggregate { count sum { id } } }",
        Gives(
            {
                "membersAggregate": {"count": 0, "max": {"name": None}},
                "tasksAggregate": {"count": 0, "sum": {"id": None}},
            }
        ),
    ),
    (
        "an aggregate of tasks",
        M3,
        "{ tasksAggregate { count min { id } max { id } sum { id } } }",
        Gives({"tasksAggregate": {"count": 5, "min": {"id": 300}, "max": {"id": 350}, "sum": {"id": "1610"}}}),
    ),
    (
        "an aggregate of a masked field",
        M3,
        "{ membersAggregate { count countDistinct { email } min { email } max { email } } }",
        Gives(
            {
                "membersAggregate": {
                    "count": len(TEAM_OF_3),
                    "countDistinct": {"email": 1},
                    "min": {"email": "m3@secret.example"},
                    "max": {"email": "m3@secret.example"},
                }
            }
        ),
    ),
    (
        "an aggregate of fields that are masked everywhere",
        STRANGE_EDITOR,
        "{ tasksAggregate { count countDistinct { state teamId assigneeId } max { teamId } } }",
        Gives(
            {
                "tasksAggregate": {
                    "count": 240,
                    "countDistinct": {"state": 0, "teamId": 0, "assigneeId": 0},
                    "max": {"teamId": None},
                }
            }
        ),
    ),
    (
        "aggregates of a to-many",
        M3,
        "{ teams { id projectsAggregate { count max { title } } } }",
        _teams(
            "projectsAggregate",
            *[{"count": 0, "max": {"title": None}}] * 2,
            {"count": 4, "max": {"title": "Project 3.3"}},
        ),
    ),
    (
        "aggregates of a many-to-many",
        M3,
        "{ teams { id membersAggregate { count countDistinct { email } } } }",
        _teams(
            "membersAggregate",
            *[{"count": 0, "countDistinct": {"email": 0}}] * 2,
            {"count": len(TEAM_OF_3), "countDistinct": {"email": 1}},
        ),
    ),
    (
        "an aggregate of a masked to-many",
        M3,
        '{ member(id: "m23") { tasksAggregate { count max { id } } } }',
        Gives({"member": {"tasksAggregate": {"count": 0, "max": {"id": None}}}}),
    ),
    # A to-many, or a to-one the other way, holds the rows whose to-one back is open.
    (
        "the reviews of members",
        M3,
        f"{{ members({BOTH}) {{ id reviews {{ id }} }} }}",
        _reviews("reviews", [], [{"id": 1}]),
    ),
    (
        "a page of the reviews of members",
        M3,
        f"{{ members({BOTH}) {{ id reviewsConnection {{ totalCount nodes {{ id }} }} }} }}",
        _reviews("reviewsConnection", {"totalCount": 0, "nodes": []}, {"totalCount": 1, "nodes": [{"id": 1}]}),
    ),
    (
        "what the reviews of members come to",
        M3,
        f"{{ members({BOTH}) {{ id reviewsAggregate {{ count max {{ text }} }} }} }}",
        _reviews("reviewsAggregate", {"count": 0, "max": {"text": None}}, {"count": 1, "max": {"text": "Sound"}}),
    ),
    ("who has won", M3, f"{{ members({BOTH}) {{ id won {{ id }} }} }}", _reviews("won", None, {"id": 1})),
    ("who has read", M3, f"{{ members({BOTH}) {{ id read {{ id }} }} }}", _reviews("read", [], [{"id": 1}, {"id": 2}])),
    (
        "the readers of reviews",
        M3,
        "{ reviews { readers { id } } }",
        Gives({"reviews": [{"readers": [{"id": "m3"}]}, {"readers": [{"id": "m3"}]}, {"readers": []}]}),
    ),
    ("members by a review", M3, "{ members(where: {reviews: {some: {id: {eq: 2}}}}) { id } }", rows("members")),
    ("members by some review", M3, "{ members(where: {reviews: {some: {}}}) { id } }", rows("members", "m3")),
    (
        "members by no review",
        M3,
        f"{{ members({BOTH[:-1]}, reviews: {{none: {{}}}}}}) {{ id }} }}",
        rows("members", "m23"),
    ),
    (
        "members by every review",
        M3,
        f'{{ members({BOTH[:-1]}, reviews: {{every: {{text: {{eq: "Thin"}}}}}}}}) {{ id }} }}',
        rows("members", "m23"),
    ),
    (
        "members by the number of reviews",
        M3,
        "{ members(where: {reviewsAggregate: {count: {gt: 0}}}) { id } }",
        rows("members", "m3"),
    ),
    (
        "members by what they have read",
        M3,
        "{ members(where: {read: {some: {id: {gt: 0}}}}) { id } }",
        rows("members", "m3"),
    ),
    (
        "members by how much they have read",
        M3,
        "{ members(where: {readAggregate: {count: {gt: 0}}}) { id } }",
        rows("members", "m3"),
    ),
    ("members by what they have won", M3, "{ members(where: {won: {id: {gt: 0}}}) { id } }", rows("members", "m3")),
    (
        "reviews by a reader",
        M3,
        '{ reviews(where: {readers: {some: {id: {eq: "m23"}}}}) { id } }',
        rows("reviews"),
    ),
    (
        "members in the order of reviews",
        M3,
        "{ members(limit: 1, orderBy: [{reviewsAggregate: {count: DESC}}]) { id } }",
        rows("members", "m3"),
    ),
    (
        "members in the order of what they have read",
        M3,
        "{ members(limit: 1, orderBy: [{readAggregate: {count: DESC}}]) { id } }",
        rows("members", "m3"),
    ),
    (
        "members in the order of what they have won",
        M3,
        "{ members(limit: 1, orderBy: [{won: {id: DESC_NULLS_LAST}}]) { id } }",
        rows("members", "m3"),
    ),
    (
        "groups of what members have won",
        M3,
        "{ membersGroups(by: [{won: {id: VALUE}}]) { key { won { id } } count } }",
        _groups("membersGroups", ({"won": {"id": 1}}, 1), ({"won": {"id": None}}, len(OTHERS_OF_3))),
    ),
    # Filters by them.
    (
        "teams by their projects",
        M3,
        "{ teams(where: {projectsAggregate: {count: {gt: 3}}}) { id } }",
        rows("teams", "t3"),
    ),
    ("teams by all projects", M3, "{ teams(where: {projectsAggregate: {count: {gt: 4}}}) { id } }", rows("teams")),
    (
        "teams by no project",
        M3,
        "{ teams(where: {projectsAggregate: {count: {eq: 0}}}) { id } }",
        rows("teams", "t0", "t1"),
    ),
    (
        "teams by the number of hidden projects",
        M3,
        '{ teams(where: {projectsAggregate: {where: {region: {eq: "us"}}, count: {gt: 0}}}) { id } }',
        rows("teams"),
    ),
    (
        "teams by the last of hidden titles",
        M3,
        '{ teams(where: {projectsAggregate: {max: {title: {gt: "Project 3.3"}}}}) { id } }',
        rows("teams"),
    ),
    (
        "teams by different e-mails",
        M3,
        "{ teams(where: {membersAggregate: {countDistinct: {email: {gt: 1}}}}) { id } }",
        rows("teams"),
    ),
    (
        "teams by members with an e-mail",
        M3,
        "{ teams(where: {membersAggregate: {where: {email: {isNull: false}}, count: {gt: 1}}}) { id } }",
        rows("teams"),
    ),
    (
        "teams by hidden members",
        M3,
        "{ teams(where: {not: {membersAggregate: {count: {eq: 0}}}}) { id } }",
        rows("teams", "t3"),
    ),
    (
        "members by the number of tasks that are masked",
        M3,
        "{ members(where: {tasksAggregate: {count: {gt: 0}}}) { id } }",
        rows("members", "m3"),
    ),
    (
        "members by no task",
        M3,
        "{ members(where: {tasksAggregate: {count: {eq: 0}, sum: {id: {isNull: true}}}}) { id } }",
        rows("members", *OTHERS_OF_3),
    ),
    # Orders by them.
    (
        "teams in the order of their projects",
        M3,
        "{ teams(orderBy: [{projectsAggregate: {count: DESC}}]) { id } }",
        rows("teams", "t3", "t0", "t1"),
    ),
    (
        "teams in the order of titles",
        M3,
        "{ teams(orderBy: [{projectsAggregate: {max: {title: DESC_NULLS_FIRST}}}]) { id } }",
        rows("teams", "t0", "t1", "t3"),
    ),
    (
        "teams in the order of their members",
        M3,
        "{ teams(orderBy: [{membersAggregate: {count: DESC}}]) { id } }",
        rows("teams", "t3", "t0", "t1"),
    ),
    (
        "members in the order of masked tasks",
        M3,
        "{ members(orderBy: [{tasksAggregate: {count: DESC}}]) { id } }",
        rows("members", "m3", *OTHERS_OF_3),
    ),
    (
        "members in the order of the sums of masked tasks",
        M3,
        "{ members(orderBy: [{tasksAggregate: {sum: {id: DESC_NULLS_FIRST}}}]) { id } }",
        rows("members", *OTHERS_OF_3, "m3"),
    ),
    (
        "members in the order of teams' masked names",
        STRANGE_EDITOR,
        "{ tasks(limit: 2, orderBy: [{team: {membersAggregate: {count: DESC}}}]) { id } }",
        rows("tasks", 0, 2),
    ),
    # m23 sees three tasks of each project of its team, of others the two that are open.
    (
        "projects in the order of their visible tasks",
        Who("m23", EDITOR, EU),
        "{ projects(limit: 5, orderBy: [{tasksAggregate: {count: DESC}}]) { id } }",
        rows("projects", 30, 31, 32, 33, 0),
    ),
    (
        "projects in the order of their own tasks",
        STRANGE_EDITOR,
        "{ projects(limit: 2, orderBy: [{tasksAggregate: {max: {id: DESC}}}]) { id } }",
        rows("projects", 193, 192),
    ),
    (
        "projects by their own tasks",
        STRANGE_EDITOR,
        "{ projects(where: {tasksAggregate: {max: {id: {gt: 1925}}}}) { id } }",
        rows("projects", 193),
    ),
    # Where the rows are visible and what leads to them is not.
    (
        "teams in the order of a masked to-many",
        M3_EDITOR,
        "{ teams(orderBy: [{projectsAggregate: {count: DESC}}]) { id } }",
        rows("teams", "t3", "t0", "t1"),
    ),
    (
        "teams in the order of what a masked to-many comes to",
        M3_EDITOR,
        "{ teams(orderBy: [{projectsAggregate: {min: {id: ASC_NULLS_LAST}}}]) { id } }",
        rows("teams", "t3", "t0", "t1"),
    ),
    (
        "teams by a masked to-many",
        M3_EDITOR,
        "{ teams(where: {projectsAggregate: {count: {gt: 0}}}) { id } }",
        rows("teams", "t3"),
    ),
    (
        "teams by nothing in a masked to-many",
        M3_EDITOR,
        "{ teams(where: {projectsAggregate: {count: {eq: 0}, max: {id: {isNull: true}}}}) { id } }",
        rows("teams", "t0", "t1"),
    ),
    (
        "what a masked to-many comes to",
        M3_EDITOR,
        "{ teams { id projectsAggregate { count min { id } } } }",
        _teams(
            "projectsAggregate",
            *[{"count": 0, "min": {"id": None}}] * 2,
            {"count": 4, "min": {"id": 30}},
        ),
    ),
    (
        "a page of a masked to-many",
        M3_EDITOR,
        "{ teams { id projectsConnection(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } } } }",
        _teams(
            "projectsConnection",
            *[{"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False}}] * 2,
            {"totalCount": 4, "nodes": [{"id": 30}], "pageInfo": {"hasNextPage": True}},
        ),
    ),
    # Groups.
    (
        "groups of a masked field",
        M3,
        "{ membersGroups(by: [{email: VALUE}]) { key { email } count } }",
        _groups("membersGroups", ({"email": "m3@secret.example"}, 1), ({"email": None}, len(OTHERS_OF_3))),
    ),
    (
        "groups of fields that are masked everywhere",
        STRANGE_EDITOR,
        "{ tasksGroups(by: [{teamId: VALUE}, {team: {name: VALUE}}]) { key { teamId team { name } } count } }",
        _groups("tasksGroups", ({"teamId": None, "team": {"name": None}}, 240)),
    ),
    (
        "groups by a hidden row",
        M3,
        "{ tasksGroups(by: [{project: {region: VALUE}}]) { key { project { region } } count } }",
        _groups("tasksGroups", ({"project": {"region": "eu"}}, 4), ({"project": {"region": None}}, 1)),
    ),
    (
        "groups by the author",
        M3,
        "{ notesGroups(by: [{author: {name: VALUE}}]) { key { author { name } } count } }",
        _groups(
            "notesGroups",
            ({"author": {"name": "Member 23"}}, 1),
            ({"author": {"name": "Member 3"}}, 2),
            ({"author": {"name": None}}, 1),
        ),
    ),
    (
        "groups by a masked field of the author",
        M3,
        "{ notesGroups(by: [{author: {email: VALUE}}]) { key { author { email } } count } }",
        _groups("notesGroups", ({"author": {"email": "m3@secret.example"}}, 2), ({"author": {"email": None}}, 2)),
    ),
    (
        "groups in the order of what is masked",
        M3,
        "{ membersGroups(by: [{id: VALUE}], orderBy: [{max: {email: DESC_NULLS_LAST}}], limit: 2)"
        " { key { id } max { email } } }",
        Gives(
            {
                "membersGroups": [
                    {"key": {"id": "m3"}, "max": {"email": "m3@secret.example"}},
                    {"key": {"id": OTHERS_OF_3[0]}, "max": {"email": None}},
                ]
            }
        ),
    ),
    (
        "groups in the order of what is masked and not asked for",
        M3,
        "{ membersGroups(by: [{id: VALUE}], orderBy: [{max: {email: DESC_NULLS_LAST}}], limit: 2)"
        " { key { id } count } }",
        _groups("membersGroups", ({"id": "m3"}, 1), ({"id": OTHERS_OF_3[0]}, 1)),
    ),
    (
        "groups of what is not grouped by",
        M3,
        "{ membersGroups(by: [{id: VALUE}]) { key { email } } }",
        BAD_INPUT,
    ),
    ("more groups than rows on a page", M3, "{ projectsGroups(by: [{id: VALUE}], limit: 4) { count } }", TOO_LARGE),
    (
        "groups of a page",
        M3,
        "{ projectsGroups(by: [{id: VALUE}]) { key { id } count } }",
        _groups("projectsGroups", *(({"id": key}, 1) for key in (30, 31, 32))),
    ),
    ("groups of nothing", STRANGER, "{ projectsGroups(by: [{id: VALUE}]) { count } }", Gives({"projectsGroups": []})),
    # Connections.
    (
        "a connection",
        ANON,
        "{ teamsConnection { nodes { id } totalCount } }",
        _nodes("teamsConnection", "t0", "t1", total=2),
    ),
    (
        "the number of projects, whatever the page",
        M3,
        "{ projectsConnection { nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage } } }",
        Gives(
            {
                "projectsConnection": {
                    "nodes": [{"id": 30}, {"id": 31}, {"id": 32}],
                    "totalCount": 4,
                    "pageInfo": {"hasNextPage": True, "hasPreviousPage": False},
                }
            }
        ),
    ),
    (
        "the last projects",
        M3,
        "{ projectsConnection(last: 1) { nodes { id } totalCount } }",
        _nodes("projectsConnection", 33, total=4),
    ),
    ("a page too large", M3, "{ projectsConnection(first: 4) { totalCount } }", TOO_LARGE),
    ("a page too large from the end", M3, "{ projectsConnection(last: 4) { totalCount } }", TOO_LARGE),
    (
        "the numbers of members",
        M3,
        "{ teams { id membersConnection { totalCount } } }",
        _teams("membersConnection", {"totalCount": 0}, {"totalCount": 0}, {"totalCount": len(TEAM_OF_3)}),
    ),
    (
        "a connection of a masked to-many",
        M3,
        '{ member(id: "m23") { tasksConnection { totalCount nodes { id } edges { cursor } pageInfo { hasNextPage'
        " endCursor } } } }",
        Gives(
            {
                "member": {
                    "tasksConnection": {
                        "totalCount": 0,
                        "nodes": [],
                        "edges": [],
                        "pageInfo": {"hasNextPage": False, "endCursor": None},
                    }
                }
            }
        ),
    ),
    (
        "a connection in the order of what is hidden",
        M3,
        "{ tasksConnection(orderBy: [{project: {title: DESC_NULLS_FIRST}}]) { nodes { id } } }",
        _nodes("tasksConnection", 350, 330, 320, 310, 300),
    ),
    # Search: in what is open of each row.
    ("a search of open bodies", M3, '{ notes(search: "plum") { id } }', rows("notes", 1, 2)),
    ("a search of titles", M3, '{ notes(search: "apple") { id } }', rows("notes", 1, 3)),
    ("a search for a hidden word", M3, '{ notes(search: "hidden") { id } }', rows("notes")),
    ("a search and a filter", M3, '{ notes(search: "plum", where: {id: {gt: 1}}) { id } }', rows("notes", 2)),
    ("a search for both", M3, '{ notes(search: "apple plum") { id } }', rows("notes", 1)),
    ("a search for what is not there", M3, '{ notes(search: "-plum") { id } }', rows("notes", 3, 7)),
    (
        "what is found, counted",
        M3,
        '{ notesAggregate(search: "plum") { count } notesConnection(search: "plum") { totalCount } }',
        Gives({"notesAggregate": {"count": 2}, "notesConnection": {"totalCount": 2}}),
    ),
    ("a search of a stranger", STRANGER, '{ notes(search: "plum") { id } }', rows("notes")),
    # JSON.
    (
        "notes by what is in masked data",
        M3,
        '{ notes(where: {data: {path: [{at: ["color"], eq: "red"}]}}) { id } }',
        rows("notes", 1),
    ),
    (
        "notes by what is not",
        M3,
        '{ notes(where: {not: {data: {path: [{at: ["color"], eq: "red"}]}}}) { id } }',
        rows("notes", 2),
    ),
    (
        "notes by no data",
        M3,
        '{ notes(where: {data: {path: [{at: ["color"], isNull: true}]}}) { id } }',
        rows("notes", 3, 7),
    ),
    ("notes that contain", M3, '{ notes(where: {data: {contains: {color: "red"}}}) { id } }', rows("notes", 1)),
    ("notes that have a key", M3, '{ notes(where: {data: {hasKey: "n"}}) { id } }', rows("notes", 1, 2)),
    (
        "the data of notes",
        M3,
        "{ notes { id body data } }",
        Gives(
            {
                "notes": [
                    {"id": 1, "body": "a plum of one's own", "data": {"color": "red", "n": 1}},
                    {"id": 2, "body": "a shared plum", "data": {"color": "green", "n": 2}},
                    *({"id": key, "body": None, "data": None} for key in (3, 7)),
                ]
            }
        ),
    ),
    # A to-one that is never null in the database is where its row is hidden.
    (
        "the authors of notes",
        M3,
        "{ notes { author { id } } }",
        Gives({"notes": [{"author": author and {"id": author}} for author in ("m3", "m3", "m23", None)]}),
    ),
    # Deleted rows have the rules of the others.
    # A key that is masked on its row names no row.
    ("the key of one's own locker", M3, "{ ofLocker(id: 1) }", Gives({"ofLocker": "with {'id': 1}"})),
    ("the masked key of a locker", M3, "{ ofLocker(id: 2) }", NOT_FOUND),
    ("the key of no locker", M3, "{ ofLocker(id: 9) }", NOT_FOUND),
    (
        "the row of one's own locker",
        M3,
        "{ lockerOf(id: 1) { id label } }",
        Gives({"lockerOf": {"id": 1, "label": "Left"}}),
    ),
    ("the row of a locker by its masked key", M3, "{ lockerOf(id: 2) { label } }", NOT_FOUND),
    ("the row of no locker", M3, "{ lockerOf(id: 9) { label } }", NOT_FOUND),
    ("the masked key of a locker by look-up", M3, "{ locker(id: 2) { label } }", Gives({"locker": None})),
    ("the key of a locker to change", M3, "{ ofLockers(ids: [1]) }", Gives({"ofLockers": "with {'ids': [1]}"})),
    ("the masked key of a locker to change", M3, "{ ofLockers(ids: [1, 2]) }", NOT_FOUND),
    # Of what is deleted, what the viewer may delete.
    ("another's deleted drafts", M3, "{ drafts(deleted: ONLY) { id } }", rows("drafts", 2)),
    ("another's deleted drafts among all", M3, "{ drafts(deleted: INCLUDE) { id } }", rows("drafts", 1, 2, 4)),
    ("another's deleted drafts by id", M3, "{ drafts(deleted: INCLUDE, where: {id: {gt: 4}}) { id } }", rows("drafts")),
    (
        "what another's deleted drafts come to",
        M3,
        "{ draftsAggregate(deleted: ONLY) { count max { text } } draftsConnection(deleted: INCLUDE) { totalCount }"
        " draftsGroups(deleted: ONLY, by: [{writerId: VALUE}]) { key { writerId } count } }",
        Gives(
            {
                "draftsAggregate": {"count": 1, "max": {"text": "Mine of old"}},
                "draftsConnection": {"totalCount": 3},
                "draftsGroups": [{"key": {"writerId": "m3"}, "count": 1}],
            }
        ),
    ),
    (
        "the deleted drafts of members",
        M3,
        f"{{ members({BOTH}) {{ id drafts(deleted: ONLY) {{ id }} }} }}",
        _reviews("drafts", [], [{"id": 2}]),
    ),
    (
        "all drafts of members",
        M3,
        f"{{ members({BOTH}) {{ id draftsAggregate(deleted: INCLUDE) {{ count }} }} }}",
        _reviews("draftsAggregate", {"count": 1}, {"count": 2}),
    ),
    # A rule is dropped for the claims of its check too, and a guard lets nothing pass.
    ("stamps without ink", M3, "{ stamps { id ink } }", Gives({"stamps": [{"id": 2, "ink": None}]})),
    (
        "stamps with ink",
        Who("m3", USER, {**EU, "ink": "red"}),
        "{ stamps { id ink } }",
        Gives({"stamps": [{"id": 1, "ink": "red"}, {"id": 2, "ink": "blue"}]}),
    ),
    ("vaults without holder", M3, "{ vaults { id } }", rows("vaults")),
    ("vaults with a holder", Who("m3", USER, {**EU, "holder": "x"}), "{ vaults { id } }", rows("vaults", 1)),
    ("deleted notes", M3_EDITOR, "{ notes(deleted: ONLY) { id } }", rows("notes", 5, 6)),
    ("all notes", M3_EDITOR, "{ notes(deleted: INCLUDE) { id } }", rows("notes", 1, 2, 3, 5, 6, 7)),
    ("deleted notes by a masked body", M3_EDITOR, '{ notes(deleted: ONLY, search: "plum") { id } }', rows("notes", 5)),
    (
        "deleted notes, counted",
        STRANGE_EDITOR,
        "{ notesAggregate(deleted: ONLY) { count } notesConnection(deleted: INCLUDE) { totalCount }"
        " notesGroups(deleted: ONLY, by: [{body: VALUE}]) { key { body } count } }",
        Gives(
            {
                "notesAggregate": {"count": 2},
                "notesConnection": {"totalCount": 5},
                "notesGroups": [{"key": {"body": None}, "count": 2}],
            }
        ),
    ),
    ("a deleted note by key", M3_EDITOR, "{ note(id: 5) { id } }", Gives({"note": None})),
    # Keys that the application's own code gives.
    (
        "teams of keys",
        ANON,
        '{ teamsOf(ids: ["t5", "t0", "nowhere", "t3"]) { id } }',
        Gives({"teamsOf": [None, {"id": "t0"}, None, None]}),
    ),
    (
        "notes of keys",
        M3,
        "{ notesOf(ids: [1, 3, 4, 5, 7, 9]) { id body author { id } } }",
        Gives(
            {
                "notesOf": [
                    {"id": 1, "body": "a plum of one's own", "author": {"id": "m3"}},
                    {"id": 3, "body": None, "author": {"id": "m23"}},
                    None,
                    None,
                    {"id": 7, "body": None, "author": None},
                    None,
                ]
            }
        ),
    ),
    (
        "what belongs to teams of keys",
        ANON,
        '{ teamsOf(ids: ["t0", "t1"]) { name } teamsAggregate(where: {id: {in: ["t3"]}}) { count } }',
        Gives({"teamsOf": [{"name": "Team 0"}, {"name": "Team 1"}], "teamsAggregate": {"count": 0}}),
    ),
    # Rows on which an operation is held.
    ("a team that is there", ANON, '{ ofTeam(id: "t0") }', Gives({"ofTeam": "with {'id': 't0'}"})),
    ("notes that may be deleted", M3_EDITOR, "{ ofNotes(ids: [2, 3]) }", Gives({"ofNotes": "with {'ids': [2, 3]}"})),
    *(
        (
            f"notes that may not be deleted {ids} by {who.sub}, {len(who.roles)}",
            who,
            f"{{ ofNotes(ids: {ids}) }}",
            NOT_FOUND,
        )
        for who, several in (
            (M3, ([1], [2], [3], [9])),
            # One's own that is not open, one that is hidden, one that is deleted, none at all.
            (M3_EDITOR, ([1], [4], [5], [9], [2, 9], [3, 1])),
            (STRANGE_EDITOR, ([1], [4], [6])),
        )
        for ids in several
    ),
)

# --- links that Clew made ------------------------------------------------------------------

_SEA, _WAR = {"topic": {"name": "Sea"}}, {"topic": {"name": "War"}}
_BY_NAMES = "orderBy: [{essay: {title: ASC}}, {topic: {name: ASC}}]"

LINKS: tuple[tuple[str, Who, str, Expectation], ...] = (
    (
        "the keys of links",
        M3,
        f"{{ essayTopics({_BY_NAMES}) {{ essayId topic {{ name }} }} }}",
        Gives({"essayTopics": [{"essayId": 1, **_SEA}, {"essayId": None, **_SEA}, {"essayId": None, **_WAR}]}),
    ),
    (
        "links by a masked key",
        M3,
        "{ essayTopics(where: {essayId: {eq: 2}}) { topic { name } } }",
        Gives({"essayTopics": []}),
    ),
    (
        "links by not a masked key",
        M3,
        "{ essayTopics(where: {not: {essayId: {eq: 2}}}) { topic { name } } }",
        Gives({"essayTopics": [_SEA]}),
    ),
    (
        "links with a key",
        M3,
        "{ essayTopicsAggregate(where: {essayId: {isNull: false}}) { count } }",
        Gives({"essayTopicsAggregate": {"count": 1}}),
    ),
    (
        "the keys of links, counted",
        M3,
        "{ essayTopicsAggregate { count countDistinct { essayId } max { essayId } } }",
        Gives({"essayTopicsAggregate": {"count": 3, "countDistinct": {"essayId": 1}, "max": {"essayId": 1}}}),
    ),
    (
        "the keys of links, grouped",
        M3,
        "{ essayTopicsGroups(by: [{essayId: VALUE}]) { key { essayId } count } }",
        _groups("essayTopicsGroups", ({"essayId": 1}, 1), ({"essayId": None}, 2)),
    ),
    (
        "the links of lists that are masked",
        M3,
        "{ essayMoods { essayId topic { name } } essayMoodsAggregate { count }"
        " essayMoodsConnection { totalCount } essays(orderBy: [{title: ASC}]) { moods { name } } }",
        Gives(
            {
                "essayMoods": [{"essayId": 1, **_SEA}],
                "essayMoodsAggregate": {"count": 1},
                "essayMoodsConnection": {"totalCount": 1},
                "essays": [{"moods": [{"name": "Sea"}]}, {"moods": []}],
            }
        ),
    ),
    (
        "the links of masked lists by their ends",
        M3,
        '{ essayMoodsAggregate(where: {essay: {title: {eq: "Theirs"}}}) { count }'
        " essayMoodsGroups(by: [{topic: {name: VALUE}}]) { key { topic { name } } count } }",
        Gives({"essayMoodsAggregate": {"count": 0}, "essayMoodsGroups": [{"key": _SEA, "count": 1}]}),
    ),
    (
        "the links of masked lists, as who has none",
        STRANGER,
        "{ essayMoods { topic { name } } essayMoodsAggregate { count } }",
        Gives({"essayMoods": [], "essayMoodsAggregate": {"count": 0}}),
    ),
    (
        # The list is open on the one end, and is none of the other's.
        "the links of a type with itself",
        M3,
        "{ sequels { essayId otherEssayId essay { title } otherEssay { title } } }",
        Gives(
            {
                "sequels": [
                    {
                        "essayId": 1,
                        "otherEssayId": None,
                        "essay": {"title": "Mine"},
                        "otherEssay": {"title": "Theirs"},
                    }
                ]
            }
        ),
    ),
    (
        # What an essay cites its writer alone is told; by what it is cited everybody is.
        "the two directions of a link of a type with itself",
        M3,
        "{ essays(orderBy: [{title: ASC}]) { title cites { title } citesAggregate { count }"
        " citedBy(orderBy: [{title: ASC}]) { title } citedByAggregate { count } }"
        " citations { citingId citedId citing { title } cited { title } } }",
        Gives(
            {
                "essays": [
                    {
                        "title": "Mine",
                        "cites": [{"title": "Theirs"}],
                        "citesAggregate": {"count": 1},
                        "citedBy": [{"title": "Theirs"}],
                        "citedByAggregate": {"count": 1},
                    },
                    {
                        "title": "Theirs",
                        "cites": [],
                        "citesAggregate": {"count": 0},
                        "citedBy": [{"title": "Mine"}, {"title": "Theirs"}],
                        "citedByAggregate": {"count": 2},
                    },
                ],
                "citations": [
                    {"citingId": 1, "citedId": None, "citing": {"title": "Mine"}, "cited": {"title": "Theirs"}}
                ],
            }
        ),
    ),
    (
        "the direction that is closed, in filters and orders",
        M3,
        '{ a: essays(where: {cites: {some: {title: {like: "%"}}}}) { title }'
        ' b: essays(where: {citedBy: {some: {title: {eq: "Mine"}}}}) { title }'
        ' c: essays(where: {citedBy: {some: {cites: {some: {title: {eq: "Mine"}}}}}}) { title }'
        " d: essays(where: {citesAggregate: {count: {gt: 0}}}) { title }"
        " e: essays(orderBy: [{citesAggregate: {count: DESC}}], limit: 1) { title } }",
        Gives(
            {
                "a": [{"title": "Mine"}],
                "b": [{"title": "Theirs"}],
                "c": [],
                "d": [{"title": "Mine"}],
                "e": [{"title": "Mine"}],
            }
        ),
    ),
    (
        "the directions of a link, as who has written nothing",
        STRANGER,
        "{ citations { citing { title } } citationsAggregate { count }"
        " essays(orderBy: [{title: ASC}]) { cites { title } } }",
        Gives({"citations": [], "citationsAggregate": {"count": 0}, "essays": [{"cites": []}, {"cites": []}]}),
    ),
    (
        # Each list is open by its own rules.
        "the list of which a link has one that is closed",
        M3,
        "{ topics(orderBy: [{name: ASC}]) { name warned(orderBy: [{title: ASC}]) { title } } }",
        Gives(
            {
                "topics": [
                    {"name": "Sea", "warned": []},
                    {"name": "War", "warned": [{"title": "Mine"}, {"title": "Theirs"}]},
                ]
            }
        ),
    ),
)

# --- the order of rows whose keys are hidden -----------------------------------------------

_OF_1 = "where: {poll: {id: {eq: 1}}}"
# All have one weight: an order by it leaves all ties.
_BY_WEIGHT = "orderBy: [{weight: DESC}]"
EVERYBODY, OTHERS = "abcdefghij", "abcefghij"


def ties() -> Iterable[Attack]:
    """Lists whose order would tell of the keys: what is hidden is sorted by what tells nothing, own rows aside."""
    for name, who, document in (
        ("of votes", ANON, f"{{ votes({_OF_1}) {{ choice }} }}"),
        ("of votes, in an order that leaves ties", ANON, f"{{ votes({_OF_1}, {_BY_WEIGHT}) {{ choice }} }}"),
        ("of a poll's votes", ANON, "{ poll(id: 1) { votes { choice } } }"),
        ("of a poll's votes with their poll", ANON, "{ poll(id: 1) { votes { choice poll { id } } } }"),
        ("of each poll's votes", ANON, "{ polls { votes { choice } } }"),
        ("of votes' edges", ANON, f"{{ votesConnection({_OF_1}) {{ edges {{ node {{ choice }} }} }} }}"),
        ("of votes' nodes, backward", ANON, f"{{ votesConnection({_OF_1}, last: 10) {{ nodes {{ choice }} }} }}"),
        ("of a poll's nodes", ANON, f"{{ poll(id: 1) {{ votesConnection({_BY_WEIGHT}) {{ nodes {{ choice }} }} }} }}"),
        ("of ballots", ANON, "{ ballots { choice } }"),
        ("of ballots, one by one", M3, "{ ballotsConnection(first: 10) { edges { cursor node { choice } } } }"),
        ("of a view", ANON, "{ lastVotes { choice } }"),
        # The same voters, and no order like another.
        ("of all by voters", ANON, "{ polls { votes { choice } } ballots { choice } lastVotes { choice } }"),
        ("of votes, as a stranger", STRANGER, f"{{ votes({_OF_1}) {{ choice }} }}"),
    ):
        yield Attack(f"the order {name}", who, document, Scattered(EVERYBODY))
    for name, document in (
        ("of votes", f"{{ votes({_OF_1}) {{ choice voter {{ id }} }} }}"),
        ("of votes, in an order that leaves ties", f"{{ votes({_OF_1}, {_BY_WEIGHT}) {{ choice }} }}"),
        ("of votes by the voter's key", f"{{ votes({_OF_1}, orderBy: [{{voterId: ASC}}]) {{ choice }} }}"),
        ("of votes by the voter", f"{{ votes({_OF_1}, orderBy: [{{voter: {{id: ASC}}}}]) {{ choice }} }}"),
        ("of each poll's votes", "{ polls { votesConnection { edges { cursor node { choice } } } } }"),
    ):
        yield Attack(f"the order {name}, one's own first", M3, document, Scattered(OTHERS, first="d"))


# --- cursors ------------------------------------------------------------------------------

_ASKS = "query ($v: String) { %s(after: $v%s) { nodes { id } } }"
_FIRST = "{ %s(first: 1%s) { edges { cursor } } }"
_AROUND = "query ($v: String) { %s(after: $v, %s) { pageInfo { hasPreviousPage hasNextPage } } }"


def _in_regions(*regions: str) -> Who:
    return Who("m3", USER, {"regions": list(regions)})


def cursors() -> Iterable[Attack]:
    """Cursors that another list, another order, another viewer or nobody has given."""

    def asks(field: str, more: str = "") -> str:
        return _ASKS % (field, f", {more}" if more else "")

    def first(field: str, more: str = "") -> str:
        return _FIRST % (field, f", {more}" if more else "")

    taken: tuple[tuple[str, Who, str, Who, str, Refused | Gives], ...] = (
        # name, who asks, what, whose cursor, of what
        (
            "one's own",
            M3,
            asks("tasksConnection"),
            M3,
            first("tasksConnection"),
            _nodes("tasksConnection", 310, 320, 330, 350),
        ),
        # A role and a claim that no rule names make no other viewer, nor does a list in another order.
        *(
            (
                f"one's own, {name}",
                who,
                asks("tasksConnection"),
                whose,
                first("tasksConnection"),
                _nodes("tasksConnection", 310, 320, 330, 350),
            )
            for name, who, whose in (
                ("by a new token", Who("m3", USER, {**EU, "jti": "2", "name": "Mia"}), M3),
                ("by the token before", M3, Who("m3", USER | {"visitor"}, {**EU, "jti": "1"})),
                ("as its regions are told now", _in_regions("eu", "us"), _in_regions("us", "eu", "us")),
            )
        ),
        ("nobody's", ANON, asks("teamsConnection"), ANON, first("teamsConnection"), _nodes("teamsConnection", "t1")),
        # Another's is none: not of the same roles, nor of one who sees more or less, nor one's own as one was or will
        # be with other roles, or other claims where rules name them.
        *(
            (f"{name}, of {field}", who, asks(field, order), whose, first(field, order), BAD_INPUT)
            for field, order in (("membersConnection", "orderBy: [{email: ASC}]"), ("projectsConnection", ""))
            for name, who, whose in (
                ("another's", M3, M23),
                ("an admin's", M3, Who(roles=frozenset({"admin"}))),
                ("one's own as editor", M3, M3_EDITOR),
                ("one's own, by an editor", M3_EDITOR, M3),
                ("one's own of another region", M3, Who("m3", USER, {"regions": ["eu", "us"]})),
                ("one's own, without a region", Who("m3", USER), M3),
            )
        ),
        ("a user's", ANON, asks("teamsConnection"), M3, first("teamsConnection"), BAD_INPUT),
        ("of nobody", M3, asks("teamsConnection"), ANON, first("teamsConnection"), BAD_INPUT),
        # By keys that do not go one way.
        *(
            (
                f"by {order}, at {at}",
                M3,
                asks("teamsConnection", f"orderBy: [{order}]"),
                M3,
                first("teamsConnection", f'orderBy: [{order}], where: {{id: {{eq: "{at}"}}}}'),
                _nodes("teamsConnection", *after),
            )
            for order, at, after in (
                ("{name: DESC}", "t1", ["t0"]),
                ("{public: ASC}, {name: DESC}", "t3", ["t1", "t0"]),
                ("{public: ASC}, {name: DESC}", "t0", []),
            )
        ),
        (
            "before all that is left",
            M3,
            _AROUND % ("teamsConnection", 'orderBy: [{name: DESC}], where: {id: {eq: "t0"}}'),
            M3,
            first("teamsConnection", 'orderBy: [{name: DESC}], where: {id: {eq: "t1"}}'),
            Gives({"teamsConnection": {"pageInfo": {"hasPreviousPage": False, "hasNextPage": False}}}),
        ),
        # Nor is it compared with rows that are hidden, on which that fails.
        (
            "of what fails on hidden rows",
            M3,
            _AROUND % ("metersConnection", 'orderBy: [{number: ASC}], where: {name: {eq: "Theirs"}}'),
            M3,
            first("metersConnection", "orderBy: [{number: ASC}]"),
            Gives({"metersConnection": {"pageInfo": {"hasPreviousPage": False, "hasNextPage": False}}}),
        ),
        (
            "of what fails on hidden rows, for rows",
            M3,
            asks("metersConnection", "orderBy: [{number: ASC}]"),
            M3,
            first("metersConnection", "orderBy: [{number: ASC}]"),
            _nodes("metersConnection"),
        ),
        # Null where it is masked, and the nulls come last.
        (
            "of a masked field",
            M3,
            asks("membersConnection", "orderBy: [{email: ASC}]"),
            M3,
            first("membersConnection", f'orderBy: [{{email: ASC}}], where: {{id: {{eq: "{OTHERS_OF_3[-2]}"}}}}'),
            _nodes("membersConnection", OTHERS_OF_3[-1]),
        ),
        *(
            (f"of {what}", M3, asks(field, order), M3, first(other, other_order), BAD_INPUT)
            for what, field, order, other, other_order in (
                ("another order", "membersConnection", "orderBy: [{email: ASC}]", "membersConnection", ""),
                ("another direction", "tasksConnection", "orderBy: [{id: DESC}]", "tasksConnection", ""),
                (
                    "another place of nulls",
                    "membersConnection",
                    "orderBy: [{email: ASC}]",
                    "membersConnection",
                    "orderBy: [{email: ASC_NULLS_FIRST}]",
                ),
                (
                    "another measure",
                    "teamsConnection",
                    "orderBy: [{projectsAggregate: {min: {title: ASC}}}]",
                    "teamsConnection",
                    "orderBy: [{projectsAggregate: {max: {title: ASC}}}]",
                ),
                ("another entity", "teamsConnection", "", "membersConnection", ""),
                (
                    "another entity, in the same order",
                    "teamsConnection",
                    "orderBy: [{name: ASC}]",
                    "membersConnection",
                    "orderBy: [{name: ASC}]",
                ),
                ("another entity with numbers", "projectsConnection", "", "tasksConnection", ""),
            )
        ),
    )
    for name, who, document, whose, source, expect in taken:
        yield Attack(f"a cursor, {name}", who, document, WithCursor(whose, source, expect))
    mine = first("membersConnection", "orderBy: [{email: ASC}]")
    for name, change in (
        ("its nulls changed", lambda cursor: f"1.{cursor.partition('.')[2]}"),
        ("more nulls than keys", lambda cursor: f"ff.{cursor.partition('.')[2]}"),
        ("cut", lambda cursor: cursor[:-4]),
        ("longer", lambda cursor: cursor + "AAAA"),
        ("a bit flipped", lambda cursor: cursor[:-6] + ("A" if cursor[-6] != "A" else "B") + cursor[-5:]),
        ("in small letters", lambda cursor: cursor.lower()),
    ):
        document = asks("membersConnection", "orderBy: [{email: ASC}]")
        yield Attack(f"a cursor, {name}", M3, document, WithCursor(M3, mine, BAD_INPUT, change))
    forger = Cursors("a secret of one's own")
    plain = json.dumps(["m22@secret.example", "m0"]).encode().hex()
    order = "Member:email:text asc False,id:text asc False"
    forged = json.loads(forger.seal(f'"{forger.marker}:0:{plain}"'.encode(), [order], bytes(32)))
    for value in (
        forged,
        "",
        "0",
        "0.",
        ".",
        "0.AAAA",
        "0.'--",
        "x.AAAA",
        "0." + "A" * 50_000,
        "\0",
        plain,
        f"{'f' * 17}.AAAA",
        1,
    ):
        yield Attack(f"no cursor {str(value)[:12]!a}", M3, asks("membersConnection"), BAD_INPUT, {"v": value})
        by = asks("membersConnection", "orderBy: [{email: ASC}]")
        yield Attack(f"no cursor of an order {str(value)[:12]!a}", M3, by, BAD_INPUT, {"v": value})


def failing() -> Iterable[Attack]:
    """Conditions that fail on a hidden row, and would tell of it by that, as Postgres asks the cheap ones first."""
    for condition in (
        "number: {gt: 1}",
        "number: {isNull: true}",
        "or: [{number: {gt: 1}}, {id: {lt: 0}}]",
        "not: {number: {gt: 1}}",
        "dials: {some: {number: {gt: 1}}}",
        "needles: {some: {id: {gt: 0}}}",
        "dialsAggregate: {where: {number: {gt: 1}}, count: {gt: 0}}",
        "dialsAggregate: {sum: {weight: {gt: 0}}}",
        "needlesAggregate: {count: {gt: 0}}",
    ):
        document = f'{{ meters(where: {{{condition}, name: {{eq: "~"}}}}) {{ id }} }}'
        yield Attack(f"fails where it is hidden: {condition}", M3, document, Alike(("Theirs", "Other"), rows("meters")))


def reads() -> Iterable[Attack]:
    for name, who, document, expect in (*ROWS, *LINKS):
        yield Attack(name, who, document, expect)
    yield from ties()
    yield from cursors()
    yield from failing()
