"""A large schema is read in linear time."""

from __future__ import annotations

import time

import pytest
from graphql import Source

from clew.errors import SchemaError
from clew.model.build import parse_model


def schema(count: int) -> str:
    """So many entities, each of ten fields, with relations both ways, a unique key and a rule."""
    texts = []
    for number in range(count):
        fields = "\n".join(f"  field{index}: String! @default(value: x)" for index in range(6))
        texts.append(
            f"type Thing{number} @table @unique(fields: [owner, field1]) "
            f'@allow(role: user, where: {{owner: {{id: "$auth.sub"}}}}) {{\n  id: ID! @id\n{fields}\n'
            f"  owner: Thing{(number + 1) % count}!\n"
            f"  kids: [Thing{(number - 1) % count}!]! @relation(from: owner)\n"
            "  madeAt: DateTime! @createdAt\n}"
        )
    return "\n".join(texts)


def seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        parse_model(Source(text, "a.graphql"))
        best = min(best, time.process_time() - start)
    return best


def test_four_times_the_entities_take_about_four_times_as_long() -> None:
    assert seconds(schema(400)) < 8 * seconds(schema(100))


def test_four_times_the_faults_take_about_four_times_as_long() -> None:
    def broken(count: int) -> float:
        text = schema(count).replace("DateTime!", "Datum!")
        start = time.process_time()
        with pytest.raises(SchemaError) as raised:
            parse_model(Source(text, "a.graphql"))
        # One for each field: an unknown type has no followers.
        assert len(raised.value.diagnostics) == count
        return time.process_time() - start

    # A hint looks through all names, so that faults are not quite linear.
    assert broken(200) < 12 * broken(50)
