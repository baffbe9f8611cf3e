"""The hand-written statement of each case that is the fastest here, in a file that the bare peer reads.

The bare peer is the limit: what an expert could serve without Clew. Which of several statements that is depends on the
shape, the sizes, the version of Postgres and the settings of the session, so all are tried. None is Clew's.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from bench.cases import CASES, Case
from bench.handwritten import Writer, forms_for

# Of the server as it is, and for a machine whose disk is no spinning one.
SESSIONS: Mapping[str, Mapping[str, str]] = {
    "usual settings": {},
    "random_page_cost=1.1": {"jit": "off", "random_page_cost": "1.1"},
}
_RUNS = 40


@dataclass(frozen=True, slots=True)
class Statement:
    """A case's SQL. It returns one row with one JSON column, for the root response key `key`.

    Attributes:
        arguments: the operation's variables that `$1`... are.
        session: settings of the session to run it on.
        form: how it is written, for the report.
    """

    sql: str
    key: str
    arguments: tuple[str, ...]
    session: Mapping[str, str] = field(default_factory=dict)
    form: str = ""


async def choose(url: str, scale: int, cases: Sequence[Case] = CASES) -> dict[str, Statement]:
    """Try every hand-written statement of the cases on the database; the fastest of each."""
    sessions = {name: await asyncpg.connect(url, server_settings=dict(SESSIONS[name])) for name in SESSIONS}
    try:
        found = {case.name: await _fastest(case, scale, sessions) for case in cases}
    finally:
        for session in sessions.values():
            await session.close()
    return found


def write_statements(statements: Mapping[str, Statement], file: Path) -> None:
    """Write what the bare peer reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: asdict(one) for name, one in statements.items()}, indent=2) + "\n")


def read_statements(file: Path) -> dict[str, Statement]:
    """What `write_statements` wrote."""
    return {
        name: Statement(**{**raw, "arguments": tuple(raw["arguments"])})
        for name, raw in json.loads(file.read_text()).items()
    }


def handwritten(case: Case) -> list[Statement]:
    """Every way in which a case is written by hand."""
    found = []
    by_hand = case.by_hand
    assert by_hand is not None, case.name
    for form in forms_for(by_hand.tree, is_one=by_hand.is_one):
        writer = Writer(form)
        json_ = (writer.one_of if by_hand.is_one else writer.list_of)(by_hand.source, by_hand.tree)
        sql = f"SELECT convert_to(({json_})::text, 'UTF8')"
        found.append(Statement(sql, by_hand.key, tuple(case.sample(1, 1)[0]), {}, form.name))
    return found


async def _fastest(case: Case, scale: int, sessions: Mapping[str, Any]) -> Statement:
    samples = case.sample(scale, _RUNS)
    times: dict[tuple[str, int], float] = {}
    statements = handwritten(case)
    for name, session in sessions.items():
        for index, statement in enumerate(statements):
            took = []
            for variables in samples:
                start = time.perf_counter()
                await session.fetch(statement.sql, *variables.values())
                took.append(time.perf_counter() - start)
            # The first runs plan anew each time.
            times[name, index] = statistics.median(took[_RUNS // 4 :])
    name, index = min(times, key=lambda tried: times[tried])
    best = statements[index]
    return Statement(best.sql, best.key, best.arguments, SESSIONS[name], f"{best.form}, {name}")
