"""The ways to follow the output of a job: as subscriptions, and by a URL of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, StringValueNode, parse

from clew.engine import Request
from clew.engine.outcome import Outcome, refusal
from clew.errors import ClewError
from clew.live.subscriptions import Subscriptions
from clew.wire.application import Application
from tests.attacks.attack import Answer, AsUnknown, Attack, Transport, Who
from tests.attacks.transports import InProcess, Socket, _headers, _json, _query_string, viewer_of

# In seconds. Long, because the machine may be busy; a test that passes never waits as long.
PATIENCE = 60.0

FIELDS = "kind data cursor reset final attempt step status"
_NOTHING: dict[str, Any] = dict.fromkeys(FIELDS.split()) | {"reset": False, "final": False}


def followed(job: str, after: str | None = None) -> str:
    """The document that follows a job."""
    cursor = "" if after is None else f", after: {json.dumps(after)}"
    return f"subscription {{ jobOutput(id: {json.dumps(job)}{cursor}) {{ {FIELDS} }} }}"


def chunk(data: Any, cursor: str, kind: str = "token") -> dict[str, Any]:
    return {**_NOTHING, **_place(cursor), "data": data, "kind": kind}


def reset(cursor: str, step: str | None) -> dict[str, Any]:
    return {**_NOTHING, **_place(cursor), "reset": True, "step": step}


def final(cursor: str, status: str) -> dict[str, Any]:
    return {**_NOTHING, **_place(cursor), "final": True, "status": status}


def _place(cursor: str) -> dict[str, Any]:
    return {"cursor": cursor, "attempt": int(cursor.partition(":")[0])}


class Events:
    """What comes of a job, response by response. `around` is what else a client sees of the beginning."""

    def __init__(self, results: AsyncIterator[bytes], around: tuple[Any, ...] = ()) -> None:
        self._results = results
        self.around = around

    async def next(self) -> dict[str, Any] | None:
        """The next event or `{"errors": ...}`; None at the end."""
        async with asyncio.timeout(PATIENCE):
            body = await anext(self._results, None)
        if body is None:
            return None
        found: dict[str, Any] = json.loads(body)
        return found if "errors" in found else found["data"]["jobOutput"]

    async def answer(self) -> Answer:
        """All events in one response; only the error, if there is one."""
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE):
            async for body in self._results:
                result = json.loads(body)
                if "errors" in result:
                    return Answer(body, self.around)
                found.append(result["data"]["jobOutput"])
        return Answer(json.dumps({"data": {"jobOutput": found}}).encode(), self.around)


def _is_subscription(attack: Attack) -> bool:
    try:
        definitions = parse(attack.document.replace("~", "x")).definitions
    except GraphQLError:
        return False
    return any(
        isinstance(node, OperationDefinitionNode) and node.operation is OperationType.SUBSCRIPTION
        for node in definitions
    ) and not isinstance(attack.expect, AsUnknown)


@dataclass
class Follow:
    """A subscription in process. Nothing ends it with the viewer's token."""

    apps: Mapping[bool, Application]
    name: ClassVar[str] = "followed in process"
    writes: ClassVar[bool] = False
    ends_with_tokens: ClassVar[bool] = False

    @staticmethod
    def carries(attack: Attack) -> bool:
        return InProcess.carries(attack) and _is_subscription(attack)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        async with self.following(who, document, variables) as events:
            return await events.answer()

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        """Follow a job until this is left."""
        subscriptions: Subscriptions = self.apps[who.keys].subscriptions
        found = await subscriptions.open(Request(document, dict(variables), id="same"), viewer_of(who))
        if isinstance(found, Outcome):
            yield Events(_one(found.body), (found.code,))
            return

        async def results() -> AsyncIterator[bytes]:
            try:
                async for payload in found:
                    yield payload.body
            except ClewError as error:
                yield refusal(error, "same").body

        try:
            yield Events(results())
        finally:
            await found.aclose()


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


@dataclass
class FollowEvents(Follow):
    """POST /graphql for server-sent events."""

    name: ClassVar[str] = "followed by SSE"
    ends_with_tokens: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        return attack.who.token is None and _is_subscription(attack)

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        body = _json({"query": document, "variables": dict(variables)}).encode()
        headers = {**_headers(who), "content-type": "application/json", "accept": "text/event-stream"}
        async with requested(self.apps[who.keys], "POST", "/graphql", headers, body) as response:
            yield response.as_events()


@dataclass
class FollowByTicket(FollowEvents):
    """GET /graphql for server-sent events, with a ticket for the viewer, as EventSource has it."""

    name: ClassVar[str] = "followed by ticket"

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        app = self.apps[who.keys]
        async with requested_ticket(app, who, "/graphql") as (given, ticket):
            if ticket is None:
                yield given
                return
        target = f"/graphql?{_query_string(document, variables)}&ticket={ticket}"
        headers = {"x-request-id": "same", "accept": "text/event-stream"}
        async with requested(app, "GET", target, headers) as response:
            yield response.as_events()


@dataclass
class FollowSocket(FollowEvents):
    """A WebSocket, whose `connection_init` says who follows."""

    name: ClassVar[str] = "followed by WebSocket"

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        async with Socket(self.apps).operation(who, document, variables) as received:
            yield Events(_of_socket(received))


async def _of_socket(received: asyncio.Queue[dict[str, Any]]) -> AsyncIterator[bytes]:
    while True:
        message = await received.get()
        if message["type"] == "websocket.close":
            yield Socket.closed(message).body
            return
        text = message.get("text")
        if text is None:
            continue
        kind = json.loads(text)["type"]
        if kind == "complete":
            return
        if kind in ("next", "error"):
            body = text.removeprefix(f'{{"id":"1","type":"{kind}","payload":')[:-1]
            yield (body if kind == "next" else f'{{"errors":{body}}}').encode()
            if kind == "error":
                return


@dataclass
class Output(FollowEvents):
    """GET /jobs/{id}/output, with a bearer token."""

    name: ClassVar[str] = "output"

    @staticmethod
    def carries(attack: Attack) -> bool:
        # A token that opens nothing elsewhere is shown here too.
        document = attack.document.replace("~", "x")
        return _is_subscription(attack) and _asked(document) is not None

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        path, cursor = self.target(document)
        async with requested(self.apps[who.keys], "GET", path + cursor, _headers(who)) as response:
            yield response.as_events()

    @staticmethod
    def target(document: str) -> tuple[str, str]:
        """The path, and the query string if there is one."""
        asked = _asked(document)
        assert asked is not None, document
        job, after = asked
        return f"/jobs/{quote(job)}/output", "" if after is None else f"?{urlencode({'after': after})}"


@dataclass
class OutputByTicket(Output):
    """GET /jobs/{id}/output with a ticket for the viewer, as EventSource has it."""

    name: ClassVar[str] = "output by ticket"

    @staticmethod
    def carries(attack: Attack) -> bool:
        return Output.carries(attack) and attack.who.token is None

    @asynccontextmanager
    async def following(self, who: Who, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Events]:
        app = self.apps[who.keys]
        path, cursor = self.target(document)
        async with requested_ticket(app, who, path) as (given, ticket):
            if ticket is None:
                yield given
                return
        target = f"{path}{cursor}{'&' if cursor else '?'}ticket={ticket}"
        async with requested(app, "GET", target, {"x-request-id": "same"}) as response:
            yield response.as_events()


def _asked(document: str) -> tuple[str, str | None] | None:
    """Return the job and the cursor that a document names; None if it asks for more, or otherwise."""
    try:
        definitions = parse(document).definitions
    except GraphQLError:
        return None
    if len(definitions) != 1 or not isinstance(definitions[0], OperationDefinitionNode):
        return None
    selected = definitions[0].selection_set.selections
    if len(selected) != 1 or not isinstance(selected[0], FieldNode) or selected[0].directives:
        return None
    field = selected[0]
    fields = field.selection_set.selections if field.selection_set is not None else ()
    if not all(isinstance(node, FieldNode) and node.name.value in FIELDS.split() for node in fields):
        return None
    given = {node.name.value: node.value for node in field.arguments or ()}
    if field.name.value != "jobOutput" or not all(isinstance(node, StringValueNode) for node in given.values()):
        return None
    texts = {name: node.value for name, node in given.items() if isinstance(node, StringValueNode)}
    return (texts["id"], texts.get("after")) if "id" in texts else None


FOLLOWING: tuple[type[Follow], ...] = (Follow, FollowEvents, FollowByTicket, FollowSocket, Output, OutputByTicket)


def followers(apps: Mapping[bool, Application]) -> dict[str, Transport]:
    """Every way to follow a job."""
    return {way.name: way(apps) for way in FOLLOWING}


# --- a request whose response comes piece by piece ------------------------------------------


class Response:
    """The response of an app, as it comes."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], messages: asyncio.Queue[Any]) -> None:
        self.status = status
        self.headers = tuple(headers)
        self._messages = messages

    def as_events(self) -> Events:
        """Its events; one error if it has another body."""
        around = (self.status, self.headers)
        is_stream = (b"content-type", b"text/event-stream; charset=utf-8") in self.headers
        return Events(self._events() if is_stream else self._body(), around)

    async def whole(self) -> bytes:
        return b"".join([part async for part in self._parts()])

    async def _body(self) -> AsyncIterator[bytes]:
        if body := await self.whole():
            yield body

    async def _parts(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._messages.get()
            if message["type"] != "http.response.body":
                return
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def _events(self) -> AsyncIterator[bytes]:
        buffer = b""
        async for part in self._parts():
            buffer += part
            *whole, buffer = buffer.split(b"\n\n")
            for event in whole:
                for found in _payloads(event.decode()):
                    yield found
        assert not buffer


def _payloads(event: str) -> Iterator[bytes]:
    """Yield the response that an event carries, as a subscription has it."""
    fields = dict(line.partition(": ")[::2] for line in event.splitlines() if not line.startswith(":"))
    name, data = fields.get("event"), fields.get("data")
    if name == "next" and data is not None:
        yield data.encode()
    elif name in ("chunk", "reset", "final") and data is not None:
        given, cursor = json.loads(data), fields["id"]
        found = {"chunk": chunk, "reset": reset, "final": final}[name](
            **{key: value for key, value in given.items() if key != "attempt"}, cursor=cursor
        )
        yield json.dumps({"data": {"jobOutput": found}}).encode()


@asynccontextmanager
async def requested(
    app: Application, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> AsyncIterator[Response]:
    """Send a request. The client leaves when this is left."""
    path, _, query = target.partition("?")
    messages: asyncio.Queue[Any] = asyncio.Queue()
    given: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(b"host", b"api.example"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
        "client": ("192.0.2.1", 50000),
        "server": ("api.example", 80),
    }
    serving = asyncio.ensure_future(app(scope, receive, messages.put))
    serving.add_done_callback(lambda _: messages.put_nowait({"type": "over"}))
    try:
        async with asyncio.timeout(PATIENCE):
            start = await messages.get()
        if start["type"] == "over":
            await serving
        yield Response(start["status"], start["headers"], messages)
    finally:
        gone.set()
        await serving


@asynccontextmanager
async def requested_ticket(app: Application, who: Who, path: str) -> AsyncIterator[tuple[Events, str | None]]:
    """Ask for a ticket: the answer if there is none, and the ticket."""
    headers = {**_headers(who), "content-type": "application/json"}
    async with requested(app, "POST", "/tickets", headers, json.dumps({"path": path}).encode()) as response:
        body = await response.whole()
        ticket = json.loads(body).get("ticket") if response.status == 201 else None
        yield Events(_one(body), (response.status, response.headers)), ticket
