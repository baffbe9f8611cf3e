"""Attacks on jobs and on what they put out, for the application of `tests.attacks.press`.

What its viewers may see is in the comment there at its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from clew.errors import Code
from tests.attacks.attack import Alike, AsUnknown, Attack, Gives, Refused, Who
from tests.attacks.following import chunk, final, followed, reset
from tests.attacks.press import (
    ABSENT,
    ALL,
    GONE,
    MINE,
    OPEN,
    QUEUED,
    RUNNING,
    SECRET,
    job,
)
from tests.attacks.tokens import tokens
from tests.attacks.viewers import ANON, BAD_INPUT, INVALID, M3, STRANGER, USER

M23, M43 = Who("m23", USER), Who("m43", USER)
LEAD = Who("boss", frozenset({"lead"}))
VISITOR = Who(None, frozenset({"visitor"}))
# Nothing that a claim says makes it somebody's.
NO_SUBJECTS = tuple(Who(sub, USER) for sub in (None, ["m23"], True))
NOT_FOUND = Refused((Code.NOT_FOUND,))

# Who attacks, and the jobs that it may see.
SIGHTS: tuple[tuple[str, Who, frozenset[str]], ...] = (
    ("anybody", ANON, frozenset()),
    ("a stranger", STRANGER, frozenset()),
    ("a stranger with a claim", Who("stranger", USER, {"viewer": "m23", "id": "m23", "roles": ["admin"]}), frozenset()),
    ("m3", M3, frozenset({MINE})),
    ("m23", M23, frozenset({OPEN, SECRET, GONE, QUEUED, RUNNING})),
    ("m43", M43, frozenset({OPEN, RUNNING})),
    ("a lead", LEAD, frozenset({OPEN, RUNNING})),
    ("a visitor", VISITOR, frozenset()),
    ("a visitor with an id", Who("m23", frozenset({"visitor"})), frozenset()),
    *((f"a subject {who.sub!r}", who, frozenset()) for who in NO_SUBJECTS),
)


def hidden_from(seen: frozenset[str]) -> tuple[str, ...]:
    """The ids that must all have one answer: of hidden jobs, and of none."""
    return (*(one for one in ALL if one not in seen), ABSENT, job(10))


# What is no id.
MALFORMED = ("x", "1", "0", ABSENT[:-1], f"{ABSENT}0")


# --- following ----------------------------------------------------------------------------


def follows() -> Iterable[Attack]:
    """What nobody is told of the output of a job that is hidden."""
    for name, who, seen in SIGHTS:
        # To anybody the field is unknown where there are fields.
        refused = Refused((Code.NOT_FOUND, Code.GRAPHQL_VALIDATION_FAILED)) if who is ANON else NOT_FOUND
        hidden = (*hidden_from(seen), *MALFORMED)
        yield Attack(f"{name}, hidden output", who, followed("~"), Alike(hidden, refused))
        # Neither where a cursor leads nor what is gone is told.
        for after in ("1:1", "2:0", "9:9") if who in (STRANGER, M3) else ("1:1",):
            yield Attack(f"{name}, hidden output after {after}", who, followed("~", after), Alike(hidden, refused))
    for name, who in (("a stranger", STRANGER), ("m3", M3), ("m23", M23)):
        for after in ("", "x", "1", "00:1", "1:-1", "1:1:1", "1:1 ", "\u0661:1", f"{MINE}:1", "9" * 900):
            yield Attack(
                f"{name}, after no cursor {after[:9]!r}",
                who,
                followed("~", after),
                Alike((MINE, SECRET, GONE, ABSENT, "x"), BAD_INPUT),
            )
    # Other ways to write a key that there is.
    odd = (
        f"{{{MINE}}}",
        f"urn:uuid:{MINE}",
        MINE.replace("-", ""),
        f" {MINE}",
        f"{MINE}\t",
        f"{MINE}'; --",
        "%",
        "_" * 36,
    )
    yield Attack("m3, an odd key", M3, followed("~"), Alike((*odd, ABSENT), NOT_FOUND))


def follows_as_another() -> Iterable[Attack]:
    """Only an admin may act as another."""
    forbidden = Refused((Code.FORBIDDEN, Code.UNAUTHENTICATED))
    for role in ("admin", "user", "lead", "user,lead,admin"):
        acts_as = {"x-clew-role": role, "x-clew-claims": '{"sub": "m23"}'}
        for name, one in (("one's own", MINE), ("a hidden", SECRET)):
            yield Attack(
                f"as m23 with roles {role}, {name} job",
                replace(M3, acts_as=acts_as),
                followed(one),
                forbidden,
            )
    secret = {"x-clew-admin-secret": "x" * 32, "x-clew-role": "user", "x-clew-claims": '{"sub": "m23"}'}
    yield Attack("as m23 with another secret", replace(M3, acts_as=secret), followed(MINE), forbidden)


def follows_with_tokens() -> Iterable[Attack]:
    """A token that opens nothing opens no output."""
    for attack in tokens():
        if isinstance(attack.expect, Refused):
            yield replace(attack, name=f"output with {attack.name}", document=followed(MINE))


def follows_otherwise() -> Iterable[Attack]:
    """Documents that ask for more than the output of one job, or otherwise."""

    def attack(name: str, document: str, variables: dict[str, Any] | None = None) -> Attack:
        return Attack(f"m3, {name}", M3, document, INVALID_OR_BAD, variables or {})

    mine, secret = f'(id: "{MINE}")', f'(id: "{SECRET}")'
    for value in ("null", "true", "[]", "{}", "1.5", f'["{SECRET}"]', f'{{eq: "{SECRET}"}}'):
        yield attack(f"an id {value[:9]}", f"subscription {{ jobOutput(id: {value}) {{ data }} }}")
    for value in ("1", "[]", "{}", "true"):
        yield attack(f"a cursor {value}", f'subscription {{ jobOutput(id: "{SECRET}", after: {value}) {{ data }} }}')
    yield attack("no id", "subscription { jobOutput { data } }")
    yield attack("a second job", f"subscription {{ a: jobOutput{mine} {{ data }} b: jobOutput{secret} {{ data }} }}")
    yield attack(
        "a job of the same name", f"subscription {{ jobOutput{mine} {{ data }} jobOutput{secret} {{ kind }} }}"
    )
    yield attack(
        "another job in a fragment",
        f"subscription {{ jobOutput{mine} {{ data }} ...F }}"
        f" fragment F on Subscription {{ jobOutput{secret} {{ kind }} }}",
    )
    yield attack("a live job beside", f"subscription {{ jobOutput{mine} {{ data }} job{secret} {{ id }} }}")
    yield attack("nothing of it", f"subscription {{ jobOutput{secret} @skip(if: true) {{ data }} }}")
    yield attack("nothing but a name", "subscription { __typename }")
    yield attack("what it has not", f"subscription {{ jobOutput{mine} {{ job {{ result }} }} }}")
    given = "subscription ($id: ID!) { jobOutput(id: $id) { data } }"
    for variables in ({}, {"id": None}, {"id": [SECRET]}, {"id": {"eq": SECRET}}, {"id": True}, {"id": 1.5}):
        yield attack(f"variables {str(variables)[:12]}", given, variables)


def follows_elsewhere() -> Iterable[Attack]:
    """What sends a single response refuses to follow, whoever's job it is."""
    not_here = Refused((Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED))
    for name, who in (("m3", M3), ("m23", M23), ("a stranger", STRANGER)):
        yield Attack(f"{name} follows where nothing can", who, followed("~"), Alike((*ALL, ABSENT, "x"), not_here))


INVALID_OR_BAD = Refused((Code.GRAPHQL_VALIDATION_FAILED, Code.BAD_USER_INPUT))
_OF_MINE = [reset("2:0", "cut"), chunk("one", "2:1"), chunk("two", "2:2"), final("2:3", "SUCCEEDED")]
_OF_OPEN = [chunk("open", "1:1"), final("1:2", "SUCCEEDED")]


def _output(*events: dict[str, Any]) -> Gives:
    return Gives({"jobOutput": list(events)})


# What shows that the attacks could succeed.
SEEN: tuple[Attack, ...] = (
    Attack("m3 follows its job", M3, followed(MINE), _output(*_OF_MINE[1:])),
    Attack("m3 follows it by an upper-case key", M3, followed(MINE.upper()), _output(*_OF_MINE[1:])),
    Attack("m3 goes on in a run before", M3, followed(MINE, "1:1"), _output(*_OF_MINE)),
    Attack("m3 goes on", M3, followed(MINE, "2:1"), _output(*_OF_MINE[2:])),
    Attack("m3 goes on past the end", M3, followed(MINE, "2:3"), _output()),
    *(
        Attack(f"{name} follows what is open", who, followed(OPEN), _output(*_OF_OPEN))
        for name, who in (("m23", M23), ("m43", M43), ("a lead", LEAD), ("an admin", Who(roles=frozenset({"admin"}))))
    ),
    Attack("m23 is told what is gone", M23, followed(GONE), Refused((Code.GONE,))),
    Attack("m23 is told what is gone after a cursor", M23, followed(GONE, "1:0"), Refused((Code.GONE,))),
)
FOLLOWS: tuple[Attack, ...] = (*follows(), *follows_as_another(), *follows_with_tokens(), *follows_otherwise(), *SEEN)

# --- reading ------------------------------------------------------------------------------

# As `HIDDEN` of the table.
HIDDEN: tuple[tuple[str, Who, str], ...] = (
    *(
        ("anybody", ANON, document)
        for document in (
            "{ ~jobs~ { id } }",
            "{ ~job~(id: 1) { id } }",
            "{ ~jobsAggregate~ { count } }",
            "{ ~printJobs~ { id } }",
            "{ ~printJob~(id: 1) { id } }",
            "mutation { ~print~(postId: 1) { id } }",
            "mutation { ~cancelJob~(id: 1) { id } }",
            "mutation { ~retryJob~(id: 1) { id } }",
            "subscription { ~jobOutput~(id: 1) { data } }",
            "subscription { ~job~(id: 1) { id } }",
            '{ __type(name: "~Job~") { name } }',
            '{ __type(name: "~JobOutput~") { name } }',
            '{ __type(name: "~JobStatus~") { name } }',
            '{ __type(name: "~PrintJob~") { name } }',
        )
    ),
    *(
        ("m3", M3, document)
        for document in (
            "{ ~jobOutput~(id: 1) { data } }",
            "mutation { ~jobOutput~(id: 1) { data } }",
            "{ ~sweepJobs~ { id } }",
            "{ ~sweepJob~(id: 1) { id } }",
            "{ ~greetJobs~ { id } }",
            "subscription { ~sweepJobs~ { id } }",
            "{ jobs { ... on ~SweepJob~ { result } } }",
            "{ jobs { ... on ~GreetJob~ { result } } }",
            '{ __type(name: "~SweepJob~") { name } }',
            '{ __type(name: "~SweepJobFilter~") { name } }',
            "mutation { ~sweep~ { id } }",
            "mutation { ~greet~(name: 1) { id } }",
            "mutation { ~cancelJobs~(where: {}) { count } }",
            "mutation { ~retryJobs~(where: {}) { count } }",
            "mutation { ~pauseQueue~(name: 1) }",
            "mutation { ~resumeQueue~(name: 1) }",
            *(f"{{ jobs {{ ~{name}~ }} }}" for name in ("viewer", "caller", "worker", "transaction", "arguments")),
            *(f"{{ printJobs {{ ~{name}~ }} }}" for name in ("viewer", "caller", "uniqueKey", "limitKey", "arguments")),
            *(f"{{ jobs(where: {{~{name}~: {{eq: 1}}}}) {{ id }} }}" for name in ("viewer", "caller", "clewViewer")),
            "{ jobs(where: {~printJob~: {postId: {eq: 1}}}) { id } }",
            "{ jobs(where: {~result~: {eq: 1}}) { id } }",
            "{ jobs(orderBy: {~viewer~: ASC}) { id } }",
            "{ jobsGroups(by: [{~viewer~: VALUE}]) { count } }",
            "{ printJobs(where: {~viewer~: {eq: 1}}) { id } }",
            "{ printJobs(orderBy: {~caller~: ASC}) { id } }",
        )
    ),
)
# There for nobody, or not for admins either.
NOWHERE = ("viewer", "caller", "worker", "transaction", "arguments", "uniqueKey", "limitKey", "clewViewer")
NOWHERE_HERE = ("{ ~jobOutput~", "mutation { ~jobOutput~", "~printJob~: {postId", "jobs(where: {~result~")


def _of(*ids: str) -> list[dict[str, Any]]:
    return [{"id": one} for one in ids]


def reads() -> Iterable[Attack]:
    """Jobs as rows."""
    for name, who, seen in SIGHTS:
        if who is ANON:
            continue
        hidden = hidden_from(seen)
        ids = sorted(seen)
        yield Attack(f"{name}, a hidden job", who, '{ job(id: "~") { id } }', Alike(hidden, Gives({"job": None})))
        yield Attack(f"{name}, all jobs", who, "{ jobs { id } }", Gives({"jobs": _of(*ids)}))
        yield Attack(
            f"{name}, how many jobs", who, "{ jobsAggregate { count } }", Gives({"jobsAggregate": {"count": len(ids)}})
        )
        yield Attack(
            f"{name}, jobs by their keys",
            who,
            "{ jobs(where: {id: {in: [" + ", ".join(f'"{one}"' for one in ALL) + "]}}) { id } }",
            Gives({"jobs": _of(*ids)}),
        )
        for where in ('jobName: {in: ["sweep", "greet", "gone"]}', 'error: {like: "the%"}', "message: {isNull: false}"):
            if who is not M23 or "jobName" in where:
                document = f"{{ jobs(where: {{{where}}}) {{ id }} }}"
                yield Attack(f"{name}, jobs where {where[:14]}", who, document, Gives({"jobs": []}))
        if who.roles == USER:
            printed = frozenset(ids) & {MINE, OPEN, SECRET, RUNNING}
            yield Attack(
                f"{name}, a job as another's type",
                who,
                '{ printJob(id: "~") { id } }',
                Alike((*hidden, GONE, QUEUED), Gives({"printJob": None})),
            )
            yield Attack(
                f"{name}, jobs by an argument",
                who,
                "{ printJobs(where: {postId: {gt: 0}}) { id } }",
                Gives({"printJobs": _of(*sorted(printed))}),
            )
            yield Attack(
                f"{name}, jobs by another's argument",
                who,
                "{ printJobs(where: {postId: {eq: 3}}) { id } }",
                Gives({"printJobs": _of(*({SECRET} & printed))}),
            )
            yield Attack(
                f"{name}, groups of jobs",
                who,
                "{ jobsGroups(by: [{status: VALUE}], where: {status: {eq: FAILED}}) { count } }",
                Gives({"jobsGroups": [{"count": 1}] if SECRET in printed else []}),
            )
    # What a job returned is a row of its own rules.
    results = [{"id": OPEN, "result": None}, {"id": RUNNING, "result": None}]
    document = "{ printJobs { id result { id } } }"
    yield Attack("a lead, the result of a job", LEAD, document, Gives({"printJobs": results}))
    yield Attack("m43, the result of a job", M43, document, Gives({"printJobs": results}))
    yield Attack("m3, its result", M3, document, Gives({"printJobs": [{"id": MINE, "result": {"id": 1}}]}))


def hidden_names() -> Iterable[Attack]:
    return (Attack(f"{name}, {document}", who, document, AsUnknown()) for name, who, document in HIDDEN)


READS: tuple[Attack, ...] = tuple(replace(attack, about_rules=True) for attack in (*reads(), *hidden_names()))
# To those who answer once.
ONCE: tuple[Attack, ...] = tuple(follows_elsewhere())

# --- writing ------------------------------------------------------------------------------


def writes() -> Iterable[Attack]:
    """Nothing becomes of any job."""
    for name, who, seen in SIGHTS:
        if who is ANON:
            continue
        hidden = hidden_from(seen)
        for field in ("cancelJob", "retryJob"):
            document = f'mutation {{ {field}(id: "~") {{ id }} }}'
            expect = NOT_FOUND if "user" in who.roles or "lead" in who.roles or "visitor" in who.roles else INVALID
            yield Attack(f"{name}, {field} of a hidden one", who, document, Alike(hidden, expect))
    # Who may read it may not end it.
    for field in ("cancelJob", "retryJob"):
        document = f'mutation {{ {field}(id: "{RUNNING}") {{ id }} }}'
        yield Attack(f"m43, {field} of one that it sees", M43, document, Refused((Code.FORBIDDEN, Code.NOT_FOUND)))
    document = "mutation { print(postId: ~) { id } }"
    yield Attack("m3, a job about a hidden row", M3, document, Alike(("2", "3", "99"), NOT_FOUND))
    yield Attack("a stranger, a job about a hidden row", STRANGER, document, Alike(("1", "2", "99"), NOT_FOUND))


WRITES: tuple[Attack, ...] = tuple(replace(attack, about_rules=True) for attack in writes())
