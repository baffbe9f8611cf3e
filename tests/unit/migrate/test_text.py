"""SQL survives its way through a revision file and sqlalchemy.text."""

from __future__ import annotations

import ast

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from clew.migrate.text import escape, execute_line, python_literal

DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
SQL = st.text(alphabet=st.sampled_from(list(":\\\"'ab1_%s$({ \n\té é")), max_size=40)


@given(SQL)
@example(":x")
@example("\\:x")
@example("a::text = ':x' \\\\:y :")
@example("%(x)s %s $1 {y}")
def test_escaped_sql_runs_as_it_was(sql: str) -> None:
    assert str(text(escape(sql)).compile(dialect=DIALECT)) == sql


@given(st.text(max_size=30))
@example('"""')
@example("\\")
@example('ends with "')
@example("\r\n")
def test_a_python_literal_means_its_text(value: str) -> None:
    source = python_literal(value)
    assert ast.literal_eval(source) == value
    # as Python reads a file: with universal newlines
    assert ast.literal_eval(source.replace("\r\n", "\n").replace("\r", "\n")) == value


@given(SQL)
def test_a_line_of_a_revision_runs_its_statement(sql: str) -> None:
    ran: list[str] = []

    class Op:
        def execute(self, statement: str) -> None:
            ran.append(str(text(statement).compile(dialect=DIALECT)))

    exec(execute_line(sql), {"op": Op()})
    assert ran[0].strip("\n") == sql.strip("\n")


def test_short_statements_stay_on_their_line() -> None:
    assert execute_line("DROP TABLE a") == 'op.execute("DROP TABLE a")'
    assert execute_line('DROP TABLE "A"') == 'op.execute("""\nDROP TABLE "A"\n""")'
