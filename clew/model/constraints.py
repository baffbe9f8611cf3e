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
from clew.sdl.report import location_of, renamed_or_near

U = TypeVar("U", d.Unique, d.Index)


@dataclass(frozen=True)
class Constraints:
    """Builds the constraints of one entity. Reports fields that are unknown or named twice."""

    scope: Scope
    entity: EntityType
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]

    def uniques(self) -> tuple[UniqueKey, ...]:
        uniques: dict[str, UniqueKey] = {}
        for unique, fields in self._uses(d.Unique):
            if unique.sql is not None:
                columns: tuple[str, ...] | None = ()
            else:
                columns = self._columns(fields, unique.given.get("fields", unique.node))
            if columns is None or (not columns and unique.sql is None):
                continue
            sql_names = [self.columns[name].column for name in columns]
            name = names.unique_name(self.entity.table, sql_names, unique.where, unique.sql)
            if name in uniques:
                message = f'"{self.entity.name}" has this unique key already'
                self.scope.report.error(unique.node, message, "remove one of them")
                continue
            is_plain = unique.where is None and unique.sql is None
            lookup = names.lookup_field(self.entity.single, fields) if is_plain else None
            if any(self.columns[column].hidden or self.columns[column].type.is_list for column in columns):
                # An input names a key by plain values.
                lookup = None
            location = location_of(unique.node)
            uniques[name] = UniqueKey(
                name, columns, unique.where, unique.sql, lookup, unique.deferrable, location, unique.message
            )
        return tuple(uniques.values())

    def indexes(self) -> tuple[Index, ...]:
        indexes: list[Index] = []
        for index, fields in self._uses(d.Index):
            columns = self._columns(fields, index.given.get("fields", index.node))
            if columns:
                indexes.append(Index(columns, index.using, index.where, location_of(index.node)))
        return tuple(indexes)

    def search(self) -> tuple[SearchField, ...]:
        return tuple(
            SearchField(field.name, search.weight, search.language)
            for field in self.entity.type.fields.values()
            if (search := field.first(d.Search)) is not None
        )

    def _uses(self, kind: type[U]) -> Iterator[tuple[U, tuple[str, ...]]]:
        """Yield each use of the directive with its fields: those on fields first, in SDL order."""
        for field in self.entity.type.fields.values():
            for use in field.all(kind):
                if field.name in self.columns or field.name in self.relations:
                    yield use, (field.name,)
        for use in self.entity.type.all(kind):
            yield use, use.fields or ()

    def _columns(self, fields: Sequence[str], node: Node) -> tuple[str, ...] | None:
        """Return the API names of the columns, or None after a fault. A to-one stands for its key's columns."""
        columns: list[str] = []
        for name in fields:
            relation = self.relations.get(name)
            if name in self.columns:
                columns.append(name)
            elif relation is not None and relation.key:
                columns += relation.key
            else:
                self._unknown(name, node)
                return None
        if len(set(columns)) != len(columns):
            self.scope.report.error(node, "a field is named twice", "remove one of them")
            return None
        return tuple(columns)

    def _unknown(self, name: str, node: Node) -> None:
        declared = self.entity.type.fields.get(name)
        if declared is None:
            message = f'"{self.entity.name}" has no field "{name}"'
            options = [*self.columns, *self.relations]
            self.scope.report.error(node, message, renamed_or_near(name, self.entity.type.renamed_fields, options))
        elif name in self.relations:
            message = f'"{self.entity.name}.{name}" has no column here: the other side holds its key'
            self.scope.report.error(node, message)
        elif self.entity.kinds[name] is FieldKind.RESOLVER:
            self.scope.report.error(node, f'"{self.entity.name}.{name}" is resolved in Python: it has no column')
