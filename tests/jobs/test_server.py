"""Jobs in a whole server: from the mutation to the handler, its effects, its output and the live query."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from clew import Clew, ClewError, JobContext
from clew.config import Settings
from tests.auth.tokens import SECRET, claims, hs256
from tests.databases import create_tables
from tests.faults.lab import served
from tests.jobs.shop import until

pytestmark = pytest.mark.anyio
SDL = """
type Note @table
  @allow(role: user, to: [READ, CREATE], where: {owner: "$auth.sub"}) {
  id: Int! @id
  text: String! @unique
  owner: String! @preset(claim: "sub")
}
type Story { title: String! note: Note }
type Mutation {
  tell(text: String!, times: Int! = 1): String! @job(retries: 1) @allow(role: user)
  write(text: String!): Note @job(retries: 3) @allow(role: user)
  both(text: String!): Boolean @job(retries: 3) @allow(role: user)
  relate(text: String!): Story @job @allow(role: user)
  point(to: JSON!): Note @job @allow(role: user)
  fail(how: String!): Int @job(timeout: 0.5) @allow(role: user)
  slow: Int @job @allow(role: user)
  doze: Int @job @allow(role: user)
  hold(text: String!): Boolean @job @allow(role: user)
  turn(key: String!): Int @job(key: [key], concurrency: 1, rate: 1000) @allow(role: user)
  tick: Int @job
  seen(payload: JSON!): Int @job
}
extend schema
  @on(model: Note, events: CREATED, run: seen, payload: "query ($id: Int!) { note(id: $id) { text owner } }")
"""
# Seconds in which something comes on a busy machine.
SOON = 30.0
CREATE = "mutation ($text: String!) { createNote(input: {text: $text}) { id } }"


@dataclass
class Server:
    """A server with a worker in it. `aside` is a connection of the test itself. The job `hold` waits for `go`."""

    client: httpx.AsyncClient
    aside: asyncpg.Connection[Any]
    seen: list[Any]
    go: asyncio.Event

    def headers(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {hs256(claims(sub=name, exp=4_000_000_000))}"}

    async def ok(self, document: str, name: str = "ada", **variables: Any) -> Any:
        body = {"query": document, "variables": variables}
        answer = (await self.client.post("/graphql", json=body, headers=self.headers(name))).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def ended(self, key: str, name: str = "ada") -> dict[str, Any]:
        """The job, once it has ended."""
        deadline = time.monotonic() + SOON
        while True:
            document = "query ($id: ID!) { job(id: $id) { status error attempt progress message } }"
            job: dict[str, Any] = (await self.ok(document, name, id=key))["job"]
            if job["status"] not in ("QUEUED", "RUNNING"):
                return job
            assert time.monotonic() < deadline, job
            await asyncio.sleep(0.05)

    async def output(self, key: str, name: str = "ada") -> list[tuple[str, Any]]:
        """The whole output, as an event stream has it."""
        url, headers = f"/jobs/{key}/output", self.headers(name)
        text = (await self.client.get(url, headers=headers)).text
        blocks = [dict(line.split(": ", 1) for line in b.splitlines() if ": " in line) for b in text.split("\n\n")]
        return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def handlers(clew: Clew, seen: list[Any], go: asyncio.Event) -> None:
    @clew.job("tell")
    async def tell(ctx: JobContext, text: str, times: int) -> str:
        async def say() -> int:
            seen.append(("step", ctx.attempt))
            for number in range(times):
                await ctx.emit(f"{text}{number}")
            return times

        said = await ctx.step("say", say)
        await ctx.progress(0.5, "half")
        if ctx.attempt == 1 and text == "again":
            await ctx.emit("void")
            raise RuntimeError("secret")
        await ctx.emit({"said": said}, kind="end")
        return text * times

    @clew.job("write")
    async def write(ctx: JobContext, text: str) -> int:
        async with ctx.transaction():
            made = await ctx.graphql(CREATE, text=text)
            found = await ctx.system.graphql("{ notes { text } }")
            seen.append([note["text"] for note in found["notes"]])
        if ctx.attempt == 1:
            raise RuntimeError("after the effect")
        key: int = made["createNote"]["id"]
        return key

    @clew.job("both")
    async def both(ctx: JobContext, text: str) -> bool:
        await ctx.graphql(CREATE, text=text)
        return True

    @clew.job("relate")
    async def relate(ctx: JobContext, text: str) -> dict[str, Any]:
        return {"title": text, "note": (await ctx.graphql(CREATE, text=text))["createNote"]["id"]}

    @clew.job("point")
    async def point(ctx: JobContext, to: Any) -> Any:
        return to

    @clew.job("fail")
    async def fail(ctx: JobContext, how: str) -> int:
        match how:
            case "clew":
                raise ClewError("Not today.")
            case "other":
                raise RuntimeError("secret")
            case "type":
                return "many"  # type: ignore[return-value]  # that is the mistake
            case "rule":
                await ctx.graphql('mutation { createNote(input: {id: 1, text: "a"}) { id } }')
            case "invalid":
                await ctx.graphql("{ secrets { id } }")
            case "time":
                await asyncio.sleep(60)
        return 1

    @clew.job("slow")
    async def slow(ctx: JobContext) -> int:
        await ctx.emit("begun")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(("cancelled", ctx.cancelled))
        return 1

    @clew.job("doze")
    async def doze(ctx: JobContext) -> int:
        await ctx.emit("a")
        await ctx.sleep(0.2)
        await ctx.emit("b")
        return ctx.attempt

    @clew.job("hold")
    async def hold(ctx: JobContext, text: str) -> bool:
        seen.append("held")
        await go.wait()
        try:
            await ctx.graphql(CREATE, text=text)
        except ClewError as error:
            seen.append(error.code)
            raise
        return True

    @clew.job("turn")
    async def turn(ctx: JobContext, key: str) -> int:
        return len(key)

    @clew.job("tick")
    async def tick(ctx: JobContext) -> int:
        return 1

    @clew.job("seen")
    async def see(ctx: JobContext, payload: Any) -> int:
        seen.append((payload, ctx.viewer.is_admin))
        return 1


@pytest.fixture
async def server(prepared_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(prepared_url, tmp_path) as made:
        yield made


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[Server]:
    (folder / "graphql").mkdir()
    (folder / "graphql" / "a.graphql").write_text(SDL)
    seen: list[Any] = []
    go = asyncio.Event()
    clew = Clew(project=folder)
    handlers(clew, seen, go)
    await create_tables(url, clew.build()[0], logged=True)
    settings = Settings.model_validate({"DATABASE_URL": url, "env": "production", "jwt_secret": SECRET})
    aside = await asyncpg.connect(url)
    async with (
        served(clew.asgi(settings)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=SOON) as client,
    ):
        yield Server(client, aside, seen, go)
    await aside.close()


async def test_a_server_has_one_worker(server: Server) -> None:
    # An app begins with its lifespan, and with its first call of any kind.
    await server.ok("{ jobs { id } }")
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert [names.count(f"clew-{name}") for name in ("worker", "triggers", "jobs-endings")] == [1, 1, 1]


async def test_a_job_runs_and_its_output_progress_and_result_are_there(server: Server) -> None:
    key = (await server.ok('mutation { tell(text: "a", times: 3) { id } }'))["tell"]["id"]
    assert await server.output(key) == [
        *(("chunk", {"data": f"a{n}", "kind": "token"}) for n in range(3)),
        ("chunk", {"data": {"said": 3}, "kind": "end"}),
        ("final", {"status": "SUCCEEDED"}),
    ]
    ended = await server.ended(key)
    assert ended == {"status": "SUCCEEDED", "error": None, "attempt": 1, "progress": 0.5, "message": "half"}
    assert (await server.ok("{ tellJobs { text times result } }"))["tellJobs"] == [
        {"text": "a", "times": 3, "result": "aaa"}
    ]
    assert (await server.client.get(f"/jobs/{key}/output", headers=server.headers("eve"))).status_code == 404
    assert (await server.ok("query ($id: ID!) { job(id: $id) { id } }", "eve", id=key)) == {"job": None}


async def test_a_retry_repeats_the_chunks_of_finished_steps_and_nothing_else(server: Server) -> None:
    key = (await server.ok('mutation { tell(text: "again", times: 2) { id } }'))["tell"]["id"]
    await server.ended(key)
    output = await server.output(key)
    # Who comes late sees the last attempt only.
    assert [data["data"] for event, data in output if event == "chunk"] == ["again0", "again1", {"said": 2}]
    assert server.seen == [("step", 1)]


async def test_followers_of_a_job_that_sleeps_wait_and_get_the_rest(server: Server) -> None:
    key = (await server.ok("mutation { doze { id } }"))["doze"]["id"]
    assert await server.output(key) == [
        ("chunk", {"data": "a", "kind": "token"}),
        ("chunk", {"data": "b", "kind": "token"}),
        ("final", {"status": "SUCCEEDED"}),
    ]
    assert await server.ok("{ dozeJobs { attempt result } }") == {"dozeJobs": [{"attempt": 2, "result": 2}]}


async def test_effects_of_a_transaction_happen_once_together_with_the_end(server: Server) -> None:
    key = (await server.ok('mutation { write(text: "a") { id } }'))["write"]["id"]
    assert (await server.ended(key))["attempt"] == 2
    # The first attempt's effect was taken back, and the second saw its own.
    assert [seen for seen in server.seen if isinstance(seen, list)] == [["a"], ["a"]]
    assert (await server.ok("{ notes { text owner } writeJobs { result { text } } }")) == {
        "notes": [{"text": "a", "owner": "ada"}],
        "writeJobs": [{"result": {"text": "a"}}],
    }


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("clew", "Not today."),
        ("other", "The job failed."),
        ("type", "The job failed."),
        # What the caller's rules leave out of its schema, its jobs cannot use, and it is not named.
        ("rule", "This needs a type or field that your role does not have."),
        ("invalid", "This needs a type or field that your role does not have."),
    ],
)
async def test_an_error_tells_what_it_may(server: Server, how: str, error: str) -> None:
    key = (await server.ok("mutation ($how: String!) { fail(how: $how) { id } }", how=how))["fail"]["id"]
    ended = await server.ended(key)
    assert ended["status"] == "FAILED"
    assert error in ended["error"]
    assert "secret" not in ended["error"]
    assert (await server.output(key))[-1] == ("final", {"status": "FAILED"})
    assert (await server.ok("mutation ($id: ID!) { retryJob(id: $id) { status } }", id=key)) == {
        "retryJob": {"status": "QUEUED"}
    }
    assert (await server.ended(key))["attempt"] == 2


async def test_a_handler_that_takes_too_long_is_ended(server: Server) -> None:
    key = (await server.ok('mutation { fail(how: "time") { id } }'))["fail"]["id"]
    assert "0.5" in (await server.ended(key))["error"]


async def test_a_live_query_follows_a_job_and_cancelling_stops_it(server: Server) -> None:
    key = (await server.ok("mutation { slow { id } }"))["slow"]["id"]
    body = {"query": "subscription ($id: ID!) { job(id: $id) { status } }", "variables": {"id": key}}
    headers = {**server.headers("ada"), "accept": "text/event-stream"}
    seen: list[str] = []
    async with (
        asyncio.timeout(SOON),
        server.client.stream("POST", "/graphql", json=body, headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                seen.append(json.loads(line[6:])["data"]["job"]["status"])
                if seen[-1] == "RUNNING":
                    await server.ok("mutation ($id: ID!) { cancelJob(id: $id) { id } }", id=key)
                if seen[-1] == "CANCELLED":
                    break
    assert seen[-2:] == ["RUNNING", "CANCELLED"]
    assert set(seen[:-2]) <= {"QUEUED"}
    assert await server.output(key) == [
        ("chunk", {"data": "begun", "kind": "token"}),
        ("final", {"status": "CANCELLED"}),
    ]
    assert server.seen == [("cancelled", True)]


async def test_a_live_query_has_rows_and_objects_that_jobs_return(server: Server) -> None:
    made = await server.ok('mutation { write(text: "a") { id } relate(text: "b") { id } }')
    document = """
    subscription ($write: ID!, $tell: ID!) {
      writeJob(id: $write) { result { text } }
      relateJob(id: $tell) { result { title note { text } } }
      job(id: $tell) { status ... on RelateJob { result { title } } }
    }
    """
    variables = {"write": made["write"]["id"], "tell": made["relate"]["id"]}
    headers = {**server.headers("ada"), "accept": "text/event-stream"}
    body = {"query": document, "variables": variables}
    async with (
        asyncio.timeout(SOON),
        server.client.stream("POST", "/graphql", json=body, headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            if not line.startswith("data: {"):
                continue
            answer = json.loads(line[6:])
            assert "errors" not in answer, answer
            data = answer["data"]
            if all(data[name]["result"] for name in ("writeJob", "relateJob")):
                break
    assert data == {
        "writeJob": {"result": {"text": "a"}},
        "relateJob": {"result": {"title": "b", "note": {"text": "b"}}},
        "job": {"status": "SUCCEEDED", "result": {"title": "b"}},
    }


async def test_a_change_queues_the_job_of_a_trigger(server: Server) -> None:
    async def follows() -> bool:
        return bool(await server.aside.fetchval("SELECT count(*) FROM clew.job_triggers"))

    await until(follows)
    await server.ok(CREATE, text="hello")

    async def has_run() -> bool:
        return bool(server.seen)

    await until(has_run)
    assert server.seen == [({"note": {"text": "hello", "owner": "ada"}}, True)]


async def test_a_mutation_that_fails_queues_nothing(server: Server) -> None:
    body = {"query": 'mutation { tell(text: "a") { id } createNote(input: {text: null}) { id } }'}
    answer = await server.client.post("/graphql", json=body, headers=server.headers("ada"))
    assert answer.json()["errors"]
    notes = " ".join(f'{key}: createNote(input: {{text: "x"}}) {{ id }}' for key in "ab")
    document = f'mutation {{ tell(text: "a") {{ id }} {notes} }}'
    answer = await server.client.post("/graphql", json={"query": document}, headers=server.headers("ada"))
    assert answer.json()["errors"][0]["extensions"]["code"] == "CONSTRAINT_VIOLATION"
    assert await server.aside.fetchval("SELECT count(*) FROM clew.jobs") == 0


async def test_a_database_that_takes_no_writes_is_unavailable_and_costs_no_run(server: Server) -> None:
    """After a failover the URL may lead to a standby for a while. New sessions are as on such a one."""

    async def has_seen(what: Any) -> None:
        async def fits() -> bool:
            return what in server.seen

        await until(fits)

    async def writes() -> bool:
        body = {"query": CREATE, "variables": {"text": "b"}}
        answer = await server.client.post("/graphql", json=body, headers=server.headers("ada"))
        return "errors" not in answer.json()

    key = (await server.ok('mutation { hold(text: "a") { id } }'))["hold"]["id"]
    await has_seen("held")
    name = await server.aside.fetchval("SELECT current_database()")
    await server.aside.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await server.aside.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", name
    )
    for document in (
        'mutation { createNote(input: {text: "c"}) { id } }',
        'mutation { tell(text: "c") { id } }',
        'mutation { createNote(input: {text: "c"}) { id } tell(text: "c") { id } }',
    ):
        answer = await server.client.post("/graphql", json={"query": document}, headers=server.headers("ada"))
        assert answer.status_code == 503, answer.text
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert answer.headers["retry-after"]
    assert await server.ok("{ notes { text } }") == {"notes": []}
    server.go.set()
    await has_seen("UNAVAILABLE")
    await server.aside.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    # Sessions that were begun meanwhile take no writes until they end.
    await until(writes)
    assert (await server.ended(key))["status"] == "SUCCEEDED"
    row = await server.aside.fetchrow("SELECT attempt, uncounted, error FROM clew.jobs WHERE id = $1", key)
    assert row is not None
    assert row["attempt"] - row["uncounted"] == 1
    assert (row["uncounted"] > 0, row["error"]) == (True, None)
    assert await server.ok("{ notes(orderBy: [{text: ASC}]) { text } }") == {"notes": [{"text": "a"}, {"text": "b"}]}


async def test_a_long_key_of_a_limit_holds_up_no_job(server: Server) -> None:
    letters = random.Random(1)
    key = "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(9000))
    document = "mutation ($key: String!) { turn(key: $key) { id } }"
    made = [(await server.ok(document, key=one))["turn"]["id"] for one in (key, "a", key)]
    assert [(await server.ended(job))["status"] for job in made] == ["SUCCEEDED"] * 3


@pytest.mark.parametrize("to", ["abc", 10**30, {"id": 1}, 1.5, True, [1]])
async def test_a_job_fails_that_returns_no_key_of_its_entity(server: Server, to: Any) -> None:
    key = (await server.ok("mutation ($to: JSON!) { point(to: $to) { id } }", to=to))["point"]["id"]
    assert (await server.ended(key))["error"] == "The job failed."
    assert await server.ok("{ pointJobs { status result { id } } }") == {
        "pointJobs": [{"status": "FAILED", "result": None}]
    }


async def test_an_export_of_all_jobs_has_a_column_for_each_field(server: Server) -> None:
    first = (await server.ok('mutation { tell(text: "a", times: 2) { id } }'))["tell"]["id"]
    second = (await server.ok('mutation { fail(how: "clew") { id } }'))["fail"]["id"]
    await server.ended(first)
    await server.ended(second)
    fields = "__typename id status error ... on TellJob { text times said: result }"
    answer = await server.client.get(
        "/export.csv",
        params={"query": f"{{ jobs(orderBy: [{{createdAt: ASC}}]) {{ {fields} }} }}"},
        headers=server.headers("ada"),
    )
    assert answer.text.splitlines() == [
        "__typename,id,status,error,text,times,said",
        f"TellJob,{first},SUCCEEDED,,a,2,aa",
        f"FailJob,{second},FAILED,Not today.,,,",
    ]
