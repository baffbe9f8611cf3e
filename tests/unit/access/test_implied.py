"""What need not be asked again of a row that was reached from a visible one, and all that must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest
from graphql import Source

from clew.access.conditions import unmasked
from clew.access.implied import linked, reached
from clew.access.predicates import FALSE, conjunction
from clew.access.sight import Sight
from clew.access.types import TRUE, AllOf, Exists, Not, Predicate, Rows, Visible
from clew.access.visible import Access
from clew.model.build import parse_model
from clew.model.types import Entity, Model

OWN = '{owner: "$auth.sub"}'
TEAM = '{team: "$auth.team"}'

SDL = """
type Doc @table @is(name: "own", where: {owner: "$auth.sub"}) %(doc)s {
  id: ID! @id
  key: String! @unique
  owner: String
  team: String
  size: Int
  data: JSON
  deletedAt: DateTime %(deleted)s
  notes: [Note!]! @relation(from: doc)
  copies: [Note!]! @relation(from: copy)
  cover: Cover @relation(from: doc)
  parent: Doc
  children: [Doc!]! @relation(from: parent)
  tags: [Tag!]! @relation(through: "Tagged")
  shelf: Shelf
}
type Note @table %(note)s { id: ID! @id  text: String  owner: String  doc: Doc!  copy: Doc }
type Cover @table %(cover)s { id: ID! @id  text: String  doc: Doc! @unique }
type Tag @table %(tag)s { id: ID! @id  name: String  owner: String  docs: [Doc!]! @relation(through: "Tagged") }
type Tagged @table %(tagged)s { doc: Doc! @id  tag: Tag! @id  by: String }
type Shelf @view(sql: "SELECT 1 AS id, 'x' AS owner") %(shelf)s {
  id: ID! @id
  owner: String
  docs: [Doc!]! @relation(from: shelf)
}
"""


def model_of(*, deletes: bool, **rules: str) -> Model:
    """Each `where` in a type's rules is separated from the next one by `|`; `deletes`: documents are kept,
    and the rules are for DELETE too."""
    to = ", to: [READ, DELETE]" if deletes else ""
    texts = {
        name: " ".join(f"@allow(role: user{to}, where: {where})" for where in rules.get(name, '{id: "1"}').split("|"))
        for name in ("doc", "note", "cover", "tag", "shelf")
    }
    texts["tagged"] = " ".join(
        f"@allow(role: user, where: {where})" for where in rules.get("tagged", '{by: "x"}').split("|")
    )
    texts["deleted"] = "@softDelete" if deletes else ""
    return _parsed(SDL % texts)


@cache
def _parsed(sdl: str) -> Model:
    return parse_model(Source(sdl, "test.graphql"))


class World:
    """The rules, and what a user with every claim sees under them."""

    def __init__(self, *, deletes: bool = False, **rules: str) -> None:
        self.model = model_of(deletes=deletes, **rules)
        self.access = Access(self.model)
        user = frozenset({"user"})
        self.sight = Sight(False, user, self.access.rules.claims(user))

    def entity(self, name: str) -> Entity:
        return self.model.entity(name)

    def visible(self, name: str, deleted: str | None = None) -> Visible:
        return self.access.visible(self.entity(name), self.sight, deleted)

    def left(self, path: str, deleted: str | None = None) -> Predicate:
        """What is asked of the rows at the other end of a relation, `Doc.notes`; `deleted` is about the near ones."""
        near, name = path.split(".")
        relation = self.entity(near).relation(name)
        assert relation is not None
        return reached(relation, self.visible(near, deleted), self.visible(relation.target)).where

    def left_of_link(self, far_deleted: str | None = None, near_deleted: str | None = None) -> Predicate:
        """What is asked of the links from a document to its tags."""
        relation = self.entity("Doc").relation("tags")
        assert relation is not None
        _, link = self.access.across(relation, self.sight)
        assert link is not None
        return linked(relation, self.visible("Doc", near_deleted), self.visible("Tag", far_deleted), link).where

    def condition(self, name: str, where: Mapping[str, object]) -> Predicate:
        return self.access.condition(self.entity(name), where)


SUB = {"owner": "$auth.sub"}


def check_what_follows() -> None:
    """Conditions that follow are left out."""
    notes = World(doc=OWN, note='{doc: {owner: "$auth.sub"}}')
    assert notes.left("Doc.notes") == TRUE
    assert notes.left("Note.doc") == TRUE
    # By name, in a conjunction, and as one of several rules.
    assert World(doc=OWN, note='{doc: {is: "own"}}').left("Doc.notes") == TRUE
    both = World(doc='{owner: "$auth.sub", size: 1}', note='{doc: {size: 1, owner: "$auth.sub"}, text: "x"}')
    assert both.left("Doc.notes") == both.condition("Note", {"text": "x"})
    assert World(doc=OWN, note='{text: "x"} | {doc: {owner: "$auth.sub"}}').left("Doc.notes") == TRUE
    assert (
        World(doc=OWN, note='{or: [{and: [{doc: {is: "own"}}]}, {text: "x"}], doc: {is: "own"}}').left("Doc.notes")
        == TRUE
    )
    # Whatever alternative shows the near row.
    rules = f"{{doc: {OWN}}} | {{doc: {TEAM}}}"
    assert World(doc=f"{OWN} | {TEAM}", note=rules).left("Doc.notes") == TRUE
    assert World(doc=f"{OWN} | {TEAM}", note=f"{{doc: {{or: [{OWN}, {TEAM}]}}}}").left("Doc.notes") == TRUE
    either = f"{{or: [{OWN}, {TEAM}]}}"
    assert World(doc=either, note=f"{{doc: {either}}}").left("Note.doc") == TRUE
    # Of the one at the other end of a key, and of who a key leads to.
    assert World(doc=OWN, cover=f"{{doc: {OWN}}}").left("Doc.cover") == TRUE
    assert World(doc=f"{{parent: {OWN}}} | {OWN}", note='{text: "x"}').left("Doc.parent") != TRUE
    # Conditions of several steps.
    deep = World(doc=f"{{parent: {OWN}}}", note=f"{{doc: {{parent: {OWN}}}}}")
    assert deep.left("Doc.notes") == TRUE
    for quantifier in ("some", "none", "every"):
        many = f'{{tags: {{{quantifier}: {{name: "x"}}}}}}'
        assert World(doc=many, note=f"{{doc: {many}}}").left("Doc.notes") == TRUE
    count = "{notesAggregate: {count: {gt: 1}}}"
    assert World(doc=count, note=f"{{doc: {count}}}").left("Doc.notes") == TRUE
    for where in ('{not: {owner: "$auth.sub"}}', "{owner: {isNull: true}}"):
        assert World(doc=where, note=f"{{doc: {where}}}").left("Doc.notes") == TRUE


def check_what_follows_anywhere() -> None:
    """What is about no row is true of each, once it is of one."""
    tag = '{exists: {Tag: {name: "x", owner: "$auth.sub"}}}'
    for where in (tag, f"{{not: {tag}}}"):
        for path in ("Doc.notes", "Doc.copies", "Note.doc"):
            assert World(doc=where, note=where).left(path) == TRUE
        assert World(doc=where, tagged=where).left_of_link() == TRUE
        assert World(tag=where, tagged=where).left_of_link() == TRUE
    both = World(doc=f"{{size: 1, and: [{tag}]}}", note=f'{{text: "x", and: [{tag}]}}')
    assert both.left("Doc.notes") == both.condition("Note", {"text": "x"})
    # A row that was reached is one that is asked about.
    assert World(doc=OWN, note=f"{{exists: {{Doc: {OWN}}}}}").left("Doc.notes") == TRUE
    assert World(doc=OWN, note="{exists: {Doc: {}}}").left("Doc.notes") == TRUE
    assert World(tag=OWN, tagged=f"{{exists: {{Tag: {OWN}}}}}").left_of_link() == TRUE
    # A view does not have a row for sure, but says the same wherever it is asked.
    shelf = f"{{exists: {{Shelf: {OWN}}}}}"
    assert World(shelf=shelf, doc=shelf).left("Shelf.docs") == TRUE
    ruled = '{exists: {Tag: {name: "$row.owner"}}}'
    for doc, note in (
        (tag, '{exists: {Tag: {name: "x"}}}'),
        (tag, f"{{not: {tag}}}"),
        (f"{{not: {tag}}}", tag),
        (f"{tag} | {OWN}", tag),
        (f"{{or: [{tag}, {OWN}]}}", tag),
        # `$row` is another row in the rules of each.
        (ruled, ruled),
        (f"{{not: {ruled}}}", f"{{not: {ruled}}}"),
        # There is such a row: it is not true that there is none.
        (OWN, f"{{not: {{exists: {{Doc: {OWN}}}}}}}"),
        (OWN, f"{{exists: {{Tag: {OWN}}}}}"),
        (OWN, "{exists: {Tag: {}}}"),
        (OWN, '{exists: {Doc: {owner: "$auth.sub", size: 1}}}'),
        ('{owner: "$row.team"}', '{exists: {Doc: {owner: "$row.owner"}}}'),
    ):
        world = World(doc=doc, note=note)
        assert world.left("Doc.notes") == world.visible("Note").where, (doc, note)
    for where in (ruled, f"{{not: {ruled}}}"):
        world = World(doc=where)
        for path in ("Doc.parent", "Doc.children"):
            assert world.left(path) == world.visible("Doc").where
    world = World(shelf=OWN, doc=shelf)
    assert world.left("Shelf.docs") == world.visible("Doc").where
    # Deleted rows count for nothing, and a list may be asked for them.
    world = World(deletes=True, doc=OWN, note=f"{{exists: {{Doc: {OWN}}}}}")
    assert world.left("Doc.notes") == TRUE
    assert world.left("Doc.notes", "INCLUDE") == world.visible("Note").where


def check_what_does_not_follow() -> None:
    """Whatever is not said of the very same row stays."""
    for world, path in (
        (World(doc=OWN, note=f"{{doc: {TEAM}}}"), "Doc.notes"),
        (World(doc=OWN, note=f"{{doc: {TEAM}}}"), "Note.doc"),
        # Another document than the one that it was reached from.
        (World(doc=OWN, note=f"{{copy: {OWN}}}"), "Doc.notes"),
        (World(doc=OWN, note=f"{{copy: {OWN}}}"), "Note.doc"),
        (World(doc=OWN, note=f"{{doc: {OWN}}}"), "Doc.copies"),
        # The condition is on the row itself.
        (World(doc=OWN, note=OWN), "Doc.notes"),
        (World(doc=OWN, note=OWN), "Note.doc"),
        # It stands under another condition.
        (World(doc=OWN, note=f"{{not: {{doc: {OWN}}}}}"), "Doc.notes"),
        (World(doc=OWN, note=f"{{not: {{doc: {OWN}}}}}"), "Note.doc"),
        # One rule of several shows the near row, and another one the far row.
        (World(doc=f"{OWN} | {TEAM}", note=f"{{doc: {OWN}}}"), "Doc.notes"),
        (World(doc=f"{OWN}", note=f'{{doc: {OWN}}} | {{text: "x"}}'), "Note.doc"),
        (World(doc=f"{OWN} | {TEAM}", note='{doc: {owner: "$auth.sub", team: "$auth.team"}}'), "Doc.notes"),
        # To Python these are equal.
        (World(doc="{data: {contains: {a: 1}}}", note="{doc: {data: {contains: {a: true}}}}"), "Doc.notes"),
        (World(doc="{data: {eq: 0}}", note="{doc: {data: {eq: false}}}"), "Note.doc"),
        # `$row` is another row in the rules of each.
        (World(doc='{owner: {eq: "$row.team"}, parent: {owner: {eq: "$row.team"}}}'), "Doc.children"),
        (World(doc='{owner: {eq: "$row.team"}, parent: {owner: {eq: "$row.team"}}}'), "Doc.parent"),
        (World(doc='{not: {owner: {eq: "$row.team"}}, parent: {not: {owner: {eq: "$row.team"}}}}'), "Doc.children"),
        (
            World(
                doc='{or: [{owner: {eq: "$row.team"}}, {size: 1}], '
                'parent: {or: [{owner: {eq: "$row.team"}}, {size: 1}]}}'
            ),
            "Doc.children",
        ),
        (
            World(doc='{notes: {some: {text: "$row.team"}}, parent: {notes: {some: {text: "$row.team"}}}}'),
            "Doc.children",
        ),
        (
            World(
                doc='{notesAggregate: {count: {gt: "$row.size"}}, parent: {notesAggregate: {count: {gt: "$row.size"}}}}'
            ),
            "Doc.children",
        ),
        (
            World(
                doc='{notesAggregate: {count: {gt: 1}, where: {text: "$row.team"}}, '
                'parent: {notesAggregate: {count: {gt: 1}, where: {text: "$row.team"}}}}'
            ),
            "Doc.children",
        ),
        # A view is made anew wherever it is read, and may hold a key twice.
        (World(shelf=OWN, doc=f"{{shelf: {OWN}}}"), "Shelf.docs"),
        (World(shelf=OWN, doc=f"{{shelf: {OWN}}}"), "Doc.shelf"),
    ):
        near, name = path.split(".")
        relation = world.entity(near).relation(name)
        assert relation is not None
        assert world.left(path) == world.visible(relation.target).where, path
    # Rules see no deleted row, and a list may be asked for them.
    notes = World(deletes=True, doc=OWN, note=f"{{doc: {OWN}}}")
    assert notes.left("Doc.notes") == TRUE
    assert notes.left("Note.doc") == TRUE
    for deleted in ("INCLUDE", "ONLY"):
        assert notes.left("Doc.notes", deleted) == notes.visible("Note").where


def check_links() -> None:
    """The links of a many-to-many are asked about neither end if both are seen to."""
    assert World(doc=OWN, tagged=f"{{doc: {OWN}}}").left_of_link() == TRUE
    assert World(tag=OWN, tagged=f"{{tag: {OWN}}}").left_of_link() == TRUE
    assert World(doc=OWN, tag=OWN, tagged=f"{{doc: {OWN}, tag: {OWN}}}").left_of_link() == TRUE
    rest = World(doc=OWN, tagged=f'{{doc: {OWN}, by: "x"}}')
    assert rest.left_of_link() == rest.condition("Tagged", {"by": "x"})
    for world in (
        World(doc=OWN, tagged=f"{{tag: {OWN}}}"),
        World(tag=OWN, tagged=f"{{doc: {OWN}}}"),
        World(doc=OWN, tag=OWN, tagged='{by: "$auth.sub"}'),
    ):
        assert world.left_of_link() == world.visible("Tagged").where
    world = World(deletes=True, doc=OWN, tagged=f"{{doc: {OWN}}}")
    assert world.left_of_link() == TRUE
    assert world.left_of_link(near_deleted="INCLUDE") == world.visible("Tagged").where
    # The far rows of a many-to-many are joined to the near one by the link alone.
    world = World(doc=OWN, tag=f"{{docs: {{some: {OWN}}}}}")
    assert world.left("Doc.tags") == world.visible("Tag").where


def check_made_up() -> None:
    """No rule is like these."""
    world = World(doc=OWN, note=f"{{doc: {OWN}}}")
    note, doc = world.entity("Note"), world.entity("Doc")
    notes, to_doc = doc.relation("notes"), note.relation("doc")
    assert notes is not None
    assert to_doc is not None
    near, own = world.visible("Doc"), world.condition("Doc", SUB)
    exists = Exists(to_doc, Rows(unmasked(doc), own))
    assert reached(notes, near, Visible(note, exists)).where == TRUE
    hidden = Visible(note, replace(exists, mask=FALSE))
    by_link = Visible(note, replace(exists, link=unmasked(note)))
    nowhere = Visible(note, replace(exists, relation=replace(to_doc, on=())))
    elsewhere = Visible(note, Exists(replace(to_doc, target="Tag"), Rows(unmasked(world.entity("Tag")))))
    assert reached(notes, near, elsewhere) == elsewhere
    for far in (hidden, by_link, nowhere):
        assert reached(notes, near, far) == far
        assert reached(to_doc, far, near) == near
    # Masks and the largest page stay.
    far = Visible(note, conjunction([exists, Not(own)]), 7, {"text": own})
    assert reached(notes, near, far) == Visible(note, Not(own), 7, {"text": own})
    # Where nothing is visible nothing follows.
    far = Visible(note, exists)
    assert reached(notes, Visible(doc, FALSE), far) == far
    assert reached(notes, Visible(doc, AllOf(())), far) == far
    # Of a key that is not the whole primary one.
    by_owner = replace(to_doc, on=(("owner", "owner"),))
    told = Visible(note, replace(exists, relation=by_owner))
    assert reached(by_owner, told, near) == near


CHECKS = (check_what_follows, check_what_follows_anywhere, check_what_does_not_follow, check_links, check_made_up)


@pytest.mark.parametrize("check", CHECKS)
def test_conditions_are_left_out_where_they_follow_and_nowhere_else(check: Callable[[], None]) -> None:
    check()


def check_all() -> None:
    """Every check; of changed code one of them fails."""
    for check in CHECKS:
        check()
