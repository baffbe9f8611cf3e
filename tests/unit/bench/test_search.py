"""The search for the worst request, on an application that is none."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from bench.search import GENERATORS, Generator, Knobs, Made, measure, search, table

pytestmark = pytest.mark.anyio


class Busy:
    """Holds the loop for as long as its document's numbers say, in microseconds; answers nothing."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.loads((await receive())["body"])
        ends = time.process_time() + body["variables"].get("us", 0) / 10**6
        while time.process_time() < ends:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"data":{}}'})


@pytest.mark.parametrize("made_by", GENERATORS, ids=lambda one: one.name)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.01])
def test_a_generator_makes_requests_of_all_its_knobs(made_by: Generator, share: float) -> None:
    document, variables = made_by.make({name: int(most * share) for name, most in made_by.most.items()})
    assert document
    assert len(json.dumps(variables)) < 2 * 10**6


async def test_what_holds_the_loop_is_measured() -> None:
    held = await measure(Busy(), ("{ a }", {"us": 30_000}), 1)  # type: ignore[arg-type]  # stands in for a server
    assert held.hold > 0.025
    assert held.code == "200"
    assert (await measure(Busy(), ("{ a }", {}), 2)).hold < held.hold  # type: ignore[arg-type]  # stands in for a server


async def test_the_search_climbs(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(knobs: Knobs) -> Made:
        return "{ a }", {"us": knobs["a"]}

    def quick(_: Knobs) -> Made:
        return "{ b }", {}

    generators = [Generator(slow, {"a": 20_000}), Generator(quick, {"b": 9})]
    monkeypatch.setattr("bench.search.GENERATORS", generators)
    found = await search(Busy(), 1.5, seed=1)  # type: ignore[arg-type]  # stands in for a server
    assert [one.generator.name for one in found] == ["slow", "quick"]
    assert found[0].knobs["a"] > 2000
    assert "slow(a=" in table(found)
