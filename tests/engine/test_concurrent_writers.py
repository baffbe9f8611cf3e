"""Twenty clients that write the same rows at once: what is left is what some order of them would have left."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from clew import Clew, Viewer
from clew.config import Settings
from clew.engine import Engine, Request
from tests.databases import create_tables, new_database

SDL = """
type Account @table {
  id: Int! @id
  balance: Int! @default(value: 0) @check(sql: "balance >= 0", message: "An account cannot be overdrawn.")
  version: Int! @version
  log: [String!]! @default(value: [])
}

type Handle @table {
  id: ID! @id
  name: String! @unique
  owner: Int!
}

type Box @table {
  id: ID! @id
  code: String! @unique
  size: Int! @default(value: 0)
  key: Key!
  labels: [Label!]!
}

type Key @table {
  id: ID! @id
  cut: String!
  boxes: [Box!]!
}

type Label @table {
  id: ID! @id
  text: String!
  box: Box!
}
"""
WRITERS, ACCOUNTS, BALANCE = 20, 5, 1000


@pytest.fixture
def bank_project(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Clew, str]]:
    """The project, and its database without rows."""
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "bank.graphql").write_text(SDL)
    clew = Clew(project=tmp_path)

    async def prepare(url: str) -> None:
        await create_tables(url, clew.build()[0])
        connection = await asyncpg.connect(url)
        # Deadlocks are found soon, and not after a second.
        await connection.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET deadlock_timeout = '20ms'")
        await connection.close()

    with new_database(postgres_url) as url:
        asyncio.run(prepare(url))
        yield clew, url


@pytest.fixture
def bank_url(bank_project: tuple[Clew, str]) -> str:
    return bank_project[1]


@pytest.fixture
async def bank(bank_project: tuple[Clew, str]) -> AsyncIterator[Engine]:
    clew, url = bank_project
    engine = clew.asgi(Settings.model_validate({"DATABASE_URL": url, "pool_max": 10})).engine
    inputs = [{"id": number, "balance": BALANCE} for number in range(ACCOUNTS)]
    document = "mutation ($inputs: [AccountCreateInput!]!) { createAccounts(inputs: $inputs) { count } }"
    assert "errors" not in await answer(engine, document, inputs=inputs)
    yield engine
    await engine.pool.close()


@asynccontextmanager
async def uncommitted(url: str, *statements: str) -> AsyncIterator[None]:
    """Another client's transaction, which is committed as soon as one of the engine's waits for it."""
    other = await asyncpg.connect(url)
    watch = await asyncpg.connect(url)
    try:
        transaction = other.transaction()
        await transaction.start()
        for statement in statements:
            await other.execute(statement)

        async def commit() -> None:
            # Only what is in the database says so.
            while not await watch.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
            await transaction.commit()

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(commit())
            yield
    finally:
        await watch.close()
        await other.close()


async def answer(engine: Engine, document: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await engine.execute(Request(document, variables), Viewer.admin())).body)
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in found.get("errors", ())]


async def all_at_once(write: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(write(number))


# One field locks its rows in the order of their keys. Two fields lock in the client's order: they may meet in a
# deadlock, be run again, and in such a crowd lose more often than they are run.
TRANSFERS = {
    "in one field": """mutation ($from: AccountUpdateInput!, $to: AccountUpdateInput!) {
      updateManyAccounts(updates: [$from, $to]) { count }
    }""",
    "in two fields": """mutation (
      $from: Int!, $to: Int!, $inc: AccountIncInput!, $dec: AccountIncInput!, $log: AccountAppendInput
    ) {
      taken: updateAccount(id: $from, inc: $dec, append: $log) { balance }
      given: updateAccount(id: $to, inc: $inc, append: $log) { balance }
    }""",
}


@pytest.mark.anyio
@pytest.mark.parametrize("way", TRANSFERS)
async def test_transfers_in_every_direction_keep_the_sum(bank: Engine, way: str) -> None:
    outcomes: Counter[str] = Counter()
    expected = dict.fromkeys(range(ACCOUNTS), BALANCE)
    notes: Counter[str] = Counter()

    async def write(number: int) -> None:
        chance = random.Random(number)
        for step in range(8):
            source, target = chance.sample(range(ACCOUNTS), 2)
            amount = chance.choice([1, 10, 100, 900])
            note = f"{number}.{step}"
            taken, given, log = {"balance": -amount}, {"balance": amount}, {"log": [note]}
            variables: dict[str, Any] = {"from": source, "to": target, "dec": taken, "inc": given, "log": log}
            if way == "in one field":
                variables = {
                    "from": {"id": source, "inc": taken, "append": log},
                    "to": {"id": target, "inc": given, "append": log},
                }
            found = await answer(bank, TRANSFERS[way], **variables)
            outcomes.update(codes(found) or ["done"])
            if "errors" not in found:
                expected[source] -= amount
                expected[target] += amount
                notes[note] += 2

    with capture_logs() as logs:
        await all_at_once(write)
    accounts = (await answer(bank, "{ accounts { id balance log version } }"))["data"]["accounts"]
    assert {account["id"]: account["balance"] for account in accounts} == expected
    assert Counter(note for account in accounts for note in account["log"]) == notes
    assert all(account["version"] == 1 + len(account["log"]) for account in accounts)
    assert outcomes["done"] > WRITERS
    deadlocks = [entry for entry in logs if entry.get("error") == "DeadlockDetectedError"]
    if way == "in one field":
        # An account that would be overdrawn is the only reason to be refused.
        assert set(outcomes) <= {"done", "CONSTRAINT_VIOLATION"}
        assert not deadlocks
    else:
        assert set(outcomes) <= {"done", "CONSTRAINT_VIOLATION", "CONFLICT"}
        assert outcomes["CONFLICT"] <= len(deadlocks) / 4


@pytest.mark.anyio
async def test_of_many_who_create_the_same_name_one_succeeds(bank: Engine) -> None:
    document = """mutation ($name: String!, $owner: Int!) {
      createHandle(input: {name: $name, owner: $owner}) { name owner }
    }"""
    winners: dict[str, list[int]] = {}
    refused: Counter[str] = Counter()

    async def write(number: int) -> None:
        for name in "abcde":
            found = await answer(bank, document, name=name, owner=number)
            if "errors" in found:
                refused.update(codes(found))
                assert found["errors"][0]["extensions"]["fields"] == ["name"]
            else:
                winners.setdefault(name, []).append(number)

    await all_at_once(write)
    handles = (await answer(bank, "{ handles { name owner } }"))["data"]["handles"]
    assert {handle["name"]: [handle["owner"]] for handle in handles} == winners
    assert refused == {"CONSTRAINT_VIOLATION": (WRITERS - 1) * 5}


UPSERT = """mutation ($code: String!, $size: Int!, $update: [BoxField!]) {
  upsertBox(
    input: {code: $code, size: $size, key: {create: {cut: $code}}, labels: {create: [{text: $code}]}}
    on: code, update: $update
  ) { code }
}"""
BOXES = "{ boxes { code size key { cut } labels { text } } keys { cut } labels { text } }"


@pytest.mark.anyio
async def test_of_many_who_upsert_the_same_key_one_creates_and_the_others_change(bank: Engine) -> None:
    async def write(number: int) -> None:
        for code in random.Random(number).sample("abcde", 5):
            found = await answer(bank, UPSERT, code=code, size=number, update=["size"])
            assert found == {"data": {"upsertBox": {"code": code}}}

    await all_at_once(write)
    found = (await answer(bank, BOXES))["data"]
    assert sorted(box["code"] for box in found["boxes"]) == list("abcde")
    assert all(box["key"] == {"cut": box["code"]} for box in found["boxes"])
    assert all(box["labels"] == [{"text": box["code"]}] for box in found["boxes"])
    # What was nested in rows that in the end were not created is not there.
    assert sorted(key["cut"] for key in found["keys"]) == list("abcde")
    assert sorted(label["text"] for label in found["labels"]) == list("abcde")


@pytest.mark.anyio
async def test_bulk_upserts_of_the_same_keys_in_any_order_leave_each_once(bank: Engine) -> None:
    document = """mutation ($inputs: [HandleCreateInput!]!) {
      upsertHandles(inputs: $inputs, on: name) { count rows { name owner } }
    }"""

    async def write(number: int) -> None:
        names = random.Random(number).sample("abcdefgh", 6)
        inputs = [{"name": name, "owner": number} for name in names]
        found = await answer(bank, document, inputs=inputs)
        if codes(found) != ["CONFLICT"]:
            # In different orders they meet in deadlocks.
            assert found == {"data": {"upsertHandles": {"count": 6, "rows": inputs}}}

    await all_at_once(write)
    handles = (await answer(bank, "{ handles { name owner } }"))["data"]["handles"]
    assert sorted(handle["name"] for handle in handles) == list("abcdefgh")


@pytest.mark.anyio
async def test_an_upsert_that_waits_for_an_insert_changes_the_row(bank: Engine, bank_url: str) -> None:
    key = "INSERT INTO keys (id, cut) VALUES ('00000000-0000-7000-8000-000000000001', 'other')"
    box = "INSERT INTO boxes (code, key_id) VALUES ('a', '00000000-0000-7000-8000-000000000001')"
    async with uncommitted(bank_url, key, box):
        found = await answer(bank, UPSERT, code="a", size=7, update=["size"])
    assert found == {"data": {"upsertBox": {"code": "a"}}}
    assert (await answer(bank, BOXES))["data"] == {
        "boxes": [{"code": "a", "size": 7, "key": {"cut": "other"}, "labels": []}],
        "keys": [{"cut": "other"}],
        "labels": [],
    }


@pytest.mark.anyio
async def test_an_upsert_that_waits_for_a_deletion_creates_the_row(bank: Engine, bank_url: str) -> None:
    await answer(bank, UPSERT, code="a", size=1)
    async with uncommitted(bank_url, "DELETE FROM labels", "DELETE FROM boxes", "DELETE FROM keys"):
        found = await answer(bank, UPSERT, code="a", size=2)
    assert found == {"data": {"upsertBox": {"code": "a"}}}
    found = (await answer(bank, BOXES))["data"]
    assert [(box["size"], box["labels"]) for box in found["boxes"]] == [(2, [{"text": "a"}])]


@pytest.mark.anyio
async def test_an_upsert_that_waits_for_a_new_key_of_the_row_creates_one(bank: Engine, bank_url: str) -> None:
    document = """mutation($owner: Int!) {
      upsertHandles(inputs: [{name: "a", owner: $owner}, {name: "b", owner: $owner}], on: name) { count }
    }"""
    await answer(bank, document, owner=1)
    async with uncommitted(bank_url, "UPDATE handles SET name = 'c' WHERE name = 'b'"):
        await answer(bank, document, owner=2)
    handles = (await answer(bank, "{ handles(orderBy: [{name: ASC}]) { name owner } }"))["data"]["handles"]
    assert [(handle["name"], handle["owner"]) for handle in handles] == [("a", 2), ("b", 2), ("c", 1)]


@pytest.mark.anyio
async def test_an_upsert_finds_what_others_commit_whatever_isolation_is_the_default(
    bank: Engine, bank_url: str
) -> None:
    async with bank.pool.connection() as connection:
        await connection.execute("SET default_transaction_isolation = 'repeatable read'")
    async with uncommitted(bank_url, "INSERT INTO handles (name, owner) VALUES ('a', 1)"):
        found = await answer(bank, 'mutation { upsertHandle(input: {name: "a", owner: 2}, on: name) { owner } }')
    assert found == {"data": {"upsertHandle": {"owner": 2}}}


@pytest.mark.anyio
async def test_each_version_is_stepped_over_by_one_writer_and_no_update_is_lost(bank: Engine) -> None:
    read = "{ account(id: 0) { version balance } }"
    document = """mutation ($balance: Int!, $version: Int!) {
      updateAccount(id: 0, set: {balance: $balance}, ifVersion: $version) { version balance }
    }"""
    won: Counter[int] = Counter()

    async def write(_number: int) -> None:
        done = 0
        while done < 2:
            seen = (await answer(bank, read))["data"]["account"]
            found = await answer(bank, document, balance=seen["balance"] + 1, version=seen["version"])
            if "errors" in found:
                assert codes(found) == ["CONFLICT"]
            else:
                assert found["data"]["updateAccount"] == {
                    "version": seen["version"] + 1,
                    "balance": seen["balance"] + 1,
                }
                won[seen["version"]] += 1
                done += 1

    await all_at_once(write)
    steps = WRITERS * 2
    assert won == dict.fromkeys(range(1, steps + 1), 1)
    assert (await answer(bank, read))["data"]["account"] == {"version": steps + 1, "balance": BALANCE + steps}


@pytest.mark.anyio
async def test_bulk_updates_that_meet_wait_for_each_other(bank: Engine) -> None:
    document = """mutation ($where: AccountFilter!, $by: Int!) {
      updateAccounts(where: $where, inc: {balance: $by}) { count }
    }"""

    async def write(number: int) -> None:
        where = {"id": {"gte": 0}} if number % 2 else {"id": {"in": list(reversed(range(ACCOUNTS)))}}
        for _ in range(3):
            found = await answer(bank, document, where=where, by=1)
            assert found == {"data": {"updateAccounts": {"count": ACCOUNTS}}}

    await all_at_once(write)
    accounts = (await answer(bank, "{ accounts { balance } }"))["data"]["accounts"]
    assert [account["balance"] for account in accounts] == [BALANCE + WRITERS * 3] * ACCOUNTS
