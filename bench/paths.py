"""Where the benchmark's files are. `DATA` is a cache: it can be deleted at any time."""

from __future__ import annotations

from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
DATA = BENCH / ".data"
SCHEMA = BENCH / "chinook" / "schema.graphql"
STATEMENTS = DATA / "statements.json"
RESULTS = BENCH / "RESULTS.md"
BARS = BENCH / "results.svg"
MATRIX = BENCH / "MATRIX.md"
