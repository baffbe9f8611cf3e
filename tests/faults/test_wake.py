"""After a commit of this process its listeners are told at once: docs/changes.md."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from clew.changes import source as source_module
from clew.wire.application import Application
from tests.changes.log import PATIENCE, Ear
from tests.faults.lab import Lab, ask, client_of, served

CLEWS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clew-changes' AND datname = current_database()"


@pytest.fixture(autouse=True)
def _no_look_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read but what somebody tells of."""
    monkeypatch.setattr(source_module, "_LOOK", 1000.0)
    monkeypatch.setattr(source_module, "_MEND", 1000.0)


async def until_gone(lab: Lab) -> None:
    async def gone() -> bool:
        return bool(await lab.aside.fetchval(CLEWS) == 0)

    await lab.until(gone, PATIENCE)


async def rename(context: Any) -> None:
    await context.connection.execute(text("UPDATE items SET name = name || '!' WHERE id = 1"))


async def rename_within(context: Any) -> None:
    async with context.connection.begin_nested():
        await rename(context)


async def rename_by_graphql(context: Any) -> None:
    await context.system.graphql('mutation { updateItem(id: 1, set: {name: "new"}) { id } }')


WRITES: dict[str, tuple[str, Callable[[Any], Awaitable[Any]] | None]] = {
    "a generated mutation": ('mutation { updateItem(id: 1, set: {name: "new"}) { id } }', None),
    "a resolver of a mutation": ("mutation { act(name: ACT) }", rename),
    "a resolver's savepoint": ("mutation { act(name: ACT) }", rename_within),
    "a resolver's own operation": ("mutation { act(name: ACT) }", rename_by_graphql),
    "a resolver of a query": ("{ act(name: ACT) }", rename),
}


@pytest.mark.parametrize("way", WRITES)
async def test_listeners_are_told_of_a_write_at_once(lab: Lab, way: str) -> None:
    document, act = WRITES[way]
    if act is not None:
        document = document.replace("ACT", f'"{lab.act(act)}"')
    app = lab.app()
    ear = Ear()
    await app.changes.listen(ear)
    async with client_of(app) as client:
        answer = (await ask(client, document)).json()
        assert "errors" not in answer
    await ear.until(1)
    assert [(change.table, change.kind) for change in ear.changes] == [("items", "UPDATE")]


async def test_a_mutation_that_is_rolled_back_tells_nobody(lab: Lab) -> None:
    app = lab.app()
    ear = Ear()
    await app.changes.listen(ear)
    async with client_of(app) as client:
        name = '{name: "two"}'
        answer = (await ask(client, f"mutation {{ updateItem(id: 1, set: {name}) {{ id }} }}")).json()
        assert answer["errors"]
        await asyncio.sleep(0.1)
        await ask(client, 'mutation { updateItem(id: 2, set: {name: "2"}) { id } }')
    await ear.until(1)
    assert [change.new and change.new["id"] for change in ear.changes] == [2]


async def test_background_work_ends_with_the_apps_lifespan(lab: Lab) -> None:
    app = lab.app()
    async with app.lifespan():
        await app.changes.listen(Ear())
        assert await lab.aside.fetchval(CLEWS) == 1
    await until_gone(lab)


@pytest.mark.parametrize("lifespan", [True, False], ids=["with its lifespan", "without its lifespan"])
async def test_background_work_of_a_mounted_app_ends_with_the_server(lab: Lab, lifespan: bool) -> None:
    """The outer app's server has a loop and a thread of its own, as a program has."""
    app: Application = lab.app()
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def program() -> None:
        async def serve() -> None:
            outer = Starlette(routes=[Mount("/api", app)], lifespan=app.lifespan if lifespan else None)
            async with served(outer):
                async with client_of(outer) as client:
                    assert (await client.get("/api/healthz")).status_code == 200
                await app.changes.listen(Ear())
                loop.call_soon_threadsafe(began.set)
                while not done.is_set():
                    await asyncio.sleep(0.01)

        asyncio.run(serve())

    running = asyncio.create_task(asyncio.to_thread(program))
    await asyncio.wait_for(began.wait(), PATIENCE)
    assert await lab.aside.fetchval(CLEWS) == 1
    done.set()
    await running
    await until_gone(lab)
