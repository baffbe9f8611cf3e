"""What is large is dealt with beside the event loop, and what is small on it."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from cachetools import LRUCache

from clew import Viewer
from clew.config import Settings
from clew.database.alchemy import OperationConnection
from clew.engine import Engine, Request
from tests.access.guarded import Guarded, make_guarded

pytestmark = pytest.mark.anyio

M3 = Viewer("m3", frozenset({"user"}), {"regions": ["eu"]})
WHERE = "query ($w: NoteFilter) { notes(where: $w) { id } }"
SECRET = "s" * 32
MANY = {"or": [{"title": {"eq": f"{number}"}} for number in range(400)]}


@pytest.fixture(scope="module")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
async def engine(guarded: Guarded) -> AsyncIterator[Engine]:
    settings = Settings.model_validate({"DATABASE_URL": guarded.url, "max_page": 10})
    engine = guarded.clew.asgi(settings).engine
    yield engine
    await engine.pool.close()


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bool]]:
    """By stage, for each time that it was run: whether that was in the thread of the event loop."""
    found: dict[str, list[bool]] = {}
    loop = threading.current_thread()

    def watch(module: str, name: str) -> None:
        before: Callable[..., Any] = getattr(__import__(module, fromlist=["_"]), name)

        def watched(*args: Any, **options: Any) -> Any:
            found.setdefault(name, []).append(threading.current_thread() is loop)
            return before(*args, **options)

        monkeypatch.setattr(f"{module}.{name}", watched)

    for name in ("prepare", "plan_query", "plan_rows", "compile_read", "compile_rows"):
        watch("clew.engine.statements", name)
    watch("clew.document.trees", "parse")
    return found


async def answer(engine: Engine, document: str, variables: dict[str, Any] | None = None) -> Any:
    response = await engine.execute(Request(document, variables or {}), M3)
    assert response.code is None, response.body
    return response


async def test_a_small_operation_is_dealt_with_on_the_loop(engine: Engine, stages: dict[str, list[bool]]) -> None:
    await answer(engine, "{ notes { id title author { name } } }")
    assert stages == {"prepare": [True], "plan_query": [True], "compile_read": [True]}


async def test_a_large_document_is_read_and_validated_aside(engine: Engine, stages: dict[str, list[bool]]) -> None:
    document = "{ " + " ".join(f"a{number}: notes(limit: 1) {{ id title }}" for number in range(49)) + " }"
    await answer(engine, document + " " * 1000)
    assert stages["prepare"] == [False]
    await answer(engine, document + " " * 1000)
    assert len(stages["prepare"]) == 1


@pytest.mark.parametrize("padding", [0, 3000])
@pytest.mark.parametrize(
    ("document", "first", "then", "parsed"),
    [
        (WHERE, {"w": {"title": {"eq": "x"}}}, {"w": {"title": {"eq": "y"}}}, False),
        (WHERE, {"w": {"title": {"eq": "x"}}}, {"w": {"title": {"neq": "x"}}}, True),
        ('{ teamsOf(ids: ["t3"]) { id } }', {}, {}, True),
        ("mutation ($name: String!) { touch(name: $name) }", {"name": "a"}, {"name": "b"}, True),
    ],
)
async def test_a_document_whose_tree_is_gone_is_parsed_again_where_it_is_needed(
    engine: Engine,
    stages: dict[str, list[bool]],
    document: str,
    first: dict[str, Any],
    then: dict[str, Any],
    parsed: bool,
    padding: int,
) -> None:
    request = document + " " * padding
    await engine.execute(Request(request, first), M3)
    engine.statements._trees._kept.clear()
    gc.collect()
    assert "parse" not in stages
    await engine.execute(Request(request, then), M3)
    is_on_the_loop = not padding
    assert stages.get("parse", []) == ([is_on_the_loop] if parsed else [])


async def test_many_conditions_are_planned_and_compiled_aside(engine: Engine, stages: dict[str, list[bool]]) -> None:
    await answer(engine, WHERE, {"w": MANY})
    assert stages == {"prepare": [True], "plan_query": [False], "compile_read": [False]}
    await answer(engine, WHERE, {"w": MANY})
    assert len(stages["compile_read"]) == 1


async def test_what_shows_only_when_it_is_planned_is_planned_again_aside(
    engine: Engine, stages: dict[str, list[bool]]
) -> None:
    few = {"or": [{"title": {"eq": "x"}}] * 20}
    document = "query ($w: NoteFilter) {" + " ".join(f"a{n}: notes(where: $w) {{ id }}" for n in range(20)) + "}"
    await answer(engine, document, {"w": few})
    assert stages["plan_query"] == [True, False]
    assert stages["compile_read"] == [False]


async def test_the_rows_that_a_resolver_names_are_compiled_aside_too(
    engine: Engine, stages: dict[str, list[bool]]
) -> None:
    document = 'query ($w: ProjectFilter) { teamsOf(ids: ["t3"]) { projects(where: $w, limit: 3) { id } } }'
    await answer(engine, document, {"w": {"or": [{"title": {"eq": f"{number}"}} for number in range(400)]}})
    assert stages["plan_rows"] == [True, False]
    assert stages["compile_rows"] == [False]


async def test_two_requests_of_one_operation_compile_it_once(engine: Engine, stages: dict[str, list[bool]]) -> None:
    large = WHERE + " " * 3000
    await asyncio.gather(*(answer(engine, large, {"w": MANY}) for _ in range(4)))
    assert stages == {"prepare": [False], "plan_query": [False], "compile_read": [False]}


async def test_others_are_answered_while_a_large_operation_is_compiled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes = threading.Event()
    before = engine.statements._compile

    def compile_slowly(*args: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            assert goes.wait(10)
        return before(*args)

    monkeypatch.setattr(engine.statements, "_compile", compile_slowly)
    large = asyncio.create_task(answer(engine, WHERE, {"w": MANY}))
    for number in range(20):
        await answer(engine, f"{{ a{number}: notes {{ id }} }}")
    assert not large.done()
    goes.set()
    await large


async def test_where_too_many_wait_the_answer_is_unavailable(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.statements.aside, "_most_waiting", 0)
    response = await engine.execute(Request(WHERE, {"w": MANY}), M3)
    assert response.code == "UNAVAILABLE"
    await answer(engine, "{ notes { id } }")


async def test_a_document_that_nests_too_deeply_is_refused_there_as_on_the_loop(engine: Engine) -> None:
    where: dict[str, Any] = {"title": {"eq": "x"}}
    for _ in range(150):
        where = {"not": {"and": [where, {"title": {"eq": "y"}}, {"title": {"eq": "z"}}]}}
    response = await engine.execute(Request(WHERE, {"w": where}), M3)
    assert response.code in ("LIMIT_EXCEEDED", "BAD_USER_INPUT")
    await answer(engine, "{ notes { id } }")


@pytest.mark.parametrize("depth", [400, 990, 5000])
async def test_an_answer_may_be_deeper_than_pythons_stack(engine: Engine, depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    scalar: Any = engine.schema.type_map["JSON"]
    written = scalar.coerce_output_value(value)
    for found in (value, {"data": written}):
        assert b"[" * depth + b"1" + b"]" * depth in await engine.statements.encoded(found)


# --- what is kept of it -----------------------------------------------------------------


def shapes(count: int) -> list[dict[str, Any]]:
    """Filters of which each is another statement."""
    return [{"w": {"or": [{"title": {"eq": "x"}}] * (100 + number)}} for number in range(count)]


async def test_what_a_document_is_compiled_to_counts_in_the_cache(engine: Engine) -> None:
    for variables in shapes(5):
        await answer(engine, WHERE, variables)
    ((_, prepared),) = engine.statements._documents.items()
    assert len(prepared.executables) == 5
    sql = sum(len(executable.statement.sql) for executable in prepared.executables.values())
    assert engine.statements._documents.currsize == prepared.weight > sql + 5 * 100 * 1000


async def test_a_document_keeps_only_so_many_bytes_of_statements(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.document.prepare.MOST_KEPT", 500_000)
    for variables in shapes(8):
        await answer(engine, WHERE, variables)
    ((_, prepared),) = engine.statements._documents.items()
    assert 1 <= len(prepared.executables) < 5
    assert engine.statements._documents.currsize == prepared.weight <= 500_000


async def test_what_is_too_large_to_be_kept_is_answered_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("document.prepare", "engine.statements"):
        monkeypatch.setattr(f"clew.{module}.MOST_KEPT", 100_000)
    await answer(engine, WHERE, {"w": {"id": {"eq": 1}}})
    assert engine.statements._documents.currsize > 0
    await answer(engine, WHERE, {"w": MANY})
    assert engine.statements._documents.currsize == len(engine.statements._documents) == 0


async def test_the_statements_of_rows_that_resolvers_name_count_too(engine: Engine) -> None:
    document = 'query ($w: ProjectFilter) { teamsOf(ids: ["t3"]) { projects(where: $w, limit: 3) { id } } }'
    await answer(engine, document, {"w": {}})
    before = engine.statements._documents.currsize
    await answer(engine, document, {"w": {"or": [{"title": {"eq": "x"}}] * 50}})
    assert engine.statements._documents.currsize > before + 50 * 1000


async def test_documents_make_room_for_others_by_their_weight(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await answer(engine, WHERE, shapes(1)[0])
    most = 3 * engine.statements._documents.currsize
    kept: LRUCache[Any, Any] = LRUCache(most, getsizeof=lambda prepared: prepared.weight)
    monkeypatch.setattr(engine.statements, "_documents", kept)
    for number in range(8):
        await answer(engine, f"{WHERE}#{number}", shapes(1)[0])
    assert 1 < len(kept) <= 3
    assert kept.currsize == sum(prepared.weight for prepared in kept.values()) <= most


# --- rows that pass through resolvers ---------------------------------------------------


async def test_lists_in_slices_are_the_same_and_read_in_as_few_statements(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = """{
        teamsOf(ids: ["t0", "t3", "t1", "t99"]) { id name members { id name teams { id } } }
        members { id greeting teams { id members { id greeting } } }
        notesOf(ids: [1, 2, 3, 4, 7]) { id title author { id greeting } }
        __schema { types { name fields { name args { name } } } }
    }"""
    statements: list[str] = []
    before = OperationConnection.fetch

    async def fetch(self: OperationConnection, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return await before(self, sql, *rest)

    monkeypatch.setattr(OperationConnection, "fetch", fetch)
    monkeypatch.setattr("clew.slices._FEW_FIELDS", 10**9)
    whole = await answer(engine, document)
    at_once = len(statements)
    monkeypatch.setattr("clew.slices._FEW_FIELDS", 0)
    monkeypatch.setattr("clew.slices._SLICE", 0)
    assert (await answer(engine, document)).body == whole.body
    assert len(statements) == 2 * at_once == 4


# --- what is told of it -----------------------------------------------------------------

LONG = "y" * 150_000


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("query ($w: NoteFilter) { notes(where: $w) { id } }", {"w": {"id": {"eq": LONG}}}),
        ("query ($w: NoteFilter) { notes(where: $w) { id } }", {"w": {LONG: 1}}),
        ("query ($w: NoteFilter) { notes(where: $w) { id } }", {"w": [LONG] * 100}),
        (f'{{ notes(limit: "{LONG}") {{ id }} }}', {}),
        (f"{{ notes {{ {LONG} }} }}", {}),
        (f"query (${LONG}: Int) {{ notes {{ id }} }}", {}),
        (f"{{ notes(where: {{{LONG}: 1}}) {{ id }} }}", {}),
        (f"{{ notes(orderBy: [{{id: {LONG}}}]) {{ id }} }}", {}),
    ],
)
async def test_an_error_does_not_send_back_what_was_sent(
    engine: Engine, document: str, variables: dict[str, Any]
) -> None:
    response = await engine.execute(Request(document, variables), M3)
    assert response.code is not None
    assert len(response.body) < 25_000


@pytest.mark.parametrize("item", ["1", '""', "{}", "[]", '{"a":0}', "1e9", "null"])
async def test_a_large_value_of_json_is_read_and_written_aside(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, item: str
) -> None:
    threads: dict[str, set[bool]] = {}
    loop = threading.current_thread()
    for module, name in (("clew.wire.parameters", "from_json"), ("clew.schema.scalars", "with_text")):
        before = getattr(__import__(module, fromlist=["_"]), name)

        def watched(*args: Any, name: str = name, before: Any = before, **options: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread() is loop)
            return before(*args, **options)

        monkeypatch.setattr(f"{module}.{name}", watched)
    value = "[" + ",".join([item] * 30_000) + "]"
    app = guarded.clew.asgi(Settings.model_validate({"DATABASE_URL": guarded.url, "admin_secret": SECRET}))
    headers = {"content-type": "application/json", "x-clew-admin-secret": SECRET}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        document = "query ($x: JSON) { notes(where: {data: {eq: $x}}) { id } }"
        body = f'{{"query": {json.dumps(document)}, "variables": {{"x": {value}}}}}'
        assert (await client.post("/graphql", content=body, headers=headers)).json() == {"data": {"notes": []}}
    assert threads == {"from_json": {False}, "with_text": {False}}
    await app.engine.pool.close()
