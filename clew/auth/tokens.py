"""Bearer tokens: JSON Web Tokens, verified (RFC 7519, RFC 8725)."""

from __future__ import annotations

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from clew.auth.keys import Keys
from clew.config import Settings
from clew.errors import StartupError
from clew.json_numbers import UniqueDecoder
from clew.viewer import ANON, USER, Viewer

# Neither `none` nor a shared-secret algorithm: a public key must never be used as a secret.
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_SYMMETRIC = ("HS256",)

_LONGEST = 16 * 1024
# The number of viewers of verified tokens to keep; and the seconds that clocks may differ in `nbf` and `iat`.
_KEPT = 10_000
_LEEWAY = 5


class InvalidTokenError(Exception):
    """The token is not valid. The reason is not revealed."""


class Tokens:
    """Verifies tokens, and keeps their viewers until they expire.

    Args:
        settings: `jwt_secret`, or `jwks_url` or `jwks_file`; issuer, audience and the roles' claim.
        keys: the source of public keys; None with a secret.
        clock: returns seconds since 1970.
    """

    def __init__(self, settings: Settings, keys: Keys | None, clock: Callable[[], float] = time.time) -> None:
        secret = settings.jwt_secret
        self._secret = OctKey.import_key(secret.get_secret_value()) if secret is not None else None
        self._keys = keys
        self._clock = clock
        self._roles_path = settings.jwt_roles_claim.split(".")
        # The least recently used token comes first.
        self._viewers: OrderedDict[str, tuple[float, Viewer]] = OrderedDict()
        options: dict[str, Any] = {"exp": {"essential": True}, "sub": {"essential": True}}
        if settings.jwt_issuer is not None:
            options["iss"] = {"essential": True, "value": settings.jwt_issuer}
        if settings.jwt_audience is not None:
            options["aud"] = {"essential": True, "value": settings.jwt_audience}
        self._claims = jwt.JWTClaimsRegistry(now=lambda: int(clock()), leeway=_LEEWAY, **options)

    def known(self, token: str) -> Viewer | None:
        """Return the viewer of a token that was verified before and has not expired; None for any other token."""
        kept = self._viewers.get(token)
        if kept is None:
            return None
        expires, viewer = kept
        if self._clock() >= expires:
            del self._viewers[token]
            return None
        self._viewers.move_to_end(token)
        return viewer

    async def viewer(self, token: str) -> Viewer:
        """Return the viewer of a token.

        Raises:
            InvalidTokenError: it is invalid or expired.
            ClewError: UNAVAILABLE if the public keys cannot be read.
        """
        known = self.known(token)
        if known is not None:
            return known
        if len(token) > _LONGEST:
            raise InvalidTokenError
        claims = await self._verified(token)
        # Keep the number's type: an integer may be too large for a float.
        expires = claims["exp"]
        # The registry allows its leeway for `exp` too, but a token must end at its `exp`.
        if self._clock() >= expires:
            raise InvalidTokenError
        viewer = Viewer(claims["sub"], frozenset(self._roles(claims)) | {ANON, USER}, claims)
        self._viewers[token] = expires, viewer
        if len(self._viewers) > _KEPT:
            self._viewers.popitem(last=False)
        return viewer

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            _check_header(token)
            if self._secret is not None:
                decoded = jwt.decode(token, self._secret, algorithms=_SYMMETRIC, decoder_cls=UniqueDecoder)
            elif self._keys is not None:
                decoded = await self._with_public_keys(token, self._keys)
            else:
                raise InvalidTokenError
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise InvalidTokenError from error
        return decoded.claims

    async def _with_public_keys(self, token: str, keys: Keys) -> jwt.Token:
        known = await keys.current()
        try:
            return jwt.decode(token, known, algorithms=_ASYMMETRIC, decoder_cls=UniqueDecoder)
        except (JoseError, ValueError):
            # The token may be signed with a newer key. `newer` limits how often the keys are read.
            newer: KeySet | None = await keys.newer()
            if newer is None:
                raise
            return jwt.decode(token, newer, algorithms=_ASYMMETRIC, decoder_cls=UniqueDecoder)

    def _roles(self, claims: Mapping[str, Any]) -> list[str]:
        value: Any = claims
        for step in self._roles_path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            # Split at ASCII spaces only: other readers of the token take other spaces for part of a name.
            return [role for role in value.split(" ") if role]
        return [role for role in value if isinstance(role, str)] if isinstance(value, list) else []


def _check_header(token: str) -> None:
    """Refuse a header with a key twice, and one with critical extensions: Clew knows none (RFC 7515, 4 and 4.1.11).

    Raises:
        InvalidTokenError: as said.
        ValueError: it is no header.
    """
    segment = token.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), cls=UniqueDecoder)
    if not isinstance(header, dict) or "crit" in header:
        raise InvalidTokenError


def mint(
    settings: Settings,
    subject: str,
    roles: Iterable[str] = (),
    claims: Mapping[str, Any] | None = None,
    lifetime: int = 3600,
    now: float | None = None,
) -> str:
    """Return a token that a server with these settings accepts.

    Args:
        settings: have the `jwt_secret` to sign with (HS256); the token takes issuer, audience and the roles' claim
            from them.
        subject: the `sub`.
        roles: stored where `jwt_roles_claim` says.
        claims: further claims. They may replace `iss`, `aud`, `iat` and `exp`.
        lifetime: seconds until `exp`.
        now: seconds since 1970.

    Raises:
        StartupError: there is no `jwt_secret`, or a claim stands in the place of the roles.
    """
    if settings.jwt_secret is None:
        keys = "CLEW_JWKS_URL" if settings.jwks_url is not None else "CLEW_JWKS_FILE"
        is_public = settings.jwks_url is not None or settings.jwks_file is not None
        raise StartupError(
            "There is no secret to sign a token with: "
            + (f"{keys} holds public keys only." if is_public else "CLEW_JWT_SECRET is not set."),
            "Get a token from your identity provider, or unset it and use CLEW_JWT_SECRET."
            if is_public
            else "Set CLEW_JWT_SECRET to the secret of the server that the token is for.",
        )
    issued = int(time.time() if now is None else now)
    payload: dict[str, Any] = {"iat": issued, "exp": issued + lifetime}
    if settings.jwt_issuer is not None:
        payload["iss"] = settings.jwt_issuer
    if settings.jwt_audience is not None:
        payload["aud"] = settings.jwt_audience
    payload |= {**(claims or {}), "sub": subject}
    if roles:
        *path, name = settings.jwt_roles_claim.split(".")
        place = payload
        for step in path:
            # A copy, so that the caller's claims do not change.
            inner = place.get(step, {})
            if not isinstance(inner, Mapping):
                raise StartupError(f"The roles go into the claim {step!r}, but it is not an object.")
            place[step] = place = dict(inner)
        place[name] = sorted(roles)
    return jwt.encode({"alg": "HS256"}, payload, OctKey.import_key(settings.jwt_secret.get_secret_value()))
