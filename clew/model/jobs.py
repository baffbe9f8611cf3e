"""Jobs as entities: an entity over `clew.jobs` for each `@job` field, and the interface over all of them.

So lists, filters, live queries and access rules work for jobs as for any rows. A job's arguments are fields of its
type. Only who sent it sees it, unless `extend type SummarizeJob @allow(...)` opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphql import FieldDefinitionNode, NameNode, NonNullTypeNode, TypeNode

from clew.model import names
from clew.model.scope import SQL_TYPES
from clew.model.types import (
    AllowRule,
    Column,
    Computed,
    Constant,
    CustomField,
    Entity,
    Enum,
    EnumValue,
    GuardRule,
    Operation,
    Relation,
    RelationKind,
    ResolverField,
    ValueType,
)
from clew.sdl.document import COLUMN_SCALARS, Document, Field, Kind, TypeRef, type_ref

JOB = "Job"
STATUS = "JobStatus"
SCHEMA, TABLE = "clew", "jobs"
# A viewer without an id sees its job in the answer that queues it, by this value of a rule.
THIS_TRANSACTION = "$transaction"

_STATUSES = {
    "QUEUED": "The job waits for its first run, or for another one.",
    "RUNNING": "A worker runs the job.",
    "SUCCEEDED": "The job has its result.",
    "FAILED": "The job has failed, and no run is left.",
    "CANCELLED": "The job was cancelled.",
}
_NAME = "jobName"
_VIEWER, _TRANSACTION = "clew_viewer", "clew_transaction"
_ARGUMENTS, _RESULT = "clew_arguments", "clew_result"
_READS = frozenset({Operation.READ})
# The operations of the rule for one's own jobs. UPDATE admits cancelling and retrying.
_OWN = frozenset({Operation.READ, Operation.UPDATE, Operation.EXPORT})
_TEXTS = ("ID", "String")


def status_enum() -> Enum:
    """Return the enum of a job's states."""
    values = tuple(EnumValue(name, text) for name, text in _STATUSES.items())
    return Enum(STATUS, values, "What a job is doing, or how it ended.")


def job_entities(document: Document, fields: Sequence[CustomField]) -> dict[str, Entity]:
    """Return the entities of the `@job` fields by name, with the interface first. Without such fields there are none.

    Args:
        fields: the application's own root fields.
    """
    jobs = [field for field in fields if field.job is not None and field.parent == "Mutation"]
    if not jobs:
        return {}
    mutations = document.root_fields("Mutation")
    entities = {names.job_type(job.name): _entity(document, job, mutations[job.name]) for job in jobs}
    return {JOB: _interface(jobs, entities), **entities}


def field_node(custom: CustomField) -> FieldDefinitionNode:
    """Return the definition of a `@job` field as the API has it: it returns the job."""
    entity = names.job_type(custom.name)
    type_ = NonNullTypeNode(type=_named(custom.node.type, entity))
    return replace(custom.node, type=type_)


def _named(type_: TypeNode, name: str) -> Any:
    found: Any = type_
    while not hasattr(found, "name"):
        found = found.type
    return replace(found, name=NameNode(value=name))


# --- columns --------------------------------------------------------------------------


def _common() -> Iterator[Column]:
    """Yield the columns of every job."""
    text, moment = ValueType("String", "text"), ValueType("DateTime", "timestamptz")

    def column(name: str, type_: ValueType, description: str, *, nullable: bool = True) -> Column:
        return Column(name=name, column=names.column_name(name), type=type_, nullable=nullable, description=description)

    yield replace(column("id", ValueType("ID", "uuid"), "The job's key.", nullable=False), uuid_key=True)
    status = ValueType(STATUS, "text", is_enum=True)
    yield column("status", status, "What the job is doing, or how it ended.", nullable=False)
    yield column("progress", ValueType("Float", "double precision"), "The share of the work that is done, from 0 to 1.")
    yield column("message", text, "The job's own words about its progress.")
    yield column("error", text, "Why the last run failed.")
    attempt = ValueType("Int", "integer")
    yield column("attempt", attempt, "The number of the last run, from 1; 0 before the first.", nullable=False)
    name = column(_NAME, text, "The field of Mutation that queued the job.", nullable=False)
    yield replace(name, column="name")
    yield column("queue", text, "The queue that the job waits in.", nullable=False)
    yield column("createdAt", moment, "When the job was queued.", nullable=False)
    yield column("runAt", moment, "The job does not run before this moment.")
    yield column("startedAt", moment, "When the last run began.")
    yield column("finishedAt", moment, "When the job ended.")


def _hidden() -> Iterator[Column]:
    """Yield the columns that rules and computed fields read."""
    text, json = ValueType("String", "text"), ValueType("JSON", "jsonb")
    for name, column, type_ in (
        (_VIEWER, "viewer", text),
        (_TRANSACTION, "transaction", text),
        (_ARGUMENTS, "arguments", json),
        (_RESULT, "result", json),
    ):
        yield Column(name=name, column=column, type=type_, hidden=True)


def _computed(name: str, type_: TypeRef, document: Document, json: str, description: str | None) -> Column | None:
    """Return a column for a value in JSON, or None if a column cannot have its type.

    A value that does not fit the type is null: an earlier version of the schema may have had another type.

    Args:
        json: an SQL expression of type `jsonb`.
    """
    kind = document.types.get(type_.name)
    is_enum = kind is not None and kind.kind is Kind.ENUM
    known = ", ".join(f"'{value}'" for value in (kind.values or () if kind is not None else ()))
    if type_.name == "Bytes" or type_.depth > 1:
        return None
    if type_.name not in COLUMN_SCALARS and not is_enum:
        found = ValueType("JSON", "jsonb")
    else:
        sql = "text" if is_enum or type_.name in _TEXTS else SQL_TYPES.get(type_.name, "jsonb")
        found = ValueType(type_.name, sql, is_enum, type_.is_list, type_.item_nullable if type_.is_list else False)
    if found.name == "JSON":
        if found.is_list:
            found = ValueType("JSON", "jsonb")
        expression = f"nullif({json}, 'null')"
    elif found.is_list:
        expression = f"clew.job_value(clew.text_list(nullif({json}, 'null'))::text, NULL::{found.sql}[])"
        if is_enum:
            expression = _where(f"array_remove({expression}, NULL) <@ ARRAY[{known}]", expression)
        if not found.item_nullable:
            expression = _where(f"array_position({expression}, NULL) IS NULL", expression)
    else:
        expression = f"({json}) #>> '{{}}'"
        if is_enum:
            expression = _where(f"{expression} IN ({known})", expression)
        elif found.sql != "text":
            expression = f"clew.job_value({expression}, NULL::{found.sql})"
    # No column of the table has such a name.
    column = f"{name} in JSON"
    return Column(name=name, column=column, type=found, computed=Computed(expression), description=description)


def _where(condition: str, expression: str) -> str:
    """Return the SQL of a value that is null where a condition does not hold."""
    return f"CASE WHEN {condition} THEN {expression} END"


# --- entities -------------------------------------------------------------------------


def _entity(document: Document, custom: CustomField, field: Field) -> Entity:
    name = names.job_type(custom.name)
    columns = [*_common(), *_hidden()]
    taken = {column.name for column in columns} | {"result"}
    for argument in field.arguments:
        # Where the job has a field of this name, that is meant.
        if argument.name not in taken:
            json = f"arguments -> '{argument.name}'"
            description = argument.node.description
            column = _computed(
                argument.name, argument.type, document, json, None if description is None else description.value
            )
            if column is not None:
                columns.append(column)
    resolvers: tuple[ResolverField, ...] = ()
    result = type_ref(custom.node.type)
    if _is_value(document, result):
        column = _computed("result", result, document, "result", "What the job returned.")
        columns += [] if column is None else [column]
    else:
        nullable = custom.node.type
        while isinstance(nullable, NonNullTypeNode):
            nullable = nullable.type
        node = FieldDefinitionNode(name=NameNode(value="result"), type=nullable, arguments=(), directives=())
        resolvers = (ResolverField("result", node, result.name, (_RESULT,), location=custom.location),)
    return Entity(
        name=name,
        table=TABLE,
        schema=SCHEMA,
        single=names.single_field(name),
        plural=names.plural_field(name),
        without=frozenset({"CONNECTION", "AGGREGATE", "GROUPS"}),
        columns=tuple(columns),
        resolvers=resolvers,
        fields=(*(column.name for column in columns if not column.hidden), *(r.name for r in resolvers)),
        primary_key=("id",),
        is_job=True,
        allow=(*_own_rules(custom), *_given_rules(custom)),
        guards=(GuardRule(frozenset(Operation), {_NAME: custom.name}, binds_admin=True),),
        description=f"A job that `{custom.name}` queues.",
        location=custom.location,
    )


def _is_value(document: Document, type_: TypeRef) -> bool:
    """Return whether a column can hold a result. Python completes other ones."""
    if type_.name == "Bytes" or type_.depth > 1:
        return False
    kind = document.types.get(type_.name)
    return type_.name in COLUMN_SCALARS or (kind is not None and kind.kind in (Kind.ENUM, Kind.SCALAR))


def _own_rules(custom: CustomField) -> Iterator[AllowRule]:
    """Yield the rules by which a viewer sees the jobs that it has queued itself."""
    roles = tuple(dict.fromkeys(role for rule in custom.allow for role in rule.roles))
    if roles:
        yield AllowRule(roles, _OWN, {_VIEWER: "$auth.sub"}, location=custom.location)
        nobody = {_VIEWER: {"isNull": True}, _TRANSACTION: THIS_TRANSACTION}
        yield AllowRule(roles, _READS, nobody, location=custom.location)


def _given_rules(custom: CustomField) -> tuple[AllowRule, ...]:
    return () if custom.job is None else custom.job.allow


def _interface(jobs: Sequence[CustomField], entities: Mapping[str, Entity]) -> Entity:
    columns = (*_common(), *_hidden())
    rules: list[AllowRule] = []
    for job in jobs:
        rules += [replace(rule, where={_NAME: job.name, **rule.where}) for rule in _own_rules(job)]
        variant = names.single_field(names.job_type(job.name))
        for rule in _given_rules(job):
            where: dict[str, Any] = {_NAME: job.name}
            if rule.where is not None:
                where[variant] = _through(rule.where, variant)
            rules.append(replace(rule, where=where))
    return Entity(
        name=JOB,
        table=TABLE,
        schema=SCHEMA,
        single="job",
        plural="jobs",
        without=frozenset({"CONNECTION"}),
        columns=columns,
        relations=tuple(_variant(entity) for entity in entities.values()),
        fields=tuple(column.name for column in columns if not column.hidden),
        primary_key=("id",),
        is_job=True,
        variants=tuple(entity.single for entity in entities.values()),
        allow=tuple(rules),
        guards=(GuardRule(frozenset(Operation), {_NAME: {"in": [job.name for job in jobs]}}, binds_admin=True),),
        description="Work that goes on beside requests.",
    )


def _variant(entity: Entity) -> Relation:
    """Return the to-one from the interface to the same row as one of its types."""
    return Relation(
        name=entity.single,
        target=entity.name,
        kind=RelationKind.TO_ONE,
        on=(("id", "id"),),
        key=("id",),
        hidden=True,
    )


def _through(where: Constant, variant: str) -> Constant:
    """Return the condition of a rule on a type for the interface: `$row` is the row at the other end of the variant."""
    if isinstance(where, str) and where.startswith("$row."):
        return f"$row.{variant}.{where.removeprefix('$row.')}"
    if isinstance(where, Mapping):
        return {name: _through(value, variant) for name, value in where.items()}
    if isinstance(where, list):
        return [_through(value, variant) for value in where]
    return where
