"""Which tokens are believed, whom they stand for, and until when."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from clew.auth.keys import keys_from_file
from clew.auth.tokens import InvalidTokenError, Tokens, mint
from clew.errors import StartupError
from tests.auth.tokens import EC, ED, NOW, RSA, SECRET, claims, encoded, hs256, jwks, settings, signed, symmetric

pytestmark = pytest.mark.anyio


async def refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidTokenError) as error:
        await tokens.viewer(token)
    assert not str(error.value)


async def test_a_good_token_stands_for_its_subject() -> None:
    viewer = await symmetric().viewer(hs256(claims(team=7)))
    assert (viewer.id, viewer.roles, viewer.claims["team"]) == ("42", frozenset({"anon", "user"}), 7)
    assert not viewer.is_admin


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", "HS256 ", "hs256", "X"]
)
async def test_only_hs256_goes_with_a_secret(alg: str) -> None:
    header = {"alg": alg}
    await refused(symmetric(), hs256(claims(), header))
    unsigned = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims()).encode())}."
    await refused(symmetric(), unsigned)
    await refused(symmetric(), unsigned.rstrip("."))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": ["x"], "x": 1},
        {"crit": "x"},
        {"crit": []},
        {"b64": False},
        {"alg": None},
        {"alg": ["HS256"]},
        {"alg": {"HS256": 1}},
        {"alg": 256},
        {"kid": ["a"]},
        {"kid": 1},
        {"x": "y" * 600},
        {"zip": "DEF"},
    ],
)
async def test_a_header_that_we_do_not_know_is_refused(header: dict[str, Any]) -> None:
    await refused(symmetric(), hs256(claims(), header))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'x"},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/keys"},
        {"jwk": OctKey.import_key("evil" * 8).as_dict(private=True)},
    ],
)
async def test_a_header_cannot_bring_a_key(header: dict[str, Any], tmp_path: Path) -> None:
    for secret in ("evil" * 8, "", "x", b"\0"):
        await refused(symmetric(), hs256(claims(), header, secret))
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(RSA, EC))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    mine = RSAKey.generate_key(2048)
    jwk = {"jwk": mine.as_dict(private=False)} if "jwk" in header else header
    await refused(tokens, signed("RS256", mine, claims(), **jwk))
    await refused(tokens, hs256(claims(), header))


async def test_a_public_key_is_never_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(RSA))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    public = RSA.as_pem(private=False)
    for secret in (public, public.strip(), RSA.as_der(private=False), jwks(RSA), RSA.as_dict(private=False)["n"]):
        assert isinstance(secret, bytes | str)
        for kid in ({}, {"kid": "rsa"}):
            await refused(tokens, hs256(claims(), kid, secret))
    await refused(tokens, hs256(claims(), {"alg": "RS256"}, public))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"exp": None},
        {"exp": str(NOW + 60)},
        {"exp": "never"},
        {"exp": True},
        {"exp": [NOW + 60]},
        {"exp": {}},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": NOW - 0.001},
        {"exp": 0},
        {"exp": -1},
        {"exp": -(10**400)},
        {"nbf": NOW + 6},
        {"nbf": str(NOW)},
        {"nbf": float("nan")},
        {"nbf": 10**400},
        {"iat": NOW + 60},
        {"iat": "now"},
        {"iat": float("-inf")},
        {"sub": ...},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": ["42"]},
        {"sub": {"id": "42"}},
        {"sub": True},
        {"jti": 1},
        {"iss": 1},
        {"aud": 1},
        {"aud": [1]},
    ],
    ids=str,
)
async def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    await refused(symmetric(), hs256(claims(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW + 0.001},
        {"exp": int(NOW) + 1},
        {"exp": 1e300},
        {"exp": 10**400},
        {"nbf": NOW - 1},
        {"nbf": NOW + 5},
        {"iat": NOW + 4.5},
        {"iat": -5},
        {"iss": "https://any.example", "aud": ["any", "one"]},
        {"validate": 1, "claims": {}, "options": None, "": ""},
        {"sub": "🦊 \u202e' OR 1=1 --"},
    ],
    ids=str,
)
async def test_unusual_claims_are_believed(changes: dict[str, Any]) -> None:
    viewer = await symmetric().viewer(hs256(claims(**changes)))
    assert viewer.id == changes.get("sub", "42")


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"iss": "https://id.example", "aud": "clew"}, True),
        ({"iss": "https://id.example", "aud": ["x", "clew"]}, True),
        ({"iss": "https://id.example", "aud": []}, False),
        ({"iss": "https://id.example", "aud": ["x"]}, False),
        ({"iss": "https://id.example", "aud": "clew2"}, False),
        ({"iss": "https://id.example", "aud": "xclew"}, False),
        ({"iss": "https://id.example", "aud": {"clew": 1}}, False),
        ({"iss": "https://id.example", "aud": ["clew", 1]}, False),
        ({"iss": "https://id.example", "aud": None}, False),
        ({"iss": "https://id.example"}, False),
        ({"iss": "https://id.example/", "aud": "clew"}, False),
        ({"iss": "HTTPS://ID.EXAMPLE", "aud": "clew"}, False),
        ({"iss": ["https://id.example"], "aud": "clew"}, False),
        ({"iss": None, "aud": "clew"}, False),
        ({"aud": "clew"}, False),
        ({}, False),
    ],
    ids=str,
)
async def test_issuer_and_audience_must_be_the_ones_that_are_set(changes: dict[str, Any], good: bool) -> None:
    tokens = symmetric(jwt_issuer="https://id.example", jwt_audience="clew")
    token = hs256(claims(**changes))
    if good:
        assert (await tokens.viewer(token)).id == "42"
    else:
        await refused(tokens, token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "....",
        "x",
        "a.b.c",
        "e30.e30.",
        "🦊.🦊.🦊",
        "\xff.\xff.\xff",
        "\0",
        "eyJhbGciOiJIUzI1NiJ9",
        "x" * 16_385,
        "." * 16_384,
        hs256(claims()) + "x",
        hs256(claims()) + ".x",
        hs256(claims())[:-1],
        hs256(claims()).replace(".", ". "),
        hs256(claims(), secret=SECRET[:-1]),
        hs256(claims(), secret=SECRET.upper()),
        hs256(claims(), b""),
        hs256(claims(), b"[]"),
        hs256(claims(), b"null"),
        hs256(claims(), b'"HS256"'),
        hs256(claims(), b'{"alg":"HS256"'),
        hs256(claims(), b"[" * 350),
        hs256(claims(), b"\xff\xfe"),
        hs256(b""),
        hs256(b"[]"),
        hs256(b"null"),
        hs256(b'"42"'),
        hs256(b"\xff"),
        hs256(b"[" * 10_000),
        hs256(b'{"sub":"42","exp":1900000000,"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        hs256(b"[" * 100_000),
        hs256(b'{"sub":"42","exp":1' + b"0" * 5000 + b"}"),
        hs256(claims(x="y" * 16_384)),
    ],
    ids=lambda token: f"{token[:12]!r}, {len(token)}",
)
async def test_garbage_is_refused(token: str) -> None:
    await refused(symmetric(), token)


async def test_without_secret_and_keys_no_token_is_good() -> None:
    tokens = Tokens(settings(), None, lambda: NOW)
    for token in ("", hs256(claims()), hs256(claims(), secret=""), signed("RS256", RSA, claims())):
        await refused(tokens, token)


async def test_a_verified_token_is_kept_until_it_ends() -> None:
    now = NOW
    tokens = Tokens(settings(jwt_secret=SECRET), None, lambda: now)
    token = hs256(claims(exp=NOW + 60.5))
    first = await tokens.viewer(token)
    assert await tokens.viewer(token) is first
    now = NOW + 60.49
    assert await tokens.viewer(token) is first
    for later in (60.5, 61, 3600):
        now = NOW + later
        await refused(tokens, token)
    # A clock that is set back makes it good again, as it was before.
    now = NOW
    assert await tokens.viewer(token) == first


async def test_a_token_that_is_not_good_yet_is_good_later() -> None:
    now = NOW
    tokens = Tokens(settings(jwt_secret=SECRET), None, lambda: now)
    token = hs256(claims(nbf=NOW + 30))
    await refused(tokens, token)
    now = NOW + 30
    assert (await tokens.viewer(token)).id == "42"


async def test_two_tokens_are_never_mixed() -> None:
    tokens = symmetric()
    made = {hs256(claims(sub=str(number), roles=[f"r{number}"])): number for number in range(300)}
    for _ in range(3):
        for token, number in made.items():
            viewer = await tokens.viewer(token)
            assert (viewer.id, viewer.roles) == (str(number), frozenset({"anon", "user", f"r{number}"}))
    heads = [token.rpartition(".") for token in made]
    # Someone else's signature, and someone else's claims under one's own.
    for (head, dot, _), (_, _, tail) in pairwise(heads):
        await refused(tokens, head + dot + tail)


@pytest.mark.parametrize(
    ("path", "given", "roles"),
    [
        ("roles", {"roles": ["editor", "sales"]}, {"editor", "sales"}),
        ("roles", {"roles": "editor  sales"}, {"editor", "sales"}),
        (
            "roles",
            {"roles": " editor\u00a0admin x\u2003admin\tadmin y\nadmin "},
            {
                "editor\u00a0admin",
                "x\u2003admin\tadmin",
                "y\nadmin",
            },
        ),
        ("roles", {"roles": ""}, set()),
        ("roles", {"roles": []}, set()),
        ("roles", {"roles": ["editor", 1, None, ["admin"], {"admin": 1}, True]}, {"editor"}),
        ("roles", {"roles": ["editor admin"]}, {"editor admin"}),
        ("roles", {"roles": {"admin": True}}, set()),
        ("roles", {"roles": 1}, set()),
        ("roles", {"roles": True}, set()),
        ("roles", {"roles": None}, set()),
        ("roles", {"role": "admin"}, set()),
        ("roles", {"roles": ["Admin", "ADMIN", " admin", "admin\0"]}, {"Admin", "ADMIN", " admin", "admin\0"}),
        ("realm_access.roles", {"realm_access": {"roles": ["editor"]}, "roles": ["admin"]}, {"editor"}),
        ("realm_access.roles", {"realm_access": {"roles": "editor"}}, {"editor"}),
        ("realm_access.roles", {"realm_access": ["roles"]}, set()),
        ("realm_access.roles", {"realm_access": "roles"}, set()),
        ("realm_access.roles", {"realm_access.roles": ["admin"]}, set()),
        ("realm_access.roles", {}, set()),
        ("a.b.c", {"a": {"b": {"c": ["x"]}}}, {"x"}),
    ],
)
async def test_the_roles_are_those_of_the_claim(path: str, given: dict[str, Any], roles: set[str]) -> None:
    viewer = await symmetric(jwt_roles_claim=path).viewer(hs256(claims(**given)))
    assert viewer.roles == roles | {"anon", "user"}
    assert not viewer.is_admin


async def test_a_token_may_make_admin() -> None:
    assert (await symmetric().viewer(hs256(claims(roles=["admin"])))).is_admin


# Providers still use the name, though RFC 9864 has a better one.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "ES256", "EdDSA", "Ed25519"])
async def test_each_kind_of_public_key_verifies_its_own_tokens_only(alg: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(RSA, EC, ED))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    kinds: dict[str, Key] = {"RS": RSA, "PS": RSA, "ES": EC, "Ed": ED}
    right = kinds[alg[:2]]
    assert right.kid is not None
    assert (await tokens.viewer(signed(alg, right, claims(), kid=right.kid))).id == "42"
    for wrong in ({"kid": key.kid} for key in (RSA, EC, ED) if key is not right):
        await refused(tokens, signed(alg, right, claims(), **wrong))
    kids: list[Any] = [None, "", "other", 1, [], {}, "../rsa"]
    for kid in kids:
        token = f"{encoded(json.dumps({'alg': alg, 'kid': kid}).encode())}.{encoded(b'{}')}.{encoded(b'x' * 64)}"
        await refused(tokens, token)
    for signature in (b"", b"\0", b"\0" * 64, b"\0" * 256, b"\xff" * 64):
        head, body, _ = signed(alg, right, claims(), kid=right.kid).split(".")
        await refused(tokens, f"{head}.{body}.{encoded(signature)}")


async def test_another_curve_is_another_algorithm(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    big = ECKey.generate_key("P-384", {"kid": "big"})
    file.write_bytes(jwks(big))
    tokens = Tokens(settings(), keys_from_file(file), lambda: NOW)
    assert (await tokens.viewer(signed("ES384", big, claims()))).id == "42"
    await refused(tokens, signed("ES256", EC, claims(), kid="big"))


# --- minting --------------------------------------------------------------------------


async def test_a_minted_token_is_believed_for_its_time() -> None:
    changes: dict[str, Any] = {
        "jwt_issuer": "https://id.example",
        "jwt_audience": "api",
        "jwt_roles_claim": "realm_access.roles",
    }
    made = settings(jwt_secret=SECRET, **changes)
    more = {"company": {"id": 7}, "realm_access": {"verified": True}}
    token = mint(made, "42", ["editor", "auditor"], more, 60, NOW)
    viewer = await symmetric(**changes).viewer(token)
    assert (viewer.id, viewer.roles) == ("42", frozenset({"anon", "user", "editor", "auditor"}))
    assert viewer.claims == {
        "sub": "42",
        "iss": "https://id.example",
        "aud": "api",
        "iat": NOW,
        "exp": NOW + 60,
        "company": {"id": 7},
        "realm_access": {"verified": True, "roles": ["auditor", "editor"]},
    }
    assert more == {"company": {"id": 7}, "realm_access": {"verified": True}}
    await refused(symmetric(NOW + 60, **changes), token)


async def test_a_minted_token_says_what_its_claims_say() -> None:
    token = mint(settings(jwt_secret=SECRET), "42", (), {"exp": NOW + 5, "roles": ["x"], "sub": "7"}, 60, NOW)
    viewer = await symmetric().viewer(token)
    assert (viewer.id, viewer.roles, viewer.claims["exp"]) == ("42", frozenset({"anon", "user", "x"}), NOW + 5)
    await refused(symmetric(NOW + 5), token)


def test_there_is_nothing_to_mint_with_but_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(RSA))
    for changes, words in (
        ({}, "CLEW_JWT_SECRET is not set"),
        ({"jwks_file": file}, "CLEW_JWKS_FILE holds public keys only"),
        ({"jwks_url": "https://id.example/keys"}, "CLEW_JWKS_URL holds public keys only"),
    ):
        with pytest.raises(StartupError, match=words):
            mint(settings(**changes), "42")


def test_roles_go_into_no_claim_that_is_no_object() -> None:
    with pytest.raises(StartupError, match="claim 'realm_access', but it is not an object"):
        mint(settings(jwt_secret=SECRET, jwt_roles_claim="realm_access.roles"), "42", ["x"], {"realm_access": 1})


@pytest.mark.parametrize(
    ("payload", "header"),
    [
        (b'{"sub": "1", "sub": "42", "exp": 1800000060}', None),
        (b'{"sub": "42", "exp": 1800000060, "a": {"team": 1, "team": 2}}', None),
        (b'{"sub": "42", "exp": 1800000060, "\\u0073ub": "42"}', None),
        (json.dumps(claims()).encode(), b'{"alg": "HS256", "alg": "HS256"}'),
        (json.dumps(claims()).encode(), b'{"alg": "none", "alg": "HS256"}'),
    ],
)
async def test_a_token_that_says_something_twice_is_refused(payload: bytes, header: bytes | None) -> None:
    await refused(symmetric(), hs256(payload, header))
