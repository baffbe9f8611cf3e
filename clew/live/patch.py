"""JSON Patch (RFC 6902) from one result of a live query to the next one.

Items of lists are told apart by a field of theirs whose values differ, `id` if there is one. So a row that comes, goes
or changes its place is one step, whatever the rows after it.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from clew.json_numbers import dumps, exact_float

Step = dict[str, Any]


def patch_response(old: bytes, new: bytes) -> bytes | None:
    """Return the response that carries the difference of two responses. None: it would not be smaller.

    Args:
        old: a response with `data` alone, and `new` likewise.
    """
    before, after = (json.loads(body, parse_float=exact_float) for body in (old, new))
    if set(before) != {"data"} or set(after) != {"data"}:
        return None
    steps: list[Step] = []
    left = len(new)
    for step in difference(before["data"], after["data"]):
        steps.append(step)
        left -= len(step["path"])
        if left < 0:
            return None
    body = b'{"extensions":{"patch":%b}}' % dumps(steps, compact=True).encode()
    return body if len(body) < len(new) else None


def difference(old: Any, new: Any, path: str = "") -> Iterator[Step]:
    """Yield the steps that make `new` of `old`.

    Args:
        path: a JSON Pointer (RFC 6901) to the place of the two values.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() - new.keys():
            yield {"op": "remove", "path": f"{path}/{_pointer(key)}"}
        for key, value in new.items():
            if key in old:
                yield from difference(old[key], value, f"{path}/{_pointer(key)}")
            else:
                yield {"op": "add", "path": f"{path}/{_pointer(key)}", "value": value}
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_difference(old, new, path)
    elif repr(old) != repr(new):
        yield {"op": "replace", "path": path, "value": new}


def _list_difference(old: list[Any], new: list[Any], path: str) -> Iterator[Step]:
    if old == new and repr(old) == repr(new):
        return
    key = _key(old, new)
    if key is None:
        yield from _by_place(old, new, path)
        return
    before = [item[key] for item in old]
    after = [item[key] for item in new]
    wanted = set(after)
    for index in range(len(before) - 1, -1, -1):
        if before[index] not in wanted:
            yield {"op": "remove", "path": f"{path}/{index}"}
    items = [name for name in before if name in wanted]
    place = {name: index for index, name in enumerate(after)}
    steady = _longest_in_order(items, place)
    known = set(items)
    for index, name in enumerate(after):
        if name not in known:
            items.insert(index, name)
            yield {"op": "add", "path": f"{path}/{index}", "value": new[index]}
            continue
        while name in steady and items[index] != name:
            # This item belongs further back. Move it to the end for now; it is placed when its index is reached.
            items.append(items.pop(index))
            yield {"op": "move", "from": f"{path}/{index}", "path": f"{path}/{len(items) - 1}"}
        if items[index] != name:
            at = items.index(name, index)
            items.insert(index, items.pop(at))
            yield {"op": "move", "from": f"{path}/{at}", "path": f"{path}/{index}"}
    olds = dict(zip(before, old, strict=True))
    for index, name in enumerate(after):
        if name in known:
            yield from difference(olds[name], new[index], f"{path}/{index}")


def _by_place(old: list[Any], new: list[Any], path: str) -> Iterator[Step]:
    """Compare lists whose items cannot be told apart."""
    for index in range(len(old) - 1, len(new) - 1, -1):
        yield {"op": "remove", "path": f"{path}/{index}"}
    for index, value in enumerate(new):
        if index < len(old):
            yield from difference(old[index], value, f"{path}/{index}")
        else:
            yield {"op": "add", "path": f"{path}/{index}", "value": value}


def _key(old: Sequence[Any], new: Sequence[Any]) -> str | None:
    """Return the field by which the items of both lists can be told apart."""
    items = [*old, *new]
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    fields: list[str] = [name for name in items[0] if all(_tells(item.get(name)) for item in items)]
    for name in sorted(fields, key=lambda name: name != "id"):
        if all(len({(item[name]) for item in part}) == len(part) for part in (old, new)):
            return name
    return None


def _tells(value: Any) -> bool:
    # True equals 1.
    return isinstance(value, str | int) and not isinstance(value, bool)


def _longest_in_order(items: Sequence[Any], place: dict[Any, int]) -> set[Any]:
    """Return the most items that are in the order of their places already."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for index, name in enumerate(items):
        at = bisect_left(ends, place[name])
        before.append(last[at - 1] if at else None)
        if at == len(ends):
            ends.append(place[name])
            last.append(index)
        else:
            ends[at] = place[name]
            last[at] = index
    found: set[Any] = set()
    index_: int | None = last[-1] if last else None
    while index_ is not None:
        found.add(items[index_])
        index_ = before[index_]
    return found


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
