"""Tell an admin what a user would be refused. No limit on what an operation costs binds an admin."""

from __future__ import annotations

from dataclasses import replace

import structlog
from cachetools import LRUCache
from graphql import OperationType

from clew.document.prepare import InvalidDocument, Prepared
from clew.engine.engine import Engine
from clew.engine.types import Request
from clew.errors import ClewError, Code
from clew.schema.roles import RoleSchema
from clew.viewer import USER, Viewer

log = structlog.get_logger("clew.engine")

_USER_VIEWER = Viewer.seen_as((USER,))
# Documents of which the log has told, and the characters of one that it shows.
_MOST_TOLD = 1000
_SHOWN = 100


async def refused_to_user(engine: Engine, request: Request) -> ClewError | None:
    """Return the error that a viewer with the role `user` would get for this operation, whatever the claims.

    None if the operation would run. It reads no row, so it cannot foresee the size of the response. Of a mutation it
    judges the document and its variables.
    """
    role = await engine.role(_USER_VIEWER)
    try:
        prepared = await engine.statements.prepared(role, request.query, request.operation_name, False)
        _judge(engine, role, prepared, request)
    except InvalidDocument as invalid:
        return ClewError(invalid.errors[0].message, code=invalid.code)
    except ClewError as error:
        return error
    return None


def _judge(engine: Engine, role: RoleSchema, prepared: Prepared, request: Request) -> None:
    """Plan a query or a subscription as for a user with every claim. Raise what refuses it."""
    values = prepared.coerce(request.variables)
    if prepared.kind is OperationType.MUTATION:
        return
    sight = replace(role.sight, usable=engine.access.rules.claims(role.sight.roles))
    statement = engine.statements.executable(prepared, values, sight).statement
    if statement is not None:
        for operand, compute in zip(statement.operands, statement.arguments, strict=True):
            # The limits of lists in variables are judged when they are bound. No claim is one.
            if operand.form == "count":
                compute(values, {})


class UserRefusals:
    """Logs, once for each document, that a limit would refuse it to a user."""

    def __init__(self) -> None:
        self._told: LRUCache[tuple[str, str | None], bool] = LRUCache(_MOST_TOLD)

    async def tell(self, engine: Engine, request: Request, viewer: Viewer) -> None:
        """Judge an operation that an admin has run."""
        document = (request.query, request.operation_name)
        if not viewer.is_admin or document in self._told:
            return
        refused = await refused_to_user(engine, request)
        if refused is not None and refused.code == Code.LIMIT_EXCEEDED:
            self._told[document] = True
            log.warning(
                "a user would be refused",
                operation=request.operation_name or " ".join(request.query[: 2 * _SHOWN].split())[:_SHOWN],
                message=refused.message,
                hint=refused.hint,
            )
