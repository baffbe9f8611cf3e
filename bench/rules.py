"""`python -m bench.rules`: what access rules cost.

The same requests to the same server by a user whose rows are ruled by an indexed owner column, by a reader whose
rules hold on every row, and by an admin. All get the same rows: the requests are about the user's own. What the user
is slower than the reader, the rules cost; than the admin, also the token, the limits and their counting.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Sequence

import asyncpg
from joserfc import jwt
from joserfc.jwk import OctKey

from bench.cases import Case, Variables
from bench.database import make_project, prepare_database
from bench.load import LoadError, require_wrk
from bench.measure import Options, measure
from bench.paths import BENCH, DATA
from bench.peers import JWT_SECRET, ClewPeer
from bench.report import span
from bench.verify import AnswersDiffer
from clew.database.embedded import embedded_postgres

SCHEMA = BENCH / "rules.graphql"

ACCOUNTS, DOCUMENTS, COMMENTS, TAGS = 2_000, 200, 2, 500
"""Accounts; documents of each; comments on each of these; tags, of which a document has two."""

VIEWER = 1_000
FIRST = (VIEWER - 1) * DOCUMENTS + 1
"""The viewer's account, and the first of the viewer's documents; the others follow."""

FILL = f"""
SET session_replication_role = replica;
INSERT INTO categories (id, name) SELECT n, 'Category ' || n FROM generate_series(1, 20) n;
INSERT INTO tags (id, name) SELECT n, 'Tag ' || n FROM generate_series(1, {TAGS}) n;
INSERT INTO accounts (id, name) SELECT n, 'Account ' || n FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO documents (id, title, words, created_at, owner_id, category_id)
  SELECT n, 'Document ' || n, n % 5000, timestamptz '2025-01-01T00:00:00Z' + n * interval '1 minute',
    1 + (n - 1) / {DOCUMENTS}, 1 + n % 20
  FROM generate_series(1, {ACCOUNTS * DOCUMENTS}) n;
INSERT INTO comments (id, text, document_id)
  SELECT n, 'Comment ' || n, 1 + n % {ACCOUNTS * DOCUMENTS}
  FROM generate_series(1, {ACCOUNTS * DOCUMENTS * COMMENTS}) n;
INSERT INTO document_tags (document_id, tag_id)
  SELECT n, 1 + (n * 7 + k) % {TAGS} FROM generate_series(1, {ACCOUNTS * DOCUMENTS}) n, generate_series(0, 1) k;
"""


def _document(rng: random.Random, _: int) -> Variables:
    return {"id": FIRST + rng.randrange(DOCUMENTS)}


CASES = (
    Case(
        name="row",
        title="One row by key",
        document="query Document($id: Int!) { document(id: $id) { id title words createdAt } }",
        variables=_document,
        plausible=lambda data, variables: bool(data["document"]["id"] == variables["id"]),
    ),
    Case(
        name="nested",
        title="Row by key, with its owner, its category and its comments",
        document="""
            query Nested($id: Int!) {
              document(id: $id) { id title owner { id name } category { id name } comments { id text } }
            }""",
        variables=_document,
        plausible=lambda data, _: len(data["document"]["comments"]) == COMMENTS and bool(data["document"]["owner"]),
    ),
    Case(
        name="list",
        title="100 rows in order of key, with their category",
        document="""
            query List($after: Int!) {
              documents(where: {id: {gt: $after}}, orderBy: [{id: ASC}], limit: 100) {
                id title words category { id name }
              }
            }""",
        variables=lambda rng, _: {"after": FIRST - 1 + rng.randrange(DOCUMENTS - 100)},
        plausible=lambda data, variables: (
            [row["id"] for row in data["documents"]] == list(range(variables["after"] + 1, variables["after"] + 101))
        ),
    ),
    Case(
        name="tagged",
        title="20 rows in order of key, each with its tags (many-to-many)",
        document="""
            query Tagged($after: Int!) {
              documents(where: {id: {gt: $after}}, orderBy: [{id: ASC}], limit: 20) {
                id title tags(orderBy: [{id: ASC}], limit: 10) { id name }
              }
            }""",
        variables=lambda rng, _: {"after": FIRST - 1 + rng.randrange(DOCUMENTS - 20)},
        plausible=lambda data, _: [len(row["tags"]) for row in data["documents"]] == [2] * 20,
    ),
    Case(
        name="own",
        title="The latest rows of one owner, who is asked for",
        document="""
            query Own($owner: Int!, $limit: Int!) {
              documents(where: {ownerId: {eq: $owner}}, orderBy: [{createdAt: DESC}], limit: $limit) { id title }
            }""",
        variables=lambda rng, _: {"owner": VIEWER, "limit": rng.randint(11, 60)},
        plausible=lambda data, variables: len(data["documents"]) == variables["limit"],
    ),
)


def token(*roles: str) -> str:
    """The viewer's, which does not expire, with these roles besides `user`."""
    claims = {"sub": str(VIEWER), "exp": 4_000_000_000, "roles": roles}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(JWT_SECRET))


async def fill(url: str) -> None:
    """Put the rows into the empty tables."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run (5)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each viewer and case (5)")
    parser.add_argument("--connections", type=int, default=16, help="kept-alive connections (16)")
    parser.add_argument("--only", metavar="CASE", choices=[case.name for case in CASES], help="one case")
    parsed = parser.parse_args(arguments)
    options = Options(seconds=parsed.seconds, rounds=parsed.rounds, connections=parsed.connections)
    try:
        require_wrk()
        with embedded_postgres(DATA / "postgres") as server_url:
            _run(server_url, [case for case in CASES if parsed.only in (None, case.name)], options)
    except (LoadError, AnswersDiffer) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(server_url: str, cases: Sequence[Case], options: Options) -> None:
    project = make_project(SCHEMA.read_text(), "rules")
    url = asyncio.run(prepare_database(server_url, "rules", project, [FILL.encode()], fill))
    admin = ClewPeer(url, project, "admin")
    # One process serves all, so that nothing but the viewer differs.
    user, reader = (
        admin.asked_by(name, {"Authorization": f"Bearer {token(*roles)}"})
        for name, roles in (("user", ()), ("reader", ("reader",)))
    )
    peers = {peer.name: peer for peer in (user, reader, admin)}
    try:
        urls = dict.fromkeys(peers, admin.start())
        print(f"{'case':8} {'user req/s':>12}   {'user / reader':20}   user / admin (min / median / max)")
        for case in cases:
            result = measure(case, peers, urls, 1, options)
            rate = statistics.median(result.rates("user"))
            ratios = [span(result.ratios("user", other), lambda n: f"{n:.2f}") for other in ("reader", "admin")]
            print(f"{case.name:8} {rate:12,.0f}   {ratios[0]:20}   {ratios[1]}", flush=True)
    finally:
        admin.stop()


if __name__ == "__main__":
    sys.exit(main())
