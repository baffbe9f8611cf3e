"""One statement an operation: counted in Postgres' own log, not by us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew import Viewer
from clew.config import Settings
from clew.engine import Engine, Request
from tests.golden.test_golden import CASES, read_case
from tests.shop import Shop, make_shop

EXECUTED = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*)")


@pytest.fixture(scope="module")
def logging_shop(
    logging_server: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Shop, Path]]:
    """The shop on a server that logs every statement, and the log."""
    url, log = logging_server
    with make_shop(url, tmp_path_factory.mktemp("shop")) as shop:
        yield shop, log


async def statements(engine: Engine, log: Path, request: Request) -> list[str]:
    """What the server logged while the operation ran, on whatever connection."""
    # A connection that is new would log what it does to set itself up.
    await engine.execute(request, Viewer.admin())
    before = log.stat().st_size
    response = await engine.execute(request, Viewer.admin())
    assert response.code is None, response.body
    return EXECUTED.findall(log.read_text()[before:])


@pytest.mark.anyio
@pytest.mark.parametrize("path", [p for p in CASES if p.parent.name == "reads"], ids=lambda path: path.stem)
async def test_every_golden_read_is_one_statement(path: Path, logging_shop: tuple[Shop, Path]) -> None:
    shop, log = logging_shop
    engine = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url})).engine
    document, variables = read_case(path)
    found = await statements(engine, log, Request(document, variables))
    await engine.pool.close()
    assert len(found) == 1
    assert found[0].startswith("SELECT convert_to(")


@pytest.mark.anyio
async def test_forty_root_fields_and_fifteen_levels_are_one_statement(logging_shop: tuple[Shop, Path]) -> None:
    shop, log = logging_shop
    engine = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url})).engine
    deep = "id"
    for _ in range(7):
        deep = f"people {{ company {{ {deep} }} }}"
    roots = " ".join(f"a{index}: people {{ id company {{ name }} }}" for index in range(39))
    found = await statements(engine, log, Request(f"{{ companies {{ {deep} }} {roots} }}"))
    await engine.pool.close()
    assert len(found) == 1


@pytest.mark.anyio
async def test_custom_fields_beside_generated_ones_leave_those_one_statement(
    logging_shop: tuple[Shop, Path],
) -> None:
    shop, log = logging_shop
    engine = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url})).engine
    document = (
        '{ people { shout orders { id } } companies { name people { shout } } weather(place: {city: "Bonn"}) { city } }'
    )
    found = await statements(engine, log, Request(document))
    await engine.pool.close()
    assert len(found) == 1


@pytest.mark.anyio
async def test_an_operation_without_data_is_no_statement(logging_shop: tuple[Shop, Path]) -> None:
    shop, log = logging_shop
    engine = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url})).engine
    found = await statements(engine, log, Request("{ viewer { roles } __typename __schema { queryType { name } } }"))
    await engine.pool.close()
    assert found == []


@pytest.mark.anyio
async def test_a_mutation_takes_a_few_statements_however_many_rows_it_writes(logging_shop: tuple[Shop, Path]) -> None:
    shop, log = logging_shop
    engine = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url})).engine
    people = [
        {
            "email": f"{n}@many",
            "givenName": str(n),
            "orders": {"create": [{"total": str(m)} for m in range(9)]},
        }
        for n in range(99)
    ]
    nested = Request(
        "mutation($input: CompanyCreateInput!) { createCompany(input: $input) { people { orders { id } } } }",
        {"input": {"name": "Many", "people": {"create": people}}},
    )
    bulk = Request(
        "mutation($inputs: [SkillCreateInput!]!) { createSkills(inputs: $inputs) { count rows { id } } }",
        {"inputs": [{"id": str(n)} for n in range(10_000)]},
    )
    # A connection that is new would log what it does to set itself up, and to learn of types.
    first = """mutation { createSkill(input: {id: "first"}) { id }
      createCompany(input: {name: "First", people: {create: [
      {email: "first@many", givenName: "F", orders: {create: [{total: 1}]}}]}}) { people { orders { id } } } }"""
    assert (await engine.execute(Request(first), Viewer.admin())).code is None
    for request, most in ((nested, 14), (bulk, 7)):
        before = log.stat().st_size
        response = await engine.execute(request, Viewer.admin())
        assert response.code is None, response.body
        found = EXECUTED.findall(log.read_text()[before:])
        # BEGIN and COMMIT among them, and a savepoint around each statement that writes several rows.
        assert 3 <= len(found) <= most, [text[:80] for text in found]
    await engine.pool.close()
