"""A small HTTP/1.1 client over one kept-alive connection, for programs that must not be slower than the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Client:
    """One connection; requests one after the other. Answers need a Content-Length."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send one request; its status and the answer's body."""
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        raw = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = raw.split("\r\n")
        length = next((line for line in lines if line.lower().startswith("content-length:")), None)
        if length is None:
            raise RuntimeError(f"The answer to POST {path} has no Content-Length: {raw}")
        return int(status_line.split()[1]), await self._reader.readexactly(int(length.partition(":")[2]))
