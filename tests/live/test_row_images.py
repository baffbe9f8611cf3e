"""A row of the log is the row that it was, whatever its columns hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from clew.sql.binds import Binds
from clew.sql.changes import ChangesCompiler
from clew.sql.cursors import Cursors
from clew.sql.literals import quote_name
from clew.sql.statement import compiled
from clew.sql.tables import build_tables
from tests.properties.database import make_world
from tests.properties.models import make_case
from tests.reference import table_sql


@pytest.mark.parametrize("seed", range(16))
def test_a_row_is_read_back_from_its_json(seed: int, postgres_url: str) -> None:
    case = make_case(seed)
    count = 0
    with make_world(postgres_url, case) as world:
        for entity in case.model.entities.values():
            if entity.view_sql is not None:
                continue
            table = build_tables(case.model).of(entity.name)
            compiler = ChangesCompiler(case.model, build_tables(case.model), Binds())
            row = compiler.logged(entity, "own.image")
            select: Any = sa.select(*(row.c[column.name].label(f"c{n}") for n, column in enumerate(table.columns)))
            sql = compiled(select.select_from(row).correlate(None), Binds(), Cursors("x" * 64)).sql
            names = ", ".join(f"CAST(own.{quote_name(column.name)} AS text)" for column in table.columns)
            again = ", ".join(f"CAST(back.c{n} AS text)" for n in range(len(table.columns)))
            rows = world.run(
                world.engine.pool.fetch(
                    f"SELECT ARRAY[{names}] AS was, ARRAY[{again}] AS is"
                    f" FROM (SELECT *, row_to_json(x.*)::text AS image FROM {table_sql(entity)} AS x) AS own"
                    f" CROSS JOIN LATERAL ({sql}) AS back",
                    (),
                )
            )
            assert len(rows) == len(case.rows[entity.name])
            count += len(rows)
            for was, is_ in rows:
                # JSON's null and no value are one to Clew.
                pairs = zip(table.columns, was, is_, strict=True)
                assert [row for row in pairs if _plain(row[0], row[1]) != _plain(row[0], row[2])] == []
    assert count


def _plain(column: sa.Column[Any], text: str | None) -> Any:
    """The text of a value. How JSON escapes a character tells nothing."""
    if isinstance(column.type, sa.JSON) and text is not None:
        return json.loads(text)
    return None if text is None else text.replace('"null"', "NULL")
