"""Tokens as an identity provider makes them, and as no honest one does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from clew.auth.tokens import Tokens
from clew.config import Settings

SECRET = "4b1f8c02d97e4a6fb3058e1d2c7a9604"
NOW = 1_800_000_000.0

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})


def settings(**changes: Any) -> Settings:
    """The settings of a server that verifies tokens."""
    return Settings.model_validate({"DATABASE_URL": "postgresql://localhost/none", **changes})


def symmetric(clock: float = NOW, **changes: Any) -> Tokens:
    """What verifies HS256 tokens, at one moment."""
    return Tokens(settings(jwt_secret=SECRET, **changes), None, lambda: clock)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims; a change to Ellipsis leaves one out."""
    return {name: value for name, value in {"sub": "42", "exp": NOW + 60, **changes}.items() if value is not ...}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def hs256(
    payload: Mapping[str, Any] | bytes, header: Mapping[str, Any] | bytes | None = None, secret: str | bytes = SECRET
) -> str:
    """A token signed with HS256, whatever its header and payload say."""
    head = header if isinstance(header, bytes) else json.dumps({"alg": "HS256"} | dict(header or {})).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{encoded(head)}.{encoded(body)}"
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{signed}.{encoded(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def signed(alg: str, key: Key, payload: Mapping[str, Any], **header: Any) -> str:
    """A token signed with a private key; without `kid` unless it is given."""
    return jws.serialize_compact({"alg": alg, **header}, json.dumps(payload), key, algorithms=[alg])


def jwks(*keys: Any) -> bytes:
    """A key set: the public half of keys, and whatever else is given as a dict."""
    return json.dumps({"keys": [k if isinstance(k, dict) else k.as_dict(private=False) for k in keys]}).encode()
