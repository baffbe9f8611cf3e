"""The rules that need resolved names, columns and relations, one a file."""

from __future__ import annotations

from collections.abc import Callable

from clew.model.rules import (
    cascades,
    conditions,
    entity_results,
    field_lists,
    field_names,
    root_fields,
    row_arguments,
    sql_names,
    tables,
    type_names,
)
from clew.model.scope import Scope
from clew.model.types import Model

Rule = Callable[[Scope, Model], None]

RULES: tuple[Rule, ...] = (
    type_names.check,
    root_fields.check,
    row_arguments.check,
    entity_results.check,
    field_names.check,
    tables.check,
    sql_names.check,
    cascades.check,
    field_lists.check,
    conditions.check,
)
