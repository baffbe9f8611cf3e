"""The ways in, as attackers have them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import httpx
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from clew import Clew, Context, RowDraft
from clew.config import Settings
from clew.engine import Engine, Request
from clew.engine.explain import recorder
from clew.engine.outcome import Outcome, refusal
from clew.errors import ClewError, Code
from clew.live.subscriptions import Subscriptions
from clew.model.build import load_model
from clew.model.names import JOB_OUTPUT
from clew.model.rule_text import members
from clew.model.types import FieldKind, Model, Operation
from clew.schema.build import build_schema
from clew.viewer import Viewer
from clew.wire.application import Application
from clew.writes.hooks import OPERATIONS, Hooks, Registered
from tests.access import guarded
from tests.attacks import press
from tests.attacks.attack import Answer, AsUnknown, Attack, Refused, Repeated, Transport, Who, WithCursor
from tests.auth.tokens import RSA, SECRET, claims, hs256, signed

ISSUER, AUDIENCE = "https://id.example", "clew"
ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
FAR = 4_000_000_000
# Stands in variables for an integer that Python's own JSON refuses to write.
DIGITS = "5,000 digits"
# Of a response.
MOST_BYTES = 100_000
# What HTTP libraries and servers take of a URL.
_LONGEST_URL = 60_000
_LONGEST_VIEWER = 2000


def viewer_of(who: Who) -> Viewer:
    """Return the viewer that a token with these claims makes."""
    subject = who.sub if isinstance(who.sub, str) else None
    return Viewer(subject, who.roles | {"anon"}, {**who.claims, "sub": who.sub})


@dataclass
class InProcess:
    """The engine itself, as a resolver, a job or a script reaches it."""

    engine: Engine
    name: ClassVar[str] = "in process"
    writes: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        return attack.who.token is None and not attack.who.acts_as

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        viewer = viewer_of(who)
        given = {name: int("1" * 4000) * 10**1000 if value == DIGITS else value for name, value in variables.items()}
        outcome = await self._execute(Request(document, given, id="same", idempotency_key=key), viewer)
        return Answer(outcome.body, (outcome.executed, outcome.code))

    async def _execute(self, request: Request, viewer: Viewer) -> Outcome:
        return await self.engine.execute(request, viewer)


@dataclass
class Witnessed(InProcess):
    """The engine itself, where somebody is told what mutations do: nothing else may become of them."""

    name: ClassVar[str] = "witnessed"

    async def _execute(self, request: Request, viewer: Viewer) -> Outcome:
        outcome = await self.engine.execute(request, viewer, None, await recorder(self.engine, viewer))
        for error in outcome.errors:
            error["extensions"].pop("refusal", None)
        return outcome


@dataclass
class Hooked(InProcess):
    """An application whose hooks read and set what clients give: they must open nothing."""

    name: ClassVar[str] = "hooked"


def hooked(engine: Engine) -> Engine:
    """Return an engine with hooks around each write, which leave all rows as they are."""

    def before(drafts: Sequence[RowDraft], _: Context) -> None:
        for draft in drafts:
            for name, value in list(draft.items()):
                try:
                    draft[name] = value
                except TypeError as error:
                    # Something else fills it; but what a draft shows it also takes.
                    if "does not fit" in str(error):
                        raise

    def after(keys: Sequence[Any], _: Context) -> None:
        assert keys

    written = [entity for entity in engine.model.entities.values() if entity.view_sql is None and not entity.is_job]
    hooks = [
        Registered(moment, entity.name, operation, hook)
        for entity in written
        for operation in OPERATIONS
        for moment, hook in (("before", before), ("after", after))
    ]
    statements = engine.statements
    return Engine(
        engine.model,
        engine.schema,
        statements.tables,
        engine.pool,
        engine.limits,
        cursors=statements.cursors,
        hooks=Hooks(engine.schema, hooks),
    )


@cache
def _read_models() -> tuple[Model, ...]:
    """Return the models of the applications that are attacked by reading."""
    guarded_folder, press_folder = Path(guarded.__file__).parent, Path(press.__file__).parent
    return load_model(guarded_folder / "graphql", guarded_folder), load_model(press_folder, press_folder)


@cache
def _live_fields() -> frozenset[str]:
    """Return the fields of Query that exist under Subscription."""
    found: frozenset[str] = frozenset()
    for model in _read_models():
        subscription = build_schema(model).subscription_type
        assert subscription is not None
        found |= frozenset(subscription.fields) - frozenset(model.change_fields) - {JOB_OUTPUT}
    return found


def _query_of(document: str) -> OperationDefinitionNode | None:
    """Return the one query of a document. None: it has none, or more."""
    try:
        definitions = parse(document.replace("~", " ")).definitions
    except GraphQLError:
        return None
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    return operations[0] if len(operations) == 1 and operations[0].operation is OperationType.QUERY else None


@dataclass
class Live(InProcess):
    """A live query: the first result of the same reads as a subscription."""

    subscriptions: Subscriptions
    name: ClassVar[str] = "live"
    writes: ClassVar[bool] = False

    @staticmethod
    def carries(attack: Attack) -> bool:
        if not attack.about_rules or not InProcess.carries(attack):
            return False
        query = _query_of(attack.document)
        if query is None:
            return False
        selected = query.selection_set.selections
        return all(isinstance(node, FieldNode) and node.name.value in _live_fields() for node in selected)

    async def _execute(self, request: Request, viewer: Viewer) -> Outcome:
        query = _query_of(request.query)
        assert query is not None
        assert query.loc is not None
        start = query.loc.start
        document = request.query[:start] + "subscription " + request.query[start:].removeprefix("query")
        found = await self.subscriptions.open(replace(request, query=document), viewer)
        if isinstance(found, Outcome):
            return found
        try:
            return Outcome(json.loads((await anext(found)).body)["data"])
        except ClewError as error:
            return refusal(error, "same")
        finally:
            await found.aclose()


@dataclass
class Post:
    """POST /graphql. `servers` are clients by whether the server verifies tokens with public keys."""

    servers: Mapping[bool, httpx.AsyncClient]
    name: ClassVar[str] = "POST"
    writes: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        return True

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        body = _json({"query": document, "variables": dict(variables)})
        headers = self.headers(who)
        if key is not None:
            headers["idempotency-key"] = key
        return _answer(await self.servers[who.keys].post("/graphql", content=body, headers=headers))

    def headers(self, who: Who) -> dict[str, str]:
        return {"content-type": "application/json", **_headers(who)}


@dataclass
class Asking(Post):
    """POST /graphql by somebody who is no admin and asks for what admins are told."""

    name: ClassVar[str] = "asking"

    @staticmethod
    def carries(attack: Attack) -> bool:
        return "admin" not in attack.who.roles and "x-clew-admin-secret" not in _headers(attack.who)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        answer = await super().send(who, document, variables, key)
        assert b'"refusal"' not in answer.body
        return answer

    def headers(self, who: Who) -> dict[str, str]:
        return {**super().headers(who), "x-clew-explain": "1"}


@dataclass
class Get:
    """GET /graphql."""

    servers: Mapping[bool, httpx.AsyncClient]
    name: ClassVar[str] = "GET"
    writes: ClassVar[bool] = False

    @staticmethod
    def carries(attack: Attack) -> bool:
        return _fits_url(attack)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        url = f"/graphql?{_query_string(document, variables)}"
        return _answer(await self.servers[who.keys].get(url, headers=_headers(who)))


@dataclass
class Events(Post):
    """POST /graphql for server-sent events."""

    name: ClassVar[str] = "SSE"

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        answer = await super().send(who, document, variables, key)
        if not answer.body.startswith(b"event: "):
            return answer
        first, last, nothing = answer.body.split(b"\n\n")
        assert (last, nothing) == (b"event: complete\ndata:", b"")
        return Answer(first.removeprefix(b"event: next\ndata: "), answer.around)

    def headers(self, who: Who) -> dict[str, str]:
        return {**super().headers(who), "accept": "text/event-stream"}

    @staticmethod
    def carries(attack: Attack) -> bool:
        # Events are for results; no key makes them repeatable.
        return not isinstance(attack.expect, Repeated)


# The error that stands for a close of the socket.
_CLOSED = {4400: Code.BAD_USER_INPUT, 4403: Code.UNAUTHENTICATED, 1009: Code.LIMIT_EXCEEDED}


@dataclass
class Socket:
    """A WebSocket, whose `connection_init` says who asks."""

    apps: Mapping[bool, Application]
    name: ClassVar[str] = "WebSocket"
    writes: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        return not isinstance(attack.expect, Repeated)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        async with self.operation(who, document, variables) as received:
            return await self._answer(received)

    @asynccontextmanager
    async def operation(
        self, who: Who, document: str, variables: Mapping[str, Any]
    ) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """Run an operation, with the id 1, until this is left. Give the messages that the server sends."""
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "query_string": b"",
            "scheme": "ws",
            "headers": [(b"host", b"api.example"), (b"x-request-id", b"same")],
            "subprotocols": ["graphql-transport-ws"],
            "client": ("192.0.2.1", 50000),
        }
        payload = {name: value for name, value in _headers(who).items() if name != "x-request-id"}
        operation = {"query": document, "variables": dict(variables)}
        sent.put_nowait({"type": "websocket.connect"})
        for message in (
            {"type": "connection_init", "payload": payload},
            {"type": "subscribe", "id": "1", "payload": operation},
        ):
            sent.put_nowait({"type": "websocket.receive", "text": _json(message)})
        serving = asyncio.ensure_future(self.apps[who.keys](scope, sent.get, received.put))  # type: ignore[arg-type]  # plain dictionaries
        try:
            yield received
        finally:
            sent.put_nowait({"type": "websocket.disconnect", "code": 1000})
            await serving

    async def _answer(self, received: asyncio.Queue[dict[str, Any]]) -> Answer:
        async with asyncio.timeout(60):
            while True:
                message = await received.get()
                if message["type"] == "websocket.close":
                    return self.closed(message)
                text: str = message.get("text", "")
                kind = json.loads(text)["type"] if text else ""
                if kind in ("next", "error"):
                    body = text.removeprefix(f'{{"id":"1","type":"{kind}","payload":')[:-1]
                    return Answer((body if kind == "next" else f'{{"errors":{body}}}').encode(), (kind,))

    @staticmethod
    def closed(message: Mapping[str, Any]) -> Answer:
        """Return the answer that stands for a close of the socket."""
        code, reason = message["code"], message["reason"]
        error = {"message": reason, "extensions": {"code": _CLOSED[code]}}
        return Answer(json.dumps({"errors": [error]}).encode(), (code,))


@dataclass
class Ticket:
    """GET /graphql with a ticket for the viewer, as EventSource and links have it.

    `path` is the one that tickets are asked for.
    """

    servers: Mapping[bool, httpx.AsyncClient]
    name: ClassVar[str] = "ticket"
    writes: ClassVar[bool] = False
    path: str = "/graphql"

    @staticmethod
    def carries(attack: Attack) -> bool:
        # A ticket does not take much, which is another test's matter.
        return attack.about_rules and len(repr(attack.who)) < _LONGEST_VIEWER and _fits_url(attack)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        server = self.servers[who.keys]
        given = await server.post("/tickets", json={"path": self.path}, headers=_headers(who))
        url = f"/graphql?{_query_string(document, variables)}&ticket={given.json()['ticket']}"
        return _answer(await server.get(url, headers={"x-request-id": "same"}))


def _exported(document: str) -> str | None:
    """Return the response key of the list or groups that a document asks for; None if it cannot be exported."""
    query = _query_of(document)
    if query is None or "Connection" in document or "greeting" in document:
        return None
    selected = query.selection_set.selections
    if len(selected) != 1 or not isinstance(selected[0], FieldNode):
        return None
    field = selected[0]
    key = field.alias.value if field.alias else field.name.value
    return key if field.name.value in _exported_fields() else None


# They get the largest page that a rule allows.
_OF_PAGES = ("projects whose every task", "groups of a page")


@cache
def _exported_fields() -> frozenset[str]:
    """Return the fields of Query that can be exported."""
    kinds = (FieldKind.LIST, FieldKind.GROUPS)
    return frozenset(
        name
        for model in _read_models()
        for name, root in model.root_fields.items()
        if root.unique is None and root.kind in kinds
    )


@dataclass
class Lines:
    """POST /export.ndjson of the same project, but who may READ may EXPORT. Its rows are put into a response."""

    servers: Mapping[bool, httpx.AsyncClient]
    name: ClassVar[str] = "NDJSON"
    writes: ClassVar[bool] = False

    @staticmethod
    def carries(attack: Attack) -> bool:
        expect = attack.expect
        if isinstance(expect, AsUnknown):
            # What is unknown is found first, whatever cannot be exported.
            return True
        # No page bounds an export.
        is_of_pages = (isinstance(expect, Refused) and Code.LIMIT_EXCEEDED in expect.codes) or attack.name in _OF_PAGES
        if isinstance(expect, Repeated | WithCursor) or is_of_pages or not attack.about_rules:
            return False
        return _exported(attack.document) is not None

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        body = _json({"query": document, "variables": dict(variables)})
        headers = {"content-type": "application/json", **_headers(who)}
        return self._answer(
            document, await self.servers[who.keys].post("/export.ndjson", content=body, headers=headers)
        )

    def _answer(self, document: str, found: httpx.Response) -> Answer:
        if found.status_code != 200:
            return _answer(found)
        rows = ",".join(found.text.splitlines())
        return Answer(f'{{"data":{{"{_exported(document)}":[{rows}]}}}}'.encode(), (200,))


@dataclass
class Table(Lines):
    """GET /export.csv with a ticket for the viewer: its cells must be those of the lines, which are what is judged."""

    name: ClassVar[str] = "CSV"

    @staticmethod
    def carries(attack: Attack) -> bool:
        return Lines.carries(attack) and Ticket.carries(attack)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        server = self.servers[who.keys]
        given = await server.post("/tickets", json={"path": "/export.csv"}, headers=_headers(who))
        url = f"/export.csv?{_query_string(document, variables)}&raw=1&ticket={given.json()['ticket']}"
        found = await server.get(url, headers={"x-request-id": "same"})
        if found.status_code != 200:
            return _answer(found)
        judged = await super().send(who, document, variables)
        (rows,) = judged.json["data"].values()
        # The null of a single column is an empty line.
        cells = [line or [""] for line in csv.reader(io.StringIO(found.text, newline=""))]
        assert len(cells) == 1 + len(rows)
        for line, row in zip(cells[1:], rows, strict=True):
            assert [_read(cell, _at(row, name)) for cell, name in zip(line, cells[0], strict=True)] == [
                _at(row, name) for name in cells[0]
            ]
        return judged


def _at(row: Any, name: str) -> Any:
    """Return the value of a row that stands in the column of a name."""
    for key in name.split("."):
        row = None if row is None else row[key]
    return row


def _read(cell: str, like: Any) -> Any:
    """Return the value of a cell, as the type of another."""
    if like is None:
        return cell or None
    return cell if isinstance(like, str) else json.loads(cell)


def exporting(clew: Clew) -> Clew:
    """Return the same application, but every rule for READ is for EXPORT too."""
    made = Clew(clew._bindables, project=clew.root, authenticate=clew._authenticate)
    made._jobs.update(clew._jobs)
    for entity in made.build()[0].entities.values():
        for rule in (*entity.allow, *(rule for member in members(entity) for rule in member.allow)):
            if Operation.READ in rule.to:
                object.__setattr__(rule, "to", rule.to | {Operation.EXPORT})
    return made


@dataclass
class OwnRoute:
    """A route of the application that runs what it is sent, by `clew.viewer` and `clew.graphql`."""

    servers: Mapping[bool, httpx.AsyncClient]
    name: ClassVar[str] = "route"
    writes: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        # The limits and repeatable mutations are for what clients send.
        expect = attack.expect
        is_too_large = isinstance(expect, Refused) and (expect.message or "").startswith("The response is too large")
        return attack.about_rules and not is_too_large and not isinstance(expect, Repeated)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        body = _json({"document": document, "variables": dict(variables)})
        return _answer(await self.servers[who.keys].post("/ask", content=body, headers=_headers(who)))


def asking(clew: Clew) -> Route:
    """The route of `OwnRoute`."""

    async def ask(request: HTTPRequest) -> JSONResponse:
        given = await request.json()
        viewer = await clew.viewer(request)
        return JSONResponse({"data": await clew.graphql(given["document"], given["variables"], viewer=viewer)})

    return Route("/ask", ask, methods=["POST"])


@dataclass
class Within:
    """`info.context.graphql` of a resolver, asked by POST: the field `relay` of the club, which always succeeds."""

    way: Post
    name: ClassVar[str] = "within"
    writes: ClassVar[bool] = True

    @staticmethod
    def carries(attack: Attack) -> bool:
        # The limits are for what clients send.
        return attack.about_rules and Post.carries(attack)

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        given = {"document": document, "variables": dict(variables)}
        answer = await self.way.send(who, _RELAY, given, key)
        relayed = (answer.json.get("data") or {}).get("relay")
        return answer if relayed is None else Answer(json.dumps(relayed).encode(), answer.around[:1])


def carried(attacks: Iterable[Attack], *ways: type[Transport]) -> list[tuple[Attack, tuple[str, ...]]]:
    """Return each attack with the names of the ways that carry it: the parameters of a test.

    A test of each way would spend a sixth of its time on being a test.
    """
    found = ((attack, tuple(way.name for way in ways if way.carries(attack))) for attack in attacks)
    return [(attack, names) for attack, names in found if names]


def name_of(parameter: Attack | tuple[str, ...]) -> str:
    """Return what a test's name says of one of these parameters."""
    return parameter.name if isinstance(parameter, Attack) else f"{len(parameter)} ways"


async def on_each(
    ways: Iterable[str], transports: Mapping[str, Transport], check: Callable[[Transport], Awaitable[None]]
) -> None:
    """Check each way, also after one that fails. What fails says which way it is about."""
    failures: list[Exception] = []
    for name in ways:
        try:
            await check(transports[name])
        except Exception as error:
            error.add_note(f"By the way in: {name}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of the ways in", failures)


_RELAY = "mutation ($document: String!, $variables: JSON) { relay(document: $document, variables: $variables) }"


@asynccontextmanager
async def ways_in(clew: Clew, database_url: str, keys: Path) -> AsyncIterator[dict[str, Transport]]:
    """Two servers of one project, one with a secret and one with public keys, and every way into them.

    Args:
        keys: the file of the public keys.
    """
    common = {
        "DATABASE_URL": database_url,
        "env": "production",
        "admin_secret": ADMIN_SECRET,
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
        "max_page": 100,
        "max_response_bytes": MOST_BYTES,
        "secret": SECRET[::-1],
        "run_jobs": False,
    }
    of_server = {
        False: Settings.model_validate({**common, "jwt_secret": SECRET}),
        True: Settings.model_validate({**common, "jwks_file": keys}),
    }
    apps: dict[bool, Application] = {with_keys: clew.asgi(settings) for with_keys, settings in of_server.items()}
    async with AsyncExitStack() as stack:
        clients: dict[bool, httpx.AsyncClient] = {}
        for with_keys, app in apps.items():
            app.router.routes.append(asking(clew))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://api.example")
            clients[with_keys] = await stack.enter_async_context(client)
            stack.push_async_callback(app.close)
        exporters: dict[bool, httpx.AsyncClient] = {}
        opened = exporting(clew)
        for with_keys, settings in of_server.items():
            app = opened.asgi(settings)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example")
            exporters[with_keys] = await stack.enter_async_context(client)
            stack.push_async_callback(app.close)
        engine = apps[False].engine
        of_http = (
            *(Post(clients), Asking(clients), Events(clients), Get(clients), Ticket(clients), OwnRoute(clients)),
            Socket(apps),
            Lines(exporters),
            Table(exporters),
        )
        live = Live(engine, apps[False].subscriptions)
        ways: tuple[Transport, ...] = (InProcess(engine), live, Witnessed(engine), Hooked(hooked(engine)), *of_http)
        yield {way.name: way for way in ways}


def _query_string(document: str, variables: Mapping[str, Any]) -> str:
    return urlencode({"query": document.encode("utf-8", "surrogatepass"), "variables": _json(dict(variables))})


def _fits_url(attack: Attack) -> bool:
    # A long document need not be quoted to know.
    return len(attack.document) < _LONGEST_URL > len(_query_string(attack.document, attack.variables))


def _json(value: Any) -> str:
    return json.dumps(value).replace(f'"{DIGITS}"', "1" * 5000)


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.content, (response.status_code, tuple(response.headers.items())))


def token_of(who: Who) -> str:
    payload = {"iss": ISSUER, "aud": AUDIENCE, "exp": FAR, **who.claims, "sub": who.sub, "roles": sorted(who.roles)}
    return signed("RS256", RSA, claims(**payload), kid="rsa") if who.keys else hs256(claims(**payload))


def _headers(who: Who) -> dict[str, str]:
    headers = {"x-request-id": "same"}
    if who.token is not None:
        return {**headers, "authorization": f"Bearer {who.token}"}
    if isinstance(who.sub, str) and who.sub and "user" in who.roles:
        return {**headers, "authorization": f"Bearer {token_of(who)}", **who.acts_as}
    if not who.roles:
        return headers
    # No token can say this; an admin who looks through these eyes can.
    seen = {"x-clew-role": ",".join(sorted(who.roles)), "x-clew-claims": json.dumps({**who.claims, "sub": who.sub})}
    return {**headers, "x-clew-admin-secret": ADMIN_SECRET, **seen}
