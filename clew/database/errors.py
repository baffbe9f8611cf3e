"""Postgres' and asyncpg's errors -> ours. Nothing of their text goes on to a client."""

from __future__ import annotations

import asyncpg
import structlog
from asyncpg import exceptions

from clew.errors import ClewError, Code

log = structlog.get_logger("clew.database")

# What asyncpg raises; InternalClientError when a connection dies between two steps of a statement.
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

_UNAVAILABLE = (
    asyncpg.InternalClientError,
    exceptions.PostgresConnectionError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.OperatorInterventionError,
    exceptions.InsufficientResourcesError,
    exceptions.InterfaceError,
    OSError,
    TimeoutError,
)


class ContentionError(ClewError):
    """Another transaction was in the way: this one is rolled back, and may succeed if it is run again."""

    def __init__(self) -> None:
        super().__init__(
            "Another transaction changed the same data at the same time.",
            code=Code.CONFLICT,
            hint="Nothing was written. Send the operation again.",
        )


def client_error(error: BaseException) -> ClewError:
    """What a client learns of a database's fault; the log gets the rest.

    Args:
        error: what asyncpg raised (its own errors, OSError or TimeoutError).
    """
    if isinstance(error, exceptions.QueryCanceledError):
        return ClewError("The operation took too long.", code=Code.TIMEOUT, hint="Ask for less, or filter by an index.")
    # asyncpg refuses a value before it is sent with a DataError that is an InterfaceError too.
    # No operator that a client can use divides: that is the SQL of a view or a computed field.
    if isinstance(error, exceptions.DataError) and not isinstance(error, exceptions.DivisionByZeroError):
        return ClewError("A value is out of range.", code=Code.BAD_USER_INPUT)
    if isinstance(error, exceptions.SerializationError | exceptions.DeadlockDetectedError):
        log.info("transactions in each other's way", error=type(error).__name__)
        return ContentionError()
    if isinstance(error, _UNAVAILABLE):
        log.warning("database unavailable", error=type(error).__name__, detail=str(error))
        return ClewError("The database is not available.", code=Code.UNAVAILABLE, hint="Try again in a moment.")
    if isinstance(error, exceptions.ProgramLimitExceededError):
        # JSON of more than 1 GiB, a statement that nests too deeply, a text too long for an index.
        log.warning("a limit of the database is exceeded", error=type(error).__name__, detail=str(error))
        return ClewError("The operation, or a value in it, is too large for the database.", code=Code.LIMIT_EXCEEDED)
    fields = error.as_dict() if isinstance(error, asyncpg.PostgresError) else {}
    if isinstance(error, exceptions.IntegrityConstraintViolationError):
        # A client's doing, and no fault of the application's.
        log.info(
            "constraint violated",
            error=type(error).__name__,
            table=fields.get("table_name"),
            constraint=fields.get("constraint_name"),
        )
        return ClewError("A database constraint was violated.", code=Code.CONSTRAINT_VIOLATION)
    # After a first fault, which has been logged, each further statement of the transaction fails.
    tell = log.debug if isinstance(error, exceptions.InFailedSQLTransactionError) else log.error
    tell(
        "statement failed",
        error=type(error).__name__,
        # DETAIL holds row values, and so does the message of a data exception or of a trigger's own.
        detail=None if _names_values(error) else str(fields.get("message", error)),
        table=fields.get("table_name"),
        constraint=fields.get("constraint_name"),
    )
    return ClewError("Something went wrong on the server.", code=Code.INTERNAL)


def _names_values(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state[:2] in ("22", "P0")
