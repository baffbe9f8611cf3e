"""The generated fields of Mutation and the input types that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLNullableInputType,
    GraphQLObjectType,
    GraphQLOutputType,
)

from clew.model.types import Column, Entity, Model, Opening, Relation, RelationKind, ValueType, WriteKind
from clew.model.writing import can_increase, is_required, owner_of, unique_keys

_Inputs = dict[str, GraphQLInputField]


class Builder(Protocol):
    """What of the schema's builder these types are made with."""

    model: Model
    entities: list[Entity]
    openings: Mapping[str, Opening]
    objects: dict[str, GraphQLObjectType]
    filters: dict[str, GraphQLInputObjectType]

    def generated(
        self,
        type_: GraphQLOutputType,
        arguments: dict[str, GraphQLArgument] | None = None,
        *,
        description: str | None = None,
    ) -> GraphQLField: ...

    def always_there(self, entity: Entity) -> bool: ...

    def nullable_input_type(self, type_: ValueType) -> GraphQLNullableInputType: ...


class WriteTypes:
    """Makes each type once, when a field first needs it."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._inputs: dict[str, GraphQLInputObjectType] = {}
        self._enums: dict[str, GraphQLEnumType] = {}
        self._bulks: dict[str, GraphQLObjectType] = {}

    # --- root fields ------------------------------------------------------------------

    def fields(self) -> dict[str, GraphQLField]:
        """The generated fields of Mutation that the roles may use."""
        return {
            name: self._field(write.entity, write.kind)
            for name, write in self._builder.model.write_fields.items()
            if write.entity.name in self._builder.openings and self._is_open(write.entity, write.kind)
        }

    def _is_open(self, entity: Entity, kind: WriteKind) -> bool:
        match kind:
            case WriteKind.CREATE | WriteKind.CREATE_MANY:
                return bool(self._create_fields(entity))
            case WriteKind.UPDATE | WriteKind.UPDATE_WHERE | WriteKind.UPDATE_EACH:
                return self._has_key(entity) and bool(self._changes(entity))
            case WriteKind.UPSERT | WriteKind.UPSERT_MANY:
                updates = self._updates(entity)
                return bool(self._create_fields(entity)) and bool(updates) and bool(self._keys(entity))
            case _:
                return self._has_key(entity) and self._builder.openings[entity.name].deletes

    def _has_key(self, entity: Entity) -> bool:
        return self._builder.openings[entity.name].fields.issuperset(entity.primary_key)

    def _field(self, entity: Entity, kind: WriteKind) -> GraphQLField:
        one = self._builder.objects[entity.name]
        type_: GraphQLOutputType = one
        if kind.bulk:
            type_ = GraphQLNonNull(self._bulk(entity))
        elif kind in (WriteKind.CREATE, WriteKind.UPSERT):
            # The row is readable, or nothing is written.
            type_ = GraphQLNonNull(one)
        return self._builder.generated(type_, self._arguments(entity, kind), description=_describe(entity, kind))

    def _arguments(self, entity: Entity, kind: WriteKind) -> dict[str, GraphQLArgument]:
        many = GraphQLArgument(GraphQLNonNull(GraphQLList(GraphQLNonNull(self._create_input(entity)))))
        every = GraphQLArgument(GraphQLBoolean, description="Say true to mean all rows by an empty `where`.")
        where = GraphQLArgument(GraphQLNonNull(self._builder.filters[entity.name]), description="Which rows.")
        match kind:
            case WriteKind.CREATE:
                return {"input": GraphQLArgument(GraphQLNonNull(self._create_input(entity)))}
            case WriteKind.CREATE_MANY:
                return {"inputs": many}
            case WriteKind.UPDATE:
                arguments = {**self._key_arguments(entity), **self._change_arguments(entity)}
                if any(column.version for column in entity.columns):
                    arguments["ifVersion"] = GraphQLArgument(
                        GraphQLInt, description="Only if the row still has this version; else CONFLICT."
                    )
                return arguments
            case WriteKind.UPDATE_WHERE:
                return {"where": where, **self._change_arguments(entity), "all": every}
            case WriteKind.UPDATE_EACH:
                updates = GraphQLNonNull(GraphQLList(GraphQLNonNull(self._update_input(entity))))
                return {"updates": GraphQLArgument(updates, description="A row's key, and what changes.")}
            case WriteKind.UPSERT | WriteKind.UPSERT_MANY:
                given = many
                if kind is WriteKind.UPSERT:
                    given = GraphQLArgument(GraphQLNonNull(self._create_input(entity)))
                update = GraphQLList(GraphQLNonNull(self._field_enum(entity)))
                return {
                    "input" if kind is WriteKind.UPSERT else "inputs": given,
                    "on": GraphQLArgument(
                        GraphQLNonNull(self._key_enum(entity)), description="The key by which a row is known."
                    ),
                    "update": GraphQLArgument(
                        update, description="What changes of a row that is there already; default: all that is given."
                    ),
                }
            case WriteKind.DELETE_WHERE:
                return {"where": where, "all": every}
            case _:
                return self._key_arguments(entity)

    def _key_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        input_type = self._builder.nullable_input_type
        return {c.name: GraphQLArgument(GraphQLNonNull(input_type(c.type))) for c in entity.key_columns}

    def _change_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        return {name: GraphQLArgument(field.type) for name, field in self._changes(entity).items()}

    # --- rows -------------------------------------------------------------------------

    def _create_input(self, entity: Entity) -> GraphQLInputObjectType:
        return self._input(f"{entity.name}CreateInput", lambda: self._create_fields(entity), f"A new {entity.name}.")

    def _create_fields(self, entity: Entity) -> _Inputs:
        creates = self._builder.openings[entity.name].creates
        if creates is None:
            return {}
        fields: _Inputs = {}
        for name in entity.fields:
            column, relation = entity.column(name), entity.relation(name)
            if column is not None and name in creates:
                type_ = self._builder.nullable_input_type(column.type)
                required = column.relation is None and is_required(entity, column)
                fields[name] = GraphQLInputField(
                    GraphQLNonNull(type_) if required else type_, description=column.description
                )
            elif relation is not None and not relation.hidden and (nested := self._nested(entity, relation, creates)):
                fields[name] = GraphQLInputField(nested)
        return fields

    def _set_input(self, entity: Entity) -> GraphQLInputObjectType:
        return self._input(f"{entity.name}SetInput", lambda: self._set_fields(entity), "What fields are set to.")

    def _set_fields(self, entity: Entity) -> _Inputs:
        updates = self._builder.openings[entity.name].updates
        if updates is None:
            return {}
        fields: _Inputs = {}
        for name in entity.fields:
            column, relation = entity.column(name), entity.relation(name)
            if column is not None and name in updates and name not in entity.primary_key:
                fields[name] = GraphQLInputField(self._builder.nullable_input_type(column.type))
            elif (
                relation is not None
                and not relation.hidden
                and not set(relation.key) & set(entity.primary_key)
                and (nested := self._nested(entity, relation, updates, setting=True))
            ):
                fields[name] = GraphQLInputField(nested)
        return fields

    def _changes(self, entity: Entity) -> _Inputs:
        """`set`, `inc` and `append`, those of them that the roles have."""
        found: _Inputs = {}
        if self._set_fields(entity):
            found["set"] = GraphQLInputField(self._set_input(entity), description="New values.")
        columns = self._updates(entity)
        for name, suffix, suited, description in (
            ("inc", "IncInput", can_increase, "Numbers to add."),
            ("append", "AppendInput", _is_list, "Items to put at the end of lists."),
        ):
            fields = {
                c.name: GraphQLInputField(self._builder.nullable_input_type(c.type)) for c in columns if suited(c)
            }
            if fields:
                found[name] = GraphQLInputField(
                    self._input(f"{entity.name}{suffix}", _constant(fields), description), description=description
                )
        return found

    def _updates(self, entity: Entity) -> list[Column]:
        """The columns that the roles may update."""
        updates = self._builder.openings[entity.name].updates or frozenset()
        return [c for c in entity.columns if c.name in updates and c.name not in entity.primary_key]

    def _update_input(self, entity: Entity) -> GraphQLInputObjectType:
        def fields() -> _Inputs:
            input_type = self._builder.nullable_input_type
            keys = {c.name: GraphQLInputField(GraphQLNonNull(input_type(c.type))) for c in entity.key_columns}
            return {**keys, **self._changes(entity)}

        return self._input(f"{entity.name}UpdateInput", fields, f"A {entity.name} by its key, and what changes of it.")

    # --- nested -----------------------------------------------------------------------

    def _nested(
        self, entity: Entity, relation: Relation, held: frozenset[str], *, setting: bool = False
    ) -> GraphQLInputObjectType | None:
        """What a relation takes in an input, None for nothing; `held` are the fields that a rule holds."""
        openings = self._builder.openings
        target = openings.get(relation.target)
        if target is None:
            return None
        other = self._builder.model.entity(relation.target)
        if relation.kind is RelationKind.TO_ONE:
            return self._one_input(other) if relation.name in held else None
        if other.view_sql is not None:
            return None
        if relation.through is None:
            key = owner_of(self._builder.model, relation).key
            creates = target.creates is not None
            updates = target.updates is not None and target.updates.issuperset(key)
            if not (creates or updates or (setting and target.deletes)):
                return None
        else:
            link = self._builder.model.entity(relation.through.entity)
            opening = openings.get(link.name)
            generated = link.generated_link and not link.allow
            if not (relation.name in held if generated else opening is not None and opening.creates is not None):
                return None
        return self._many_input(other, setting=setting)

    def _one_input(self, target: Entity) -> GraphQLInputObjectType | None:
        fields = self._create_and_connect(target, many=False)
        if not fields():
            return None
        description = f"The {target.name}: a new one, or one that is there."
        return self._input(f"{target.name}OneInput", fields, description, one_of=True)

    def _many_input(self, target: Entity, *, setting: bool) -> GraphQLInputObjectType | None:
        both = self._create_and_connect(target, many=True)

        def fields() -> _Inputs:
            found = both()
            opening = self._builder.openings[target.name]
            if not setting or not (unique := self._unique_input(target)):
                return found
            keys = GraphQLList(GraphQLNonNull(unique))
            found["disconnect"] = GraphQLInputField(keys, description="Rows that no longer belong here.")
            if self._has_key(target) and self._changes(target):
                updates = GraphQLList(GraphQLNonNull(self._update_input(target)))
                found["update"] = GraphQLInputField(updates, description="Changes of rows that belong here.")
            if opening.deletes:
                found["delete"] = GraphQLInputField(keys, description="Rows that belong here, to be deleted.")
            return found

        if not self._can_create(target) and self._unique_input(target) is None:
            return None
        if setting:
            return self._input(f"{target.name}ManySetInput", fields, f"What becomes of a list of {target.name}.")
        return self._input(f"{target.name}ManyCreateInput", fields, f"What a list of {target.name} begins with.")

    def _create_and_connect(self, target: Entity, *, many: bool) -> Callable[[], _Inputs]:
        def listed(type_: GraphQLInputObjectType) -> GraphQLInputType:
            return GraphQLList(GraphQLNonNull(type_)) if many else type_

        def fields() -> _Inputs:
            found: _Inputs = {}
            if self._can_create(target):
                found["create"] = GraphQLInputField(listed(self._create_input(target)), description="New rows.")
            if unique := self._unique_input(target):
                found["connect"] = GraphQLInputField(listed(unique), description="Rows that are there, by a key.")
            return found

        return fields

    def _can_create(self, target: Entity) -> bool:
        return target.view_sql is None and bool(self._builder.openings[target.name].creates)

    # --- keys -------------------------------------------------------------------------

    def _keys(self, entity: Entity) -> dict[str, tuple[str, ...]]:
        """The unique keys that the roles may read."""
        fields = self._builder.openings[entity.name].fields
        return {name: key for name, key in unique_keys(entity).items() if key and fields.issuperset(key)}

    def _unique_input(self, entity: Entity) -> GraphQLInputObjectType | None:
        names = dict.fromkeys(name for key in self._keys(entity).values() for name in key)
        if not names:
            return None
        columns = [column for column in entity.columns if column.name in names]
        fields = {c.name: GraphQLInputField(self._builder.nullable_input_type(c.type)) for c in columns}
        return self._input(f"{entity.name}UniqueInput", _constant(fields), f"The fields of one key of {entity.name}.")

    def _key_enum(self, entity: Entity) -> GraphQLEnumType:
        return self._enum(f"{entity.name}Key", self._keys(entity), f"The keys of {entity.name}.")

    def _field_enum(self, entity: Entity) -> GraphQLEnumType:
        names = [column.name for column in self._updates(entity)]
        return self._enum(f"{entity.name}Field", names, f"The fields of {entity.name} that can be updated.")

    # --- making -----------------------------------------------------------------------

    def _bulk(self, entity: Entity) -> GraphQLObjectType:
        if entity.name not in self._bulks:
            row: GraphQLOutputType = GraphQLNonNull(self._builder.objects[entity.name])
            fields = {
                "count": GraphQLField(GraphQLNonNull(GraphQLInt), description="How many rows were written."),
                "rows": GraphQLField(GraphQLNonNull(GraphQLList(row)), description="The rows."),
            }
            self._bulks[entity.name] = GraphQLObjectType(
                f"{entity.name}Bulk", fields, description=f"What became of several {entity.name}."
            )
        return self._bulks[entity.name]

    def _input(
        self, name: str, fields: Callable[[], _Inputs], description: str, *, one_of: bool = False
    ) -> GraphQLInputObjectType:
        if name not in self._inputs:
            self._inputs[name] = GraphQLInputObjectType(name, fields, description=description, is_one_of=one_of)
        return self._inputs[name]

    def _enum(self, name: str, values: Iterable[str], description: str) -> GraphQLEnumType:
        if name not in self._enums:
            self._enums[name] = GraphQLEnumType(
                name, {value: GraphQLEnumValue(value) for value in values}, description=description
            )
        return self._enums[name]


def _constant(fields: _Inputs) -> Callable[[], _Inputs]:
    return lambda: fields


def _is_list(column: Column) -> bool:
    return column.type.is_list


_DESCRIPTIONS = {
    WriteKind.CREATE: "Create one {}.",
    WriteKind.CREATE_MANY: "Create several {}, in the order of the inputs.",
    WriteKind.UPDATE: "Change one {}; null if there is none with this key.",
    WriteKind.UPDATE_WHERE: "Change all {} for which `where` holds.",
    WriteKind.UPDATE_EACH: "Change several {}, each in its own way.",
    WriteKind.UPSERT: "Create one {}, or change the one that has its key already.",
    WriteKind.UPSERT_MANY: "Create several {}, or change those that have their keys already.",
    WriteKind.DELETE: "Delete one {}; null if there is none with this key.",
    WriteKind.DELETE_WHERE: "Delete all {} for which `where` holds.",
    WriteKind.RESTORE: "Bring one deleted {} back, with what was deleted together with it.",
}


def _describe(entity: Entity, kind: WriteKind) -> str:
    return _DESCRIPTIONS[kind].format(entity.name)
