"""Aggregates at the edges of their types."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement

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


FLOATS = (1.7e308, 1.7e308, -1.7e308, 1e300, 1.0, 2.5, -3.0, 5e-324, 1e-310, 0.0, -0.0)


@pytest.fixture(scope="module")
def extremes(postgres_url: str) -> Iterator[World]:
    """Owners of all combinations of two or three floats."""
    groups = [group for size in (2, 3) for group in combinations_with_replacement(FLOATS, size)]
    rows: list[Row] = [
        {"id": number * 3 + index, "double": value, "owner_id": number}
        for number, group in enumerate(groups)
        for index, value in enumerate(group)
    ]
    owners: list[Row] = [{"id": number} for number in range(len(groups))]
    model = parse_model(Source(SDL, "weights.graphql"))
    with make_world(postgres_url, Case(0, SDL, model, {"Weight": rows, "Owner": owners})) as made:
        yield made


def test_no_floats_make_a_sum_fail_for_others(extremes: World) -> None:
    found = extremes.execute(
        "{ owners { weights(orderBy: {id: ASC}) { double } weightsAggregate { sum { double } avg { double } } } }"
    )
    failed = {tuple(error["path"]) for error in found.get("errors", ())}
    for index, owner in enumerate(found["data"]["owners"]):
        values = [weight["double"] for weight in owner["weights"]]
        exact = sum(map(Fraction, values), Fraction())
        mean = owner["weightsAggregate"]["avg"]["double"]
        assert mean == pytest.approx(float(exact / len(values)), rel=1e-12, abs=1e-15)
        total = owner["weightsAggregate"]["sum"]["double"]
        path = ("owners", index, "weightsAggregate", "sum", "double")
        # A sum that no Float holds is an error of its own field, and of no other.
        assert (path in failed) is (abs(exact) > sys.float_info.max) is (total is None)
        if total is not None:
            assert total == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
    assert failed
    assert all(error["extensions"]["code"] == "INTERNAL" for error in found["errors"])


@pytest.mark.parametrize(
    "query",
    [
        "{ owners(where: {weightsAggregate: {sum: {double: {gt: 1e308}}}}, limit: 1) { id } }",
        "{ owners(where: {weightsAggregate: {avg: {double: {lt: 0}}}}, limit: 1) { id } }",
        "{ owners(orderBy: [{weightsAggregate: {sum: {double: DESC}}}, {id: ASC}], limit: 1) { id } }",
        "{ weightsGroups(by: [{owner: {id: VALUE}}], orderBy: [{avg: {double: ASC}}], limit: 1) { count } }",
        "{ weightsGroups(by: [{owner: {id: VALUE}}], orderBy: [{sum: {double: DESC}}], limit: 1) { count } }",
    ],
)
def test_no_floats_make_a_filter_or_an_order_fail(extremes: World, query: str) -> None:
    assert extremes.execute(query).keys() == {"data"}
