"""Logs: one line an event, no control characters, no row values."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from clew.observe import get_logger, printable, setup_logging

LEAKY = "duplicate key\nDETAIL:  Key (email)=(ada@example.com) exists.\n[parameters: ('ada',)]"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "watchfiles", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
    structlog.reset_defaults()


def test_production_logs_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", "json")
    get_logger("clew.test").info("it happened", count=3)
    get_logger("clew.test").debug("not this")
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["event"], found["count"], found["level"], found["logger"]) == ("it happened", 3, "info", "clew.test")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_control_character_reaches_the_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", "json" if form == "json" else "console")
    get_logger("clew.test").warning("a\nb", name="\x1b[31mred\x00\u2028\x85")
    logging.getLogger("uvicorn.error").warning("c\r\nd")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    assert not any(character in written for character in "\x1b\x00\r\u2028\x85")


def test_uvicorns_loggers_say_only_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", "json")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").info("GET /")
    assert capsys.readouterr().err == ""
    logging.getLogger("uvicorn.error").error("it broke")
    assert json.loads(capsys.readouterr().err)["event"] == "it broke"


def test_a_traceback_holds_no_row_values(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", "json")
    try:
        raise ValueError(LEAKY)
    except ValueError:
        get_logger("clew.test").exception("it failed")
    written = capsys.readouterr().err
    assert "duplicate key" in written
    assert "ada" not in written


def test_endless_text_is_cut() -> None:
    assert len(printable("x" * 100_000)) < 9000
