"""A stand-in for an OpenAI-compatible endpoint, which behaves as badly as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


def token(text: str) -> bytes:
    """The event of one token."""
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]}, ensure_ascii=False)}\n\n".encode()


DONE = b"data: [DONE]\n\n"


@dataclass
class Stub:
    """What it answers: pieces of a body, as they are sent. A number is a pause in seconds; None cuts the connection."""

    answers: list[Sequence[bytes | float | None]] = field(default_factory=list)
    status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.asked.append(json.loads(await reader.readexactly(length)))
        writer.write(
            f"HTTP/1.1 {self.status} X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".encode()
        )
        pieces = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            for piece in pieces:
                if piece is None:
                    writer.transport.abort()
                    return
                if isinstance(piece, bytes):
                    writer.write(piece)
                    await writer.drain()
                await asyncio.sleep(0.01 if isinstance(piece, bytes) else piece)
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def stub(*answers: Sequence[bytes | float | None], status: int = 200) -> AsyncIterator[Stub]:
    """Serve on a free port of the loopback interface."""
    made = Stub(list(answers), status)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield made
        server.close()
