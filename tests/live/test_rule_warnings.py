"""`clew check` warns of rules that make live queries slow or impossible."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.engine.live_rules import warnings
from clew.model.build import load_model
from clew.sdl.load import read_sources

ROUTE = "under this rule live queries of Note run again whenever any Note changes"
LOG = "under this rule Note has no live queries: changes of Member are not logged"
SDL = """
type User @table @is(name: "me", where: {id: "$auth.sub"}) { id: Int! @id notes: [Note!]! @relation(from: "owner") }
type Member @table(MEMBER) @allow(role: user) { id: Int! @id user: User! group: Int! admin: Boolean! }
type Note @table(NOTE) @allow(role: user, where: RULE) { id: Int! @id owner: User! group: Int! text: String! }
"""


def found(folder: Path, rule: str, *, member: str = "", note: str = "") -> list[str]:
    sdl = SDL.replace("RULE", rule)
    for name, without in (("MEMBER", member), ("NOTE", note)):
        sdl = sdl.replace(f"({name})", without)
    (folder / "graphql").mkdir()
    (folder / "graphql" / "a.graphql").write_text(sdl)
    sources = read_sources(folder / "graphql", folder)[0]
    return [warning.message for warning in warnings(load_model(folder / "graphql", folder), sources)]


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ('{owner: {is: "me"}}', False),
        ('{or: [{owner: {is: "me"}}, {id: {in: "$auth.notes"}}]}', False),
        ("{id: {gt: 3}}", False),
        ('{not: {owner: {is: "me"}}}', True),
        ('{text: {startsWith: "$auth.prefix"}}', True),
        ('{exists: {Member: {user: {is: "me"}, group: "$row.group"}}}', True),
    ],
)
def test_rules_that_no_value_leads_to(tmp_path: Path, rule: str, warned: bool) -> None:
    assert found(tmp_path, rule) == ([ROUTE] if warned else [])


def test_rules_that_read_rows_without_a_log(tmp_path: Path) -> None:
    rule = '{exists: {Member: {user: {is: "me"}, admin: true}}, owner: {is: "me"}}'
    assert found(tmp_path, rule, member="(without: LIVE)") == [LOG]


def test_a_table_that_is_not_live_needs_no_routes(tmp_path: Path) -> None:
    assert found(tmp_path, '{not: {owner: {is: "me"}}}', note="(without: LIVE)") == []


def test_the_rule_for_the_answer_that_queues_a_job_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "a.graphql").write_text("type Mutation { work: Int @job @allow(role: user) }")
    sources = read_sources(tmp_path / "graphql", tmp_path)[0]
    assert warnings(load_model(tmp_path / "graphql", tmp_path), sources) == ()
