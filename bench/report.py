"""The numbers as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.cases import Case
from bench.load import Measurement

_PEERS = """\
`bare` is a handler written by hand with Starlette, asyncpg's pool without a reset, and the fastest of
several hand-written statements, none of which is Clew's. It parses no GraphQL and checks nothing. Clew can
still come out ahead: it is pure ASGI, with a thinner pool.
`postgraphile` is PostGraphile 5 under Node 22, with lists instead of connections and no transaction around a
request. `strawberry` is Strawberry with SQLAlchemy. It loads only the columns that the operation selects, by a
join or by one more query, and it keeps parsed and validated documents.

Rounds are interleaved, and a ratio compares two neighbouring runs. Before measuring, all peers gave equal
answers."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case at one scale: the measurements of each peer, one a round, in the order of the rounds.

    `memory` is the MiB that each peer's process has after that.
    """

    case: Case
    scale: int
    rounds: Mapping[str, Sequence[Measurement]]
    memory: Mapping[str, float] = field(default_factory=dict)

    def rates(self, peer: str) -> list[float]:
        """Requests a second, one number a round."""
        return [measurement.requests_per_second for measurement in self.rounds[peer]]

    def ratios(self, peer: str, other: str) -> list[float]:
        """How fast `peer` is compared with `other`, round by round."""
        return [mine / theirs for mine, theirs in zip(self.rates(peer), self.rates(other), strict=True)]


def span(numbers: Sequence[float], show: Callable[[float], str]) -> str:
    """`min / median / max`."""
    return " / ".join(show(number) for number in (min(numbers), statistics.median(numbers), max(numbers)))


_WORST_END = "The ratios, by rows"


def worst_cells(page: str) -> list[str]:
    """The parts of `MATRIX.md` that say where Clew is furthest behind, one for each version of Postgres."""
    lines: list[str] = []
    for section in page.split("\n## ")[1:]:
        heading, _, rest = section.partition(_WORST_END)[0].partition("\n")
        lines += [f"### {heading}", *rest.rstrip().splitlines(), ""]
    return lines


def render(results: Sequence[CaseResult], *, subject: str, command: str, postgres: str, settings: str) -> str:
    """The whole page. `subject` is the peer that the others are compared with; the rest is said of the run."""
    lines = [
        "# Results",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}. Every triple is min / median / max over the rounds.",
        "",
        *machine(postgres),
        f"- {settings}",
        "",
        *_PEERS.splitlines(),
        "",
        "![Requests a second](results.svg)",
    ]
    for scale in dict.fromkeys(result.scale for result in results):
        lines += ["", f"## Chinook-shaped data, {scale}x"]
        for result in (result for result in results if result.scale == scale):
            lines += ["", f"### {result.case.title} (`{result.case.name}`)", "", *_table(result, subject)]
    if results[-1].memory:
        shown = ", ".join(f"{peer} {memory:,.0f} MiB" for peer, memory in results[-1].memory.items())
        lines += ["", f"Memory of each server's process after all that: {shown}."]
    return "\n".join(lines) + "\n"


def _table(result: CaseResult, subject: str) -> list[str]:
    lines = [
        f"| peer | requests/s | {subject} / peer | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for peer, rounds in result.rounds.items():
        ratio = "" if peer == subject else span(result.ratios(subject, peer), lambda n: f"{n:.2f}")
        rates = span(result.rates(peer), lambda n: f"{n:,.0f}")
        p50 = span([m.p50 for m in rounds], lambda n: f"{n:.2f}")
        p99 = span([m.p99 for m in rounds], lambda n: f"{n:.2f}")
        lines.append(f"| {peer} | {rates} | {ratio} | {p50} | {p99} |")
    return lines


def machine(postgres: str) -> list[str]:
    """What it ran on, as a list."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "starlette", "asyncpg", "graphql-core"))
    return [
        f"- {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"- Python {platform.python_version()}, Postgres {postgres}, {libraries}",
        *([] if (groups := _groups()) is None else [f"- Processes grouped by session: {groups}"]),
    ]


def _groups() -> str | None:
    """Whether the kernel shares out processors by session, which `bench/README.md` tells of. None: unknown."""
    try:
        is_on = Path("/proc/sys/kernel/sched_autogroup_enabled").read_text().strip() != "0"
    except OSError:
        return None
    return "yes" if is_on else "no"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
