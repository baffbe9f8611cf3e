"""A JSON Patch leads from one result to the next, and is small for what happens to rows: RFC 6902."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.live.patch import difference, patch_response
from tests.depth import examples

LEAVES = st.sampled_from([None, True, False, 0, 1, 1.5, "", "a", "b/c", "~"])


def _rows(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    row = st.fixed_dictionaries({"id": st.integers(0, 9), "value": values})
    return st.lists(row, max_size=8, unique_by=lambda item: item["id"])


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "b/c", "~d"]), inner), _rows(inner)
    ),
    max_leaves=12,
)


def applied(document: Any, steps: list[dict[str, Any]]) -> Any:
    """Apply steps as the standard says."""
    holder: dict[str, Any] = {"": copy.deepcopy(document)}

    def place(pointer: str) -> tuple[Any, Any]:
        *path, last = ["", *(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])]
        found: Any = holder
        for part in path:
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found, int(last) if isinstance(found, list) else last

    for step in steps:
        if step["op"] == "move":
            source, key = place(step["from"])
            value = source.pop(key)
        else:
            value = step.get("value")
        target, key = place(step["path"])
        if step["op"] == "remove":
            del target[key]
        elif isinstance(target, list) and step["op"] in ("add", "move"):
            target.insert(key, value)
        else:
            target[key] = value
    return holder[""]


@settings(max_examples=examples(500), deadline=None, derandomize=True, database=None)
@given(VALUES, VALUES)
def test_the_steps_make_the_new_value(old: Any, new: Any) -> None:
    found = applied(old, list(difference(old, new)))
    assert json.dumps(found, sort_keys=True) == json.dumps(new, sort_keys=True)


ROWS = [{"id": number, "text": "x" * 20} for number in range(100)]


@pytest.mark.parametrize(
    ("new", "steps"),
    [
        (ROWS, []),
        (ROWS[1:], [{"op": "remove", "path": "/0"}]),
        ([{"id": 100}, *ROWS], [{"op": "add", "path": "/0", "value": {"id": 100}}]),
        ([*ROWS[1:], ROWS[0]], [{"op": "move", "from": "/0", "path": "/99"}]),
        ([ROWS[-1], *ROWS[:-1]], [{"op": "move", "from": "/99", "path": "/0"}]),
        ([*ROWS[:50], {"id": 50, "text": "y"}, *ROWS[51:]], [{"op": "replace", "path": "/50/text", "value": "y"}]),
    ],
)
def test_a_row_is_one_step_wherever_it_stands(new: Any, steps: list[Any]) -> None:
    assert list(difference(ROWS, new)) == steps


def test_numbers_keep_their_digits() -> None:
    rest = b',"b":"' + b"x" * 100 + b'"}}'
    found = patch_response(b'{"data":{"a":1.1' + rest, b'{"data":{"a":1.10000000000000000001' + rest)
    assert found is not None
    assert b'"value":1.10000000000000000001' in found


def test_a_patch_that_is_not_smaller_is_none() -> None:
    assert patch_response(b'{"data":{"a":1}}', b'{"data":{"a":2}}') is None


def test_an_answer_with_errors_is_sent_whole() -> None:
    errors = b'{"errors":[{"message":"' + b"x" * 300 + b'"}],"data":{"a":2}}'
    assert patch_response(b'{"data":{"a":1}}', errors) is None
