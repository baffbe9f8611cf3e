"""SDL and documents made up by rule: many entities, and many operations that all differ."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

_FIELDS = (
    "name: String!",
    "note: String",
    "amount: Decimal!",
    "quantity: Int!",
    "active: Boolean! @default(value: true)",
    "happenedAt: DateTime @index",
    "createdAt: DateTime! @createdAt",
    "updatedAt: DateTime! @updatedAt",
)


def many_entities(count: int) -> str:
    """SDL with `count` entities, each with a dozen fields, a to-one to the one before and its reverse."""
    parts: list[str] = []
    for number in range(count):
        lines = [f'"Entity number {number}."', f"type Thing{number} @table {{", "  id: ID! @id"]
        lines += [f"  {field}" for field in _FIELDS]
        lines.append(f"  state: State{number}! @default(value: OPEN)")
        if number:
            lines.append(f"  parent: Thing{number - 1} @index")
        if number + 1 < count:
            lines.append(f'  children: [Thing{number + 1}!]! @relation(from: "parent")')
        parts += ["\n".join([*lines, "}"]), f"enum State{number} {{ OPEN CLOSED ARCHIVED }}"]
    return "\n\n".join(parts) + "\n"


def nested_document(rng: random.Random, name: str) -> str:
    """An operation on the record shop with ten fields on three levels; `name` and the literals make it new."""
    track = rng.sample(("id", "name", "composer", "milliseconds", "bytes", "unitPrice"), 4)
    artist = rng.sample(("id", "name"), 1)
    return (
        f'query {name}($id: Int!) {{ albums(where: {{id: {{gt: $id}}, title: {{ilike: "%{name}%"}}}}, '
        f"limit: {rng.randint(1, 1000)}) {{ id title artist {{ {' '.join(artist)} }} "
        f"tracks(limit: {rng.randint(1, 1000)}, where: {{milliseconds: {{gt: {rng.randrange(10**6)}}}}}) "
        f"{{ {' '.join(track)} genre {{ name }} }} }} }}"
    )


def hostile_requests(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that are small and become much SQL: a few documents, whose variables come in ever new shapes."""
    rng = random.Random(seed)
    operators = ("eq", "gt", "lt", "neq", "gte", "lte")
    number = 0
    while True:
        number += 1
        where: dict[str, Any] = {
            "or": [{"milliseconds": dict.fromkeys(rng.sample(operators, 2), -1)} for _ in range(rng.randint(20, 300))]
        }
        for _ in range(rng.randint(0, 3)):
            where = {"album": {"tracks": dict.fromkeys(rng.sample(("some", "none", "every"), 2), where)}}
            where = {"and": [{"id": {"lt": 0}}, where]}
        name = f"Hostile{number % 20}"
        yield f"query {name}($w: TrackFilter) {{ tracks(where: $w, limit: 1) {{ id }} }}", {"w": where}


def documents(count: int, seed: int = 5, padding: int = 0) -> Iterator[str]:
    """`count` different documents; every second one begins with `padding` bytes of comment."""
    rng = random.Random(seed)
    comment = f"# {'x' * padding}\n" if padding else ""
    for number in range(count):
        yield (comment if number % 2 else "") + nested_document(rng, f"Op{seed}x{number}")
