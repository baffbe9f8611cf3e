"""The depot: a project with every kind of value, and with tables that take a while to export."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from clew import Clew
from clew.config import Settings
from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from clew.wire.application import Application
from tests.auth.tokens import SECRET, claims, hs256
from tests.databases import empty_database

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
ROWS = 1_000_000

DATA = f"""
INSERT INTO items (id, text) SELECT n, 'text of the item ' || n FROM generate_series(1, {ROWS}) AS n;
INSERT INTO secrets (id, owner, text, done, memo, closed, own) VALUES
(1, 'ada', 'one', false, 'a', 'x', 'o'),
(2, 'ada', 'two', true, 'b', 'x', 'o'), (3, 'bo', 'three', true, 'c', 'x', 'o');
INSERT INTO pages (id, secret_id, text) VALUES (1, 1, 'p1'), (2, 2, 'p2'), (3, 3, 'p3');
ANALYZE items;
"""


@dataclass
class Depot:
    """A database, and Clew for it."""

    url: str
    root: Path
    clew: Clew

    def app(self, **settings: Any) -> Application:
        """The ASGI app with these settings, as production has it."""
        given = {
            "DATABASE_URL": self.url,
            "env": "production",
            "admin_secret": ADMIN_SECRET,
            "jwt_secret": SECRET,
            "secret": SECRET[::-1],
            **settings,
        }
        return self.clew.asgi(Settings.model_validate(given))


def bearer(sub: str, *roles: str, **more: Any) -> dict[str, str]:
    """The headers of a user."""
    return {
        "authorization": f"Bearer {hs256(claims(**{'sub': sub, 'roles': list(roles), 'exp': 4_000_000_000, **more}))}"
    }


@contextmanager
def make_depot(server_url: str, root: Path) -> Iterator[Depot]:
    """A depot on this server, its project made in the empty folder `root`; dropped at the end."""
    shutil.copytree(HERE / "graphql", root / "graphql")
    (root / "pyproject.toml").write_text('[project]\nname = "depot"\n')
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "migrations" / "versions").mkdir()
    clew = Clew(project=root)
    model, _ = clew.build()

    async def fill(url: str) -> None:
        await upgrade(root, url)
        connection = await asyncpg.connect(url)
        await connection.execute(DATA)
        await connection.close()

    with empty_database(server_url, "depot") as url:
        make(root, model, "depot")
        asyncio.run(fill(url))
        yield Depot(url, root, clew)
