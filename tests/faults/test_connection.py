"""`info.context.connection`: what a resolver does on it is part of the operation, and of nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asyncpg import UniqueViolationError
from graphql import build_schema
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from structlog.testing import capture_logs

from clew import ClewError
from clew.database.violations import from_database
from clew.engine import Outcome, Request
from clew.resolvers.context import Context
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.faults.lab import Lab, until_whole


async def execute(app: Application, query: str) -> Outcome:
    return await app.engine.execute(Request(query), Viewer.admin())


async def rename(context: Context, to: str) -> None:
    await context.connection.execute(text("UPDATE items SET name = :name WHERE id = 1"), {"name": to})


def codes(response: Outcome) -> list[str]:
    return [error["extensions"]["code"] for error in json.loads(response.body).get("errors", ())]


@pytest.mark.anyio
async def test_a_mutations_root_fields_are_one_transaction(lab: Lab) -> None:
    app = lab.app()

    async def transaction(context: Context) -> Any:
        return await context.connection.scalar(text("SELECT pg_current_xact_id()::text"))

    name = lab.act(transaction)
    found = json.loads((await execute(app, f'mutation {{ a: act(name: "{name}") b: act(name: "{name}") }}')).body)[
        "data"
    ]
    assert found["a"] == found["b"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error", [ClewError("no", code="CONFLICT"), RuntimeError("no"), KeyError("no"), TimeoutError()]
)
@pytest.mark.parametrize("order", ['a: rename(id: 1, name: "x") {act}', '{act} a: rename(id: 1, name: "x")'])
async def test_any_error_of_any_root_field_rolls_all_back(lab: Lab, error: Exception, order: str) -> None:
    app = lab.app()

    async def fail(context: Context) -> None:
        await rename(context, "half")
        raise error

    response = await execute(app, "mutation { " + order.replace("{act}", f'b: act(name: "{lab.act(fail)}")') + " }")
    assert codes(response) == ["CONFLICT" if isinstance(error, ClewError) else "INTERNAL"]
    assert json.loads(response.body)["data"] is None
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_an_error_of_the_database_in_the_second_field_rolls_the_first_back(lab: Lab) -> None:
    app = lab.app()
    response = await execute(app, 'mutation { rename(id: 1, name: "x") b: rename(id: 2, name: "three") }')
    assert codes(response) == ["CONSTRAINT_VIOLATION"]
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_constraint_that_is_checked_at_the_commit_rolls_all_back(lab: Lab) -> None:
    app = lab.app()

    async def clash(context: Context) -> str:
        await rename(context, "x")
        await context.connection.execute(text("UPDATE items SET weight = 2 WHERE id = 1"))
        return "done"

    response = await execute(app, f'mutation {{ act(name: "{lab.act(clash)}") }}')
    assert codes(response) == ["CONSTRAINT_VIOLATION"]
    assert json.loads(response.body)["data"] is None
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_savepoint_undoes_its_own_part_only(lab: Lab) -> None:
    app = lab.app()

    async def attempt(context: Context) -> str:
        await rename(context, "kept")
        try:
            async with context.connection.begin_nested():
                await rename(context, "undone")
                await rename(context, "three")
        except IntegrityError:
            return "clash"
        return "none"

    response = await execute(app, f'mutation {{ act(name: "{lab.act(attempt)}") }}')
    assert response.body == b'{"data":{"act":"clash"}}'
    assert await lab.names() == ["kept", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
@pytest.mark.parametrize("call", ["commit", "rollback"])
async def test_a_resolver_cannot_end_the_operations_transaction(lab: Lab, call: str) -> None:
    app = lab.app()

    async def end(context: Context) -> None:
        await rename(context, "half")
        await getattr(context.connection, call)()
        await rename(context, "half again")
        raise ClewError("no")

    response = await execute(app, f'mutation {{ act(name: "{lab.act(end)}") }}')
    assert codes(response) == ["BAD_USER_INPUT"]
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_what_follows_a_broken_connection_is_not_written_beside_the_transaction(lab: Lab) -> None:
    app = lab.app(pool_max=3)

    async def stubborn(context: Context) -> None:
        await rename(context, "lost")
        try:
            await context.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        except DBAPIError:
            await context.connection.rollback()
            await rename(context, "beside")

    response = await execute(app, f'mutation {{ act(name: "{lab.act(stubborn)}") }}')
    assert response.code is not None
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_statement_that_the_resolver_gives_up_leaves_the_operation_on_its_connection(lab: Lab) -> None:
    app = lab.app(pool_max=2)

    async def impatient(context: Context) -> list[int]:
        pid = await context.connection.scalar(text("SELECT pg_backend_pid()"))
        try:
            async with asyncio.timeout(0.05):
                await context.connection.execute(text("SELECT pg_sleep(30)"))
        except TimeoutError:
            pass
        return [pid, await context.connection.scalar(text("SELECT pg_backend_pid()"))]

    response = await execute(app, f'{{ act(name: "{lab.act(impatient)}") }}')
    first, second = json.loads(response.body)["data"]["act"]
    assert first == second
    await lab.until_quiet()
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_given_up_statement_of_a_mutation_rolls_it_back(lab: Lab) -> None:
    app = lab.app(pool_max=2)

    async def impatient(context: Context) -> None:
        await rename(context, "half")
        try:
            async with asyncio.timeout(0.05):
                await context.connection.execute(text("SELECT pg_sleep(30)"))
        except TimeoutError:
            await context.connection.rollback()
            await rename(context, "other half")

    response = await execute(app, f'mutation {{ act(name: "{lab.act(impatient)}") }}')
    assert response.code is not None
    assert await lab.names() == ["one", "two", "three"]
    await lab.until_quiet()
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_query_takes_a_connection_only_when_it_is_used(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    seen: list[int] = []

    async def idle(_: Context) -> None:
        seen.append(app.engine.pool._open - len(app.engine.pool._idle))

    async def user(context: Context) -> None:
        await context.connection.execute(text("SELECT 1"))
        seen.append(app.engine.pool._open - len(app.engine.pool._idle))

    for act in (idle, user):
        assert codes(await execute(app, f'{{ items {{ id }} act(name: "{lab.act(act)}") }}')) == []
    assert seen == [0, 1]
    await until_whole(lab, app)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "first",
    [
        lambda c: c.execute(text("SELECT 1")),
        lambda c: c.scalar(text("SELECT 1")),
        lambda c: c.scalars(text("SELECT 1")),
        lambda c: c.exec_driver_sql("SELECT 1"),
        lambda c: c.run_sync(lambda sync: sync.execute(text("SELECT 1")).all()),
        lambda c: c.get_raw_connection(),
        lambda c: c.commit(),
        lambda c: c.rollback(),
    ],
    ids=["execute", "scalar", "scalars", "exec_driver_sql", "run_sync", "get_raw_connection", "commit", "rollback"],
)
async def test_every_first_use_in_a_query_works(lab: Lab, first: Any) -> None:
    app = lab.app(pool_max=1)

    async def use(context: Context) -> str:
        await first(context.connection)
        return "used"

    assert (await execute(app, f'{{ act(name: "{lab.act(use)}") }}')).body == b'{"data":{"act":"used"}}'
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_begin_can_be_the_first_use_in_a_query(lab: Lab) -> None:
    app = lab.app(pool_max=1)

    async def begun(context: Context) -> int:
        async with context.connection.begin():
            return int(await context.connection.scalar(text("SELECT 4")))

    response = await execute(app, f'{{ act(name: "{lab.act(begun)}") }}')
    assert response.body == b'{"data":{"act":4}}'
    await until_whole(lab, app)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_resolvers_at_the_same_time_share_the_connection(lab: Lab, kind: str) -> None:
    app = lab.app(pool_max=1)

    async def work(context: Context) -> int:
        pids = {await context.connection.scalar(text("SELECT pg_backend_pid() FROM pg_sleep(0.002)")) for _ in range(4)}
        (pid,) = pids
        return int(pid)

    async def together(context: Context) -> list[int]:
        return list(await asyncio.gather(*(work(context) for _ in range(5))))

    single, several = lab.act(work), lab.act(together)
    fields = " ".join(f'f{index}: act(name: "{single}")' for index in range(6)) + f' g: act(name: "{several}")'
    data = json.loads((await execute(app, f"{kind} {{ {fields} }}")).body)["data"]
    assert len({data["f0"], *(data[f"f{index}"] for index in range(6)), *data["g"]}) == 1
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_json_columns_are_decoded_for_resolvers_and_not_for_generated_fields(lab: Lab) -> None:
    app = lab.app(pool_max=1)

    async def read(context: Context) -> list[Any]:
        row = (
            await context.connection.execute(text("SELECT data, data::json, data::text FROM items WHERE id = 1"))
        ).one()
        assert row[0] == {"b": [1]}
        assert row[1] == {"b": [1]}
        return [type(row[0]).__name__, type(row[2]).__name__]

    name = lab.act(read)
    for _ in range(2):
        # The codecs stay on the connection: generated fields must not mind.
        assert json.loads((await execute(app, f'{{ act(name: "{name}") }}')).body) == {"data": {"act": ["dict", "str"]}}
        plain = json.loads((await execute(app, "{ item(id: 1) { data } }")).body)
        assert plain["data"]["item"] == {"data": {"b": [1]}}
        mixed = json.loads((await execute(app, f'{{ item(id: 1) {{ data }} act(name: "{name}") }}')).body)
        assert mixed["data"]["item"] == {"data": {"b": [1]}}
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_the_connection_comes_back_when_one_of_several_resolvers_raises(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    began = asyncio.Event()

    async def slow(context: Context) -> str:
        began.set()
        await context.connection.execute(text("SELECT pg_sleep(30)"))
        return "never"

    async def fail(_: Context) -> str:
        await began.wait()
        raise RuntimeError("failed")

    async with asyncio.timeout(5):
        response = await execute(app, f'{{ a: must(name: "{lab.act(slow)}") b: must(name: "{lab.act(fail)}") }}')
    assert codes(response)[0] == "INTERNAL"
    await lab.until_quiet()
    await until_whole(lab, app)
    assert codes(await execute(app, "{ items { id } }")) == []


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_task_that_outlives_its_operation_cannot_use_anothers_connection(lab: Lab, kind: str) -> None:
    app = lab.app(pool_max=1)
    left: list[asyncio.Task[Any]] = []

    async def forgetful(context: Context) -> str:
        await context.connection.execute(text("SELECT 1"))
        left.append(asyncio.create_task(rename_later(context)))
        await asyncio.sleep(0)
        return "left"

    async def rename_later(context: Context) -> None:
        await context.connection.execute(text("SELECT pg_sleep(0.05)"))
        await rename(context, "late")

    assert codes(await execute(app, f'{kind} {{ act(name: "{lab.act(forgetful)}") }}')) in ([], ["UNAVAILABLE"])
    assert codes(await execute(app, "{ items { id } }")) == []
    await asyncio.wait(left)
    assert left[0].exception() is not None
    assert await lab.names() == ["one", "two", "three"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_sqlalchemy_opens_and_closes_no_connection_of_its_own(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    pids = set()

    async def pid(context: Context) -> int:
        pids.add(await context.connection.scalar(text("SELECT pg_backend_pid()")))
        return 1

    name = lab.act(pid)
    for kind in ("query", "mutation", "query", "mutation"):
        await execute(app, f'{kind} {{ act(name: "{name}") }}')
    rows = await app.engine.pool.fetch("SELECT pg_backend_pid()", ())
    assert pids == {rows[0][0]}
    assert len(await lab.activity()) == 1
    await until_whole(lab, app)


# --- constraints ----------------------------------------------------------------------

VIOLATED = "A database constraint was violated."
CONSTRAINTS: dict[str, tuple[str, list[str] | None, str]] = {
    "UPDATE items SET name = 'two' WHERE id = 1": ("UNIQUE", ["name"], VIOLATED),
    "UPDATE items SET id = 2 WHERE id = 1": ("UNIQUE", ["id"], VIOLATED),
    "UPDATE items SET parent_id = 99 WHERE id = 1": ("REFERENCE", ["parent"], "`parent` leads to no row."),
    "UPDATE items SET name = NULL WHERE id = 1": ("REQUIRED", ["name"], VIOLATED),
    "UPDATE items SET code = 'A1' WHERE id = 1": ("CHECK", ["code"], "A code has lower-case letters."),
    # The schema knows nothing of it.
    "UPDATE items SET weight = 2 WHERE id = 1": ("UNIQUE", None, VIOLATED),
}


@pytest.mark.anyio
@pytest.mark.parametrize("statement", CONSTRAINTS)
@pytest.mark.parametrize("way", ["SQLAlchemy", "asyncpg"])
async def test_a_constraint_is_told_by_its_fields_and_the_schemas_message(lab: Lab, statement: str, way: str) -> None:
    app = lab.app()

    async def act(context: Context) -> None:
        if way == "SQLAlchemy":
            await context.connection.execute(text(statement))
        else:
            raw = await context.connection.get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.execute(statement)

    with capture_logs() as logs:
        response = await execute(app, f'mutation {{ act(name: "{lab.act(act)}") }}')
    kind, fields, message = CONSTRAINTS[statement]
    (error,) = json.loads(response.body)["errors"]
    assert error["message"] == message
    assert error["extensions"]["code"] == "CONSTRAINT_VIOLATION"
    assert error["extensions"].get("fields") == fields
    assert error["extensions"]["kind"] == kind
    assert error["extensions"].get("entity") == (None if fields is None else "Item")
    assert {entry["log_level"] for entry in logs} == {"info"}
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_generated_and_custom_mutations_tell_a_constraint_alike(lab: Lab) -> None:
    app = lab.app()
    errors = []
    for field in ('updateItem(id: 1, set: {name: "two"}) { id }', 'rename(id: 1, name: "two")'):
        (error,) = json.loads((await execute(app, f"mutation {{ found: {field} }}")).body)["errors"]
        del error["extensions"]["requestId"]
        errors.append(error)
    # Only Clew knows where the input has the row.
    assert errors[0]["extensions"].pop("path") == ["set"]
    assert errors[0] == errors[1]


@pytest.mark.anyio
async def test_a_field_that_the_viewers_schema_lacks_is_not_named(lab: Lab) -> None:
    tables = lab.app().engine.statements.tables
    error = UniqueViolationError.new(
        {"C": "23505", "M": "duplicate", "s": "public", "t": "items", "n": "items_name_key"}
    )
    for sdl, fields in (("name: String", ["name"]), ("id: Int", None)):
        found = from_database(error, tables, build_schema(f"type Query {{ item: Item }} type Item {{ {sdl} }}"))
        assert found is not None
        assert found.extensions.get("fields") == fields


@pytest.mark.anyio
async def test_of_a_transaction_that_one_field_broke_that_field_alone_is_told(lab: Lab) -> None:
    app = lab.app()
    fields = 'a: updateItem(id: 1, set: {name: "two"}) { id } b: updateItem(id: 3, set: {name: "x"}) { id }'
    with capture_logs() as logs:
        response = await execute(app, f"mutation {{ {fields} }}")
    assert codes(response) == ["CONSTRAINT_VIOLATION"]
    assert "error" not in {entry["log_level"] for entry in logs}


@pytest.mark.anyio
async def test_a_resolver_that_goes_on_after_a_fault_it_caught_is_told_in_the_log(lab: Lab) -> None:
    app = lab.app()

    async def act(context: Context) -> None:
        with pytest.raises(IntegrityError):
            await rename(context, "two")
        await rename(context, "x")

    with capture_logs() as logs:
        response = await execute(app, f'mutation {{ act(name: "{lab.act(act)}") }}')
    assert codes(response) == ["INTERNAL"]
    assert "resolver failed" in {entry["event"] for entry in logs}
