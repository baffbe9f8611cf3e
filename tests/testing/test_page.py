"""The page on testing: its first test runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg

from tests.testing.conftest import ROOT, RunTests, outcomes

PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")

# A block whose first line is a comment with the file's name.
FILES: dict[str, str] = dict(re.findall(r"^```\w+\n# ([\w/.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_the_files_of_the_page_are_a_project_with_green_tests(run_tests: RunTests) -> None:
    assert set(FILES) == {
        *("graphql/schema.graphql", "tests/conftest.py"),
        *("tests/test_posts.py", "tests/test_at_once.py"),
    }
    done = run_tests(FILES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == {
        "test_a_user_reads_only_their_own_posts": "PASSED",
        "test_a_title_must_not_be_empty": "PASSED",
        "test_one_address_is_taken_once": "PASSED",
    }


def test_the_embedded_postgres_serves_where_no_other_is_given(run_tests: RunTests, project: Path) -> None:
    done = run_tests(FILES, "-k", "only_their_own", DATABASE_URL="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / ".clew" / "test-postgres" / "data").is_dir()


async def test_a_run_leaves_no_database_behind_and_removes_those_of_killed_runs(
    run_tests: RunTests, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        for name in ("clew_test_0000000000000000", "clew_test_0000000000000000_template"):
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        done = run_tests(FILES, "tests/test_posts.py")
        assert done.returncode == 0, done.stdout + done.stderr
        left = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'clew_test_0000%'")
        assert left == []
    finally:
        await connection.close()


def test_a_schema_without_its_migration_is_told_without_a_traceback(run_tests: RunTests) -> None:
    done = run_tests(FILES, "tests/test_posts.py", migrate=False)
    assert set(outcomes(done).values()) == {"ERROR"}
    assert "The SDL has changed since the last migration" in done.stdout
    assert "clew migrate make" in done.stdout
    assert "Traceback" not in done.stdout
