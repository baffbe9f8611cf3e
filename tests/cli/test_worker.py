"""`clew worker`: runs jobs, gives back what does not end, and ends whatever handlers do."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg

from tests.cli.conftest import Run, write
from tests.cli.forks import environment_of
from tests.cli.test_serve import SECRETS

APP = """
import asyncio
from contextlib import suppress

from clew import Clew, JobContext
from clew.jobs import worker

# Seconds in which a handler is to end once it was told to.
worker._PATIENCE = 0.3
clew = Clew()

@clew.job("quick")
async def quick(ctx: JobContext) -> str:
    return "done"

@clew.job("deaf")
async def deaf(ctx: JobContext) -> str:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
"""
SDL = """
type Mutation {
  quick: String @job
  deaf: String @job
}
"""


def test_it_runs_jobs_and_ends_though_a_handler_ignores_its_end(run: Run, project: Path, database_url: str) -> None:
    named = '[project]\nname = "demo"\n[tool.clew]\napp = "app.main:clew"\n'
    write(project, {"graphql/jobs.graphql": SDL, "app/main.py": APP, "pyproject.toml": named})
    assert run("migrate", "make", "-m", "first").returncode == 0
    assert run("migrate", "up", DATABASE_URL=database_url).returncode == 0

    async def jobs(wanted: dict[str, str]) -> dict[str, Any]:
        """Queue one job of each name, and wait until their states are these."""
        connection = await asyncpg.connect(database_url)
        try:
            for name in wanted:
                await connection.execute(
                    "WITH job AS (INSERT INTO clew.jobs (name, queue, arguments, caller)"
                    " SELECT $1, 'default', '{}', '{\"roles\": [\"admin\"]}'"
                    " WHERE NOT EXISTS (SELECT FROM clew.jobs WHERE name = $1) RETURNING id)"
                    " INSERT INTO clew.job_queue (name, job) SELECT $1, id FROM job",
                    name,
                )
            deadline = time.monotonic() + 30
            while True:
                rows = {row["name"]: dict(row) for row in await connection.fetch("SELECT * FROM clew.jobs")}
                if {name: rows[name]["status"] for name in wanted} == wanted:
                    return rows
                assert time.monotonic() < deadline, rows
                await asyncio.sleep(0.05)
        finally:
            await connection.close()

    process = subprocess.Popen(
        [sys.executable, "-m", "clew.cli", "worker"],
        cwd=project,
        env=environment_of({"DATABASE_URL": database_url, **SECRETS, "CLEW_SHUTDOWN_SECONDS": "1"}),
        stderr=subprocess.PIPE,
    )
    try:
        rows = asyncio.run(jobs({"quick": "SUCCEEDED", "deaf": "RUNNING"}))
        assert json.loads(rows["quick"]["result"]) == "done"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert b"Handlers ignore their end." in errors
    assert process.returncode == 1
    row = asyncio.run(jobs({"deaf": "QUEUED"}))["deaf"]
    assert (row["attempt"], row["uncounted"]) == (1, 1)
