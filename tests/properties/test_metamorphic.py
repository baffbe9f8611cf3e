"""What must hold between the answers to related operations, whatever the right answer is."""

# ruff: noqa: B023 (each check of a loop runs before the next is made)

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.engine import Engine
from clew.model.types import Entity
from tests.depth import examples
from tests.properties.database import LIMITS, World, answer, canonical, make_world
from tests.properties.models import make_case
from tests.properties.operations import Source, filters, orders

SETTINGS = settings(
    max_examples=examples(100) // 10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
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
            everything = keys(rows(world, entity))
            true = keys(rows(world, entity, where=where))
            false = keys(rows(world, entity, where={"not": where}))
            assert not true & false
            either = {"or": [where, {"not": where}]}
            assert keys(rows(world, entity, where=either)) == true | false
            # What is neither is neither for the reference as well, and nothing else is.
            table = world.reference.tables.rows[entity.name]
            seen = [row for row in world.reference.visible(entity) if row in table]
            unknown = [row for row in seen if world.reference.holds(entity, row, where) is None]
            assert len(true) + len(false) + len(unknown) == len(everything)
            assert keys(rows(world, entity, where={"not": {"not": where}})) == true

        check()


def test_pages_put_together_are_the_whole(world: World) -> None:
    for entity in entities(world):

        @SETTINGS
        @given(orders(source(world), entity), st.integers(1, 4))
        def check(order: list[dict[str, Any]], size: int) -> None:
            whole = rows(world, entity, orderBy=order)
            pages: list[dict[str, Any]] = []
            for offset in range(0, len(whole) + size, size):
                page = rows(world, entity, orderBy=order, limit=size, offset=offset)
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
            key = " ".join(entity.primary_key)
            list_ = entity.plural
            type_ = f"{entity.name}Filter"
            body = f"{{ {list_}(where: $w) {{ {key} }} other: {list_}(where: $w) {{ {key} }} }}"
            given_ = world.execute(f"query($w: {type_}) {body}", {"w": where})
            assert given_["data"][list_] == given_["data"]["other"]
            # The members one by one, each a variable of its own.
            parts = {f"v{index}": (name, value) for index, (name, value) in enumerate(where.items())}
            fields = world.schema.type_map[type_].fields  # type: ignore[attr-defined]  # a type of this name is an input
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
                fresh = Engine(old.model, old.schema, old.statements.tables, old.pool, LIMITS)
                expected = canonical(world.run(answer(fresh, document, given_)))
                assert canonical(world.execute(document, given_)) == expected

        check()


def test_aggregates_and_groups_are_folds_of_the_list(world: World) -> None:
    for entity in entities(world):
        name, measures = entity.name, Measured(entity)
        if not measures.keys:
            continue

        @SETTINGS
        @given(filters(source(world), entity))
        def check(where: dict[str, Any]) -> None:
            parts = [
                f"list: {entity.plural}(where: $w) {{ {' '.join(measures.columns)} }}",
                f"page: {entity.plural}Connection(where: $w, first: 1) {{ totalCount }}",
                f"all: {entity.plural}Aggregate(where: $w) {{ {measures.selection} }}",
            ]
            for n, column in enumerate(measures.keys):
                by = f"by: [{{{column}: VALUE}}], where: $w"
                parts.append(f"g{n}: {entity.plural}Groups({by}) {{ key {{ {column} }} {measures.selection} }}")
            found = world.execute(f"query($w: {name}Filter) {{ {' '.join(parts)} }}", {"w": where})["data"]
            rows, total = found["list"], found["all"]
            assert found["page"]["totalCount"] == total["count"] == len(rows)
            assert total == measures.fold(rows)
            for n, column in enumerate(measures.keys):
                members: dict[Any, list[Any]] = {}
                for row in rows:
                    members.setdefault(row[column], []).append(row)
                there = {group["key"][column]: group for group in found[f"g{n}"]}
                assert sum(group["count"] for group in found[f"g{n}"]) == len(rows)
                assert there.keys() == members.keys()
                for value, group in there.items():
                    assert {**group, "key": None} == {"key": None, **measures.fold(members[value])}

        check()


class Measured:
    """The columns of an entity whose aggregates JSON's own values fold to: the numbers that are whole."""

    def __init__(self, entity: Entity) -> None:
        columns = [column for column in entity.columns if not column.hidden and not column.type.is_list]
        self.numbers = [column.name for column in columns if column.type.name in ("Int", "BigInt")]
        # A number with and one without zeros at its end are one group.
        self.keys = [
            c.name for c in columns if c.type.name in ("Int", "BigInt", "Boolean", "String", "Date") or c.type.is_enum
        ]
        self.columns = sorted({*self.numbers, *self.keys})
        parts = [f"{function} {{ {' '.join(self.numbers)} }}" for function in ("sum", "min", "max") if self.numbers]
        self.selection = " ".join(["count", f"countDistinct {{ {' '.join(self.keys)} }}", *parts])

    def fold(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        def folded(function: str, name: str) -> Any:
            values = [row[name] for row in rows if row[name] is not None]
            if not values:
                return None
            numbers = [int(value) for value in values]
            found = sum(numbers) if function == "sum" else min(numbers) if function == "min" else max(numbers)
            # Sums, and whatever is a BigInt, are text.
            return str(found) if function == "sum" or isinstance(values[0], str) else found

        distinct = {name: len({row[name] for row in rows} - {None}) for name in self.keys}
        functions = ("sum", "min", "max") if self.numbers else ()
        return {
            "count": len(rows),
            "countDistinct": distinct,
            **{function: {name: folded(function, name) for name in self.numbers} for function in functions},
        }
