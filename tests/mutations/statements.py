"""Statements that only few rules and filters lead to: what a mutant of them must not take away."""

from __future__ import annotations

from graphql import Source
from graphql.execution.values import VariableValues

from clew.access.sight import Sight
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.document.prepare import prepare
from clew.engine.statements import _judged
from clew.engine.types import Executable, Ready
from clew.model.build import parse_model
from clew.plan.read import plan_query
from clew.plan.types import One, ReadPlan, RootMany, Value
from clew.schema.build import build_schema
from clew.sql.cursors import Cursors
from clew.sql.statement import compile_read
from clew.sql.tables import build_tables

SDL = """
type Club @table { id: Int! @id name: String! }
type Team @table { id: Int! @id owner: String! club: Club! deletedAt: DateTime @softDelete }
type Pass @table(plural: "passes") @allow(role: user) { id: Int! @id sub: String! }
type Note @table @allow(role: user, where: {exists: {Pass: {sub: "$row.team.owner"}}}) { id: Int! @id team: Team }
type Page @table @allow(role: user, where: {exists: {Pass: {sub: "$row.club.name"}}}) { id: Int! @id club: Club }
type Coat @table @allow(role: user, fields: [id, color]) @allow(role: user, where: {id: {gt: 1}}, fields: [size]) {
  id: Int! @id
  color: String
  size: Int
  lining: String
  label: String @hidden
}
type Hook @table @allow(role: user) { id: Int! @id coat: Coat }
type Cape @table @allow(role: user, fields: [color]) @allow(role: user, where: {color: "red"}, fields: [id]) {
  id: Int! @id
  color: String
}
type Board @table @allow(role: user, where: {id: {gt: 1}}) { id: Int! @id books: [Book!]! }
type Book @table @allow(role: user) {
  id: Int! @id
  code: String!
  number: Int @computed(sql: "code::int")
  board: Board
}
type Shelf @table(plural: "shelves") @allow(role: user) {
  id: Int! @id
  titles: [Title!]! @relation(through: "Place")
  old: [Title!]! @relation(through: "Move")
  seen: [Title!]! @relation(through: "Look")
  named: [Name!]! @relation(through: "Tag")
  shown: [Tome!]! @relation(through: "Spot")
}
type Title @table @allow(role: user) { id: Int! @id deletedAt: DateTime @softDelete }
type Tome @table(plural: "hidden") @allow(role: user, where: {shown: true}) { id: Int! @id shown: Boolean! }
type Spot @table @allow(role: user) { shelf: Shelf! @id book: Tome! @id }
type Name @table @allow(role: user) { id: String! @id }
type Place @table @allow(role: user, where: {open: true}) { shelf: Shelf! @id title: Title! @id open: Boolean! }
type Move @table @allow(role: user) { id: Int! @id shelf: Shelf! title: Title! }
type Look @view(sql: "SELECT 1 AS shelf_id, 1 AS title_id") @allow(role: user) { shelf: Shelf! @id title: Title! @id }
type Tag @table @allow(role: user) { shelf: Shelf! @id name: Name! @id }
type Mutation { count: Int @job @allow(role: user) }
"""
_MODEL = parse_model(Source(SDL))
_SCHEMA = build_schema(_MODEL)
_TABLES = build_tables(_MODEL)


def check() -> None:
    """Raise AssertionError, or whatever, if a statement lacks something."""
    # `$row` leads through no row that is deleted.
    assert "deleted_at IS NULL" in _compiled("{ notes { id } }")
    assert "deleted_at" not in _compiled("{ pages { id } }")
    # What is hidden from everybody, and what no rule opens, changes without an event.
    ready = Ready(
        VariableValues({}, {}), None, False, None, Executable(_plan("subscription { coatChanges { kind } }"), None)
    )
    assert [column.name for column in _judged(ready)[1]] == ["id", "color", "size"]
    # An event has no key that is masked.
    changes = _plan("subscription { capeChanges { id } }").changes
    assert changes is not None
    (key,) = changes.read.output
    assert isinstance(key, Value)
    assert key.mask is not None
    # Rows are grouped by what is seen of another row.
    assert "CASE WHEN (t1.id > " in _compiled("{ hooksGroups(by: [{coat: {size: VALUE}}]) { count } }")
    # A job is read as one of its types.
    (jobs,) = _plan("{ jobs { status } }").roots
    assert isinstance(jobs, RootMany)
    assert [type(output) for output in jobs.read.output] == [One]
    # Computing what may fail is not asked of hidden rows.
    assert "CASE WHEN" in _compiled("{ boards(where: {booksAggregate: {sum: {number: {gt: 1}}}}) { id } }")
    # A page along its links has the rules of links and rows.
    page = _compiled("{ shelves { titles(limit: 2) { id } } }")
    assert _ALONG in page
    assert ".open = true" in page
    assert ".deleted_at IS NULL" in page
    assert ".title_id ASC \n LIMIT 2)" in page
    # Links that may lead twice to a row, that sort texts, or that lead to rows under a rule do not make a page.
    for name in ("old", "seen", "named", "shown"):
        assert _ALONG not in _compiled(f"{{ shelves {{ {name}(limit: 2) {{ id }} }} }}")


_ALONG = "OFFSET 0) AS l"


def _compiled(document: str) -> str:
    return compile_read(_plan(document), _MODEL, _TABLES, Cursors("of the proof")).sql


def _plan(document: str) -> ReadPlan:
    prepared = prepare(_SCHEMA, document, None, Limits())
    sight = Sight(admin=False, roles=frozenset({"user"}))
    return plan_query(
        Access(_MODEL),
        _SCHEMA,
        prepared.operation,
        prepared.fragments,
        prepared.coerce({}).coerced,
        sight,
        prepared.limits,
    )
