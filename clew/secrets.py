"""Check whether a secret could be guessed, and derive keys from one. This module imports nothing of Clew."""

from __future__ import annotations

import re
from itertools import pairwise

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST = 32
FEWEST_CHARACTERS = 10

_WORDS = re.compile(
    r"change[-_ ]?(?:me|this|it)|secret|password|passwd|passphrase|example|default|clew|admin|qwert[yz]|letmein|test"
    r"|development|production|please|your|super|insecure|dummy|token|key|jwt|dev|[-_ .!]",
    re.IGNORECASE,
)


def weakness(secret: str) -> str | None:
    """Return the reason why `secret` is too easy to guess, as the end of a sentence, or None if there is none."""
    if len(secret) < SHORTEST:
        return f"it has {len(secret)} characters, and needs {SHORTEST} random ones"
    if len(set(secret)) < FEWEST_CHARACTERS:
        return f"it uses only {len(set(secret))} different characters"
    if _repeats(secret):
        return "it repeats itself"
    if len({ord(b) - ord(a) for a, b in pairwise(secret)}) <= 3:
        return "its characters follow one another in order"
    if len(_WORDS.sub("", secret)) < SHORTEST // 2:
        return "it is made of well-known words"
    return None


def derived_key(secret: str, purpose: str) -> bytes:
    """Derive 32 bytes for one purpose, by HKDF with SHA-256 (RFC 5869).

    A key reveals neither the secret nor the key for another purpose.
    """
    return HKDF(SHA256(), 32, None, purpose.encode()).derive(secret.encode())


def _repeats(secret: str) -> bool:
    halves = range(1, len(secret) // 2 + 1)
    return any(secret == (secret[:period] * (len(secret) // period + 1))[: len(secret)] for period in halves)
