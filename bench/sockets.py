"""Many WebSockets of the protocol graphql-transport-ws, with as little work a socket as possible."""

from __future__ import annotations

import asyncio
import json
import resource
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_TIMEOUT = 60.0


class Socket(asyncio.Protocol):
    """One socket. `on_next` is called with the id of an operation, the time, and its result."""

    def __init__(self, on_next: Callable[[Socket, str, float, bytes], None]) -> None:
        self._on_next = on_next
        self._buffer = bytearray()
        self._open = False
        loop = asyncio.get_running_loop()
        self._upgraded: asyncio.Future[None] = loop.create_future()
        self.acknowledged: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls, port: int, payload: Mapping[str, Any], on_next: Callable[[Socket, str, float, bytes], None]
    ) -> Socket:
        """Open a socket and wait for its acknowledgement."""
        _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(on_next), "127.0.0.1", port)
        await asyncio.wait_for(socket._upgraded, _TIMEOUT)
        socket.send({"type": "connection_init", "payload": payload})
        await asyncio.wait_for(socket.acknowledged, _TIMEOUT)
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                self._upgraded.set_exception(RuntimeError(bytes(self._buffer[:200]).decode()))
                return
            del self._buffer[: end + 4]
            self._open = True
            self._upgraded.set_result(None)
        while (frame := self._frame()) is not None:
            self._take(*frame, now)

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 127, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + length:
            return None
        frame = buffer[0] & 15, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return frame

    def _take(self, kind: int, body: bytes, now: float) -> None:
        if kind == _PING:
            self._write(_PONG, body)
        elif kind == _CLOSE:
            raise RuntimeError(f"the server closed a socket: {body[2:].decode()}")
        elif b'"type":"next"' in body:
            self._on_next(self, body[7 : body.index(b'"', 7)].decode(), now, body)
        elif b'"type":"connection_ack"' in body:
            self.acknowledged.set_result(None)
        elif b'"type":"ping"' in body:
            self.send({"type": "pong"})
        elif b'"type":"error"' in body:
            raise RuntimeError(body.decode())

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        self._write(_TEXT, json.dumps(message, separators=(",", ":")).encode())

    def subscribe(self, operation: str, document: str, variables: Mapping[str, Any], **more: Any) -> None:
        """Start a subscription."""
        payload = {"query": document, "variables": variables, **more}
        self.send({"id": operation, "type": "subscribe", "payload": payload})

    def _write(self, kind: int, body: bytes) -> None:
        assert self._transport is not None
        length = len(body)
        if length < 126:
            head = bytes((128 | kind, 128 | length))
        elif length < 65536:
            head = bytes((128 | kind, 254)) + struct.pack("!H", length)
        else:
            head = bytes((128 | kind, 255)) + struct.pack("!Q", length)
        # A mask of zeros changes nothing.
        self._transport.write(head + bytes(4) + body)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


def raise_file_limit(files: int) -> None:
    """Let this process and its children open so many files.

    Raises:
        ValueError: the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
