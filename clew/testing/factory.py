"""Rows for tests, made by the generated mutations of an admin."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLSchema

from clew.model.types import Column, Entity, Model, Relation, RelationKind, WriteKind
from clew.testing.client import Client
from clew.testing.values import value_of


class Row(dict[str, Any]):
    """A row that was made: its fields by API name. It can be the value of a relation of another row.

    `entity` is the name of its type.
    """

    __slots__ = ("entity",)

    def __init__(self, entity: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.entity = entity


class Factory:
    """Makes rows: `make("Thread", title="x")`. Constraints, defaults and presets hold, as for any other admin.

    It fills the fields that must have a value and have none otherwise, and makes the rows that required relations
    lead to.

    Args:
        built: the model and the schema of an admin.
        admin: a client that is an admin.
    """

    def __init__(self, built: tuple[Model, GraphQLSchema], admin: Client) -> None:
        self._model, self._schema = built
        self._admin = admin
        self._made: Counter[str] = Counter()
        self._creates = {
            field.entity.name: name
            for name, field in self._model.write_fields.items()
            if field.kind is WriteKind.CREATE
        }

    def __call__(self, entity: str, /, **fields: Any) -> Row:
        """Create a row and return it, with every field that the API stores of it.

        Args:
            entity: the name of its type.
            fields: values by API name, as the input of the create mutation takes them. A relation also takes a row
                that was made, and a to-many a list of such rows.

        Raises:
            ValueError: there is no such type or field, or no plausible value for a field.
            AnswerError: the row violates a constraint.
        """
        return self._make(entity, fields, ())

    def _make(self, name: str, fields: dict[str, Any], above: tuple[str, ...]) -> Row:
        entity = self._entity(name)
        if name in above:
            raise ValueError(f"{' -> '.join([*above, name])}: each row needs another one first. Give one of them.")
        self._known(entity, fields)
        values: dict[str, Any] = {}
        for key, value in fields.items():
            values |= self._given(entity, key, value)
        for relation in entity.relations:
            if relation.kind is RelationKind.TO_ONE and relation.name not in values:
                values |= self._related(entity, relation, values, (*above, name))
        for column in entity.columns:
            if column.name not in values and column.relation is None and _must_be_given(column):
                number = self._next(f"{name}.{column.name}")
                values[column.name] = value_of(entity, column, self._model.enums, number)
        selected = " ".join(column.name for column in entity.columns if not column.hidden)
        create = self._creates[name]
        document = f"mutation ($input: {name}CreateInput!) {{ {create}(input: $input) {{ {selected} }} }}"
        return Row(name, self._admin.graphql(document, {"input": values}).raise_for_errors()[create])

    def _entity(self, name: str) -> Entity:
        if name in self._creates:
            return self._model.entity(name)
        close = get_close_matches(name, self._creates, 1)
        hint = f" Do you mean {close[0]}?" if close else ""
        reason = "is a view, or has no key" if name in self._model.entities else "is no type with a table"
        raise ValueError(f"{name} {reason}.{hint}")

    def _known(self, entity: Entity, fields: dict[str, Any]) -> None:
        """Refuse fields that the create mutation does not take."""
        input_type = self._schema.type_map[f"{entity.name}CreateInput"]
        assert isinstance(input_type, GraphQLInputObjectType)
        for name in fields:
            if name not in input_type.fields:
                close = get_close_matches(name, input_type.fields, 1)
                hint = f" Do you mean {close[0]}?" if close else ""
                raise ValueError(f"{input_type.name} has no field {name}.{hint}")

    def _given(self, entity: Entity, name: str, value: Any) -> dict[str, Any]:
        """Return the input for a value that the test gives."""
        relation = entity.relation(name)
        if relation is None:
            return {name: value}
        if isinstance(value, Row):
            self._fits(entity, relation, value)
            if relation.kind is RelationKind.TO_ONE:
                return self._key(entity, relation, value)
            return {name: {"connect": self._unique(value)}}
        if isinstance(value, list | tuple) and all(isinstance(item, Row) for item in value):
            for item in value:
                self._fits(entity, relation, item)
            return {name: {"connect": [self._unique(item) for item in value]}}
        return {name: value}

    def _fits(self, entity: Entity, relation: Relation, row: Row) -> None:
        if row.entity != relation.target:
            raise ValueError(f"{entity.name}.{relation.name} leads to {relation.target}, not to {row.entity}.")

    def _related(
        self, entity: Entity, relation: Relation, values: dict[str, Any], above: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the key of a new row for a to-one that must have one."""
        missing = [name for name in relation.key if name not in values]
        columns = [column for column in map(entity.column, missing) if column is not None]
        if not any(_must_be_given(column) for column in columns):
            return {}
        target = self._model.entity(relation.target)
        # Relations that share a column lead to rows that agree on it.
        shared = {
            theirs.name: values[ours.name] for ours, theirs in self._pairs(entity, relation) if ours.name in values
        }
        if {column.name for column in target.key_columns} <= shared.keys():
            return {}
        return self._key(entity, relation, self._make(target.name, shared, above))

    def _key(self, entity: Entity, relation: Relation, row: Row) -> dict[str, Any]:
        return {ours.name: row[theirs.name] for ours, theirs in self._pairs(entity, relation)}

    def _unique(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self._model.entity(row.entity).primary_key}

    def _pairs(self, entity: Entity, relation: Relation) -> list[tuple[Column, Column]]:
        """Return the columns of a to-one's key, each with the target's column."""
        target = self._model.entity(relation.target)
        found = []
        for here, there in relation.on:
            ours, theirs = entity.column_by_sql(here), target.column_by_sql(there)
            assert ours is not None
            assert theirs is not None
            found.append((ours, theirs))
        return found

    def _next(self, place: str) -> int:
        self._made[place] += 1
        return self._made[place]


def _must_be_given(column: Column) -> bool:
    """Return whether an admin must give a value: nothing else has one for a new row."""
    filled = column.default is not None or column.identity or column.uuid_key or column.computed is not None
    filled |= column.created_at or column.updated_at or column.version or column.hidden
    # A preset takes the claim of a viewer, and an admin has none.
    preset = column.preset
    filled |= preset is not None and preset.claim is None
    return not column.nullable and not filled
