"""Conditions as SQL text. No database."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from graphql import Source
from sqlalchemy.dialects import postgresql

from clew.access.conditions import Conditions
from clew.access.types import Not
from clew.model.build import parse_model
from clew.sql.binds import Binds
from clew.sql.filters import condition
from clew.sql.pages import Pages
from clew.sql.repeated import Once
from clew.sql.tables import build_tables

SDL = """
type Note @table {
  id: Int! @id
  text: String
  labels: [String!]
  data: JSON
  author: Note
  notes: [Note!]!
}
"""
MODEL = parse_model(Source(SDL, "schema.graphql"))
NOTE = MODEL.entity("Note")
WHERES: tuple[dict[str, Any], ...] = (
    *({"id": {operator: 1}} for operator in ("eq", "neq", "gt", "gte", "lt", "lte")),
    *({"id": {operator: [1]}} for operator in ("in", "notIn")),
    *({"text": {operator: "x"}} for operator in ("like", "ilike", "startsWith", "endsWith", "contains")),
    {"labels": {"has": "x"}},
    *({"labels": {operator: ["x"]}} for operator in ("hasAny", "hasAll")),
    {"data": {"hasKey": "x"}},
    {"text": {"isNull": True}},
    {"and": [{"id": 1}, {"text": "x"}]},
    {"or": [{"id": 1}, {"text": "x"}]},
    {"not": {"id": {"in": [1]}}},
    {"author": {"id": 1}},
    {"notes": {"every": {"id": {"in": [1]}}}},
    {"notesAggregate": {"count": {"gt": 1}}},
    {"exists": {"Note": {"id": 1}}},
)


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_a_negation_is_one_operand_of_what_stands_after_it(where: dict[str, Any]) -> None:
    """Postgres reads `NOT a IS true` as `NOT (a IS true)`, which holds where `a` is unknown."""
    pages = Pages(MODEL, build_tables(MODEL), Binds())
    negated = condition(Not(Conditions(MODEL).condition(NOTE, where)), pages.scope("Note", None), pages, pages.binds)
    for expression in (negated, Once(negated)):
        text = str(expression.is_(sa.true()).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
        before, after = text[: -len(" IS true")], text[-len(" IS true") :]
        assert after == " IS true"
        assert _is_in_parentheses(before), text


def _is_in_parentheses(text: str) -> bool:
    """Return whether the first parenthesis of a text opens at its start and closes at its end."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return place == len(text) - 1 > 0
    return False
