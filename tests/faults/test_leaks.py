"""Whatever breaks, a client learns its code and nothing of the SQL, the database or Python; the log names no values."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from clew.database.errors import client_error
from clew.engine import Request
from clew.errors import Code
from clew.observe import setup_logging
from clew.resolvers.context import Context
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.faults.lab import Lab, ask, client_of, until_whole

SECRET = "hunter2-of-the-test"
# What gives the inside away: SQL, Postgres, our tables and constraints, Python, files, addresses.
INSIDE = re.compile(
    r"select |insert |update |delete |from items|"
    r"items|confidential|_key\b|_pkey|relation|column|pg_|postgres|psql|syntax|"
    r"asyncpg|sqlalchemy|Error\b|Exception|Traceback|\.py|line \d|/work|/tmp|/usr|host|localhost|127\.0|socket|5432|"
    rf"sqlstate|division|constraint\b|{SECRET}",
)


# That there was a constraint is told, and nothing of it but the API's fields.
VIOLATED = "A database constraint was violated."


def assert_tight(body: bytes, code: Code) -> None:
    """The response has this code, and its words give nothing away."""
    answer = json.loads(body)
    assert answer["errors"], answer
    for error in answer["errors"]:
        assert error["extensions"]["code"] == code, error
        said = json.dumps([error["message"].replace(VIOLATED, ""), error["extensions"].get("hint")])
        assert not INSIDE.search(said), said
        assert set(error["extensions"]) <= {"code", "hint", "requestId", "kind", "entity", "fields"}
        assert error["extensions"].get("entity") in (None, "Item")
        # Those of the API that a constraint is about.
        assert set(error["extensions"].get("fields", ())) <= {"id", "name", "parent", "code"}
    assert not re.search(rf"asyncpg|sqlalchemy|Traceback|{SECRET}|confidential|postgres", body.decode())


Break = Callable[[Lab, Application], Awaitable[None]]


async def drop_view(lab: Lab, _: Application) -> None:
    await lab.aside.execute("DROP VIEW parts")


async def drop_column(lab: Lab, _: Application) -> None:
    await lab.aside.execute("ALTER TABLE items DROP COLUMN name CASCADE")


async def change_type(lab: Lab, _: Application) -> None:
    await lab.aside.execute("ALTER TABLE items ALTER COLUMN name TYPE bytea USING name::bytea")


async def drop_table(lab: Lab, _: Application) -> None:
    await lab.aside.execute("DROP TABLE items CASCADE")


async def weigh_nothing(lab: Lab, _: Application) -> None:
    await lab.aside.execute("UPDATE items SET weight = 0 WHERE id = 1")


async def lock_down(lab: Lab, _: Application) -> None:
    await lab.aside.execute("CREATE ROLE nobody_of_the_test") if not await lab.aside.fetchval(
        "SELECT 1 FROM pg_roles WHERE rolname = 'nobody_of_the_test'"
    ) else None
    await lab.aside.execute("ALTER TABLE items OWNER TO nobody_of_the_test")
    await lab.aside.execute("ALTER TABLE items ENABLE ROW LEVEL SECURITY")


async def refuse_connections(lab: Lab, app: Application) -> None:
    await app.engine.pool.close()
    app.engine.pool._closed = False
    app.engine.pool._url = lab.url.replace("/lab_", "/gone_lab_")


async def nobody_listens(_: Lab, app: Application) -> None:
    await app.engine.pool.close()
    app.engine.pool._closed = False
    app.engine.pool._url = "postgresql://someone:hunter2-of-the-test@127.0.0.1:9/confidential"


CASES: dict[str, tuple[Break, str, Code]] = {
    "a view is dropped": (drop_view, "{ parts { id share } }", Code.INTERNAL),
    "a column is dropped": (drop_column, "{ items { name } }", Code.INTERNAL),
    "a column has another type": (change_type, '{ items(where: {name: {eq: "x"}}) { name } }', Code.INTERNAL),
    "a table is dropped": (drop_table, "{ items { id } }", Code.INTERNAL),
    "a view divides by zero": (weigh_nothing, "{ parts { share } }", Code.INTERNAL),
    "a computed field divides by zero": (weigh_nothing, "{ items { share } }", Code.INTERNAL),
    "the database is gone": (refuse_connections, "{ items { id } }", Code.UNAVAILABLE),
    "the database is gone for a mutation": (
        refuse_connections,
        'mutation { rename(id: 1, name: "x") }',
        Code.UNAVAILABLE,
    ),
    "nobody listens": (nobody_listens, "{ items { id } }", Code.UNAVAILABLE),
    "a mutation's table is dropped": (drop_table, 'mutation { rename(id: 1, name: "x") }', Code.INTERNAL),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_a_broken_database_tells_nothing(lab: Lab, case: str, warm: bool) -> None:
    fault, query, code = CASES[case]
    app = lab.app()
    async with client_of(app) as client:
        if warm:
            # The statement is prepared before its tables change.
            await ask(client, query)
        await fault(lab, app)
        for _ in range(2):
            response = await ask(client, query)
            assert_tight(response.content, code)
            assert response.status_code == (503 if code is Code.UNAVAILABLE else 200)
    await until_whole(lab, app)


SQL = {
    "SELECT 1/0": Code.INTERNAL,
    "SELECT * FROM secrets_of_the_test": Code.INTERNAL,
    "SELEKT": Code.INTERNAL,
    "UPDATE items SET name = 'two' WHERE id = 1": Code.CONSTRAINT_VIOLATION,
    "UPDATE items SET parent_id = 99 WHERE id = 1": Code.CONSTRAINT_VIOLATION,
    "UPDATE items SET name = NULL": Code.CONSTRAINT_VIOLATION,
    "SELECT pg_sleep(10)": Code.TIMEOUT,
    "SELECT pg_terminate_backend(pg_backend_pid())": Code.UNAVAILABLE,
    "DO $$ BEGIN RAISE EXCEPTION 'hunter2-of-the-test'; END $$": Code.INTERNAL,
}


@pytest.mark.anyio
@pytest.mark.parametrize("statement", SQL)
@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_statement_of_a_resolver_that_fails_tells_nothing(lab: Lab, statement: str, kind: str) -> None:
    app = lab.app(statement_timeout=0.2)

    async def act(context: Context) -> None:
        await context.connection.execute(text(statement))

    async with client_of(app) as client:
        response = await ask(client, f'{kind} {{ act(name: "{lab.act(act)}") }}')
    assert_tight(response.content, SQL[statement])
    # Beside a query's failed field there may be other data; a mutation fails as a whole.
    whole = kind == "mutation" and SQL[statement] is Code.UNAVAILABLE
    assert response.status_code == (503 if whole else 200)
    await until_whole(lab, app)
    assert await lab.names() == ["one", "two", "three"]


class SecretOfTheTestError(Exception):
    """An error whose name is inside knowledge too."""


FAULTS: list[Any] = [
    RuntimeError(SECRET),
    SecretOfTheTestError(SECRET),
    KeyError(SECRET),
    OSError(2, SECRET, "/tmp/hunter2-of-the-test"),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    AssertionError(SECRET),
    RecursionError(SECRET),
    TimeoutError(SECRET),
    {"not": {SECRET}},
]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_resolver_that_fails_tells_nothing(lab: Lab, fault: Any, kind: str) -> None:
    app = lab.app()

    async def act(_: Context) -> Any:
        if isinstance(fault, Exception):
            raise fault
        return fault

    async with client_of(app) as client:
        response = await ask(client, f'{kind} {{ act(name: "{lab.act(act)}") }}')
    assert_tight(response.content, Code.INTERNAL)
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_statement_timeout_of_a_generated_read_is_timeout(lab: Lab) -> None:
    app = lab.app(statement_timeout=0.1)
    async with client_of(app) as client:
        response = await ask(client, "{ slows { done } }")
    assert_tight(response.content, Code.TIMEOUT)


@pytest.mark.anyio
async def test_what_a_resolver_returns_and_json_cannot_say_is_an_error_and_no_bad_json(lab: Lab) -> None:
    app = lab.app()

    async def act(_: Context) -> Any:
        return {"a": float("nan")}

    async with client_of(app) as client:
        response = await ask(client, f'{{ act(name: "{lab.act(act)}") }}')

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(response.content, parse_constant=refuse)
    assert_tight(response.content, Code.INTERNAL)


@pytest.mark.anyio
async def test_the_log_names_no_values_and_holds_no_control_characters(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors of every kind with a value in them; the log is read as it is written in production."""
    configured = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        setup_logging("debug", "json")
        structlog.configure(cache_logger_on_first_use=False)
        app = lab.app()
        value = f"\x1b[31m{SECRET}\u2028\r\n"
        await app.engine.execute(Request("{ items { id } }"), Viewer.admin())
        await lab.aside.execute("UPDATE items SET name = $1 WHERE id = 2", value)
        async with client_of(app) as client:
            await ask(client, "mutation($v: String!) { rename(id: 1, name: $v) }", v=value)
            await ask(client, "query($v: String!) { items(where: {name: {eq: $v}}) { nothing } }", v=value)
            await ask(client, "query($v: Int!) { items(limit: $v) { id } }", v=value)
            await ask(client, "query($v: String!) { items(where: {name: {eq: $v}}) { id } }", v=SECRET + "\0")
            await client.post("/graphql", content=value.encode(), headers={"x-request-id": SECRET + "\t"})
        for statement in (f"SELECT '{SECRET}'::int", f"DO $$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$"):
            with pytest.raises(Exception, match=r"."):
                await app.engine.pool.fetch(statement, ())
        with pytest.raises(Exception, match=r"."):
            await app.engine.pool.fetch("UPDATE items SET name = $1 WHERE id = 1", (value,))
    finally:
        structlog.configure(**configured)
        root.handlers[:], root.level = handlers, level
    logged = capsys.readouterr().err
    lines = [json.loads(line) for line in logged.splitlines()]
    assert lines
    assert SECRET not in logged
    # A traceback keeps its lines, escaped as JSON does it.
    for line in lines:
        for name, said in line.items():
            assert name == "exception" or not re.search("[\x00-\x1f\x7f-\x9f\u2028]", str(said)), line


def test_an_error_that_is_not_known_is_internal() -> None:
    assert client_error(ValueError("hunter2")).code is Code.INTERNAL
    assert client_error(TimeoutError()).code is Code.UNAVAILABLE
