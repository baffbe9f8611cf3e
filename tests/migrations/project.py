"""A project in a temporary folder, and questions to its database."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from clew.migrate import run
from clew.migrate.autogenerate import PLUGINS
from clew.migrate.connect import migration_engine
from clew.migrate.revisions import MadeRevision, make
from clew.model.types import Model
from clew.sql.tables import build_tables

REPOSITORY = Path(__file__).parents[2]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Project:
    """A project folder and its database."""

    root: Path
    url: str

    def make(self, model: Model, message: str = "change", *, accept_loss: bool = False) -> MadeRevision | None:
        return make(self.root, model, message, accept_loss=accept_loss)

    def up(self, target: str = "head") -> run.Status:
        return asyncio.run(run.upgrade(self.root, self.url, target))

    def down(self, target: str = "-1") -> run.Status:
        return asyncio.run(run.downgrade(self.root, self.url, target))

    def status(self) -> run.Status:
        return asyncio.run(run.status(self.root, self.url))

    def migrate(self, model: Model, message: str = "change") -> MadeRevision:
        """Make and run one migration, whatever it loses."""
        made = self.make(model, message, accept_loss=True)
        assert made is not None, "there was nothing to migrate"
        self.up()
        return made

    def ask(self, question: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]) -> _T:
        async def asking() -> _T:
            connection = await asyncpg.connect(self.url)
            try:
                return await question(connection)
            finally:
                await connection.close()

        return asyncio.run(asking())

    def execute(self, sql: str) -> None:
        self.ask(lambda connection: connection.execute(sql))

    def value(self, sql: str) -> Any:
        return self.ask(lambda connection: connection.fetchval(sql))

    def rows(self, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of all these statements."""

        async def fetch(connection: asyncpg.Connection[Any]) -> list[tuple[Any, ...]]:
            return [tuple(row) for statement in statements for row in await connection.fetch(statement)]

        return self.ask(fetch)

    def differences(self, model: Model) -> list[Any]:
        """What Alembic's own comparison finds between the database and the model."""

        def compare(connection: sa.Connection) -> list[Any]:
            metadata = build_tables(model).metadata
            context = MigrationContext.configure(
                connection,
                opts={
                    "compare_type": True,
                    "compare_server_default": True,
                    "include_schemas": True,
                    "include_name": lambda name, kind, _: kind != "schema" or name in (None, "shop", "archive"),
                    "autogenerate_plugins": PLUGINS,
                    "target_metadata": metadata,
                },
            )
            return list(compare_metadata(context, metadata))

        async def comparing() -> list[Any]:
            async with migration_engine(self.url) as engine, engine.connect() as connection:
                return await connection.run_sync(compare)

        return asyncio.run(comparing())

    def schema(self) -> list[tuple[Any, ...]]:
        """The whole schema from Postgres' catalogue, in no order that history could leave a mark on."""
        return self.rows(*_CATALOGUE)


_OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relname NOT LIKE 'alembic%'"
_CATALOGUE = (
    f"""SELECT 'column', c.oid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid),
               col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v') ORDER BY 2, 3""",
    f"""SELECT 'table', c.oid::regclass::text, obj_description(c.oid, 'pg_class') FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND c.relkind IN ('r', 'v') ORDER BY 2""",
    f"""SELECT 'constraint', c.oid::regclass::text, o.conname, pg_get_constraintdef(o.oid) FROM pg_constraint o
        JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS} ORDER BY 2, 3""",
    f"""SELECT 'index', pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} ORDER BY 2""",
    f"""SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND c.relkind = 'v' ORDER BY 2""",
    f"""SELECT 'trigger', pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND NOT t.tgisinternal ORDER BY 2""",
    f"""SELECT 'sequence', c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS} AND c.relkind = 'S' ORDER BY 2""",
    """SELECT 'function', p.oid::regprocedure::text, p.prosrc FROM pg_proc p
       JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'clew' ORDER BY 2""",
)


def new_project(root: Path, url: str) -> Project:
    """A project folder with this repository's own alembic.ini and env.py."""
    (root / "migrations" / "versions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "alembic.ini", root)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(REPOSITORY / "migrations" / name, root / "migrations")
    return Project(root, url)


def command(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run plain `alembic` in the project's folder, as a process that imports all anew."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "DATABASE_URL": project.url, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
