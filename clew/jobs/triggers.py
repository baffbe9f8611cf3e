"""`@on`: queue jobs when rows change.

One process of all follows the change log for each trigger, as a subscription of change events does for an admin. The
job and the place in the log are written in one transaction. So each event queues one job, whatever is killed meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    get_named_type,
    parse,
    print_ast,
    validate,
)
from graphql.utilities import validate_input_value

from clew.changes.statements import EPOCH
from clew.changes.types import LostPositionError, Position
from clew.database.errors import UNREACHABLE
from clew.engine import Engine, Outcome, Request
from clew.engine.outcome import raised
from clew.errors import ClewError, Diagnostic
from clew.jitter import LONGEST_WAIT, Backoff, jitter
from clew.jobs import queue
from clew.jobs.fields import fetching, new_job
from clew.live.events import RESET, ChangeEvents, ChangeStream
from clew.model.names import change_field
from clew.model.types import ChangeTrigger, Entity, FieldKind, Model
from clew.observe import get_logger
from clew.viewer import Viewer

log = get_logger("clew.jobs")

# In seconds. How often the process that follows the log makes sure that it still is the one, and how often others try.
_LOOK = 2.0
# After a fault: about the first wait.
_FIRST_WAIT = 0.2

# Of a transaction, not of a session: a pooler keeps sessions, with their locks, when a process has long ended.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('clew.triggers', 0))"
_STAY = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
_PLACE = "SELECT place, half FROM clew.job_triggers WHERE name = $1"
_BEGIN = """
INSERT INTO clew.job_triggers (name, place) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET place = excluded.place, half = NULL
"""
# Only one of two processes that both follow the log moves on.
_MOVE = """
UPDATE clew.job_triggers SET place = $2, half = $3
WHERE name = $1 AND place = $4 AND half IS NOT DISTINCT FROM $5 RETURNING 1
"""
# During a deployment, old and new processes have other triggers. A place is forgotten with the changes after it.
_FORGET = """
DELETE FROM clew.job_triggers
WHERE name <> ALL($1::text[]) AND clew.is_dropped_since(split_part(place, ';', 2)::pg_snapshot)
"""
_FORGET_ONE = "DELETE FROM clew.job_triggers WHERE name = $1"

# A place in the log, and the change of which the first of two events has been handled.
_Place = tuple[str, int | None]


class _OtherProcessError(Exception):
    """Another process follows the log by now."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger with the name by which its place is kept, and its filter as `postChanges(where:)` takes it."""

    name: str
    entity: Entity
    declared: ChangeTrigger
    where: Mapping[str, Any] | None


def triggers_of(model: Model) -> list[Trigger]:
    """Return the triggers of `@on`."""
    found: list[Trigger] = []
    seen: dict[str, int] = {}
    for declared in model.changes:
        entity = model.entity(declared.model)
        name = f"{declared.model} {declared.run}"
        number = seen[name] = seen.get(name, 0) + 1
        where = None if declared.when is None else _filter(entity, declared.when, model)
        found.append(Trigger(name if number == 1 else f"{name} {number}", entity, declared, where))
    return found


def trigger_faults(model: Model, schema: GraphQLSchema) -> Iterator[Diagnostic]:
    """Yield the faults of `@on` that would keep each event from its job."""
    for trigger in triggers_of(model):
        declared = trigger.declared
        faults = [
            *_argument_faults(trigger, model),
            *_condition_faults(trigger, schema),
            *_payload_faults(trigger, schema),
        ]
        for fault in faults:
            yield Diagnostic(f"@on(model: {declared.model}, run: {declared.run}): {fault}", declared.location)


def _argument_faults(trigger: Trigger, model: Model) -> Iterator[str]:
    given = {*trigger.entity.primary_key, "kind"} | ({"payload"} if trigger.declared.payload is not None else set())
    for argument in model.job_fields[trigger.declared.run].node.arguments or ():
        name = argument.name.value
        if name not in given and isinstance(argument.type, NonNullTypeNode) and argument.default_value is None:
            yield f'nothing gives the argument "{name}"'


def _condition_faults(trigger: Trigger, schema: GraphQLSchema) -> Iterator[str]:
    if trigger.where is not None:
        found: list[str] = []
        filter_ = schema.type_map[f"{trigger.entity.name}Filter"]
        assert isinstance(filter_, GraphQLInputObjectType)
        validate_input_value(trigger.where, filter_, lambda error, _path: found.append(error.message))
        yield from (f"`when` is no filter of the API: {message}" for message in found)


def _payload_faults(trigger: Trigger, schema: GraphQLSchema) -> Iterator[str]:
    if trigger.declared.payload is None:
        return
    document = parse(trigger.declared.payload)
    yield from (f"the payload is not valid: {error.message}" for error in validate(schema, document))
    row = schema.type_map[trigger.entity.name]
    assert isinstance(row, GraphQLObjectType)
    keys = {
        name: get_named_type(row.fields[name].type).name for name in trigger.entity.primary_key if name in row.fields
    }
    for operation in document.definitions:
        for variable in operation.variable_definitions or () if isinstance(operation, OperationDefinitionNode) else ():
            name, type_ = variable.variable.name.value, variable.type
            required = isinstance(type_, NonNullTypeNode)
            if name in keys:
                if print_ast(type_).strip("!") != keys[name]:
                    yield f'the variable "${name}" of the payload is of the type {keys[name]}'
            elif required and variable.default_value is None:
                yield f'nothing gives the variable "${name}" of the payload'


class Triggers:
    """Follows the change log for the triggers of a model.

    Args:
        engine: runs the payloads' queries, and queues jobs.
        url: of the database, for a connection of its own.
    """

    def __init__(self, engine: Engine, events: ChangeEvents, url: str, triggers: Sequence[Trigger]) -> None:
        self._engine = engine
        self._events = events
        self._url = url
        self._triggers = triggers

    async def run(self) -> None:
        """Follow the log until cancelled, whenever no other process does."""
        while True:
            try:
                async with self._only_one() as connection:
                    await self._engine.pool.fetch(_FORGET, [[trigger.name for trigger in self._triggers]])
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._look(connection))
                        for trigger in self._triggers:
                            group.create_task(self._follow(trigger))
            except* (*UNREACHABLE, ClewError, _OtherProcessError) as group_error:
                log.info("triggers wait", reason=type(group_error.exceptions[0]).__name__)
            await _pause(_LOOK)

    @asynccontextmanager
    async def _only_one(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """Wait until this process is the only one that follows the log. It is as long as the connection lives.

        A transaction stays open on it, without a snapshot, so that it keeps no dead rows. So the last statement is
        always an `execute`: others leave a portal behind, with their snapshot.
        """
        connection = await asyncpg.connect(
            self._url, timeout=10, command_timeout=10, server_settings={"application_name": "clew-triggers"}
        )
        try:
            while True:
                transaction = connection.transaction(isolation="read_committed")
                await transaction.start()
                if await connection.fetchval(_LOCK):
                    break
                await transaction.rollback()
                await _pause(_LOOK)
            await connection.execute(_STAY)
            yield connection
        finally:
            with suppress(*UNREACHABLE):
                await connection.close(timeout=1)

    async def _look(self, connection: asyncpg.Connection[Any]) -> None:
        """Fail as soon as the connection is lost."""
        while True:
            await asyncio.sleep(_LOOK)
            await connection.execute("SELECT 1")

    async def _follow(self, trigger: Trigger) -> None:
        """Queue a job for each event of a trigger."""
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        while True:
            stream: ChangeStream | None = None
            try:
                place = await self._place(trigger)
                stream = await self._opened(trigger, place)
                if place is None:
                    place = str(stream.place[0]), None
                    await self._engine.pool.fetch(_BEGIN, [trigger.name, place[0]])
                await self._handle_all(trigger, stream, place)
            except LostPositionError:
                # Nothing says what happened meanwhile.
                log.error("changes missed by @on: they are no longer kept", trigger=trigger.name)
                await self._engine.pool.fetch(_FORGET_ONE, [trigger.name])
            except (*UNREACHABLE, _OtherProcessError):
                raise
            except Exception as error:
                # One event that cannot be handled holds up its own trigger only.
                is_known = isinstance(error, ClewError)
                log.warning("a trigger tries again", trigger=trigger.name, error=str(error), exc_info=not is_known)
                await backoff.wait()
            finally:
                if stream is not None:
                    await stream.aclose()

    async def catch_up(self, since: str) -> int:
        """Queue jobs for the events up to now, and return how many events there were.

        It is for a database whose log nobody else follows, as that of a test. An event that cannot be handled is an
        error at once.

        Args:
            since: the snapshot at which a trigger begins that has no place yet, as Postgres writes it.

        Raises:
            ClewError: an event cannot be handled, such as by a fault of the payload's query.
        """
        async with AsyncExitStack() as stack:
            opened: list[tuple[Trigger, ChangeStream, _Place]] = []
            # All are open at once, so that they share what reads the log.
            for trigger in self._triggers:
                place = await self._place(trigger)
                if place is None:
                    ((epoch,),) = await self._engine.pool.fetch(EPOCH, ())
                    place = str(Position(epoch, since)), None
                    await self._engine.pool.fetch(_BEGIN, [trigger.name, place[0]])
                stream = await self._opened(trigger, place, follows=False)
                stack.push_async_callback(stream.aclose)
                opened.append((trigger, stream, place))
            return sum([await self._handle_all(*one) for one in opened])

    async def _handle_all(self, trigger: Trigger, stream: ChangeStream, place: _Place) -> int:
        """Queue a job for each event of a stream that begins at a place. Return how many there were."""
        found = 0
        async for payload in stream:
            event = json.loads(payload.body)["data"]["event"]
            after = str(stream.place[0]), stream.place[1]
            await self._handle(trigger, event, place, after)
            place = after
            found += 1
        return found

    async def _place(self, trigger: Trigger) -> _Place | None:
        rows = await self._engine.pool.fetch(_PLACE, [trigger.name])
        return (rows[0]["place"], rows[0]["half"]) if rows else None

    async def _opened(self, trigger: Trigger, place: _Place | None, *, follows: bool = True) -> ChangeStream:
        entity = trigger.entity
        fields = f"kind {' '.join(entity.primary_key)}"
        document = (
            f"subscription ($where: {entity.name}Filter, $on: [ChangeKind!]) "
            f"{{ event: {change_field(entity.single)}(where: $where, on: $on) {{ {fields} }} }}"
        )
        variables = {"where": trigger.where, "on": list(trigger.declared.events)}
        request = Request(document, {name: value for name, value in variables.items() if value is not None})
        begun = await self._engine.begin(request, Viewer.admin(), None)
        if isinstance(begun, Outcome):
            error = raised(begun)
            assert error is not None
            raise error
        after = None if place is None else (Position.parse(place[0]), place[1])
        return await self._events.open(begun, request, after, follows=follows)

    async def _handle(self, trigger: Trigger, event: Mapping[str, Any], place: _Place, after: _Place) -> None:
        """Queue the job of an event, and move on to the place after it: both or nothing."""
        custom = self._engine.model.job_fields[trigger.declared.run]
        async with self._engine.transaction() as transaction:
            fetch = fetching(transaction.connection)
            if not await fetch(_MOVE, trigger.name, *after, *place):
                raise _OtherProcessError
            if event["kind"] == RESET:
                # A TRUNCATE, or more rows at once than the log keeps.
                log.warning("rows changed without a job by @on", trigger=trigger.name)
                return
            admin, names = Viewer.admin(), {argument.name.value for argument in custom.node.arguments or ()}
            keys = {name: event[name] for name in trigger.entity.primary_key}
            arguments = {name: value for name, value in {**keys, "kind": event["kind"]}.items() if name in names}
            if trigger.declared.payload is not None:
                found = await self._engine.graphql(trigger.declared.payload, keys, admin, transaction)
                arguments["payload"] = found
            await queue.enqueue(fetch, [new_job(custom, arguments, admin)])


async def _pause(seconds: float) -> None:
    """Wait, but not all processes at once."""
    await asyncio.sleep(seconds * jitter(0.5, 1.5))


def _filter(entity: Entity, where: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Return the condition of a trigger as the API's filter: a bare value means `eq`, `is` stands for its condition."""
    found: dict[str, Any] = {}
    more: list[dict[str, Any]] = []
    for name, value in where.items():
        if name in ("and", "or"):
            items = value if isinstance(value, list) else [value]
            found[name] = [_filter(entity, item, model) for item in items]
        elif name == "not":
            found[name] = _filter(entity, value, model)
        elif name == "is":
            more.append(_filter(entity, entity.predicates[value], model))
        elif entity.column(name) is not None:
            found[name] = _operators(value)
        elif (many := entity.many(name)) is not None and many[1] is FieldKind.AGGREGATE:
            found[name] = _aggregate(model.entity(many[0].target), value, model)
        else:
            relation = entity.relation(name)
            assert relation is not None, f"{entity.name}.{name}"
            target = model.entity(relation.target)
            if relation.to_many:
                found[name] = {quantifier: _filter(target, inner, model) for quantifier, inner in value.items()}
            else:
                found[name] = _filter(target, value, model)
    if more:
        found["and"] = [*found.get("and", ()), *more]
    return found


def _operators(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"eq": value}


def _aggregate(target: Entity, where: Mapping[str, Any], model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for function, value in where.items():
        if function == "where":
            found[function] = _filter(target, value, model)
        elif function == "count":
            found[function] = _operators(value)
        else:
            found[function] = {column: _operators(operand) for column, operand in value.items()}
    return found
