"""Alembic's own commands: `alembic check` compares with the live database, `--autogenerate` writes Clew's revision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util.messaging import msg as print_stdout

from clew.migrate.history import Paths
from clew.migrate.revisions import make
from clew.migrate.store import read
from clew.model.types import Model
from clew.sql.tables import build_tables

_COMPARES = ("check", "revision")
PLUGINS = ("alembic.autogenerate.*", "alembic.ext.checkconstraint_byname")


def load_project_model(root: Path) -> Model:
    """Return the model of the project's `graphql/` folder. Raise SchemaError if it is not valid."""
    from clew.model.build import load_model

    return load_model(root / "graphql")


def _command(config: Config) -> str | None:
    command = getattr(config.cmd_opts, "cmd", None)
    return None if command is None else str(command[0].__name__)


def _wants_model(config: Config) -> bool:
    """Return whether the command needs the SDL. Upgrades do not: they must work even if the SDL is broken."""
    command = _command(config)
    if command == "revision":
        return bool(getattr(config.cmd_opts, "autogenerate", False))
    return command in _COMPARES


def options(config: Config, root: Path) -> dict[str, Any]:
    """Return the arguments of `context.configure` for comparing."""
    metadata: sa.MetaData | None = config.attributes.get("metadata")
    model: Model | None = config.attributes.get("model")
    if model is None and metadata is None and _wants_model(config):
        model = load_project_model(root)
    if metadata is None:
        metadata = sa.MetaData() if model is None else build_tables(model).metadata
    autogenerating = model is not None and getattr(config.cmd_opts, "autogenerate", False)
    return {
        "target_metadata": metadata,
        "compare_type": True,
        "compare_server_default": True,
        "include_schemas": any(table.schema for table in metadata.tables.values()),
        "include_name": _include_name(metadata),
        "include_object": _include_object(root),
        "autogenerate_plugins": PLUGINS,
        "process_revision_directives": _write_own(root, model) if model is not None and autogenerating else None,
    }


def _include_name(metadata: sa.MetaData) -> Callable[[str | None, str, Any], bool]:
    schemas = {table.schema for table in metadata.tables.values()} | {None}

    def include_name(name: str | None, kind: str, _parents: Any) -> bool:
        return name in schemas if kind == "schema" else True

    return include_name


def _include_object(root: Path) -> Callable[[Any, str | None, str, bool, Any], bool]:
    """Return a filter that skips tables of the database that no migration of this project made."""
    ours = {(table.schema, table.name) for table in read(Paths(root).schema).snapshot.tables.values()}

    def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        return kind != "table" or not reflected or compare_to is not None or (item.schema, name) in ours

    return include_object


def _write_own(root: Path, model: Model) -> Callable[[MigrationContext, Any, list[ops.MigrationScript]], None]:
    """Return a hook that makes `alembic revision --autogenerate` work like `clew migrate make` without `--yes`."""

    def process(_context: MigrationContext, _revision: Any, directives: list[ops.MigrationScript]) -> None:
        message = directives[0].message or "change the schema"
        directives.clear()
        made = make(root, model, message)
        print_stdout("Nothing has changed." if made is None else f"Wrote {made.path}")

    return process
