"""Public keys of the identity provider (JWKS, RFC 7517), from an address or a file, with rotation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from joserfc.jwk import KeySet

from clew.errors import ClewError, Code, StartupError

log = structlog.get_logger("clew.auth")

# In seconds: how old keys may grow, and how often unknown ones make us ask again.
_FRESH = 600.0
_AGAIN = 10.0
_TIMEOUT = 5.0
_LARGEST = 1024 * 1024


class Keys:
    """The current key set, read when it is first needed and again as it ages or proves too old.

    Args:
        read: gives the text of a JWKS; raises OSError.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> KeySet:
        """The keys, at most ten minutes old; older ones while no newer can be had.

        Raises:
            ClewError: UNAVAILABLE when there are none yet.
        """
        if self._keys is None or time.monotonic() - self._read_at > _FRESH:
            await self._refresh(_FRESH if self._keys is not None else _AGAIN)
        if self._keys is None:
            raise ClewError("Tokens cannot be verified at the moment.", code=Code.UNAVAILABLE)
        return self._keys

    async def newer(self) -> KeySet | None:
        """Keys read just now, because the current ones did not do; None if they were read seconds ago."""
        before = self._keys
        await self._refresh(_AGAIN)
        return self._keys if self._keys is not before else None

    async def _refresh(self, age: float) -> None:
        async with self._lock:
            if time.monotonic() - self._read_at < age:
                return
            before, self._read_at = self._read_at, time.monotonic()
            try:
                self._keys = parse_keys(await self._read())
            except (OSError, ValueError) as error:
                log.warning("keys cannot be read", error=type(error.__cause__ or error).__name__)
            except asyncio.CancelledError:
                # The one request that asked is gone; the others still need the keys.
                self._read_at = before
                raise


def parse_keys(text: bytes) -> KeySet:
    """A JWKS with at least one public key that is known to us. Raises ValueError."""
    try:
        value: Any = json.loads(text)
    except RecursionError:
        raise ValueError("no JWKS") from None
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise ValueError("no JWKS")
    # Keys of kinds that we do not know may stand beside ours; symmetric ones have no business here.
    usable = []
    for key in value["keys"]:
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig":
            try:
                KeySet.import_key_set({"keys": [key]})
            except Exception as error:
                # The library does not say what a key that it does not know may raise: KeyError for a curve.
                log.warning("a public key is ignored", error=type(error).__name__)
                continue
            usable.append(key)
    if not usable:
        raise ValueError("no usable key")
    return KeySet.import_key_set({"keys": usable})


def keys_from_file(path: Path) -> Keys:
    """The keys in a file, which may be replaced while we run.

    Raises:
        StartupError: it cannot be read or holds no public keys.
    """
    try:
        parse_keys(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartupError(f"CLEW_JWKS_FILE: {path} cannot be used: {reason}.", "It must be a JWKS.") from None

    async def read() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return Keys(read)


def keys_from_url(url: str) -> Keys:
    """The keys at an https address."""
    # It takes a tenth of the start, and most servers need no client.
    import httpx

    async def read() -> bytes:
        try:
            return await fetch()
        except httpx.HTTPError as error:
            raise OSError from error

    async def fetch() -> bytes:
        text = b""
        # httpx' own timeout is for each read: a server that drips would never end.
        async with (
            asyncio.timeout(_TIMEOUT),
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            async for part in response.aiter_bytes(64 * 1024):
                text += part
                if len(text) > _LARGEST:
                    raise ValueError("too large")
        return text

    return Keys(read)
