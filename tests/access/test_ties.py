"""What breaks ties in an order where keys are hidden: the viewer's own, stable, and of no relation to the keys."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew import ClewError, Viewer
from clew.database.pool import Pool
from clew.engine import Engine, Request
from clew.engine.explain import explanation
from clew.model.build import parse_model
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.sql.cursors import Cursors
from clew.sql.tables import build_tables
from tests.access.masked import tie_key_of
from tests.databases import create_tables, new_database
from tests.properties.database import LIMITS

pytestmark = pytest.mark.anyio

SDL = """
type Poll @table @allow(role: [anon, clerk]) { id: Int! @id  votes: [Vote!]! }
type Vote @table
  @allow(role: anon, fields: [poll, choice])
  @allow(role: user, where: {voterId: "$auth.sub"})
  @allow(role: clerk)
{ poll: Poll! @id  voterId: String! @id  choice: String! }
type Ballot @table @allow(role: anon, fields: [choice]) @allow(role: clerk) {
  poll: Int! @id
  voter: String! @id
  choice: String!
}
type Sealed @table @allow(role: anon) { number: Int! @id @hidden  choice: String! }
"""
MODEL = parse_model(Source(SDL, "schema.graphql"))
# Each vote's choice says whose it is. Some names are what JSON and SQL write in their own way.
VOTERS = [f"v{n:02}" for n in range(20)] + ["é\U0001f600", 'a"b', "c\\d", "e'f", "", "\x01\x7f\t", "$1", "[1, 2]"]
ANON, ANN, BEN = (Viewer(sub, frozenset({"anon", "user"} if sub else {"anon"})) for sub in (None, "v03", "v07"))
CLERK = Viewer("9", frozenset({"anon", "clerk"}))
LISTS = ("{ poll(id: 1) { votes { choice } } }", "{ poll(id: 2) { votes { choice } } }", "{ ballots { choice } }")


@pytest.fixture(scope="module")
def url(postgres_url: str) -> Iterator[str]:
    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url


async def fill(url: str) -> None:
    await create_tables(url, MODEL)
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO polls VALUES (1), (2)")
    for table in ("votes", "ballots"):
        polls = (1, 2) if table == "votes" else (1,)
        rows = [(poll, voter, voter) for poll in polls for voter in VOTERS]
        await connection.executemany(f"INSERT INTO {table} VALUES ($1, $2, $3)", rows)
    await connection.executemany("INSERT INTO sealeds VALUES ($1, $2)", list(enumerate(VOTERS)))
    await connection.close()


def make_engine(url: str, secret: str = "of the tests", model: Model = MODEL) -> Engine:
    pool = Pool(url, size=1, application_name="clew-ties")
    return Engine(model, build_schema(model), build_tables(model), pool, LIMITS, cursors=Cursors(secret))


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    engine = make_engine(url)
    yield engine
    await engine.pool.close()


async def read(engine: Engine, viewer: Viewer, document: str, **variables: Any) -> Any:
    response = json.loads((await engine.execute(Request(document, variables), viewer)).body)
    assert "errors" not in response, response
    (found,) = response["data"].values()
    return found


async def order(engine: Engine, viewer: Viewer, document: str) -> list[str]:
    """The choices in a list, at the root or in a poll."""
    found = await read(engine, viewer, document)
    return [row["choice"] for row in (found["votes"] if isinstance(found, dict) else found)]


async def test_the_order_of_hidden_keys_is_the_viewers_own_and_the_same_in_each_process(
    engine: Engine, url: str
) -> None:
    other, stranger = make_engine(url), make_engine(url, "another")
    orders: set[tuple[str, ...]] = set()
    for document in LISTS:
        for viewer in (ANON, ANN, BEN):
            found = await order(engine, viewer, document)
            assert sorted(found) == sorted(VOTERS)
            assert await order(other, viewer, document) == found
            orders |= {tuple(found), tuple(await order(stranger, viewer, document))}
    # No list, no viewer and no secret has the order of another, and none that of the keys.
    assert len(orders) == len(LISTS) * 3 * 2
    assert tuple(sorted(VOTERS)) not in orders
    await other.pool.close()
    await stranger.pool.close()


async def test_the_order_is_by_sha256_of_the_viewers_key_the_entity_and_the_whole_key(engine: Engine) -> None:
    """What the naive mask of the property tests says, for the texts that are written in many ways."""
    key = await tie_key_of(engine, ANON)

    def digest(voter: str) -> bytes:
        return hashlib.sha256(f"{key}Ballot:1:1{voter}".encode()).digest()

    assert await order(engine, ANON, "{ ballots { choice } }") == sorted(VOTERS, key=digest)


async def test_rows_of_open_keys_come_by_them_before_the_others(engine: Engine) -> None:
    found = await order(engine, ANN, LISTS[0])
    assert found[0] == "v03"
    # Where nobody is hidden the key is the order, whatever the rules of others.
    for document in LISTS:
        assert await order(engine, CLERK, document) == sorted(VOTERS)


async def test_a_key_that_is_in_no_api_orders_nothing_for_an_admin_either(engine: Engine) -> None:
    for viewer in (ANON, CLERK, Viewer.admin()):
        found = await order(engine, viewer, "{ sealeds { choice } }")
        assert sorted(found) == sorted(VOTERS)
        assert found != VOTERS


@pytest.mark.parametrize("viewer", [ANON, ANN, CLERK], ids=["anon", "ann", "clerk"])
@pytest.mark.parametrize("size", [1, 3, 20])
async def test_pages_of_hidden_keys_are_the_list_both_ways_and_by_offset(
    engine: Engine, url: str, viewer: Viewer, size: int
) -> None:
    whole = await order(engine, viewer, "{ votes { choice } }")
    engines = (engine, make_engine(url))
    for document, cursor in (
        ("query ($n: Int, $c: String) { votesConnection(first: $n, after: $c) { %s } }", "endCursor"),
        ("query ($n: Int, $c: String) { votesConnection(last: $n, before: $c) { %s } }", "startCursor"),
    ):
        text = document % f"nodes {{ choice }} pageInfo {{ {cursor} }}"
        found: list[str] = []
        at = None
        for turn in range(len(whole) // size + 2):
            # Each page by another process.
            page = await read(engines[turn % 2], viewer, text, n=size, c=at)
            choices = [row["choice"] for row in page["nodes"]]
            found = found + choices if cursor == "endCursor" else choices + found
            at = page["pageInfo"][cursor]
            if at is None:
                break
        assert found == whole
    by_offset: list[str] = []
    for offset in range(0, len(whole), size):
        text = f"{{ votes(limit: {size}, offset: {offset}) {{ choice }} }}"
        by_offset += await order(engines[offset % 2], viewer, text)
    assert by_offset == whole
    await engines[1].pool.close()


async def test_operations_of_the_application_for_a_viewer_know_the_viewers_cursors(engine: Engine, url: str) -> None:
    page = await read(engine, ANN, "{ votesConnection(first: 1) { pageInfo { endCursor } } }")
    document = "query ($c: String) { votesConnection(first: 1, after: $c) { nodes { choice } } }"
    other = make_engine(url)
    renewed = Viewer("v03", ANN.roles | {"visitor"}, {"jti": "2"})
    # Within a resolver's `context.graphql`, as from a script.
    found = await other.graphql(document, {"c": page["pageInfo"]["endCursor"]}, renewed)
    assert [row["choice"] for row in found["votesConnection"]["nodes"]] == [
        (await order(engine, ANN, "{ votes { choice } }"))[1]
    ]
    for stranger in (BEN, ANON, Viewer("v03", ANN.roles | {"clerk"}), Viewer.admin()):
        with pytest.raises(ClewError, match="is not a cursor of this list in this order"):
            await other.graphql(document, {"c": page["pageInfo"]["endCursor"]}, stranger)
    await other.pool.close()


async def test_the_key_of_the_digests_is_bound_not_written_and_not_shown(engine: Engine) -> None:
    key = await tie_key_of(engine, ANON)
    request = Request("{ votesConnection { edges { cursor node { choice } } } }", {})
    found = await explanation(engine, request, ANON)
    assert found is not None
    assert found.compiled is not None
    assert "sha256" in found.compiled.sql
    assert key not in found.compiled.sql
    assert key not in repr(found.extension())
    assert engine.statements.cursors.marker not in repr(found.extension())
    assert "KeyDigest" in repr(found.extension()["plan"])


async def test_an_open_key_is_ordered_by_its_index(engine: Engine) -> None:
    for viewer in (CLERK, Viewer.admin()):
        found = await explanation(engine, Request("{ votes { choice } }", {}), viewer)
        assert found is not None
        assert found.compiled is not None
        assert "sha256" not in found.compiled.sql
