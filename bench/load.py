"""The load generator: `wrk`, in a process of its own, with bodies that vary.

Only wrk: a generator in Python costs as much CPU as the servers that it should press, and
on a small machine would hide the difference between them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.paths import BENCH


class LoadError(Exception):
    """The load could not be driven, or requests failed."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the load generator. Latencies are in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float


def require_wrk() -> None:
    """Raise LoadError unless `wrk` is on PATH."""
    if shutil.which("wrk") is None:
        raise LoadError(
            "The benchmark needs wrk, an HTTP load generator: `apt-get install wrk` or `brew install wrk`,"
            " or build it from github.com/wg/wrk."
        )


def drive(
    url: str, headers: Mapping[str, str], bodies: Sequence[bytes], *, connections: int, seconds: float
) -> Measurement:
    """Post `bodies` in turn to `url` over `connections` kept-alive connections.

    Raises:
        LoadError: wrk failed, or any request did (connection, timeout, or a status of 400 or more).
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bodies_file, headers_file = Path(folder, "bodies"), Path(folder, "headers")
        bodies_file.write_bytes(b"\n".join(bodies) + b"\n")
        headers_file.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(BENCH / "wrk.lua"), url]
        environment = {**os.environ, "BENCH_BODIES": str(bodies_file), "BENCH_HEADERS": str(headers_file)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = [line.removeprefix("BENCH ") for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if done.returncode != 0 or not found:
        raise LoadError(f"wrk failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    result = json.loads(found[0])
    if result["failed"] or not result["requests"]:
        raise LoadError(f"{result['failed']} of {result['requests']} requests to {url} failed.")
    return Measurement(
        requests_per_second=result["requests"] / (result["microseconds"] / 1e6),
        p50=result["p50"] / 1000,
        p99=result["p99"] / 1000,
    )
