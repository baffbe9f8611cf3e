"""Write revisions: `migrations/versions/NNNN_slug.py`, for people to read and edit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clew.errors import StartupError
from clew.migrate import objects
from clew.migrate.change import Change, Doubts
from clew.migrate.diff import diff
from clew.migrate.history import Paths, load_history, script_directory
from clew.migrate.renames import find_renames
from clew.migrate.scaffold import complete
from clew.migrate.snapshot import Snapshot, take_snapshot
from clew.migrate.store import StoredSchema, dump, read
from clew.migrate.text import execute_line
from clew.model.types import Model

_LONGEST_ID = 32  # alembic_version.version_num is a varchar(32)
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class MadeRevision:
    """A revision file that was written, and its changes."""

    revision: str
    path: Path
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The schemas before and after a migration that is not written yet, and the changes between them."""

    before: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]

    @property
    def installs(self) -> bool:
        return self.before.objects != self.after.objects

    @property
    def empty(self) -> bool:
        return not self.changes and not self.installs


def difference(root: Path, model: Model) -> Difference:
    """Compare the model with `migrations/schema.json`. Raise StartupError if that file is damaged."""
    before = read(Paths(root).schema).snapshot
    # If a newer Clew made the project, keep its objects.
    after = take_snapshot(model, max(objects.VERSION, before.objects))
    return Difference(before, after, diff(before, after, find_renames(model, before, after)))


def pending_changes(root: Path, model: Model) -> tuple[Change, ...]:
    """Return the changes of a migration that would be made now, in order. Their doubts must be confirmed.

    Args:
        root: the project's folder.
        model: its SDL's model.

    Raises:
        StartupError: `migrations/schema.json` is damaged.
    """
    return difference(root, model).changes


def require_written(root: Path, model: Model) -> None:
    """Refuse an SDL that the migrations do not lead to: its queries would use tables or columns that do not exist.

    Raises:
        StartupError: with the missing changes; or `migrations/schema.json` is damaged.
    """
    missing = difference(root, model)
    if missing.empty:
        return
    named = [change.summary for change in missing.changes if change.summary] or ["Clew's own objects"]
    listed = "".join(f"\n  - {summary}" for summary in named[:_MOST_NAMED])
    more = f"\n  - and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    raise StartupError(
        f"The SDL has changed since the last migration:{listed}{more}",
        "Write it with `clew migrate make -m TEXT`, and run it with `clew migrate up`.",
    )


def make(root: Path, model: Model, message: str, *, accept_loss: bool = False) -> MadeRevision | None:
    """Write the migration from the history to the model. If they agree, write nothing and return None.

    Args:
        root: the project's folder.
        model: its SDL's model.
        message: a description of the change, which becomes the file's name.
        accept_loss: write it even if it loses data or may fail on filled tables.

    Raises:
        StartupError: it loses data or may fail and that is not accepted, there are two heads, `schema.json` belongs to
            a revision that is not in the history, or the files cannot be written (then none of them is).
    """
    paths = Paths(root)
    history = load_history(root)
    stored = read(paths.schema)
    if stored.revision is not None and stored.revision not in history.revisions:
        raise StartupError(
            f"{paths.schema} describes revision {stored.revision}, which is not in migrations/versions.",
            "Bring that file back, or take schema.json and versions/ from the same commit.",
        )
    wanted = difference(root, model)
    if wanted.empty:
        return None
    refuse_loss(wanted.changes, accept_loss)
    complete(root)
    revision = revision_id(history.revisions, message)
    try:
        path = _write(paths, revision, history.head, message, wanted)
        paths.schema.write_text(dump(StoredSchema(revision, wanted.after)), encoding="utf-8")
    except OSError as error:
        # One file without the other would make the next revision wrong.
        with suppress(OSError):
            (root / "migrations" / "versions" / f"{revision}.py").unlink()
        raise StartupError(f"{error.filename or root} cannot be written: {error.strerror}.") from error
    return MadeRevision(revision, path, wanted.changes)


def refuse_loss(changes: Iterable[Change], accept_loss: bool) -> None:
    """Raise a StartupError that names every loss and every possible failure, unless they are accepted."""
    doubts = Doubts.of(changes)
    if doubts and not accept_loss:
        hint = "To accept this, confirm it (--yes)."
        if doubts.failures:
            hint += " Then edit the revision so that it fills or changes those rows first."
            hint += " Or give a required field a @default."
        if doubts.losses:
            hint += " To keep a column's or table's data under a new name, use @renamed(from:)."
        raise StartupError(str(doubts), hint)


def revision_id(existing: Sequence[str], message: str) -> str:
    """Return a name such as `0003_add_title`: the next number and the message's words, at most 32 characters."""
    # Ignore longer numbers. They may be Alembic's own names: twelve hexadecimal digits, which can all be decimal.
    numbers = [int(match[1]) for revision in existing if (match := re.match(r"(\d{4,8})(?:_|$)", revision))]
    number = f"{max([len(existing), *numbers]) + 1:04d}"
    slug = "_".join(re.findall(r"[a-z0-9]+", message.lower()))
    room = _LONGEST_ID - len(number) - 1
    if len(slug) > room:
        slug = slug[: room + 1].rpartition("_")[0] or slug[:room]
    return f"{number}_{slug}" if slug else number


def _write(paths: Paths, revision: str, head: str | None, message: str, wanted: Difference) -> Path:
    script = script_directory(paths)
    script.file_template = "%(rev)s"
    script.messaging_opts = {"quiet": True}
    imports = "\nfrom clew.migrate import install\n" if wanted.installs else ""
    made = script.generate_revision(
        revision,
        description(message, wanted.changes),
        head=head or "base",
        imports=imports,
        upgrades=function_body(upgrade_lines(wanted)),
        downgrades=function_body(downgrade_lines(wanted)),
    )
    if made is None or made.path is None:
        raise StartupError(f"Alembic did not write revision {revision}.")
    return Path(made.path)


def description(message: str, changes: Iterable[Change]) -> str:
    """Return the docstring: the message and a line for each change."""
    lines = [message.strip() or "Change the schema"]
    summaries = [change.summary + _doubt(change) for change in changes if change.summary]
    if summaries:
        lines += ["", *(f"- {summary}" for summary in summaries)]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f"{text}\n" if text.endswith('"') else text


def _doubt(change: Change) -> str:
    told = [f"loses {change.loses}"] if change.loses else []
    if change.may_fail:
        told.append(f"may fail: {change.may_fail}")
    return f" ({'; '.join(told)})" if told else ""


def upgrade_lines(wanted: Difference) -> Iterator[str]:
    """Yield the statements of `upgrade()` as Python source."""
    if wanted.installs:
        since = f", since={wanted.before.objects}" if wanted.before.objects else ""
        yield f"install(op, {wanted.after.objects}{since})"
    for change in wanted.changes:
        yield from (execute_line(sql) for sql in change.up)


def downgrade_lines(wanted: Difference) -> Iterator[str]:
    """Yield the statements of `downgrade()` as Python source."""
    for change in reversed(wanted.changes):
        yield from (execute_line(sql) for sql in change.down)
    if wanted.installs:
        yield f"install(op, {wanted.before.objects}, since={wanted.after.objects})"


def function_body(lines: Iterable[str]) -> str:
    # Only the first line is indented: the further lines of a statement are within a string.
    return "\n    ".join(lines) or "pass"
