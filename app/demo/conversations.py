"""Every conversation of the demo, by topic."""

from __future__ import annotations

from app.demo import scenarios_office, scenarios_people, scenarios_technical
from app.demo.scenario import Scenario

_ALL = (*scenarios_office.SCENARIOS, *scenarios_people.SCENARIOS, *scenarios_technical.SCENARIOS)

SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    topic: tuple(scenario for scenario in _ALL if scenario.topic == topic)
    for topic in dict.fromkeys(scenario.topic for scenario in _ALL)
}
"""The scenarios of each topic."""
