"""What the demo's rules open, by role."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.access.sight import Sight
from clew.access.visible import Access
from clew.model.build import load_model
from clew.model.types import Opening

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def access() -> Access:
    return Access(load_model(ROOT / "graphql"))


@pytest.fixture(scope="module")
def anon(access: Access) -> dict[str, Opening]:
    return access.openings(Sight(admin=False, roles=frozenset({"anon"})))


@pytest.fixture(scope="module")
def user(access: Access) -> dict[str, Opening]:
    return access.openings(Sight(admin=False, roles=frozenset({"anon", "user"})))


def test_rules_name_no_other_roles(access: Access) -> None:
    assert access.rules.roles() == {"anon", "user"}


def test_a_stranger_sees_agents_tags_and_the_names_of_teams(anon: dict[str, Opening]) -> None:
    assert set(anon) == {"Agent", "AgentTag", "Tag", "Team"}
    assert anon["Team"].fields == {"id", "name", "slug", "agents"}
    hidden = {"instructions", "settings", "temperature", "version", "updatedAt", "threads", "runs", "usage"}
    assert anon["Agent"].fields.isdisjoint(hidden)
    assert not anon["Agent"].unconditional


def test_a_user_sees_something_of_everything_and_all_of_nothing_private(
    access: Access, user: dict[str, Opening]
) -> None:
    assert set(user) == set(access.model.entities)
    assert {name for name, opening in user.items() if opening.unconditional} == {"Tag", "Team"}


def test_what_tells_of_a_person_is_nullable(user: dict[str, Opening]) -> None:
    assert user["User"].conditional == {"email", "avatarUrl"}


def test_of_a_team_that_is_not_ones_own_only_the_name_shows(user: dict[str, Opening]) -> None:
    assert user["Team"].fields - user["Team"].conditional == {"id", "name", "slug", "agents"}


def test_nobody_sees_what_is_hidden(access: Access, user: dict[str, Opening]) -> None:
    assert "billingReference" not in user["Team"].fields
    assert "billingReference" not in access.openings(Sight(admin=True))["Team"].fields


def test_everybody_may_ask_for_prices_the_busiest_agents_and_the_time(access: Access) -> None:
    opened = access.custom_fields(Sight(admin=False, roles=frozenset({"anon"})))
    assert {custom.name for custom in opened} == {"modelPricing", "modelPrices", "busiestAgents", "serverTime"}


def test_what_a_user_may_write(user: dict[str, Opening]) -> None:
    assert {name for name, opening in user.items() if opening.creates is not None} == {
        *("Agent", "Feedback", "Message", "Thread"),
    }
    assert user["Thread"].updates == frozenset({"title"})
    assert user["User"].updates == frozenset({"givenName", "familyName", "timeZone"})
    assert {name for name, opening in user.items() if opening.deletes} == {"Feedback", "Thread"}
    assert user["Message"].updates is None


def test_a_stranger_may_write_nothing(anon: dict[str, Opening]) -> None:
    assert not [o for o in anon.values() if o.creates is not None or o.updates is not None or o.deletes]
