"""Relations: a to-one holds a key; every other kind is derived from the to-one on the other side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clew.model.access import allow_rules
from clew.model.keys import KeyColumn, Keys
from clew.model.links import Links, is_undirected, undirected
from clew.model.names import capitalised, key_field
from clew.model.scope import EntityType, Scope, deprecation, description
from clew.model.types import OnDelete, Relation, RelationKind, Through
from clew.sdl import directives as d
from clew.sdl.document import Field, FieldKind
from clew.sdl.report import did_you_mean, location_of, renamed_or_near

Pairs = tuple[tuple[str, str], ...]


def pairs(columns: tuple[KeyColumn, ...]) -> Pairs:
    """Return the pairs (own column, target column) of a to-one."""
    return tuple((column.column, column.target) for column in columns)


def turned(pairs_: Pairs) -> Pairs:
    """Return the pairs seen from the other side."""
    return tuple((target, own) for own, target in pairs_)


@dataclass
class Relations:
    """Builds the relations of entities. Reports sides that are missing, ambiguous or of the wrong type."""

    scope: Scope
    keys: Keys
    links: Links = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(self.scope, self.keys)

    def of(self, entity: EntityType) -> tuple[Relation, ...]:
        to_ones = self.keys.to_ones(entity)
        built: list[Relation] = []
        for field_ in entity.type.fields.values():
            kind = entity.kinds[field_.name]
            relation: Relation | None = None
            if kind is FieldKind.TO_ONE:
                relation = self._to_one(field_, to_ones)
            elif kind is FieldKind.TO_MANY or kind is FieldKind.REVERSE_ONE:
                relation = self._reverse(entity, field_, kind)
            elif kind is FieldKind.MANY_TO_MANY:
                relation = self._many_to_many(entity, field_)
            if relation is not None:
                built.append(relation)
        return tuple(built)

    def _to_one(self, field_: Field, to_ones: Mapping[str, tuple[KeyColumn, ...]]) -> Relation | None:
        columns = to_ones[field_.name]
        if not columns:
            return None
        directive = field_.first(d.Relation)
        on_delete = directive.on_delete if directive is not None and directive.on_delete else "NO_ACTION"
        return _relation(
            field_,
            RelationKind.TO_ONE,
            nullable=field_.type.nullable,
            on=pairs(columns),
            key=tuple(column.name for column in columns),
            on_delete=OnDelete(on_delete),
            message=directive.message if directive is not None else None,
        )

    def _reverse(self, entity: EntityType, field_: Field, kind: FieldKind) -> Relation | None:
        target = self.scope.entities[field_.type.name]
        inverse = self._inverse(entity, field_, target)
        if inverse is None:
            return None
        on = turned(pairs(self.keys.to_ones(target)[inverse.name]))
        if kind is FieldKind.TO_MANY:
            return _relation(field_, RelationKind.TO_MANY, nullable=False, on=on, inverse=inverse.name)
        if not _is_unique(target, inverse):
            message = (
                f'"{entity.name}.{field_.name}" leads to one {target.name}, '
                f'but "{target.name}.{inverse.name}" is not unique'
            )
            hint = f"add @unique to {target.name}.{inverse.name}, or write [{target.name}!]!"
            self.scope.report.error(field_.node.name, message, hint)
            return None
        return _relation(field_, RelationKind.REVERSE_ONE, nullable=True, on=on, inverse=inverse.name)

    def _inverse(self, entity: EntityType, field_: Field, target: EntityType) -> Field | None:
        """Return the to-one of `target` that holds the key of `entity`."""
        sides = target.to_ones.get(entity.name, ())
        relation = field_.first(d.Relation)
        name = f'"{entity.name}.{field_.name}"'
        report = self.scope.report
        if relation is not None and relation.from_ is not None:
            for side in sides:
                if side.name == relation.from_:
                    return side
            node = relation.given["from"]
            options = [side.name for side in sides]
            hint = renamed_or_near(relation.from_, target.type.renamed_fields, options)
            hint = hint or _side_hint(entity, target, options)
            if relation.from_ in target.type.fields:
                message = f'"{target.name}.{relation.from_}" is not a to-one relation to {entity.name}'
            else:
                message = f'"{target.name}" has no field "{relation.from_}"'
            report.error(node, message, hint)
            return None
        if len(sides) == 1:
            return sides[0]
        if sides:
            options = [side.name for side in sides]
            message = f'{name} has several other sides on "{target.name}": {", ".join(options)}'
            report.error(field_.node.name, message, f"choose one: @relation(from: {options[0]})")
        elif not field_.broken:
            message = f'{name} has no other side: "{target.name}" has no to-one relation to "{entity.name}"'
            report.error(field_.node.name, message, _side_hint(entity, target, ()))
        return None

    def _many_to_many(self, entity: EntityType, field_: Field) -> Relation | None:
        directive = field_.first(d.Relation)
        assert directive is not None
        assert directive.through is not None
        through = self._through(entity, field_, directive, directive.through)
        if through is None:
            return None
        return _relation(field_, RelationKind.MANY_TO_MANY, nullable=False, through=through)

    def _through(self, entity: EntityType, field_: Field, directive: d.Relation, name: str) -> Through | None:
        report, node = self.scope.report, directive.given["through"]
        target = self.scope.entities[field_.type.name]
        link = self.scope.entities.get(name)
        if link is None:
            if name in self.scope.document.types:
                report.error(node, f'"{name}" is not an entity: it cannot link rows', f"add @table to {name}")
                return None
            return self.links.through(entity, field_, target, name, node)
        near, far = list(link.to_ones.get(entity.name, ())), list(link.to_ones.get(target.name, ()))
        if directive.from_ is not None:
            side = self._side(entity, link, directive, directive.from_)
            if side is None:
                return None
            near, far = [side], [other for other in far if other is not side]
        elif entity.name == target.name:
            if is_undirected(entity, name, directive):
                report.error(node, *undirected(entity, name, [side.name for side in near]))
                return None
            near, far = near[:1], near[1:]
        for sides, end in ((near, entity), (far, target)):
            if not sides:
                message = f'"{name}" has no to-one relation to "{end.name}": it cannot link the two'
                hint = f"add to {name}: {_free_name(link, end)}: {end.name}!"
                if entity.name == target.name:
                    hint = f"add a second one to {name}: other{end.name}: {end.name}!"
                report.error(node, message, hint)
                return None
            if len(sides) > 1:
                options = ", ".join(side.name for side in sides)
                message = f'"{name}" has several to-one relations to "{end.name}": {options}'
                hint = f'relate to "{name}" itself, with @relation(from:)'
                if sides is near:
                    hint = f"choose the one for this end: @relation(through: {name}, from: {sides[0].name})"
                report.error(node, message, hint)
                return None
        columns = self.keys.to_ones(link)
        return Through(name, turned(pairs(columns[near[0].name])), pairs(columns[far[0].name]))

    def _side(self, entity: EntityType, link: EntityType, directive: d.Relation, name: str) -> Field | None:
        """Return the to-one of a link that stands for an end; report it if there is none of this name."""
        sides = link.to_ones.get(entity.name, ())
        found = next((side for side in sides if side.name == name), None)
        if found is None:
            options = [side.name for side in sides]
            message = f'"{link.name}" has no to-one relation "{name}" to "{entity.name}"'
            hint = did_you_mean(name, options) or _side_hint(entity, link, options)
            self.scope.report.error(directive.given["from"], message, hint)
        return found


def _side_hint(entity: EntityType, target: EntityType, options: tuple[str, ...] | list[str]) -> str:
    if options:
        return f"its to-one relations to {entity.name} are: {', '.join(options)}"
    # The same name for both sides: following both hints gives one link.
    link = "".join(sorted((entity.name, target.name)))
    # The first row of a type could not lead to another one.
    type_ = entity.name if entity.name == target.name else f"{entity.name}!"
    field = f"{_free_name(target, entity)}: {type_}"
    return f'add to {target.name}: {field} (for many-to-many: @relation(through: "{link}"))'


def _free_name(entity: EntityType, end: EntityType) -> str:
    """Return a name for a to-one from `entity` to `end`, which no field has."""
    words = ("other", "its", "own")
    options = (end.single, *(f"{word}{capitalised(end.single)}" for word in words))
    taken = entity.type.fields
    return next(
        (
            name
            for name in options
            if name not in taken and not any(key_field(name, key.name) in taken for key in end.keys)
        ),
        "...",
    )


def _is_unique(entity: EntityType, side: Field) -> bool:
    """Return whether at most one row of `entity` can hold the same key in `side`."""
    if any(unique.where is None and unique.sql is None for unique in side.all(d.Unique)):
        return True
    if [key.name for key in entity.keys] == [side.name]:
        return True
    return any(
        unique.fields == (side.name,) and unique.where is None and unique.sql is None
        for unique in entity.type.all(d.Unique)
    )


def _relation(
    field_: Field,
    kind: RelationKind,
    *,
    nullable: bool,
    on: Pairs = (),
    through: Through | None = None,
    key: tuple[str, ...] = (),
    inverse: str | None = None,
    on_delete: OnDelete = OnDelete.NO_ACTION,
    message: str | None = None,
) -> Relation:
    renamed = field_.first(d.Renamed)
    return Relation(
        name=field_.name,
        target=field_.type.name,
        kind=kind,
        nullable=nullable,
        on=on,
        through=through,
        key=key,
        inverse=inverse,
        on_delete=on_delete,
        message=message,
        hidden=field_.first(d.Hidden) is not None,
        renamed_from=renamed.from_ if renamed is not None else None,
        allow=allow_rules(field_.all(d.Allow)),
        description=description(field_.node),
        deprecation_reason=deprecation(field_.node.directives),
        location=location_of(field_.node.name),
    )
