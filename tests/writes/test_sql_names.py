"""Tables whose names and columns are those that the statements of writing use themselves, or might."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

COLUMNS = (
    *("position", "k0", "s0", "i0", "a0", "b0", "n0", "item", "items", "keys", "given", "image", "readable", "judged"),
    *("clew_position", "clew_position_", "clew_key0", "clew_value0", "clew_value1", "clew_filled0", "clew_given"),
)
SDL = """
type Odd @table(name: "%(table)s", plural: "odds")
  @allow(role: user, to: [CREATE, READ, DELETE], where: {sum: {gt: 0}})
  @allow(role: user, to: UPDATE, where: {sum: {gt: 0}, parents: {none: {sum: {lt: 0}}}}) {
  id: Int! @id
  %(columns)s
  list: [Int!]! @default(value: [])
  sum: Int @computed(sql: "%(sum)s")
  code: String @unique @allow(role: user, to: ALL, where: {sum: {gt: 1}})
  filled: Int @preset(sql: "%(sum)s", on: [CREATE, UPDATE])
  parent: Odd
  parents: [Odd!]! @relation(from: parent)
}
"""
USER = Viewer("ann", frozenset({"user"}))


@pytest.mark.parametrize(
    "table", ["clew_given", "given", "given_rows", "keys", "filled_rows", "anon_1", "t0", "position"]
)
async def test_writes_of_a_table_with_such_names(prepared_url: str, table: str) -> None:
    fields = "\n  ".join(f'f{n}: Int! @default(value: 1) @column(name: "{name}")' for n, name in enumerate(COLUMNS))
    sdl = SDL % {"table": table, "columns": fields, "sum": " + ".join(COLUMNS)}
    most = len(COLUMNS)
    async with api_of(prepared_url, sdl) as api:
        found = await api.ok(
            """mutation {
              createOdd(input: {f0: 2, list: [3], code: "a", parents: {create: [{code: "b"}]}}) { id sum filled list }
              createOdds(inputs: [{f1: 3, parentId: 1}, {parent: {connect: {code: "a"}}}, {}]) { rows { sum filled } }
              updateOdd(id: 1, set: {f2: 5}, inc: {f3: 5}, append: {list: [4]}) { sum filled list }
              updateOdds(where: {sum: {gt: 0}, code: {eq: "b"}}, set: {parentId: 3}) { rows { parentId } }
              updateManyOdds(updates: [{id: 3, set: {f4: 2}}, {id: 4, inc: {f4: 2}}]) { rows { sum filled } }
              upsertOdds(inputs: [{code: "a", f5: 9}, {code: "c", f5: 9}], on: code) { rows { sum filled } }
            }""",
            viewer=USER,
        )
        assert found == {
            "createOdd": {"id": 1, "sum": most + 1, "filled": most + 1, "list": [3]},
            "createOdds": {"rows": [{"sum": most + more, "filled": most + more} for more in (2, 0, 0)]},
            "updateOdd": {"sum": most + 10, "filled": most + 10, "list": [3, 4]},
            "updateOdds": {"rows": [{"parentId": 3}]},
            "updateManyOdds": {"rows": [{"sum": most + more, "filled": most + more} for more in (3, 2)]},
            "upsertOdds": {"rows": [{"sum": most + more, "filled": most + more} for more in (18, 8)]},
        }
        found = await api.ok(
            """mutation {
              updateOdd(id: 1, set: {parents: {delete: [{id: 4}]}}) { id }
              deleteOdds(where: {sum: {gt: 0}, id: {neq: 1}}) { count }
              deleteOdd(id: 1) { sum }
            }""",
            viewer=USER,
        )
        assert found == {"updateOdd": {"id": 1}, "deleteOdds": {"count": 4}, "deleteOdd": {"sum": most + 18}}
