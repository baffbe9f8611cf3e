"""Requests to the engine, and an operation at each stage on its way through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql.execution.values import VariableValues

from clew.access.sight import Sight
from clew.document.prepare import Prepared
from clew.document.trees import Tree
from clew.plan.types import ReadPlan
from clew.schema.roles import RoleSchema
from clew.sql.arguments import Claims
from clew.sql.statement import Statement
from clew.viewer import Viewer


# `Request`, `Session` and `Ready` are not frozen: freezing would cost each request as much as a cache lookup.
@dataclass(slots=True)
class Request:
    """One GraphQL request, decoded by a transport.

    `queries_only`: refuse a mutation (a GET must change nothing).
    `client` is the address of the client; empty if the server does not know it. None if no client sent the operation:
    then it counts towards no rate.
    `idempotency_key`: a mutation that is sent again with the same key runs only once.
    `extensions` are those that the client sent.
    `last_event_id`: the client asks for what followed the result with this id.
    `is_short`: its text is too short for large variables.
    `id` is the request id that errors carry. If None, the engine makes one when it needs it.
    """

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    queries_only: bool = False
    id: str | None = None
    client: str | None = None
    idempotency_key: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    last_event_id: str | None = None
    is_short: bool = False


@dataclass(slots=True)
class Session:
    """A viewer, and the data that the engine derives from it. `Engine.open` makes one for each operation.

    `role` is the schema of the viewer's role set. Plans depend on `sight`. Statements bind the values of `claims`.
    """

    viewer: Viewer
    role: RoleSchema
    sight: Sight
    claims: Claims


@dataclass(frozen=True, slots=True)
class Executable:
    """A plan with its statement.

    `pieces` are the constant bytes between the values of a pass-through response. `most_cost` is the limit of cost, if
    the values of variables decide whether the plan exceeds it. `size` is an estimate in bytes.
    """

    plan: ReadPlan
    statement: Statement | None
    pieces: tuple[bytes, ...] = ()
    most_cost: int | None = None
    size: int = 0


@dataclass(slots=True)
class Ready:
    """An operation with its variables.

    `values` are the values of the variables. A plan depends on their `shape` only. `large`: there are many of them.
    `tree` keeps the syntax tree for as long as the operation runs. None: the operation needs it no more.
    A query or a subscription runs `executable` with `arguments`. `is_new`: the executable was not in the cache.
    """

    values: VariableValues
    shape: Any
    large: bool
    tree: Tree | None = None
    executable: Executable | None = None
    arguments: Sequence[Any] = ()
    is_new: bool = False


@dataclass(slots=True)
class Begun:
    """An operation that may be executed: admitted, validated, with its variables, for its viewer."""

    prepared: Prepared
    ready: Ready
    session: Session
