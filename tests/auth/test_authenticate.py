"""The order of the ways to tell who asks, and looking through another's eyes."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from clew.auth.authenticate import Authenticate, Authenticator
from clew.errors import ClewError, Code
from clew.viewer import Viewer
from tests.auth.tokens import SECRET, claims, hs256, settings

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
FAR = 4_000_000_000
ANON = Viewer(roles=frozenset({"anon"}))
LOCAL = {"host": "localhost:8000"}


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hs256(claims(exp=FAR, **changes))}"}


async def seen(
    headers: dict[str, str] | list[tuple[str, str]],
    own: Authenticate | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 1),
    **changes: Any,
) -> Viewer:
    """Whom a request with these headers comes from."""
    given = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.lower().encode(), value.encode()) for name, value in given]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": raw, "client": client}
    scope["http_version"] = "1.1"
    made = settings(**{"env": "production", "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET, **changes})
    return await Authenticator(made, own, local_admin=made.env == "dev").viewer(scope, dict(raw))


async def code(*given: Any, **changes: Any) -> Code:
    with pytest.raises(ClewError) as error:
        await seen(*given, **changes)
    return error.value.code


# --- tokens ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_a_bearer_token_is_believed_in_any_case_of_the_scheme(scheme: str) -> None:
    token = hs256(claims(exp=FAR, roles=["editor"]))
    viewer = await seen({"authorization": f"{scheme} {token} "})
    assert (viewer.id, viewer.roles) == ("42", frozenset({"anon", "user", "editor"}))


@pytest.mark.parametrize(
    "value", ["", " ", "Bearer", "Bearer ", "Bearer  ", "bearer x", "Basic eDp5", "Token x", "Bearer: x", "x", "é"]
)
async def test_other_credentials_are_refused(value: str) -> None:
    assert await code({"authorization": value}) is Code.UNAUTHENTICATED
    # In development too, and on this machine.
    assert await code({"authorization": value, **LOCAL}, env="dev") is Code.UNAUTHENTICATED


async def test_the_token_alone_is_no_credential() -> None:
    assert await code({"authorization": hs256(claims(exp=FAR))}) is Code.UNAUTHENTICATED


async def test_two_authorization_headers_are_refused() -> None:
    one, other = bearer(sub="1")["authorization"], bearer(sub="2")["authorization"]
    for pair in ((one, other), (one, one), (one, ""), ("", one), (one, "Basic eDp5")):
        assert await code([("Authorization", value) for value in pair]) is Code.UNAUTHENTICATED


async def test_the_refusal_does_not_say_why() -> None:
    messages = set()
    for value in ("Bearer x", "", f"Bearer {hs256(claims(exp=1))}", f"Bearer {hs256(claims(exp=FAR), secret='x')}"):
        with pytest.raises(ClewError) as error:
            await seen({"authorization": value})
        messages.add((error.value.message, error.value.hint, repr(error.value.extensions)))
    assert len(messages) == 1


async def test_without_credentials_it_is_the_anonymous_viewer() -> None:
    assert await seen({}) == ANON
    assert await seen(LOCAL) == ANON
    assert await seen({}, client=None) == ANON


async def test_in_development_a_local_request_without_credentials_is_admin() -> None:
    assert (await seen(LOCAL, env="dev")).is_admin
    assert await seen({"host": "evil.example"}, env="dev") == ANON
    assert await seen(LOCAL, env="dev", client=("203.0.113.9", 1)) == ANON
    assert await seen(LOCAL, env="dev", client=None) == ANON
    # With a token it is whom the token says.
    assert (await seen(LOCAL | bearer(), env="dev")).roles == {"anon", "user"}


# --- the application's own way --------------------------------------------------------


async def own(request: Request) -> Viewer | None:
    """API keys."""
    key = request.headers.get("x-api-key")
    if key == "boom":
        raise RuntimeError("the secret of the hook")
    if key == "refused":
        raise ClewError("That key is blocked.", code="FORBIDDEN")
    return Viewer("7", frozenset({"editor"}), {"team": "t"}) if key == "good" else None


async def test_the_applications_own_viewer_is_taken_with_anon_added() -> None:
    viewer = await seen({"x-api-key": "good"}, own)
    assert viewer == Viewer("7", frozenset({"anon", "editor"}), {"team": "t"})


async def test_who_gives_roles_as_another_collection_is_understood() -> None:
    for roles in ({"editor"}, ["editor"], ("editor",)):

        async def loose(_: Request, given: Any = roles) -> Viewer:
            return Viewer("7", given)

        viewer = await seen({}, loose)
        assert viewer.roles == {"anon", "editor"}
        assert hash(viewer.roles)


async def test_what_it_does_not_know_goes_on_to_the_token() -> None:
    assert (await seen(bearer(), own)).id == "42"
    assert await seen({}, own) == ANON
    assert await code({"authorization": "Bearer x"}, own) is Code.UNAUTHENTICATED
    assert (await seen(LOCAL, own, env="dev")).is_admin


async def test_it_goes_before_the_token() -> None:
    assert (await seen({"x-api-key": "good", "authorization": "Bearer x"}, own)).id == "7"


async def test_the_admin_secret_goes_before_it() -> None:
    async def never(_: Request) -> Viewer | None:
        raise AssertionError("it was asked")

    assert (await seen({"x-clew-admin-secret": ADMIN_SECRET}, never)).is_admin
    assert await code({"x-clew-admin-secret": "wrong"}, never) is Code.UNAUTHENTICATED
    assert (await seen({"x-clew-admin-secret": ADMIN_SECRET, "authorization": "Bearer x"})).is_admin


async def test_a_wrong_secret_is_not_made_good_by_another_credential() -> None:
    for more in (bearer(), {"x-api-key": "good"}):
        assert await code({"x-clew-admin-secret": "", **more}, own) is Code.UNAUTHENTICATED


async def test_what_it_raises_goes_on() -> None:
    assert await code({"x-api-key": "refused"}, own) is Code.FORBIDDEN
    with pytest.raises(RuntimeError):
        await seen({"x-api-key": "boom"}, own)


async def test_it_may_make_admin() -> None:
    async def root(_: Request) -> Viewer:
        return Viewer(None, frozenset({"admin"}))

    assert (await seen({}, root)).is_admin


# --- another's eyes -------------------------------------------------------------------


def through(role: str | None, claims: str | None = None, **more: str) -> dict[str, str]:
    headers = {"x-clew-admin-secret": ADMIN_SECRET, **more}
    if role is not None:
        headers["X-Clew-Role"] = role
    if claims is not None:
        headers["X-Clew-Claims"] = claims
    return headers


@pytest.mark.parametrize(
    ("role", "given", "viewer"),
    [
        ("user", None, Viewer(None, frozenset({"anon", "user"}))),
        ("user,editor", '{"sub":"42"}', Viewer("42", frozenset({"anon", "user", "editor"}), {"sub": "42"})),
        (" user ,, editor,", "{}", Viewer(None, frozenset({"anon", "user", "editor"}))),
        ("anon", None, ANON),
        ("", None, ANON),
        (",", '{"team":["é"]}', Viewer(None, frozenset({"anon"}), {"team": ["é"]})),
        ("Admin", None, Viewer(None, frozenset({"anon", "Admin"}))),
        ("user", '{"sub":42}', Viewer("42", frozenset({"anon", "user"}), {"sub": "42"})),
    ],
)
async def test_an_admin_looks_through_anothers_eyes(role: str, given: str | None, viewer: Viewer) -> None:
    found = await seen(through(role, given))
    assert found == viewer
    assert not found.is_admin


@pytest.mark.parametrize(
    ("sub", "expected"),
    [
        *(("1", "1"), ("-7", "-7"), ("0", "0"), ('"1"', "1"), ("9" * 400, "9" * 400)),
        # No whole number: no subject.
        *((given, None) for given in ("1.0", "1e3", "true", "false", "null", "[1]", '{"a": 1}')),
    ],
)
async def test_a_subject_may_be_a_whole_number(sub: str, expected: str | None) -> None:
    found = await seen(through("user", f'{{"sub": {sub}, "team": 3}}'))
    assert found.id == expected
    assert found.claims["team"] == 3
    if expected is not None:
        assert found == Viewer(expected, frozenset({"anon", "user"}), {"sub": expected, "team": 3})


async def test_every_admin_may() -> None:
    assert (await seen(bearer(roles=["admin"]) | {"x-clew-role": "user"})).roles == {"anon", "user"}
    assert (await seen(LOCAL | {"x-clew-role": "user"}, env="dev")).roles == {"anon", "user"}


async def test_admin_among_the_roles_is_admin() -> None:
    for role in ("admin", "user, admin", "admin,anon"):
        assert (await seen(through(role, '{"sub":"1"}'))).is_admin


async def test_nobody_else_may() -> None:
    for more in ({}, bearer(), bearer(roles=["editor", "ADMIN"]), {"x-api-key": "good"}):
        for role in ("user", "admin", "anon", "", "x"):
            assert await code(more | {"x-clew-role": role}, own) is Code.FORBIDDEN
        assert await code(more | {"x-clew-claims": "{}"}, own) is Code.FORBIDDEN
        assert await code(more | {"x-clew-role": "user", "x-clew-claims": "{"}, own) is Code.FORBIDDEN
    # Wrong credentials stay wrong.
    assert await code({"x-clew-role": "user", "authorization": "Bearer x"}) is Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    "given", ["", "{", "[]", "null", "1", '"x"', "{'sub':'42'}", '{"a":' * 3000, "[" * 7000, "\x00", "NaN", '{"a":1}x']
)
async def test_claims_that_are_no_object_are_refused(given: str) -> None:
    assert await code(through("user", given)) is Code.BAD_USER_INPUT


async def test_claims_that_are_no_unicode_are_refused() -> None:
    raw = [(b"x-clew-admin-secret", ADMIN_SECRET.encode()), (b"x-clew-role", b"user"), (b"x-clew-claims", b"\xff{")]
    scope = {"type": "http", "headers": raw, "client": None}
    with pytest.raises(ClewError):
        await Authenticator(settings(admin_secret=ADMIN_SECRET)).viewer(scope, dict(raw))


async def test_claims_without_a_role_are_refused_and_not_taken_for_admins() -> None:
    assert await code(through(None, '{"sub":"42"}')) is Code.BAD_USER_INPUT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("x-clew-admin-secret", "wrong"), ("x-clew-admin-secret", ADMIN_SECRET)], Code.UNAUTHENTICATED),
        ([("x-clew-admin-secret", ADMIN_SECRET), ("x-clew-admin-secret", ADMIN_SECRET)], Code.UNAUTHENTICATED),
        ([("x-clew-role", "anon"), ("x-clew-role", "user")], Code.BAD_USER_INPUT),
        (
            [("x-clew-role", "user"), ("x-clew-claims", '{"sub": "1"}'), ("x-clew-claims", '{"sub": "2"}')],
            Code.BAD_USER_INPUT,
        ),
        ([("x-clew-role", "user"), ("x-clew-claims", '{"sub": "1", "sub": "2"}')], Code.BAD_USER_INPUT),
        ([("x-clew-role", "user"), ("x-clew-claims", '{"a": {"b": 1, "b": 2}}')], Code.BAD_USER_INPUT),
    ],
)
async def test_what_says_who_asks_is_said_once(headers: list[tuple[str, str]], expected: Code) -> None:
    admin = [] if any(name == "x-clew-admin-secret" for name, _ in headers) else [("x-clew-admin-secret", ADMIN_SECRET)]
    assert await code([*admin, *headers]) is expected
