"""Where public keys come from, and what happens when they change or cannot be had."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey
from pydantic import ValidationError

from clew.auth import keys as module
from clew.auth.keys import Keys, keys_from_file, keys_from_url, parse_keys
from clew.auth.tokens import InvalidTokenError, Tokens
from clew.errors import ClewError, Code, StartupError
from tests.auth.tokens import EC, ED, NOW, RSA, claims, encoded, hs256, jwks, settings, signed

pytestmark = pytest.mark.anyio

OLD = ECKey.generate_key("P-256", {"kid": "old"})
NEW = ECKey.generate_key("P-256", {"kid": "new"})
SYMMETRIC = OctKey.import_key("a shared secret of thirty-two characters", {"kid": "oct"})


class Clock:
    """Instead of `time` in clew.auth.keys."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Provider:
    """An identity provider on this machine: answers with `body` after `delay`, counts the requests."""

    def __init__(self) -> None:
        self.body = jwks(OLD)
        self.head = "200 OK"
        self.delay = 0.0
        self.drip = False
        self.requests: list[str] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request.split(b" ")[1].decode())
            await asyncio.sleep(self.delay)
            head = f"HTTP/1.1 {self.head}\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            for start in range(0, len(self.body), 65536 if not self.drip else 1):
                writer.write(self.body[start : start + (65536 if not self.drip else 1)])
                await writer.drain()
                if self.drip:
                    await asyncio.sleep(0.02)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def tokens(self) -> Tokens:
        url = f"http://127.0.0.1:{self.port}/keys"
        assert settings(jwks_url=url).jwks_url == url
        return Tokens(settings(), keys_from_url(url), lambda: NOW)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    await made.start()
    yield made
    await made.stop()


def token(key: ECKey, **changes: Any) -> str:
    return signed("ES256", key, claims(**changes), kid=key.kid)


async def is_good(tokens: Tokens, given: str) -> bool:
    try:
        await tokens.viewer(given)
    except InvalidTokenError:
        return False
    return True


async def is_unavailable(tokens: Tokens, given: str) -> bool:
    try:
        await tokens.viewer(given)
    except ClewError as error:
        return error.code is Code.UNAVAILABLE and "127.0.0.1" not in error.message
    except InvalidTokenError:
        pass
    return False


# --- a file ---------------------------------------------------------------------------


async def test_a_file_of_keys_may_be_replaced(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(OLD))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    assert await is_good(tokens, token(OLD))
    file.write_bytes(jwks(NEW))
    # It was read just now.
    assert not await is_good(tokens, token(NEW))
    clock.now += 11
    assert await is_good(tokens, token(NEW))
    clock.now += 11
    assert not await is_good(tokens, token(OLD, x=1))


async def test_a_file_that_is_lost_or_spoilt_leaves_the_keys_as_they_are(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(OLD))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    assert await is_good(tokens, token(OLD))
    for number, text in enumerate((b"", b"{", b'{"keys":[]}', b"[" * 100_000, b"\xff", None)):
        if text is None:
            file.unlink()
        else:
            file.write_bytes(text)
        clock.now += 1000
        assert await is_good(tokens, token(OLD, x=number))
        assert not await is_good(tokens, token(NEW))


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[1,null,"x",[],{}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        jwks(SYMMETRIC.as_dict(private=True)),
        jwks({"kty": "RSA"}),
        jwks({"kty": "RSA", "n": 1, "e": 2}),
        jwks({"kty": "RSA", "n": "", "e": ""}),
        jwks({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        jwks({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        jwks({"kty": "EC", "crv": "nope", "x": "AA", "y": "AA"}),
        jwks({"kty": "EC", "crv": ["P-256"], "x": [], "y": {}}),
        jwks({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
        jwks({"kty": "OKP", "crv": {}, "x": "!"}),
        jwks({"kty": ["RSA"]}),
        jwks({**RSA.as_dict(private=False), "use": "enc"}),
        jwks({**RSA.as_dict(private=False), "use": ["sig"]}),
        RSA.as_pem(private=False),
    ],
    # Keys are made anew for each run, and would be in the tests' names.
    ids=itertools.count(),
)
def test_a_file_without_a_public_key_stops_the_start(text: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(StartupError, match="CLEW_JWKS_FILE"):
        keys_from_file(file)


async def test_keys_of_other_kinds_stand_beside_ours() -> None:
    shared = {**SYMMETRIC.as_dict(private=True), "kid": "oct"}
    strange = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA"}
    broken = {"kty": "RSA", "kid": "broken"}
    encryption = {**EC.as_dict(private=False), "use": "enc"}
    found = parse_keys(jwks({"no": "key"}, shared, strange, broken, encryption, RSA, ED))
    assert [key.kid for key in found] == ["rsa", "ed"]


async def test_a_symmetric_key_in_a_key_set_signs_nothing(provider: Provider) -> None:
    raw = b"a shared secret of thirty-two characters"
    provider.body = jwks({"kty": "oct", "k": encoded(raw), "kid": "oct", "alg": "HS256"}, OLD)
    tokens = provider.tokens()
    assert await is_good(tokens, token(OLD))
    for header in ({}, {"kid": "oct"}, {"kid": "old"}):
        assert not await is_good(tokens, hs256(claims(), header, raw))


# --- an address -----------------------------------------------------------------------


async def test_a_new_key_is_asked_for_when_a_token_needs_it(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    assert provider.requests == []
    assert await is_good(tokens, token(OLD))
    provider.body = jwks(NEW, OLD)
    clock.now += 11
    assert await is_good(tokens, token(NEW))
    assert await is_good(tokens, token(OLD, x=1))
    assert provider.requests == ["/keys"] * 2


async def test_unknown_keys_make_us_ask_every_ten_seconds_at_most(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    for number in range(20):
        assert not await is_good(tokens, token(NEW, x=number))
        assert not await is_good(tokens, f"x.y.{number}")
    assert len(provider.requests) == 1
    clock.now += 9.9
    assert not await is_good(tokens, token(NEW))
    assert len(provider.requests) == 1
    clock.now += 0.2
    for number in range(20):
        assert not await is_good(tokens, token(NEW, x=number))
    assert len(provider.requests) == 2


async def test_old_keys_are_asked_for_again(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    assert await is_good(tokens, token(OLD))
    provider.body = jwks(NEW)
    clock.now += 599
    assert await is_good(tokens, token(OLD, x=1))
    clock.now += 2
    assert not await is_good(tokens, token(OLD, x=2))
    assert await is_good(tokens, token(NEW))
    assert len(provider.requests) == 2


@pytest.mark.parametrize("delay", [0.0, 0.05])
async def test_fifty_requests_at_once_make_one_fetch(provider: Provider, clock: Clock, delay: float) -> None:
    provider.delay = delay
    tokens = provider.tokens()
    good = await asyncio.gather(*(is_good(tokens, token(OLD, x=number)) for number in range(50)))
    assert all(good)
    assert len(provider.requests) == 1
    provider.body = jwks(NEW)
    clock.now += 11
    good = await asyncio.gather(*(is_good(tokens, token(NEW, x=number)) for number in range(50)))
    assert all(good)
    assert len(provider.requests) == 2


async def test_while_the_provider_is_down_from_the_start_it_is_unavailable(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    await provider.stop()
    assert await is_unavailable(tokens, token(OLD))
    await provider.start()
    assert await is_unavailable(tokens, token(OLD))
    clock.now += 11
    assert await is_good(tokens, token(OLD))


async def test_when_the_provider_goes_down_later_the_old_keys_do(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    assert await is_good(tokens, token(OLD))
    await provider.stop()
    for number in range(5):
        clock.now += 1000
        assert await is_good(tokens, token(OLD, x=number))
        assert not await is_good(tokens, token(NEW))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("200 OK", b"garbage"),
        ("200 OK", b""),
        ("200 OK", b"[" * 100_000),
        ("200 OK", b'{"keys":[' + b" " * 2**21 + jwks(NEW)[10:]),
        ("500 Oops", jwks(NEW)),
        ("404 Not Found", jwks(NEW)),
        ("301 Moved\r\nLocation: /moved", jwks(NEW)),
        ("307 Moved\r\nLocation: http://127.0.0.1:9/keys", jwks(NEW)),
        ("200 OK\r\nContent-Encoding: gzip", jwks(NEW)),
        ("nonsense", b""),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_an_answer_that_is_no_key_set_changes_nothing(
    provider: Provider, clock: Clock, head: str, body: bytes
) -> None:
    fresh, tokens = provider.tokens(), provider.tokens()
    assert await is_good(tokens, token(OLD))
    provider.head, provider.body = head, body
    clock.now += 1000
    assert await is_good(tokens, token(OLD, x=1))
    assert not await is_good(tokens, token(NEW))
    assert await is_unavailable(fresh, token(NEW))
    assert set(provider.requests) == {"/keys"}


async def test_a_provider_that_drips_is_given_up(
    provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    provider.drip = True
    provider.body = b" " * 10_000
    async with asyncio.timeout(2):
        assert await is_unavailable(provider.tokens(), token(OLD))


async def test_a_request_that_is_cancelled_while_it_asks_does_not_keep_the_others_from_asking(
    provider: Provider, clock: Clock
) -> None:
    provider.delay = 0.2
    tokens = provider.tokens()
    first = asyncio.create_task(is_good(tokens, token(OLD)))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    provider.delay = 0
    assert await is_good(tokens, token(OLD))


async def test_a_cached_token_needs_no_keys(provider: Provider, clock: Clock) -> None:
    tokens = provider.tokens()
    assert await is_good(tokens, token_ := token(OLD))
    clock.now += 10_000
    assert await is_good(tokens, token_)
    assert len(provider.requests) == 1


async def test_what_reading_raises_of_our_own_is_not_swallowed() -> None:
    async def read() -> bytes:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        await Keys(read).current()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://id.example/.well-known/jwks.json", True),
        ("https://id.example:8443/keys?x=1", True),
        ("http://localhost:9000/keys", True),
        ("http://127.0.0.1/keys", True),
        ("http://[::1]:9000/keys", True),
        ("http://id.example/keys", False),
        ("http://localhost.evil.example/keys", False),
        ("http://localhost@evil.example/keys", False),
        ("http://127.0.0.2/keys", False),
        ("http://10.0.0.1/keys", False),
        ("ftp://id.example/keys", False),
        ("file:///etc/keys", False),
        ("https:///keys", False),
        ("id.example/keys", False),
        ("x", False),
    ],
)
def test_the_address_must_be_https_except_on_this_machine(url: str, good: bool) -> None:
    if good:
        assert settings(jwks_url=url).jwks_url == url
    else:
        with pytest.raises(ValidationError):
            settings(jwks_url=url)


def test_only_one_way_to_verify_may_be_set(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="set only one of them"):
        settings(jwt_secret="x", jwks_file=tmp_path / "keys.json")
