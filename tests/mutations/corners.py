"""Corners of the rules that few models have, looked at where they are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    Source,
    TypeDefinitionNode,
    parse,
    print_ast,
    print_schema,
)

from clew.access.conditions import unmasked
from clew.access.foresight import Foresight, depends_on
from clew.access.link_paths import many_to_manys_over, to_ones_back
from clew.access.permits import Permit, Permits
from clew.access.predicates import FALSE, at_path, comparison, conjunction
from clew.access.reach import reads
from clew.access.sight import ADMIN, Sight
from clew.access.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Claim,
    Compare,
    Constant,
    Exists,
    IsNull,
    IsTrue,
    KeyDigest,
    Literal,
    Not,
    Now,
    Predicate,
    RelatedMeasure,
    Rows,
    Ruled,
    Search,
    Somewhere,
    Visible,
)
from clew.access.visible import Access
from clew.document.inputs import Tree
from clew.document.limits import Limits
from clew.model.build import parse_model
from clew.model.types import Column, GuardRule, Operation, RowArgument, ValueType
from clew.plan.filters import filter_predicate, search_predicate
from clew.plan.paging import order_keys
from clew.plan.read import plan_query
from clew.plan.types import Many, RootMany
from clew.resolvers.row_arguments import _keys
from clew.schema.build import build_schema
from clew.schema.custom_types import OwnTypes
from clew.sql.arguments import key_value, usable_claims
from tests.mutations.mutants import Mutant, reached
from tests.unit.access import test_implied

# Of Top, Middle and Bottom there is nothing to see but a way into the dark.
SDL = """
type Top @table @allow(role: user, fields: [middles]) { id: ID! @id  middles: [Middle!]! @relation(from: top) }
type Middle @table @allow(role: user, fields: [bottoms]) {
  id: ID! @id
  top: Top
  size: Int
  bottoms: [Bottom!]! @relation(from: middle)
}
type Bottom @table { id: ID! @id  middle: Middle  lefts: [Left!]! @relation(through: "Generated") }

type Left @table @allow(role: user) {
  id: ID! @id
  name: String
  at: DateTime
  rights: [Right!]! @relation(through: "Declared")
  others: [Right!]! @relation(through: "Made")
  tops: [Top!]! @relation(through: "Dying")
  secret: Right @hidden
}
type Soft @table @allow(role: user) { id: ID! @id  deletedAt: DateTime @softDelete }
type Writing @table @allow(role: user, to: UPDATE) { id: ID! @id }
type Mine @table @allow(role: user, where: {owner: {neq: "$auth.sub"}}) @allow(role: user, fields: [id]) {
  id: ID! @id
  owner: String
  soft: Soft!
  wing: Right!
  hum: String! @resolver(requires: [id])
  murmur: String @resolver(requires: [id])
}
type Half @table @allow(role: user, fields: [id]) @unique(fields: [id], where: "id IS NOT NULL") {
  id: ID! @id
  whisper: String @resolver(requires: [id])
}
type Total @view(sql: "SELECT 1 AS number") @allow(role: user) { number: Int }
type Right @table @allow(role: user) { id: ID! @id  shout: String! @resolver(requires: [id]) }
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
  softsOf(ids: [ID!]!): [Soft!]! @allow(role: user)
  rightsOf(ids: [ID!]!): [Right!]! @allow(role: user)
}
"""
# What is looked at as rules alone, not as a schema, which takes longer.
RULES = """
type Teller @table @allow(role: user) {
  id: ID! @id
  dark: Bottom @resolver(requires: [id])
  light: Right @resolver(requires: [id])
  word: String @resolver(requires: [id])
}
type Erasable @table @allow(role: [user, keeper]) @allow(role: user, to: DELETE) {
  id: ID! @id
  deletedAt: DateTime @softDelete
}
type Held
  @table
  @allow(role: user, where: {name: "x"}, fields: [id])
  @allow(role: user, to: UPDATE, where: {owner: "$auth.sub"})
  @guard(to: UPDATE, where: {kind: "$auth.kind"}) {
  id: ID! @id
  name: String
  owner: String
  kind: String @allow(role: user, where: {owner: "$auth.sub"})
  open: String @allow(role: user) @allow(role: user, where: {owner: "$auth.sub"})
}
# A rule and a guard name claims in what must be true after: without them they are none, and nobody gets past.
type Kept
  @table
  @allow(role: user, where: {owner: "$auth.sub"})
  @allow(role: user, to: ALL, where: {kind: "x"}, check: {owner: "$auth.after"})
  @allow(role: user, to: DELETE, where: {owner: "x"})
  @allow(role: user, to: DELETE, where: {owner: "z"})
  @guard(to: DELETE, where: {owner: "y"}, bindsAdmin: true) {
  id: ID! @id
  owner: String
  kind: String @allow(role: user, to: ALL, where: {owner: "x"}, check: {owner: "$auth.after"})
  deletedAt: DateTime @softDelete
}
type Coded @table
  @allow(role: user, fields: [name])
  @allow(role: user, where: {name: "y"}, fields: [id])
  @allow(role: user, to: UPDATE, where: {name: "x"}) {
  id: ID! @id
  name: String
}
type Sealed @table @allow(role: user, to: ALL) @guard(to: ALL, where: {owner: "x"}, check: {owner: "$auth.after"}) {
  id: ID! @id
  owner: String
}
type Fields @table { id: ID! @id  name: String @allow(role: user) }

# What may be exported is less than what may be read.
type Outward
  @table
  @allow(role: user, where: {label: "x"})
  @allow(role: user, fields: [id, owner])
  @allow(role: user, to: EXPORT, where: {label: "y"}, fields: [id, label, owner])
  @allow(role: user, to: EXPORT, where: {owner: "$auth.sub"}, fields: [label, free])
  @guard(to: EXPORT, where: {label: {neq: "z"}}, bindsAdmin: true) {
  id: ID! @id
  label: String
  owner: String
  closed: String
  free: String
  own: String @allow(role: user, where: {label: "x"}) @allow(role: user, to: EXPORT, where: {label: "w"})
  same: String @allow(role: user, to: [READ, EXPORT], where: {label: "x"})
}
type Through @table @allow(role: user, to: [READ, EXPORT], where: {label: "x"}) {
  id: ID! @id
  label: String
  deletedAt: DateTime @softDelete
}
type Near @table @allow(role: user, to: [READ, EXPORT], where: {label: "x"}) {
  id: ID! @id
  label: String
  fars: [Far!]! @relation(through: "NearFar")
}
type Far @table @allow(role: user) @allow(role: user, to: EXPORT, where: {label: "y"}, fields: [label, nears]) {
  id: ID! @id
  label: String
  nears: [Near!]! @relation(through: "NearFar")
}

# Of Owned the owner is always visible, of Whole some part, and of Ward none for sure.
type Owner @table @allow(role: user, where: {name: "$auth.sub"}) { id: ID! @id  name: String }
type Owned @table @allow(role: user, where: {owner: {name: "$auth.sub"}, third: {name: "z"}, label: "x"}) {
  id: ID! @id
  label: String
  owner: Owner!
  other: Owner!
  third: Owner!
}
type Whole @table @allow(role: user, where: {parts: {some: {label: "x"}}}) { id: ID! @id  parts: [Part!]! }
type Part @table @allow(role: user, where: {label: "x"}) { id: ID! @id  label: String  whole: Whole! }
type Warded @table @allow(role: user, where: {label: "x"}) @guard(to: READ, where: {label: {neq: "y"}}) {
  id: ID! @id
  label: String
}
type Ward @table @allow(role: user, where: {warded: {label: "x"}}) { id: ID! @id  warded: Warded! }

# What a check names may be absent: then its rule opens no row, and nothing is open for sure.
type Checked @table @allow(role: user, to: [READ, UPDATE], check: {owner: "$auth.after"}) {
  id: ID! @id
  owner: String @allow(role: user, to: [READ, UPDATE], check: {owner: "$auth.after"})
  kind: String @allow(role: user)
}
type Labelled @table @allow(role: user, to: [READ, UPDATE], where: {label: "x"}, check: {label: "$auth.after"}) {
  id: ID! @id
  label: String
}
type Sealing @table @allow(role: user, to: ALL, where: {owner: "x"}) { id: ID! @id  owner: String }
type Unsure @table @allow(role: user, where: {labelled: {label: "x"}}) { id: ID! @id  labelled: Labelled! }
type Sure @table @allow(role: user, to: [READ, UPDATE], where: {labelled: {label: "x"}}, check: {id: "$auth.after"}) {
  id: String! @id
  labelled: Labelled!
}

type Asking @table @allow(role: user, where: {exists: {Left: {name: "$auth.asked"}, Soft: {id: {neq: "x"}}}}) {
  id: ID! @id
}

type Sum
  @table
  @allow(
    role: user
    where: {addendsAggregate: {where: {label: "x"}, count: {gt: "$auth.most"}, max: {label: "$auth.last", count: 7}}}
  ) {
  id: ID! @id
  addends: [Addend!]!
}
type Addend @table @guard(to: DELETE, where: {label: "$auth.deleter"}, bindsAdmin: true) {
  id: ID! @id
  label: String
  count: Int
  sum: Sum
}

# Of a page two rules say how many rows it has at most.
type Paged @table @allow(role: user, limit: 5) @allow(role: user, limit: 7) @allow(role: editor) { id: ID! @id }
type Keyed @table @allow(role: user, fields: [half]) { id: ID! @id  half: Half }
# Of a vote whose it is sees the owner alone; a part of a sealed row's key nobody.
type Vote @table @allow(role: user, fields: [poll]) @allow(role: user, where: {owner: "$auth.sub"}) {
  poll: Int! @id
  voter: Int! @id
  owner: String
}
type Waxed @table @allow(role: user) { part: Int! @id  seal: Int! @id @hidden }
type Deep @table @allow(role: user, fields: [id]) { id: ID! @id  data: JSON  name: String @search }

type Natural @table { id: String! @id }

type Written
  @table
  @allow(role: user, fields: [name])
  @allow(role: user, to: CREATE)
  @allow(role: user, to: CREATE, fields: [name])
  @allow(role: user, to: UPDATE, where: {owner: "$auth.sub"}, check: {name: "x"}, fields: [name])
  @allow(role: user, to: UPDATE, where: {owner: "y"}, fields: [kind])
  @allow(role: editor, to: UPDATE)
  @guard(to: UPDATE, where: {owner: "$auth.kind"}) {
  id: ID! @id
  name: String
  owner: String
  kind: String @allow(role: user) @allow(role: editor, to: UPDATE) @allow(role: user, to: UPDATE, where: {name: "z"})
  half: Half
  maker: String @preset(claim: "sub")
}

# A line tells more of its poles to some than to others; a pole tells no more of its lines.
type Pole @table @allow(role: user) {
  id: ID! @id
  opened: [Line!]! @relation(from: open)
  whole: [Line!]! @relation(from: whole)
  own: Line @relation(from: own)
  dark: [Line!]! @relation(from: dark)
  unseen: [Unseen!]! @relation(from: pole)
  knots: [Line!]! @relation(through: "Knot")
  loops: [Line!]! @relation(through: "Loop")
  dimmed: [Line!]! @relation(through: "Dim")
  blind: [Unseen!]! @relation(through: "Blind")
  shut: [Line!]! @relation(through: "Shut")
  roped: [Line!]! @relation(through: "Rope")
}
type Line @table @allow(role: user, where: {label: "a"}) @allow(role: user, where: {label: "b"}, fields: [id, whole]) {
  id: ID! @id
  label: String
  open: Pole
  whole: Pole
  own: Pole @unique @allow(role: user, where: {label: "c"}) @allow(role: user, where: {label: "$auth.label"})
  dark: Pole @allow(role: boss) @allow(role: user, to: UPDATE)
}
type Unseen @table { id: ID! @id  pole: Pole @allow(role: user) }
type Knot @table @allow(role: user, where: {label: "a"}, fields: [pole]) @allow(role: user, where: {label: "b"}) {
  pole: Pole! @id
  line: Line! @id @allow(role: user, where: {label: "c"})
  other: Left @allow(role: user, where: {label: "d"})
  label: String
}
type Loop @table @allow(role: user, where: {label: "a"}) {
  pole: Pole! @id
  line: Line! @id
  label: String
}
type Dim @table @allow(role: user, fields: [pole]) { pole: Pole! @id  line: Line! @id }
type Blind @table @allow(role: user) { pole: Pole! @id  unseen: Unseen! @id }
type Shut @table { pole: Pole! @id @allow(role: user)  line: Line! @id @allow(role: user) }
type Rope @table @allow(role: user) {
  pole: Pole! @id
  line: Line!
  splice: Splice @relation(from: rope) @allow(role: boss)
}
type Splice @table @allow(role: user) { rope: Rope! @id @relation(column: "id") }

# A link is there where its lists are open on both ends, and shows the keys that these show.
type Peer @table
  @allow(role: user, where: {label: "a"})
  @allow(role: user, where: {label: "b"}, fields: [label, mates, foes, kin]) {
  id: ID! @id
  label: String
  mates: [Mate!]! @relation(through: "Bond") @allow(role: user, where: {label: "c"})
  foes: [Mate!]! @relation(through: "Feud")
  barred: [Mate!]! @relation(through: "Ban") @allow(role: boss)
  hidden: [Mate!]! @relation(through: "Veil") @hidden
  kin: [Peer!]! @relation(through: "Kinship") @allow(role: user, where: {label: "c"})
}
type Mate @table @allow(role: user, fields: [part, peers, bans, veils]) {
  part: Int! @id
  seal: Int! @id @hidden
  code: Int! @id
  peers: [Peer!]! @relation(through: "Bond")
  bans: [Peer!]! @relation(through: "Ban")
  veils: [Peer!]! @relation(through: "Veil")
}

extend type Query {
  ofWritable(id: ID! @row(type: "Writable", to: UPDATE)): String @allow(role: user)
  ofFrozen(id: ID! @row(type: "Frozen", to: UPDATE)): String @allow(role: user)
}
"""
SHOWN = parse_model(Source(SDL, "corners.graphql"))
MODEL = parse_model(Source(SDL + RULES, "corners.graphql"))
USER = Sight(admin=False, roles=frozenset({"user"}))


def _check_openings(access: Access) -> None:
    shown = {
        "Left",
        "Sealing",
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
        "Teller",
        "Erasable",
        "Held",
        "Owner",
        "Owned",
        "Whole",
        "Part",
        "Warded",
        "Ward",
        "Checked",
        "Asking",
        "Labelled",
        "Unsure",
        "Sure",
        "Sum",
        "Paged",
        "Keyed",
        "Deep",
        "Vote",
        "Waxed",
        "Written",
        "Pole",
        "Line",
        "Loop",
        "Knot",
        "Dim",
        "Blind",
        "Rope",
        "Splice",
        "Kept",
        "Sealed",
        "Coded",
        "Peer",
        "Mate",
        "Bond",
        "Feud",
        "Kinship",
        "Outward",
        "Through",
        "Near",
        "Far",
        "NearFar",
    }
    assert set(access.openings(USER)) == shown
    assert access.openings(Sight(admin=False)) == {}
    assert access.opening(MODEL.entity("Generated"), USER) is None
    assert access.opening(MODEL.entity("Empty"), USER) is None
    everything = access.opening(MODEL.entity("Empty"), ADMIN)
    assert everything is not None
    assert everything.fields == {"id"}
    teller = access.openings(USER)["Teller"]
    assert teller.fields == {"id", "light", "word"}
    for name, expected in (("Soft", [False, True]), ("Erasable", [True, True]), ("Left", [False, True])):
        openings = [access.opening(MODEL.entity(name), sight) for sight in (USER, ADMIN)]
        assert [opening and opening.deletes for opening in openings] == expected, name
    erasable = access.opening(MODEL.entity("Erasable"), Sight(admin=False, roles=frozenset({"keeper"})))
    assert erasable is not None
    assert not erasable.deletes
    assert access.openings(USER)["Keyed"].fields == {"half", "halfId"}
    owners: tuple[tuple[str, set[str]], ...] = (
        ("Owned", {"owner"}),
        ("Whole", set()),
        ("Part", set()),
        ("Ward", set()),
    )
    for name, always in (*owners, ("Unsure", set()), ("Sure", {"labelled"})):
        assert access.openings(USER)[name].shown == always, name
    checked = access.openings(USER)["Checked"]
    assert (set(checked.conditional), checked.unconditional) == ({"owner"}, False)
    assert access.visible(MODEL.entity("Checked"), USER).where == FALSE
    given = replace(USER, usable=access.rules.claims(USER.roles))
    assert access.visible(MODEL.entity("Checked"), given) == Visible(MODEL.entity("Checked"))
    held = access.openings(USER)["Held"]
    assert (set(held.fields), set(held.conditional)) == ({"id", "kind", "open"}, {"kind"})
    assert (held.unconditional, access.openings(USER)["Left"].unconditional) == (False, True)
    assert set(access.visible(MODEL.entity("Held"), USER).masks) == {"name", "owner", "kind"}
    paged = MODEL.entity("Paged")
    assert access.visible(paged, USER).page == 7
    assert access.visible(paged, replace(USER, roles=frozenset({"user", "editor"}))).page is None
    # A rule of a field opens no row.
    assert access.opening(MODEL.entity("Fields"), USER) is None
    # Without a rule nothing is visible, and no field of what is not visible is open.
    dark = access.visible(MODEL.entity("Bottom"), USER)
    assert dark.where == FALSE
    assert dark.masks == dict.fromkeys(("id", "middle", "middleId", "lefts"), FALSE)


def _check_claims(access: Access) -> None:
    named = {claim.path for claim in access.rules.claims(USER.roles)}
    assert named == {
        (name,)
        for name in (
            "reader",
            "poster",
            "sub",
            "writer",
            "editor",
            "most",
            "last",
            "kind",
            "deleter",
            "label",
            "after",
            "asked",
        )
    }
    guarding = {claim.path for claim in access.rules.claims(frozenset())}
    assert guarding == {(name,) for name in ("reader", "poster", "writer", "editor", "kind", "deleter", "after")}
    # A rule that names a claim which is not there is no rule, `neq` or not.
    mine = MODEL.entity("Mine")
    without = access.visible(mine, USER)
    assert without.where == TRUE
    assert without.masks["owner"] == FALSE
    given = access.visible(mine, replace(USER, usable=access.rules.claims(USER.roles)))
    assert given.masks["owner"] == access.condition(mine, {"owner": {"neq": "$auth.sub"}})
    held = MODEL.entity("Held")
    assert access.visible(held, USER).masks["kind"] == FALSE
    by_owner = access.condition(held, {"owner": "$auth.sub"})
    assert access.visible(held, replace(USER, usable=access.rules.claims(USER.roles))).masks["kind"] == by_owner
    assert {claim.path for claim in access.rules.guard_claims()} == {("poster",), ("editor",), ("deleter",)}
    # Whether a rule is asked about its claims first or applied first is the same.
    for entity, rule, paths in (
        (mine, mine.allow[1], set()),
        (mine, mine.allow[0], {("sub",)}),
        (MODEL.entity("Guarded"), MODEL.entity("Guarded").guards[0], {("reader",)}),
    ):
        fresh = Access(MODEL)
        assert {claim.path for claim in fresh.rules.claims_of(entity, rule)} == paths
        assert fresh.visible(entity, USER) == access.visible(entity, USER)


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


def _check_held(access: Access) -> None:
    """To hold an operation on a row takes to see it, a rule for the operation, and every guard."""
    held = MODEL.entity("Held")
    given = access.rules.claims(USER.roles) | frozenset({Claim(("kind",), held.columns[1].type)})
    user = replace(USER, usable=given)
    by_kind, by_owner = (access.condition(held, {c: f"$auth.{of}"}) for c, of in (("kind", "kind"), ("owner", "sub")))
    visible = access.visible(held, user)
    assert access.nameable(held, user, Operation.READ) == visible
    # Where its key is masked a row cannot be named by it.
    coded = MODEL.entity("Coded")
    seen, is_open = access.visible(coded, user), access.condition(coded, {"name": "y"})
    assert access.nameable(coded, user, Operation.READ) == replace(seen, where=is_open)
    by_name = access.condition(coded, {"name": "x"})
    assert access.nameable(coded, user, Operation.UPDATE) == replace(seen, where=AllOf((is_open, by_name)))
    found = access.nameable(held, user, Operation.UPDATE)
    assert found == replace(visible, where=AllOf((visible.where, by_kind, by_owner)))
    for path in (("kind",), ("sub",)):
        lacking = replace(USER, usable=frozenset(claim for claim in given if claim.path != path))
        assert access.nameable(held, lacking, Operation.UPDATE).where == FALSE
    assert access.nameable(held, user, Operation.DELETE).where == FALSE
    assert access.nameable(held, ADMIN, Operation.UPDATE).where == TRUE
    soft, frozen = MODEL.entity("Soft"), MODEL.entity("Frozen")
    assert access.nameable(soft, ADMIN, Operation.UPDATE) == access.visible(soft, ADMIN)
    assert access.nameable(frozen, ADMIN, Operation.UPDATE).where == FALSE
    assert access.nameable(frozen, ADMIN, Operation.READ).where == TRUE
    editor = replace(ADMIN, usable=access.rules.guard_claims())
    by_editor = access.condition(frozen, {"owner": "$auth.editor"})
    assert access.nameable(frozen, editor, Operation.UPDATE).where == by_editor


def _check_exports(access: Access) -> None:
    """To export takes to read, a rule for EXPORT, and every guard for it, for each row and each of its fields."""
    outward = MODEL.entity("Outward")
    by_label = {text: access.condition(outward, {"label": text}) for text in "wxy"}
    by_owner, guard = (
        access.condition(outward, {"owner": "$auth.sub"}),
        access.condition(outward, {"label": {"neq": "z"}}),
    )
    user = replace(USER, usable=access.rules.claims(USER.roles))
    found = access.exportable(outward, user)
    assert found is not None
    assert found.where == AllOf((guard, AnyOf((by_label["y"], by_owner))))
    assert found.masks == {
        "id": by_label["y"],
        "label": by_label["x"],
        "owner": by_label["y"],
        "closed": FALSE,
        "free": AllOf((by_owner, by_label["x"])),
        "own": AllOf((by_label["w"], by_label["x"])),
        "same": by_label["x"],
    }
    lacking = access.exportable(outward, USER)
    assert lacking is not None
    assert lacking.where == AllOf((guard, by_label["y"]))
    assert lacking.masks["free"] == FALSE
    assert access.exportable(outward, ADMIN) == Visible(outward, guard)
    for name in ("Left", "Held", "Made"):
        assert access.exportable(MODEL.entity(name), user) is None, name
    through, link = MODEL.entity("Through"), MODEL.entity("NearFar")
    assert access.exportable(through, user) == access.visible(through, user)
    # A link may be exported with both of its ends, and shows the keys that they show.
    ends = {name: access.exportable(MODEL.entity(name), user) for name in ("Near", "Far")}
    exported = access._see_link(link, (), {name: rows for name, rows in ends.items() if rows is not None})
    seen, found = access.visible(link, user), access.exportable(link, user)
    assert found is not None
    assert isinstance(exported.where, AllOf)
    assert isinstance(seen.where, AllOf)
    also = [item for item in exported.where.items if item not in seen.where.items]
    assert len(also) == 1
    assert found.where == conjunction([*also, seen.where])
    assert found.masks == {"farId": FALSE}
    assert seen.masks == {}


def _check_writable(access: Access) -> None:
    """What of an entity may be written at all: a key that the database makes only where a rule names it."""
    written, total = MODEL.entity("Written"), MODEL.entity("Total")
    opening = access.opening(written, USER)
    assert opening is not None
    assert opening.creates == frozenset({"name", "owner", "half", "halfId"})
    assert opening.updates == frozenset({"name", "kind"})
    everything = access.opening(written, ADMIN)
    assert everything is not None
    assert everything.creates == everything.updates == opening.creates | {"id", "kind", "maker"}
    for sight in (USER, ADMIN):
        of_view = access.opening(total, sight)
        assert of_view is not None
        assert (of_view.creates, of_view.updates) == (None, None)
    left = access.opening(MODEL.entity("Left"), USER)
    assert left is not None
    assert (left.creates, left.updates) == (None, None)


def _check_permits(access: Access) -> None:
    """Each rule for writing that the viewer has the claims of; a guard whose claims are not there admits nothing."""
    written = MODEL.entity("Written")
    is_x, is_y, is_z, by_sub, by_kind = (
        access.condition(written, where)
        for where in ({"name": "x"}, {"owner": "y"}, {"name": "z"}, {"owner": "$auth.sub"}, {"owner": "$auth.kind"})
    )
    text = written.columns[1].type
    of_sub, of_kind = Claim(("sub",), text), Claim(("kind",), text)
    checked = Permit(by_sub, is_x, frozenset({"name"}))
    plain = Permit(is_y, is_y, frozenset({"kind"}))
    # What the server fills nobody else writes.
    own = {"kind": (Permit(is_z, is_z),), "maker": ()}
    guards = (Permit(by_kind, by_kind),)
    found = access.permits(written, replace(USER, usable=frozenset({of_sub, of_kind})), Operation.UPDATE)
    assert found == Permits((checked, plain), own, guards)
    assert found.holding(written, "kind") == own["kind"]
    assert found.holding(written, "name") == (checked,)
    assert found.holding(written, "owner") == ()
    guarding = access.guarding(written, USER, Operation.UPDATE)
    assert guarding == Permits((Permit(TRUE, TRUE),), {}, (Permit(FALSE, FALSE),))
    assert access.every_row(written) == Visible(written)
    lacking = access.permits(written, USER, Operation.UPDATE)
    assert lacking == Permits((plain,), own, (Permit(FALSE, FALSE),))
    create = access.permits(written, USER, Operation.CREATE)
    assert create == Permits(
        (Permit(TRUE, TRUE), Permit(TRUE, TRUE, frozenset({"name"}))), {"kind": (), "maker": ()}, ()
    )
    for entity, bound in ((written, ()), (MODEL.entity("Frozen"), (Permit(FALSE, FALSE),))):
        members: list[Any] = [*entity.columns, *entity.relations, *entity.resolvers]
        everything = frozenset(member.name for member in members)
        allowed = (Permit(TRUE, TRUE, everything),)
        assert access.permits(entity, ADMIN, Operation.UPDATE) == Permits(allowed, {}, bound)
        guarding = Permits((Permit(TRUE, TRUE),), {}, bound)
        assert access.guarding(entity, ADMIN, Operation.UPDATE) == guarding
        assert access.every_row(entity) == Visible(entity)
        assert access.permits(entity, ADMIN, Operation.DELETE) == Permits(allowed, {}, ())
    # A key that the database makes is given under a rule that names it.
    named, unnamed = Permit(is_x, is_x, frozenset({"id"})), Permit(is_y, is_y)
    both = Permits((named, unnamed, checked), {}, ())
    assert both.holding(written, "id") == (named,)
    assert both.holding(MODEL.entity("Natural"), "id") == (named, unnamed)


def _check_foreseen(access: Access) -> None:
    """What cannot be known of a row before it is written lets a rule hold; below a negation too."""
    total = MODEL.entity("Left")
    known, no_column = frozenset({"name"}), frozenset[str]()

    def reading(condition: Predicate) -> frozenset[str]:
        return reads(condition, MODEL)

    named, other = access.condition(total, {"name": "x"}), access.condition(total, {"id": "y"})
    asking = access.condition(total, {"exists": {"Soft": {}}})
    of_row = access.condition(total, {"name": "$row.name"})
    foresight = Foresight(known, frozenset({"Right"}), reading)
    for condition, could in (
        (named, named),
        (other, TRUE),
        (of_row, TRUE),
        (asking, asking),
        (Not(named), Not(named)),
        (Not(other), Not(FALSE)),
        (AllOf((named, other)), AllOf((named, TRUE))),
        (AnyOf((named, Not(other))), AnyOf((named, Not(FALSE)))),
        (IsTrue(other), IsTrue(TRUE)),
        (IsTrue(other, negated=True), IsTrue(FALSE, negated=True)),
        (Not(IsTrue(other, negated=True)), Not(IsTrue(TRUE, negated=True))),
        (Not(Not(other)), Not(Not(TRUE))),
        (access.condition(total, {"exists": {"Left": {"id": "$row.name"}}}), TRUE),
        (access.condition(total, {"exists": {"Right": {}}}), TRUE),
    ):
        assert foresight.could(condition) == could
    assert Foresight(known, None, reading).could(asking) == TRUE
    assert Foresight(known, None, reading).could(named) == named
    parts = access.condition(MODEL.entity("Whole"), {"parts": {"some": {"label": "x"}}})
    assert Foresight(known, frozenset(), reading).could(parts) == TRUE
    assert Foresight(no_column, frozenset(), reading).could(named) == TRUE
    owned = MODEL.entity("Owned")
    by_owner = access.condition(owned, {"owner": {"name": "z"}})
    for columns, unsettled, could in (
        ({"ownerId"}, set[str](), by_owner),
        (set[str](), set[str](), TRUE),
        ({"ownerId"}, {"Owner"}, TRUE),
    ):
        assert Foresight(frozenset(columns), frozenset(unsettled), reading).could(by_owner) == could
    labelled = MODEL.entity("Labelled")
    text = labelled.columns[1].type
    sight = replace(USER, usable=frozenset({Claim(("after",), text)}))
    permits = access.permits(labelled, sight, Operation.UPDATE)
    label = frozenset({"label"})

    def foreseen(operation: Operation, known: frozenset[str], changed: frozenset[str]) -> Permits:
        return access.foreseen(labelled, sight, operation, known, changed, frozenset(), reading)

    assert foreseen(Operation.UPDATE, label, label).every == permits.every
    unknown = foreseen(Operation.UPDATE, no_column, label)
    assert [permit.after for permit in unknown.every] == [TRUE]
    # Made once, so that its statement is compiled once.
    assert foreseen(Operation.UPDATE, no_column, label) is unknown
    # Its `check` is another condition than its `where`: it may fail though nothing of it changes.
    assert foreseen(Operation.UPDATE, label, no_column).every == permits.every
    # What is no other condition, and about nothing that changes, goes on to hold.
    same, column = MODEL.entity("Sealing"), frozenset({"owner"})
    for operation, changed, stays in (
        (Operation.UPDATE, no_column, True),
        (Operation.UPDATE, column, False),
        (Operation.CREATE, no_column, False),
    ):
        every = access.foreseen(same, USER, operation, column, changed, frozenset(), reading).every
        kept = access.permits(same, USER, operation).every
        assert [permit.after for permit in every] == [TRUE if stays else permit.after for permit in kept]
    to_many = access.condition(MODEL.entity("Whole"), {"parts": {"some": {"label": "x"}}})
    counted = access.condition(MODEL.entity("Bottom"), {"leftsAggregate": {"count": 0}})
    for condition, names, depends in (
        (named, {"name"}, True),
        (named, {"id"}, False),
        (Not(named), {"name"}, True),
        (of_row, {"id"}, True),
        (by_owner, {"ownerId"}, True),
        (by_owner, {"id"}, False),
        (to_many, {"id"}, True),
        (counted, {"id"}, True),
        (asking, {"id"}, False),
    ):
        assert depends_on(condition, names) is depends


def _check_own(_: Access) -> None:
    """Of the user's own types what leads to hidden entities only is not there, a hidden row may be null."""
    types = [node for node in parse(OWN).definitions if isinstance(node, TypeDefinitionNode)]
    own = OwnTypes(types, {"Bottom"}, {"Half"})
    assert "\n\n".join(map(print_ast, own.types)) == OWN_SHOWN
    fields = [field for node in types if isinstance(node, ObjectTypeDefinitionNode) for field in node.fields or ()]
    assert [field.name.value for field in own.fields(fields)] == ["right", "halves", "several", "one", "id", "half"]


OWN = """
type Shown {
  right: Right!
  halves: [[Half!]!]!
  several: [Half!]
  one: Half
  bottoms: [Bottom!]!
  darker: Darker
  night: Night
}
type Dark { bottom: Bottom! }
type Darker implements Void { dark: [Dark!]  bottom: Bottom }
union Mixed = Right | Bottom | Darker
union Night = Bottom | Dark
interface Base { bottom: Bottom  id: ID }
interface Void { bottom: Bottom }
type Done implements Base & Void { id: ID  bottom: Bottom  half: Half! }
enum Mood { GOOD }
"""
OWN_SHOWN = """type Shown {
  right: Right!
  halves: [[Half]!]!
  several: [Half]
  one: Half
}

union Mixed = Right

interface Base {
  id: ID
}

type Done implements Base {
  id: ID
  half: Half
}

enum Mood {
  GOOD
}"""


def _check_deleted(access: Access) -> None:
    """What is deleted is there for nobody, and on demand for those who hold DELETE on it."""
    soft, left, kept = MODEL.entity("Soft"), MODEL.entity("Left"), MODEL.entity("Kept")
    for sight in (USER, ADMIN):
        assert access.visible(soft, sight).where == unmasked(soft).where != TRUE
        for deleted in ("ONLY", "INCLUDE"):
            assert access.visible(left, sight, deleted) == access.visible(left, sight)
            assert access.visible(soft, sight, deleted).deleted
        assert not access.visible(soft, sight).deleted
    live, gone = (IsNull(soft.columns[1], negated=negated) for negated in (False, True))
    assert [access.visible(soft, ADMIN, deleted).where for deleted in ("INCLUDE", "ONLY")] == [TRUE, gone]
    assert [access.visible(soft, USER, deleted).where for deleted in ("INCLUDE", "ONLY")] == [live, FALSE]
    column = kept.soft_delete
    assert column is not None
    live, gone = (IsNull(column, negated=negated) for negated in (False, True))
    own, other, free, seen = (access.condition(kept, {"owner": name}) for name in ("x", "z", "y", "$auth.sub"))
    every = access.rules.claims(USER.roles)
    given = replace(USER, usable=frozenset(claim for claim in every if claim.path != ("after",)))
    assert access.visible(kept, given).where == AllOf((live, seen))
    # A claim that is named in what must be true after counts for everything that the rule does.
    by_kind = access.condition(kept, {"kind": "x"})
    assert access.visible(kept, replace(USER, usable=every)).where == AllOf((live, AnyOf((seen, by_kind))))
    assert access.visible(kept, given).masks["kind"] == FALSE
    assert access.visible(kept, replace(USER, usable=every)).masks["kind"] == own
    sealed = MODEL.entity("Sealed")
    assert {claim.path for claim in access.rules.claims_of(sealed, sealed.guards[0])} == {("after",)}
    for operation in (Operation.READ, Operation.UPDATE):
        assert access.nameable(sealed, given, operation).where == FALSE
        assert access.nameable(sealed, replace(USER, usable=every), operation).where != FALSE
    deleting = AllOf((free, AnyOf((own, other))))
    assert access.visible(kept, given, "ONLY").where == AllOf((gone, *deleting.items, seen))
    assert access.visible(kept, given, "INCLUDE").where == AllOf((AnyOf((live, deleting)), seen))
    assert access.visible(kept, ADMIN, "ONLY").where == AllOf((gone, free))
    assert access.visible(kept, ADMIN, "INCLUDE").where == AnyOf((live, free))


def _check_links(access: Access) -> None:
    left = MODEL.entity("Left")
    declared, made = left.relation("rights"), left.relation("others")
    assert declared is not None
    assert made is not None
    assert access.across(declared, USER)[1] == access.visible(MODEL.entity("Declared"), USER)
    assert access.across(declared, USER)[1] != unmasked(MODEL.entity("Declared"))
    assert access.across(made, USER)[1] == unmasked(MODEL.entity("Made"))
    some = filter_predicate(access, USER, left, {"rights": {"some": {}}}, "where")
    assert isinstance(some, Exists)
    assert some.link == access.across(declared, USER)[1]
    schema = build_schema(SHOWN, Access(SHOWN).openings(USER))
    (operation,) = parse("{ lefts { rights { id } } }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    (root,) = plan_query(access, schema, operation, {}, {}, USER, Limits()).roots
    assert isinstance(root, RootMany)
    (rights,) = root.read.output
    assert isinstance(rights, Many)
    assert rights.link == access.across(declared, USER)[1]
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
    # And a rule, which then says who sees it; otherwise it is there where both ends are.
    (rule,) = left.allow
    link = replace(MODEL.entity("Made"), allow=(replace(rule, where={"leftId": "x"}),))
    ruled = Access(replace(MODEL, entities={**MODEL.entities, "Made": link}))
    assert ruled.visible(link, USER).where == access.condition(link, {"leftId": "x"})
    link = MODEL.entity("Made")
    ends = [Exists(end, Rows(access.visible(MODEL.entity(end.target), USER))) for end in link.relations]
    assert access.visible(link, USER).where == conjunction(ends)
    # Of an end of which nothing is to be seen there are no links.
    assert access.visible(MODEL.entity("Generated"), USER).where == FALSE


def _check_shown_links(access: Access) -> None:
    """A link is there where both ends are and the lists that it is in are open; it shows the keys that they show."""
    peer, mate = MODEL.entity("Peer"), MODEL.entity("Mate")
    a, c = (access.condition(peer, {"label": label}) for label in "ac")

    def link(name: str) -> Visible:
        return access.visible(MODEL.entity(name), USER)

    def end(name: str, side: str, *where: Predicate) -> Predicate:
        relation = MODEL.entity(name).relation(side)
        assert relation is not None
        rows = access.visible(MODEL.entity(relation.target), USER)
        return Exists(relation, Rows(replace(rows, where=conjunction([*where, rows.where]))))

    assert link("Bond").where == AllOf((end("Bond", "mate"), end("Bond", "peer", c)))
    assert link("Feud").where == AllOf((end("Feud", "mate"), end("Feud", "peer")))
    # The list is of the one end; the other is the row that it leads to.
    assert link("Kinship").where == AllOf((end("Kinship", "peer", c), end("Kinship", "otherPeer")))
    for name in ("Ban", "Veil"):
        assert link(name).where == FALSE
        assert access.opening(MODEL.entity(name), USER) is None
    for name in ("Bond", "Feud"):
        assert link(name).masks == {"peerId": end(name, "peer", a), "mateSeal": FALSE, "mateCode": FALSE}
    opening = access.openings(USER)["Bond"]
    assert opening.fields == {"peerId", "peer", "matePart", "mate"}
    assert opening.conditional == {"peerId"}
    assert not opening.unconditional
    # Each list is open by its own rules, whatever those of the other.
    assert access.openings(USER)["Mate"].fields == {"part", "peers", "bans", "veils"}
    assert access.openings(USER)["Peer"].fields == {"id", "label", "mates", "foes", "kin"}
    # As they are told of an operation that reads them.
    bond, mates = MODEL.entity("Bond"), peer.relation("mates")
    assert mates is not None
    assert to_ones_back(access.model, mates) == ()
    assert many_to_manys_over(access.model, bond) == (mate.relation("peers"), mates)
    every = access.openings(ADMIN)
    assert every["Ban"].fields == {"peerId", "peer", "matePart", "mateSeal", "mateCode", "mate"}
    assert access.visible(MODEL.entity("Ban"), ADMIN) == Visible(MODEL.entity("Ban"))
    assert access.visible(mate, ADMIN).where == TRUE


def _check_across(access: Access) -> None:
    """A to-many holds the rows whose to-one back is open, and links both of whose to-ones are."""
    pole, line, knot = MODEL.entity("Pole"), MODEL.entity("Line"), MODEL.entity("Knot")

    def across(name: str, sight: Sight = USER) -> tuple[Visible, Visible | None]:
        relation = pole.relation(name)
        assert relation is not None
        return access.across(relation, sight)

    def rows(name: str) -> Predicate:
        found, link = across(name)
        assert link is None
        return found.where

    a, b, c = (access.condition(line, {"label": label}) for label in "abc")
    assert access.visible(line, USER).where == AnyOf((a, b))
    assert rows("opened") == AllOf((a, AnyOf((a, b))))
    assert rows("whole") == AnyOf((a, b))
    assert rows("own") == AllOf((c, AnyOf((a, b))))
    assert rows("dark") == FALSE
    assert across("opened")[0].masks == access.visible(line, USER).masks
    given = replace(USER, usable=access.rules.claims(USER.roles))
    claimed = access.condition(line, {"label": "$auth.label"})
    assert across("own", given)[0].where == AllOf((AnyOf((c, claimed)), AnyOf((a, b))))
    for name in ("knots", "loops"):
        assert across(name)[0] == access.visible(line, USER)
    _, link = across("knots")
    assert link is not None
    a, b, c = (access.condition(knot, {"label": label}) for label in "abc")
    assert link.where == AllOf((c, AnyOf((a, b))))
    assert across("loops")[1] == access.visible(MODEL.entity("Loop"), USER)
    assert across("opened", ADMIN) == (access.visible(line, ADMIN), None)
    assert across("knots", ADMIN) == (access.visible(line, ADMIN), access.visible(knot, ADMIN))
    to_one = line.relation("open")
    assert to_one is not None
    opened, loops = pole.relation("opened"), pole.relation("loops")
    assert opened is not None
    assert loops is not None
    assert to_ones_back(access.model, opened) == (to_one,)
    assert to_ones_back(access.model, loops) == tuple(MODEL.entity("Loop").relations[:2])
    assert to_ones_back(access.model, to_one) == ()
    assert access.across(to_one, USER) == (access.visible(pole, USER), None)
    # What can never hold a row is not there.
    shown = {"id", "opened", "whole", "own", "knots", "loops", "roped"}
    assert access.openings(USER)["Pole"].fields == shown
    assert access.openings(ADMIN)["Pole"].fields == {*shown, "dark", "dimmed", "unseen", "blind", "shut"}
    assert "others" in access.openings(USER)["Left"].fields
    # Whoever reads a relation reads it so.
    for name in ("opened", "own"):
        relation = pole.relation(name)
        assert relation is not None
        asked: Tree = {"some": {}} if relation.to_many else {}
        found = filter_predicate(access, USER, pole, {name: asked}, "where")
        assert isinstance(found, Exists)
        assert found.rows.visible == across(name)[0]
    counted = filter_predicate(access, USER, pole, {"openedAggregate": {"count": {"eq": Literal(0)}}}, "where")
    assert isinstance(counted, Aggregated)
    assert counted.rows.visible == across("opened")[0]
    order: Tree = [{"openedAggregate": {"count": Literal("ASC")}}, {"own": {"id": Literal("ASC")}}]
    by_count, by_own, *_ = order_keys(access, USER, pole, order, "orderBy")
    assert isinstance(by_count.value.end, RelatedMeasure)
    assert by_count.value.end.rows.visible == across("opened")[0]
    ((_, own),) = by_own.value.path
    assert own == across("own")[0]


def _check_conditions(access: Access) -> None:
    left = MODEL.entity("Left")
    one = access.condition(left, {"name": {"in": ["x"]}})
    assert access.condition(left, {"name": {"in": "x"}}) == one
    assert access.condition(left, {"or": {"name": {"in": "x"}}}) == one
    x, y = ({"name": "x"}, {"name": "y"})
    both = access.condition(left, x), access.condition(left, y)
    assert access.condition(left, {"and": [x, y]}) == AllOf(both)
    assert access.condition(left, {"or": [x, y]}) == AnyOf(both)
    assert access.condition(left, {"not": x}) == Not(both[0])
    named = replace(left, predicates={"one": x})
    assert access.condition(named, {"is": "one"}) == access.condition(left, x)
    soft = Somewhere(Rows(unmasked(MODEL.entity("Soft"))))
    asked = Somewhere(Rows(unmasked(left), both[0]))
    assert access.condition(left, {"exists": {"Soft": {}}}) == soft
    assert access.condition(left, {"exists": [{"Soft": {}}]}) == soft
    for several in ({"Soft": {}, "Left": x}, [{"Soft": {}}, {"Left": x}]):
        assert access.condition(left, {"exists": several}) == AllOf((soft, asked))
    of_row = access.condition(left, {"exists": {"Right": {"id": "$row.name"}}})
    assert isinstance(of_row, Somewhere)
    assert isinstance(of_row.rows.where, Compare)
    assert of_row.rows.where.operand.source == Ruled(("name",), left)
    sources = (
        ({"at": {"lt": "$now"}}, Now()),
        ({"name": "$row.name"}, Ruled(("name",), left)),
        ({"name": "x"}, Constant("x")),
    )
    for where, source in sources:
        compare = access.condition(left, where)
        assert isinstance(compare, Compare)
        assert compare.operand.source == source
    # A variable among the items of a list is compared by itself.
    claim = Claim(("x",), left._column["name"].type)
    for operator, single, kind in (("in", "eq", AnyOf), ("notIn", "neq", AllOf)):
        found = access.condition(left, {"name": {operator: ["a", "$auth.x", "$row.name"]}})
        assert type(found) is kind
        assert [_compared(item) for item in found.items] == [
            (operator, Constant(["a"])),
            (single, claim),
            (single, Ruled(("name",), left)),
        ]
    assert _compared(access.condition(left, {"name": {"in": ["$auth.x"]}})) == ("eq", claim)
    together = access.condition(left, {"name": {"in": ["$auth.x"], "neq": "b"}})
    assert isinstance(together, AllOf)
    assert _compared(together.items[1]) == ("neq", Constant("b"))
    assert _compared(access.condition(left, {"name": {"in": []}})) == ("in", Constant([]))
    assert _compared(access.condition(MODEL.entity("Addend"), {"count": {"in": 5}})) == ("in", Constant([5]))
    data = access.condition(MODEL.entity("Deep"), {"data": {"eq": ["$auth.x"]}})
    assert _compared(data) == ("eq", Constant(["$auth.x"]))
    assert _compared(access.condition(left, {"at": {"in": ["$now"]}})) == ("eq", Now())
    counts = access.condition(MODEL.entity("Addend"), {"count": {"in": [1, "$auth.n"]}})
    assert isinstance(counts, AnyOf)
    assert _compared(counts.items[0]) == ("in", Constant([1]))
    whole, bottom = MODEL.entity("Whole"), MODEL.entity("Bottom")
    assert isinstance(access.condition(whole, {"parts": {"some": {"label": "x"}}}), Exists)
    lefts = access.condition(bottom, {"lefts": {"some": {}}})
    assert isinstance(lefts, Exists)
    assert lefts.link == unmasked(MODEL.entity("Generated"))


def _compared(condition: Predicate) -> tuple[str, Any]:
    assert isinstance(condition, Compare)
    return condition.operator, condition.operand.source


def _check_aggregated(access: Access) -> None:
    """What a rule says about a to-many is about all its rows, whatever the viewer sees of them."""
    total, addend = MODEL.entity("Sum"), MODEL.entity("Addend")
    found = access.condition(total, total.allow[0].where)
    assert isinstance(found, Aggregated)
    assert found.rows == Rows(unmasked(addend), access.condition(addend, {"label": "x"}))
    measures = [(m.function, m.column and m.column.name, operator) for m, operator, _ in found.conditions]
    assert measures == [("count", None, "gt"), ("max", "label", "eq"), ("max", "count", "eq")]
    assert (found.link, found.mask) == (None, None)
    through = access.condition(MODEL.entity("Bottom"), {"leftsAggregate": {"count": 0}})
    assert isinstance(through, Aggregated)
    assert through.link == unmasked(MODEL.entity("Generated"))
    # What a client says is about what it sees.
    asked: dict[str, Tree] = {"count": {"eq": Literal(0)}}
    for name, to_many in (("Sum", "addends"), ("Bottom", "lefts"), ("Left", "rights")):
        relation = MODEL.entity(name).relation(to_many)
        assert relation is not None
        seen, link = access.across(relation, USER)
        filtered = filter_predicate(access, USER, MODEL.entity(name), {f"{to_many}Aggregate": asked}, "where")
        assert isinstance(filtered, Aggregated)
        mask = access.visible(MODEL.entity(name), USER).masks.get(to_many)
        assert (filtered.rows.visible, filtered.link, filtered.mask) == (seen, link, mask)
        order: Tree = [{f"{to_many}Aggregate": {"count": Literal("ASC")}}]
        value = order_keys(access, USER, MODEL.entity(name), order, "orderBy")[0].value
        end = value.end
        assert value.masks == (mask,)
        assert isinstance(end, RelatedMeasure)
        assert (end.rows.visible, end.link) == (seen, link)
    # So is a measure of a field that is masked.
    top = MODEL.entity("Top")
    largest: Tree = [{"middlesAggregate": {"max": {"id": Literal("ASC")}}}]
    end = order_keys(access, USER, top, largest, "orderBy")[0].value.end
    assert isinstance(end, RelatedMeasure)
    assert end.measure.mask == FALSE


def _check_orders(access: Access) -> None:
    """The primary key is the last key, once, as it is seen; where not all of it is, a digest of it comes after."""
    vote = MODEL.entity("Vote")
    own = access.condition(vote, {"owner": "$auth.sub"})
    voter = replace(USER, usable=access.rules.claims(USER.roles))
    # By name, each with its mask.
    orders: tuple[tuple[str, Tree, list[tuple[str | None, Predicate | None]]], ...] = (
        ("Left", None, [("id", None)]),
        ("Left", {"id": Literal("ASC")}, [("id", None)]),
        ("Left", {"name": Literal("ASC")}, [("name", None), ("id", None)]),
        ("Middle", None, [(None, None)]),
        ("Middle", {"id": Literal("ASC")}, [("id", FALSE), (None, None)]),
        ("Vote", None, [("poll", None), ("voter", own), (None, None)]),
        ("Vote", {"voter": Literal("ASC")}, [("voter", own), ("poll", None), (None, None)]),
        ("Waxed", None, [("part", None), (None, None)]),
        ("Total", None, []),
    )
    for name, asked, expected in orders:
        entity = MODEL.entity(name)
        keys = order_keys(access, voter, entity, None if asked is None else [asked], "orderBy")
        found = [(getattr(key.value.end, "name", None), *key.value.masks) for key in keys]
        assert found == expected, (name, asked)
        assert not any(key.value.path or key.descending for key in keys)
        digests = [key.value.end for key in keys if isinstance(key.value.end, KeyDigest)]
        assert digests == [KeyDigest(entity)] * (expected[-1:] == [(None, None)])
    left = MODEL.entity("Left")
    others_id: Tree = [{"secret": {"id": Literal("ASC")}}]
    keys = order_keys(access, USER, left, others_id, "orderBy")
    assert [(len(key.value.path), key.value.masks) for key in keys] == [(1, (None, None)), (0, (None,))]
    # An admin has no masks, and what is in no API breaks no ties.
    assert [key.value.masks for key in order_keys(access, ADMIN, vote, None, "orderBy")] == [(None,), (None,)]
    sealed = order_keys(access, ADMIN, MODEL.entity("Waxed"), None, "orderBy")
    assert [type(key.value.end) for key in sealed] == [Column, KeyDigest]

    # What leads there is masked, and so is what is there.
    middle, top = MODEL.entity("Middle"), MODEL.entity("Top")
    asked_for: Tree = [{"top": {"id": Literal("ASC")}}]
    value = order_keys(access, USER, middle, asked_for, "orderBy")[0].value
    assert value.path == ((middle.relation("top"), access.visible(top, USER)),)
    assert value.masks == (FALSE, FALSE)


def _check_filters(access: Access) -> None:
    """What a client filters by is masked: columns, what JSON holds, to-ones, measures, what is searched."""
    deep, middle, top = (MODEL.entity(name) for name in ("Deep", "Middle", "Top"))
    name, data = deep.column("name"), deep.column("data")
    assert name is not None
    assert data is not None
    x = Literal("x")
    assert filter_predicate(access, USER, deep, {"name": {"eq": x}}, "where") == comparison(
        name, "eq", x, "where.name.eq", FALSE
    )
    path = Literal(["a"])
    assert filter_predicate(access, USER, deep, {"data": {"path": [{"at": path, "eq": x}]}}, "where") == at_path(
        data, path, "eq", x, "where.data.path.0", FALSE
    )
    searched = search_predicate(access, USER, deep, x)
    assert isinstance(searched, Search)
    assert [(part.column, mask) for part, mask in searched.parts] == [("name", FALSE)]
    through = filter_predicate(access, USER, middle, {"top": {"id": {"eq": x}}}, "where")
    assert isinstance(through, Exists)
    assert (through.rows.visible, through.mask) == (access.visible(top, USER), FALSE)
    largest = filter_predicate(access, USER, top, {"middlesAggregate": {"max": {"size": {"gt": Literal(1)}}}}, "where")
    assert isinstance(largest, Aggregated)
    ((measure, _, _),) = largest.conditions
    assert measure.mask == FALSE


def _check_usable(_: Access) -> None:
    """Null, of another type, empty or with something empty in it, a list for one value: a claim that is not there."""
    text, number = ValueType("String", "text"), ValueType("Int", "integer")
    mood = ValueType("Mood", "text", is_enum=True)
    texts = replace(text, is_list=True)
    refused: dict[ValueType, list[Any]] = {
        text: [None, "", [], ["x"], 1, True, {}, "a\0b", "\ud800"],
        texts: [None, "", [], [None], ["x", None], [""], ["x", ""], [[]], 1, {}, ["a\0b"]],
        number: [None, "", "x", "1x", " 1", "1_0", "\u0663", "07", "00", "-0", "+1", 2**31, str(2**31), True, 1.5, [1]],
        replace(number, is_list=True): [["1", "07"], "07", ["\u0663"]],
        ValueType("BigInt", "bigint"): ["", "\u0663", "07", "-0", "+1", " 1", "1_0", str(2**63)],
        ValueType("ID", "bigint"): ["", "\u0663", "07", "-0", "+1", " 1", "1_0", str(2**63)],
        ValueType("Decimal", "numeric"): [
            "",
            "\u0663",
            "07",
            "1_0",
            " 1",
            "+1",
            "1e3",
            "1.",
            ".5",
            "nan",
            "-0",
            "-0.0",
        ],
        mood: [None, 1, ["x"], {}],
        ValueType("JSON", "jsonb"): [None, "", {}, [], [1], {"a": {}}, {"a": [1, ""]}, {"a": {"b": None}}],
    }
    taken: list[tuple[ValueType, Any, Any]] = [
        *((text, "x", "x"), (text, "07", "07"), (text, " ", " "), (texts, "x", ["x"]), (texts, ["x", "y"], ["x", "y"])),
        *((number, "-7", -7), (number, 7, 7), (number, "0", 0), (number, 0, 0), (mood, "x", "x")),
        (ValueType("BigInt", "bigint"), "-70", -70),
        (ValueType("ID", "bigint"), "70", 70),
        *((ValueType("Decimal", "numeric"), text, Decimal(text)) for text in ("-70.50", "0.0", "-0.05", "7")),
        (ValueType("Boolean", "boolean"), False, False),
        (ValueType("JSON", "jsonb"), {"a": [0, False]}, '{"a": [0, false]}'),
    ]
    for type_, value, found in taken:
        claim = Claim(("a", "b"), type_)
        assert usable_claims([claim], {"a": {"b": value}}) == {claim: found}
    for type_, values in refused.items():
        for value in values:
            assert usable_claims([Claim(("a", "b"), type_)], {"a": {"b": value}}) == {}, (type_, value)
    assert usable_claims([Claim(("a", "b"), text)], {"a": "x"}) == {}
    for form, found in (("prefix", "\\%%"), ("suffix", "%\\%"), ("infix", "%\\%%"), ("pattern", "%")):
        claim = Claim(("a",), text, form)
        assert usable_claims([claim], {"a": "%"}) == {claim: found}
    assert usable_claims([Claim(("a",), text, "pattern")], {"a": "\\"}) == {}


def _check_keys(_: Access) -> None:
    """A key that a resolver gives is an integer, or a text of one in ASCII digits."""
    number = ValueType("Int", "integer")
    assert [key_value(key, number, "id") for key in (7, "7", "-7")] == [7, 7, -7]
    for key in ("", "x", "1x", "\u0663", " 1", "1_0", "1" * 11):
        with pytest.raises(GraphQLError):
            key_value(key, number, "id")


def _check_implied(_: Access) -> None:
    test_implied.check_all()


def _check_row_arguments(_: Access) -> None:
    nothing: Any = None
    assert _keys([None], RowArgument("id", "Left", Operation.READ), MODEL, nothing) == []


def _check_schemas(access: Access) -> None:
    shown = Access(SHOWN)
    for openings in (None, shown.openings(USER), shown.openings(ADMIN)):
        schema = print_schema(build_schema(SHOWN, openings))
        assert "number: Int" in schema
        assert "secret" not in schema
        assert "soft: Soft\n" in schema
        # A row may be deleted, for an admin too.
        assert "): [Soft]!" in schema
        assert "rightsOf(ids: [ID!]!): [Right!]!" in schema
        assert "shout: String!" in schema
        assert "total:" not in schema
        # The field may be hidden where the row that it leads to is not.
        everything = openings != shown.openings(USER)
        assert ("wing: Right!" in schema) is everything
        assert ("hum: String!" in schema) is everything
        assert "murmur: String\n" in schema
        assert ("whisper" in schema) is everything
    opened = {custom.name for custom in access.custom_fields(USER)}
    assert opened == {"open", "ofRow", "ofWritable", "ofFrozen", "softsOf", "rightsOf"}
    assert {custom.name for custom in access.custom_fields(ADMIN)} == {*opened, "closed"}


PARTS: tuple[Callable[[Access], None], ...] = (
    _check_openings,
    _check_claims,
    _check_guards,
    _check_held,
    _check_exports,
    _check_writable,
    _check_permits,
    _check_foreseen,
    _check_own,
    _check_deleted,
    _check_links,
    _check_shown_links,
    _check_across,
    _check_implied,
    _check_conditions,
    _check_aggregated,
    _check_orders,
    _check_filters,
    _check_usable,
    _check_keys,
    _check_row_arguments,
    _check_schemas,
)


def check() -> None:
    """Raise AssertionError if a corner is not as it must be."""
    for part in PARTS:
        part(Access(MODEL))


class Proof:
    """The corners that come to the code of each mutant. One that notices a mutant is tried first for the next."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self._parts = list(PARTS)
        self._reaching: dict[Mutant, set[Callable[[Access], None]]] = {mutant: set() for mutant in mutants}
        with reached(mutants) as probe:
            for part in PARTS:
                part(Access(MODEL))
                for mutant in probe.take():
                    self._reaching[mutant].add(part)

    def check_mutant(self, mutant: Mutant) -> None:
        """Raise AssertionError, or whatever, if a corner notices the mutant."""
        with mutant.in_place():
            for part in [part for part in self._parts if part in self._reaching[mutant]]:
                try:
                    part(Access(MODEL))
                except BaseException:
                    self._parts.remove(part)
                    self._parts.insert(0, part)
                    raise
