"""What must hold between the answers to related operations, whatever the right answer is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.engine import Engine
from clew.model.types import Entity
from tests.properties.database import LIMITS, World, answer, canonical, make_world
from tests.properties.models import make_case
from tests.properties.operations import Source, filters, orders

SETTINGS = settings(
    max_examples=40, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module", params=[2, 11, 24])
def world(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[World]:
    with make_world(postgres_url, make_case(request.param)) as made:
        yield made


def source(world: World) -> Source:
    return Source(world.case.model, world.schema, world.reference.tables)


def entities(world: World) -> list[Entity]:
    """Those whose rows can be told apart."""
    return [entity for entity in world.case.model.entities.values() if entity.view_sql is None]


def rows(world: World, entity: Entity, **arguments: Any) -> list[dict[str, Any]]:
    """The keys of the rows that a list with these arguments holds."""
    types = {"where": f"{entity.name}Filter", "orderBy": f"[{entity.name}OrderBy!]", "limit": "Int", "offset": "Int"}
    header = ", ".join(f"${name}: {types[name]}" for name in arguments)
    given_ = ", ".join(f"{name}: ${name}" for name in arguments)
    document = f"query{f'({header})' if header else ''} {{ {entity.plural}{f'({given_})' if given_ else ''}"
    response = world.execute(f"{document} {{ {' '.join(entity.primary_key)} }} }}", arguments)
    assert "errors" not in response, response
    found: list[dict[str, Any]] = response["data"][entity.plural]
    return found


def keys(found: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(row) for row in found}


def test_a_filter_its_negation_and_the_nulls_are_all_rows(world: World) -> None:
    for entity in entities(world):

        @SETTINGS
        @given(filters(source(world), entity))
        def check(where: dict[str, Any]) -> None:
            everything = keys(rows(world, entity))  # noqa: B023
            true = keys(rows(world, entity, where=where))  # noqa: B023
            false = keys(rows(world, entity, where={"not": where}))  # noqa: B023
            assert not true & false
            either = {"or": [where, {"not": where}]}
            assert keys(rows(world, entity, where=either)) == true | false  # noqa: B023
            # What is neither is neither for the reference as well, and nothing else is.
            table = world.reference.tables.rows[entity.name]  # noqa: B023
            seen = [row for row in world.reference.visible(entity) if row in table]  # noqa: B023
            unknown = [row for row in seen if world.reference.holds(entity, row, where) is None]  # noqa: B023
            assert len(true) + len(false) + len(unknown) == len(everything)
            assert keys(rows(world, entity, where={"not": {"not": where}})) == true  # noqa: B023

        check()


def test_pages_put_together_are_the_whole(world: World) -> None:
    for entity in entities(world):

        @SETTINGS
        @given(orders(source(world), entity), st.integers(1, 4))
        def check(order: list[dict[str, Any]], size: int) -> None:
            whole = rows(world, entity, orderBy=order)  # noqa: B023
            pages: list[dict[str, Any]] = []
            for offset in range(0, len(whole) + size, size):
                page = rows(world, entity, orderBy=order, limit=size, offset=offset)  # noqa: B023
                assert len(page) <= size
                pages += page
            assert pages == whole
            assert len(keys(whole)) == len(whole)

        check()


def test_literals_variables_and_aliases_come_to_the_same(world: World) -> None:
    for entity in entities(world):

        @SETTINGS
        @given(filters(source(world), entity))
        def check(where: dict[str, Any]) -> None:
            key = " ".join(entity.primary_key)  # noqa: B023
            list_ = entity.plural  # noqa: B023
            type_ = f"{entity.name}Filter"  # noqa: B023
            body = f"{{ {list_}(where: $w) {{ {key} }} other: {list_}(where: $w) {{ {key} }} }}"
            given_ = world.execute(f"query($w: {type_}) {body}", {"w": where})
            assert given_["data"][list_] == given_["data"]["other"]
            # The members one by one, each a variable of its own.
            parts = {f"v{index}": (name, value) for index, (name, value) in enumerate(where.items())}
            fields = world.schema.type_map[type_].fields  # type: ignore[attr-defined]
            header = ", ".join(f"${v}: {fields[name].type}" for v, (name, _) in parts.items())
            literal = ", ".join(f"{name}: ${v}" for v, (name, _) in parts.items())
            document = f"query{f'({header})' if header else ''} {{ {list_}(where: {{{literal}}}) {{ {key} }} }}"
            single = world.execute(document, {v: value for v, (_, value) in parts.items()})
            assert single["data"][list_] == given_["data"][list_]

        check()


def test_a_cached_plan_answers_as_a_fresh_engine_does(world: World) -> None:
    """One document, more shapes of its variables than an engine keeps plans, in any order, again and again."""
    for entity in entities(world):
        name = entity.name
        document = (
            f"query($w: {name}Filter, $o: [{name}OrderBy!], $l: Int, $f: Int, $s: Boolean!, $i: Boolean = true) "
            f"{{ list: {entity.plural}(where: $w, orderBy: $o, limit: $l, offset: $f) "
            f"{{ {' '.join(entity.primary_key)} t: __typename @skip(if: $s) u: __typename @include(if: $i) }} }}"
        )
        absent = st.just(...)
        variables = st.fixed_dictionaries(
            {
                "w": absent | st.none() | filters(source(world), entity),
                "o": absent | st.none() | orders(source(world), entity),
                # Limits of every size: a plan may be made for a range of them.
                "l": absent | st.none() | st.sampled_from((0, 1, 2, 9, 10, 11, 99, 1000, 2**31 - 1)),
                "f": absent | st.none() | st.sampled_from((0, 1, 3, 10, 2**31 - 1)),
                "s": st.booleans(),
                "i": absent | st.booleans(),
            }
        )

        @settings(SETTINGS, max_examples=1)
        @given(st.lists(variables, min_size=36, max_size=40), st.randoms(use_true_random=False))
        def check(many: list[dict[str, Any]], random: Any) -> None:
            shuffled = many + many
            random.shuffle(shuffled)
            for values in shuffled:
                given_ = {key: value for key, value in values.items() if value is not ...}
                old = world.engine
                fresh = Engine(old.model, old.schema, old.tables, old.pool, LIMITS)
                expected = canonical(world.run(answer(fresh, document, given_)))  # noqa: B023
                assert canonical(world.execute(document, given_)) == expected  # noqa: B023

        check()
