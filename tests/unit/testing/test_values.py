"""Values that the factory makes up for fields."""

from __future__ import annotations

import re

import pytest
from graphql import Source

from clew.model.build import parse_model
from clew.testing.values import value_of


def values(field: str, count: int = 40) -> list[object]:
    """The values of a field for several rows."""
    model = parse_model(Source(f"type T @table {{ id: ID! @id {field} }}", "t.graphql"))
    entity = model.entity("T")
    column = entity.columns[1]
    return [value_of(entity, column, model.enums, number) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("email", r"^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$"),
        ("slug", "^[a-z0-9]+(-[a-z0-9]+)*$"),
        ("word", "^[a-z][a-z0-9 -]{1,29}$"),
        ("website", "^https://"),
        ("country", "^[A-Z]{2}$"),
        ("currency", "^[A-Z]{3}$"),
        ("zip", "^[0-9]{5}$"),
        ("phone", r"^\\+[0-9]{7,15}$"),
        ("givenName", "^[A-Z][a-z]+"),
        ("color", "^#[0-9a-f]{6}$"),
        ("path", "^/"),
        ("sku", "^[A-Z]+_[0-9]+$"),
        ("sha", "^[0-9a-f]{64}$"),
    ],
)
def test_a_text_fits_its_pattern_and_is_unique(name: str, pattern: str) -> None:
    found = values(f'{name}: String! @check(pattern: "{pattern}")')
    readable = pattern.replace("\\\\", "\\")
    assert all(re.search(readable, str(value)) for value in found)
    assert len(set(map(str, found))) == len(found)


@pytest.mark.parametrize(
    ("field", "first"),
    [
        ("givenName: String!", "Given name 1"),
        ("email: String!", "email1@example.com"),
        ('code: String! @column(type: "varchar(2)")', "01"),
        ('level: Int! @column(type: "smallint")', 1),
        ('share: Decimal! @column(type: "numeric(3,3)")', "0.001"),
        ('price: Decimal! @column(type: "numeric(2,1)")', "1"),
        ("words: [String!]!", []),
        ("on: Boolean!", False),
        ("data: JSON!", {}),
        ("day: Date!", "2025-01-02"),
        ("time: Time!", "00:00:01"),
        ("at: DateTime!", "2025-01-01T00:01:00+00:00"),
        ("raw: Bytes!", "MQ=="),
    ],
)
def test_the_first_value_of_each_type(field: str, first: object) -> None:
    assert values(field, 1) == [first]


def test_where_nothing_fits_it_says_what_to_give() -> None:
    with pytest.raises(ValueError, match=r'T\.code fits the pattern \^x\{3\}\$\. Give one: make\("T", code=\.\.\.\)'):
        values('code: String! @check(pattern: "^x{3}$")')
