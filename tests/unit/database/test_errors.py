"""What a client gets for each kind of fault of Postgres (https://www.postgresql.org/docs/18/errcodes-appendix.html)."""

from __future__ import annotations

import asyncpg
import pytest
from structlog.testing import capture_logs

from clew.database.errors import client_error
from clew.errors import Code

CODES = {
    # The server is away, full, not the one that takes writes, or lets nobody in.
    Code.UNAVAILABLE: (
        *("08000", "08001", "08003", "08004", "08006", "08007", "08P01"),
        "25006",
        *("28000", "28P01", "3D000"),
        *("53000", "53100", "53200", "53300"),
        *("57000", "57P01", "57P02", "57P03", "57P04", "57P05"),
    ),
    # These would fail again.
    Code.LIMIT_EXCEEDED: ("53400", "54000", "54001", "54023"),
    Code.TIMEOUT: ("57014", "25P03", "25P04"),
    Code.CONFLICT: ("40001", "40P01"),
    Code.CONSTRAINT_VIOLATION: ("23000", "23502", "23505"),
    Code.BAD_USER_INPUT: ("22000", "22003"),
    # Faults of the application, or of the server itself.
    Code.INTERNAL: (
        *("0A000", "22012", "25001", "25P01", "25P02", "26000", "40003", "42501", "42P01", "55000", "58030"),
        *("P0001", "XX000", "XX001"),
    ),
}


@pytest.mark.parametrize(("state", "code"), [(state, code) for code, states in CODES.items() for state in states])
def test_a_fault_has_a_code(state: str, code: Code) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "secret", "S": "ERROR"})
    found = client_error(error)
    assert found.code is code
    assert "secret" not in f"{found.message} {found.hint}"


@pytest.mark.parametrize("state", ["26000", "42P05"])
def test_a_pooler_that_lends_sessions_for_one_transaction_is_named_in_the_log(state: str) -> None:
    with capture_logs() as logs:
        client_error(asyncpg.PostgresError.new({"C": state, "M": "prepared statement", "S": "ERROR"}))
    assert "pool_mode = session" in logs[0]["event"]


def test_what_writes_in_a_transaction_that_only_reads_is_a_fault_of_the_application() -> None:
    error = asyncpg.PostgresError.new({"C": "25006", "M": "secret", "S": "ERROR"})
    assert client_error(error, only_reads=True).code is Code.INTERNAL
