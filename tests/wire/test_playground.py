"""The playground: its page, its files, and the JSON that the page asks for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount

from app.seed import demo_rows
from clew.access.visible import Access
from clew.errors import Code
from clew.model.build import load_model
from clew.schema.build import build_schema
from clew.wire import playground
from clew.wire.playground.diagram import diagram
from clew.wire.playground.examples import examples
from tests.auth.tokens import SECRET, claims, hs256
from tests.faults.lab import client_of
from tests.wire.conftest import MakeApp

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
HTML = {"accept": "text/html"}
FILES = "/graphql/playground"
USER = {"authorization": f"Bearer {hs256(claims(sub='m0', exp=4_000_000_000))}"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page that has been built, with two files beside it, and some that are none of it."""
    folder = tmp_path / "built" / "graphql" / "playground"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "built" / "index.html").write_text("<!doctype html>built")
    (tmp_path / "built" / ".inputs").write_text("secret")
    (folder / "index-abc.js").write_text("script")
    (folder / "index-abc.css").write_text("style")
    (folder / "codicon-abc.ttf").write_text("font")
    (folder / "link.js").symlink_to(tmp_path / "built" / ".inputs")
    monkeypatch.setattr(playground, "BUILT", tmp_path / "built")
    return tmp_path / "built"


@pytest.fixture
async def client(make_app: MakeApp, built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(playground=True, jwt_secret=SECRET)) as client:
        yield client


def policy(response: httpx.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in response.headers["content-security-policy"].split("; ")]
    return {name: sources for name, *sources in parts}


# --- the page -------------------------------------------------------------------------


async def test_the_page_allows_scripts_of_the_server_alone(client: httpx.AsyncClient) -> None:
    page = await client.get("/graphql", headers=HTML)
    assert (page.text, page.headers["cache-control"]) == ("<!doctype html>built", "no-cache")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert policy(page) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "worker-src": ["'self'"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "img-src": ["'self'", "data:"],
        **{name: ["'none'"] for name in ("base-uri", "form-action", "frame-ancestors")},
    }


async def test_a_page_that_is_not_built_is_graphiql_from_a_cdn_with_a_notice(
    make_app: MakeApp, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playground, "BUILT", tmp_path / "elsewhere")
    async with client_of(make_app(playground=True)) as client:
        page = await client.get("/graphql", headers=HTML)
        assert "has not been built" in page.text
        (script,) = re.findall("<script>(.*?)</script>", page.text, re.DOTALL)
        known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy(page)["script-src"] == [f"'sha256-{known}'", "https://unpkg.com"]
        loaded = re.findall(r'<(?:script|link)\s[^>]*"(https:[^"]+)"[^>]*>', page.text)
        assert len(loaded) == len(re.findall(r'crossorigin\s+integrity="sha384-', page.text)) == 4
        assert (await client.get(f"{FILES}/index-abc.js")).status_code == 404
        # As soon as it is built, it is there.
        monkeypatch.setattr(playground, "BUILT", built)
        assert (await client.get("/graphql", headers=HTML)).text == "<!doctype html>built"


async def test_nothing_of_it_is_there_if_it_is_off(make_app: MakeApp, built: Path) -> None:
    async with client_of(make_app(playground=False)) as client:
        for path in ("index-abc.js", "examples.json", "model.json"):
            assert (await client.get(f"{FILES}/{path}")).status_code == 404


# --- its files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("index-abc.js", "text/javascript; charset=utf-8"),
        ("index-abc.css", "text/css; charset=utf-8"),
        ("codicon-abc.ttf", "font/ttf"),
    ],
)
async def test_a_file_is_kept_by_browsers_for_ever(client: httpx.AsyncClient, name: str, media: str) -> None:
    found = await client.get(f"{FILES}/{name}")
    assert (found.status_code, found.headers["content-type"]) == (200, media)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert (await client.post(f"{FILES}/{name}")).status_code == 405


@pytest.mark.parametrize(
    "name",
    [
        *("%2e%2e", "%2e", "", "folder", "link.js", "index.html", ".inputs", "..%2f..%2f.inputs"),
        *("%2e%2e%2f%2e%2e%2f.inputs", "..%5c..%5c.inputs", "%2fetc%2fpasswd", "//etc/passwd", "index-abc.js%00"),
        *("index-abc.js/", "folder/..%2findex-abc.js", "INDEX-ABC.JS"),
    ],
)
async def test_no_other_name_leads_to_a_file(client: httpx.AsyncClient, name: str) -> None:
    # What is escaped reaches the server as it is.
    found = await client.get(httpx.URL("http://localhost:8000").copy_with(raw_path=f"{FILES}/{name}".encode()))
    assert found.status_code == 404
    assert found.json()["errors"][0]["extensions"]["code"] == Code.NOT_FOUND


async def test_it_works_where_the_app_is_mounted(make_app: MakeApp, built: Path) -> None:
    async with client_of(Starlette(routes=[Mount("/api", app=make_app(playground=True))])) as client:
        assert (await client.get("/api/graphql", headers=HTML)).text == "<!doctype html>built"
        assert (await client.get(f"/api{FILES}/index-abc.js")).text == "script"
        assert (await client.get(f"/api{FILES}/model.json")).status_code == 200


# --- the model ------------------------------------------------------------------------


async def test_the_model_is_for_an_admin(client: httpx.AsyncClient, make_app: MakeApp) -> None:
    found = (await client.get(f"{FILES}/model.json")).json()
    assert found["roles"][:2] == ["anon", "user"]
    names = {entity["name"] for entity in found["entities"]}
    for entity in found["entities"]:
        assert {relation["target"] for relation in entity["relations"]} <= names
        assert set(entity["readers"]) <= set(found["roles"])
    refused = await client.get(f"{FILES}/model.json", headers=USER)
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (403, "The model is for an admin.")
    elsewhere = httpx.ASGITransport(make_app(playground=True), client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://localhost:8000") as stranger:
        assert (await stranger.get(f"{FILES}/model.json")).status_code == 401
    # An admin on this machine stays one behind another's eyes.
    assert (await client.get(f"{FILES}/model.json", headers={"x-clew-role": "user"})).status_code == 200


def test_the_model_says_who_reads_what_of_the_demo() -> None:
    found = diagram(Access(load_model(ROOT / "graphql")))
    entities = {entity["name"]: entity for entity in found["entities"]}
    assert found["roles"] == ["anon", "user"]
    assert "AgentTag" not in entities
    assert entities["AgentUsage"]["kind"] == "view"
    assert entities["Team"]["readers"]["anon"] == {
        "rows": "all",
        "fields": ["agents", "id", "name", "slug"],
        "masked": [],
    }
    assert "email" in entities["User"]["readers"]["user"]["masked"]
    assert "anon" not in entities["Thread"]["readers"]
    assert 'user: READ, where {owner: {id: "$auth.sub"}}' in entities["Thread"]["rules"]
    assert "billingReference" not in json.dumps(entities["Team"]["fields"])


def test_the_model_has_the_types_of_the_admins_schema() -> None:
    model = load_model(ROOT / "graphql")
    schema = build_schema(model)
    types = set()
    for entity in diagram(Access(model))["entities"]:
        fields = schema.type_map[entity["name"]].fields  # type: ignore[attr-defined]
        for found in entity["fields"] + entity["relations"]:
            assert str(fields[found["name"]].type) == found["type"], f"{entity['name']}.{found['name']}"
            types.add(found["type"])
    # Required, optional, a list, and required in the table but with rows that can be deleted.
    assert {"Team!", "Agent!", "Run", "[Run!]!", "[String!]!", "Thread"} <= types


# --- the examples ---------------------------------------------------------------------


async def test_the_examples_come_with_the_page(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{FILES}/examples.json")).json() == {"examples": []}


def test_an_example_has_its_fragments_and_the_variables_to_fill_in(tmp_path: Path) -> None:
    (tmp_path / "b.graphql").write_text(
        '"""\nTwo lines,\nof words.\n"""\nquery One($id: ID!, $n: Int! = 2, $x: Int) { a { ...Two } }\n'
        "fragment Two on A { b { ...Three ...Unknown } }\n{ c }\n"
    )
    (tmp_path / "a.gql").write_text("fragment Three on B { ...Two }")
    (tmp_path / "broken.graphql").write_text("query {")
    (tmp_path / "latin.graphql").write_bytes(b"# \xff")
    (tmp_path / "notes.txt").write_text("query No { a }")
    assert examples(tmp_path) == [
        {
            "name": "One",
            "query": "# Two lines,\n# of words.\nquery One($id: ID!, $n: Int! = 2, $x: Int) { a { ...Two } }\n\n"
            "fragment Two on A { b { ...Three ...Unknown } }\n\nfragment Three on B { ...Two }",
            "variables": '{\n  "id": ""\n}',
        },
        {"name": "b.graphql", "query": "{ c }", "variables": ""},
        {"name": "broken.graphql", "query": "query {", "variables": ""},
    ]
    assert examples(tmp_path / "missing") == []


def test_no_more_examples_than_tabs_have_room(tmp_path: Path) -> None:
    (tmp_path / "many.graphql").write_text("\n".join(f"query Q{n} {{ a }}" for n in range(30)))
    assert [found["name"] for found in examples(tmp_path)] == [f"Q{n}" for n in range(10)]


def test_the_demos_examples_fit_its_schema() -> None:
    found = examples(ROOT / "graphql" / "operations")
    assert [example["name"] for example in found][:3] == ["LiveAgents", "TeamDashboard", "Usage"]
    schema = build_schema(load_model(ROOT / "graphql"))
    for example in found:
        assert validate(schema, parse(example["query"])) == [], example["name"]
        assert example["variables"] == "", "it runs as it opens"
    threads = {str(thread["id"]) for thread in demo_rows()["threads"] if thread["deleted_at"] is None}
    named = re.findall(r'\$thread: ID! = "([^"]+)"', "".join(example["query"] for example in found))
    assert len(named) == 2
    assert threads.issuperset(named)
