"""`@row` on arguments: the resolver runs for rows on which the viewer holds the operation, and for no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clew import Viewer
from tests.engine import office
from tests.engine.conftest import Desk
from tests.engine.office import BADGE, user

pytestmark = pytest.mark.anyio

ADMIN = Viewer.admin()
EDIT = "mutation ($i: String!) { edit(id: $i) }"
REMOVE = "mutation ($i: [String]) { remove(ids: $i) }"


@pytest.fixture(autouse=True)
def _nothing_ran() -> Iterator[None]:
    office.ran.clear()
    yield
    office.ran.clear()


async def refused(desk: Desk, viewer: Viewer, document: str, **variables: Any) -> bool:
    """Whether the answer is NOT_FOUND; otherwise the resolver ran."""
    found = await desk.answer(viewer, document, **variables)
    if "errors" not in found:
        assert office.ran
        office.ran.clear()
        return False
    assert office.ran == []
    (error,) = found["errors"]
    assert error["extensions"] == {"code": "NOT_FOUND"}
    return True


async def test_a_rule_of_the_operation_admits(desk: Desk) -> None:
    assert not await refused(desk, user(1), EDIT, i="p1")
    assert await refused(desk, user(1), EDIT, i="p2")
    assert not await refused(desk, user(2), EDIT, i="p2")
    assert await refused(desk, user(1), EDIT, i="p99")


async def test_the_row_must_be_visible_too(desk: Desk) -> None:
    # p7 may be edited by its own rule, and no rule shows it.
    assert await refused(desk, user(7), EDIT, i="p7")


async def test_guards_are_added_and_may_bind_an_admin(desk: Desk) -> None:
    assert await refused(desk, user(8), EDIT, i="p8")
    assert await refused(desk, ADMIN, EDIT, i="p8")
    assert not await refused(desk, ADMIN, EDIT, i="p7")
    assert await refused(desk, ADMIN, EDIT, i="p99")


async def test_a_claim_that_only_such_a_rule_names_counts(desk: Desk) -> None:
    assert not await refused(desk, user(1, teams=["red"]), REMOVE, i=["p1", "p2"])
    assert await refused(desk, user(1, teams=["blue"]), REMOVE, i=["p1", "p2"])
    assert await refused(desk, user(1, teams=["red"]), REMOVE, i=["p1", "p9"])
    assert not await refused(desk, user(1, teams=["red", "blue"]), REMOVE, i=["p1", "p9"])
    nothing: tuple[Any, ...] = ([], None, {})
    for teams in nothing:
        assert await refused(desk, user(1, teams=teams), REMOVE, i=["p1"])
    assert await refused(desk, user(1), REMOVE, i=["p1"])


async def test_nothing_is_judged_where_no_key_is_given(desk: Desk) -> None:
    nothing: tuple[dict[str, Any], ...] = ({}, {"i": None}, {"i": []}, {"i": [None]})
    for given in nothing:
        assert not await refused(desk, user(1), REMOVE, **given)
        found = await desk.statements(user(1), REMOVE, **given)
        assert not [statement for statement in found if statement.startswith("SELECT")]
    office.ran.clear()
    assert not await refused(desk, user(1), "{ looked }")


async def test_hidden_and_absent_are_alike_to_the_byte(desk: Desk) -> None:
    texts = [str(await desk.answer(user(1), "{ looked(id: $i) }".replace("$i", f'"{key}"'))) for key in ("p7", "px")]
    texts += [str(await desk.answer(user(1), EDIT, i=key)) for key in ("p7", "px", "p2", "p8")]
    assert len(set(texts[:2])) == 1
    assert len(set(texts[2:])) == 1
    assert "NOT_FOUND" in texts[0]
    assert "p7" not in texts[0]


async def test_all_arguments_of_a_call_are_one_statement(desk: Desk) -> None:
    document = "query ($a: String, $b: String) { looked(id: $a, other: $b) }"
    assert len(await desk.statements(user(1), document, a="p1", b="p2")) == 1
    office.ran.clear()
    assert not await refused(desk, user(1), document, a="p1", b="p2")
    for a, b, name in (("p7", "p2", "id"), ("p1", "p7", "other"), ("p7", "p7", "id")):
        found = await desk.answer(user(1), document, a=a, b=b)
        assert found["errors"][0]["message"] == f"There is no row for `{name}`."


async def test_a_composite_key_is_an_input_object(desk: Desk) -> None:
    document = "query ($t: TaskId, $l: [TaskId!]) { owned(task: $t, tasks: $l) }"
    mine, hidden = {"ownerId": "p1", "number": 1}, {"ownerId": "p1", "number": 9}
    assert not await refused(desk, user(1), document, t=mine)
    assert await refused(desk, user(1), document, t=hidden)
    assert not await refused(desk, user(1), document, l=[mine, {"ownerId": "p2", "number": 2}])
    assert await refused(desk, user(1), document, l=[mine, hidden])
    assert not await refused(desk, ADMIN, document, t=hidden)


async def test_a_key_that_is_none_is_the_clients_fault(desk: Desk) -> None:
    found = await desk.answer(ADMIN, 'mutation { badgeOf(id: "x") }')
    assert found["errors"][0]["message"] == "`id` must be a UUID."
    assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    # The entity is not open to a user at all.
    assert await refused(desk, user(1), "mutation ($i: ID!) { badgeOf(id: $i) }", i=BADGE)
    assert not await refused(desk, ADMIN, "mutation ($i: ID!) { badgeOf(id: $i) }", i=BADGE)
    found = await desk.answer(user(1), EDIT, i="p\0")
    assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_resolver_field_is_judged_once_for_all_its_rows(desk: Desk) -> None:
    document = "query ($i: String) { people { id same(as: $i) } }"
    assert len(await desk.statements(user(1), document, i="p2")) == 2
    office.ran.clear()
    found = await desk.data(user(1), document, i="p2")
    assert [row["id"] for row in found["people"] if row["same"]] == ["p2"]
    assert len(office.ran) == len(found["people"])
    office.ran.clear()
    found = await desk.answer(user(1), document, i="p7")
    assert office.ran == []
    assert {error["extensions"]["code"] for error in found["errors"]} == {"NOT_FOUND"}


async def test_a_mutation_judges_what_it_has_written_so_far(desk: Desk) -> None:
    document = """mutation {
      run(documents: ["mutation { rename(id: \\"p1\\", name: \\"Person 1\\") { id } }"])
      edit(id: "p1")
      rename(id: "p1", name: "Person 1") { id }
    }"""
    assert not await refused(desk, user(1), document)
