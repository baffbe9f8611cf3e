"""Clew's own database objects, as numbered SQL steps that revisions apply.

Each `NNNN_name.sql` in this folder is one step. It holds statements that each end with a line `--;;`, then a
line `-- down`, then the statements that undo the step. Steps are idempotent. A released step is never edited,
because revisions in users' projects name it by number. A new step is applied by their next `clew migrate make`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Protocol


class Operations(Protocol):
    """The part of `alembic.op` that Clew uses."""

    def execute(self, sqltext: str) -> None: ...


@cache
def _steps() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    texts = sorted((file.name, file) for file in files(__name__).iterdir() if file.name.endswith(".sql"))
    return tuple(_step(file.read_text(encoding="utf-8")) for _, file in texts)


def _step(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    up, _, down = text.partition("\n-- down\n")
    return _statements(up), _statements(down)


def _statements(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in f"\n{text}\n".split("\n--;;\n") if part.strip())


VERSION = len(_steps())


def statements(version: int, since: int = 0) -> tuple[str, ...]:
    """Return the SQL from step `since` to step `version`. A lower `version` undoes steps."""
    if version >= since:
        return tuple(sql for up, _ in _steps()[since:version] for sql in up)
    return tuple(sql for _, down in reversed(_steps()[version:since]) for sql in down)
