"""The attacks: one table for every way in.

They are made on the application of `tests.access.guarded`. What one of its viewers may
see is in the comment there at its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from clew.errors import Code
from tests.access.guarded import MEMBERS
from tests.attacks.attack import AsUnknown, Attack, Expectation, Gives, Refused, Who
from tests.attacks.documents import documents, sql_injection
from tests.attacks.elsewhere import HIDDEN as HIDDEN_ELSEWHERE
from tests.attacks.elsewhere import reads as reads_of_rules_elsewhere
from tests.attacks.reads import HIDDEN as HIDDEN_FROM_READS
from tests.attacks.reads import reads
from tests.attacks.tokens import tokens
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
    VIEWERS,
    rows,
)

# --- what is hidden is not there ------------------------------------------------------

HIDDEN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    # viewer, a document with what is hidden from it between ~, variables
    ("anon", "{ ~audits~ { id } }", {}),
    ("anon", "{ ~audit~(id: 1) { id } }", {}),
    ("anon", "{ ~members~ { id } }", {}),
    ("anon", "{ ~internal~ }", {}),
    ("anon", "{ ~stats~ { teams } }", {}),
    ("anon", "mutation { ~touch~(name: 1) }", {}),
    ("user", "mutation { ~wipe~ }", {}),
    ("anon", "{ teams { ~budget~ } }", {}),
    ("anon", "{ teams { ~public~ } }", {}),
    ("user", "{ teams { ~budget~ } }", {}),
    ("user", "{ members { ~password~ } }", {}),
    ("editor", "{ members { ~password~ } }", {}),
    ("anon", "{ teams { ~projects~ { id } } }", {}),
    ("anon", "{ teams(where: {~budget~: {gt: 1}}) { id } }", {}),
    ("anon", "{ teams(where: {and: [{or: {not: {~public~: {eq: true}}}}]}) { id } }", {}),
    ("anon", "{ teams(where: {~members~: {some: {id: {eq: 1}}}}) { id } }", {}),
    ("user", "{ members(where: {~password~: {eq: 1}}) { id } }", {}),
    ("user", "{ members(where: {teams: {some: {~budget~: {eq: 1}}}}) { id } }", {}),
    ("user", "{ members(where: {teams: {none: {~budget~: {eq: 1}}}}) { id } }", {}),
    ("user", "{ members(where: {teams: {every: {~budget~: {eq: 1}}}}) { id } }", {}),
    ("user", "{ members(where: {~greeting~: {eq: 1}}) { id } }", {}),
    ("user", "{ tasks(where: {assignee: {~password~: {eq: 1}}}) { id } }", {}),
    ("user", "{ tasks(where: {project: {team: {~budget~: {eq: 1}}}}) { id } }", {}),
    ("user", "{ teams { projects(where: {tasks: {some: {~secrecy~: {eq: HIGH}}}}) { id } } }", {}),
    ("anon", "{ teams(orderBy: {~budget~: ASC}) { id } }", {}),
    ("anon", "{ teams(orderBy: [{~public~: ASC}]) { id } }", {}),
    ("user", "{ tasks(orderBy: {team: {~budget~: ASC}}) { id } }", {}),
    ("user", "{ tasks(orderBy: {~secrecy~: ASC}) { id } }", {}),
    ("anon", "{ teams { ... on ~Member~ { id } } }", {}),
    ("anon", "fragment F on ~Audit~ { id } { ping ...F }", {}),
    ("anon", "query ($v: ~AuditFilter~) { ping }", {}),
    ("anon", "query ($v: [~Secrecy~!]) { ping }", {"v": ["LOW"]}),
    ("user", "query ($v: ~SecrecyFilter~) { ping }", {}),
    ("user", "query ($v: ~StatsInput~) { ping }", {"v": {}}),
    ("anon", '{ __type(name: "~Audit~") { name } }', {}),
    ("anon", '{ __type(name: "~Mood~") { name } }', {}),
    ("user", '{ __type(name: "~Secrecy~") { enumValues { name } } }', {}),
    ("user", '{ __type(name: "~AuditOrderBy~") { inputFields { name } } }', {}),
    ("anon", "query ($v: TeamFilter) { teams(where: $v) { id } }", {"v": {"~budget~": {"gt": 1}}}),
    ("anon", "query ($v: TeamFilter) { teams(where: $v) { id } }", {"v": {"not": {"~public~": {"eq": True}}}}),
    ("user", "query ($v: [TeamOrderBy!]) { teams(orderBy: $v) { id } }", {"v": [{"~budget~": "ASC"}]}),
    ("user", "query ($v: MemberFilter) { members(where: $v) { id } }", {"v": {"~password~": {"eq": "x"}}}),
    ("anon", "{ teamByName(name: 1) { ~budget~ } }", {}),
    ("anon", "{ ~memberByEmail~(email: 1) { id } }", {}),
    ("anon", "{ ~teamMembers~ { teamId } }", {}),
    ("anon", "{ teams(deleted: 1, ~search~: 2) { id } }", {}),
    ("user", "{ projects(~deleted~: INCLUDE) { id } }", {}),
    ("anon", "{ ping(~input~: 1) }", {}),
    *HIDDEN_FROM_READS,
    *HIDDEN_ELSEWHERE,
)

NEAR_NAMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("{ team { id } pingg }", {}),
    ("{ teams(wher: 1) { id } }", {}),
    ("{ teams { nam } }", {}),
    ("{ teams(where: {nam: {eq: 1}}) { id } }", {}),
    ("{ teams(orderBy: {name: ASK}) { id } }", {}),
    ("query ($v: TeamFiltr) { teams { id } }", {}),
    ("{ teams { ... on Teem { id } } }", {}),
    ("query ($v: TeamFilter) { teams(where: $v) { id } }", {"v": {"nam": 1}}),
    ("query ($v: OrderDirection!) { teams(orderBy: {name: $v}) { id } }", {"v": "ASK"}),
    ("query ($v: [TeamOrderBy!]) { teams(orderBy: $v) { id } }", {"v": [{"name": "ASK"}]}),
)


def hidden_names() -> Iterable[Attack]:
    for role, document, variables in HIDDEN:
        yield Attack(f"{role} {document} {variables or ''}", VIEWERS[role], document, AsUnknown(), variables)
    for role, who in VIEWERS.items():
        for document, variables in NEAR_NAMES:
            refused = Refused((Code.GRAPHQL_VALIDATION_FAILED, Code.BAD_USER_INPUT))
            yield Attack(f"{role}, near a name: {document}", who, document, refused, variables)


# --- rows and fields, through every door ------------------------------------------------

# What m3 may see: tasks 300 310 320 330 350, of which the last's project is of another region and the one
# before it of a deleted project; of the members of t3 the ids, of itself the e-mail address.
TEAM_OF_3 = tuple(sorted(f"m{number}" for number in range(3, MEMBERS, 20)))
ROWS: tuple[tuple[str, Who, str, Expectation], ...] = (
    # By key.
    ("another's team", ANON, '{ team(id: "t5") { id } }', Gives({"team": None})),
    ("another's team by name", ANON, '{ teamByName(name: "Team 5") { id } }', Gives({"teamByName": None})),
    ("another's project", M3, "{ project(id: 40) { id } }", Gives({"project": None})),
    ("a deleted project", M3, "{ project(id: 34) { id } }", Gives({"project": None})),
    ("a deleted project, as editor", M3_EDITOR, "{ project(id: 34) { id } }", Gives({"project": None})),
    ("a project of another region", M3, "{ project(id: 35) { id } }", Gives({"project": None})),
    ("another's task", M3, "{ task(id: 301) { id } }", Gives({"task": None})),
    ("a task of another team", M3, "{ task(id: 302) { id } }", Gives({"task": None})),
    (
        "a member by a masked key",
        M3,
        '{ memberByEmail(email: "m23@secret.example") { id } }',
        Gives({"memberByEmail": None}),
    ),
    (
        "oneself by a masked key",
        M3,
        '{ memberByEmail(email: "m3@secret.example") { id } }',
        Gives({"memberByEmail": {"id": "m3"}}),
    ),
    (
        "another's membership",
        M3,
        '{ teamMember(teamId: "t5", memberId: "m5") { teamId } }',
        Gives({"teamMember": None}),
    ),
    # Lists.
    ("all teams", ANON, "{ teams { id } }", rows("teams", "t0", "t1")),
    ("teams by id", ANON, '{ teams(where: {id: {in: ["t1", "t5"]}}) { id } }', rows("teams", "t1")),
    ("teams but", ANON, '{ teams(where: {not: {id: {eq: "t0"}}}) { id } }', rows("teams", "t1")),
    ("teams past the end", ANON, "{ teams(offset: 2) { id } }", rows("teams")),
    (
        "all of nothing",
        STRANGER,
        "{ members { id } projects { id } tasks { id } }",
        Gives({"members": [], "projects": [], "tasks": []}),
    ),
    ("all memberships", STRANGER, "{ teamMembers { teamId } }", Gives({"teamMembers": []})),
    (
        "memberships of hidden ends",
        M3,
        '{ teamMembers(where: {team: {id: {neq: "t3"}}}) { teamId } }',
        Gives({"teamMembers": []}),
    ),
    ("deleted projects", M3, "{ projects(where: {deletedAt: {isNull: false}}) { id } }", rows("projects")),
    # A to-one has the rule of its target.
    (
        "the projects of tasks",
        M3,
        "{ tasks { project { id } } }",
        Gives({"tasks": [{"project": p and {"id": p}} for p in (30, 31, 32, 33, None)]}),
    ),
    ("tasks by a hidden project", M3, '{ tasks(where: {project: {region: {eq: "us"}}}) { id } }', rows("tasks")),
    ("tasks by not", M3, '{ tasks(where: {not: {project: {region: {eq: "eu"}}}}) { id } }', rows("tasks", 350)),
    (
        "tasks by the title of a hidden one",
        M3,
        '{ tasks(where: {project: {title: {like: "%5"}}}) { id } }',
        rows("tasks"),
    ),
    (
        "tasks in the order of hidden ones",
        M3,
        "{ tasks(orderBy: [{project: {title: DESC_NULLS_LAST}}]) { id } }",
        rows("tasks", 330, 320, 310, 300, 350),
    ),
    (
        "tasks in the order of hidden ones, nulls first",
        M3,
        "{ tasks(orderBy: [{project: {title: ASC_NULLS_FIRST}}]) { id } }",
        rows("tasks", 350, 300, 310, 320, 330),
    ),
    (
        "tasks in the order of two steps",
        M3,
        "{ tasks(orderBy: [{project: {team: {name: ASC_NULLS_FIRST}}}]) { id } }",
        rows("tasks", 350, 300, 310, 320, 330),
    ),
    # A to-many too, in all its quantifiers.
    (
        "teams with a hidden project",
        M3,
        '{ teams(where: {projects: {some: {region: {eq: "us"}}}}) { id } }',
        rows("teams"),
    ),
    (
        "teams without",
        M3,
        '{ teams(where: {projects: {none: {region: {eq: "us"}}}}) { id } }',
        rows("teams", "t0", "t1", "t3"),
    ),
    (
        "teams with every",
        M3,
        '{ teams(where: {projects: {every: {region: {eq: "eu"}}}}) { id } }',
        rows("teams", "t0", "t1", "t3"),
    ),
    (
        "teams with a deleted project",
        M3,
        '{ teams(where: {projects: {some: {title: {eq: "Project 3.4"}}}}) { id } }',
        rows("teams"),
    ),
    ("teams with any project", M3, "{ teams(where: {projects: {some: {}}}) { id } }", rows("teams", "t3")),
    (
        "projects with another's task",
        M3,
        '{ projects(where: {tasks: {some: {title: {endsWith: ".1"}}}}) { id } }',
        rows("projects"),
    ),
    (
        "projects whose every task",
        M3,
        '{ projects(where: {tasks: {every: {title: {endsWith: ".0"}}}}) { id } }',
        rows("projects", 30, 31, 32),
    ),
    (
        "the tasks of projects",
        M3,
        "{ projects(limit: 1) { tasks { id } } }",
        Gives({"projects": [{"tasks": [{"id": 300}]}]}),
    ),
    (
        # What links to it by nothing that was asked for.
        "the teams of members",
        M3,
        "{ members(limit: 1) { teams { id } } }",
        Gives({"members": [{"teams": [{"id": "t3"}]}]}),
    ),
    (
        "members of another team through a public one",
        M3,
        '{ teams(where: {members: {some: {id: {eq: "m0"}}}}) { id } }',
        rows("teams"),
    ),
    # A field that is masked on a row is null there, whoever looks at it how.
    ("members by another's e-mail", M3, '{ members(where: {email: {startsWith: "m23@"}}) { id } }', rows("members")),
    (
        "members by not another's e-mail",
        M3,
        '{ members(where: {not: {email: {startsWith: "m23@"}}}) { id } }',
        rows("members", "m3"),
    ),
    ("members with an e-mail", M3, "{ members(where: {email: {isNull: false}}) { id } }", rows("members", "m3")),
    ("members with other e-mails", M3, '{ members(where: {email: {notIn: ["x"]}}) { id } }', rows("members", "m3")),
    (
        "members in the order of e-mails",
        M3,
        "{ members(orderBy: [{email: DESC_NULLS_LAST}]) { id } }",
        rows("members", "m3", *(m for m in TEAM_OF_3 if m != "m3")),
    ),
    (
        "teams by a member's e-mail",
        M3,
        '{ teams(where: {members: {some: {email: {like: "m23%"}}}}) { id } }',
        rows("teams"),
    ),
    (
        "teams by every member's e-mail",
        M3,
        '{ teams(where: {id: {eq: "t3"}, members: {every: {email: {isNull: false}}}}) { id } }',
        rows("teams"),
    ),
    (
        "the e-mails of members",
        M3,
        "{ members(limit: 2, orderBy: [{id: ASC}]) { id email } }",
        Gives({"members": [{"id": m, "email": None} for m in TEAM_OF_3[:2]]}),
    ),
    (
        "what is made of a masked field",
        M3,
        '{ member(id: "m23") { greeting tasks { id } } }',
        Gives({"member": {"greeting": None, "tasks": []}}),
    ),
    (
        "members by tasks that are masked",
        M3,
        '{ members(where: {id: {neq: "m3"}, tasks: {some: {}}}) { id } }',
        rows("members"),
    ),
    (
        "the state of tasks",
        STRANGE_EDITOR,
        "{ tasks(limit: 1) { id state team { id } assignee { id } } }",
        Gives({"tasks": [{"id": 0, "state": None, "team": None, "assignee": None}]}),
    ),
    ("tasks by state", STRANGE_EDITOR, "{ tasks(where: {state: {eq: OPEN}}) { id } }", rows("tasks")),
    ("tasks by not a state", STRANGE_EDITOR, "{ tasks(where: {not: {state: {eq: DONE}}}) { id } }", rows("tasks")),
    ("tasks by a masked to-one", STRANGE_EDITOR, '{ tasks(where: {team: {id: {like: "t%"}}}) { id } }', rows("tasks")),
    (
        "tasks by a masked to-one's key",
        STRANGE_EDITOR,
        '{ tasks(where: {teamId: {like: "t%"}}) { id } }',
        rows("tasks"),
    ),
    (
        "tasks in a masked order",
        STRANGE_EDITOR,
        "{ tasks(limit: 2, orderBy: [{assigneeId: DESC}]) { id } }",
        rows("tasks", 0, 2),
    ),
    (
        "tasks in the order of a masked to-one",
        STRANGE_EDITOR,
        "{ tasks(limit: 2, orderBy: [{team: {name: DESC_NULLS_LAST}}]) { id } }",
        rows("tasks", 0, 2),
    ),
    # Pages.
    ("a larger page", M3, "{ projects(limit: 4) { id } }", TOO_LARGE),
    ("a larger page than the server's", M3_EDITOR, "{ tasks(limit: 101) { id } }", TOO_LARGE),
)


def masked_rows() -> Iterable[Attack]:
    return (Attack(name, who, document, expect) for name, who, document, expect in ROWS)


# --- roles and claims -------------------------------------------------------------------

NOTHING_OF_MINE = Gives(
    {"teams": [{"id": "t0"}, {"id": "t1"}], "members": [], "projects": [], "tasks": [], "teamMembers": []}
)
EVERYTHING = (
    '{ teams(where: {not: {members: {some: {name: {eq: "x"}}}}}) { id } members { id } projects { id } tasks { id }'
    " teamMembers { teamId } }"
)


def claims_that_do_not_do() -> Iterable[Attack]:
    for number, regions in enumerate((..., None, [], "", {}, [None], [1], [["eu"]], {"eu": 1}, ["eu\0"], "EU", True)):
        given = {} if regions is ... else {"regions": regions}
        for who in (Who("m3", USER, given), Who("m3", EDITOR, given)):
            # The guard hides every project: through no relation and no negation does one come back.
            name = f"regions {number} as {'editor' if 'editor' in who.roles else 'user'}"
            yield Attack(name, who, "{ projects { id } }", rows("projects"))
            document = '{ teams(where: {projects: {none: {}}, id: {eq: "t3"}}) { id projects { id } } }'
            yield Attack(f"{name}, by none", who, document, Gives({"teams": [{"id": "t3", "projects": []}]}))
            document = "{ tasks(where: {not: {project: {id: {neq: -1}}}, id: {eq: 300}}) { id project { id } } }"
            yield Attack(f"{name}, by not", who, document, Gives({"tasks": [{"id": 300, "project": None}]}))
            document = "{ projects(where: {region: {neq: null}}) { id } }"
            yield Attack(f"{name}, by neq", who, document, BAD_INPUT)
    for sub in (None, "", [], ["m3"], 3, {"id": "m3"}, True):
        # No token has such a subject, but an application's own way to authenticate may.
        yield Attack(f"subject {sub!r}", Who(sub, USER, EU), EVERYTHING, NOTHING_OF_MINE)
    for sub in (
        *("m3\0", "\ud800", "m3' OR '1'='1", '" OR 1=1 --', "$1", ":x", "%", "m_", "m%", "$auth.sub", "$now"),
        *("x" * 9000, "\u202em3", " m3", "m3 ", "M3", "\\", "m3\\", "%(p0)s", "null", "{m3}", "é" * 64),
    ):
        yield Attack(f"subject {sub[:12]!a}", Who(sub, USER, EU), EVERYTHING, NOTHING_OF_MINE)
    for role in ("", " ", "Editor", "EDITOR", "editor,user", "editor'", "anon", "nobody", "__proto__", "$1"):
        who = Who("stranger", USER | {role}, EU)
        yield Attack(f"role {role!r}", who, EVERYTHING, NOTHING_OF_MINE)


def empty_and_odd_claims() -> Iterable[Attack]:
    """A claim that is empty, or a number in another writing, opens no row; in its one form it opens its own."""
    refused: dict[str, tuple[Any, ...]] = {
        "path": ("", [], {}, [""], None),
        "end": ("", [], {}),
        "part": ("", [], {}),
        "like": ("", [], {}),
        "other": ("", [], {}),
        "others": ("", [], [""], ["eu/berlin", ""], ["eu/berlin", None], [[]]),
        "labels": ("", [], [""], ["red", ""], [None]),
        "data": ("", {}, [], {"a": {}}, {"a": {"b": ""}}, {"a": None}, {"a": []}),
        **dict.fromkeys(
            ("level", "size", "weight"), ("", "07", "\u0667", "+7", " 7", "7 ", "7_", "0_7", "\u00a07", "-0", "00")
        ),
    }
    for claim, values in refused.items():
        for value in values:
            yield Attack(
                f"the claim {claim} is {value!a}",
                Who("m3", USER, {**EU, claim: value}),
                "{ crates { id } cratesAggregate { count } }",
                Gives({"crates": [], "cratesAggregate": {"count": 0}}),
            )
    given: dict[str, tuple[Any, ...]] = {
        "path": ("eu/",),
        "end": ("berlin",),
        "part": ("ber",),
        "like": ("eu%",),
        "other": ("none",),
        "others": (["none", "nothing"], "none"),
        "labels": (["red"], "old"),
        "data": ({"n": 1}, {"a": {"b": "c"}}),
        "level": ("7", 7),
        "size": ("7", 7),
        "weight": ("7", "7.0", 7),
    }
    for claim, values in given.items():
        for value in values:
            who = Who("m3", USER, {**EU, claim: value})
            document = '{ crates(where: {path: {neq: ""}}) { id } }'
            yield Attack(f"the claim {claim} is {value!a}", who, document, rows("crates", 1))


ATTACKS: tuple[Attack, ...] = (
    *(
        replace(attack, about_rules=True)
        for attack in (*hidden_names(), *masked_rows(), *claims_that_do_not_do(), *empty_and_odd_claims(), *reads())
    ),
    *reads_of_rules_elsewhere(),
    *sql_injection(),
    *documents(),
    *tokens(),
)
