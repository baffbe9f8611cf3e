"""A small application of teams, projects and tasks under rules, and its rows."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import EnumType, MutationType, ObjectType, QueryType, ScalarType
from graphql import GraphQLResolveInfo
from starlette.requests import Request

from clew import Clew, ClewError, Viewer
from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from tests.databases import empty_database

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
MEMBERS, TEAMS = 200, 20

query, mutation, member = QueryType(), MutationType(), ObjectType("Member")
size = ScalarType("Size", serializer=lambda value: f"{value} teams")
query.set_field("ping", lambda *_: "pong")
query.set_field("internal", lambda *_: "inside")
for _name in ("teamsOf", "notesOf", "auditsOf"):
    # Whatever keys they are given: which rows these open is not the resolver's business.
    query.set_field(_name, lambda *_, ids: ids)
for _name in ("ofTeam", "ofNotes", "ofLocker", "ofLockers", "ofVenue"):
    query.set_field(_name, lambda *_, **given: f"with {given}")
query.set_field("lockerOf", lambda *_, **given: given["id"])
mutation.set_field("wipe", lambda *_: True)


class Mood(Enum):
    """As Python has it: each role's schema must know it so."""

    GOOD = 1
    BAD = 2


@query.field("stats")
def resolve_stats(*_: Any, input: dict[str, Mood] | None = None) -> dict[str, Any]:
    mood = (input or {}).get("mood", Mood.GOOD)
    assert isinstance(mood, Mood)
    return {"teams": TEAMS, "mood": mood, "size": Decimal(TEAMS)}


@mutation.field("touch")
def resolve_touch(_: Any, info: GraphQLResolveInfo[Any], name: str) -> str:
    return f"{name} by {info.context.viewer.id}"


@member.field("greeting")
def resolve_greeting(parent: dict[str, Any], _info: GraphQLResolveInfo[Any]) -> str:
    return f"Dear {parent['email']}"


async def authenticate(request: Request) -> Viewer | None:
    """API keys: `x-api-key: m7` is that member."""
    key = request.headers.get("x-api-key")
    if key == "boom":
        raise RuntimeError("the secret of the hook")
    if key == "blocked":
        raise ClewError("That key is blocked.", code="FORBIDDEN")
    return None if key is None else Viewer(key, frozenset({"user"}), {"regions": ["eu"]})


# Member n is in team n % TEAMS. Team 0 and 1 are public. Each team has five projects of region eu, the fifth
# deleted, and one of region us; each project a task for each of its team's first two members, and one of another team.
# In both polls m0 to m9 have voted, each for the letter of its number: in the order of the voters a to j, which is
# also that of the ballots.
# Of the reviews 1 is by m3; m3 has read 1 and 2, m23 all.
# Essay 1 is by m3 and of the sea, 2 by m23 and of the sea and of war. Their moods are alike; both warn of war, and each
# is the other's sequel.
# m3 is a guide of level 2, m43 one of level 3, m63 one of level 1, and m23 was one of level 5. Venue 3 is shut, 4
# deleted.
# Meter 2 is of team 3; 1 and all that is of it fail to be numbers.
# Notes 1, 2 and 5 are m3's, 3, 4 and 6 m23's, of its team, 7 is m0's; 1 and 4 are not open, 5 and 6 deleted.
DATA = f"""
INSERT INTO teams (id, name, public, budget)
SELECT 't' || n, 'Team ' || n, n < 2, n * 100 FROM generate_series(0, {TEAMS - 1}) AS n;
INSERT INTO members (id, name, email, password)
SELECT 'm' || n, 'Member ' || n, 'm' || n || '@secret.example', 'password' || n
FROM generate_series(0, {MEMBERS - 1}) AS n;
INSERT INTO team_members (team_id, member_id)
SELECT 't' || n % {TEAMS}, 'm' || n FROM generate_series(0, {MEMBERS - 1}) AS n;
INSERT INTO projects (id, title, region, team_id, deleted_at)
SELECT n * 10 + k, 'Project ' || n || '.' || k, CASE WHEN k = 5 THEN 'us' ELSE 'eu' END, 't' || n,
CASE WHEN k = 4 THEN now() END FROM generate_series(0, {TEAMS - 1}) AS n, generate_series(0, 5) AS k;
INSERT INTO tasks (id, title, state, secrecy, project_id, team_id, assignee_id)
SELECT p.id * 10 + k, 'Task ' || p.id || '.' || k, CASE WHEN k = 1 THEN 'DONE' ELSE 'OPEN' END, 'HIGH', p.id,
CASE WHEN k = 2 THEN 't19' ELSE p.team_id END, 'm' || (substr(p.team_id, 2)::int + {TEAMS} * (k % 2))
FROM projects AS p, generate_series(0, 2) AS k;
INSERT INTO notes (id, title, body, data, open, author_id, deleted_at) VALUES
(1, 'Apple pie', 'a plum of one''s own', '{{"color": "red", "n": 1}}', false, 'm3', NULL),
(2, 'Pear tart', 'a shared plum', '{{"color": "green", "n": 2}}', true, 'm3', NULL),
(3, 'Apple crumble', 'a hidden plum', '{{"color": "red", "n": 3}}', true, 'm23', NULL),
(4, 'Quince', 'a plum', '{{"color": "red", "n": 4}}', false, 'm23', NULL),
(5, 'Old tart', 'a plum', '{{"color": "red", "n": 5}}', true, 'm3', now()),
(6, 'Dead tart', 'a plum', '{{"color": "red", "n": 6}}', true, 'm23', now()),
(7, 'Fig', 'a plum', '{{"color": "red", "n": 7}}', true, 'm0', NULL);
INSERT INTO polls (id, title) VALUES (1, 'Where to'), (2, 'When');
INSERT INTO votes (poll_id, voter_id, choice)
SELECT poll, 'm' || n, chr(97 + n) FROM generate_series(1, 2) AS poll, generate_series(0, 9) AS n;
INSERT INTO ballots (number, choice) SELECT n, chr(97 + n) FROM generate_series(0, 9) AS n;
INSERT INTO reviews (id, text, reviewer_id, author_id, winner_id) VALUES
(1, 'Sound', 'm23', 'm3', 'm3'), (2, 'Thin', 'm3', 'm23', 'm23'), (3, 'Long', 'm3', 'm23', NULL);
INSERT INTO readings (review_id, reader_id) VALUES (1, 'm3'), (1, 'm23'), (2, 'm3'), (2, 'm23'), (3, 'm23');
INSERT INTO essays (id, title, writer_id) VALUES (1, 'Mine', 'm3'), (2, 'Theirs', 'm23');
INSERT INTO topics (id, name) VALUES (1, 'Sea'), (2, 'War');
INSERT INTO essay_topics (essay_id, topic_id) VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO essay_moods (essay_id, topic_id) VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO essay_warnings (essay_id, topic_id) VALUES (1, 2), (2, 2);
INSERT INTO essay_drafts (essay_id, topic_id) VALUES (1, 2), (2, 2);
INSERT INTO sequels (essay_id, other_essay_id) VALUES (1, 2), (2, 1);
INSERT INTO citations (citing_id, cited_id) VALUES (1, 2), (2, 1), (2, 2);
INSERT INTO crates (id, path, labels, data, level, size, weight) VALUES
(1, 'eu/berlin', '{{red, old}}', '{{"a": {{"b": "c"}}, "n": 1}}', 7, 7, 7),
(2, '', '{{""}}', '{{"a": {{}}}}', 0, 0, 0);
INSERT INTO drafts (id, text, kept, writer_id, deleted_at) VALUES
(1, 'Mine', false, 'm3', NULL), (2, 'Mine of old', false, 'm3', now()), (3, 'Mine, kept', true, 'm3', now()),
(4, 'Theirs', false, 'm23', NULL), (5, 'Theirs of old', false, 'm23', now());
INSERT INTO stamps (id, value, ink) VALUES (1, 1, 'red'), (2, 2, 'blue');
INSERT INTO vaults (id, holder) VALUES (1, 'm3');
INSERT INTO lockers (id, label, holder) VALUES (1, 'Left', 'm3'), (2, 'Right', 'm23');
INSERT INTO guides (id, level, member_id, deleted_at) VALUES
(1, 2, 'm3', NULL), (2, 5, 'm23', now()), (3, 3, 'm43', NULL), (4, 1, 'm63', NULL);
INSERT INTO venues (id, name, open, code, deleted_at) VALUES (1, 'Open', true, 'c1', NULL),
(2, 'Closed', false, 'c2', NULL), (3, 'Shut', true, 'c3', NULL), (4, 'Gone', true, 'c4', now());
INSERT INTO shuttings (id, venue_id) VALUES (1, 3);
INSERT INTO stalls (id, venue_id) VALUES (10, 1), (20, 2), (30, 3);
INSERT INTO landmarks (id) VALUES (1), (2);
INSERT INTO venue_landmarks (venue_id, landmark_id) VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO meters (id, name, code, team_id) VALUES (1, 'Theirs', 'SECRET', 't4'), (2, 'Ours', '7', 't3');
INSERT INTO dials (id, code, weight, meter_id) VALUES (1, 'SECRET', 1e308, 1), (2, 'SECRET', 1e308, 1), (3, '7', 2, 2);
INSERT INTO needles (id, code, meter_id) VALUES (1, 'SECRET', 1), (2, '7', 2);
INSERT INTO audits (id, kind, note) VALUES (1, 'LEAK', 'the secret of the audit');
"""


@dataclass(frozen=True)
class Guarded:
    """A database with the rows, and Clew for it."""

    url: str
    clew: Clew


@contextmanager
def make_guarded(server_url: str, root: Path) -> Iterator[Guarded]:
    """The application on this server, its project made in the empty folder `root`; dropped at the end."""
    shutil.copytree(HERE / "graphql", root / "graphql")
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "migrations" / "versions").mkdir()
    clew = Clew([query, mutation, member, size, EnumType("Mood", Mood)], project=root, authenticate=authenticate)
    model, _ = clew.build()

    async def fill(url: str) -> None:
        await upgrade(root, url)
        connection = await asyncpg.connect(url)
        await connection.execute(DATA)
        await connection.close()

    with empty_database(server_url, "guarded") as url:
        make(root, model, "guarded")
        asyncio.run(fill(url))
        yield Guarded(url, clew)
