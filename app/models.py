"""Where answers come from: an OpenAI-compatible endpoint, or a built-in stand-in that needs no network.

Set AGENT_URL (such as `http://127.0.0.1:11434/v1`), AGENT_MODEL and, if the endpoint wants one, AGENT_KEY.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence

import httpx

from clew import ClewError

Turn = dict[str, str]

# In seconds: for a connection, and from one token to the next.
_PATIENCE = httpx.Timeout(30, connect=5)
_STALLED = "The model did not answer in time."
_BROKEN = "The model stopped in the middle of its answer."


def complete(turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Yield the answer to a conversation, token by token.

    Args:
        turns: objects with `role` (`system`, `user` or `assistant`) and `content`.
    """
    url = os.environ.get("AGENT_URL")
    return _remote(url, turns) if url else _offline(turns)


async def _offline(turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Answer without a model, so that the demo works on a fresh machine."""
    asked = turns[-1]["content"]
    text = (
        f"This is the demo's built-in stand-in for a model. You wrote {len(asked.split())} words: “{asked[:200]}”. "
        "A real model would think about them. I only count them, one token at a time, so that you can watch the answer "
        "arrive. Reload the page now: the answer goes on where it was. Press Stop: it ends. Set AGENT_URL to an "
        "OpenAI-compatible endpoint, and a model answers instead. ✨"
    )
    for word in text.split(" "):
        await asyncio.sleep(0.06)
        yield f"{word} "


async def _remote(url: str, turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Stream the answer of an OpenAI-compatible endpoint (https://platform.openai.com/docs/api-reference/chat)."""
    key = os.environ.get("AGENT_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = {"model": os.environ.get("AGENT_MODEL", "default"), "messages": list(turns), "stream": True}
    try:
        async with (
            httpx.AsyncClient(timeout=_PATIENCE, headers=headers) as client,
            client.stream("POST", f"{url.rstrip('/')}/chat/completions", json=body) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ClewError(f"The model refused the request with status {response.status_code}.")
            async for line in _lines(response):
                data = line.removeprefix("data:").strip()
                if line.startswith("data:") and data != "[DONE]":
                    chunk = json.loads(data)
                    if "error" in chunk:
                        raise ClewError(_BROKEN)
                    for choice in chunk.get("choices", ()):
                        if token := choice.get("delta", {}).get("content"):
                            yield token
                elif data == "[DONE]":
                    return
    except httpx.TimeoutException as error:
        raise ClewError(_STALLED) from error
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise ClewError(_BROKEN) from error
    raise ClewError(_BROKEN)


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    # A token may contain characters that end a line elsewhere, but not in an event stream.
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
