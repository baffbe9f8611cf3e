"""The output of a job over HTTP and GraphQL subscriptions, for those who may see the job."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from gql.transport.exceptions import TransportQueryError

from clew import Clew, JobContext
from clew.config import Settings
from clew.jobs.output.writer import JobOutputWriter
from clew.wire.application import Application
from tests.auth.tokens import SECRET, claims, hs256
from tests.databases import create_tables
from tests.faults.lab import served
from tests.sockets.client import socket
from tests.sockets.test_event_streams import Response

pytestmark = pytest.mark.anyio

SDL = """
type Mutation {
  reply(prompt: String!): String! @job @allow(role: user)
  silent: String! @job @allow(role: other)
}
"""
ABSENT = "0190b0f3-9c1e-7000-8000-000000000000"
SUBSCRIPTION = """
subscription ($id: ID!, $after: String, $cursor: Boolean = true) {
  out: jobOutput(id: $id, after: $after) {
    __typename kind data ...C @include(if: $cursor) reset final attempt step status
  }
}
fragment C on JobOutput { cursor }
"""


def token(sub: str = "u1", exp: float = 4_000_000_000, role: str = "user") -> str:
    return hs256(claims(sub=sub, exp=exp, roles=[role]))


class Place:
    """A served app, and a job that its test writes for."""

    def __init__(self, app: Application, port: int, aside: asyncpg.Connection[Any]) -> None:
        self.app = app
        self.port = port
        self.aside = aside
        self.writer = JobOutputWriter(app.outputs, most_of_chunk=65536, most_of_attempt=2**24)

    async def job(self, text: str = "", viewer: str = "u1", name: str = "reply") -> str:
        """A job that runs, with this output."""
        job = str(
            await self.aside.fetchval(
                "INSERT INTO clew.jobs (name, queue, status, attempt, viewer, arguments, caller)"
                """ VALUES ($1, 'default', 'RUNNING', 1, $2, '{"prompt": ""}', '{}') RETURNING id""",
                name,
                viewer,
            )
        )
        await self.writer.begin(job, 1)
        await self.say(job, text)
        return job

    async def say(self, job: str, text: str) -> None:
        for letter in text:
            await self.writer.emit(job, 1, letter, "token", None)
        await self.writer.flush(job)

    async def set(self, job: str, status: str, attempt: int = 1) -> None:
        await self.aside.execute("UPDATE clew.jobs SET status = $2, attempt = $3 WHERE id = $1", job, status, attempt)

    @asynccontextmanager
    async def get(
        self, job: str, query: str = "", bearer: str | None = None, **headers: str
    ) -> AsyncIterator[Response]:
        given = {"authorization": f"Bearer {bearer or token()}", **headers}
        async with (
            httpx.AsyncClient(base_url=f"http://localhost:{self.port}", timeout=15) as client,
            client.stream("GET", f"/jobs/{job}/output{query}", headers={k: v for k, v in given.items() if v}) as answer,
        ):
            yield Response(answer)

    async def refused(self, job: str, method: str = "GET", **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://localhost:{self.port}", timeout=15) as client:
            given = {"authorization": f"Bearer {token()}", "x-request-id": "r", **headers}
            return await client.request(method, f"/jobs/{job}/output", headers={k: v for k, v in given.items() if v})


@pytest.fixture
async def make(prepared_url: str, tmp_path: Path) -> Any:
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "app.graphql").write_text(SDL)
    clew = Clew(project=tmp_path)

    @clew.job("reply")
    async def reply(ctx: JobContext, prompt: str) -> str:
        return prompt

    @clew.job("silent")
    async def silent(ctx: JobContext) -> str:
        return ""

    await create_tables(prepared_url, clew.build()[0], logged=True)

    @asynccontextmanager
    async def made(**settings: Any) -> AsyncIterator[Place]:
        common = {"DATABASE_URL": prepared_url, "jwt_secret": SECRET, "secret": SECRET[::-1], "env": "production"}
        app = clew.asgi(Settings.model_validate({**common, "drain_seconds": 0, **settings}))
        aside = await asyncpg.connect(prepared_url)
        try:
            async with app.lifespan(), served(app) as port:
                place = Place(app, port, aside)
                yield place
        finally:
            await aside.close()

    return made


async def test_a_type_of_ones_own_that_is_named_job_opens_no_output(prepared_url: str, tmp_path: Path) -> None:
    (tmp_path / "graphql").mkdir()
    sdl = "type Job @table @allow(role: user) { id: ID! @id name: String! }"
    (tmp_path / "graphql" / "app.graphql").write_text(sdl)
    clew = Clew(project=tmp_path)
    await create_tables(prepared_url, clew.build()[0], logged=True)
    settings = {"DATABASE_URL": prepared_url, "jwt_secret": SECRET, "secret": SECRET[::-1], "env": "production"}
    app = clew.asgi(Settings.model_validate({**settings, "drain_seconds": 0}))
    aside = await asyncpg.connect(prepared_url)
    try:
        async with app.lifespan(), served(app) as port:
            place = Place(app, port, aside)
            # It was queued when the application had jobs.
            job = await place.job("a secret", viewer="u2")
            await place.set(job, "SUCCEEDED")
            await aside.execute("INSERT INTO jobs (id, name) VALUES ($1, 'own')", job)
            answer = await place.refused(job)
            assert answer.status_code == 404
            assert answer.json() == (await place.refused(str(uuid4()))).json()
    finally:
        await aside.close()


async def test_output_comes_as_events_with_ids(make: Any) -> None:
    async with make() as place:
        job = await place.job("ab")
        async with place.get(job) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert await answer.event() == ("chunk", {"data": "a", "kind": "token"}, "1:1")
            assert await answer.event() == ("chunk", {"data": "b", "kind": "token"}, "1:2")
            await place.writer.emit(job, 1, {"json": [1, "é"]}, "part", None)
            assert await answer.event() == ("chunk", {"data": {"json": [1, "é"]}, "kind": "part"}, "1:3")
            await place.set(job, "QUEUED")
            await place.set(job, "RUNNING", 2)
            await place.writer.begin(job, 2)
            await place.writer.emit(job, 2, "c", "token", None)
            assert await answer.event() == ("reset", {"attempt": 2, "step": None}, "2:0")
            assert await answer.event() == ("chunk", {"data": "c", "kind": "token"}, "2:1")
            began = time.monotonic()
            await place.set(job, "SUCCEEDED", 2)
            assert await answer.event() == ("final", {"status": "SUCCEEDED"}, "2:2")
            assert time.monotonic() - began < 5
            assert await answer.event() is None


@pytest.mark.parametrize("how", ["header", "url"])
async def test_a_client_goes_on_after_the_last_event_it_has(make: Any, how: str) -> None:
    async with make() as place:
        job = await place.job("abc")
        await place.set(job, "SUCCEEDED")

        async def after(cursor: str) -> tuple[int, list[Any]]:
            asked = {"last-event-id": cursor} if how == "header" else {}
            async with place.get(job, "" if how == "header" else f"?after={cursor}", **asked) as answer:
                return answer.status, await answer.rest()

        final = ("final", {"status": "SUCCEEDED"})
        assert await after("1:2") == (200, [("chunk", {"data": "c", "kind": "token"}), final])
        assert await after("1:3") == (200, [final])
        # A cursor of chunks that are not there: they were lost in a failover.
        reset = ("reset", {"attempt": 1, "step": None})
        whole = [("chunk", {"data": letter, "kind": "token"}) for letter in "abc"]
        assert await after("1:99") == (200, [reset, *whole, final])
        # Whoever has the end is not to connect again: https://html.spec.whatwg.org/multipage/server-sent-events.html
        assert await after("1:4") == (204, [])


async def test_the_header_is_newer_than_the_url(make: Any) -> None:
    async with make() as place:
        job = await place.job("abc")
        await place.set(job, "SUCCEEDED")
        async with place.get(job, "?after=1:1", **{"last-event-id": "1:3"}) as answer:
            assert await answer.rest() == [("final", {"status": "SUCCEEDED"})]


async def test_hidden_absent_and_malformed_jobs_are_the_same_404(make: Any) -> None:
    async with make() as place:
        hidden, other = await place.job("a", viewer="u2"), await place.job("a", name="silent")
        await place.set(hidden, "SUCCEEDED")
        answers = [
            await place.refused(job, authorization=f"Bearer {token(role=role)}")
            for job in (hidden, other, ABSENT, "x", "1", f"%7B{ABSENT}%7D", "%00", "a" * 500)
            for role in ("user", "nobody")
        ]
        answers += [await place.refused(job, authorization="") for job in (hidden, ABSENT)]
        found = {
            (answer.status_code, answer.content, tuple(sorted(set(answer.headers) - {"date"}))) for answer in answers
        }
        assert len(found) == 1
        assert answers[0].status_code == 404
        assert answers[0].json()["errors"][0]["extensions"] == {"code": "NOT_FOUND", "requestId": "r"}


@pytest.mark.parametrize("given", ["x", "1", "00:1", "1:1:1", "9" * 2000])
async def test_a_malformed_id_of_the_last_event_is_a_400(make: Any, given: str) -> None:
    async with make() as place:
        answer = await place.refused(await place.job(), **{"last-event-id": given})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_dropped_output_is_a_410(make: Any) -> None:
    async with make() as place:
        job = await place.job("abc")
        async with place.get(job) as living:
            for letter in "abc":
                assert (await living.event())[1]["data"] == letter
            await place.aside.execute("INSERT INTO clew.job_output_dropped VALUES ($1, 1, 2)", job)
            await place.aside.execute("DELETE FROM clew.job_output WHERE seq <= 2")
            answer = await place.refused(job)
            assert answer.status_code == 410
            assert answer.json()["errors"][0]["extensions"]["code"] == "GONE"
            assert answer.headers["cache-control"] == "no-store"
            assert (await place.refused(job, **{"last-event-id": "1:1"})).status_code == 410
            async with place.get(job, **{"last-event-id": "1:2"}) as rest:
                assert (await rest.event())[2] == "1:3"
            await place.say(job, "d")
            assert (await living.event())[1]["data"] == "d"


async def test_a_ticket_for_the_path_takes_the_place_of_a_header(make: Any) -> None:
    async with make() as place:
        job, other = await place.job("a"), await place.job("b")
        async with httpx.AsyncClient(base_url=f"http://localhost:{place.port}") as client:
            made = await client.post(
                "/tickets", json={"path": f"/jobs/{job}/output"}, headers={"authorization": f"Bearer {token()}"}
            )
        ticket = made.json()["ticket"]
        async with place.get(job, f"?ticket={ticket}&after=1:0", authorization="") as answer:
            assert (await answer.event())[1]["data"] == "a"
        async with place.get(other, f"?ticket={ticket}", authorization="") as answer:
            assert answer.status == 401


async def test_other_methods_and_bad_tokens_are_refused(make: Any) -> None:
    async with make() as place:
        job = await place.job("a")
        for method in ("POST", "PUT", "DELETE"):
            answer = await place.refused(job, method)
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert (await place.refused(job, authorization="Bearer x")).status_code == 401


async def test_a_disconnect_cancels_no_job_and_leaves_nothing_behind(make: Any) -> None:
    async with make() as place:
        job = await place.job("a")
        async with place.get(job) as answer:
            await answer.event()
            assert place.app.outputs._here().ring.streams
        async with asyncio.timeout(10):
            while place.app.outputs._here().ring.streams or place.app.sockets._open:
                await asyncio.sleep(0.01)
        row = await place.aside.fetchrow("SELECT status, cancelled_at FROM clew.jobs WHERE id = $1", job)
        assert tuple(row) == ("RUNNING", None)


async def test_a_stream_ends_with_the_token_and_with_the_sight_of_the_job(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.output.follow._LOOK", 0.1)
    async with make() as place:
        job = await place.job("a")
        async with place.get(job, bearer=token(exp=time.time() + 2)) as answer:
            assert await answer.event() is not None
            began = time.time()
            assert await answer.event() is None
            assert time.time() - began < 5
        async with place.get(job) as answer:
            assert await answer.event() is not None
            await place.aside.execute("UPDATE clew.jobs SET viewer = 'u2' WHERE id = $1", job)
            assert await answer.event() is None
        assert (await place.refused(job)).status_code == 404


async def test_a_quiet_stream_has_a_heartbeat(make: Any) -> None:
    async with make(heartbeat_seconds=0.1) as place:
        job = await place.job()
        async with place.get(job) as answer:
            await asyncio.sleep(0.5)
            await place.say(job, "a")
            await answer.event()
            assert answer.comments >= 3


async def test_streams_count_as_sockets_and_as_operations(make: Any) -> None:
    async with make(max_sockets=2, max_rate=5) as place:
        job = await place.job("a")
        async with place.get(job) as one, place.get(job) as two:
            await one.event()
            await two.event()
            answer = await place.refused(job)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "LIMIT_EXCEEDED")
        statuses = [(await place.refused(ABSENT)).status_code for _ in range(5)]
        assert statuses[0] == 404
        assert statuses[-1] == 429
        async with place.get(job, bearer=token("u3")) as other:
            assert other.status == 404


async def test_a_server_that_stops_sends_its_followers_elsewhere(make: Any) -> None:
    async with make(drain_seconds=0.2) as place:
        job = await place.job("a")
        async with place.get(job) as answer:
            await answer.event()
            place.app.drain()
            assert await answer.event() is None
        answer = await place.refused(job)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]


async def test_a_slow_client_holds_little_and_gets_all(make: Any) -> None:
    async with make() as place:
        job = await place.job()
        reader, writer = await asyncio.open_connection("localhost", place.port, limit=2**16)
        writer.write(
            f"GET /jobs/{job}/output HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        ring = place.app.outputs._here().ring
        for number in range(300):
            await place.writer.emit(job, 1, f"<{number}>" + "x" * 30_000, "token", None)
        await place.writer.flush(job)
        assert ring._held < 33 * 2**20
        await place.set(job, "SUCCEEDED")
        body = b""
        async with asyncio.timeout(60):
            while b"event: final" not in body:
                body += await reader.read(2**16)
        writer.close()
        assert [number for number in range(300) if f"<{number}>".encode() not in body] == []


async def test_a_subscription_gives_the_same_over_both_transports(make: Any) -> None:
    async with make() as place:
        job = await place.job("a")
        await place.writer.emit(job, 1, {"big": 10**30, "n": 1.10}, "part", None)
        await place.writer.flush(job)
        await place.set(job, "RUNNING", 2)
        await place.writer.begin(job, 2)
        await place.writer.emit(job, 2, "b", "token", None)
        await place.writer.flush(job)
        await place.set(job, "FAILED", 2)
        nothing: dict[str, Any] = {
            "kind": None,
            "data": None,
            "reset": False,
            "final": False,
            "step": None,
            "status": None,
        }
        nothing |= {"__typename": "JobOutput"}
        expected = [
            {**nothing, "cursor": "2:0", "attempt": 2, "reset": True},
            {**nothing, "cursor": "2:1", "attempt": 2, "kind": "token", "data": "b"},
            {**nothing, "cursor": "2:2", "attempt": 2, "final": True, "status": "FAILED"},
        ]
        variables: dict[str, Any] = {"id": job, "after": "1:1"}
        async with socket(place.port, init={"authorization": f"Bearer {token()}"}) as client:
            found = await client.results(SUBSCRIPTION, variables=variables)
            assert all(isinstance(result, dict) for result in found), found
            assert [result["data"]["out"] for result in found] == expected
            without = await client.results(SUBSCRIPTION, "2", variables={**variables, "cursor": False})
            assert all("cursor" not in result["data"]["out"] for result in without)
            assert await client.results(SUBSCRIPTION, "3", variables={"id": job, "after": "2:2"}) == []
        async with (
            httpx.AsyncClient(base_url=f"http://localhost:{place.port}", timeout=15) as http,
            http.stream(
                "POST", "/graphql", json={"query": SUBSCRIPTION, "variables": variables},
                headers={"authorization": f"Bearer {token()}", "accept": "text/event-stream"},
            ) as answer,
        ):  # fmt: skip
            response = Response(answer)
            events: list[Any] = [await response.event() for _ in range(4)]
            assert [event[1]["data"]["out"] for event in events[:3]] == expected
            assert [event[2] for event in events[:3]] == ["2:0", "2:1", "2:2"]
            assert events[3] == ("complete", None, None)


async def test_a_subscription_goes_on_live(make: Any) -> None:
    async with make() as place:
        job = await place.job("a")
        async with socket(place.port, init={"authorization": f"Bearer {token()}"}) as client:
            await client.subscribe("subscription ($id: ID!) { jobOutput(id: $id) { data } }", variables={"id": job})
            for letter in "ab":
                if letter == "b":
                    await place.say(job, "b")
                message = await client.receive()
                assert message["payload"] == {"data": {"jobOutput": {"data": letter}}}
            await place.set(job, "CANCELLED")
            assert (await client.receive())["payload"] == {"data": {"jobOutput": {"data": None}}}
            assert (await client.receive())["type"] == "complete"


async def test_a_subscription_to_a_hidden_job_is_one_to_none(make: Any) -> None:
    async with make() as place:
        hidden = await place.job("a", viewer="u2")
        document = "subscription ($id: ID!, $after: String) { jobOutput(id: $id, after: $after) { data } }"
        async with socket(place.port, init={"authorization": f"Bearer {token()}"}) as client:
            answers = []
            for number, job in enumerate((hidden, ABSENT, "x")):
                (errors,) = await client.results(document, str(number), variables={"id": job})
                errors[0]["extensions"].pop("requestId")
                answers.append(json.dumps(errors))
            assert len(set(answers)) == 1
            assert '"NOT_FOUND"' in answers[0]
            (errors,) = await client.results(document, "9", variables={"id": ABSENT, "after": "x"})
            assert errors[0]["extensions"]["code"] == "BAD_USER_INPUT"
        async with socket(place.port, init=True) as client:
            (errors,) = await client.results(document, variables={"id": hidden})
            assert errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_gql_follows_as_the_page_of_clients_says(make: Any) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text("utf-8")
    (client,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (follow,) = re.findall(r"^```python job-output\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    async with make() as place:
        job, absent = await place.job("ab"), ABSENT
        # The first connection ends with its token.
        tokens = iter([token(), token(exp=time.time() + 3), token()])
        program: dict[str, Any] = {"access_token": lambda: next(tokens, token())}
        exec(client.replace("s://api.example.com/", f"://localhost:{place.port}/") + follow, program)
        following = asyncio.create_task(program["follow"](program["client"], job))
        try:
            await asyncio.sleep(0.2)
            await place.set(job, "QUEUED")
            await place.set(job, "RUNNING", 2)
            await place.writer.begin(job, 2)
            await place.writer.emit(job, 2, "c", "token", None)
            await asyncio.sleep(4)
            assert not following.done()
            await place.writer.emit(job, 2, "d", "token", None)
            await place.writer.flush(job)
            await place.set(job, "SUCCEEDED", 2)
            async with asyncio.timeout(15):
                assert await following == "cd"
            assert next(tokens, None) is None
        finally:
            following.cancel()
        with pytest.raises(TransportQueryError, match="job"):
            await program["follow"](program["client"], absent)


async def test_a_client_that_does_not_read_keeps_no_stream_beyond_its_token(make: Any) -> None:
    async with make() as place:
        job = await place.job()
        _, writer = await asyncio.open_connection("localhost", place.port, limit=1024)
        bearer = token(exp=time.time() + 2)
        for _ in range(100):
            await place.writer.emit(job, 1, "x" * 60_000, "token", None)
        await place.writer.flush(job)
        head = f"GET /jobs/{job}/output HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(10):
            while not place.app.sockets._open:
                await asyncio.sleep(0.01)
            while place.app.sockets._open:
                await asyncio.sleep(0.01)
        assert not place.app.outputs._here().ring.streams
        writer.close()
