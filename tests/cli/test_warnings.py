"""`clew check` warns of computed fields, views and checks that tell a role what is masked for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import Source

from clew.engine.masked_sources import warnings
from clew.errors import Diagnostic
from clew.model.build import load_model
from clew.sdl.load import read_sources
from tests.cli.conftest import Run, write
from tests.cli.forks import ROOT

OWN = '@allow(role: user, where: {id: "$auth.sub"})'
PERSON = (
    "type Person @table @allow(role: user, fields: [id, name, label]) @allow(role: boss) { id: ID! @id name: String! "
)


def found(tmp_path: Path, sdl: str) -> tuple[Diagnostic, ...]:
    write(tmp_path, {"graphql/a.graphql": sdl})
    folder = tmp_path / "graphql"
    sources: list[Source] = read_sources(folder, tmp_path)[0]
    return warnings(load_model(folder, tmp_path), sources)


def messages(tmp_path: Path, sdl: str) -> list[str]:
    return [diagnostic.message for diagnostic in found(tmp_path, sdl)]


def test_check_prints_a_warning_and_exits_with_0(run: Run, project: Path) -> None:
    sdl = PERSON + 'secret: String!\n  label: String! @computed(sql: "name || secret")\n}\n'
    write(project, {"graphql/person.graphql": sdl})
    done = run("check")
    assert done.returncode == 0
    assert done.stdout == "No errors, 1 warning; 2 entities.\n"
    lines = done.stderr.splitlines()
    assert lines[0] == (
        'graphql/person.graphql:2:3: warning: the computed field "Person.label" shows the role user '
        "what the rules mask: Person.secret"
    )
    assert lines[1] == ' 2 |   label: String! @computed(sql: "name || secret")'
    assert lines[2] == "   |   ^^^^^"
    assert lines[3].startswith("  hint: by design it shows what it is made of")


def test_the_demo_has_no_warning() -> None:
    folder = ROOT / "graphql"
    assert warnings(load_model(folder, ROOT), read_sources(folder, ROOT)[0]) == ()


@pytest.mark.parametrize(
    ("secret", "label", "warned"),
    [
        ("", "", True),
        ("@hidden", "@allow(role: boss)", True),
        (OWN, "", True),
        (OWN, OWN, False),
        (OWN + ' @allow(role: user, where: {name: "x"})', OWN, False),
        (OWN, OWN + ' @allow(role: user, where: {name: "x"})', True),
        ("@allow(role: user)", "", False),
        ("", "@allow(role: boss)", False),
    ],
)
def test_a_computed_field_less_strict_than_its_source(tmp_path: Path, secret: str, label: str, warned: bool) -> None:
    # The second rule is of no weight for the holders of `boss`, who see all of it but what is ruled by itself.
    sdl = PERSON.replace(" @allow(role: boss)", "") if "boss" not in label else PERSON
    sdl += f'secret: String! {secret} label: String! @computed(sql: "name || secret") {label} }}'
    assert any("Person.secret" in message for message in messages(tmp_path, sdl)) is warned


def test_words_in_strings_are_no_sources(tmp_path: Path) -> None:
    sdl = PERSON + "secret: String! label: String! @computed(sql: \"name || 'secret'\") }"
    assert messages(tmp_path, sdl) == []


def view(sql: str, rules: str = "@allow(role: user)") -> str:
    return f'type Shown @view(sql: "{sql}") {rules} {{ id: ID! @id total: Int! }}'


def test_a_view_over_a_masked_column(tmp_path: Path) -> None:
    sdl = "type Person @table @allow(role: user, fields: [id]) { id: ID! @id pay: Int! }\n"
    assert messages(tmp_path, sdl + view("SELECT id, pay AS total FROM persons")) == [
        'the view "Shown" shows the role user what the rules mask: Person.pay'
    ]


def test_a_view_over_a_type_that_is_not_open(tmp_path: Path) -> None:
    sdl = "type Person @table @allow(role: boss) { id: ID! @id pay: Int! }\n"
    assert messages(tmp_path, sdl + view("SELECT id, 1 AS total FROM persons")) == [
        'the view "Shown" shows the role user what the rules mask: Person'
    ]


def test_a_view_by_way_of_another_view(tmp_path: Path) -> None:
    sdl = "type Person @table @allow(role: user, fields: [id]) { id: ID! @id pay: Int! }\n"
    sdl += 'type Inner @view(sql: "SELECT id, pay AS amount FROM persons") @allow(role: user, fields: [id])'
    sdl += " { id: ID! @id amount: Int! }\n"
    assert [m for m in messages(tmp_path, sdl + view("SELECT id, amount AS total FROM inners")) if "Shown" in m] == [
        'the view "Shown" shows the role user what the rules mask: Person.pay, Inner.amount'
    ]


def test_roles_with_the_same_sources_share_a_warning(tmp_path: Path) -> None:
    sdl = "type Person @table @allow(role: [user, guest], fields: [id]) { id: ID! @id pay: Int! }\n"
    assert messages(tmp_path, sdl + view("SELECT id, pay AS total FROM persons", "@allow(role: [user, guest])")) == [
        'the view "Shown" shows the roles guest, user what the rules mask: Person.pay'
    ]


@pytest.mark.parametrize(("rules", "warned"), [("@allow(role: user)", True), (OWN, False)])
def test_a_view_over_a_column_open_on_some_rows(tmp_path: Path, rules: str, warned: bool) -> None:
    sdl = f"type Person @table @allow(role: user) {{ id: ID! @id pay: Int! {OWN} }}\n"
    assert bool(messages(tmp_path, sdl + view("SELECT id, pay AS total FROM persons", rules))) is warned


PAY = 'type Person @table @check(sql: "pay <= budget") %s { id: ID! @id pay: Int! %s budget: Int! note: String }'
READS, WRITES = "@allow(role: user, fields: [id, budget, note])", "@allow(role: user, to: UPDATE, fields: [budget])"


@pytest.mark.parametrize(
    ("rules", "rule_of_pay", "warned"),
    [
        (f"{READS} {WRITES}", "", True),
        (f"{READS} {WRITES}", "@hidden", True),
        # It may write a field that nothing is compared with, may not write at all, or only a new row.
        (f"{READS} {WRITES.replace('budget', 'note')}", "", False),
        (READS, "", False),
        (f"{READS} {WRITES.replace('UPDATE', 'CREATE')}", "", False),
        ("@allow(role: user) @allow(role: user, to: UPDATE)", "", False),
        # It sees the other field on the rows that it may write, or not on all of them.
        (f"@allow(role: user) {OWN.replace('role: user', 'role: user, to: UPDATE')}", OWN, False),
        (f"@allow(role: user) {WRITES}", OWN, True),
    ],
)
def test_a_check_that_compares_a_field_to_write_with_a_masked_one(
    tmp_path: Path, rules: str, rule_of_pay: str, warned: bool
) -> None:
    message = (
        'the check "pay <= budget", by writes of "Person.budget", shows the role user what the rules mask: Person.pay'
    )
    assert messages(tmp_path, PAY % (rules, rule_of_pay)) == ([message] if warned else [])


def test_a_check_on_a_field_warns_at_its_place(tmp_path: Path) -> None:
    sdl = PAY.replace('@check(sql: "pay <= budget") ', "") % (f"{READS} {WRITES}", '@check(sql: "pay < budget / 2")')
    (warning,) = found(tmp_path, sdl)
    assert warning.location is not None
    assert sdl[warning.location.column - 1 :].startswith("@check")
    assert warning.hint is not None
    assert warning.hint.startswith("whoever writes the one finds out the other by trying")


def test_keys_and_the_column_of_soft_deletion_are_no_sources_of_a_view(tmp_path: Path) -> None:
    sdl = """
    type Person @table @allow(role: user, fields: [pay]) {
      id: ID! @id pay: Int! boss: Person deletedAt: DateTime @softDelete @hidden
    }
    """
    sql = "SELECT p.id, p.pay AS total FROM persons p JOIN persons b ON b.id = p.boss_id WHERE p.deleted_at IS NULL"
    assert messages(tmp_path, sdl + view(sql)) == []
