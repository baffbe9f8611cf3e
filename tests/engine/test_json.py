"""The JSON that Postgres puts together: every value as it is, and nothing worked out for rows that nobody asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import asyncpg
import pytest
from graphql import Source

from clew import Viewer
from clew.engine import Request
from clew.model.build import parse_model
from tests.properties.database import World, make_world
from tests.properties.models import Case

SDL = """
type Thing @table {
  id: Int! @id
  n: Int!
  name: String
  data: JSON
  raw: [Bytes]
  tags: [String!]
  at: DateTime
  fixed: String! @computed(sql: "'it''s fixed'")
  share: Int! @computed(sql: "100 / n")
  up: Thing @index
  downs: [Thing!]! @relation(from: "up")
}
"""
# Nothing is asked of the third, whose `share` raises an error.
FILL = r"""
INSERT INTO things (id, n, name, data, raw, tags, at, up_id) VALUES
  (2, 4, E'"quoted" \\ \n\t\x01 \U0001F600 </script>', '{"a": [1, null, "x\ny"]}',
   ARRAY[NULL, '\x00ff'::bytea], ARRAY['a"b', '', 'c,d'], '2026-01-01T05:00:00Z', NULL),
  (1, 5, NULL, 'null', '{}', '{}', NULL, 2),
  (3, 0, 'x', NULL, NULL, NULL, NULL, 2);
"""


@pytest.fixture(scope="module")
def things(postgres_url: str) -> Iterator[World]:
    case = Case(0, SDL, parse_model(Source(SDL, "things.graphql")), {})
    with make_world(postgres_url, case) as world:

        async def fill() -> None:
            connection = await asyncpg.connect(world.url)
            await connection.execute(FILL)
            await connection.close()

        world.run(fill())
        yield world


def test_values_of_every_kind_come_out_as_they_are(things: World) -> None:
    document = "{ things(where: {id: {lt: 3}}) { name data raw tags at } }"
    assert things.execute(document) == {
        "data": {
            "things": [
                {"name": None, "data": None, "raw": [], "tags": [], "at": None},
                {
                    "name": '"quoted" \\ \n\t\x01 \U0001f600 </script>',
                    "data": {"a": [1, None, "x\ny"]},
                    "raw": [None, "AP8="],
                    "tags": ['a"b', "", "c,d"],
                    "at": "2026-01-01T05:00:00+00:00",
                },
            ]
        }
    }


@pytest.mark.parametrize(
    "document",
    [
        "{ things(where: {id: {lt: 3}}) { share up { share fixed } } }",
        "{ things(where: {id: {eq: 1}}, limit: 1) { share up { share fixed } } }",
        "{ thingsConnection(where: {id: {lt: 3}}) { nodes { up { share fixed } } } }",
        "{ thing(id: 1) { fixed share up { share fixed downs(where: {id: {lt: 3}}) { share } } } }",
    ],
)
def test_a_computed_field_is_worked_out_for_the_rows_of_the_answer_alone(document: str, things: World) -> None:
    answer = things.execute(document)
    assert "errors" not in answer
    assert "it's fixed" in json.dumps(answer)


def test_there_is_no_space_between_keys_and_values(things: World) -> None:
    document = "{ things(where: {id: {lt: 3}}) { id up { id } downs { id } } downs: thingsAggregate { count } }"
    body = things.run(things.engine.execute(Request(document), Viewer.admin())).body
    rows = '[{"id":1,"up":{"id":2},"downs":[]},{"id":2,"up":null,"downs":[{"id":1},{"id":3}]}]'
    assert body.decode() == f'{{"data":{{"things":{rows},"downs":{{"count":3}}}}}}'
