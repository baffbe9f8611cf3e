"""Templates of conversations, and the code that fills their slots."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """One call of a tool. `arguments` and `result` are JSON; each `{slot}` in their strings is filled."""

    name: str
    arguments: Mapping[str, Any]
    result: Any


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, its answer, and the tools that the agent called for it."""

    question: str
    answer: str
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A conversation on a topic; `slots` are the choices for each `{slot}` of its templates.

    A slot's choice is a string, or a tuple when several slots belong together: the
    slot `"city,airport"` with the choice `("Porto", "OPO")` fills both.
    """

    topic: str
    title: str
    turns: tuple[Turn, ...]
    slots: Mapping[str, tuple[str | tuple[str, ...], ...]] = field(default_factory=dict)

    def choose(self, rng: random.Random) -> dict[str, str]:
        """Return one value for each slot."""
        chosen: dict[str, str] = {}
        for names, choices in self.slots.items():
            choice = rng.choice(choices)
            values = (choice,) if isinstance(choice, str) else choice
            chosen.update(zip(names.split(","), values, strict=True))
        return chosen


def fill(template: Any, chosen: Mapping[str, str]) -> Any:
    """Return the template with its slots filled. A template is a string, or JSON with strings."""
    if isinstance(template, str):
        return template.format_map(chosen)
    if isinstance(template, Mapping):
        return {key: fill(value, chosen) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(item, chosen) for item in template]
    return template
