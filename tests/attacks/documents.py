"""Documents and values that are made to break something: SQL, the limits, the parser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bench.hostile import ATTACKS as HOSTILE
from clew.errors import Code
from tests.attacks.attack import Attack, Expectation, Gives, Refused
from tests.attacks.transports import DIGITS, MOST_BYTES
from tests.attacks.viewers import ANON, BAD_INPUT, INVALID, M3, M3_EDITOR, TOO_LARGE, TOO_LONG_A_NUMBER, rows

# --- SQL --------------------------------------------------------------------------------

TEXTS = (
    *("'", "''", '"', "\\", "\\'", "' OR '1'='1", "'; DROP TABLE teams; --", "$1", "$2", ":x", ":name_1", "%", "%s"),
    *(
        "%(p0)s",
        "_",
        "{}",
        "{0}",
        "--",
        "/*",
        "*/",
        "Team\\0",
        "$$",
        "E'\\x'",
        "\u2019",
        "\uff07",
        "é" * 64,
        "x" * 64,
        "NULL",
    ),
)


def sql_injection() -> Iterable[Attack]:
    for text in TEXTS:
        for operator in ("eq", "in", "startsWith", "endsWith", "contains", "gt"):
            value = [text] if operator == "in" else text
            document = f"query ($v: {'[String!]' if operator == 'in' else 'String'}) " + (
                f'{{ teams(where: {{name: {{{operator}: $v}}, id: {{lt: "t0"}}}}) {{ id }} }}'
                if operator == "gt"
                else f"{{ teams(where: {{name: {{{operator}: $v}}}}) {{ id }} }}"
            )
            yield Attack(f"{operator} {text[:12]!a}", ANON, document, rows("teams"), {"v": value})
        literal = f"{{ teams(where: {{name: {{eq: {json.dumps(text)}}}}}) {{ id }} }}"
        yield Attack(f"a literal {text[:12]!a}", ANON, literal, rows("teams"))
        yield Attack(
            f"a key {text[:12]!a}",
            ANON,
            "query ($v: String!) { team(id: $v) { id } }",
            Gives({"team": None}),
            {"v": text},
        )
    both = rows("teams", "t0", "t1")
    document = "query ($v: String) { teams(where: {name: {ilike: $v}}) { id } }"
    patterns: tuple[tuple[str, Expectation], ...] = (
        *(
            ("TEAM _", both),
            ("%", both),
            ("team\\_0", rows("teams")),
            ("%\\%%", rows("teams")),
            ("\\\\", rows("teams")),
        ),
        *((pattern, BAD_INPUT) for pattern in ("\\", "team 0\\", "\\\\\\", "%" * 1000 + "\\")),
    )
    for pattern, expect in patterns:
        yield Attack(f"pattern {pattern[:12]!a}", ANON, document, expect, {"v": pattern})
    for enum in ("OPEN'", "open", "DROP", "$1", "", 1, None, ["OPEN", "x'"]):
        document = "query ($v: [TaskState!]) { tasks(where: {state: {in: $v}}) { id } }"
        yield Attack(f"enum {enum!r}", M3, document, BAD_INPUT, {"v": enum})
    # Postgres cuts names after 63 bytes; two that agree up to there are still two.
    one, other = "a" * 63 + "b", "a" * 63 + "c"
    document = f'{{ {one}: teams(limit: 1) {{ {one}: id {other}: name }} {other}: team(id: "t1") {{ {other}: id }} }}'
    data = {one: [{one: "t0", other: "Team 0"}], other: {other: "t1"}}
    yield Attack("aliases of 64 characters", ANON, document, Gives(data))
    for alias in (
        "page0",
        "t0",
        "j1",
        "r0",
        "clew_json",
        "clew_key0",
        "select",
        "null",
        "_",
        "__proto__",
        "constructor",
    ):
        document = f"{{ {alias}: teams(orderBy: [{{name: DESC}}]) {{ {alias}: id }} }}"
        yield Attack(f"alias {alias}", ANON, document, Gives({alias: [{alias: "t1"}, {alias: "t0"}]}))


# --- documents --------------------------------------------------------------------------

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


NO_COUNTS: tuple[Any, ...] = (
    *(-1, -(2**31), 2**31, 2**63, -(2**63) - 1, 10**30, 1.5, "1", True),
    *(float("nan"), float("inf"), DIGITS, [], {}),
)
NO_INTEGERS: tuple[Any, ...] = (2**31, 10**400, DIGITS, float("nan"), float("-inf"), "300", True, [1], {})
NO_STRINGS: tuple[Any, ...] = ("\0", "a\0b", "\ud800", "x\udfff", 1, DIGITS, True, ["a"], {"eq": "a"}, None)
TOO_LARGE_AN_ANSWER = Refused(
    (Code.LIMIT_EXCEEDED,), f"The response is too large: at most {MOST_BYTES} bytes are allowed."
)
NO_FILTERS: tuple[Any, ...] = (
    *(DEEP, DIGITS, "x", 1, {"name": None}, {"name": {"eq": None}}, {"not": None}),
    *({"and": [None]}, {"name": {"in": [None]}}, {"name": {"isNull": None}}),
)


def large_answers() -> Iterable[Attack]:
    """Answers of more bytes than one may have: of rows, of many root fields, of the application's own fields."""
    tasks = "tasks(limit: 100) { id title project { id title tasks(limit: 100) { id title } } }"
    many = " ".join(f"a{number}: {tasks}" for number in range(25))
    keys = ["t0", "t1"] * 2500
    of_keys = "query ($v: [String!]!) { teamsOf(ids: $v) { id name } }"
    of_keys_twice = "query ($v: [String!]!) { a: teamsOf(ids: $v) { id } b: teamsOf(ids: $v) { id } ping }"
    for name, who, document, variables in (
        ("lists", M3_EDITOR, f"{{ {many} }}", {}),
        ("lists beside a field of Python's", M3_EDITOR, f"{{ ping {many} viewer {{ id }} }}", {}),
        ("rows of keys", ANON, of_keys, {"v": keys}),
        ("rows of keys together", ANON, of_keys_twice, {"v": keys}),
    ):
        yield Attack(f"a large answer: {name}", who, document, TOO_LARGE_AN_ANSWER, variables)


# --- conditions -------------------------------------------------------------------------


def nested(levels: int) -> dict[str, Any]:
    """Three times as many conditions at each level, each under the rules of teams and projects."""
    if levels == 0:
        return {"region": {"eq": "eu"}}
    inner = nested(levels - 1)
    return {"team": {"projects": {"some": inner, "none": inner, "every": inner}}}


def _literal(value: Any) -> str:
    """A value as GraphQL writes it."""
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}: {_literal(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


_MANY = {"or": [{"id": {"eq": number}} for number in range(5001)]}
_NOTES = {"or": [{"body": {"eq": "x"}}] * 1700}
_TITLES = {"or": [{"title": {"eq": "x"}}] * 60}

# Each of them asks for more conditions than an operation may have, where it does not seem to.
CONDITIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("in a variable", "query ($w: ProjectFilter) { projects(where: $w) { id } }", {"w": _MANY}),
    ("in a list that is none", "query ($w: ProjectFilter) { projects(where: $w) { id } }", {"w": {"and": _MANY}}),
    ("nested in some, none and every", "query ($w: ProjectFilter) { projects(where: $w) { id } }", {"w": nested(6)}),
    ("in a literal", f"{{ projects(where: {_literal(nested(6))}) {{ id }} }}", {}),
    ("under masks", "query ($w: NoteFilter) { notes(where: $w) { id } }", {"w": _NOTES}),
    (
        "in aliases of a root field",
        "query ($w: TaskFilter) {" + " ".join(f"a{n}: tasks(where: $w) {{ id }}" for n in range(45)) + "}",
        {"w": {"or": [{"title": {"eq": "x"}}] * 115}},
    ),
    (
        "in aliases of a nested field",
        "query ($w: TaskFilter) { projects { "
        + " ".join(f"a{n}: tasks(where: $w) {{ id }}" for n in range(90))
        + " } }",
        {"w": _TITLES},
    ),
    (
        "in fragments",
        "query ($w: TaskFilter) { projects { "
        + " ".join(f"a{n}: team {{ projects {{ ...F }} }}" for n in range(88))
        + " } } fragment F on Project { tasks(where: $w) { id } }",
        {"w": _TITLES},
    ),
    (
        "in an aggregate filter",
        "query ($w: ProjectFilter)"
        " { projects(where: {tasksAggregate: {count: {gt: 1}, where: {project: $w}}}) { id } }",
        {"w": nested(6)},
    ),
    (
        "in an aggregate, a connection and groups",
        "query ($w: ProjectFilter) { projectsAggregate(where: $w) { count }"
        " projectsConnection(where: $w) { totalCount } projectsGroups(where: $w, by: [{title: VALUE}]) { count } }",
        {"w": {"or": [{"title": {"eq": "x"}}] * 1300}},
    ),
    (
        "in a default",
        f"query ($w: ProjectFilter = {_literal(nested(6))}) {{ projects(where: $w) {{ id }} }}",
        {},
    ),
    (
        "in the rows that a resolver's keys name",
        'query ($w: ProjectFilter) { teamsOf(ids: ["t3"]) { projects(where: $w) { id } } }',
        {"w": nested(6)},
    ),
)


def conditions() -> Iterable[Attack]:
    for name, document, variables in CONDITIONS:
        yield Attack(f"conditions {name}", M3, document, TOO_LARGE, variables)
    for name, where in (("many", _MANY), ("nested", nested(6))):
        for field in ("projects", "projectsAggregate", "projectsConnection"):
            selection = "count" if field == "projectsAggregate" else "totalCount" if "Conn" in field else "id"
            document = f"query ($w: ProjectFilter) {{ a: {field}(where: {{not: $w}}) {{ {selection} }} }}"
            yield Attack(f"{name} conditions for {field}", M3, document, TOO_LARGE, {"w": where})


# Each would hold a connection of the database for seconds or minutes, for one row with a large value. No timeout would
# end it.
LONG_COMPARISONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("title", {"contains": "a" * 1000 + "b"}),
    ("title", {"endsWith": "a" * 1000}),
    ("title", {"like": "%" + "a" * 1000 + "b%"}),
    ("title", {"like": "%" + "a_" * 500 + "b%"}),
    ("title", {"ilike": "%" + "aA" * 500 + "b%"}),
    ("title", {"contains": "xy" * 50_000}),
    ("data", {"contains": [1] * 2000}),
    ("data", {"contains": {"a": [{}] * 200}}),
    ("data", {"path": [{"at": ["a"], "contains": ["x"] * 1000}]}),
    ("data", {"path": [{"at": ["a"], "like": "%" + "a" * 1000 + "b%"}]}),
)


def long_comparisons() -> Iterable[Attack]:
    for field, condition in LONG_COMPARISONS:
        variables = {"w": {"or": [{"id": {"eq": 1}}, {"not": {field: condition}}]}}
        for document in (
            "query ($w: NoteFilter) { notes(where: $w) { id } }",
            "query ($w: NoteFilter) { notesAggregate(where: $w) { count } }",
            "query ($w: NoteFilter) { members { notes: id } notesConnection(where: $w) { totalCount } }",
        ):
            yield Attack(
                f"a long comparison {field} {str(condition)[:40]} {document}", M3, document, TOO_LARGE, variables
            )
    many = {"w": {"or": [{"title": {"contains": f"{number}"}} for number in range(400)]}}
    yield Attack(
        "many comparisons with one row", M3, "query ($w: NoteFilter) { notes(where: $w) { id } }", TOO_LARGE, many
    )


def documents() -> Iterable[Attack]:
    yield from large_answers()
    yield from conditions()
    yield from long_comparisons()
    for name, hostile in HOSTILE.items():
        # Of several operations one must be named, which is asked before anything is measured.
        which = Code.BAD_USER_INPUT if hostile.operation_name else Code.LIMIT_EXCEEDED
        yield Attack(name, ANON, hostile.document, Refused((hostile.code, which)))
    deep_types = "{ __schema { types { " + "fields { type { " * 8 + "name" + " } } " * 8 + "} } }"
    yield Attack(
        "introspection that multiplies",
        ANON,
        deep_types,
        Refused((Code.GRAPHQL_VALIDATION_FAILED, Code.LIMIT_EXCEEDED)),
    )
    bad = Refused((Code.BAD_USER_INPUT, Code.LIMIT_EXCEEDED, Code.GRAPHQL_VALIDATION_FAILED))
    for argument in ("limit", "offset"):
        for number in NO_COUNTS:
            document = f"query ($v: Int) {{ teams({argument}: $v) {{ id }} }}"
            yield Attack(f"{argument} {number!r}", ANON, document, bad, {"v": number})
        for literal in ("-1", "2147483648", "9223372036854775808", "1" * 5000, "1e1", '"1"', "NaN", "[]"):
            yield Attack(f"{argument}: {literal[:20]}", ANON, f"{{ teams({argument}: {literal}) {{ id }} }}", bad)
    for number in (5000, 1001):
        digits = "1" * number
        for place in (
            f"id: {{eq: {digits}}}",
            f"id: {{eq: -{digits}}}",
            f"id: {{in: [1, {digits}]}}",
            f"or: [{{not: {{id: {{gt: {digits}}}}}}}]",
            f"title: {{eq: {digits}}}",
            f"id: {{eq: {digits}.5}}",
            f"id: {{eq: {digits}e1}}",
            f"nothing: {digits}",
        ):
            document = f"{{ tasks(where: {{{place}}}) {{ id }} }}"
            yield Attack(f"{number} digits, {place[:12]}", M3, document, TOO_LONG_A_NUMBER)
        default = f"query ($v: Int = {digits}) {{ tasks(limit: $v) {{ id }} }}"
        yield Attack(f"{number} digits as a default", M3, default, TOO_LONG_A_NUMBER)
        by_name = f'{{ teams(where: {{name: {{eq: "{digits}"}}}}) {{ id }} }}'
        yield Attack(f"{number} digits as a text", ANON, by_name, rows("teams"))
    yield Attack("a limit over the page", ANON, "{ teams(limit: 101) { id } }", TOO_LARGE)
    yield Attack("a nested limit over the rule's", M3, "{ teams { projects(limit: 4) { id } } }", TOO_LARGE)
    yield Attack(
        "a limit over the rule's in a variable",
        M3,
        "query ($n: Int) { projects(limit: $n) { id } }",
        TOO_LARGE,
        {"n": 4},
    )
    by_id = "query ($v: Int) { tasks(where: {id: {eq: $v}}) { id } }"
    by_name = "query ($v: String) { teams(where: {name: {eq: $v}}) { id } }"
    by_filter = "query ($v: TeamFilter) { teams(where: $v) { id } }"
    for document, who, values in ((by_id, M3, NO_INTEGERS), (by_name, ANON, NO_STRINGS), (by_filter, ANON, NO_FILTERS)):
        for value in values:
            yield Attack(f"{document[10:25]} {str(value)[:20]!a}", who, document, BAD_INPUT, {"v": value})
    yield Attack("U+0000 in a literal", ANON, '{ teams(where: {name: {eq: "\\u0000"}}) { id } }', BAD_INPUT)
    surrogate = '{ teams(where: {name: {eq: "\\ud800"}}) { id } }'
    yield Attack("a lone surrogate in a literal", ANON, surrogate, Refused((Code.GRAPHQL_PARSE_FAILED,)))
    for document in (
        "",
        " ",
        "\0",
        "{",
        "}",
        "{}",
        "\ufeff",
        "query",
        "{ a(",
        '{ a(b: "',
        "#",
        "\u202e{ ping }",
        "{ ping }\0",
    ):
        parse = Refused((Code.GRAPHQL_PARSE_FAILED, Code.BAD_USER_INPUT))
        yield Attack(f"no document: {document!a}", ANON, document, parse)
    for document in (
        "subscription { ping }",
        "subscription { __typename }",
        "subscription { teams @skip(if: true) { id } }",
        "subscription { teams { id } teamChanges { kind } }",
        "subscription { a: teamChanges { kind } b: teamChanges { kind } }",
        'subscription { teamChanges(after: "0.AAAA") { kind } }',
        "subscription { teamChanges(on: [NEVER]) { kind } }",
        "mutation { ping }",
        "query A { ping } query B { ping }",
    ):
        yield Attack(document, ANON, document, Refused((Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED)))
    for document in (
        "{ __typename ping @skip(if: null) }",
        "query ($c: Boolean) { ping @include(if: $c) }",
        "{ ping @deprecated }",
    ):
        yield Attack(document, ANON, document, INVALID)
