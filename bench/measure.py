"""One case against all peers: warm up, then A B A B ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from bench.cases import Case
from bench.load import Measurement, drive
from bench.peers import Peer
from bench.report import CaseResult
from bench.verify import verify

_BODIES = 2000


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how hard."""

    seconds: float = 5.0
    rounds: int = 5
    connections: int = 16
    warm_up: float = 2.0


def measure(case: Case, peers: Mapping[str, Peer], urls: Mapping[str, str], scale: int, options: Options) -> CaseResult:
    """Measure one case.

    Raises:
        AnswersDiffer: the peers do not answer alike.
        LoadError: requests failed.
    """
    verify(case, peers, urls, scale)
    samples = case.sample(scale, _BODIES)
    bodies = {name: [peer.body(case, variables) for variables in samples] for name, peer in peers.items()}

    def run(name: str, seconds: float) -> Measurement:
        url = urls[name] + peers[name].path(case)
        return drive(url, peers[name].headers, bodies[name], connections=options.connections, seconds=seconds)

    for name in peers:
        run(name, options.warm_up)
    rounds: dict[str, list[Measurement]] = {name: [] for name in peers}
    for _ in range(options.rounds):
        for name in peers:
            rounds[name].append(run(name, options.seconds))
    memory = {name: psutil.Process(peer.pid).memory_info().rss / 2**20 for name, peer in peers.items()}
    return CaseResult(case, scale, rounds, memory)
