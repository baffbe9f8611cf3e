"""Keys, and the columns in which a to-one holds the key of its target.

The key of an entity may itself hold a to-one, so keys are resolved on demand, each once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphql import Node

from clew.model import names
from clew.model.scope import EntityType, Scope, value_type
from clew.model.types import ValueType
from clew.sdl import directives as d
from clew.sdl.document import Field, FieldKind


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column that is part of a key: API name, SQL name and type.

    In a to-one's key `target` is the SQL column referred to, and `shared` says that the
    column belongs to another field.
    """

    name: str
    column: str
    type: ValueType
    target: str = ""
    shared: bool = False


@dataclass
class Keys:
    """Resolves keys and to-ones; reports cycles, wrong `column`/`columns` and keys that are missing."""

    scope: Scope
    _keys: dict[str, tuple[KeyColumn, ...]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _to_ones: dict[str, Mapping[str, tuple[KeyColumn, ...]]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[KeyColumn, ...]:
        """The key of an entity; empty when it has none, or after a fault."""
        if name in self._keys:
            return self._keys[name]
        entity = self.scope.entities[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            message = f"the keys go round in a circle: {circle}"
            hint = "give one of them another key: id: ID! @id"
            self.scope.report.error(entity.type.node.name, message, hint)
            return ()
        self._open.append(name)
        to_ones = self._key_to_ones(entity)
        found: list[KeyColumn] = []
        for key in entity.keys:
            if entity.kinds[key.name] is FieldKind.TO_ONE:
                found += to_ones.get(key.name, ())
            else:
                # Two fields of one SQL name are one column here; a rule of its own reports them.
                column = next((sql for sql, field in entity.columns.items() if field.name == key.name), None)
                if column is not None:
                    found.append(KeyColumn(key.name, column, value_type(key)))
        self._open.pop()
        unique = {column.column: column for column in found}
        self._keys[name] = tuple(unique.values())
        return self._keys[name]

    def to_ones(self, entity: EntityType) -> Mapping[str, tuple[KeyColumn, ...]]:
        """For each to-one of an entity the columns of its key, those of its own and those shared."""
        if entity.name not in self._to_ones:
            owners = {sql: KeyColumn(f.name, sql, value_type(f)) for sql, f in entity.columns.items()}
            fields = [f for fields in entity.to_ones.values() for f in fields]
            fields.sort(key=_place)
            keys = [f for f in fields if f.first(d.Id)]
            rest = [f for f in fields if not f.first(d.Id)]
            self._to_ones[entity.name] = {**self._resolve(keys, owners), **self._resolve(rest, owners)}
        return self._to_ones[entity.name]

    def _key_to_ones(self, entity: EntityType) -> Mapping[str, tuple[KeyColumn, ...]]:
        owners = {sql: KeyColumn(f.name, sql, value_type(f)) for sql, f in entity.columns.items()}
        fields = [f for f in entity.keys if entity.kinds[f.name] is FieldKind.TO_ONE]
        return self._resolve(fields, owners)

    def _resolve(self, fields: Sequence[Field], owners: dict[str, KeyColumn]) -> dict[str, tuple[KeyColumn, ...]]:
        """Resolve to-ones over `owners`, the columns by SQL name, to which they add their own.

        Those whose columns are not named come first: a named column may be one of theirs.
        """
        found: dict[str, tuple[KeyColumn, ...]] = {}
        for named in (False, True):
            for field_ in fields:
                if (_named(field_) is not None) is named:
                    found[field_.name] = self._to_one(field_, owners)
                    for column in found[field_.name]:
                        if not column.shared:
                            owners.setdefault(column.column, column)
        return found

    def _to_one(self, field_: Field, owners: Mapping[str, KeyColumn]) -> tuple[KeyColumn, ...]:
        report = self.scope.report
        target = self.of(field_.type.name)
        if not target:
            if self.scope.entities[field_.type.name].is_view:
                message = f'"{field_.type.name}" is a view without @id: nothing can refer to it'
                report.error(field_.type.node, message, "add @id to the field that identifies its rows")
            return ()
        given = _named(field_)
        if given is not None and len(given[0]) != len(target):
            columns = ", ".join(column.column for column in target)
            message = f'"{field_.name}" needs {len(target)} column{"s" * (len(target) != 1)}, not {len(given[0])}'
            report.error(given[1], message, f"the key of {field_.type.name} is: {columns}")
            given = None
        found: list[KeyColumn] = []
        for number, part in enumerate(target):
            sql = given[0][number] if given is not None else names.key_column(field_.name, part.column)
            owner = owners.get(sql) if given is not None else None
            if owner is not None and given is not None:
                if (owner.type.name, owner.type.sql) != (part.type.name, part.type.sql) or owner.type.is_list:
                    message = (
                        f'"{field_.name}" shares the column "{sql}" of "{owner.name}", which is {_type(owner.type)}; '
                        f"the key of {field_.type.name} is {_type(part.type)}"
                    )
                    report.error(given[1], message, f"declare {owner.name}: {part.type.name}")
                found.append(KeyColumn(owner.name, sql, part.type, part.column, True))
            else:
                api = names.key_field(field_.name, part.name)
                found.append(KeyColumn(api, sql, part.type, part.column))
        return tuple(found)


def _named(field_: Field) -> tuple[tuple[str, ...], Node] | None:
    """The columns that `@relation` names, and the node that does."""
    relation = field_.first(d.Relation)
    if relation is None:
        return None
    if relation.columns is not None:
        return relation.columns, relation.given["columns"]
    if relation.column is not None:
        return (relation.column,), relation.given["column"]
    return None


def _place(field_: Field) -> tuple[str, int]:
    loc = field_.node.loc
    return ("", 0) if loc is None else (loc.source.name, loc.start)


def _type(type_: ValueType) -> str:
    name = f"[{type_.name}]" if type_.is_list else type_.name
    return f"{name} ({type_.sql})"
