"""Logs: JSON lines in production, a console format in dev. The standard library's loggers use the same output.

A line never holds a control character. Log events, names and numbers, but never variables or row
values.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

# C0, DEL and C1, and the two separators that some viewers show as line ends.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 8000

# Tracebacks keep their lines, but lose the row values that Postgres and SQLAlchemy put into their messages.
_TRACEBACKS = frozenset({"exception", "stack"})
_ROW_VALUES = re.compile(r"(?m)^(DETAIL: ).*$|\[parameters: .*\]$")


def setup_logging(level: str = "info", form: Literal["json", "console"] = "json") -> None:
    """Send structlog and the standard library's loggers, also uvicorn's, to standard error.

    Args:
        level: the lowest level to log: debug, info, warning or error.
        form: `json`, one object a line, or `console`, for people.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if form == "json" else "%H:%M:%S", utc=form == "json"),
        structlog.processors.StackInfoRenderer(),
    ]
    text: Processor = structlog.processors.JSONRenderer()
    if form == "console":
        plain = structlog.dev.plain_traceback
        text = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    renderer: list[Processor] = [structlog.processors.format_exc_info, strip_control, text]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # uvicorn logs every socket that it opens, alembic every step, watchfiles every file.
    for name in ("uvicorn", "uvicorn.error", "alembic", "watchfiles", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(number, logging.WARNING))
    # One line counts the requests that a shutdown had to cancel. The traceback of each adds nothing.
    logging.getLogger("uvicorn.error").filters[:] = [_not_cancelled]
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False


def _not_cancelled(record: logging.LogRecord) -> bool:
    return record.exc_info is None or record.exc_info[0] is not asyncio.CancelledError


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger called `name` (`clew.wire`). A call below the level costs next to nothing."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


def strip_control(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean an event's texts, as a structlog processor: escape control characters, cut long texts, drop row values."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _traceback(value) if key in _TRACEBACKS else printable(value)
    return event


def _traceback(text: str) -> str:
    lines = _ROW_VALUES.sub(lambda match: f"{match[1] or '[parameters: '}...", text).split("\n")
    return "\n".join(printable(line) for line in lines)


def printable(text: str) -> str:
    """Return `text` with its control characters as escapes (`\\x1b`), cut at 8,000 characters."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), cut)
