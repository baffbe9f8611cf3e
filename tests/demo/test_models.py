"""The demo's models: the built-in stand-in, and endpoints that behave badly."""

from __future__ import annotations

import httpx
import pytest

from app import models
from clew import ClewError
from tests.demo.model_stub import DONE, stub, token

pytestmark = pytest.mark.anyio
TURNS = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Grüße an alle"}]


async def answer(url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("AGENT_URL", url)
    monkeypatch.setenv("AGENT_MODEL", "tiny")
    return [token async for token in models.complete(TURNS)]


async def test_the_stand_in_answers_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_URL", raising=False)
    text = "".join([token async for token in models.complete(TURNS)])
    assert "You wrote 3 words" in text


async def test_tokens_arrive_whole_where_characters_are_split_over_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["Grüße", " 👩‍👩‍👧", " a\u2028b\x85c", "𝄞"]
    body = b"".join(map(token, words)) + DONE
    for size in (1, 3, 7):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        async with stub(pieces[:]) as model:
            assert await answer(model.url, monkeypatch) == words
            assert model.asked[0]["model"] == "tiny"
            assert model.asked[0]["messages"] == TURNS


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([token("a"), b'data: {"error": {"message": "secret"}}\n\n'], "in the middle"),
        ([token("a"), None], "in the middle"),
        # The end without the last event.
        ([token("a")], "in the middle"),
        ([token("a"), b"data: {broken\n\n"], "in the middle"),
        ([token("a"), 5.0, DONE], "in time"),
    ],
)
async def test_a_bad_end_is_a_clear_error(
    pieces: list[bytes | float | None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_PATIENCE", httpx.Timeout(1.0))
    async with stub(pieces) as model:
        with pytest.raises(ClewError, match=message) as caught:
            await answer(model.url, monkeypatch)
    assert "secret" not in caught.value.message


async def test_a_refusal_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stub([b"no"], status=429) as model:
        with pytest.raises(ClewError, match="status 429"):
            await answer(model.url, monkeypatch)
    with pytest.raises(ClewError, match="in the middle"):
        await answer("http://127.0.0.1:9/v1", monkeypatch)
