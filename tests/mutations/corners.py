"""Corners of the rules that few models have, looked at where they are compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphql import OperationDefinitionNode, Source, parse, print_schema

from clew.model.build import parse_model
from clew.model.types import GuardRule, Operation, ValueType
from clew.plan.filters import filter_predicate
from clew.plan.inputs import Tree
from clew.plan.limits import Limits
from clew.plan.paging import order_keys
from clew.plan.predicates import FALSE
from clew.plan.read import plan_query
from clew.plan.types import TRUE, Claim, Compare, Exists, Literal, Many, Not, Now, RootMany
from clew.plan.visible import ADMIN, Access, Sight, unmasked
from clew.schema.build import build_schema
from clew.sql.arguments import usable_claims

# Of Top, Middle and Bottom there is nothing to see but a way into the dark.
SDL = """
type Top @table @allow(role: user, fields: [middles]) { id: ID! @id  middles: [Middle!]! @relation(from: top) }
type Middle @table @allow(role: user, fields: [bottoms]) {
  id: ID! @id
  top: Top
  bottoms: [Bottom!]! @relation(from: middle)
  rights: [Right!]! @relation(through: "Dying")
}
type Bottom @table { id: ID! @id  middle: Middle  lefts: [Left!]! @relation(through: "Generated") }

type Left @table @allow(role: user) {
  id: ID! @id
  name: String
  at: DateTime
  rights: [Right!]! @relation(through: "Declared")
  others: [Right!]! @relation(through: "Made")
  secret: Right @hidden
}
type Soft @table @allow(role: user) { id: ID! @id  deletedAt: DateTime @softDelete }
type Writing @table @allow(role: user, to: UPDATE) { id: ID! @id }
type Mine @table @allow(role: user, where: {owner: {neq: "$auth.sub"}}) @allow(role: user, fields: [id]) {
  id: ID! @id
  owner: String
  soft: Soft!
}
type Half @table @allow(role: user, fields: [id]) { id: ID! @id  whisper: String @resolver(requires: [id]) }
type Total @view(sql: "SELECT 1 AS number") @allow(role: user) { number: Int }
type Right @table @allow(role: user) { id: ID! @id }
type Declared @table @allow(role: user, where: {open: true}) { left: Left! @id  right: Right! @id  open: Boolean }
type Empty @table @allow(role: user, fields: [secret]) { id: ID! @id  secret: String @hidden }

type Writable @table @allow(role: user) @guard(to: UPDATE, where: {owner: "$auth.writer"}) {
  id: ID! @id
  owner: String
}
type Guarded @table @allow(role: user) @guard(to: READ, where: {owner: "$auth.reader"}) { id: ID! @id  owner: String }
type Posted @table @allow(role: user) @guard(to: READ, where: {owner: "$auth.poster"}, bindsAdmin: true) {
  id: ID! @id
  owner: String
}
type Frozen @table @allow(role: user) @guard(to: UPDATE, where: {owner: "$auth.editor"}, bindsAdmin: true) {
  id: ID! @id
  owner: String
}

extend type Query {
  open: String @allow(role: user)
  ofRow(id: ID! @row(type: "Left", to: READ)): String @allow(role: user)
  closed: String
}
"""
MODEL = parse_model(Source(SDL, "corners.graphql"))
USER = Sight(admin=False, roles=frozenset({"user"}))


def check() -> None:
    """Raise AssertionError if a corner is not as it must be."""
    access = Access(MODEL)
    _check_openings(access)
    _check_claims(access)
    _check_guards(access)
    _check_deleted(access)
    _check_links(access)
    _check_conditions(access)
    _check_orders(access)
    _check_usable()
    for openings in (None, access.openings(USER), access.openings(ADMIN)):
        schema = print_schema(build_schema(MODEL, openings))
        assert "number: Int" in schema
        assert "secret" not in schema
        assert "soft: Soft\n" in schema
        assert "total:" not in schema
        assert ("whisper" in schema) is (openings != access.openings(USER))
    assert {custom.name for custom in access.custom_fields(USER)} == {"open"}
    assert {custom.name for custom in access.custom_fields(ADMIN)} == {"open", "ofRow", "closed"}


def _check_openings(access: Access) -> None:
    shown = {
        "Left",
        "Right",
        "Declared",
        "Made",
        "Writable",
        "Guarded",
        "Posted",
        "Frozen",
        "Half",
        "Mine",
        "Soft",
        "Total",
    }
    assert set(access.openings(USER)) == shown
    assert access.openings(Sight(admin=False)) == {}
    assert access.opening(MODEL.entity("Generated"), USER) is None
    assert access.opening(MODEL.entity("Empty"), USER) is None
    everything = access.opening(MODEL.entity("Empty"), ADMIN)
    assert everything is not None
    assert everything.fields == {"id"}
    # Without a rule nothing is visible, and no field of what is not visible is open.
    dark = access.visible(MODEL.entity("Bottom"), USER)
    assert dark.where == FALSE
    assert dark.masks == dict.fromkeys(("id", "middle", "middleId", "lefts"), FALSE)


def _check_claims(access: Access) -> None:
    assert {claim.path for claim in access.claims(USER.roles)} == {("reader",), ("poster",), ("sub",)}
    # A rule that names a claim which is not there is no rule, `neq` or not.
    mine = MODEL.entity("Mine")
    without = access.visible(mine, USER)
    assert without.where == TRUE
    assert without.masks["owner"] == FALSE
    given = access.visible(mine, replace(USER, usable=access.claims(USER.roles)))
    assert given.masks["owner"] == access.condition(mine, {"owner": {"neq": "$auth.sub"}})
    assert {claim.path for claim in access.guard_claims()} == {("poster",)}


def _check_guards(access: Access) -> None:
    by_reader = access.condition(MODEL.entity("Guarded"), {"owner": "$auth.reader"})
    by_poster = access.condition(MODEL.entity("Posted"), {"owner": "$auth.poster"})
    text = MODEL.entity("Guarded").columns[1].type
    given = frozenset({Claim(("reader",), text), Claim(("poster",), text)})
    user, admin = replace(USER, usable=given), replace(ADMIN, usable=given)
    for name, seen_by_user, seen_by_admin in (
        ("Writable", TRUE, TRUE),
        ("Guarded", by_reader, TRUE),
        ("Posted", by_poster, by_poster),
        ("Frozen", TRUE, TRUE),
    ):
        entity = MODEL.entity(name)
        assert access.visible(entity, user).where == seen_by_user, name
        assert access.visible(entity, admin).where == seen_by_admin, name
        unconditional = access.opening(entity, user), access.opening(entity, admin)
        assert [found.unconditional for found in unconditional if found] == [
            seen_by_user == TRUE,
            seen_by_admin == TRUE,
        ]


def _check_deleted(access: Access) -> None:
    """What is deleted is there for nobody."""
    soft = MODEL.entity("Soft")
    for sight in (USER, ADMIN):
        assert access.visible(soft, sight).where == unmasked(soft).where != TRUE


def _check_links(access: Access) -> None:
    left = MODEL.entity("Left")
    declared, made = left.relation("rights"), left.relation("others")
    assert declared is not None
    assert made is not None
    assert access.link(declared, USER) == access.visible(MODEL.entity("Declared"), USER)
    assert access.link(declared, USER) != unmasked(MODEL.entity("Declared"))
    assert access.link(made, USER) == unmasked(MODEL.entity("Made"))
    some = filter_predicate(access, USER, left, {"rights": {"some": {}}}, "where")
    assert isinstance(some, Exists)
    assert some.link == access.link(declared, USER)
    schema = build_schema(MODEL, access.openings(USER))
    (operation,) = parse("{ lefts { rights { id } } }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    (root,) = plan_query(access, schema, operation, {}, {}, USER, Limits()).roots
    assert isinstance(root, RootMany)
    (rights,) = root.read.output
    assert isinstance(rights, Many)
    assert rights.link == access.link(declared, USER)
    bottom = MODEL.entity("Bottom")
    for quantifier in ("some", "none", "every"):
        found = filter_predicate(access, USER, bottom, {"lefts": {quantifier: {}}}, "where")
        exists = found.item if isinstance(found, Not) else found
        assert isinstance(exists, Exists)
        assert exists.mask == FALSE, quantifier
    # A generated link may have a guard.
    guard = GuardRule(frozenset({Operation.READ}), {"left": {"name": "x"}})
    link = replace(MODEL.entity("Made"), guards=(guard,))
    guarded = Access(replace(MODEL, entities={**MODEL.entities, "Made": link})).visible(link, USER)
    assert access.condition(link, guard.where) in getattr(guarded.where, "items", ())


def _check_conditions(access: Access) -> None:
    left = MODEL.entity("Left")
    one = access.condition(left, {"name": {"in": ["x"]}})
    assert access.condition(left, {"name": {"in": "x"}}) == one
    assert access.condition(left, {"or": {"name": {"in": "x"}}}) == one
    now = access.condition(left, {"at": {"lt": "$now"}})
    assert isinstance(now, Compare)
    assert isinstance(now.operand.source, Now)


def _check_orders(access: Access) -> None:
    """The primary key is the last key: once, and once more where what was asked for is masked or another row's."""
    orders: tuple[tuple[str, Tree, list[str]], ...] = (
        ("Left", None, ["id"]),
        ("Left", {"id": Literal("ASC")}, ["id"]),
        ("Left", {"name": Literal("ASC")}, ["name", "id"]),
        ("Middle", {"id": Literal("ASC")}, ["id", "id"]),
        ("Middle", {"top": {"id": Literal("ASC")}}, ["id", "id"]),
    )
    for name, asked, expected in orders:
        keys = order_keys(access, USER, MODEL.entity(name), None if asked is None else [asked], "orderBy")
        assert [key.column.name for key in keys] == expected, asked
        assert (keys[-1].path, keys[-1].masks) == ((), (None,))


def _check_usable() -> None:
    """Null, of another type, an empty list, a list for one value: a claim that is not there."""
    text, number = ValueType("String", "text"), ValueType("Int", "integer")
    mood = ValueType("Mood", "text", is_enum=True)
    texts = replace(text, is_list=True)
    refused: dict[ValueType, list[Any]] = {
        text: [None, [], ["x"], 1, True, {}, "a\0b", "\ud800"],
        texts: [None, [], [None], ["x", None], 1, {}, ["a\0b"]],
        number: [None, "", "x", "1x", " 1", "1_0", 2**31, str(2**31), True, 1.5, [1]],
        mood: [None, 1, ["x"], {}],
        ValueType("JSON", "jsonb"): [None, [], [1]],
    }
    taken: list[tuple[ValueType, Any, Any]] = [
        *((text, "x", "x"), (text, "", ""), (text, "7", "7"), (texts, "x", ["x"]), (texts, ["x", "y"], ["x", "y"])),
        *((number, "-7", -7), (number, 7, 7), (mood, "x", "x")),
    ]
    for type_, value, found in taken:
        claim = Claim(("a", "b"), type_)
        assert usable_claims([claim], {"a": {"b": value}}) == {claim: found}
    for type_, values in refused.items():
        for value in values:
            assert usable_claims([Claim(("a", "b"), type_)], {"a": {"b": value}}) == {}, (type_, value)
    assert usable_claims([Claim(("a", "b"), text)], {"a": "x"}) == {}
