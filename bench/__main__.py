"""`python -m bench`: Clew beside its peers (SPEC 12)."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import asyncpg

from bench.cases import CASES, Case, case
from bench.database import chinook_project, prepare
from bench.load import LoadError, require_wrk
from bench.measure import Options, measure
from bench.paths import BARS, DATA, MATRIX, RESULTS, STATEMENTS
from bench.peers import BarePeer, ClewPeer, Peer, PostGraphilePeer, StrawberryPeer
from bench.plot import bars
from bench.report import CaseResult, render, span, worst_cells
from bench.statements import choose, write_statements
from bench.verify import AnswersDiffer
from clew.database.embedded import embedded_postgres

_MATRIX = """## Statements alone

Clew's statements beside the best hand-written ones, through asyncpg, without HTTP: the whole is in
[MATRIX.md](MATRIX.md), and how it was made. These are the cells in which Clew is furthest behind."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    parsed = _parser().parse_args(arguments)
    scales = (1, 100) if parsed.scale == "both" else (int(parsed.scale),)
    cases = CASES if parsed.only is None else (case(parsed.only),)
    options = Options(seconds=parsed.seconds, rounds=parsed.rounds, connections=parsed.connections)
    command = "python -m bench " + " ".join(arguments if arguments is not None else sys.argv[1:])
    # Who runs this on a busy machine should see in the report why the numbers scatter.
    busy = os.getloadavg()[0]
    try:
        require_wrk()
        with embedded_postgres(DATA / "postgres") as url:
            results = [result for scale in scales for result in _run(url, scale, cases, options, parsed.control)]
            postgres = asyncio.run(_postgres_version(url))
    except (LoadError, AnswersDiffer) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    settings = (
        f"1 server process each (uvicorn, uvloop, httptools, 10 database connections), wrk with {options.connections} "
        f"connections, {options.rounds} rounds of {options.seconds:g} s; load average before: {busy:.2f}"
    )
    page = render(results, subject="clew", command=command.strip(), postgres=postgres, settings=settings)
    if MATRIX.exists():
        page = "\n".join([page, _MATRIX, "", *worst_cells(MATRIX.read_text())]).rstrip() + "\n"
    print(page)
    if parsed.only is None:
        RESULTS.write_text(page)
        BARS.write_text(bars(results, "clew"))
        print(f"Written to {RESULTS}.")
    return 0


def _run(server_url: str, scale: int, cases: Sequence[Case], options: Options, control: bool) -> list[CaseResult]:
    project = chinook_project()
    url = asyncio.run(prepare(server_url, scale, project))
    statements = asyncio.run(choose(url, scale, cases))
    for name, statement in statements.items():
        print(f"{scale}x {name}: bare is {statement.form}", flush=True)
    write_statements(statements, STATEMENTS)
    everybody: list[Peer] = [ClewPeer(url, project), BarePeer(url, STATEMENTS)]
    everybody += [PostGraphilePeer(url), StrawberryPeer(url)]
    if control:
        everybody.append(BarePeer(url, STATEMENTS, name="control"))
    peers = {peer.name: peer for peer in everybody}
    results: list[CaseResult] = []
    with ExitStack() as stack:
        urls: dict[str, str] = {}
        for name, peer in peers.items():
            stack.callback(peer.stop)
            urls[name] = peer.start()
        for one in cases:
            result = measure(one, peers, urls, scale, options)
            ratio = span(result.ratios("clew", "bare"), lambda n: f"{n:.2f}")
            print(f"{scale}x {one.name}: clew / bare {ratio}", flush=True)
            results.append(result)
    return results


async def _postgres_version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--scale", choices=("1", "100", "both"), default="both", help="size of the data (both)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run (5)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each peer and case (5)")
    parser.add_argument("--connections", type=int, default=16, help="kept-alive connections (16)")
    parser.add_argument("--only", metavar="CASE", choices=[c.name for c in CASES], help="one case; writes no file")
    parser.add_argument(
        "--control", action="store_true", help="also a second bare server: how far two equal peers differ"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
