"""What an operation becomes, for people: `clew explain` and the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from clew.engine.document import InvalidDocument
from clew.engine.engine import Engine
from clew.engine.roles import role_schema
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Relation
from clew.plan.types import TRUE, Literal, Operand, ReadPlan, Variable
from clew.plan.visible import ADMIN, Access


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query's statement.

    `arguments` are, for `$1`..., what they are bound to: a variable's path as text
    (`$id`, `$where.title.eq`), or the literal.
    """

    sql: str
    arguments: tuple[Any, ...]
    values: tuple[Any, ...]
    plan: ReadPlan


def compiled(engine: Engine, document: str, variables: Mapping[str, Any]) -> Compiled:
    """Plan and compile a query as an admin.

    Raises:
        ClewError: with the first fault's message, if the document or a variable is not valid.
    """
    role = role_schema(Access(engine.model), engine.model, engine.schema, ADMIN, engine.limits)
    try:
        prepared = engine.prepare(role, document, None)
        values = prepared.coerce(variables)
    except InvalidDocument as invalid:
        raise ClewError(str(invalid.errors[0]), code=invalid.code) from None
    if prepared.operation.operation.value != "query":
        raise ClewError("Only queries can be explained.", code=Code.BAD_USER_INPUT)
    executable = engine.executable(prepared, values, ADMIN)
    if executable.statement is None:
        return Compiled("", (), (), executable.plan)
    statement = executable.statement
    return Compiled(
        statement.sql,
        tuple(_source(operand) for operand in statement.operands),
        tuple(compute(values, {}) for compute in statement.arguments),
        executable.plan,
    )


async def explained(engine: Engine, document: str, variables: Mapping[str, Any]) -> str:
    """The plan, the SQL with its values and Postgres' EXPLAIN, as text. Raises as `compiled`, and UNAVAILABLE."""
    found = compiled(engine, document, variables)
    parts = ["Plan", *_tree(found.plan, "  ")]
    if found.sql:
        parts += ["", "SQL", *("  " + line for line in found.sql.splitlines())]
        for index, (source, value) in enumerate(zip(found.arguments, found.values, strict=True), 1):
            named = f" ({source})" if isinstance(source, str) and source.startswith("$") else ""
            parts.append(f"  ${index} = {value!r}{named}")
        rows = await engine.pool.fetch(f"EXPLAIN (VERBOSE, COSTS) {found.sql}", found.values)
        parts += ["", "EXPLAIN", *("  " + row[0] for row in rows)]
    else:
        parts += ["", "No statement: nothing in it needs the database."]
    return "\n".join(parts)


def _source(operand: Operand) -> Any:
    if isinstance(operand.source, Literal):
        return operand.source.value
    if isinstance(operand.source, Variable):
        return "$" + ".".join(str(key) for key in operand.source.path)
    return f"$({operand.place})"


def _tree(node: Any, indent: str) -> list[str]:
    """The plan as an indented outline: its types' names, and what they hold."""
    lines: list[str] = []
    if isinstance(node, tuple | list):
        for item in node:
            lines += _tree(item, indent)
        return lines
    scalars, children = [], []
    for field in fields(node):
        value = getattr(node, field.name)
        if value == TRUE:
            continue
        if isinstance(value, Column | Relation | Entity):
            scalars.append(f"{field.name}={value.name}")
        elif isinstance(value, Operand):
            scalars.append(f"{field.name}={_source(value)!r}")
        elif is_dataclass(value) or (isinstance(value, tuple) and value and is_dataclass(value[0])):
            children.append(value)
        elif value not in (None, (), False):
            scalars.append(f"{field.name}={value!r}")
    lines.append(indent + " ".join([type(node).__name__, *scalars]))
    for child in children:
        lines += _tree(child, indent + "  ")
    return lines
