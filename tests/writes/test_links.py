"""Links that an admin writes by themselves, under the guards of both ends: docs/access.md."""

from __future__ import annotations

import pytest

from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

# The key of a lab has a type whose values the database gives in another form than clients.
SDL = """
type Person @table {
  id: Int! @id
  labs: [Lab!]! @relation(through: "Access")
}

type Lab @table @guard(to: UPDATE, where: {locked: false}, bindsAdmin: true) {
  site: Int! @id
  opened: DateTime! @id
  locked: Boolean! @default(value: false)
  people: [Person!]! @relation(through: "Access")
}
"""
ROWS = """
INSERT INTO persons (id) VALUES (1), (2);
INSERT INTO labs (site, opened, locked) VALUES
  (7, '2026-01-01', false), (7, '2026-01-02', true), (8, '2026-01-01', false);
INSERT INTO accesses (person_id, lab_site, lab_opened) VALUES (2, 7, '2026-01-02');
"""
CREATE = """mutation($inputs: [AccessCreateInput!]!) { createAccesses(inputs: $inputs) { count } }"""


def access(person: int, site: int, day: int) -> dict[str, object]:
    return {"personId": person, "labSite": site, "labOpened": f"2026-01-0{day}T00:00:00Z"}


async def refused(api: Api, *inputs: dict[str, object]) -> object:
    error = await api.fails(CREATE, {"inputs": list(inputs)})
    return {name: value for name, value in error["extensions"].items() if name != "code"}


async def test_the_input_that_a_guard_refuses_is_named(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        guarded = {"kind": "REFERENCE", "path": ["inputs", 1]}
        assert await refused(api, access(1, 7, 1), access(1, 7, 2)) == guarded
        # A row that is absent is none that a guard refuses.
        absent = {"kind": "REFERENCE", "entity": "Access", "fields": ["lab"], "path": ["inputs", 2]}
        assert await refused(api, access(1, 7, 1), access(1, 8, 1), access(2, 9, 1)) == absent
        assert await refused(api, access(1, 9, 1), access(1, 7, 2)) == guarded
        await api.fails("mutation { deleteAccesses(all: true) { count } }")
        made = await api.ok(CREATE, {"inputs": [access(1, 7, 1), access(2, 7, 1), access(1, 8, 1)]})
        assert made == {"createAccesses": {"count": 3}}
        gone = await api.ok("mutation { deleteAccesses(where: {labSite: {eq: 8}}) { count } }")
        assert gone == {"deleteAccesses": {"count": 1}}
