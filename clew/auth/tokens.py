"""Bearer tokens: JSON Web Tokens, verified (RFC 7519, RFC 8725)."""

from __future__ import annotations

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
from clew.exact import Decoder
from clew.viewer import ANON, USER, Viewer

# Neither `none` nor a shared-secret algorithm: a public key must never be taken for a secret.
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_SYMMETRIC = ("HS256",)

_LONGEST = 16 * 1024
# Viewers of verified tokens that are kept, and for how many seconds clocks may differ in `nbf` and `iat`.
_KEPT = 10_000
_LEEWAY = 5


class InvalidTokenError(Exception):
    """The token is not to be believed; why is nobody's business."""


class Tokens:
    """Verifies tokens and keeps who they stand for until they expire.

    Args:
        settings: `jwt_secret`, or `jwks_url` or `jwks_file`; issuer, audience and the roles' claim.
        keys: where public keys come from; None with a secret.
        clock: seconds since 1970.
    """

    def __init__(self, settings: Settings, keys: Keys | None, clock: Callable[[], float] = time.time) -> None:
        secret = settings.jwt_secret
        self._secret = OctKey.import_key(secret.get_secret_value()) if secret is not None else None
        self._keys = keys
        self._clock = clock
        self._roles_path = settings.jwt_roles_claim.split(".")
        # The one that was not seen for the longest time comes first.
        self._viewers: OrderedDict[str, tuple[float, Viewer]] = OrderedDict()
        options: dict[str, Any] = {"exp": {"essential": True}, "sub": {"essential": True}}
        if settings.jwt_issuer is not None:
            options["iss"] = {"essential": True, "value": settings.jwt_issuer}
        if settings.jwt_audience is not None:
            options["aud"] = {"essential": True, "value": settings.jwt_audience}
        self._claims = jwt.JWTClaimsRegistry(now=lambda: int(clock()), leeway=_LEEWAY, **options)

    def known(self, token: str) -> Viewer | None:
        """Who a token stands for that was verified before and holds; None for any other."""
        found = self._viewers.get(token)
        if found is None:
            return None
        expires, viewer = found
        if self._clock() >= expires:
            del self._viewers[token]
            return None
        self._viewers.move_to_end(token)
        return viewer

    async def viewer(self, token: str) -> Viewer:
        """Who a token stands for.

        Raises:
            InvalidTokenError: it is not valid, or not any more.
            ClewError: UNAVAILABLE when the keys cannot be had.
        """
        known = self.known(token)
        if known is not None:
            return known
        if len(token) > _LONGEST:
            raise InvalidTokenError
        claims = await self._verified(token)
        # As it is: an integer may be too large for a float.
        expires = claims["exp"]
        # The registry allows its leeway for `exp` too; a token ends when it says.
        if self._clock() >= expires:
            raise InvalidTokenError
        viewer = Viewer(claims["sub"], frozenset(self._roles(claims)) | {ANON, USER}, claims)
        self._viewers[token] = expires, viewer
        if len(self._viewers) > _KEPT:
            self._viewers.popitem(last=False)
        return viewer

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            if self._secret is not None:
                decoded = jwt.decode(token, self._secret, algorithms=_SYMMETRIC, decoder_cls=Decoder)
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
            return jwt.decode(token, known, algorithms=_ASYMMETRIC, decoder_cls=Decoder)
        except (JoseError, ValueError):
            # Perhaps signed with a key that is newer than ours; asked for at most now and then.
            newer: KeySet | None = await keys.newer()
            if newer is None:
                raise
            return jwt.decode(token, newer, algorithms=_ASYMMETRIC, decoder_cls=Decoder)

    def _roles(self, claims: Mapping[str, Any]) -> list[str]:
        value: Any = claims
        for step in self._roles_path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            # At ASCII spaces only: to other readers of the token, others are a part of a name.
            return [role for role in value.split(" ") if role]
        return [role for role in value if isinstance(role, str)] if isinstance(value, list) else []


def mint(
    settings: Settings,
    subject: str,
    roles: Iterable[str] = (),
    claims: Mapping[str, Any] | None = None,
    lifetime: int = 3600,
    now: float | None = None,
) -> str:
    """A token that a server with these settings believes.

    Args:
        settings: with the `jwt_secret` to sign with (HS256); issuer, audience and the roles' claim go into the token.
        subject: the `sub`.
        roles: put where `jwt_roles_claim` says.
        claims: further ones; `iss`, `aud`, `iat` and `exp` among them stay as they are.
        lifetime: seconds until `exp`.
        now: seconds since 1970.

    Raises:
        StartupError: there is no `jwt_secret`, or a claim stands where the roles go.
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
            # A copy: the caller's claims stay as they are.
            inner = place.get(step, {})
            if not isinstance(inner, Mapping):
                raise StartupError(f"The roles go into the claim {step!r}, but it is not an object.")
            place[step] = place = dict(inner)
        place[name] = sorted(roles)
    return jwt.encode({"alg": "HS256"}, payload, OctKey.import_key(settings.jwt_secret.get_secret_value()))
