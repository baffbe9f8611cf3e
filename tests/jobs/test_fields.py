"""Jobs as the API has them: queued in the mutation's transaction, seen under the rules."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import uuid
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clew import Viewer
from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.jobs.service import graphql_of
from clew.json_numbers import exact_float
from tests.jobs.magazine import ADMIN, ANON, Magazine, magazine, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(prepared_url: str) -> AsyncIterator[Magazine]:
    async with magazine(prepared_url) as made:
        yield made


SUMMARIZE = "mutation ($id: Int!) { summarize(postId: $id, mood: GOOD) { __typename id status postId mood } }"


async def test_a_job_is_queued_with_its_arguments_in_the_api_form(world: Magazine) -> None:
    document = """
    mutation ($options: Options, $at: DateTime) {
      made: summarize(postId: 1, mood: BAD, options: $options, tags: ["a", "b,{}"], at: $at) {
        id status attempt queue jobName postId mood options tags at result runAt progress error
      }
    }
    """
    variables = {"options": {"deep": True}, "at": "2030-01-01T00:00:00Z"}
    made = (await world.ok(document, user("u1"), variables))["made"]
    key = made.pop("id")
    assert made == {
        "status": "QUEUED",
        "attempt": 0,
        "queue": "ai",
        "jobName": "summarize",
        "postId": 1,
        "mood": "BAD",
        "options": {"deep": True},
        "tags": ["a", "b,{}"],
        "at": "2030-01-01T00:00:00+00:00",
        "result": None,
        "runAt": "2030-01-01T00:00:00+00:00",
        "progress": None,
        "error": None,
    }
    row = await world.job("summarize", key)
    assert (row["priority"], row["retries"], row["viewer"]) == (5, 2, "u1")
    assert '"team": 7' in row["caller"]


async def test_a_rolled_back_mutation_queues_nothing(world: Magazine) -> None:
    document = "mutation { summarize(postId: 1) { id } updatePost(id: 1, set: {title: null}) { id } }"
    assert await world.code(document, user("u1")) == "BAD_USER_INPUT"
    document = 'mutation { greet(name: "a") { id } createPost(input: {id: 1, title: "a", owner: "b"}) { id } }'
    assert await world.code(document) == "CONSTRAINT_VIOLATION"
    assert await world.aside.fetchval("SELECT count(*) FROM clew.jobs") == 0
    assert await world.aside.fetchval("SELECT count(*) FROM clew.job_queue") == 0


async def test_only_the_caller_and_those_of_a_rule_see_a_job(world: Magazine) -> None:
    good = (await world.ok(SUMMARIZE, user("u1"), {"id": 1}))["summarize"]
    bad = (await world.ok(SUMMARIZE.replace("GOOD", "BAD"), user("u2"), {"id": 2}))["summarize"]
    assert good["__typename"] == "SummarizeJob"
    document = """
    query ($id: ID!) {
      job(id: $id) { __typename id ... on SummarizeJob { mood } ...P }
      summarizeJob(id: $id) { id }
      jobs { id status }
      summarizeJobs(where: {postId: {in: [1, 2]}}) { id }
      jobsAggregate { count }
    }
    fragment P on PublishJob { postId }
    """

    async def sees(viewer: Any, key: str) -> Any:
        found = await world.ok(document, viewer, {"id": key})
        seen = [row["id"] for row in found["jobs"]]
        assert [row["id"] for row in found["summarizeJobs"]] == seen
        assert found["jobsAggregate"]["count"] == len(seen)
        assert (found["job"] is None) is (found["summarizeJob"] is None) is (key not in seen)
        return found["job"], seen

    assert await sees(user("u1"), good["id"]) == (
        {"__typename": "SummarizeJob", "id": good["id"], "mood": "GOOD"},
        [good["id"]],
    )
    assert await sees(user("u2"), good["id"]) == (None, [bad["id"]])
    assert await sees(user("u3"), good["id"]) == (None, [])
    assert (await sees(user("e", "editor"), good["id"]))[1] == [good["id"]]
    assert (await sees(ADMIN, bad["id"]))[1] == [good["id"], bad["id"]]


async def test_an_anonymous_caller_sees_its_job_in_the_answer_only(world: Magazine) -> None:
    made = (await world.ok('mutation { greet(name: "a") { id name status } }', ANON))["greet"]
    assert made["name"] == "a"
    other = (await world.ok('mutation { greet(name: "b") { id } }', ANON))["greet"]
    document = "query ($id: ID!) { job(id: $id) { id } jobs { id } greetJobs { id } }"
    for key in (made["id"], other["id"]):
        assert await world.ok(document, ANON, {"id": key}) == {"job": None, "jobs": [], "greetJobs": []}
    assert await world.code("mutation ($id: ID!) { cancelJob(id: $id) { id } }", ANON, {"id": key}) == "NOT_FOUND"


async def test_a_restored_job_is_not_of_a_later_transaction_with_its_number(world: Magazine) -> None:
    old = (await world.ok('mutation { greet(name: "a") { id } }', ANON))["greet"]["id"]
    async with world.engine.transaction() as own:
        # As if this cluster, with the dump of another one, had come to the number of the job's transaction.
        number = "pg_current_xact_id()::text || substr(transaction, strpos(transaction, '@'))"
        await own.connection.fetch(f"UPDATE clew.jobs SET transaction = {number}", ())
        document = "query ($id: ID!) { job(id: $id) { id } jobs { id } greetJobs { name } }"
        found = await world.engine.graphql(document, {"id": old}, ANON, own)
        assert found == {"job": None, "jobs": [], "greetJobs": []}
        await world.engine.graphql('mutation { greet(name: "b") { id } }', {}, ANON, own)
        assert (await world.engine.graphql(document, {"id": old}, ANON, own))["greetJobs"] == [{"name": "b"}]


async def test_a_row_argument_is_judged_before_anything_is_queued(world: Magazine) -> None:
    assert await world.code(SUMMARIZE, user("u1"), {"id": 2}) == "NOT_FOUND"
    assert await world.code(SUMMARIZE, user("u1"), {"id": 99}) == "NOT_FOUND"
    assert await world.aside.fetchval("SELECT count(*) FROM clew.jobs") == 0


async def test_a_role_without_a_rule_on_the_field_has_neither_field_nor_type(world: Magazine) -> None:
    for document in (
        "mutation { sweep { id } }",
        "query { sweepJobs { id } }",
        "query { job(id: 1) { ... on SweepJob { id } } }",
        'mutation { pauseQueue(name: "ai") }',
        "mutation { retryJobs(where: {}) { count } }",
    ):
        assert await world.code(document, user("u1")) == "GRAPHQL_VALIDATION_FAILED"
    assert (await world.ok("mutation { sweep { status } }"))["sweep"] == {"status": "QUEUED"}


async def test_who_sees_a_job_may_not_change_it_unless_it_is_ones_own_or_a_rule_says_so(world: Magazine) -> None:
    good = (await world.ok(SUMMARIZE, user("u1"), {"id": 1}))["summarize"]["id"]
    cancel = "mutation ($id: ID!) { cancelJob(id: $id) { __typename id status ... on SummarizeJob { mood } } }"
    retry = cancel.replace("cancelJob", "retryJob")
    absent = "018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f"
    for document in (cancel, retry):
        for key in (good, absent):
            found = await world.run(document, user("u2"), {"id": key})
            assert found["errors"][0]["message"] == "There is no row for `id`."
    job = {"__typename": "SummarizeJob", "id": good, "mood": "GOOD"}
    assert await world.ok(cancel, user("u1"), {"id": good}) == {"cancelJob": {**job, "status": "CANCELLED"}}
    assert await world.ok(retry, user("e", "editor"), {"id": good}) == {"retryJob": {**job, "status": "QUEUED"}}


async def test_a_second_job_with_a_unique_key_is_the_first_one_or_a_conflict(world: Magazine) -> None:
    publish = "mutation { publish(postId: 3) { id postId } }"
    first = (await world.ok(publish, user("u1")))["publish"]
    assert (await world.ok(publish, user("u1")))["publish"] == first
    assert await world.code(publish, user("u2")) == "CONFLICT"
    assert (await world.ok(publish.replace("3", "4"), user("u2")))["publish"]["postId"] == 4
    assert (await world.ok("{ publishJobsX: jobs { id } }"))["publishJobsX"][0]["id"] == first["id"]


async def test_admins_change_many_jobs_by_a_filter(world: Magazine) -> None:
    keys = [(await world.ok(SUMMARIZE, user(f"u{n}"), {"id": n}))["summarize"]["id"] for n in (1, 2, 3)]
    await world.ok('mutation { greet(name: "a") { id } }', user("u1"))
    document = """
    mutation ($where: JobFilter!) { cancelJobs(where: $where) { count rows { id status __typename } } }
    """
    found = (await world.ok(document, ADMIN, {"where": {"jobName": {"eq": "summarize"}}}))["cancelJobs"]
    assert found["count"] == 3
    assert sorted(row["id"] for row in found["rows"]) == sorted(keys)
    assert {row["status"] for row in found["rows"]} == {"CANCELLED"}
    again = await world.ok("mutation { retryJobs(where: {status: {in: [FAILED, CANCELLED]}}) { count } }")
    assert again == {"retryJobs": {"count": 3}}
    assert (await world.ok("{ jobsGroups(by: [{status: VALUE}]) { key { status } count } }"))["jobsGroups"] == [
        {"key": {"status": "QUEUED"}, "count": 4}
    ]


async def test_a_queue_is_paused_and_resumed_by_admins(world: Magazine) -> None:
    pause, resume = 'mutation { pauseQueue(name: "ai") }', 'mutation { resumeQueue(name: "ai") }'
    assert [(await world.ok(document)).popitem()[1] for document in (pause, pause, resume, resume)] == [
        True,
        False,
        True,
        False,
    ]


async def test_results_have_their_declared_types(world: Magazine) -> None:
    document = 'mutation { report(big: "9007199254740993", exact: "1.10") { id big exact } publish(postId: 1) { id } }'
    made = await world.ok(document, user("u1"))
    assert (made["report"]["big"], made["report"]["exact"]) == ("9007199254740993", "1.10")
    await world.aside.execute("UPDATE clew.jobs SET result = '1' WHERE name = 'publish'")
    await world.aside.execute("""UPDATE clew.jobs SET result = '{"title": "a", "lines": 3}' WHERE name = 'report'""")
    document = """
    query ($report: ID!, $publish: ID!) {
      jobs { __typename ... on ReportJob { result { lines } } ... on PublishJob { result { title } } }
      reportJob(id: $report) { result { title lines } }
      job(id: $publish) { ... on PublishJob { post: result { id } } }
    }
    """
    variables = {"report": made["report"]["id"], "publish": made["publish"]["id"]}
    assert await world.ok(document, user("u1"), variables) == {
        "jobs": [
            {"__typename": "ReportJob", "result": {"lines": 3}},
            {"__typename": "PublishJob", "result": {"title": "post 1"}},
        ],
        "reportJob": {"result": {"title": "a", "lines": 3}},
        "job": {"post": {"id": 1}},
    }
    # The row of a result is one that the viewer may see.
    await world.aside.execute("UPDATE clew.jobs SET result = '2' WHERE name = 'publish'")
    assert (await world.ok(document, user("u1"), variables))["job"] == {"post": None}


async def test_arguments_of_an_earlier_schema_are_null(world: Magazine) -> None:
    made = (await world.ok(SUMMARIZE, user("u1"), {"id": 1}))["summarize"]["id"]
    await world.aside.execute(
        """UPDATE clew.jobs SET arguments = '{"postId": "x", "mood": "UGLY", "tags": 5, "at": {"a": 1}}'"""
    )
    document = "query ($id: ID!) { job(id: $id) { ... on SummarizeJob { postId mood tags at options } } }"
    assert (await world.ok(document, user("u1"), {"id": made}))["job"] == {
        "postId": None,
        "mood": None,
        "tags": ["5"],
        "at": None,
        "options": None,
    }
    # A list fits if each of its items does.
    for arguments, moods, tags in (
        ('{"moods": ["GOOD", null], "tags": ["a", null]}', ["GOOD", None], None),
        ('{"moods": ["GOOD", "UGLY"], "tags": ["a"]}', None, ["a"]),
    ):
        await world.aside.execute("UPDATE clew.jobs SET arguments = $1", arguments)
        found = await world.ok("{ summarizeJobs { moods tags } }", user("u1"))
        assert found == {"summarizeJobs": [{"moods": moods, "tags": tags}]}


async def test_results_of_an_earlier_schema_are_null(world: Magazine) -> None:
    await world.ok("mutation { report { id } publish(postId: 1) { id } }", user("u1"))
    document = "{ reportJobs { result { lines } } publishJobs { result { title } } }"

    async def results(report: str, publish: str) -> Any:
        for name, result in (("report", report), ("publish", publish)):
            await world.aside.execute("UPDATE clew.jobs SET result = $2 WHERE name = $1", name, result)
        found = await world.ok(document, user("u1"))
        return found["reportJobs"][0]["result"], found["publishJobs"][0]["result"]

    assert await results('{"title": "a", "lines": 3}', "1") == ({"lines": 3}, {"title": "post 1"})
    for report, publish in (
        ('"a"', '"one"'),
        ('{"lines": 3}', '{"id": 1}'),
        ('{"title": "a", "lines": "many"}', "[1]"),
        ("[]", "1.5"),
        ('{"title": "a"}', "{}"),
        ("true", "99999999999"),
    ):
        assert await results(report, publish) == (None, None), (report, publish)


async def test_a_moment_that_python_has_not_is_refused(world: Magazine) -> None:
    document = "mutation ($at: DateTime) { summarize(postId: 1, at: $at) { runAt } }"
    for at in ("10000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0044-03-15T00:00:00Z BC", "infinity"):
        found = await world.run(document, user("u1"), {"at": at})
        assert found["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
        assert found["errors"][0]["message"] == "`at` must be a moment of the years 1 to 9999."
    made = await world.ok(document, user("u1"), {"at": "9999-12-31T23:59:59Z"})
    assert made["summarize"]["runAt"] == "9999-12-31T23:59:59+00:00"


OPEN = """
extend type Mutation {
  keep(json: JSON, text: String): Int @job @allow(role: user)
  once(json: JSON, text: String): Int @job(unique: [json, text]) @allow(role: user)
  turn(json: JSON, text: String): Int @job(key: [json, text], concurrency: 1) @allow(role: user)
}
"""


async def _open(world: Magazine, field: str, **variables: Any) -> dict[str, Any]:
    document = f"mutation ($json: JSON, $text: String) {{ {field}(json: $json, text: $text) {{ id json }} }}"
    return await world.run(document, user("u1"), variables)


@pytest.mark.parametrize("field", ["keep", "once", "turn"])
async def test_an_argument_that_postgres_cannot_store_is_named(prepared_url: str, field: str) -> None:
    async with magazine(prepared_url, OPEN) as world:
        for name, value in (
            ("text", "a\0"),
            ("text", "\ud800"),
            ("json", {"\0": 1}),
            ("json", ["\ud800"]),
            ("json", {"a": exact_float("1e400000")}),
        ):
            (error,) = (await _open(world, field, **{name: value}))["errors"]
            assert error["extensions"]["code"] == "BAD_USER_INPUT"
            assert error["message"].startswith(f"`{name}` ")
        assert await world.aside.fetchval("SELECT count(*) FROM clew.jobs") == 0


async def test_claims_that_postgres_cannot_store_queue_nothing(world: Magazine) -> None:
    for name, roles, claims in (
        ("a\0", (), {}),
        ("a", ("\ud800",), {}),
        ("a", (), {"team": "a\0"}),
        ("a", (), {"team": {"\ud800": [1]}}),
        ("a", (), {"team": ["a", {"b": exact_float("1e400000")}]}),
    ):
        viewer = Viewer(name, frozenset({"anon", "user", *roles}), {"sub": name, **claims})
        found = await world.run("mutation { report { id } }", viewer)
        assert found["data"] is None
        (error,) = found["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "hint": "A job keeps the claims of its caller."}
        assert error["message"].startswith("A claim of the viewer ")
    assert await world.aside.fetchval("SELECT count(*) FROM clew.jobs") == 0


@pytest.mark.parametrize("field", ["keep", "once", "turn"])
async def test_numbers_in_json_stay_as_they_were_sent(prepared_url: str, field: str) -> None:
    async with magazine(prepared_url, OPEN) as world:
        sent = [exact_float("0.1"), exact_float("0.10000000000000000001")]
        made = [(await _open(world, field, json={"a": number}))["data"][field] for number in sent]
        assert made[0]["id"] != made[1]["id"]
        stored = "SELECT arguments #>> '{json,a}' FROM clew.jobs ORDER BY id"
        assert [row[0] for row in await world.aside.fetch(stored)] == ["0.1", "0.10000000000000000001"]


async def test_a_unique_key_has_any_length_and_no_order_of_fields(prepared_url: str) -> None:
    async with magazine(prepared_url, OPEN) as world:
        letters = random.Random(1)
        text = "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(9000))
        first = (await _open(world, "once", text=text, json={"a": 1, "b": [{"c": 1, "d": 2}]}))["data"]["once"]
        same = (await _open(world, "once", text=text, json={"b": [{"d": 2, "c": 1}], "a": 1}))["data"]["once"]
        assert first["id"] == same["id"]
        other = (await _open(world, "once", text=text + "a", json=first["json"]))["data"]["once"]
        assert first["id"] != other["id"]


async def test_of_jobs_with_one_unique_key_the_last_one_is_retried(world: Magazine) -> None:
    keys = []
    for _ in range(3):
        keys.append((await world.ok("mutation { publish(postId: 3) { id } }", user("u1")))["publish"]["id"])
        await world.ok("mutation ($id: ID!) { cancelJob(id: $id) { id } }", user("u1"), {"id": keys[-1]})
    other = (await world.ok("mutation { publish(postId: 4) { id } }", user("u1")))["publish"]["id"]
    await world.ok("mutation ($id: ID!) { cancelJob(id: $id) { id } }", user("u1"), {"id": other})
    found = await world.ok("mutation { retryJobs(where: {}) { rows { id status } } }")
    assert sorted(row["id"] for row in found["retryJobs"]["rows"]) == sorted([keys[-1], other])
    # A job that has the key by now keeps the earlier ones from it.
    assert await world.ok("mutation { retryJobs(where: {}) { count } }") == {"retryJobs": {"count": 0}}


async def test_operations_within_a_transaction_leave_nothing_of_it_behind(world: Magazine) -> None:
    run = graphql_of(world.engine)
    alchemy = alchemy_engine(world.engine.pool)
    left: list[weakref.ref[OperationConnection]] = []
    for _ in range(3):
        connection = OperationConnection(alchemy, world.engine.pool)
        await connection.ensure()
        await asyncio.gather(*(run("{ posts { id } }", {}, ADMIN, connection) for _ in range(2)))
        await connection.finish()
        left.append(weakref.ref(connection))
        del connection
    gc.collect()
    assert [ref for ref in left if ref() is not None] == []


async def test_changes_of_a_job_are_logged_with_all_that_live_queries_may_follow(world: Magazine) -> None:
    key = (await world.ok(SUMMARIZE, user("u1"), {"id": 1}))["summarize"]["id"]
    await world.aside.execute("UPDATE clew.jobs SET progress = 0.5 WHERE id = $1", uuid.UUID(key))
    images = await world.aside.fetchrow("SELECT old_row, new_row FROM clew.change_log WHERE kind = 'U'")
    assert images is not None
    # These never change, and arguments may be long.
    constant = {"arguments", "transaction"}
    for image, progress in zip(images, (None, 0.5), strict=True):
        row = json.loads(image)
        assert (row["id"], row["progress"]) == (key, progress)
        columns = {
            column.column
            for entity in world.engine.model.entities.values()
            for column in entity.columns
            if entity.is_job and column.computed is None
        }
        assert columns - constant == set(row)
