"""Clew's own server processes: started with the shared listener and a channel, stopped by process id."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

# In seconds: the time for an app's own shutdown after the last request. Then its process is killed.
LAST_SECONDS = 5.0


class Child:
    """A running `python -m MODULE LISTENER_FD CHANNEL_FD`, in its own session: Ctrl-C reaches only the parent."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, module: str, listener: socket.socket, environment: Mapping[str, str]) -> Child:
        """Start `module` with `environment` added to the parent's."""
        ours, theirs = socket.socketpair()
        # If the caller is cancelled, the process must not outlive it: nobody else knows of it.
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours, limit=2**24)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    module,
                    str(listener.fileno()),
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(listener.fileno(), theirs.fileno()),
                    env={**os.environ, **environment},
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def receive(self) -> Mapping[str, Any] | None:
        """Return the next message, or None once the process has closed its end."""
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        message: Mapping[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return message

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. If the process is gone, `receive` and `wait` will tell."""
        with suppress(ConnectionError):
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()

    async def wait(self) -> int:
        """Wait until the process ends, and return its exit code. The code is negative for a signal."""
        return await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """Ask the process to end, kill it after `seconds`, and return once it is gone."""
        try:
            if self.running:
                with suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._process.wait()
        finally:
            if self.running:
                with suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()
            self._writer.close()
