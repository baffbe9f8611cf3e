"""GraphQL over WebSocket: the sub-protocol `graphql-transport-ws` (docs/subscriptions.md).

https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md. One task receives the messages of
a socket, and each operation on it is a task that sends its own results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import structlog
from ariadne.asgi.handlers import GraphQLWebsocketHandlerBase
from starlette.types import Receive, Scope, Send

from clew.aside import FEW_BYTES
from clew.auth.authenticate import Authenticator
from clew.document.limits import Limits
from clew.engine.engine import counted_apart
from clew.engine.flights import UNKNOWN, Flight, Measure
from clew.engine.outcome import INTERNAL, Outcome, encode, new_request_id, refusal
from clew.engine.types import Request
from clew.errors import ClewError, Code
from clew.jitter import jitter
from clew.live.subscriptions import Subscriptions
from clew.live.types import Stream
from clew.viewer import Viewer
from clew.wire.handshake import is_renewed_by, payload_credentials, session_end, with_credentials
from clew.wire.origin import may_open
from clew.wire.parameters import from_object, has_many_values, read_json
from clew.wire.respond import LONGEST_REASON, given_request_id, refused, retry_headers
from clew.wire.sockets import WEBSOCKET, Sockets, TooManySocketsError

log = structlog.get_logger("clew.wire")

PROTOCOL = "graphql-transport-ws"

# The codes of the protocol, of RFC 6455 (7.4.1), and of IANA's registry (1012, 1013).
BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN, NOT_ACCEPTABLE = 4400, 4401, 4403, 4406
INIT_TIMEOUT, ALREADY_EXISTS, TOO_MANY_INITS = 4408, 4409, 4429
UNSUPPORTED, TOO_BIG, INTERNAL_ERROR, RESTART, TRY_LATER = 1003, 1009, 1011, 1012, 1013

# In seconds: for `connection_init` to come; for a close frame to be taken; for cancelled operations to end; and for
# the client to read what it was sent, beside the time that this takes at the slowest rate, in bytes a second.
_INIT, _CLOSING, _ENDING, _STALL, _SLOWEST = 10.0, 1.0, 5.0, 20.0, 4096
_LONGEST_ID = 255
# Characters of a message that is parsed on the event loop without a look at it.
_FEW_CHARACTERS = 20_000
# Bytes of results that may wait for a slow client, on one socket.
_MOST_UNSENT = 32 * 2**20

_PARAMETERS = (("query", str), ("variables", dict), ("extensions", dict), ("operationName", str))
_ACK, _PING, _PONG = '{"type":"connection_ack"}', '{"type":"ping"}', '{"type":"pong"}'


class _CloseError(Exception):
    """The server closes the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class TooManyOperationsError(ClewError):
    """There are as many operations under way on a socket as allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Too many operations on this WebSocket: at most {most} are allowed.",
            code=Code.LIMIT_EXCEEDED,
            hint="End others first, or open another WebSocket.",
        )


@dataclass(frozen=True, slots=True)
class Door:
    """What all sockets of a server share. `max_message` is in bytes, `heartbeat` and `session` in seconds."""

    subscriptions: Subscriptions
    authenticator: Authenticator
    sockets: Sockets
    origins: Collection[str]
    max_message: int
    heartbeat: float
    session: float
    measure: Measure
    # In development, is told of each operation.
    tell: Callable[[Request, Viewer], Awaitable[None]] | None = None


class WebSocketHandler(GraphQLWebsocketHandlerBase):
    """Ariadne's interface for WebSockets. Clew implements everything behind it."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, from its handshake to its end."""
        await receive()
        request_id = given_request_id(dict(scope["headers"]))
        socket = _Socket(self._door, scope, receive, send, request_id)
        try:
            if not may_open(scope, self._door.origins):
                message = "This page may not open a WebSocket here."
                raise ClewError(message, code=Code.FORBIDDEN, hint="Add its origin to CLEW_CORS_ORIGINS.")
            if PROTOCOL in scope.get("subprotocols", ()):
                self._door.sockets.enter(socket)
        except ClewError as error:
            await _deny(scope, send, error, request_id)
            return
        if PROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            with suppress(OSError):
                await send({"type": "websocket.close", "code": NOT_ACCEPTABLE, "reason": "Subprotocol not acceptable"})
            return
        await socket.run()

    async def handle_websocket(self, websocket: Any) -> None:
        """Serve a Starlette WebSocket that is not accepted yet."""
        await self.handle(websocket.scope, websocket._receive, websocket._send)


async def _deny(scope: Scope, send: Send, error: ClewError, request_id: str | None) -> None:
    """Refuse a handshake."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    outcome, status, _ = refused(error, request_id or new_request_id())
    body = outcome.body
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        *retry_headers(status),
    ]
    if request_id is not None:
        headers.append((b"x-request-id", request_id.encode()))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


class _Operation:
    """An operation under way on a socket."""

    __slots__ = ("has_expired", "is_stream", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None]
        self.has_expired = False
        # Whether it is a subscription. Nobody knows before it is prepared.
        self.is_stream = False

    def expire(self) -> None:
        """End the operation, because its viewer's token has expired, and the socket's new one says something else."""
        self.has_expired = True
        self.task.cancel()


class _Turn(Flight):
    """An operation of a socket that has had its turn: the next one has it when this one counts no more."""

    __slots__ = ("_turns",)

    def __init__(self, turns: asyncio.Semaphore) -> None:
        super().__init__()
        self._turns: asyncio.Semaphore | None = turns

    def end(self) -> None:
        super().end()
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.release()


class _Socket:
    """One accepted socket."""

    transport: ClassVar = WEBSOCKET

    # fmt: off
    __slots__ = (
        "_began", "_blocked", "_closing", "_door", "_ends", "_has_init",
        "_heard", "_is_leaving", "_is_over", "_last_size", "_lock", "_loop", "_most",
        "_number", "_operations", "_pinged", "_pinging", "_quiet", "_receive", "_request_id", "_scope",
        "_send_message", "_task", "_timer", "_turns", "_unsent", "_viewer", "_who",
    )
    # fmt: on

    def __init__(self, door: Door, scope: Scope, receive: Receive, send: Send, request_id: str | None) -> None:
        self._door = door
        self._scope = scope
        self._receive = receive
        self._send_message = send
        self._request_id = request_id
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._lock = asyncio.Lock()
        # The code and reason of the close frame, once somebody else than the receiving task ends the socket.
        self._closing: tuple[int, str] | None = None
        self._is_over = self._is_leaving = False
        self._operations: dict[str, _Operation] = {}
        self._has_init = False
        # Of the acknowledged connection: its viewer, how it is counted, and its end in seconds since 1970.
        self._viewer: Viewer | None = None
        self._who: Hashable | None = None
        self._ends = float("inf")
        self._most = 0
        # A client that comes back with many live queries need not wait between them: its socket does.
        self._turns: asyncio.Semaphore | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = self._heard = self._loop.time()
        # In seconds: how long the client may be quiet before it gets a ping. Sockets that were opened at once differ.
        # Else their pings would come at once.
        self._quiet = door.heartbeat * jitter(0.75, 1)
        # When the ping was sent that is not answered yet, and when a message began to wait for the client.
        self._pinged: float | None = None
        self._pinging: asyncio.Future[None] | None = None
        self._blocked: float | None = None
        self._last_size = self._unsent = 0

    async def run(self) -> None:
        """Serve the socket until either side closes it."""
        code: int | None = None
        reason = ""
        try:
            await self._send_message({"type": "websocket.accept", "subprotocol": PROTOCOL})
            self._wait(_INIT)
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    break
                self._heard = self._loop.time()
                self._pinged = None
                await self._take(message)
        except _CloseError as close:
            code, reason = close.code, close.reason
        except OSError:
            # The client is gone.
            pass
        except asyncio.CancelledError:
            assert self._task is not None
            if self._closing is None or self._task.uncancel():
                raise
            code, reason = self._closing
        except Exception:
            log.exception("socket failed", request_id=self._request_id)
            code, reason = INTERNAL_ERROR, INTERNAL
        finally:
            self._is_over = True
            if self._timer is not None:
                self._timer.cancel()
            self._door.sockets.exit(self, self._who)
            await self._end_operations()
        if code is not None:
            await self._close(code, reason)

    async def _end_operations(self) -> None:
        tasks = [operation.task for operation in self._operations.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_ENDING)

    async def _close(self, code: int, reason: str) -> None:
        reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        # A client that does not read must not keep the socket.
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._send_message({"type": "websocket.close", "code": code, "reason": reason})

    # --- ends that the client does not ask for ----------------------------------------

    def leave(self) -> None:
        """Close the socket, because this process will stop, once its queries and mutations are answered."""
        self._is_leaving = True
        self._leave_if_answered()

    def _leave_if_answered(self) -> None:
        if self._is_leaving and all(operation.is_stream for operation in self._operations.values()):
            self._end(RESTART, "The server restarts")

    def _end(self, code: int, reason: str) -> None:
        """Close the socket from outside of the task that receives."""
        if not self._is_over and self._closing is None and self._task is not None:
            self._closing = code, reason
            self._task.cancel()

    def _end_slow(self) -> None:
        if not self._is_over and self._closing is None:
            self._door.sockets.slow += 1
        self._end(TRY_LATER, "The client reads too slowly")

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(max(0.0, seconds), self._look)

    def _look(self) -> None:
        """Look what has become due: the first message, a ping, its answer, the end of the session."""
        now, beat = self._loop.time(), self._door.heartbeat
        if not self._has_init and now - self._began >= _INIT:
            self._end(INIT_TIMEOUT, "Connection initialisation timeout")
            return
        left = self._ends - time.time()
        if left <= 0:
            self._end(FORBIDDEN, "The session has expired")
            return
        if self._blocked is not None and now - self._blocked > _STALL + self._last_size / _SLOWEST:
            self._end_slow()
            return
        if self._pinged is not None:
            due = self._pinged + beat - now
            if due <= 0:
                self._end(TRY_LATER, "The client does not answer")
                return
        else:
            due = self._heard + self._quiet - now
            if due <= 0:
                # Until the ping is sent, nobody can answer it.
                self._pinged = float("inf")
                self._pinging = asyncio.ensure_future(self._ping())
                due = beat
        due = min(due, beat, left)
        self._wait(due if self._has_init else min(due, self._began + _INIT - now))

    async def _ping(self) -> None:
        with suppress(OSError):
            await self._send(_PING)
            if self._pinged is not None:
                self._pinged = self._loop.time()

    # --- messages ---------------------------------------------------------------------

    async def _take(self, message: Any) -> None:
        """Take one message of the client.

        Raises:
            _CloseError: it is not of the protocol.
        """
        text = message.get("text")
        if text is None:
            raise _CloseError(BAD_MESSAGE, "Only text messages are supported")
        if len(text) > self._door.max_message:
            raise _CloseError(TOO_BIG, f"A message is larger than {self._door.max_message} bytes")
        try:
            value = await self._parsed(text)
        except ClewError as error:
            raise _CloseError(BAD_MESSAGE, error.message) from None
        if not isinstance(value, dict):
            raise _CloseError(BAD_MESSAGE, "A message must be a JSON object")
        kind, payload = value.get("type"), value.get("payload")
        if kind == "subscribe":
            await self._subscribe(value.get("id"), payload)
        elif kind == "complete":
            operation = self._operations.pop(_id(value.get("id")), None)
            if operation is not None:
                operation.task.cancel()
        elif kind in ("connection_init", "ping", "pong"):
            if payload is not None and not isinstance(payload, dict):
                raise _CloseError(BAD_MESSAGE, f"The payload of `{kind}` must be an object")
            if kind == "connection_init":
                await self._init(payload or {})
            elif kind == "ping":
                await self._send(_PONG)
        else:
            raise _CloseError(BAD_MESSAGE, "A message has an unknown type")

    async def _parsed(self, text: str) -> Any:
        parse = partial(read_json, text, "A message")
        if len(text) > _FEW_CHARACTERS and has_many_values(text.encode()):
            return await self._door.subscriptions.engine.statements.aside.run(parse)
        return parse()

    async def _init(self, payload: dict[str, Any]) -> None:
        """Find the viewer of the connection, by the handshake and the payload; or renew its session."""
        if self._has_init and self._viewer is None:
            raise _CloseError(TOO_MANY_INITS, "Too many initialisation requests")
        self._has_init = True
        if self._viewer is not None:
            await self._renew(payload, self._viewer)
            return
        try:
            viewer, limits = await self._authenticated(with_credentials(self._scope, payload))
            who = counted_apart(self._client, viewer)
            self._door.sockets.introduce(self, who, limits.sockets)
        except TooManySocketsError as error:
            raise _CloseError(TRY_LATER, error.told.message) from None
        except ClewError as error:
            raise _CloseError(TRY_LATER if error.code is Code.UNAVAILABLE else FORBIDDEN, error.told.message) from None
        self._who = who
        await self._begin_session(viewer, limits)

    async def _renew(self, payload: dict[str, Any], viewer: Viewer) -> None:
        """Go on with a fresh token of the same subject. Anything else in a further `connection_init` is a fault."""
        fault = _CloseError(TOO_MANY_INITS, "Too many initialisation requests")
        try:
            if not payload_credentials(payload):
                raise fault
            scope = with_credentials(self._scope, payload, renews=True)
            renewed, limits = await self._authenticated(scope)
        except ClewError as error:
            raise (_CloseError(TRY_LATER, error.message) if error.code is Code.UNAVAILABLE else fault) from None
        renewal = is_renewed_by(viewer, renewed)
        if renewal is None:
            raise fault
        if not renewal.is_alike:
            # What runs for the earlier token ends with it.
            left = self._ends - time.time()
            for operation in self._operations.values():
                self._loop.call_later(max(0.0, left), operation.expire)
        await self._begin_session(renewed, limits)

    async def _authenticated(self, scope: Scope) -> tuple[Viewer, Limits]:
        viewer = await self._door.authenticator.viewer(scope, dict(scope["headers"]))
        return viewer, (await self._door.subscriptions.engine.role(viewer)).limits

    async def _begin_session(self, viewer: Viewer, limits: Limits) -> None:
        self._viewer = viewer
        self._most = limits.operations
        if self._turns is None and limits.in_flight is not None:
            self._turns = asyncio.Semaphore(limits.in_flight)
        self._ends = session_end(viewer, self._door.session)
        if self._timer is not None:
            self._timer.cancel()
        self._wait(0)
        await self._send(_ACK)

    @property
    def _client(self) -> str:
        return str((self._scope.get("client") or ("",))[0])

    # --- operations -------------------------------------------------------------------

    async def _subscribe(self, id_: Any, payload: Any) -> None:
        """Start an operation.

        Raises:
            _CloseError: the message is not of the protocol.
        """
        id_ = _id(id_)
        if not isinstance(payload, dict):
            raise _CloseError(BAD_MESSAGE, "The payload of `subscribe` must be an object")
        for name, kind in _PARAMETERS:
            if payload.get(name) is not None and not isinstance(payload[name], kind):
                raise _CloseError(BAD_MESSAGE, f"`{name}` of a `subscribe` has a wrong type")
        if payload.get("query") is None and not payload.get("extensions"):
            raise _CloseError(BAD_MESSAGE, "The payload of `subscribe` has no `query`")
        if self._viewer is None:
            raise _CloseError(UNAUTHORIZED, "Unauthorized")
        if id_ in self._operations:
            raise _CloseError(ALREADY_EXISTS, f"Subscriber for {id_} already exists")
        operation = _Operation()
        if self._is_leaving:
            error = ClewError("The server is shutting down.", code=Code.UNAVAILABLE, hint="Connect anew.")
            await self._fail(id_, operation, error, self._next_request_id())
            return
        if len(self._operations) >= self._most:
            self._door.measure(UNKNOWN, Code.LIMIT_EXCEEDED, 0.0)
            await self._fail(id_, operation, TooManyOperationsError(self._most), self._next_request_id())
            return
        self._operations[id_] = operation
        operation.task = asyncio.create_task(self._run_operation(id_, payload, self._viewer, operation))

    def _next_request_id(self) -> str:
        """Return the id of the handshake with the operation's number, or a new one."""
        self._number += 1
        return new_request_id() if self._request_id is None else f"{self._request_id}.{self._number}"

    async def _run_operation(self, id_: str, payload: dict[str, Any], viewer: Viewer, operation: _Operation) -> None:
        # A task keeps the error that it is cancelled with, and the frames of that refer to the task. In this cycle,
        # unsent results would wait for the garbage collector.
        with suppress(asyncio.CancelledError):
            await self._operate(id_, payload, viewer, operation)

    async def _operate(self, id_: str, payload: dict[str, Any], viewer: Viewer, operation: _Operation) -> None:
        """Run an operation, and send what comes of it."""
        request_id = self._next_request_id()
        flight, began = Flight(), time.perf_counter()
        stream: Stream | None = None
        try:
            if self._turns is not None:
                await self._turns.acquire()
                flight = _Turn(self._turns)
            flight.measured(self._door.measure, began)
            request = from_object(payload, request_id, self._client)
            found = await self._door.subscriptions.open(request, viewer, flight)
            # From here on it is closed whatever happens.
            stream = None if isinstance(found, Outcome) else found
            if self._door.tell is not None:
                await self._door.tell(request, viewer)
            if isinstance(found, Outcome):
                flight.answered(found.code)
                await self._answer(id_, found, operation)
            else:
                operation.is_stream = True
                self._leave_if_answered()
                head = f'{{"id":{encode(id_).decode()},"type":"next","payload":'
                slices = self._door.subscriptions.engine.statements.slices
                async for result in found:
                    flight.answered()
                    # Many sockets may get the same result at once.
                    if len(result.body) > FEW_BYTES:
                        await slices.turn()
                    await self._send(head + result.body.decode() + "}")
                    flight.end()
                self._forget(id_, operation)
                await self._send(f'{{"id":{encode(id_).decode()},"type":"complete"}}')
        except ClewError as error:
            flight.answered(error.code)
            await self._fail(id_, operation, error, request_id)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            if not operation.has_expired or task.uncancel():
                raise
            expired = ClewError("The token of this operation has expired.", code=Code.UNAUTHENTICATED)
            await self._fail(id_, operation, expired, request_id)
        except OSError:
            # The client is gone.
            pass
        except Exception as error:
            log.error("operation failed", request_id=request_id, exc_info=error)
            flight.answered(Code.INTERNAL)
            await self._fail(id_, operation, ClewError(INTERNAL, code=Code.INTERNAL), request_id)
        finally:
            self._forget(id_, operation)
            flight.end()
            self._leave_if_answered()
            if stream is not None:
                await stream.aclose()

    async def _answer(self, id_: str, outcome: Outcome, operation: _Operation) -> None:
        engine = self._door.subscriptions.engine
        id_text = encode(id_).decode()
        if not outcome.executed:
            errors = await engine.statements.encoded(outcome.errors)
            self._forget(id_, operation)
            await self._send(f'{{"id":{id_text},"type":"error","payload":{errors.decode()}}}')
            return
        body = await engine.encoded(outcome)
        await self._send(f'{{"id":{id_text},"type":"next","payload":{body.decode()}}}')
        self._forget(id_, operation)
        await self._send(f'{{"id":{id_text},"type":"complete"}}')

    async def _fail(self, id_: str, operation: _Operation, error: ClewError, request_id: str) -> None:
        with suppress(OSError):
            await self._answer(id_, refusal(error, request_id), operation)

    def _forget(self, id_: str, operation: _Operation) -> None:
        """Let the client use the id again."""
        if self._operations.get(id_) is operation:
            del self._operations[id_]

    async def _send(self, text: str) -> None:
        """Send one message, after those that wait already."""
        size = len(text)
        self._unsent += size
        if self._unsent - size > _MOST_UNSENT:
            self._end_slow()
        try:
            async with self._lock:
                self._blocked = self._loop.time()
                await self._send_message({"type": "websocket.send", "text": text})
                self._last_size = size
        finally:
            self._blocked = None
            self._unsent -= size


def _id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise _CloseError(BAD_MESSAGE, f"The id of an operation must be a string of 1 to {_LONGEST_ID} characters")
    return value
