"""Which rows the result of a query depends on, and how changes of them find it: docs/subscriptions.md."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from graphql import Source

from clew import Viewer
from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine
from clew.model.build import parse_model
from clew.plan.dependencies import Dependency, plan_dependencies
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from tests.live.chat import SDL

USER = Viewer("7", frozenset({"anon", "user"}))
READER = Viewer("7", frozenset({"anon", "reader"}))
ADMIN = Viewer.admin()
ME = "$auth.sub"


@cache
def engine_of(sdl: str) -> Engine:
    """An engine without a database."""
    model = parse_model(Source(sdl, "schema.graphql"))
    pool = Pool("postgresql://nobody@127.0.0.1:1/nothing", size=1)
    return Engine(model, build_schema(model), build_tables(model), pool, RoleLimits(Limits(), {}))


@pytest.fixture
def engine() -> Engine:
    return engine_of(SDL)


def found(engine: Engine, document: str, variables: Mapping[str, Any], viewer: Viewer) -> tuple[Dependency, ...]:
    async def plan() -> tuple[Dependency, ...]:
        session = await engine.open(viewer)
        prepared = engine.statements.prepare(session.role, document, None)
        ready = await engine.statements.ready(prepared, variables, session)
        assert ready.executable is not None
        return plan_dependencies(ready.executable.plan, engine.model)

    return asyncio.run(plan())


def line(dependency: Dependency) -> str:
    """`equality Thread: owner_id`, with the entities that a look-up goes through before the column."""
    routes = ["".join(f"{hop.entity}." for hop in route.hops) + route.column for route in dependency.routes]
    return f"{dependency.kind} {dependency.entity}" + (f": {' or '.join(routes)}" if routes else "")


CASES = (
    (ADMIN, "{ threads { title } }", {"table Thread"}),
    (ADMIN, "query($id: Int!) { thread(id: $id) { title } }", {"equality Thread: id"}),
    (
        ADMIN,
        "{ threads(where: {owner: {id: {eq: 1}}}) { title } }",
        {"equality Thread: owner_id", "equality User: id"},
    ),
    (
        ADMIN,
        "{ thread(id: 1) { messages { text author { name } } } }",
        {"equality Thread: id", "equality Message: thread_id", "lifted User: Message.thread_id"},
    ),
    # A join brings in no row of another owner, so the rule's equality holds of what is nested too.
    (
        USER,
        "{ threads { title messages { text } } }",
        {"equality Thread: owner_id", "equality User: id", "lifted Message: Thread.owner_id"},
    ),
    (
        USER,
        "{ messages { text } }",
        {"lifted Message: Thread.owner_id", "equality Thread: owner_id", "equality User: id"},
    ),
    (
        USER,
        "{ messages(where: {thread: {id: {eq: 3}}}) { text } }",
        {"equality Message: thread_id", "equality Thread: id", "equality User: id"},
    ),
    # Alternatives are routes of which one must hold.
    (
        READER,
        "{ threads { title } }",
        {
            "lifted Thread: owner_id or Team.Member.user_id",
            "equality User: id",
            "lifted Team: Member.user_id",
            "equality Member: user_id",
        },
    ),
    (USER, "{ secrets { text } }", {"table Secret", "equality Member: user_id", "equality User: id"}),
    # Values that are equal may have other texts.
    (ADMIN, '{ users(where: {score: {eq: "1.0"}}) { name } }', {"table User"}),
    (ADMIN, "{ users(where: {not: {id: {eq: 1}}}) { name } }", {"table User"}),
    (ADMIN, "{ users(where: {id: {in: [1, 2]}}) { name } }", {"equality User: id"}),
    (ADMIN, '{ users(where: {or: [{id: {eq: 1}}, {name: {eq: "a"}}]}) { id } }', {"equality User: id or name"}),
    (ADMIN, '{ users(where: {or: [{id: {eq: 1}}, {name: {neq: "a"}}]}) { id } }', {"table User"}),
    (
        ADMIN,
        "{ team(id: 1) { members { name } } }",
        {"equality Team: id", "equality Member: team_id", "lifted User: Member.team_id"},
    ),
    (
        ADMIN,
        "{ team(id: 1) { membersAggregate { count } } }",
        {"equality Team: id", "equality Member: team_id", "lifted User: Member.team_id"},
    ),
    (
        ADMIN,
        "{ teams(where: {members: {some: {id: {eq: 1}}}}) { name } }",
        {"lifted Team: Member.user_id", "equality Member: user_id", "equality User: id"},
    ),
    (
        ADMIN,
        "{ teams(where: {members: {none: {id: {eq: 1}}}}) { name } }",
        {"table Team", "equality Member: user_id", "equality User: id"},
    ),
    (ADMIN, "{ threads(orderBy: {owner: {name: ASC}}) { id } }", {"table Thread", "table User"}),
    (
        ADMIN,
        "{ threadsAggregate(where: {owner: {id: {eq: 1}}}) { count } }",
        {"equality Thread: owner_id", "equality User: id"},
    ),
)


@pytest.mark.parametrize(("viewer", "document", "expected"), CASES)
def test_rows_matter_by_necessary_equalities(engine: Engine, viewer: Viewer, document: str, expected: set[str]) -> None:
    variables = {"id": 1} if "$id" in document else {}
    assert {line(dependency) for dependency in found(engine, document, variables, viewer)} == expected


def test_only_columns_that_are_read_matter(engine: Engine) -> None:
    (threads,) = found(engine, "{ thread(id: 1) { title } }", {}, ADMIN)
    assert threads.columns == frozenset({"id", "title", "deleted_at"})


def test_a_computed_field_may_read_any_column(engine: Engine) -> None:
    (users,) = found(engine, "{ users { shout } }", {}, ADMIN)
    assert users.columns is None


def test_where_no_rule_holds_nothing_matters(engine: Engine) -> None:
    # A claim that does not fit drops the rule.
    assert found(engine, "{ threads { title } }", {}, Viewer("x", frozenset({"anon", "user"}))) == ()
