"""What is told of subscriptions, and of the fields that no plan answers: by `X-Clew-Explain` and by `clew explain`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from clew.engine.explain import explained
from clew.viewer import Viewer
from tests.sockets.desk import STARTED, Desk, token

pytestmark = pytest.mark.anyio

USER = {"authorization": f"Bearer {token()}"}
EXPLAIN = {"x-clew-explain": "1"}
M1 = Viewer.seen_as(["user"], {"sub": "m1"})
ALLOW = '@allow(role: user) ALL, where {author: "$auth.sub"}'

RESOLVER = "a resolver of the application"
SOURCE = "a source of the application; each of its events is an operation of its own"
JOB = "it queues a job in the transaction of the mutation; the handler is the application's"
KEYS = "; it gives keys, by which Clew reads rows of Note"


async def post(desk: Desk, document: str, headers: dict[str, str], **how: Any) -> httpx.Response:
    transport = httpx.ASGITransport(desk.app(**how), client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        variables = {"no": False, "key": desk.keys[0]}
        given = {name: value for name, value in variables.items() if f"${name}" in document}
        body = {"query": document, "variables": given}
        return await client.post("/graphql", json=body, headers={"x-request-id": "same", **headers})


async def told(desk: Desk, document: str, **headers: str) -> dict[str, Any]:
    """The explanation in dev."""
    body = (await post(desk, document, {**USER, **EXPLAIN, **headers}, dev=True)).json()
    found: dict[str, Any] = body["extensions"]["clew"]
    return found


# --- subscriptions --------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["1", "analyze"])
async def test_a_subscription_is_explained_and_not_run(desk: Desk, asked: str) -> None:
    response = await post(desk, "subscription { notes { text } }", {**USER, "x-clew-explain": asked}, dev=True)
    body = response.json()
    assert [error["message"] for error in body["errors"]] == ["A subscription cannot be run as a single request."]
    assert list(body) == ["errors", "extensions"]
    found = body["extensions"]["clew"]
    assert "milliseconds" not in found
    assert "readNow" not in found
    assert found["dependencies"] == [{"kind": "equality", "entity": "Note", "by": ["author = $auth.sub"]}]
    assert [(rule["about"], rule["rule"], rule["why"]) for rule in found["rules"]] == [
        ("Note", ALLOW, "role user is held")
    ]
    assert len(found["sql"]) == 1


async def test_an_admin_is_told_what_postgres_says_of_a_live_query(desk: Desk) -> None:
    secret = "f2b90d6e81c74a35902d7be6c4a1f538"
    headers = {"x-clew-admin-secret": secret, "x-clew-explain": "analyze"}
    body = (await post(desk, "subscription { notes { text } }", headers, admin_secret=secret)).json()
    assert body["extensions"]["clew"]["postgres"][-1].startswith("Execution Time")


async def test_change_events_are_explained(desk: Desk) -> None:
    found = await told(desk, 'subscription { noteChanges(where: {text: {neq: ""}}) { kind n: node { text } } }')
    assert found["dependencies"] == [{"kind": "table", "entity": "Note", "by": []}]
    assert found["readNow"] == []
    assert [(rule["about"], rule["rule"]) for rule in found["rules"]] == [("Note", ALLOW)]
    judging, node = found["sql"]
    assert "json_populate_record" in judging
    assert "json_populate_record" not in node
    assert len(found["parameters"]) == 2
    assert {"source": "$log.Note.old", "value": []} in found["parameters"][0]
    assert {"source": "$key.id", "value": []} in found["parameters"][1]


@pytest.mark.parametrize(
    "document",
    ["subscription { notes { text } }", "subscription { noteChanges { kind } }", "subscription { ticks(to: 1) }"],
)
async def test_in_production_the_header_tells_others_nothing_of_subscriptions(desk: Desk, document: str) -> None:
    plain, asked = await post(desk, document, USER), await post(desk, document, {**USER, **EXPLAIN})
    assert (plain.status_code, plain.content, plain.headers) == (asked.status_code, asked.content, asked.headers)
    assert list(plain.json()) == ["errors"]


# --- what no plan answers -------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("{ viewer { id } notes { text } __schema { queryType { name } } }", {}),
        ("{ wait(seconds: 0) __typename }", {"Query.wait": RESOLVER}),
        ("{ notes { loud: shout } }", {"Note.shout": f"{RESOLVER}; it gets text"}),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { wait(seconds: 0) }", {"Query.wait": RESOLVER}),
        ("query ($no: Boolean!) { wait(seconds: 0) @include(if: $no) notes { shout @skip(if: true) text } }", {}),
        (
            "query ($no: Boolean!) { ...A @include(if: $no) id: __typename } fragment A on Query { wait(seconds: 0) }",
            {},
        ),
        ("query ($no: Boolean!) { id: __typename ... @include(if: $no) { wait(seconds: 0) } }", {}),
        ("subscription { ticks(to: 1) }", {"Subscription.ticks": SOURCE}),
        ("subscription { noted { text } }", {"Subscription.noted": SOURCE + KEYS}),
        ("subscription ($key: ID!) { watched(noteId: $key) }", {"Subscription.watched": SOURCE}),
        ("mutation { break }", {"Mutation.break": RESOLVER}),
    ],
)
async def test_it_is_told_which_fields_are_code_of_the_application(
    desk: Desk, document: str, fields: dict[str, str]
) -> None:
    found = await told(desk, document)
    assert {field["field"]: field["why"] for field in found["unplanned"]} == fields
    assert STARTED == []


async def test_what_clew_does_for_jobs_is_told(desk: Desk) -> None:
    text = await explained(desk.app().engine, "subscription { jobOutput(id: 1) { data } }", {})
    assert "\n\nWithout a plan\n  Subscription.jobOutput: Clew follows the output of a job, if `job(id)`" in text
    assert "\n\nNo statement: no plan in it needs the database." in text


@pytest.mark.parametrize(
    ("document", "rules"),
    [
        ("{ wait(seconds: 0) }", [("Query.wait", "@allow(role: anon)", True, "role anon is held")]),
        (
            "subscription ($key: ID!) { watched(noteId: $key) }",
            [
                ("Subscription.watched", "@allow(role: user)", True, "role user is held"),
                ("Note", ALLOW, True, "role user is held"),
            ],
        ),
    ],
)
async def test_the_rules_of_such_a_field_are_told(
    desk: Desk, document: str, rules: list[tuple[str, str, bool, str]]
) -> None:
    found = await told(desk, document)
    assert [(rule["about"], rule["rule"], rule["applies"], rule["why"]) for rule in found["rules"]] == rules
    assert {rule["at"].partition(":")[0] for rule in found["rules"]} == {"graphql/desk.graphql"}


# --- as text --------------------------------------------------------------------------


async def test_the_text_tells_of_subscriptions(desk: Desk) -> None:
    engine = desk.app().engine
    text = await explained(engine, "subscription { noteChanges { kind node { text } } }", {}, M1)
    assert "\n\nChange events: judged when rows change of\n  table     Note: any row\n\nSQL\n" in text
    assert text.count("\n\nSQL\n") == text.count("\n\nEXPLAIN\n") == 2
    text = await explained(engine, "subscription { ticks(to: 1) }", {}, M1)
    assert "  Subscription.ticks\n    applies  graphql/desk.graphql:25  @allow(role: anon): role anon is held\n" in text
    assert f"\n\nWithout a plan\n  Subscription.ticks: {SOURCE}\n\nNo statement" in text


async def test_the_text_tells_why_a_mutation_does_not_run(desk: Desk) -> None:
    text = await explained(desk.app().engine, "mutation { break }", {}, M1)
    assert "Rules\n  Mutation.break\n    applies  graphql/desk.graphql:14  @allow(role: anon): role anon" in text
    assert text.endswith(
        f"\n\nWithout a plan\n  Mutation.break: {RESOLVER}\n\nVerdict\n  not run: The mutation runs Python of the "
        "project, whose effects a rollback may not undo.\n  Leave out the fields that are not generated."
    )


async def test_the_text_names_the_field_whose_argument_is_judged(desk: Desk) -> None:
    document = 'mutation { first: file(noteId: "01a225db-c64e-7eec-9d1e-46d0af28cfff") { id } }'
    text = await explained(desk.app().engine, document, {}, M1)
    assert f"\n\nWithout a plan\n  Mutation.file: {JOB}\n\nStep 1: first, read\n" in text
    assert "Verdict\n  refused: first: NOT_FOUND" in text
