"""A printing house whose work is done by jobs, as an application that can be reached every way."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import QueryType

from clew import Clew, JobContext
from tests.databases import create_tables, new_database

HERE = Path(__file__).parent

query = QueryType()
query.set_field("ping", lambda *_: "pong")


def job(number: int) -> str:
    """The id of a job."""
    return f"0190b0f3-9c1e-7000-8000-{number:012}"


ABSENT = job(0)
MINE, OPEN, SECRET, OF_NOBODY, OF_ADMIN, UNDECLARED, GONE, QUEUED, RUNNING = map(job, range(1, 10))
# In an order: each viewer sees few of them.
ALL = (MINE, OPEN, SECRET, OF_NOBODY, OF_ADMIN, UNDECLARED, GONE, QUEUED, RUNNING)

# MINE is m3's, OF_NOBODY that of a visitor without an id, OF_ADMIN one that `@cron` queued; the others are m23's. Those
# of a good mood, OPEN and RUNNING, are for m43 too, who has a pass, and for those who lead. No field has the name of
# UNDECLARED any more. Of GONE the first chunk is not kept.
DATA = f"""
INSERT INTO posts (id, title, owner) VALUES (1, 'Mine', 'm3'), (2, 'Open', 'm23'), (3, 'Secret', 'm23');
INSERT INTO passes (id, holder) VALUES (1, 'm43');
INSERT INTO clew.jobs (id, name, queue, status, attempt, viewer, arguments, result, error, message, caller)
VALUES
('{MINE}', 'print', 'press', 'SUCCEEDED', 2, 'm3', '{{"postId": 1, "mood": "BAD"}}', '1', NULL, NULL, '{{}}'),
('{OPEN}', 'print', 'press', 'SUCCEEDED', 1, 'm23', '{{"postId": 2, "mood": "GOOD"}}', '2', NULL, NULL, '{{}}'),
('{SECRET}', 'print', 'press', 'FAILED', 1, 'm23', '{{"postId": 3, "mood": "BAD"}}', NULL,
    'the secret of the audit', 'the secret of the audit', '{{}}'),
('{OF_NOBODY}', 'greet', 'default', 'SUCCEEDED', 1, NULL, '{{"name": "the secret of the audit"}}',
    '"the secret of the audit"', NULL, NULL, '{{}}'),
('{OF_ADMIN}', 'sweep', 'default', 'SUCCEEDED', 1, NULL, '{{"code": "the secret of the audit"}}', '7',
    NULL, NULL, '{{}}'),
('{UNDECLARED}', 'gone', 'default', 'SUCCEEDED', 1, 'm3', '{{}}', '"the secret of the audit"', NULL, NULL, '{{}}'),
('{GONE}', 'bind', 'default', 'RUNNING', 1, 'm23', '{{"copies": 7}}', NULL, NULL, NULL, '{{}}'),
('{QUEUED}', 'bind', 'default', 'QUEUED', 0, 'm23', '{{"copies": 8}}', NULL, NULL, NULL, '{{}}'),
('{RUNNING}', 'print', 'press', 'RUNNING', 1, 'm23', '{{"postId": 2, "mood": "GOOD"}}', NULL, NULL, NULL, '{{}}');
INSERT INTO clew.job_output (job, attempt, seq, part, kind, data, is_json, step) VALUES
('{MINE}', 1, 1, 0, 'token', 'of a run before', false, NULL),
('{MINE}', 2, 0, 0, 'reset', '', false, 'cut'),
('{MINE}', 2, 1, 0, 'token', 'one', false, NULL), ('{MINE}', 2, 2, 0, 'token', 'two', false, NULL),
('{OPEN}', 1, 1, 0, 'token', 'open', false, NULL), ('{RUNNING}', 1, 1, 0, 'token', 'open', false, NULL),
('{SECRET}', 1, 1, 0, 'token', 'the secret of the audit', false, NULL),
('{OF_NOBODY}', 1, 1, 0, 'token', 'the secret of the audit', false, NULL),
('{OF_ADMIN}', 1, 1, 0, 'token', 'the secret of the audit', false, NULL),
('{UNDECLARED}', 1, 1, 0, 'token', 'the secret of the audit', false, NULL),
('{GONE}', 1, 2, 0, 'token', 'the secret of the audit', false, NULL);
INSERT INTO clew.job_output_dropped (job, attempt, seq) VALUES ('{GONE}', 1, 1);
"""

_EVERYTHING = """
SELECT to_jsonb(j) FROM clew.jobs AS j UNION ALL SELECT to_jsonb(q) FROM clew.job_queue AS q
UNION ALL SELECT to_jsonb(d) FROM clew.job_delays AS d UNION ALL SELECT to_jsonb(p) FROM clew.job_pauses AS p
UNION ALL SELECT jsonb_build_object('chunks', count(*)) FROM clew.job_output
"""


@dataclass(frozen=True)
class Press:
    """A database with the rows, and Clew for it."""

    url: str
    clew: Clew

    async def fill(self, connection: asyncpg.Connection[Any]) -> None:
        """Bring the rows back that were there in the beginning."""
        await connection.execute(
            "BEGIN; TRUNCATE posts, passes, clew.jobs, clew.job_queue, clew.job_delays, clew.job_pauses,"
            f" clew.job_output, clew.job_output_dropped; {DATA}; COMMIT"
        )

    async def rows(self, connection: asyncpg.Connection[Any]) -> list[str]:
        """Every row about jobs."""
        return sorted(row for (row,) in await connection.fetch(_EVERYTHING))


@contextmanager
def make_press(server_url: str, root: Path) -> Iterator[Press]:
    """The application on this server, its project made in the empty folder `root`; dropped at the end."""
    (root / "graphql").mkdir()
    shutil.copy(HERE / "schema.graphql", root / "graphql")
    clew = Clew([query], project=root)

    async def never(ctx: JobContext, **_: Any) -> None:
        raise AssertionError("no worker runs")

    for name in ("print", "bind", "greet", "sweep"):
        clew.job(name)(never)
    with new_database(server_url) as url:
        press = Press(url, clew)

        async def prepare() -> None:
            await create_tables(url, clew.build()[0], logged=True)
            connection = await asyncpg.connect(url)
            try:
                await press.fill(connection)
            finally:
                await connection.close()

        asyncio.run(prepare())
        yield press
