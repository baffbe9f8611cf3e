"""Chinook databases at both scales, made once and kept in the embedded Postgres under `bench/.data`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from bench.chinook import generate as generator
from bench.paths import DATA, ROOT, SCHEMA

_MARK = "bench.fingerprint"

# What a project needs for migrations; the repository's own are those of any project.
_SCAFFOLD = ("alembic.ini", "migrations/env.py", "migrations/script.py.mako")


async def prepare(server_url: str, scale: int, project: Path) -> str:
    """The URL of a filled record shop of this scale; made anew if the SDL or the generator changed.

    Args:
        server_url: any database of the server, as a role that may create databases.
        scale: 1 or more.
        project: the Clew project of the same SDL, whose migrations make the tables.
    """
    sources = [file.read_bytes() for file in sorted(Path(generator.__file__).parent.glob("*.py"))]
    made_from = [str(scale).encode(), *sources]
    return await prepare_database(server_url, f"chinook_{scale}x", project, made_from, lambda url: fill(url, scale))


async def prepare_database(
    server_url: str, name: str, project: Path, made_from: Iterable[bytes], fill: Callable[[str], Awaitable[None]]
) -> str:
    """The URL of the database `name`, migrated and filled; made anew if the migrations or `made_from` changed.

    Args:
        server_url: any database of the server, as a role that may create databases.
        made_from: all that the rows depend on.
        fill: puts the rows into the empty tables of the database at a URL.
    """
    url = _with_database(server_url, name)
    fingerprint = _fingerprint(project, made_from)
    admin = await asyncpg.connect(server_url)
    try:
        if await _comment(admin, name) == fingerprint:
            return url
        print(f"Making {name} ...", flush=True)
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
        migrate(project, url)
        await fill(url)
        # Written last: a run that was interrupted before does not count.
        await admin.execute(f"COMMENT ON DATABASE \"{name}\" IS '{fingerprint}'")
    finally:
        await admin.close()
    return url


async def fill(url: str, scale: int) -> None:
    """Copy the generated rows into the empty tables."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for table in generator.generate(scale):
                await connection.copy_records_to_table(table.name, columns=table.columns, records=table.rows)
        # Rows came with their keys, so the sequences have to follow; and the planner wants statistics.
        for table_name in (*generator.COUNTS, "genres", "media_types", "employees"):
            if table_name != "playlist_tracks":
                await connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table_name}', 'id'), max(id)) FROM {table_name}"
                )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def make_project(sdl: str, name: str) -> Path:
    """A Clew project under `bench/.data` with this SDL, its migration and no Python; kept while the SDL is the same."""
    project = DATA / "projects" / name
    file = project / "graphql" / "schema.graphql"
    if not file.exists() or file.read_text() != sdl:
        shutil.rmtree(project, ignore_errors=True)
        file.parent.mkdir(parents=True)
        file.write_text(sdl)
        (project / "migrations" / "versions").mkdir(parents=True)
        for name_in_project in _SCAFFOLD:
            shutil.copy(ROOT / name_in_project, project / name_in_project)
    # Writes nothing if the migrations there agree with the SDL.
    clew(project, "migrate", "make", "-m", "benchmark", "--yes")
    return project


def chinook_project() -> Path:
    """The project of the record shop."""
    return make_project(SCHEMA.read_text(), "chinook")


def migrate(project: Path, url: str) -> None:
    """Bring the database to the project's schema with Clew's own migrations."""
    clew(project, "migrate", "up", DATABASE_URL=url)


def clew(project: Path, *arguments: str, **environment: str) -> str:
    """Run a `clew` command on the project; what it printed.

    Raises:
        RuntimeError: it failed, with what it printed.
    """
    command = [sys.executable, "-m", "clew.cli", *arguments, "--project", str(project)]
    settings = {**os.environ, "CLEW_ENV": "dev", **environment}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _fingerprint(project: Path, made_from: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in (*made_from, *(file.read_bytes() for file in sorted((project / "migrations").rglob("*.py")))):
        digest.update(part)
    return f"{_MARK}:{digest.hexdigest()[:16]}"


async def _comment(connection: asyncpg.Connection[asyncpg.Record], name: str) -> str | None:
    comment: str | None = await connection.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name
    )
    return comment


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name)}"))
