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

# In seconds: the age at which keys are read again, and the least time between reads because of unknown keys.
_FRESH = 600.0
_AGAIN = 10.0
_TIMEOUT = 5.0
_LARGEST = 1024 * 1024


class Keys:
    """The current key set, read on first use. It is read again when it ages, or when a token does not verify.

    Args:
        read: returns the text of a JWKS, or raises OSError.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> KeySet:
        """Return keys that are at most ten minutes old, or older ones while newer cannot be read.

        Raises:
            ClewError: UNAVAILABLE if no keys were read yet.
        """
        if self._keys is None or time.monotonic() - self._read_at > _FRESH:
            await self._refresh(_FRESH if self._keys is not None else _AGAIN)
        if self._keys is None:
            raise ClewError("Tokens cannot be verified at the moment.", code=Code.UNAVAILABLE)
        return self._keys

    async def newer(self) -> KeySet | None:
        """Read the keys again after a token did not verify. Return None if they were read a moment ago."""
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
                # Only the request that read the keys is gone. Other requests still need them.
                self._read_at = before
                raise


def parse_keys(text: bytes) -> KeySet:
    """Return the usable public keys of a JWKS. Raise ValueError if there are none."""
    try:
        value: Any = json.loads(text)
    except RecursionError:
        raise ValueError("no JWKS") from None
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise ValueError("no JWKS")
    # Keys of other kinds may stand beside usable ones. Symmetric keys do not belong in a JWKS.
    usable = []
    for key in value["keys"]:
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig":
            try:
                KeySet.import_key_set({"keys": [key]})
            except Exception as error:
                # The library does not document its errors for unknown keys: an unknown curve raises KeyError.
                log.warning("a public key is ignored", error=type(error).__name__)
                continue
            usable.append(key)
    if not usable:
        raise ValueError("no usable key")
    return KeySet.import_key_set({"keys": usable})


def keys_from_file(path: Path) -> Keys:
    """Return the keys in a file. The file may be replaced while the server runs.

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
    """Return the keys at an https address."""
    # Importing it takes a tenth of the start, and most servers need no client.
    import httpx

    async def read() -> bytes:
        try:
            return await fetch()
        except httpx.HTTPError as error:
            raise OSError from error

    async def fetch() -> bytes:
        text = b""
        # httpx's own timeout applies to each read: a server that sends slowly would never hit it.
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
