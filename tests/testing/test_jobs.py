"""`run_jobs`: jobs of the API, and those that `@on` queues, but none of `@cron`."""

from __future__ import annotations

from tests.testing.conftest import RunTests

SDL = """
enum State { OPEN PAID }
type Order @table { id: Int! @id state: State! note: String notes: [Note!]! @relation(from: "order") }
type Note @table { id: Int! @id order: Order! @relation text: String! }

extend type Query { fails: Int @allow(role: anon) }

extend type Mutation {
  sendReceipt(payload: JSON!): String @job
  count(id: Int!, kind: String!): Int @job
  failing(payload: JSON!): Int @job
  tick: Int @job
}

extend schema
  @cron(schedule: "* * * * *", run: tick)
  @on(
    model: Order
    events: [CREATED, UPDATED]
    when: {state: PAID}
    run: sendReceipt
    payload: "query ($id: Int!) { order(id: $id) { id note } }"
  )
  @on(model: Note, run: count)
  @on(
    model: Order
    when: {note: "bad"}
    run: failing
    payload: "{ fails }"
  )
"""

MAIN = """
from ariadne import QueryType

from clew import Clew, ClewError

query = QueryType()
clew = Clew([query])


@query.field("fails")
def fails(_, info):
    raise ClewError("not today")


@clew.job("sendReceipt")
async def send_receipt(ctx, payload):
    # It changes rows too: `count` runs in the same call.
    order = payload["order"]
    await ctx.graphql(
        "mutation ($input: NoteCreateInput!) { createNote(input: $input) { id } }",
        input={"orderId": order["id"], "text": "sent"},
    )
    return order["note"]


@clew.job("count")
async def count(ctx, id, kind):
    return id


@clew.job("tick")
async def tick(ctx):
    return 1


@clew.job("failing")
async def failing(ctx, payload):
    pass
"""

TESTS = """
import asyncpg
import asyncio

import pytest

from clew import ClewError

RECEIPTS = "{ sendReceiptJobs(orderBy: {createdAt: ASC}) { status result } }"
COUNTS = "{ countJobs(orderBy: {createdAt: ASC}) { status id_: result kind } }"
PAY = "mutation ($id: Int!) { updateOrder(id: $id, set: {state: PAID}) { id } }"


def done(*results):
    return [{"status": "SUCCEEDED", "result": result} for result in results]


@pytest.mark.parametrize("round", [1, 2])
def test_changes_queue_jobs_that_run_at_once(client, make, run_jobs, round):
    admin = client.as_("admin")
    run_jobs()
    make("Order", state="OPEN", note="open")
    paid = make("Order", state="PAID", note="paid")
    assert admin.graphql(RECEIPTS).data == {"sendReceiptJobs": []}
    run_jobs()
    assert admin.graphql(RECEIPTS).data == {"sendReceiptJobs": done("paid")}
    assert admin.graphql(COUNTS).data == {"countJobs": [{"status": "SUCCEEDED", "id_": 1, "kind": "CREATED"}]}
    # Each change is judged once.
    run_jobs()
    assert admin.graphql(RECEIPTS).data == {"sendReceiptJobs": done("paid")}


def test_what_came_before_the_first_call_counts(client, make, run_jobs):
    admin = client.as_("admin")
    order = make("Order", state="OPEN", note="later")
    admin.graphql(PAY, {"id": order["id"]}).raise_for_errors()
    run_jobs()
    assert admin.graphql(RECEIPTS).data == {"sendReceiptJobs": done("later")}


def test_writers_that_are_not_clew_count(client, clew_database_url, run_jobs):
    async def insert():
        connection = await asyncpg.connect(clew_database_url)
        await connection.execute("INSERT INTO orders (state, note) VALUES ('PAID', 'sql')")
        await connection.close()

    asyncio.run(insert())
    run_jobs()
    assert client.as_("admin").graphql(RECEIPTS).data == {"sendReceiptJobs": done("sql")}


def test_a_payload_that_fails_is_told(make, run_jobs):
    make("Order", state="OPEN", note="bad")
    with pytest.raises(ClewError, match="not today"):
        run_jobs()


def test_no_schedule_begins(client, clew_database_url, run_jobs):
    async def scheduled():
        connection = await asyncpg.connect(clew_database_url)
        try:
            return await connection.fetchval("SELECT count(*) FROM clew.job_crons")
        finally:
            await connection.close()

    client.as_("admin").graphql("mutation { tick { id } }").raise_for_errors()
    run_jobs()
    assert client.as_("admin").graphql("{ tickJobs { result } }").data == {"tickJobs": [{"result": 1}]}
    assert asyncio.run(scheduled()) == 0


def test_the_changes_of_another_test_do_not(client, run_jobs):
    run_jobs()
    assert client.as_("admin").graphql("{ jobs { id } }").data == {"jobs": []}
"""


def test_run_jobs_queues_those_of_on_first(run_tests: RunTests) -> None:
    files = {
        "graphql/schema.graphql": SDL,
        "app/main.py": MAIN,
        "pyproject.toml": '[tool.clew]\napp = "app.main:clew"\n',
        "tests/conftest.py": 'pytest_plugins = ["clew.testing"]\n',
        "tests/test_all.py": TESTS,
    }
    # Of the project's own database, whose log has nothing to do with that of the tests.
    done = run_tests(files, CLEW_DIRECT_URL="postgresql://127.0.0.1:1/x")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
