"""What graphql-cop looks for (https://github.com/dolevf/graphql-cop, 1.15), against an application in production."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from clew.config import Settings
from tests.access.guarded import Guarded
from tests.auth.tokens import SECRET, claims, hs256

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
EYES = {
    "anon": {},
    "user": {"authorization": f"Bearer {hs256(claims(sub='m0', regions=['eu'], exp=4_000_000_000))}"},
    "admin": {"x-clew-admin-secret": ADMIN_SECRET},
}


@dataclass(frozen=True)
class Check:
    """A request, how the tool reads the answer, and an answer that it reports."""

    found: Callable[[httpx.Response], bool]
    reported: Any
    body: Any = None
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def operation(query: str) -> dict[str, str]:
    return {"query": query, "operationName": "cop"}


def names_the_root(response: httpx.Response) -> bool:
    return bool(response.json()["data"]["__typename"])


def explorer(response: httpx.Response) -> bool:
    signs = ("graphiql.min.css", "GraphQL Playground", "GraphiQL", "graphql-playground")
    return any(sign in response.text for sign in signs)


CIRCLE = (
    "{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"
)
TYPENAME = {"data": {"__typename": "Query"}}

CHECKS = {
    "alias overloading": Check(
        lambda response: bool(response.json()["data"]["alias100"]),
        {"data": {"alias100": "Query"}},
        operation("query cop { " + " ".join(f"alias{n}:__typename" for n in range(101)) + " }"),
    ),
    "batches": Check(
        lambda response: isinstance(response.json(), list),
        [TYPENAME] * 10,
        [operation("query cop { __typename }")] * 10,
    ),
    "circular introspection": Check(
        lambda response: len(response.json()["data"]["__schema"]["types"]) > 25,
        {"data": {"__schema": {"types": [{}] * 26}}},
        operation(f"query cop {CIRCLE}"),
    ),
    "directive overloading": Check(
        lambda response: len(response.json()["errors"]) == 10,
        {"errors": [{}] * 10},
        operation("query cop { __typename " + "@aa" * 10 + " }"),
    ),
    "directive overloading, known": Check(
        lambda response: len(response.json().get("errors", ())) != 1,
        {"data": {}},
        operation("query cop { __typename " + "@skip(if: true)" * 10 + " }"),
    ),
    "field duplication": Check(names_the_root, TYPENAME, operation("query cop { " + "__typename \n" * 500 + "} ")),
    "field suggestions": Check(
        lambda response: "Did you mean" in response.json()["errors"][0]["message"],
        {"errors": [{"message": "Did you mean 'directives'?"}]},
        operation("query cop { __schema { directive } }"),
    ),
    "mutation by GET": Check(names_the_root, TYPENAME, method="GET", params={"query": "mutation cop {__typename}"}),
    "query by GET": Check(names_the_root, TYPENAME, method="GET", params={"query": "query cop {__typename}"}),
    "GraphQL IDE": Check(explorer, "<title>GraphiQL</title>", method="GET", headers={"accept": "text/html"}),
    "introspection": Check(
        lambda response: bool(response.json()["data"]["__schema"]["types"]),
        {"data": {"__schema": {"types": [{}]}}},
        operation("query cop { __schema { types { name fields { name } } } }"),
    ),
    "form by POST": Check(names_the_root, TYPENAME, form={"query": "query cop { __typename }"}),
    "tracing": Check(
        lambda response: "tracing" in response.text,
        {"data": {}, "extensions": {"tracing": {}}},
        operation("query cop { __typename }"),
    ),
    "unhandled errors": Check(
        lambda response: "exception" in response.text.lower() or "traceback" in response.text.lower(),
        {"errors": [{"extensions": {"exception": {}}}]},
        operation("qwerty cop { abc }"),
    ),
}

# A query by GET is what GraphQL over HTTP offers: it changes nothing, and no cookie says who asks.
ALWAYS = {"query by GET"}
# Each role is shown its own schema.
INTROSPECTED = {"introspection"}
# Nothing is hidden from an admin.
OF_ADMINS = {"field suggestions"}

# By whether introspection is answered, which it is by default, and by who asks.
FINDINGS = {
    (True, "anon"): ALWAYS | INTROSPECTED,
    (True, "user"): ALWAYS | INTROSPECTED,
    (True, "admin"): ALWAYS | INTROSPECTED | OF_ADMINS,
    (False, "anon"): ALWAYS,
    (False, "user"): ALWAYS,
    (False, "admin"): ALWAYS,
}


def reports(check: Check, response: httpx.Response) -> bool:
    """Whether the tool would report it; an answer of another shape is none."""
    try:
        return check.found(response)
    except (ValueError, KeyError, TypeError):
        return False


@asynccontextmanager
async def client_of(guarded: Guarded, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with these settings, in production and from somewhere else."""
    production = {"env": "production", "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET}
    app = guarded.clew.asgi(Settings.model_validate({"DATABASE_URL": guarded.url, **production, **settings}))
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example") as client:
            yield client
    finally:
        await app.engine.pool.close()


async def answer(client: httpx.AsyncClient, check: Check, headers: Mapping[str, str]) -> httpx.Response:
    return await client.request(
        check.method,
        "/graphql",
        json=check.body,
        params=check.params,
        data=check.form,
        headers={"accept": "*/*", **headers, **check.headers},
    )


@pytest.mark.parametrize(("introspection", "eyes"), FINDINGS)
async def test_nothing_is_found_but_what_is_meant(guarded: Guarded, introspection: bool, eyes: str) -> None:
    async with client_of(guarded, introspection=introspection) as client:
        found = {name for name, check in CHECKS.items() if reports(check, await answer(client, check, EYES[eyes]))}
    assert found == FINDINGS[introspection, eyes]


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_what_it_looks_for(name: str) -> None:
    check = CHECKS[name]
    body = {"text": check.reported} if isinstance(check.reported, str) else {"json": check.reported}
    assert reports(check, httpx.Response(200, **body))
