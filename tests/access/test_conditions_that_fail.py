"""A client's condition that fails on a hidden row tells nothing of it: such rows are not there to fail on."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

SDL = """
type Member @table @allow(role: user, where: {sub: "$auth.sub"}) { id: Int! @id sub: String team: Team! }
type Team @table @allow(role: user, fields: [id, name, items]) {
  id: Int! @id
  name: String
  members: [Member!]!
  items: [Item!]!
}
type Item @table
  @allow(role: user, where: {team: {members: {some: {sub: "$auth.sub"}}}}, fields: [id, name, team, number, parts]) {
  id: Int! @id
  name: String
  code: String!
  team: Team!
  number: Int @computed(sql: "code::int")
  parts: [Part!]!
}
type Part @table @allow(role: user) { id: Int! @id weight: Float item: Item }
"""
ROWS = """
INSERT INTO teams (id, name) SELECT n, 'x' FROM generate_series(1, 2) AS n;
INSERT INTO members (id, sub, team_id) VALUES (1, '1', 1), (2, '2', 2);
INSERT INTO members (id, sub, team_id) SELECT n, 'x' || n, 1 FROM generate_series(10, 3000) AS n;
INSERT INTO items (id, name, code, team_id) VALUES (1, 'zebra', 'SECRET', 1), (2, 'own', '7', 2);
INSERT INTO items (id, name, code, team_id) SELECT n, 'x', 'SECRET', 1 FROM generate_series(10, 2000) AS n;
INSERT INTO parts (id, weight, item_id) VALUES (1, 1e308, 1), (2, 1e308, 1), (3, 2, 2);
ANALYZE
"""
HEAVY = "partsAggregate: {sum: {weight: {gt: 0}}}"


@pytest.mark.parametrize(
    "field",
    [
        'items(where: {number: {gt: 1}, name: {startsWith: "%s"}}) { id }',
        'items(where: {number: {isNull: true}, name: {startsWith: "%s"}}) { id }',
        'items(where: {or: [{number: {gt: 1}}, {id: {lt: 0}}], name: {startsWith: "%s"}}) { id }',
        'itemsAggregate(where: {number: {gt: 1}, name: {startsWith: "%s"}}) { count }',
        'itemsConnection(where: {number: {gt: 1}, name: {startsWith: "%s"}}) { totalCount }',
        'itemsGroups(by: [{name: VALUE}], where: {number: {gt: 1}, name: {startsWith: "%s"}}) { count }',
        'teams(where: {items: {some: {number: {gt: 1}, name: {startsWith: "%s"}}}}) { id }',
        'teams(where: {itemsAggregate: {count: {gt: 0}, where: {number: {gt: 1}, name: {startsWith: "%s"}}}}) { id }',
        'teams { items(where: {number: {gt: 1}, name: {startsWith: "%s"}}) { id } }',
        'parts(where: {item: {number: {gt: 5}, name: {startsWith: "%s"}}}) { id }',
        f'items(where: {{{HEAVY}, name: {{startsWith: "%s"}}}}) {{ id }}',
        f'teams(where: {{items: {{some: {{{HEAVY}, name: {{startsWith: "%s"}}}}}}}}) {{ id }}',
    ],
)
async def test_a_condition_that_fails_on_hidden_rows_is_not_asked_of_them(prepared_url: str, field: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        viewer = Viewer("2", frozenset({"user"}))
        hidden, absent = [await api.run(f"{{ {field % start} }}", viewer=viewer) for start in ("z", "q")]
        assert "errors" not in hidden
        assert hidden == absent


async def test_a_cursor_compares_the_keys_of_visible_rows_alone(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        viewer = Viewer("2", frozenset({"user"}))
        page = "itemsConnection(orderBy: [{number: ASC}], first: 1%s) { edges { cursor } pageInfo { hasPreviousPage } }"
        found = await api.ok(f"{{ {page % ''} }}", viewer=viewer)
        cursor = found["itemsConnection"]["edges"][0]["cursor"]
        after = page % f', after: "{cursor}", where: {{name: {{startsWith: "z"}}}}'
        found = await api.ok(f"{{ {after} }}", viewer=viewer)
        assert found["itemsConnection"]["edges"] == []
