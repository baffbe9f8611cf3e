"""A producer of output and a server for followers, in processes of their own, to be killed at any moment."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import asyncpg

from clew import Clew, JobContext
from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.config import Settings
from clew.database.pool import Pool
from clew.jobs.output.source import PLANNER, JobOutputs
from clew.jobs.output.writer import JobOutputWriter
from clew.server.http import Server
from clew.server.listen import listen
from tests.auth.tokens import SECRET

CHUNKS = 60

SDL = "type Mutation { reply: String! @job @allow(role: user) }"


def text_of(attempt: int) -> str:
    """The whole output of an attempt."""
    return "".join(chunk_of(attempt, number) for number in range(CHUNKS))


def chunk_of(attempt: int, number: int) -> str:
    return f"{attempt}.{number}é;"


def project(root: Path) -> Clew:
    clew = Clew(project=root)

    @clew.job("reply")
    async def reply(ctx: JobContext) -> str:
        return ""

    return clew


def produce(url: str, job: str) -> None:
    """Run the job once, as a worker does."""
    asyncio.run(_produce(url, job))


async def _produce(url: str, job: str) -> None:
    connection = await asyncpg.connect(url)
    attempt = await connection.fetchval(
        "UPDATE clew.jobs SET status = 'RUNNING', attempt = attempt + 1 WHERE id = $1 RETURNING attempt", job
    )
    background = Background()
    outputs = JobOutputs(
        url,
        lambda size: Pool(url, size=size, planner=PLANNER),
        background,
        LoggedChanges(url, [], background, retention=3600),
        retention=3600,
        most=2**40,
    )
    writer = JobOutputWriter(outputs, most_of_chunk=65536, most_of_attempt=2**24)
    await writer.begin(job, attempt)
    for number in range(CHUNKS):
        await writer.emit(job, attempt, chunk_of(attempt, number), "token", None)
        await asyncio.sleep(random.random() * 0.02)
    await writer.flush(job)
    await connection.execute(
        "UPDATE clew.jobs SET status = 'SUCCEEDED' WHERE id = $1 AND attempt = $2 AND status = 'RUNNING'", job, attempt
    )
    await background.close()
    await outputs.close()
    await connection.close()


def serve(url: str, root: str, port: int) -> None:
    """Serve followers until killed."""
    settings = Settings.model_validate(
        {"DATABASE_URL": url, "jwt_secret": SECRET, "secret": SECRET[::-1], "env": "production", "run_jobs": False}
    )
    app = project(Path(root)).asgi(settings)
    asyncio.run(Server(app, settings).serve(sockets=[listen("127.0.0.1", port)]))
