"""Keys for one purpose each, made of a secret that serves several. Imports nothing of Clew."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes, by HKDF with SHA-256 (RFC 5869): who has one key knows nothing of another, nor of the secret."""
    return HKDF(SHA256(), 32, None, purpose.encode()).derive(secret.encode())
