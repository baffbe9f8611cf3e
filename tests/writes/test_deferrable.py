"""Keys that are judged at the end of a root field: docs/directives.md."""

from __future__ import annotations

from random import Random

import pytest

from tests.depth import examples, seeds
from tests.writes.api import api_of, code

pytestmark = pytest.mark.anyio

LISTS = """
type List @table { id: Int! @id items: [Item!]! }
type Item @table @unique(fields: [list, place], deferrable: true) {
  id: Int! @id
  list: List!
  place: Int!
  slug: String @unique(deferrable: true)
}
"""
ROWS = """INSERT INTO lists (id) VALUES (1), (2);
  INSERT INTO items (id, list_id, place, slug) VALUES (1, 1, 1, 'a'), (2, 1, 2, 'b'), (3, 1, 3, 'c'), (4, 2, 1, 'd')"""
SWAP = "{id: 1, set: {place: 2}}, {id: 2, set: {place: 1}}"


@pytest.mark.parametrize(
    ("field", "places"),
    [
        (f"updateManyItems(updates: [{SWAP}]) {{ count }}", [(1, 2), (2, 1), (3, 3)]),
        ("updateItems(where: {listId: {eq: 1}}, inc: {place: 1}) { count }", [(1, 2), (2, 3), (3, 4)]),
        ("updateItems(where: {listId: {eq: 1}}, inc: {place: -1}) { count }", [(1, 0), (2, 1), (3, 2)]),
        (f"updateList(id: 1, set: {{items: {{update: [{SWAP}]}}}}) {{ id }}", [(1, 2), (2, 1), (3, 3)]),
        (
            "updateList(id: 1, set: {items: {create: [{id: 5, place: 1}], update: [{id: 1, set: {place: 9}}]}}) { id }",
            [(1, 9), (2, 2), (3, 3), (5, 1)],
        ),
        (
            "upsertItems(on: id, inputs: [{id: 1, listId: 1, place: 2}, {id: 2, listId: 1, place: 1}]) { count }",
            [(1, 2), (2, 1), (3, 3)],
        ),
        (
            "upsertItems(on: id, inputs: [{id: 6, listId: 1, place: 2}, {id: 2, listId: 1, place: 4}]) { count }",
            [(1, 1), (2, 4), (3, 3), (6, 2)],
        ),
    ],
)
async def test_places_are_judged_in_the_end(field: str, places: list[tuple[int, int]], prepared_url: str) -> None:
    async with api_of(prepared_url, LISTS, ROWS) as api:
        await api.ok(f"mutation {{ {field} }}")
        assert await api.sql("SELECT id, place FROM items WHERE list_id = 1 ORDER BY id") == places


EACH = 10


@pytest.mark.parametrize("seed", seeds(examples(60), EACH))
async def test_any_moves_are_judged_by_where_all_are_in_the_end(seed: int, prepared_url: str) -> None:
    random = Random(seed)
    rows = "SELECT id, place FROM items WHERE list_id = 1 ORDER BY id"
    async with api_of(prepared_url, LISTS, ROWS) as api:
        for _ in range(EACH):
            before: dict[int, int] = dict(await api.sql(rows))
            moves = {number: random.randint(0, 4) for number in random.sample(sorted(before), random.randint(1, 3))}
            # Changes of other fields are other statements.
            sets = {
                number: f"place: {place}" + random.choice(("", f', slug: "s{number}"'))
                for number, place in moves.items()
            }
            updates = ", ".join(f"{{id: {number}, set: {{{given}}}}}" for number, given in sets.items())
            by = random.choice((-1, 1, 2))
            field, after = random.choice(
                (
                    (f"updateManyItems(updates: [{updates}]) {{ count }}", before | moves),
                    (f"updateList(id: 1, set: {{items: {{update: [{updates}]}}}}) {{ id }}", before | moves),
                    (
                        f"updateItems(where: {{id: {{in: {sorted(moves)}}}}}, inc: {{place: {by}}}) {{ count }}",
                        before | {number: before[number] + by for number in moves},
                    ),
                )
            )
            if len(set(after.values())) == len(after):
                await api.ok(f"mutation {{ {field} }}")
                assert dict(await api.sql(rows)) == after
            else:
                assert code(await api.fails(f"mutation {{ {field} }}")) == "CONSTRAINT_VIOLATION"


async def test_a_key_that_is_taken_in_the_end_is_an_error_of_its_field(prepared_url: str) -> None:
    document = """mutation {
      first: updateItem(id: 1, set: {slug: "z"}) { id }
      taken: updateManyItems(updates: [{id: 1, set: {place: 2}}, {id: 3, set: {place: 7}}]) { count }
      last: updateItem(id: 2, set: {place: 5}) { id }
    }"""
    async with api_of(prepared_url, LISTS, ROWS) as api:
        error = await api.fails(document)
        assert (code(error), error["extensions"]["fields"]) == ("CONSTRAINT_VIOLATION", ["listId", "place"])
        found = await api.run(document)
        assert found["errors"][0]["path"] == ["taken"]


async def test_an_upsert_knows_its_rows_by_such_a_key(prepared_url: str) -> None:
    async with api_of(prepared_url, LISTS, ROWS) as api:
        document = """mutation { upsertItems(on: slug, inputs: [
          {slug: "a", listId: 1, place: 2}, {slug: "b", listId: 1, place: 1}, {id: 50, slug: "n", listId: 1, place: 8}
        ]) { rows { place } } }"""
        found = await api.ok(document)
        assert found == {"upsertItems": {"rows": [{"place": 2}, {"place": 1}, {"place": 8}]}}
