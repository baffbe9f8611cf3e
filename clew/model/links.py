"""Link entities that `@relation(through:)` names and no SDL type declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import Node

from clew.model import names
from clew.model.keys import Keys
from clew.model.scope import EntityType, Scope
from clew.model.types import Column, Entity, OnDelete, Relation, RelationKind, Through
from clew.sdl import directives as d
from clew.sdl.document import Field, FieldKind
from clew.sdl.report import location_of


@dataclass(frozen=True, slots=True)
class Link:
    """A link to generate: its two ends, the names of its to-ones to them, and the place where a field asks for it."""

    name: str
    ends: tuple[EntityType, EntityType]
    sides: tuple[str, str]
    node: Node


@dataclass
class Links:
    """Collects the links and makes their entities."""

    scope: Scope
    keys: Keys
    found: dict[str, Link] = field(default_factory=dict)

    def through(self, entity: EntityType, field_: Field, target: EntityType, name: str, node: Node) -> Through | None:
        """Return the link `name` as seen from `entity`; None after a fault."""
        report = self.scope.report
        if not name.isidentifier() or not name.isascii() or name.startswith("__"):
            report.error(node, f'"{name}" is not a name for a type', "such as PostTag")
            return None
        # Sort the ends by name, so that the table does not change with the order of the files.
        ends = (entity, target) if entity.name <= target.name else (target, entity)
        link = self.found.setdefault(name, Link(name, ends, _sides(ends, name), node))
        if {end.name for end in link.ends} != {entity.name, target.name}:
            others = " and ".join(end.name for end in link.ends)
            message = f'"{name}" links {others} already'
            report.error(node, message, f"use another name, such as {entity.name}{target.name}")
            return None
        near = self._near(entity, field_, link)
        if near is None:
            return None
        if any(not self.keys.of(end.name) for end in link.ends):
            for end in link.ends:
                if end.is_view and not self.keys.of(end.name):
                    report.error(node, f'"{end.name}" is a view without @id: nothing can link it')
            return None
        here, there = link.sides[near], link.sides[1 - near]
        return Through(name, _pairs(self.keys, entity, here, True), _pairs(self.keys, target, there, False))

    def _near(self, entity: EntityType, field_: Field, link: Link) -> int | None:
        """Return which end of a link a field stands at; report it if that cannot be told."""
        report = self.scope.report
        is_self = link.ends[0].name == link.ends[1].name
        directive = field_.first(d.Relation)
        assert directive is not None
        if directive.from_ is None:
            if is_self and is_undirected(entity, link.name, directive):
                report.error(directive.given["through"], *undirected(entity, link.name, ["source", "target"]))
                return None
            return 0 if is_self or link.ends[0].name == entity.name else 1
        wanted, node = directive.from_, directive.given["from"]
        if not wanted.isidentifier() or not wanted.isascii() or wanted.startswith("__"):
            report.error(node, f'"{wanted}" is not a name for a field', "such as source")
            return None
        known = [side for side, end in zip(link.sides, link.ends, strict=True) if end.name == entity.name]
        if wanted not in known:
            message = f'"{link.name}" has no to-one relation "{wanted}" to "{entity.name}"'
            report.error(node, message, f"its to-one relations to {entity.name} are: {', '.join(known)}")
            return None
        return link.sides.index(wanted)

    def entities(self) -> list[Entity]:
        """Return the generated entities, by name."""
        return [self._entity(link) for _, link in sorted(self.found.items()) if self._has_keys(link)]

    def _has_keys(self, link: Link) -> bool:
        return all(self.keys.of(end.name) for end in link.ends)

    def _entity(self, link: Link) -> Entity:
        columns: list[Column] = []
        relations: list[Relation] = []
        location = location_of(link.node)
        for side, end in zip(link.sides, link.ends, strict=True):
            key = self.keys.of(end.name)
            key_columns = [
                Column(
                    name=names.key_field(side, part.name),
                    column=names.key_column(side, part.column),
                    type=part.type,
                    nullable=False,
                    relation=side,
                    location=location,
                )
                for part in key
            ]
            columns += key_columns
            relations.append(
                Relation(
                    name=side,
                    target=end.name,
                    kind=RelationKind.TO_ONE,
                    nullable=False,
                    on=tuple((column.column, part.column) for column, part in zip(key_columns, key, strict=True)),
                    key=tuple(column.name for column in key_columns),
                    on_delete=OnDelete.CASCADE,
                    location=location,
                )
            )
        fields: list[str] = []
        for relation in relations:
            fields += [*relation.key, relation.name]
        return Entity(
            name=link.name,
            table=names.table_name(link.name),
            schema=link.ends[0].schema,
            single=names.single_field(link.name),
            plural=names.plural_field(link.name),
            # What is read through a link is at one of its ends, too.
            without=frozenset({"LIVE"}).intersection(link.ends[0].without | link.ends[1].without),
            columns=tuple(columns),
            relations=tuple(relations),
            fields=tuple(fields),
            primary_key=tuple(column.name for column in columns),
            generated_link=True,
            location=location,
        )


def is_undirected(entity: EntityType, name: str, directive: d.Relation) -> bool:
    """Return whether a many-to-many to the entity itself is the last one without `from`, beside others over the link.

    One alone needs none. Of several faults the last is enough.
    """
    found = _self_links(entity, name)
    return len(found) > 1 and directive is [relation for relation in found if relation.from_ is None][-1]


def _self_links(entity: EntityType, name: str) -> list[d.Relation]:
    """Return the directives of an entity's many-to-manys to itself over the link `name`."""
    fields = (field_ for field_ in entity.type.fields.values() if field_.type.name == entity.name)
    found = (field_.first(d.Relation) for field_ in fields if entity.kinds[field_.name] is FieldKind.MANY_TO_MANY)
    return [relation for relation in found if relation is not None and relation.through == name]


def undirected(entity: EntityType, name: str, sides: Sequence[str]) -> tuple[str, str]:
    """Return the message and hint for one of several many-to-manys to the entity itself that has no `from`."""
    message = f'"{name}" is used by several fields of "{entity.name}": which end is which cannot be told'
    ways = " or ".join(f"@relation(through: {name}, from: {side})" for side in sides)
    return message, f"say which end stands for this row: {ways}"


def _sides(ends: tuple[EntityType, EntityType], name: str) -> tuple[str, str]:
    """Return the names of a generated link's relations, in the order of its columns.

    They are `post` and `tag`; if both ends are one type, those that `from` names, else `user` and `otherUser`.
    """
    first, second = (end.single for end in ends)
    if first != second:
        return first, second
    other = f"other{names.capitalised(second)}"
    named = sorted({relation.from_ for relation in _self_links(ends[0], name) if relation.from_ is not None})
    if len(named) == 1:
        return (first, other) if named[0] == other else (named[0], other)
    # A third one is a fault, which is reported where it stands.
    return (named[0], named[1]) if named else (first, other)


def _pairs(keys: Keys, end: EntityType, side: str, is_local: bool) -> tuple[tuple[str, str], ...]:
    pairs = ((part.column, names.key_column(side, part.column)) for part in keys.of(end.name))
    return tuple(pairs if is_local else ((link, own) for own, link in pairs))
