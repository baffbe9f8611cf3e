"""Aggregates at the edges of their types."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graphql import Source

from clew.model.build import parse_model
from tests.properties.database import World, make_world
from tests.properties.models import Case, Row

SDL = """
type Weight @table {
  id: Int! @id
  double: Float
  real: Float @column(type: "real")
  whole: Int
  big: BigInt
  owner: Owner
}
type Owner @table { id: Int! @id  weights: [Weight!]! }
"""
ROWS: list[Row] = [
    {"id": 1, "double": 1e300, "real": 3e38, "whole": 2**31 - 1, "big": 2**63 - 1, "owner_id": 1},
    {"id": 2, "double": 1.0, "real": 3e38, "whole": 2**31 - 1, "big": 2**63 - 1, "owner_id": 1},
    {"id": 3, "double": 5e-324, "real": 16777216.0, "whole": None, "big": None, "owner_id": 2},
    {"id": 4, "double": None, "real": 1.5, "whole": None, "big": None, "owner_id": 2},
]


@pytest.fixture(scope="module")
def world(postgres_url: str) -> Iterator[World]:
    model = parse_model(Source(SDL, "weights.graphql"))
    with make_world(postgres_url, Case(0, SDL, model, {"Weight": ROWS, "Owner": [{"id": 1}, {"id": 2}]})) as made:
        yield made


def test_sums_are_wider_than_what_they_add(world: World) -> None:
    found = world.execute("{ owners { weightsAggregate { sum { double real whole big } } } }")
    high, low = (owner["weightsAggregate"]["sum"] for owner in found["data"]["owners"])
    assert high["real"] == pytest.approx(6e38)
    assert high | {"real": 0} == {"double": 1e300, "real": 0, "whole": str(2**32 - 2), "big": str(2**64 - 2)}
    # 16,777,217.5 is no `real`.
    assert low == {"double": 5e-324, "real": 16777217.5, "whole": None, "big": None}


def test_means_do_not_overflow_where_squares_do(world: World) -> None:
    found = world.execute("{ weightsAggregate { avg { double whole big } } }")
    expected = {"double": 1e300 / 3, "whole": 2**31 - 1, "big": 2**63}
    assert found["data"]["weightsAggregate"]["avg"] == pytest.approx(expected)
    ordered = world.execute("{ owners(orderBy: [{weightsAggregate: {avg: {double: DESC}}}]) { id } }")
    assert ordered["data"]["owners"] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("selection", ["__typename", "sum { __typename }", "sum { t: __typename } max { __typename }"])
def test_names_alone_are_one_object(selection: str, world: World) -> None:
    found = world.execute(f"{{ weightsAggregate {{ {selection} }} owners {{ weightsAggregate {{ {selection} }} }} }}")
    assert found == world.reference.execute(
        f"{{ weightsAggregate {{ {selection} }} owners {{ weightsAggregate {{ {selection} }} }} }}"
    )
    assert "errors" not in found


@pytest.mark.parametrize(
    "arguments", ["", "(first: 2147483647)", "(last: 2147483647)", "(first: 1)", "(where: {id: {lt: 0}})"]
)
@pytest.mark.parametrize("info", ["__typename", "hasNextPage", "hasPreviousPage", "hasNextPage hasPreviousPage"])
def test_page_info_alone_is_one_object(arguments: str, info: str, world: World) -> None:
    found = world.execute(f"{{ weightsConnection{arguments} {{ pageInfo {{ {info} }} }} }}")
    assert found == world.reference.execute(f"{{ weightsConnection{arguments} {{ pageInfo {{ {info} }} }} }}")
    assert "errors" not in found
