"""Run the seed once: if the database is empty and was not seeded before."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from clew.entry_points import Seed
from clew.errors import StartupError
from clew.project import Project, failure_of

# The project's own tables, without Clew's and Alembic's.
TABLES = sa.text(
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'alembic_version' "
    "AND n.nspname NOT IN ('information_schema', 'clew') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2"
)
# The number is not enough: the first database of each server has the same.
IDENTITY = sa.text(
    "SELECT datname || ':' || oid || ':' || (SELECT system_identifier FROM pg_control_system()) "
    "FROM pg_database WHERE datname = current_database()"
)


async def seed_once(project: Project, seed: Seed, connection: AsyncConnection) -> bool:
    """Run `seed` in one transaction of `connection`. Return True if it ran.

    It does not run if any table has a row, or if it ran before on this database. So demo data
    that a developer deleted does not come back.

    Raises:
        StartupError: it failed. The database is unchanged.
    """
    record = project.state_dir / "seeded"
    async with connection.begin():
        identity = (await connection.execute(IDENTITY)).scalar_one()
        if identity in _seeded(record) or not await _is_empty(connection):
            return False
        try:
            await seed(connection)
        except Exception as error:
            if isinstance(error, sa.exc.StatementError):
                error.hide_parameters = True  # the parameters may be thousands of rows
            problem = failure_of(project, error)
            raise StartupError(
                f'[tool.clew] seed = "{project.seed}" failed; nothing was written.\n{problem}'
            ) from error
    record.parent.mkdir(exist_ok=True)
    record.write_text("\n".join([*_seeded(record), identity]) + "\n")
    return True


async def _is_empty(connection: AsyncConnection) -> bool:
    for schema, table in (await connection.execute(TABLES)).all():
        rows = sa.table(table, schema=schema)
        if (await connection.execute(sa.select(sa.exists(sa.select(sa.literal(1)).select_from(rows))))).scalar_one():
            return False
    return True


def _seeded(record: Path) -> list[str]:
    try:
        return record.read_text().split()
    except FileNotFoundError:
        return []
