"""Unique keys, indexes and full text search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from graphql import Node

from clew.model import names
from clew.model.scope import EntityType, Scope
from clew.model.types import Column, Index, Relation, SearchField, UniqueKey
from clew.sdl import directives as d
from clew.sdl.document import FieldKind
from clew.sdl.report import did_you_mean, location_of

U = TypeVar("U", d.Unique, d.Index)


@dataclass(frozen=True)
class Constraints:
    """Builds the constraints of one entity; reports fields that are unknown or twice."""

    scope: Scope
    entity: EntityType
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]

    def uniques(self) -> tuple[UniqueKey, ...]:
        found: dict[str, UniqueKey] = {}
        for unique, fields in self._uses(d.Unique):
            if unique.sql is not None:
                columns: tuple[str, ...] | None = ()
            else:
                columns = self._columns(fields, unique.given.get("fields", unique.node))
            if columns is None or (not columns and unique.sql is None):
                continue
            sql_names = [self.columns[name].column for name in columns]
            name = names.unique_name(self.entity.table, sql_names, unique.where, unique.sql)
            if name in found:
                message = f'"{self.entity.name}" has this unique key already'
                self.scope.report.error(unique.node, message, "remove one of them")
                continue
            is_plain = unique.where is None and unique.sql is None
            lookup = names.lookup_field(self.entity.single, fields) if is_plain else None
            if any(self.columns[column].hidden for column in columns):
                lookup = None
            location = location_of(unique.node)
            found[name] = UniqueKey(name, columns, unique.where, unique.sql, lookup, unique.deferrable, location)
        return tuple(found.values())

    def indexes(self) -> tuple[Index, ...]:
        found: list[Index] = []
        for index, fields in self._uses(d.Index):
            columns = self._columns(fields, index.given.get("fields", index.node))
            if columns:
                found.append(Index(columns, index.using, index.where, location_of(index.node)))
        return tuple(found)

    def search(self) -> tuple[SearchField, ...]:
        return tuple(
            SearchField(field.name, search.weight, search.language)
            for field in self.entity.type.fields.values()
            if (search := field.first(d.Search)) is not None
        )

    def _uses(self, kind: type[U]) -> Iterator[tuple[U, tuple[str, ...]]]:
        """Each use with its fields: those on fields first, in SDL order."""
        for field in self.entity.type.fields.values():
            for use in field.all(kind):
                if field.name in self.columns or field.name in self.relations:
                    yield use, (field.name,)
        for use in self.entity.type.all(kind):
            yield use, use.fields or ()

    def _columns(self, fields: Sequence[str], node: Node) -> tuple[str, ...] | None:
        """API names of columns, a to-one expanded to its key; None after a fault."""
        found: list[str] = []
        for name in fields:
            relation = self.relations.get(name)
            if name in self.columns:
                found.append(name)
            elif relation is not None and relation.key:
                found += relation.key
            else:
                self._unknown(name, node)
                return None
        if len(set(found)) != len(found):
            self.scope.report.error(node, "a field is named twice", "remove one of them")
            return None
        return tuple(found)

    def _unknown(self, name: str, node: Node) -> None:
        declared = self.entity.type.fields.get(name)
        if declared is None:
            message = f'"{self.entity.name}" has no field "{name}"'
            self.scope.report.error(node, message, did_you_mean(name, [*self.columns, *self.relations]))
        elif name in self.relations:
            message = f'"{self.entity.name}.{name}" has no column here: the other side holds its key'
            self.scope.report.error(node, message)
        elif self.entity.kinds[name] is FieldKind.RESOLVER:
            self.scope.report.error(node, f'"{self.entity.name}.{name}" is resolved in Python: it has no column')
