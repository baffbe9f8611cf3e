"""Pauses of the garbage collector, in a process of its own: it is one for all threads and tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import gc
from clew.collector import freeze, paused

gc.collect()
if {frozen}:
    freeze()
frozen = gc.get_freeze_count()
begun = []
gc.callbacks.append(lambda phase, info: begun.append(phase))
with paused():
    kept = [[number] for number in range(100_000)]
few = [[] for _ in range(50)]
cycle = []
cycle.append(cycle)
print(len(begun), gc.isenabled(), gc.get_freeze_count() == frozen)
del cycle
print(gc.collect() > 0)
"""


def run(*, frozen: bool) -> list[str]:
    command = [sys.executable, "-c", SCRIPT.format(frozen=frozen)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_what_was_made_in_a_pause_is_not_walked_at_its_end() -> None:
    assert run(frozen=False) == ["0", "True", "True", "True"]


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_is_frozen_or_thawed_for_good(frozen: bool) -> None:
    _, *rest = run(frozen=frozen)
    assert rest == ["True", "True", "True"]
