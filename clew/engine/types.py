"""What goes into the engine, and an operation on its way through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql.execution.values import VariableValues

from clew.access.visible import Sight
from clew.plan.types import ReadPlan
from clew.schema.roles import RoleSchema
from clew.sql.arguments import Claims
from clew.sql.statement import Statement
from clew.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Request:
    """One GraphQL request, decoded by a transport.

    `queries_only`: refuse a mutation (a GET must change nothing).
    `client` is the address that it came from, empty where the server tells none; None for
    an operation that no client sent: it counts towards no rate.
    `idempotency_key`: a mutation sent again with the same one is run once.
    `id` is the request id that errors carry; None has one made when it is needed.
    """

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    queries_only: bool = False
    id: str | None = None
    client: str | None = None
    idempotency_key: str | None = None


# This and `Ready` are not frozen: that would cost each request as much as the look into a cache.
@dataclass(slots=True)
class Session:
    """A viewer with what the engine knows of it: `Engine.open` makes one for each operation.

    `role` is the schema of the viewer's role set. `sight` is the part of the viewer that plans depend on, `claims` are
    the values that statements bind.
    """

    viewer: Viewer
    role: RoleSchema
    sight: Sight
    claims: Claims


@dataclass(frozen=True, slots=True)
class Executable:
    """A plan with its statement.

    `pieces` are the constant bytes between the values of a pass-through response. `most_cost`: the limit of cost,
    where the values of variables decide whether the plan is within it. `size`: bytes, about.
    """

    plan: ReadPlan
    statement: Statement | None
    pieces: tuple[bytes, ...] = ()
    most_cost: int | None = None
    size: int = 0


@dataclass(slots=True)
class Ready:
    """An operation with its variables.

    `values` are theirs; `shape` is the part of them that a plan depends on; `large`: there are many of them.
    `executable` is what a query is to run, with its `arguments`; `is_new`: it was not in the cache.
    """

    values: VariableValues
    shape: Any
    large: bool
    executable: Executable | None = None
    arguments: Sequence[Any] = ()
    is_new: bool = False
