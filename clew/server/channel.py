"""Messages between a supervisor and its server process: one JSON object a line over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any


class Channel:
    """The child's end. However the supervisor dies, the stream ends."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. If the supervisor is gone, nobody needs it."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return

    def receive(self) -> Mapping[str, Any] | None:
        """Wait for the next message. Return None when the supervisor is gone."""
        try:
            line = self._lines.readline()
        except OSError:
            return None
        message: Mapping[str, Any] | None = json.loads(line) if line.endswith("\n") else None
        return message

    def close(self) -> None:
        """Close this end."""
        self._lines.close()
        self._socket.close()

    def when_closed(self, action: Callable[[], None]) -> None:
        """Call `action` on the running loop when the supervisor is gone. No `receive` may wait from then on."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                gone = self._socket.recv(4096) == b""
            except ConnectionError:
                gone = True  # the supervisor ended without reading our last message
            if gone:
                loop.remove_reader(self._socket)
                action()

        loop.add_reader(self._socket, readable)
