"""Explain what an operation compiles to: for `clew explain`, `X-Clew-Explain`, and the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

from graphql import FieldNode, OperationType
from graphql.execution.values import VariableValues

from clew.access.permits import Permits
from clew.access.sight import ADMIN
from clew.access.types import (
    MOST_BYTES,
    TRUE,
    Claim,
    Constant,
    CursorKey,
    Images,
    Keys,
    Literal,
    Logged,
    LogPart,
    Marker,
    Moment,
    Now,
    Operand,
    Past,
    Ruled,
    ThisTransaction,
    TieKey,
    Values,
    Variable,
    Visible,
)
from clew.access.visible import Access
from clew.document.prepare import InvalidDocument, Prepared
from clew.engine.engine import Engine
from clew.engine.explain_rules import rules_of_writes
from clew.engine.flights import Flight
from clew.engine.outcome import NotStreamedError, Outcome, RunsPythonError
from clew.engine.refused_to_user import refused_to_user
from clew.engine.rule_report import Judgement, Masked, is_part_of_plan, place_of, report_rules
from clew.engine.types import Executable, Ready, Request, Session
from clew.engine.unplanned import Unplanned, rules_of_unplanned, unplanned_fields
from clew.engine.witness import Recorder, Step, Tried
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Relation
from clew.plan.dependencies import Dependency, Route, plan_dependencies
from clew.plan.types import ChangeNode, ReadPlan
from clew.resolvers.batches import Place
from clew.schema.roles import role_schema
from clew.sql.arguments import Claims
from clew.sql.keys import bound_keys
from clew.viewer import Viewer

_ADMIN_VIEWER = Viewer.admin()
_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The statement of a query or a subscription.

    `arguments` are the sources of the parameters `$1`...: the path of a variable or claim as text (`$id`,
    `$where.title.eq`, `$auth.sub`), or a literal. `values` are the bound values, without this process' secrets.
    `shown` are the `values` without the contents of cursors.
    """

    sql: str
    arguments: tuple[Any, ...]
    values: tuple[Any, ...]
    shown: tuple[Any, ...]
    plan: ReadPlan


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query or a subscription compiles to for a viewer.

    `dependencies` are the rows whose changes would run it again, if it were a live query. For change events, they are
    the rows whose changes are judged, `read_now` names the entities whose rows are read as they are then, and `nodes`
    has the statement of each `node`. For all else `read_now` is None.
    """

    viewer: Viewer
    compiled: Compiled
    rules: tuple[Judgement, ...] = ()
    masks: tuple[Masked, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    unplanned: tuple[Unplanned, ...] = ()
    read_now: tuple[str, ...] | None = None
    nodes: tuple[Compiled, ...] = ()

    @property
    def statements(self) -> Sequence[Compiled]:
        """Return the statements in the order in which they run."""
        return [self.compiled, *self.nodes] if self.compiled.sql else []

    def extension(self) -> dict[str, Any]:
        """Return the part of the response's `extensions`, ready for JSON."""
        return {
            "viewer": _viewer(self.viewer),
            "plan": list(_outline(self.compiled.plan)),
            "sql": [statement.sql for statement in self.statements],
            "parameters": [_parameters(statement.arguments, statement.shown) for statement in self.statements],
            "rules": [_rule(rule) for rule in self.rules],
            "masks": [{"field": mask.field, "openedBy": list(mask.opened_by)} for mask in self.masks],
            "unplanned": _unplanned(self.unplanned),
            "dependencies": [
                {"kind": found.kind.value, "entity": found.entity, "by": [_route(route) for route in found.routes]}
                for found in self.dependencies
            ],
            **({} if self.read_now is None else {"readNow": list(self.read_now)}),
        }


@dataclass(frozen=True, slots=True)
class Own:
    """The fields of an operation that no plan answers, and the rules that say who may use them.

    For a mutation, `rules` are also those that its generated fields ask.
    """

    fields: tuple[Unplanned, ...]
    rules: tuple[Judgement, ...]


def witnessed(viewer: Viewer, witness: Recorder, own: Own) -> dict[str, Any]:
    """Return what a mutation did, as part of the response's `extensions`, ready for JSON."""
    steps = witness.steps
    return {
        "viewer": _viewer(viewer),
        "plan": [line for step in steps for line in step_lines(step)],
        "sql": [step.sql for step in steps],
        "parameters": [_parameters(*_shown(step)) for step in steps],
        "rules": [_rule(rule) for rule in _joined(own.rules, witness.rules())],
        "masks": [],
        "unplanned": _unplanned(own.fields),
        "missed": [missed.extension() for missed in witness.missed],
        "refusals": [{"field": refused.field, **refused.extension()} for refused in witness.refusals],
    }


def _joined(own: Iterable[Judgement], others: Iterable[Judgement]) -> list[Judgement]:
    """Return all rules, each once."""
    return list(dict.fromkeys((*own, *others)))


def _unplanned(fields: Iterable[Unplanned]) -> list[dict[str, str]]:
    return [{"field": field.field, "why": field.why} for field in fields]


def _viewer(viewer: Viewer) -> dict[str, Any]:
    return {"id": viewer.id, "roles": sorted(viewer.roles)}


def _rule(rule: Judgement) -> dict[str, Any]:
    return {"about": rule.about, "rule": rule.rule, "at": rule.at, "applies": rule.applies, "why": rule.why}


def _parameters(sources: Sequence[Any], values: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"source": source if _is_path(source) else None, "value": _plain(value)}
        for source, value in zip(sources, values, strict=True)
    ]


def _shown(step: Step) -> tuple[list[Any], list[Any]]:
    """Return the source of each argument of a step, and its value if it may be shown."""
    hidden = Marker | TieKey | CursorKey | Images | Logged
    values = [
        _HIDDEN if isinstance(operand.source, hidden) else value
        for operand, value in zip(step.operands, step.arguments, strict=True)
    ]
    return [_source(operand) for operand in step.operands], values


def step_lines(step: Step) -> Iterator[str]:
    """Yield lines: the place of a step, then its plan, indented."""
    yield f"{step.field}, {step.phase}"
    if step.plan is not None:
        yield from _outline(step.plan, "  ")


def compiled(engine: Engine, document: str, variables: Mapping[str, Any]) -> Compiled:
    """Plan and compile a query or a subscription as an admin.

    Raises:
        ClewError: with the first fault's message, if the document or a variable is not valid.
    """
    role = role_schema(Access(engine.model), engine.model, engine.schema, ADMIN, engine.limits)
    try:
        prepared = engine.statements.prepare(role, document, None)
        values = prepared.coerce(variables)
    except InvalidDocument as invalid:
        raise ClewError(str(invalid.errors[0]), code=invalid.code) from None
    if prepared.kind is OperationType.MUTATION:
        raise ClewError("Only queries and subscriptions can be explained.", code=Code.BAD_USER_INPUT)
    executable = engine.statements.executable(prepared, values, ADMIN)
    return _compiled(executable, values, {})


async def explanation(engine: Engine, request: Request, viewer: Viewer) -> Explanation | None:
    """Return which rules apply to a query or a subscription of this viewer, and its compiled statement.

    Return None for a mutation.

    Raises:
        InvalidDocument, ClewError: as a run of the operation would.
    """
    session = await engine.open(viewer)
    prepared = engine.statements.prepare(session.role, request.query, request.operation_name)
    if prepared.kind is OperationType.MUTATION:
        return None
    values = prepared.coerce(request.variables)
    executable = engine.statements.executable(prepared, values, session.sight)
    bound: dict[Any, Any] = {**session.claims, MOST_BYTES: prepared.limits.response_bytes}
    own = _own(engine, prepared, values, session, viewer)
    rules, masks = report_rules(engine.access, executable.plan, session.sight, viewer)
    found = Explanation(
        viewer,
        _compiled(executable, values, bound),
        tuple(_joined(own.rules, rules)),
        tuple(masks),
        plan_dependencies(executable.plan, engine.model),
        own.fields,
    )
    root = executable.plan.changes
    if root is None:
        return found
    # The statements that judge changes and read nodes, of none.
    entity = root.read.rows.visible.entity
    shape = prepared.shape(values) if prepared.variables else ()
    ready = Ready(values, shape, large=False, executable=executable)
    judging = await engine.statements.judging(prepared, ready, session.sight, frozenset())
    nodes: list[Compiled] = []
    for output in root.read.output:
        if isinstance(output, ChangeNode):
            place: Place = ((output.key, None),)
            rows = await engine.statements.rows(prepared, ready, session.sight, entity, place, output.nodes)
            nodes.append(_compiled(replace(executable, statement=rows), values, {**bound, **bound_keys(entity, ())}))
    bound.update((Logged(entity.name, part), []) for part in LogPart)
    return replace(
        found,
        compiled=_compiled(replace(executable, statement=judging), values, bound),
        # Each change of the table is judged, whatever the rules and `where` compare.
        dependencies=(Dependency(entity.name, None),),
        read_now=tuple(sorted(judging.reads)),
        nodes=tuple(nodes),
    )


def _own(engine: Engine, prepared: Prepared, values: VariableValues, session: Session, viewer: Viewer) -> Own:
    fields = unplanned_fields(prepared, values.coerced, engine.model)
    return Own(fields, tuple(rules_of_unplanned(fields, engine.access, session.sight, viewer)))


async def _own_of(engine: Engine, request: Request, viewer: Viewer) -> Own:
    """Return what is known of a mutation without running it.

    Raises:
        InvalidDocument, ClewError: as a run of the operation would.
    """
    session = await engine.open(viewer)
    prepared = engine.statements.prepare(session.role, request.query, request.operation_name)
    values = prepared.coerce(request.variables)
    own = _own(engine, prepared, values, session, viewer)
    written = rules_of_writes(prepared, values, request.variables, engine.access, session.sight, viewer)
    return replace(own, rules=tuple(_joined(own.rules, written)))


async def execute_explained(
    engine: Engine, request: Request, viewer: Viewer, flight: Flight | None = None, *, analyze: bool = False
) -> Outcome:
    """Run an operation as `Engine.execute` does. Add its explanation to the outcome as an extension.

    An operation that was refused before it ran gets no explanation. A subscription gets one though it does not run.

    Args:
        analyze: run the statement of a query once more, under Postgres' EXPLAIN ANALYZE.
    """
    witness = await recorder(engine, viewer)
    began = time.perf_counter()
    outcome = await engine.execute(request, viewer, flight, witness)
    seconds = time.perf_counter() - began
    if outcome.executed or isinstance(outcome.error, NotStreamedError):
        with suppress(InvalidDocument, ClewError):
            found = await explanation(engine, request, viewer)
            if found is None:
                extension = witnessed(viewer, witness, await _own_of(engine, request, viewer))
            else:
                extension = found.extension()
            if outcome.executed:
                extension["milliseconds"] = round(seconds * 1000, 2)
            if analyze and found is not None and found.compiled.sql:
                extension["postgres"] = await _analyzed(engine, found.compiled)
            if refused := await _foreseen(engine, request, viewer):
                extension["refusedToUser"] = {
                    "code": refused.code,
                    "message": refused.message,
                    **({} if refused.hint is None else {"hint": refused.hint}),
                }
            outcome.extensions = {"clew": extension}
    return outcome


async def _analyzed(engine: Engine, statement: Compiled) -> list[str]:
    """Return the lines of EXPLAIN ANALYZE, or the message of the error. The statement can write nothing."""
    try:
        async with engine.pool.connection() as connection, connection.transaction(readonly=True):
            rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement.sql}", *statement.values)
    except ClewError as error:
        return [error.message]
    return [row[0] for row in rows]


async def execute_witnessed(engine: Engine, request: Request, viewer: Viewer, flight: Flight | None = None) -> Outcome:
    """Run an operation as `Engine.execute` does. If rules refuse it, the error names them."""
    return await engine.execute(request, viewer, flight, await recorder(engine, viewer))


async def recorder(engine: Engine, viewer: Viewer) -> Recorder:
    """Return a recorder for a mutation of this viewer."""
    session = await engine.open(viewer)
    return Recorder(engine.access, session.sight, viewer)


async def rehearsed(engine: Engine, request: Request, viewer: Viewer) -> tuple[Recorder, Outcome]:
    """Run a mutation of generated fields and roll it back. Return what it did, and its response.

    Raises:
        InvalidDocument, ClewError: as `Engine.rehearse`.
    """
    witness = await recorder(engine, viewer)
    return witness, await engine.rehearse(request, viewer, witness)


async def explained(engine: Engine, document: str, variables: Mapping[str, Any], viewer: Viewer = _ADMIN_VIEWER) -> str:
    """Return the rules, the plan, the SQL with its values, and Postgres' EXPLAIN, as text.

    A mutation runs and is rolled back. Its text has a plan, SQL and EXPLAIN for each step. A mutation that would run
    code of the application does not run.

    Raises:
        ClewError: as `compiled`, and UNAVAILABLE.
    """
    request = Request(document, variables)
    try:
        found = await explanation(engine, request, viewer)
        refused = await _foreseen(engine, request, viewer)
        if found is None:
            return "\n".join([*await _mutation_text(engine, request, viewer), *_refused_to_user(refused)])
    except InvalidDocument as invalid:
        raise ClewError(str(invalid.errors[0]), code=invalid.code) from None
    parts = [*_heading(viewer, found.rules), *map(_masked, found.masks)]
    parts += ["", "Plan", *("  " + line for line in _outline(found.compiled.plan))]
    parts += _without_plan(found.unplanned)
    if found.read_now is not None:
        parts += ["", "Change events: judged when rows change of", *map(_dependency, found.dependencies)]
        if found.read_now:
            parts += [f"  Rows of {', '.join(found.read_now)} are read as they are then. Their changes are no events."]
    elif found.dependencies:
        parts += ["", "Live: runs again when rows change of", *map(_dependency, found.dependencies)]
    for statement in found.statements:
        parts += ["", "SQL", *("  " + line for line in statement.sql.splitlines())]
        parts += _bound(statement.arguments, statement.shown)
        rows = await engine.pool.fetch(f"EXPLAIN (VERBOSE, COSTS) {statement.sql}", statement.values)
        parts += ["", "EXPLAIN", *("  " + row[0] for row in rows)]
    if not found.statements:
        parts += ["", "No statement: no plan in it needs the database."]
    return "\n".join([*parts, *_refused_to_user(refused)])


async def _foreseen(engine: Engine, request: Request, viewer: Viewer) -> ClewError | None:
    return await refused_to_user(engine, request) if viewer.is_admin else None


def _refused_to_user(error: ClewError | None) -> Iterator[str]:
    if error is not None:
        yield from ("", "Refused to user", f"  {error.code} {error.message}")
        if error.hint is not None:
            yield f"  {error.hint}"


def _without_plan(fields: Sequence[Unplanned]) -> Iterator[str]:
    if fields:
        yield from ("", "Without a plan")
        yield from (f"  {field.field}: {field.why}" for field in fields)


async def _mutation_text(engine: Engine, request: Request, viewer: Viewer) -> Iterator[str]:
    """Run a mutation, and roll it back. Return lines: what it did, and its verdict.

    Raises:
        InvalidDocument, ClewError: as `Engine.rehearse`, unless it would run code of the application.
    """
    own = await _own_of(engine, request, viewer)
    try:
        witness, outcome = await rehearsed(engine, request, viewer)
    except RunsPythonError as error:
        return _own_text(viewer, own, error)
    return _rehearsal_text(viewer, own, witness, outcome)


def _own_text(viewer: Viewer, own: Own, error: RunsPythonError) -> Iterator[str]:
    """Yield lines: what is known of a mutation that did not run."""
    yield from _heading(viewer, own.rules)
    yield from _without_plan(own.fields)
    yield from ("", "Verdict", f"  not run: {error.message}")
    if error.hint is not None:
        yield f"  {error.hint}"


def _heading(viewer: Viewer, rules: Iterable[Judgement]) -> Iterator[str]:
    yield from ("Viewer", f"  {viewer.id or 'nobody'}: {', '.join(sorted(viewer.roles))}", "", "Rules")
    yield from _tried(viewer, rules)


def _rehearsal_text(viewer: Viewer, own: Own, witness: Recorder, outcome: Outcome) -> Iterator[str]:
    yield from _heading(viewer, _joined(own.rules, witness.rules()))
    yield from _without_plan(own.fields)
    for number, step in enumerate(witness.steps, 1):
        place, *outline = step_lines(step)
        yield from ("", f"Step {number}: {place}")
        if outline:
            yield from ("  Plan", *("  " + line for line in outline))
        yield from ("  SQL", *("    " + line for line in step.sql.splitlines()))
        yield from ("  " + line for line in _bound(*_shown(step)))
        if step.explain:
            yield from ("  EXPLAIN", *("    " + line for line in step.explain))
    yield from ("", "Verdict", *_verdict(witness, outcome))


def _verdict(witness: Recorder, outcome: Outcome) -> Iterator[str]:
    for error in outcome.errors:
        place = ".".join(str(key) for key in error.get("path", ()))
        yield f"  refused: {place + ': ' if place else ''}{error['extensions']['code']} {error['message']}"
    if not outcome.errors:
        yield "  allowed"
    for refused in witness.refusals:
        of = refused.refusal
        row = f"{of.entity.name} {_row(refused.row)}" if of.key else f"a new {of.entity.name}"
        yield f"  {refused.field}, phase {of.phase}: {of.operation} of {row}"
        yield f"    {of.why}"
        yield from _of_tried(refused.tried)
    for missed in witness.missed:
        yield f"  {missed.field}: {missed.entity.name} {_row(missed.row)} is not there for {missed.operation}"
        yield f"    {missed.why}"
        yield from _of_tried(missed.tried)
    yield "  Everything is rolled back."


def _of_tried(rules: Iterable[Tried]) -> Iterator[str]:
    for tried in rules:
        rule = tried.judgement
        if not rule.applies:
            yield f"    dropped  {rule.at}  {rule.rule}: {rule.why}"
            continue
        held = [
            f"{'held' if flag else 'did not hold'} {when}"
            for flag, when in ((tried.before, "before"), (tried.after, "after"))
            if flag is not None
        ]
        failed = [f"not true: {part}" if part.startswith("{") else part for part in tried.failed]
        yield f"    applies  {rule.at}  {rule.rule}: " + "; ".join([*held, *failed] or ["not asked"])


def _row(row: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in row.items()) + "}"


def _dependency(found: Dependency) -> str:
    """Return a line for one dependency."""
    by = " or ".join(map(_route, found.routes)) or "any row"
    return f"  {found.kind.value:<8}  {found.entity}: {by}"


def _route(route: Route) -> str:
    """Return which rows matter, as `Thread.owner_id = $auth.sub`. The path is that from the changed row."""
    path = "".join(f"{hop.entity}." for hop in route.hops)
    return f"{path}{route.column} = {_source(route.operand)}"


def _bound(sources: Sequence[Any], values: Sequence[Any]) -> Iterator[str]:
    """Yield a line for each parameter of a statement."""
    for index, (source, value) in enumerate(zip(sources, values, strict=True), 1):
        yield f"  ${index} = {value!r}" + (f" ({source})" if _is_path(source) else "")


def _masked(mask: Masked) -> str:
    return f"  {mask.field} is masked: open " + (f"by {' or '.join(mask.opened_by)}" if mask.opened_by else "nowhere")


def _tried(viewer: Viewer, rules: Iterable[Judgement]) -> Iterator[str]:
    if viewer.is_admin:
        yield "  An admin passes every @allow."
    about = None
    for rule in rules:
        if rule.about != about:
            about = rule.about
            yield f"  {about}"
        yield f"    {'applies' if rule.applies else 'dropped'}  {rule.at}  {rule.rule}: {rule.why}"


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
        case ThisTransaction():
            return "$transaction"
        case Ruled(path):
            return "$row." + ".".join(path)
        case Keys(column, of):
            return "$key." + (column if of is None else f"{of.entity if isinstance(of, Past) else of}.{column}")
        case Values(column, change):
            return f"${change}.{column}"
        case Logged(entity, part):
            return f"$log.{entity}.{part}"
        case Moment():
            return "$deletedAt"
    return f"$({operand.place})"


def _is_path(source: Any) -> bool:
    return isinstance(source, str) and source.startswith("$")


def _plain(value: Any) -> Any:
    """Return a parameter as a JSON value."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


# --- the plan -------------------------------------------------------------------------


def _outline(node: Any, indent: str = "") -> Iterator[str]:
    """Yield a plan as indented lines: the names of its types, and their contents. Leave out the rules' conditions."""
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
        elif value is None or value is False or value == () or value == [] or value == TRUE:
            continue
        elif (text := _text(value)) is not None:
            scalars.append(f"{field.name}={text}")
        else:
            children.append(value)
    yield indent + " ".join(scalars)
    for child in children:
        yield from _outline(child, indent + "  ")


def _text(value: Any) -> str | None:
    """Return a value as text if it fits into one line; None if it needs several lines."""
    match value:
        case Column() | Relation() | Entity():
            return value.name
        case Operand():
            return repr(_source(value))
        case Permits():
            return _permits(value)
        case Visible():
            return value.entity.name + (f" (at most {value.page})" if value.page is not None else "")
        case FieldNode():
            return value.name.value
        case tuple() | list():
            texts = [_text(item) for item in value]
            return None if None in texts else f"[{', '.join(text for text in texts if text is not None)}]"
    return None if is_part_of_plan(value) else repr(value)


def _permits(permits: Permits) -> str:
    """Return the places of the rules that a step tries. A permit for an admin has no rule, so no place."""
    rules = [permit.rule for permit in permits.every if permit.rule is not None]
    return f"{permits.operation}[{', '.join(place_of(rule.location) for rule in rules)}]"
