"""Turn errors of Postgres and asyncpg into Clew's. No part of their text reaches a client."""

from __future__ import annotations

import asyncpg
import structlog
from asyncpg import exceptions

from clew.errors import ClewError, Code

log = structlog.get_logger("clew.database")

# The errors that asyncpg raises. It raises InternalClientError if a connection dies between two steps of a statement.
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# The same, and a connection that does not answer in time.
UNREACHABLE = (*FAULTS, TimeoutError)

# The server takes no writes: it is a standby since a failover, or was told so.
ReadOnlyError = exceptions.ReadOnlySQLTransactionError

_UNAVAILABLE = (
    asyncpg.InternalClientError,
    ReadOnlyError,
    exceptions.PostgresConnectionError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.OperatorInterventionError,
    exceptions.InsufficientResourcesError,
    exceptions.InterfaceError,
    OSError,
    TimeoutError,
)

_TOO_LONG = (
    exceptions.QueryCanceledError,
    # Postgres has ended the session, because of its transaction.
    exceptions.IdleInTransactionSessionTimeoutError,
    exceptions.TransactionTimeoutError,
)

# The second one is a lack of resources too, but of those that the statement may use: it would fail again.
_LIMITS = (exceptions.ProgramLimitExceededError, exceptions.ConfigurationLimitExceededError)

# A prepared statement is in another session than the one that its connection seems to be.
_MISPLACED = (exceptions.InvalidSQLStatementNameError, exceptions.DuplicatePreparedStatementError)


class ContentionError(ClewError):
    """Another transaction interfered. This one is rolled back, and may succeed if it runs again."""

    def __init__(self) -> None:
        super().__init__(
            "Another transaction changed the same data at the same time.",
            code=Code.CONFLICT,
            hint="Nothing was written. Send the operation again.",
        )


class UnavailableError(ClewError):
    """The database is away, or takes no writes for now.

    Attributes:
        takes_no_writes: whether it is the latter.
    """

    def __init__(self, *, takes_no_writes: bool = False) -> None:
        super().__init__("The database is not available.", code=Code.UNAVAILABLE, hint="Try again in a moment.")
        self.takes_no_writes = takes_no_writes


def may_pass(error: Exception) -> bool:
    """Return whether the database is away, or ended a statement because two transactions waited for each other."""
    return isinstance(error, ContentionError) or (isinstance(error, ClewError) and error.code is Code.UNAVAILABLE)


def client_error(error: BaseException, *, only_reads: bool = False) -> ClewError:
    """Return the error that a client gets for a fault of the database, and log the details.

    Args:
        error: raised by asyncpg (its own errors, OSError or TimeoutError).
        only_reads: whether the transaction was begun as one that writes nothing.
    """
    if isinstance(error, _TOO_LONG):
        return ClewError("The operation took too long.", code=Code.TIMEOUT, hint="Ask for less, or filter by an index.")
    # asyncpg refuses some values before sending them. Its error is then both a DataError and an InterfaceError.
    # Clients have no operator that divides, so a division by zero is the fault of a view or a computed field.
    if isinstance(error, exceptions.DataError) and not isinstance(error, exceptions.DivisionByZeroError):
        return ClewError("A value is out of range.", code=Code.BAD_USER_INPUT)
    if isinstance(error, exceptions.SerializationError | exceptions.DeadlockDetectedError):
        log.info("transactions in each other's way", error=type(error).__name__)
        return ContentionError()
    if isinstance(error, _LIMITS):
        # Examples: JSON over 1 GiB, a statement that nests too deeply or needs too large files, a text too long for an
        # index.
        log.warning("a limit of the database is exceeded", error=type(error).__name__, detail=str(error))
        return ClewError("The operation, or a value in it, is too large for the database.", code=Code.LIMIT_EXCEEDED)
    if isinstance(error, _UNAVAILABLE) and not (only_reads and isinstance(error, ReadOnlyError)):
        log.warning("database unavailable", error=type(error).__name__, detail=str(error))
        return UnavailableError(takes_no_writes=isinstance(error, ReadOnlyError))
    fields = error.as_dict() if isinstance(error, asyncpg.PostgresError) else {}
    if isinstance(error, exceptions.IntegrityConstraintViolationError):
        # The client caused it, not the application.
        log.info(
            "constraint violated",
            error=type(error).__name__,
            table=fields.get("table_name"),
            constraint=fields.get("constraint_name"),
        )
        return ClewError("A database constraint was violated.", code=Code.CONSTRAINT_VIOLATION)
    if isinstance(error, _MISPLACED):
        log.error("a pooler lends sessions for one transaction: set pool_mode = session in PgBouncer")
    # The first fault of a transaction is logged. After it, every further statement of the transaction fails.
    log_fault = log.debug if isinstance(error, exceptions.InFailedSQLTransactionError) else log.error
    log_fault(
        "statement failed",
        error=type(error).__name__,
        # DETAIL holds row values. So does the message of a data exception, or of an error that a trigger raises.
        detail=None if _names_values(error) else str(fields.get("message", error)),
        table=fields.get("table_name"),
        constraint=fields.get("constraint_name"),
    )
    return ClewError("Something went wrong on the server.", code=Code.INTERNAL)


def takes_no_writes(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, is that the database takes no writes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ReadOnlyError) or (isinstance(error, UnavailableError) and error.takes_no_writes):
            return True
        error = error.__cause__ or error.__context__
    return False


def _names_values(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state[:2] in ("22", "P0")
