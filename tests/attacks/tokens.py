"""Tokens that no identity provider has made for this server, and a few that one has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import OctKey, RSAKey

from clew.errors import Code
from tests.attacks.attack import Attack, Expectation, Gives, Refused, Who
from tests.attacks.transports import AUDIENCE, FAR, ISSUER
from tests.auth.tokens import RSA, SECRET, claims, encoded, hs256, jwks, signed

UNAUTHENTICATED = Refused((Code.UNAUTHENTICATED,))

GOOD = {"sub": "m3", "iss": ISSUER, "aud": AUDIENCE, "exp": FAR, "roles": ["user"], "regions": ["eu"]}
WHO_AM_I = "{ viewer { id roles } }"


def roles_of(*roles: str) -> Gives:
    """The viewer holds these roles, and those that every token gives."""
    return Gives({"viewer": {"id": "m3", "roles": sorted({"anon", "user", *roles})}})


KNOWN = roles_of()


def tokens() -> Iterable[Attack]:
    def attack(name: str, token: str, expect: Expectation = UNAUTHENTICATED, *, keys: bool = False) -> Attack:
        return Attack(f"{name}, {'keys' if keys else 'secret'}", Who("m3", token=token, keys=keys), WHO_AM_I, expect)

    def good(**changes: Any) -> dict[str, Any]:
        return claims(**{**GOOD, **changes})

    yield attack("a good token", hs256(good()), KNOWN)
    yield attack("a good token", signed("RS256", RSA, good(), kid="rsa"), KNOWN, keys=True)
    yield attack("an array of audiences", hs256(good(aud=["other", AUDIENCE])), KNOWN)

    # A text of roles is split at ASCII spaces alone.
    for space in ("\u00a0", "\u2003", "\u3000", "\u200b", "\t", "\n", "\v", "\x1c", "\x85", ",", "\0"):
        name, role = f"roles as a text with {space!a}", f"editor{space}admin"
        yield attack(name, hs256(good(roles=role)), roles_of(role))
        yield attack(name, signed("RS256", RSA, good(roles=role), kid="rsa"), roles_of(role), keys=True)
        around = [f"admin{space}", f"{space}admin"]
        yield attack(f"{name}, in a list", hs256(good(roles=around)), roles_of(*around))
    yield attack("roles as a text", hs256(good(roles="editor  admin ")), roles_of("admin", "editor"))

    body = encoded(json.dumps(good()).encode())
    mine = RSAKey.generate_key(2048)
    for keys in (False, True):
        for alg in ("none", "None", "NONE", ""):
            head = encoded(json.dumps({"alg": alg}).encode())
            yield attack(f"alg {alg!r}", f"{head}.{body}.", keys=keys)
            yield attack(f"alg {alg!r} with a signature", hs256(good(), {"alg": alg}), keys=keys)
        yield attack("no signature", ".".join([*hs256(good()).split(".")[:2], ""]), keys=keys)
        yield attack("another's key", signed("RS256", mine, good(), kid="rsa"), keys=keys)
        yield attack("the key in the header", signed("RS256", mine, good(), jwk=mine.as_dict(private=False)), keys=keys)
        oct_ = OctKey.import_key("evil" * 8)
        yield attack(
            "the secret in the header", hs256(good(), {"jwk": oct_.as_dict(private=True)}, "evil" * 8), keys=keys
        )
        for name in ("jku", "x5u"):
            header = {name: "http://127.0.0.1:9/keys"}
            yield attack(name, signed("RS256", mine, good(), kid="rsa", **header), keys=keys)
            yield attack(f"{name}, symmetric", hs256(good(), header, "evil" * 8), keys=keys)
        for kid in ("../../../../dev/null", "/dev/null", "' UNION SELECT 'x", "rsa\0", "", "rsa' --"):
            yield attack(f"kid {kid!r}", hs256(good(), {"kid": kid}, b""), keys=keys)
            yield attack(f"kid {kid!r}, a key of one's own", signed("RS256", mine, good(), kid=kid), keys=keys)
    heads: tuple[dict[str, str], ...] = ({}, {"kid": "rsa"}, {"alg": "RS256", "kid": "rsa"})
    for public in (RSA.as_pem(private=False), RSA.as_pem(private=False).strip(), RSA.as_der(private=False), jwks(RSA)):
        for given in heads:
            yield attack(f"a public key as a secret {public[:5]!r} {given}", hs256(good(), given, public), keys=True)
    for alg in ("HS384", "HS512", "RS256", "ES256"):
        yield attack(f"alg {alg}", hs256(good(), {"alg": alg}))
    heads_that_bind: tuple[dict[str, Any], ...] = (
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": ["x"], "x": 1},
        {"crit": "x"},
        {"crit": []},
    )
    for critical in heads_that_bind:
        yield attack(f"crit {critical}", hs256(good(), critical))
        yield attack(f"crit {critical}", signed_anyhow(critical, good()), keys=True)

    past = 1_700_000_000
    wrong: tuple[dict[str, Any], ...] = (
        *({"exp": value} for value in (..., None, past, str(FAR), True, float("nan"), [FAR], 0, -1)),
        *({"nbf": value} for value in (FAR, str(past), float("nan"))),
        *({"iat": value} for value in (FAR, "now")),
        *({"aud": value} for value in (..., None, "", "other", "clew2", ["other"], [], {AUDIENCE: 1}, [AUDIENCE, 1])),
        *({"iss": value} for value in (..., None, "", ISSUER + "/", ISSUER.upper(), [ISSUER])),
        *({"sub": value} for value in (..., None, "", 3, ["m3"], {"id": "m3"}, True)),
    )
    for changes in wrong:
        yield attack(f"claims {changes}", hs256(good(**changes)))
        if not any(isinstance(value, float) for value in changes.values()):
            yield attack(f"claims {changes}", signed("RS256", RSA, good(**changes), kid="rsa"), keys=True)
    token = hs256(good())
    head, _, signature = token.split(".")
    admin = encoded(json.dumps(good(roles=["admin"])).encode())
    for name, broken in (
        ("another payload", f"{head}.{admin}.{signature}"),
        ("a cut signature", token[:-1]),
        ("a longer signature", token + "x"),
        ("four parts", token + ".x"),
        ("another secret", hs256(good(), None, SECRET[:-1])),
        ("the empty secret", hs256(good(), None, "")),
        ("no JSON", hs256(b"{")),
        ("deep JSON", hs256(b"[" * 5000)),
        ("a token too long", hs256(good(x="y" * 20_000))),
        ("nothing", ""),
        ("dots", "..."),
    ):
        yield attack(name, broken)


def signed_anyhow(header: dict[str, Any], payload: dict[str, Any]) -> str:
    """Signed with the right private key, with a header that no library would write."""
    head = encoded(json.dumps({"alg": "RS256", "kid": "rsa", **header}).encode())
    body = encoded(json.dumps(payload).encode())
    return f"{head}.{body}.{encoded(rs256(f'{head}.{body}'.encode()))}"


def rs256(data: bytes) -> bytes:
    private: Any = RSA.private_key
    return bytes(private.sign(data, PKCS1v15(), SHA256()))
