"""SQL names must fit into 63 bytes: Postgres cuts longer ones silently."""

from __future__ import annotations

from clew.model import names
from clew.model.rules.places import entity_node, field_node
from clew.model.scope import Scope
from clew.model.types import Model


def check(scope: Scope, model: Model) -> None:
    for entity in model.entities.values():
        if entity.is_job:
            continue
        for what, name, cure in (
            ("table", entity.table, '@table(name: "...")'),
            ("schema", entity.schema or "", '@table(schema: "...")'),
        ):
            fault = _fault(name) if name else None
            if fault is not None:
                message = f'the {what} name "{name}" {fault}'
                scope.report.error(entity_node(scope, entity), message, f"{cure} names it")
        for column in entity.columns:
            fault = _fault(column.column)
            if fault is not None:
                cure = '@relation(column: "...")' if column.relation else '@column(name: "...")'
                message = f'the column name "{column.column}" {fault}'
                scope.report.error(field_node(scope, entity, column.name), message, f"{cure} names it")


def _fault(name: str) -> str | None:
    if names.too_long(name):
        return f"has {len(name.encode())} bytes: Postgres takes {names.MAX_BYTES}"
    if "\0" in name:
        return "holds a null character"
    return None
