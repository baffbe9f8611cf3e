"""Twenty clients that write the same rows at once: what is left is what some order of them would have left."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from clew import Clew, Viewer
from clew.config import Settings
from clew.engine import Engine, Request
from tests.properties.database import create_tables, new_database

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
async def bank(bank_project: tuple[Clew, str]) -> AsyncIterator[Engine]:
    clew, url = bank_project
    engine = clew.asgi(Settings.model_validate({"DATABASE_URL": url, "pool_max": 10})).engine
    inputs = [{"id": number, "balance": BALANCE} for number in range(ACCOUNTS)]
    document = "mutation ($inputs: [AccountCreateInput!]!) { createAccounts(inputs: $inputs) { count } }"
    assert "errors" not in await answer(engine, document, inputs=inputs)
    yield engine
    await engine.pool.close()


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
