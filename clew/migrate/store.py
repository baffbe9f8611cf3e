"""`migrations/schema.json`: the schema that the migrations lead to, with one item a line so that git can merge it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clew.errors import StartupError
from clew.migrate.snapshot import Column, ForeignKey, Snapshot, Table, View

_TABLE_GROUPS = ("columns", "constraints", "foreign_keys", "indexes", "triggers")


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A snapshot and the revision that leads to it. The revision is None before the first migration."""

    revision: str | None
    snapshot: Snapshot


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _without_defaults(item: Column | ForeignKey) -> dict[str, Any]:
    blank = Column(type="") if isinstance(item, Column) else ForeignKey((), "", ())
    return {key: value for key, value in asdict(item).items() if value != getattr(blank, key)}


def _group(name: str, lines: list[str], indent: str) -> Iterator[str]:
    if not lines:
        yield f"{indent}{_line(name)}: {{}}"
        return
    yield f"{indent}{_line(name)}: {{"
    for position, line in enumerate(lines):
        yield f"{indent}  {line}{',' if position < len(lines) - 1 else ''}"
    yield f"{indent}}}"


def _with_commas(groups: list[list[str]]) -> Iterator[str]:
    for position, lines in enumerate(groups):
        yield from lines[:-1]
        yield lines[-1] + ("," if position < len(groups) - 1 else "")


def _table_lines(key: str, table: Table) -> list[str]:
    names = ("name", "schema", "entity", "comment", "logged")
    heads = [[f"      {_line(name)}: {_line(getattr(table, name))}"] for name in names]
    groups = []
    for group in _TABLE_GROUPS:
        items: Mapping[str, Any] = getattr(table, group)
        lines = [
            f"{_line(name)}: {_line(item if isinstance(item, str) else _without_defaults(item))}"
            for name, item in items.items()
        ]
        groups.append(list(_group(group, lines, "      ")))
    return [f"    {_line(key)}: {{", *_with_commas([*heads, *groups]), "    }"]


def dump(stored: StoredSchema) -> str:
    """Return the text of `schema.json`. Columns keep the order of their table. Everything else is sorted."""
    snapshot = stored.snapshot
    tables = list(_with_commas([_table_lines(key, table) for key, table in snapshot.tables.items()]))
    views = [f"{_line(key)}: {_line(asdict(view))}" for key, view in snapshot.views.items()]
    functions = [f"{_line(key)}: {_line(text)}" for key, text in snapshot.functions.items()]
    parts = [
        [f'  "revision": {_line(stored.revision)}'],
        [f'  "objects": {snapshot.objects}'],
        list(_group("functions", functions, "  ")),
        ['  "tables": {', *tables, "  }"],
        list(_group("views", views, "  ")),
    ]
    return "\n".join(["{", *_with_commas(parts), "}", ""])


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def parse(text: str) -> StoredSchema:
    """Read the text of `dump`. Raise ValueError, KeyError or TypeError if it is not such a text."""
    data = json.loads(text)
    tables = {
        key: Table(
            **{
                **table,
                "columns": {name: Column(**_tuples(item)) for name, item in table["columns"].items()},
                "foreign_keys": {name: ForeignKey(**_tuples(item)) for name, item in table["foreign_keys"].items()},
            }
        )
        for key, table in data["tables"].items()
    }
    views = {key: View(**view) for key, view in data["views"].items()}
    return StoredSchema(data["revision"], Snapshot(tables, views, data["functions"], data["objects"]))


def read(path: Path) -> StoredSchema:
    """Return the stored schema, or an empty one without the file. Raise StartupError if the file is damaged."""
    if not path.exists():
        return StoredSchema(None, Snapshot())
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise StartupError(
            f"{path} cannot be read: {error}",
            "It is made by `clew migrate make`. After a git conflict keep the lines of both sides; "
            "otherwise take the last committed version.",
        ) from error
