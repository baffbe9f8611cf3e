"""The demo data against the model that they must fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.demo.agents import AGENTS
from app.demo.clock import DAYS, UNTIL
from app.demo.conversations import SCENARIOS
from app.demo.history import THREADS
from app.pricing import PRICES
from app.seed import demo_rows
from clew.model.build import load_model
from clew.model.types import Column, Entity, Model, RelationKind

Tables = dict[str, list[dict[str, Any]]]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return demo_rows()


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(ROOT / "graphql")


def _filled(model: Model, tables: Tables) -> Iterator[tuple[Entity, list[dict[str, Any]]]]:
    for entity in model.entities.values():
        if entity.is_writable:
            yield entity, tables[entity.table]


def _is_filled_by_database(column: Column) -> bool:
    return bool(column.default or column.uuid_key or column.identity or column.created_at or column.updated_at) or (
        column.version or column.computed is not None
    )


def test_every_call_gives_the_same_rows(tables: Tables) -> None:
    assert demo_rows() == tables


def test_there_are_some_thousands_of_rows(tables: Tables) -> None:
    counts = {name: len(rows) for name, rows in tables.items()}
    assert counts["users"] == 120
    assert counts["threads"] == THREADS
    assert counts["agents"] == sum(len(profile.names) for profile in AGENTS)
    assert counts["messages"] > 2500
    assert counts["runs"] > 1200
    assert counts["tool_calls"] > 900
    assert counts["feedback_entries"] > 150


def test_rows_fill_the_tables_of_the_model(model: Model, tables: Tables) -> None:
    assert {entity.table for entity, _ in _filled(model, tables)} == set(tables)
    for entity, rows in _filled(model, tables):
        for row in rows:
            unknown = [name for name in row if entity.column_by_sql(name) is None]
            assert not unknown, (entity.name, unknown)
            assert row.keys() == rows[0].keys(), entity.name


def test_what_must_not_be_null_is_given_or_filled_by_the_database(model: Model, tables: Tables) -> None:
    for entity, rows in _filled(model, tables):
        for column in entity.columns:
            if column.nullable:
                continue
            if column.column in rows[0]:
                assert all(row[column.column] is not None for row in rows), (entity.name, column.name)
            else:
                assert _is_filled_by_database(column), (entity.name, column.name)


def test_enum_columns_hold_values_of_their_enum(model: Model, tables: Tables) -> None:
    for entity, rows in _filled(model, tables):
        for column in entity.columns:
            if column.type.is_enum and column.column in rows[0]:
                allowed = {value.name for value in model.enums[column.type.name].values}
                assert {row[column.column] for row in rows} <= allowed | {None}, (entity.name, column.name)


def test_patterns_of_checks_match(model: Model, tables: Tables) -> None:
    for entity, rows in _filled(model, tables):
        for column in entity.columns:
            for check in column.checks:
                if check.pattern is not None:
                    assert all(re.search(check.pattern, row[column.column]) for row in rows), (entity.name, column.name)


def test_foreign_keys_hold_and_come_in_the_order_of_insertion(model: Model, tables: Tables) -> None:
    order = list(tables)
    for entity, rows in _filled(model, tables):
        for relation in entity.relations:
            if relation.kind is not RelationKind.TO_ONE:
                continue
            target = model.entity(relation.target).table
            assert order.index(target) < order.index(entity.table), (entity.name, relation.name)
            ((local, remote),) = relation.on
            keys = {row[remote] for row in tables[target]}
            assert {row[local] for row in rows} <= keys | {None}, (entity.name, relation.name)


def test_unique_keys_hold(model: Model, tables: Tables) -> None:
    for entity, rows in _filled(model, tables):
        keys = [unique.columns for unique in entity.uniques if unique.columns] + [entity.primary_key]
        for names in keys:
            columns = [entity.column(name) for name in names]
            values = Counter(tuple(row[column.column] for column in columns if column) for row in rows)
            assert values.most_common(1)[0][1] == 1, (entity.name, names)


def test_time_ends_with_the_demo_and_conversations_span_the_last_weeks(tables: Tables) -> None:
    for name, rows in tables.items():
        times = [value for row in rows for value in row.values() if isinstance(value, datetime)]
        assert all(value <= UNTIL + timedelta(minutes=2) for value in times), name
    starts = [row["created_at"] for row in tables["threads"]]
    assert min(starts) >= UNTIL - timedelta(days=DAYS + 1)
    assert max(starts) - min(starts) > timedelta(days=DAYS - 10)


def test_a_conversation_alternates_and_its_runs_lie_between_question_and_answer(tables: Tables) -> None:
    runs = {row["id"]: row for row in tables["runs"]}
    agents = {row["id"]: row["agent_id"] for row in tables["threads"]}
    last: dict[Any, dict[str, Any]] = {}
    for message in tables["messages"]:
        before = last.get(message["thread_id"])
        assert message["position"] == (before["position"] + 1 if before else 1)
        assert message["author"] == ("ASSISTANT" if message["position"] % 2 == 0 else "USER")
        if message["author"] == "ASSISTANT":
            run = runs[message["run_id"]]
            assert before is not None
            assert run["agent_id"] == agents[message["thread_id"]]
            assert before["created_at"] <= run["started_at"] <= run["finished_at"] <= message["created_at"]
        last[message["thread_id"]] = message


def test_owners_belong_to_the_team_of_the_agent(tables: Tables) -> None:
    members = {(row["team_id"], row["user_id"]) for row in tables["memberships"]}
    teams = {row["id"]: row["team_id"] for row in tables["agents"]}
    assert all((teams[row["agent_id"]], row["owner_id"]) in members for row in tables["threads"])


def test_every_status_occurs_and_unfinished_runs_have_no_end(tables: Tables) -> None:
    statuses = {row["status"] for row in tables["runs"]}
    assert {"SUCCEEDED", "FAILED", "CANCELLED"} <= statuses
    assert statuses & {"QUEUED", "RUNNING"}
    for run in tables["runs"]:
        assert (run["finished_at"] is None) == (run["status"] in ("QUEUED", "RUNNING"))
        assert (run["error"] is not None) == (run["status"] == "FAILED")


def test_models_are_on_the_price_list(tables: Tables) -> None:
    assert {row["model"] for name in ("agents", "runs") for row in tables[name]} <= PRICES.keys()


def test_agents_call_only_their_own_tools() -> None:
    tools = {profile.topic: set(profile.tools) for profile in AGENTS}
    assert tools.keys() == SCENARIOS.keys()
    for topic, scenarios in SCENARIOS.items():
        used = {tool.name for scenario in scenarios for turn in scenario.turns for tool in turn.tools}
        assert used <= tools[topic], topic


def test_no_template_is_left_unfilled(tables: Tables) -> None:
    for row in (*tables["messages"], *tables["threads"]):
        assert "{" not in row.get("content", row.get("title", ""))
