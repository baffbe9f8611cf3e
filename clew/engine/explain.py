"""What an operation becomes, for people: `clew explain`, `X-Clew-Explain`, and the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from graphql import FieldNode, OperationType
from graphql.execution.values import VariableValues

from clew.access.types import (
    MOST_BYTES,
    TRUE,
    Claim,
    Constant,
    CursorKey,
    Literal,
    Marker,
    Now,
    Operand,
    Ruled,
    TieKey,
    Variable,
    Visible,
)
from clew.access.visible import ADMIN, Access
from clew.document.prepare import InvalidDocument
from clew.engine.engine import Engine
from clew.engine.flights import Flight
from clew.engine.judge import Judgement, Masked, is_part_of_plan, judge
from clew.engine.outcome import Outcome
from clew.engine.types import Executable, Request
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Relation
from clew.plan.types import ReadPlan
from clew.schema.roles import role_schema
from clew.sql.arguments import Claims
from clew.viewer import Viewer

_ADMIN_VIEWER = Viewer.admin()
_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query's statement.

    `arguments` are, for `$1`..., what they are bound to: a variable's or claim's path as
    text (`$id`, `$where.title.eq`, `$auth.sub`), or the literal. Of `values` those that this
    process keeps to itself are left out; of `shown` also what is in a cursor.
    """

    sql: str
    arguments: tuple[Any, ...]
    values: tuple[Any, ...]
    shown: tuple[Any, ...]
    plan: ReadPlan


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an operation became for a viewer; for a mutation, which resolvers run, nothing."""

    viewer: Viewer
    compiled: Compiled | None = None
    rules: tuple[Judgement, ...] = ()
    masks: tuple[Masked, ...] = ()

    def extension(self) -> dict[str, Any]:
        """As a response carries it, for JSON."""
        found = self.compiled
        statements = [found] if found is not None and found.sql else []
        return {
            "viewer": {"id": self.viewer.id, "roles": sorted(self.viewer.roles)},
            "plan": list(_outline(found.plan)) if found is not None else [],
            "sql": [statement.sql for statement in statements],
            "parameters": [
                [
                    {"source": source if _is_path(source) else None, "value": _plain(value)}
                    for source, value in zip(statement.arguments, statement.shown, strict=True)
                ]
                for statement in statements
            ],
            "rules": [
                {"about": rule.about, "rule": rule.rule, "at": rule.at, "applies": rule.applies, "why": rule.why}
                for rule in self.rules
            ],
            "masks": [{"field": mask.field, "openedBy": list(mask.opened_by)} for mask in self.masks],
        }


def compiled(engine: Engine, document: str, variables: Mapping[str, Any]) -> Compiled:
    """Plan and compile a query as an admin.

    Raises:
        ClewError: with the first fault's message, if the document or a variable is not valid.
    """
    role = role_schema(Access(engine.model), engine.model, engine.schema, ADMIN, engine.limits)
    try:
        prepared = engine.statements.prepare(role, document, None)
        values = prepared.coerce(variables)
    except InvalidDocument as invalid:
        raise ClewError(str(invalid.errors[0]), code=invalid.code) from None
    if prepared.operation.operation is not OperationType.QUERY:
        raise ClewError("Only queries can be explained.", code=Code.BAD_USER_INPUT)
    executable = engine.statements.executable(prepared, values, ADMIN)
    return _compiled(executable, values, {})


async def explanation(engine: Engine, request: Request, viewer: Viewer) -> Explanation:
    """Which rules applied to an operation of this viewer, and what it was compiled to.

    Raises:
        InvalidDocument, ClewError: as running it would.
    """
    session = await engine.open(viewer)
    prepared = engine.statements.prepare(session.role, request.query, request.operation_name)
    if prepared.operation.operation is not OperationType.QUERY:
        return Explanation(viewer)
    values = prepared.coerce(request.variables)
    executable = engine.statements.executable(prepared, values, session.sight)
    bound = {**session.claims, MOST_BYTES: prepared.limits.response_bytes}
    rules, masks = judge(engine.access, executable.plan, session.sight, viewer)
    return Explanation(viewer, _compiled(executable, values, bound), tuple(rules), tuple(masks))


async def execute_explained(engine: Engine, request: Request, viewer: Viewer, flight: Flight | None = None) -> Outcome:
    """Run an operation as `Engine.execute` does; the outcome carries what it became as an extension.

    An operation that was refused before it ran has none.
    """
    outcome = await engine.execute(request, viewer, flight)
    if outcome.executed:
        with suppress(InvalidDocument, ClewError):
            found = await explanation(engine, request, viewer)
            outcome.extensions = {"clew": found.extension()}
    return outcome


async def explained(engine: Engine, document: str, variables: Mapping[str, Any], viewer: Viewer = _ADMIN_VIEWER) -> str:
    """The rules, the plan, the SQL with its values and Postgres' EXPLAIN, as text.

    Raises:
        ClewError: as `compiled`, and UNAVAILABLE.
    """
    try:
        found = await explanation(engine, Request(document, variables), viewer)
    except InvalidDocument as invalid:
        raise ClewError(str(invalid.errors[0]), code=invalid.code) from None
    statement = found.compiled
    if statement is None:
        raise ClewError("Only queries can be explained.", code=Code.BAD_USER_INPUT)
    parts = ["Viewer", f"  {viewer.id or 'nobody'}: {', '.join(sorted(viewer.roles))}"]
    parts += ["", "Rules", *_rules(found)]
    parts += ["", "Plan", *("  " + line for line in _outline(statement.plan))]
    if statement.sql:
        parts += ["", "SQL", *("  " + line for line in statement.sql.splitlines())]
        for index, (source, value) in enumerate(zip(statement.arguments, statement.shown, strict=True), 1):
            parts.append(f"  ${index} = {value!r}" + (f" ({source})" if _is_path(source) else ""))
        rows = await engine.pool.fetch(f"EXPLAIN (VERBOSE, COSTS) {statement.sql}", statement.values)
        parts += ["", "EXPLAIN", *("  " + row[0] for row in rows)]
    else:
        parts += ["", "No statement: nothing in it needs the database."]
    return "\n".join(parts)


def _rules(found: Explanation) -> Iterator[str]:
    if found.viewer.is_admin:
        yield "  An admin passes every @allow."
    about = None
    for rule in found.rules:
        if rule.about != about:
            about = rule.about
            yield f"  {about}"
        yield f"    {'applies' if rule.applies else 'dropped'}  {rule.at}  {rule.rule}: {rule.why}"
    for mask in found.masks:
        yield f"  {mask.field} is masked: open " + (
            f"by {' or '.join(mask.opened_by)}" if mask.opened_by else "nowhere"
        )


def _compiled(executable: Executable, values: VariableValues, claims: Claims) -> Compiled:
    statement = executable.statement
    if statement is None:
        return Compiled("", (), (), (), executable.plan)
    given = tuple(
        _HIDDEN if isinstance(operand.source, Marker | TieKey) else compute(values, claims)
        for operand, compute in zip(statement.operands, statement.arguments, strict=True)
    )
    shown = tuple(
        _HIDDEN if isinstance(operand.source, CursorKey) else value
        for operand, value in zip(statement.operands, given, strict=True)
    )
    sources = tuple(_source(operand) for operand in statement.operands)
    return Compiled(statement.sql, sources, given, shown, executable.plan)


def _source(operand: Operand) -> Any:
    match operand.source:
        case Literal(value) | Constant(value):
            return value
        case Variable(path):
            return "$" + ".".join(str(key) for key in path)
        case Claim(path):
            return "$auth." + ".".join(path)
        case Now():
            return "$now"
        case Ruled(path):
            return "$row." + ".".join(path)
    return f"$({operand.place})"


def _is_path(source: Any) -> bool:
    return isinstance(source, str) and source.startswith("$")


def _plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


# --- the plan -------------------------------------------------------------------------


def _outline(node: Any, indent: str = "") -> Iterator[str]:
    """A plan as indented lines: its types' names, and what they hold. What rules say is left to `judge`."""
    if isinstance(node, tuple):
        for item in node:
            yield from _outline(item, indent)
        return
    if (text := _text(node)) is not None:
        yield indent + text
        return
    scalars, children = [type(node).__name__], []
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name in ("mask", "masks"):
            if any(mask is not None for mask in (value if isinstance(value, tuple) else (value,))):
                scalars.append("masked")
        elif value is None or value is False or value == () or value == TRUE:
            continue
        elif (text := _text(value)) is not None:
            scalars.append(f"{field.name}={text}")
        else:
            children.append(value)
    yield indent + " ".join(scalars)
    for child in children:
        yield from _outline(child, indent + "  ")


def _text(value: Any) -> str | None:
    """What fits into a word; None for what takes lines of its own."""
    match value:
        case Column() | Relation() | Entity():
            return value.name
        case Operand():
            return repr(_source(value))
        case Visible():
            return value.entity.name + (f" (at most {value.page})" if value.page is not None else "")
        case FieldNode():
            return value.name.value
        case tuple():
            texts = [_text(item) for item in value]
            return None if None in texts else f"[{', '.join(text for text in texts if text is not None)}]"
    return None if is_part_of_plan(value) else repr(value)
