"""Rows of teams, users, memberships, agents and tags."""

from __future__ import annotations

import random
import re
import unicodedata
from datetime import timedelta
from typing import Any

from app.demo.agents import AGENTS, TAGS, AgentProfile
from app.demo.clock import DAYS, UNTIL, uuid7
from app.demo.people import FAMILY_NAMES, GIVEN_NAMES, TEAMS, TIME_ZONES

Row = dict[str, Any]
Tables = dict[str, list[Row]]

USERS = 120


def slugify(text: str) -> str:
    """Return the text as lower-case ASCII letters and digits with single hyphens."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")


def organisations(rng: random.Random) -> tuple[Tables, dict[Any, AgentProfile]]:
    """Return all rows from before the first conversation, and the profile of each agent by key."""
    teams = _teams(rng)
    users, memberships = _people(rng, teams)
    tags: list[Row] = [{"id": uuid7(rng, _before(400)), "name": name, "color": color} for name, color in TAGS.items()]
    agents, links, profiles = _agents(rng, teams, {tag["name"]: tag["id"] for tag in tags})
    tables = {
        "teams": teams,
        "users": users,
        "memberships": memberships,
        "agents": agents,
        "tags": tags,
        "agent_tags": links,
    }
    return tables, profiles


def _before(days: float) -> Any:
    return UNTIL - timedelta(days=DAYS + days)


def _teams(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for profile in TEAMS:
        at = _before(rng.uniform(150, 500))
        rows.append(
            {
                "id": uuid7(rng, at),
                "name": profile.name,
                "slug": slugify(profile.name),
                "plan": profile.plan,
                "monthly_budget": profile.budget,
                "billing_reference": f"cus_{rng.getrandbits(40):010x}",
                "created_at": at,
                "updated_at": at,
            }
        )
    return rows


def _people(rng: random.Random, teams: list[Row]) -> tuple[list[Row], list[Row]]:
    pairs = [(given, family) for given in GIVEN_NAMES for family in FAMILY_NAMES]
    users: list[Row] = []
    memberships: list[Row] = []
    for number, (given, family) in enumerate(rng.sample(pairs, USERS)):
        # The first users found the teams. After them, larger plans get more people.
        home = number if number < len(teams) else rng.choices(range(len(teams)), (30, 22, 14, 22, 12, 10, 6, 4))[0]
        at = teams[home]["created_at"] + timedelta(hours=rng.uniform(0.2, 24 * 120 if number >= len(teams) else 2))
        user = {
            "id": uuid7(rng, at),
            "email": f"{slugify(given)}.{slugify(family)}@{TEAMS[home].domain}",
            "given_name": given,
            "family_name": family,
            "time_zone": rng.choice(TIME_ZONES),
            "last_seen_at": None if rng.random() < 0.1 else UNTIL - timedelta(hours=rng.expovariate(1 / 60)),
            "created_at": at,
            "updated_at": at,
        }
        users.append(user)
        places = {home: "OWNER" if number < len(teams) else rng.choices(("EDITOR", "VIEWER"), (2, 3))[0]}
        if rng.random() < 0.15:
            places.setdefault(rng.randrange(len(teams)), "VIEWER")
        memberships += [
            {
                "team_id": teams[team]["id"],
                "user_id": user["id"],
                "role": role,
                "created_at": max(at, teams[team]["created_at"]),
            }
            for team, role in places.items()
        ]
    return users, memberships


def _agents(
    rng: random.Random, teams: list[Row], tag_ids: dict[str, Any]
) -> tuple[list[Row], list[Row], dict[Any, AgentProfile]]:
    agents: list[Row] = []
    links: list[Row] = []
    profiles: dict[Any, AgentProfile] = {}
    named = [(profile, name) for profile in AGENTS for name in profile.names]
    for number, (profile, name) in enumerate(named):
        team = teams[number % len(teams)]
        at = _before(rng.uniform(5, 140))
        key = uuid7(rng, at)
        profiles[key] = profile
        agents.append(
            {
                "id": key,
                "team_id": team["id"],
                "name": name,
                "slug": slugify(name),
                "description": profile.description,
                "instructions": profile.instructions,
                "model": profile.model,
                "temperature": profile.temperature,
                "tools": list(profile.tools),
                "settings": {
                    "maxTurns": rng.choice((8, 12, 20)),
                    "memory": {"window": rng.choice((10, 30)), "summarise": True},
                },
                "status": rng.choices(("LIVE", "RETIRED", "DRAFT"), (10, 1, 1))[0] if number >= len(AGENTS) else "LIVE",
                "created_at": at,
                "updated_at": at + timedelta(days=rng.uniform(0, 30)),
            }
        )
        links += [{"agent_id": key, "tag_id": tag_ids[tag]} for tag in profile.tags]
    return agents, links, profiles
