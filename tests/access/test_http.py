"""What viewers get of a guarded application over HTTP: their schema, their rows, and no word of the rest."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from graphql import GraphQLSchema, print_schema

from clew.config import Settings
from clew.engine import Engine
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.access.guarded import MEMBERS, TEAMS, Guarded
from tests.access.guarded.listing import LISTING, listing
from tests.auth.tokens import SECRET, claims, hs256

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
ROLES: dict[str, frozenset[str]] = {
    "anon": frozenset(),
    "user": frozenset({"user"}),
    "editor": frozenset({"user", "editor"}),
    "auditor": frozenset({"auditor"}),
    "admin": frozenset({"admin"}),
}


@pytest.fixture
async def app(guarded: Guarded) -> AsyncIterator[Application]:
    settings = {"env": "production", "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET, "max_page": 100}
    app = guarded.clew.asgi(Settings.model_validate({"DATABASE_URL": guarded.url, **settings}))
    yield app
    await app.engine.pool.close()


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        yield client


def member(number: int | None = None, *roles: str, **more: Any) -> dict[str, str]:
    """The headers of a member's request; of no member: only roles."""
    given = {"regions": ["eu"], "roles": list(roles), "sub": f"m{number}", **more}
    return {"authorization": f"Bearer {hs256(claims(exp=4_000_000_000, **given))}"}


EYES: dict[str, dict[str, str]] = {
    "anon": {},
    "user": member(0),
    "editor": member(0, "editor"),
    "auditor": {**ADMIN, "x-clew-role": "auditor"},
}


async def post(
    client: httpx.AsyncClient, headers: dict[str, str], query: str, variables: dict[str, Any] | None = None
) -> httpx.Response:
    body = {"query": query, "variables": variables or {}}
    return await client.post("/graphql", json=body, headers={"x-request-id": "same", **headers})


async def data(client: httpx.AsyncClient, headers: dict[str, str], query: str, **variables: Any) -> Any:
    answer = (await post(client, headers, query, variables)).json()
    assert "errors" not in answer, answer
    return answer["data"]


async def code(client: httpx.AsyncClient, headers: dict[str, str], query: str, **variables: Any) -> str:
    answer = (await post(client, headers, query, variables)).json()
    found: str = answer["errors"][0]["extensions"]["code"]
    return found


# --- the schema of a role -------------------------------------------------------------


@pytest.fixture
async def schemas(app: Application) -> dict[str, GraphQLSchema]:
    engine: Engine = app.engine
    return {role: (await engine.role(Viewer("m0", roles))).schema for role, roles in ROLES.items()}


async def test_a_role_has_the_schema_that_its_rules_open(
    schemas: dict[str, GraphQLSchema], pytestconfig: pytest.Config
) -> None:
    if pytestconfig.getoption("--write-golden"):
        LISTING.write_text(listing(schemas))
    assert listing(schemas) == LISTING.read_text()


async def test_the_schemas_hide_what_they_must(schemas: dict[str, GraphQLSchema]) -> None:
    text = {role: print_schema(schema) for role, schema in schemas.items()}
    for role in ("anon", "user", "auditor", "editor"):
        assert not any(name in text[role] for name in ("Audit", "AuditKind", "internal", "wipe", "password"))
        assert ("Secrecy" in text[role]) is (role == "editor")
        assert ("budget" in text[role]) is (role == "editor")
        assert ("Stats" in text[role] and "Mood" in text[role]) is (role in ("editor", "auditor"))
        assert ("Member" in text[role]) is (role in ("user", "editor"))
        assert ("touch" in text[role]) is (role in ("user", "editor"))
        assert "ping" in text[role]
    assert "password" not in text["admin"]


@pytest.mark.parametrize("role", EYES)
async def test_introspection_shows_the_roles_own_schema(
    client: httpx.AsyncClient, schemas: dict[str, GraphQLSchema], role: str
) -> None:
    query = (
        "{ __schema { types { name fields { name } inputFields { name } enumValues { name } } }"
        ' audit: __type(name: "Audit") { name } nothing: __type(name: "Nothing") { name } }'
    )
    found = await data(client, EYES[role], query)
    assert found["audit"] is None
    assert found["nothing"] is None
    text = print_schema(schemas[role])
    for type_ in found["__schema"]["types"]:
        if not type_["name"].startswith("__") and type_["name"] not in ("String", "Boolean", "Int", "Float", "ID"):
            assert re.search(rf"^(type|input|enum|scalar) {type_['name']}\b", text, re.MULTILINE)
            for kind in ("fields", "inputFields", "enumValues"):
                assert all(item["name"] in text for item in type_[kind] or ())
    assert not any(name in json.dumps(found) for name in ("Audit", "internal", "password", "wipe"))


async def test_an_admin_has_everything_but_hidden_columns(client: httpx.AsyncClient) -> None:
    found = await data(client, ADMIN, "{ audits { kind note } internal teams(limit: 1) { budget } }")
    assert found["audits"] == [{"kind": "LEAK", "note": "the secret of the audit"}]
    assert await code(client, ADMIN, "{ members { password } }") == "GRAPHQL_VALIDATION_FAILED"


# --- rows and fields ------------------------------------------------------------------


async def test_the_anonymous_see_what_is_open_to_them(client: httpx.AsyncClient) -> None:
    found = await data(
        client, {}, '{ teams(orderBy: {id: ASC}) { id name } ping viewer { id roles } team(id: "t5") { id } }'
    )
    assert found == {
        "teams": [{"id": "t0", "name": "Team 0"}, {"id": "t1", "name": "Team 1"}],
        "ping": "pong",
        "viewer": {"id": None, "roles": ["anon"]},
        "team": None,
    }


async def test_a_field_that_is_open_on_some_rows_is_null_on_the_others(client: httpx.AsyncClient) -> None:
    query = "{ members(orderBy: {email: DESC_NULLS_LAST}) { id email greeting tasks { id } teams { id budget } } }"
    found = (await data(client, member(0, "editor"), query))["members"]
    assert [row["id"] for row in found if row["email"] is not None] == ["m0"]
    assert found[0]["greeting"] == "Dear m0@secret.example"
    assert found[0]["teams"] == [{"id": "t0", "budget": 0}]
    assert len(found) == MEMBERS // TEAMS
    for row in found[1:]:
        assert (row["email"], row["greeting"], row["tasks"]) == (None, None, [])
        assert row["teams"] == [{"id": "t0", "budget": 0}]
    # Whom a filter cannot find by what is masked.
    where = {"email": {"startsWith": "m20@"}}
    query = "query ($w: MemberFilter) { members(where: $w) { id } }"
    assert (await data(client, member(0), query, w=where))["members"] == []
    assert (await data(client, member(0), query, w={"not": where}))["members"] == [{"id": "m0"}]
    assert (await data(client, ADMIN, query, w=where))["members"] == [{"id": "m20"}]


async def test_row_paths_guards_and_deleted_rows_count(client: httpx.AsyncClient) -> None:
    query = "{ projects { id team { id } } tasks { id assignee { id } project { id region } } }"
    found = await data(client, member(3), query)
    assert [project["id"] for project in found["projects"]] == [30, 31, 32]
    # Of each project's tasks the second is another's and the third is of another team. The fifth project is deleted,
    # so its task is not open; the sixth is in another region: its task is there, the project is not.
    shown = [(task["id"], task["project"] and task["project"]["id"]) for task in found["tasks"]]
    assert shown == [(300, 30), (310, 31), (320, 32), (330, 33), (350, None)]


async def test_viewers_of_one_role_with_other_claims_do_not_share_a_plan(client: httpx.AsyncClient) -> None:
    query = "{ projects { id } teams(where: {projects: {none: {}}}) { id } }"
    with_claim, without = member(3), member(3, regions=[])
    for headers in (with_claim, without, with_claim, without):
        found = await data(client, headers, query)
        assert [row["id"] for row in found["projects"]] == ([30, 31, 32] if headers is with_claim else [])
        assert ({"id": "t3"} in found["teams"]) is (headers is without)


async def test_a_single_value_stands_for_a_list_claim(client: httpx.AsyncClient) -> None:
    found = await data(client, member(3, regions="us"), "{ projects { id } }")
    assert found["projects"] == [{"id": 35}]


async def test_an_admin_sees_through_anothers_eyes_what_that_one_sees(client: httpx.AsyncClient) -> None:
    query = "{ members { id name email } projects { id } teams { id } }"
    headers = {**ADMIN, "x-clew-role": "user", "x-clew-claims": '{"sub":"m7","regions":["eu"]}'}
    assert await data(client, headers, query) == await data(client, member(7), query)
    assert await code(client, {**member(7), "x-clew-role": "user"}, query) == "FORBIDDEN"
    assert (await post(client, {**member(7), "x-clew-role": "user"}, query)).status_code == 403
    assert (await post(client, {**headers, "x-clew-claims": "{"}, query)).status_code == 400


async def test_custom_root_fields_know_the_viewer(client: httpx.AsyncClient) -> None:
    assert await data(client, member(7), 'mutation { touch(name: "x") }') == {"touch": "x by m7"}
    assert await data(client, EYES["auditor"], "{ stats(input: {mood: BAD}) { teams mood size } }") == {
        "stats": {"teams": TEAMS, "mood": "BAD", "size": "20 teams"}
    }


# --- page limits ----------------------------------------------------------------------


async def test_a_list_gets_the_rules_limit_and_more_is_refused(client: httpx.AsyncClient) -> None:
    assert len((await data(client, member(3), "{ projects { id } }"))["projects"]) == 3
    assert len((await data(client, member(3), "{ projects(limit: null) { id } }"))["projects"]) == 3
    rest = (await data(client, member(3), "{ projects(limit: 3, offset: 3) { id } }"))["projects"]
    assert rest == [{"id": 33}]
    nested = (await data(client, member(3), '{ teams(where: {id: {eq: "t3"}}) { projects { id } } }'))["teams"]
    assert len(nested[0]["projects"]) == 3
    for query in ("{ projects(limit: 4) { id } }", "{ teams { projects(limit: 4) { id } } }"):
        assert await code(client, member(3), query) == "LIMIT_EXCEEDED"
    query = "query ($n: Int) { projects(limit: $n) { id } }"
    for number, expected in ((3, 3), (4, None), (2, 2), (2**31 - 1, None), (1, 1), (None, 3)):
        if expected is None:
            assert await code(client, member(3), query, n=number) == "LIMIT_EXCEEDED"
        else:
            assert len((await data(client, member(3), query, n=number))["projects"]) == expected
    assert len((await data(client, member(3), query))["projects"]) == 3


async def test_a_role_without_a_limit_has_the_servers(client: httpx.AsyncClient) -> None:
    editor = member(3, "editor")
    assert len((await data(client, editor, "{ projects { id } }"))["projects"]) == TEAMS * 4
    assert len((await data(client, editor, "{ tasks { id } }"))["tasks"]) == 100
    assert await code(client, editor, "{ tasks(limit: 101) { id } }") == "LIMIT_EXCEEDED"


async def test_an_admin_is_not_bound(client: httpx.AsyncClient) -> None:
    assert len((await data(client, ADMIN, "{ members { id } }"))["members"]) == MEMBERS
    assert len((await data(client, ADMIN, "{ members(limit: 5000) { id } }"))["members"]) == MEMBERS


# --- the hook -------------------------------------------------------------------------


async def test_the_applications_own_way_is_asked(client: httpx.AsyncClient) -> None:
    found = await data(client, {"x-api-key": "m7"}, "{ viewer { id roles } projects { id } }")
    assert found["viewer"] == {"id": "m7", "roles": ["anon", "user"]}
    assert [row["id"] for row in found["projects"]] == [70, 71, 72]


async def test_a_fault_in_it_tells_nothing(client: httpx.AsyncClient) -> None:
    response = await post(client, {"x-api-key": "boom"}, "{ ping }")
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in response.text
    blocked = await post(client, {"x-api-key": "blocked"}, "{ ping }")
    assert (blocked.status_code, blocked.json()["errors"][0]["message"]) == (403, "That key is blocked.")


async def test_wrong_credentials_are_401_and_keys_that_cannot_be_had_503(guarded: Guarded) -> None:
    settings = {"env": "production", "jwks_url": "http://127.0.0.1:9/keys"}
    app = guarded.clew.asgi(Settings.model_validate({"DATABASE_URL": guarded.url, **settings}))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        for method in ("POST", "GET"):
            send: dict[str, Any] = (
                {"json": {"query": "{ ping }"}} if method == "POST" else {"params": {"query": "{ ping }"}}
            )
            wrong = await client.request(method, "/graphql", headers={"authorization": "Basic eDp5"}, **send)
            assert (wrong.status_code, wrong.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
            down = await client.request(method, "/graphql", headers=member(1), **send)
            assert (down.status_code, down.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
            assert down.headers["retry-after"] == "1"
            assert "127.0.0.1" not in down.text
            assert (await client.request(method, "/graphql", **send)).json() == {"data": {"ping": "pong"}}
    await app.engine.pool.close()


# --- many viewers at once -------------------------------------------------------------


async def test_two_hundred_viewers_at_once_never_see_each_others_rows(client: httpx.AsyncClient) -> None:
    queries = (
        "{ viewer { id } members(orderBy: {id: ASC}) { id email } projects { id } tasks { id } }",
        "{ viewer { id } members(orderBy: {id: ASC}) { id email greeting } projects { id } tasks { id } }",
    )
    turns = [(number, query) for number in range(MEMBERS) for query in queries] + [(None, queries[0])] * 20
    random.Random(7).shuffle(turns)
    free = asyncio.Semaphore(40)

    async def turn(number: int | None, query: str) -> None:
        async with free:
            # The anonymous have another schema: the same document is wrong for them.
            if number is None:
                assert await code(client, {}, query) == "GRAPHQL_VALIDATION_FAILED"
                return
            roles = ("editor",) if number % 5 == 0 else ()
            found = await data(client, member(number, *roles), query)
        team = number % TEAMS
        assert found["viewer"]["id"] == f"m{number}"
        assert {m["id"] for m in found["members"]} == {f"m{n}" for n in range(team, MEMBERS, TEAMS)}
        mine = {m["id"]: m for m in found["members"] if m["email"] is not None}
        assert {key: m["email"] for key, m in mine.items()} == {f"m{number}": f"m{number}@secret.example"}
        for m in found["members"]:
            if "greeting" in m:
                assert m["greeting"] == (f"Dear {m['email']}" if m["email"] else None)
        if roles:
            assert len(found["projects"]) == TEAMS * 4
        else:
            assert [p["id"] for p in found["projects"]] == [team * 10 + k for k in range(3)]
            assert all(task["id"] // 100 == team for task in found["tasks"])
            assert bool(found["tasks"]) is (number < 2 * TEAMS)

    await asyncio.gather(*(turn(number, query) for number, query in turns))
