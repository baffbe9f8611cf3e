"""Pauses of the garbage collector, in a process of its own: it is one for all threads and tests."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from clew import collector
from clew.collector import LargeWork

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


LARGE_WORK = """
import gc
from clew import collector
from clew.collector import FullCollections

gc.freeze()
gc.set_threshold(10, 2, 2)
full = []
gc.callbacks.append(lambda phase, info: full.append(1) if phase == "start" and info["generation"] == 2 else None)

def work():
    full.clear()
    kept = [[number] for number in range(30_000)]
    return bool(full)

found = [work()]
collections = FullCollections()
collections.begin()
collections.begin()
found.append(work())
collections.end()
found.append(work())
# One is due after a while, though other work is under way all the time.
collector._LONGEST = 0
collections.begin()
found.append(work())
collector._LONGEST = 60
collections.begin()
found.append(work())
for _ in range(3):
    collections.end()
found.append(work())
print(*found, gc.get_threshold() == (10, 2, 2))
"""


def test_large_work_begins_and_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        collector,
        "full_collections",
        SimpleNamespace(begin=lambda: told.append("begin"), end=lambda: told.append("end")),
    )
    work = LargeWork()
    work.end()
    for _ in range(2):
        work.begin()
        work.begin()
        work.end()
        work.end()
    assert told == ["begin", "end"] * 2


def test_full_collections_wait_for_large_work_but_not_for_ever() -> None:
    found = subprocess.run([sys.executable, "-c", LARGE_WORK], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False", "False", "True", "False", "True", "True"]


SURVIVORS = """
import gc
from types import SimpleNamespace
from weakref import ref
from clew import collector
from clew.collector import Survivors

class Cycle:
    def __init__(self):
        self.itself = self

def dropped():
    made = Cycle()
    gc.collect()
    return ref(made)

survivors = Survivors()
memory = SimpleNamespace(rss=1000)
survivors._memory = lambda: memory.rss
collector._GARBAGE = 100
before = len(gc.callbacks)
survivors.begin()
survivors.begin()
survivors.end()

first = dropped()
gc.collect()
# A full collection walks over what was made since the one before.
young = ref(Cycle())
gc.collect()
print(first() is not None, young() is None)
memory.rss = 2101
gc.collect()
print(first() is None)
# What is needed now is the measure of the next one.
second = dropped()
memory.rss = 4300
gc.collect()
print(second() is not None)
memory.rss = 50
gc.collect()
memory.rss = 201
gc.collect()
print(second() is None)
survivors.end()
third = dropped()
gc.collect()
print(third() is None, len(gc.callbacks) == before)
"""


def test_survivors_of_a_full_collection_wait_until_the_process_has_twice_the_memory() -> None:
    found = subprocess.run([sys.executable, "-c", SURVIVORS], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 7
