"""Workers are killed, or held for longer than their lease, at random moments."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
from collections import Counter

from tests.jobs.shop import Jobs
from tests.jobs.victim import DECLARATIONS, LEASE, work

# CLEW_TEST_ROUNDS=500 runs all that has been run once.
ROUNDS = int(os.environ.get("CLEW_TEST_ROUNDS", "50"))
WORKERS = 3
PATIENCE = 120.0

NOTES = {"pay": ["charged", "paid", "sent"], "sync": ["charged", "paid", "sent"], "note": ["noted"]}


async def test_no_kill_loses_a_job_or_repeats_an_effect(jobs: Jobs) -> None:
    rng = random.Random(f"kills {ROUNDS}")
    jobs.declarations = dict(DECLARATIONS)
    made: dict[str, str] = {}
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.jobs.victim"])

    def begin() -> multiprocessing.process.BaseProcess:
        process = processes.Process(target=work, args=(jobs.url,), daemon=True)
        process.start()
        return process

    async def enqueue(count: int) -> None:
        new = []
        for _ in range(count):
            name = rng.choice(list(NOTES))
            arguments = {} if name == "note" else {"parts": 1}
            new.append(jobs.new(name, arguments, limit_key=rng.choice("ab") if name == "sync" else None))
        ids = await jobs.enqueue_all(new)
        made.update(zip(ids, (one.name for one in new), strict=True))

    async def hasten() -> None:
        while True:
            await jobs.connection.execute("UPDATE clew.job_delays SET due = clock_timestamp() WHERE due > now()")
            await asyncio.sleep(0.2)

    victims = [begin() for _ in range(WORKERS)]
    held: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    try:
        for number in range(ROUNDS + 200):
            if number >= ROUNDS and await jobs.connection.fetchval(
                "SELECT max(attempt - uncounted) > 1 FROM clew.jobs"
            ):
                # A kill has met a job that was running.
                break
            await enqueue(6)
            await jobs.connection.execute("UPDATE clew.job_delays SET due = clock_timestamp() WHERE due > now()")
            await asyncio.sleep(rng.random() * 0.5)
            index = rng.randrange(WORKERS)
            pid = victims[index].pid
            assert pid is not None
            if rng.random() < 0.2 and all(pid != other for _, other in held):
                os.kill(pid, signal.SIGSTOP)
                held.append((loop.time() + LEASE + 1, pid))
            elif all(pid != other for _, other in held):
                os.kill(pid, signal.SIGKILL)
                victims[index] = begin()
            for entry in [entry for entry in held if entry[0] <= loop.time()]:
                os.kill(entry[1], signal.SIGCONT)
                held.remove(entry)
        for _, pid in held:
            os.kill(pid, signal.SIGCONT)
        hastening = asyncio.create_task(hasten())
        async with asyncio.timeout(PATIENCE):
            while await jobs.connection.fetchval("SELECT count(*) FROM clew.jobs WHERE finished_at IS NULL"):
                await asyncio.sleep(0.1)
        hastening.cancel()
        await asyncio.wait([hastening])
    finally:
        for victim in victims:
            victim.kill()
            victim.join()
    rows = await jobs.connection.fetch(
        "SELECT id::text, name, status, result, attempt - uncounted AS tries FROM clew.jobs"
    )
    assert {row["id"]: row["name"] for row in rows} == made
    assert Counter(row["status"] for row in rows) == {"SUCCEEDED": len(made)}
    # The kills were noticed.
    assert any(row["tries"] > 1 for row in rows)
    for row in rows:
        assert json.loads(row["result"]) == (None if row["name"] == "note" else [1, 3, 2])
    assert await jobs.effects() == sorted((job, note) for job, name in made.items() for note in NOTES[name])
    for table in ("job_queue", "job_delays", "job_waiting"):
        assert await jobs.connection.fetchval(f"SELECT count(*) FROM clew.{table} WHERE job IS NOT NULL") == 0
