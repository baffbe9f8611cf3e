"""Whatever the model, rows, rules, viewer and operation: an export has the rows of the list, where it may have them.

A longer run: CLEW_TEST_EXAMPLES=100000 pytest -n auto tests/export/test_exports_equal_lists.py
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from graphql import print_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.document.limits import RoleLimits
from clew.engine import Engine, Request
from clew.errors import ClewError, Code
from clew.export.exports import Bounds, Exports
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.sql.copy import Form
from clew.sql.tables import build_tables
from clew.viewer import Viewer
from tests.access.masked import tie_key_of
from tests.access.rules import Eyes, ruled_model
from tests.access.test_masked_reads import PHASES, open_model
from tests.depth import examples, seeds
from tests.export.exported import ExportedReference, with_exports
from tests.properties.database import LIMITS, World, _number, canonical, make_world
from tests.properties.models import make_case, with_unique_keys
from tests.properties.operations import Source, exports

EXAMPLES = examples(200)
EACH, OPERATIONS, VIEWERS = 10, 5, 2
UNPAGED = RoleLimits(replace(LIMITS.default, page=2**31))
LINES, TABLE = Form(), Form(",", raw=True)


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH * OPERATIONS * VIEWERS))
def test_every_viewer_exports_what_the_rules_allow(seed: int, postgres_url: str) -> None:
    with make_world(postgres_url, with_unique_keys(make_case(seed))) as world:
        tables, full = build_tables(world.case.model), build_schema(world.case.model)

        @settings(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        )
        @given(st.integers(0, 2**32), st.data())
        def check(rules: int, data: st.DataObject) -> None:
            model, viewers = ruled_model(rules, world.case.model, world.reference.tables, VIEWERS)
            model = with_exports(model, rules)
            engine = Engine(model, full, tables, world.engine.pool, UNPAGED)
            compare(world, engine, model, viewers, data)

        check()


def compare(world: World, engine: Engine, model: Model, viewers: tuple[Eyes, ...], data: st.DataObject) -> None:
    schema = world.run(engine.role(viewers[0].viewer)).schema
    visible = open_model(model, viewers[0].roles)
    if not visible.entities:
        return
    # A field that is not exported on a row is null there, whatever the schema says of reading it.
    sdl = re.sub(r"^(  \w.*)!$", r"\1", print_schema(schema), flags=re.MULTILINE)
    source = Source(visible, schema, world.reference.tables)
    for _ in range(OPERATIONS):
        operation = data.draw(exports(source))
        for eyes in viewers:
            tie_key = world.run(tie_key_of(engine, eyes.viewer))
            reference = ExportedReference(model, world.reference.tables, sdl, eyes, tie_key)
            expected = reference.execute(operation.document, operation.variables)
            if expected.get("data") == {}:
                continue
            what = f"{eyes}\n{operation!r}\n{world.case.sdl}"
            found = world.run(lines(engine, Request(operation.document, operation.variables), eyes.viewer))
            if isinstance(found, ClewError):
                assert found.code is Code.FORBIDDEN, (found, what)
                assert "errors" in expected or is_closed(reference, operation.document, found.message), what
                continue
            assert "errors" not in expected, (expected, what)
            assert canonical(found) == canonical(expected), what


def is_closed(reference: ExportedReference, document: str, message: str) -> bool:
    """Whether no rule lets the viewer export the field that a refusal names."""
    name = message.split("`")[1]
    holders = [entity for entity in reference.model.entities.values() if entity.plural in document]
    return any(
        (entity.column(name) or entity.relation(name)) is not None and not reference.of_field(entity, name)
        for entity in holders
    )


async def lines(engine: Engine, request: Request, viewer: Viewer) -> dict[str, Any] | ClewError:
    """The response that the lines of an export make up, or its refusal. The cells of a CSV must be the same."""
    running = Exports(engine, engine.pool, Bounds(1, 1, 60))
    found: dict[Form, bytes] = {}
    for form in (LINES, TABLE):
        try:
            prepared = await running.prepare(request, viewer, form, own=True)
        except ClewError as error:
            return error
        async with running.running(prepared, None) as file:
            found[form] = b"".join([part async for part in file])
    rows = [json.loads(line, parse_float=_number) for line in found[LINES].decode().split("\n")[:-1]]
    names, *cells = csv.reader(io.StringIO(found[TABLE].decode(), newline=""))
    assert len(cells) == len(rows)
    for line, row in zip(cells, rows, strict=True):
        for cell, name in zip(line or [""], names, strict=True):
            assert_same(cell, row, name)
    return {"data": {prepared.statement.root: rows}}


def assert_same(cell: str, row: Any, name: str) -> None:
    """Hold a cell against the value at its name in a row."""
    value = row
    for key in name.split("."):
        value = None if value is None else value[key]
    if isinstance(value, str):
        try:
            assert cell == value
        except AssertionError:
            # A text of JSON.
            assert json.loads(cell) == value
    elif value is None:
        assert cell in ("", "null")
    else:
        assert json.loads(cell, parse_float=_number) == value


@pytest.mark.parametrize("form", [LINES, TABLE], ids=["NDJSON", "CSV"])
def test_a_file_that_is_empty_for_a_viewer_is_whole(form: Form, postgres_url: str) -> None:
    with make_world(postgres_url, with_unique_keys(make_case(0))) as world:
        entity = next(iter(world.case.model.entities.values()))

        async def count() -> int:
            running = Exports(world.engine, world.engine.pool, Bounds(1, 1, 60))
            document = f"{{ {entity.plural}(limit: 0) {{ __typename }} }}"
            prepared = await running.prepare(Request(document), Viewer.admin(), form)
            async with running.running(prepared, None) as file:
                return sum([part.count(b"\n") async for part in file])

        assert world.run(count()) == (form is TABLE)
