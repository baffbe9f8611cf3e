"""The generated fields of Mutation and the input types that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLNullableInputType,
    GraphQLObjectType,
    GraphQLOutputType,
)

from clew.model import names
from clew.model.types import (
    Column,
    Entity,
    Model,
    Opening,
    Operation,
    Relation,
    RelationKind,
    Through,
    ValueType,
    WriteKind,
)
from clew.model.writing import can_increase, is_free_link, is_required, owner_of, unique_keys
from clew.schema.objects import InputType, ObjectType

_Inputs = dict[str, GraphQLInputField]
_Made = TypeVar("_Made")


class Builder(Protocol):
    """The parts of the schema's builder that these types need."""

    model: Model
    entities: list[Entity]
    openings: Mapping[str, Opening]
    objects: dict[str, GraphQLObjectType | GraphQLInterfaceType]
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


def _once(make: Callable[[WriteTypes, Entity], _Made]) -> Callable[[WriteTypes, Entity], _Made]:
    """Make the result once for each entity, because several fields and types ask for it."""

    def made(types: WriteTypes, entity: Entity) -> _Made:
        key = (make.__name__, entity.name)
        if key not in types.made:
            types.made[key] = make(types, entity)
        result: _Made = types.made[key]
        return result

    return made


class WriteTypes:
    """Makes the types for writing, each once, when a field first needs it."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._inputs: dict[str, GraphQLInputObjectType] = {}
        self._enums: dict[str, GraphQLEnumType] = {}
        self._bulks: dict[str, GraphQLObjectType] = {}
        self.made: dict[tuple[str, str], Any] = {}

    # --- root fields ------------------------------------------------------------------

    def fields(self) -> dict[str, GraphQLField]:
        """Return the generated fields of Mutation that the roles may use."""
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
            # Never null: a row that the viewer may not read is not written.
            type_ = GraphQLNonNull(one)
        return self._builder.generated(type_, self._arguments(entity, kind), description=_describe(entity, kind))

    def _arguments(self, entity: Entity, kind: WriteKind) -> dict[str, GraphQLArgument]:
        many = GraphQLArgument(GraphQLNonNull(GraphQLList(GraphQLNonNull(self._create_input(entity)))))
        every = GraphQLArgument(
            GraphQLBoolean, description="Set true if all rows are meant, without a `where` or with an empty one."
        )
        where = GraphQLArgument(self._builder.filters[entity.name], description="The rows to write.")
        match kind:
            case WriteKind.CREATE:
                return {"input": GraphQLArgument(GraphQLNonNull(self._create_input(entity)))}
            case WriteKind.CREATE_MANY:
                return {"inputs": many}
            case WriteKind.UPDATE:
                arguments = {**self._key_arguments(entity), **self._change_arguments(entity)}
                readable = self._builder.openings[entity.name].fields
                if any(column.version and column.name in readable for column in entity.columns):
                    arguments["ifVersion"] = GraphQLArgument(
                        GraphQLInt, description="Write only if the row still has this version; otherwise CONFLICT."
                    )
                return arguments
            case WriteKind.UPDATE_WHERE:
                return {"where": where, **self._change_arguments(entity), "all": every}
            case WriteKind.UPDATE_EACH:
                updates = GraphQLNonNull(GraphQLList(GraphQLNonNull(self._update_input(entity))))
                return {"updates": GraphQLArgument(updates, description="The key of each row, and its changes.")}
            case WriteKind.UPSERT | WriteKind.UPSERT_MANY:
                inputs = many
                if kind is WriteKind.UPSERT:
                    inputs = GraphQLArgument(GraphQLNonNull(self._create_input(entity)))
                update = GraphQLList(GraphQLNonNull(self._field_enum(entity)))
                return {
                    "input" if kind is WriteKind.UPSERT else "inputs": inputs,
                    "on": GraphQLArgument(
                        GraphQLNonNull(self._key_enum(entity)), description="The unique key that identifies the row."
                    ),
                    "update": GraphQLArgument(
                        update, description="The fields to change if the row exists. Default: all given fields."
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

    @_once
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
        return self._input(f"{entity.name}SetInput", lambda: self._set_fields(entity), "New values.")

    @_once
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
                and self._can_change(entity, relation)
                and (nested := self._nested(entity, relation, updates, setting=True))
            ):
                fields[name] = GraphQLInputField(nested)
        return fields

    def _can_change(self, entity: Entity, relation: Relation) -> bool:
        """Return whether an existing row can get another to-one. A to-many is no part of its row's key."""
        own = entity.own_key(relation.name)
        # The row keeps the columns that the to-one shares, so a difference is an error, which tells their values.
        shared = (column for column in entity.columns if column.name in entity.shared_key(relation.name))
        kept = (c.name for c in shared if c.preset is None or Operation.UPDATE not in c.preset.on)
        readable = self._builder.openings[entity.name].fields.issuperset(kept)
        return readable and not set(own) & set(entity.primary_key)

    @_once
    def _changes(self, entity: Entity) -> _Inputs:
        """Return `set`, `inc` and `append`, as far as the roles have them."""
        changes: _Inputs = {}
        if self._set_fields(entity):
            changes["set"] = GraphQLInputField(self._set_input(entity), description="New values.")
        # The result of `inc` or `append` would reveal a value that the roles cannot read.
        readable = self._builder.openings[entity.name].fields
        columns = [column for column in self._updates(entity) if column.name in readable]
        for name, suffix, suited, description in (
            ("inc", "IncInput", can_increase, "Numbers to add."),
            ("append", "AppendInput", _is_list, "Items to add at the end of lists."),
        ):
            fields = {
                c.name: GraphQLInputField(self._builder.nullable_input_type(c.type)) for c in columns if suited(c)
            }
            if fields:
                changes[name] = GraphQLInputField(
                    self._input(f"{entity.name}{suffix}", _constant(fields), description), description=description
                )
        return changes

    def _updates(self, entity: Entity) -> list[Column]:
        """Return the columns that the roles may update."""
        updates = self._builder.openings[entity.name].updates or frozenset()
        return [c for c in entity.columns if c.name in updates and c.name not in entity.primary_key]

    def _update_input(self, entity: Entity) -> GraphQLInputObjectType:
        def fields() -> _Inputs:
            input_type = self._builder.nullable_input_type
            keys = {c.name: GraphQLInputField(GraphQLNonNull(input_type(c.type))) for c in entity.key_columns}
            return {**keys, **self._changes(entity)}

        return self._input(f"{entity.name}UpdateInput", fields, f"The key of a {entity.name}, and its changes.")

    # --- nested -----------------------------------------------------------------------

    def _nested(
        self, entity: Entity, relation: Relation, held: frozenset[str], *, setting: bool = False
    ) -> GraphQLInputObjectType | None:
        """Return the input type of a relation, or None if it takes none. `held` are the fields that a rule allows."""
        if relation.target not in self._builder.openings:
            return None
        other = self._builder.model.entity(relation.target)
        if relation.kind is RelationKind.TO_ONE:
            return self._one_input(other) if relation.name in held else None
        is_read = relation.name in self._builder.openings[entity.name].fields
        if other.view_sql is not None or not (is_read or relation.name in held):
            return None
        ways = self._owned(relation) if relation.through is None else self._linked(relation, relation.through, held)
        if not setting:
            ways &= {"create", "connect"}
        elif not is_read:
            # The roles may not learn which rows belong to this list.
            ways -= {"disconnect", "update", "delete"}
        return self._many_input(entity, relation, other, ways, setting=setting)

    def _owned(self, relation: Relation) -> set[str]:
        """Return the ways to write rows that hold the key of this row. Their own rules apply."""
        target = self._builder.model.entity(relation.target)
        opening = self._builder.openings[target.name]
        owner = owner_of(self._builder.model, relation)
        key = [column for column in target.columns if column.name in owner.key]
        ways = {"update", "delete"}
        # A preset may fill the key too. It must then agree with the row that the new row is nested in.
        if all(c.preset or c.hidden or c.name in (opening.creates or ()) for c in key):
            ways.add("create")
        updates = opening.updates or frozenset[str]()
        if updates.issuperset(target.own_key(owner.name)) and self._can_change(target, owner):
            ways.add("connect")
        if (emptied := target.emptied(owner.name)) and updates.issuperset(emptied):
            ways.add("disconnect")
        return ways

    def _linked(self, relation: Relation, through: Through, held: frozenset[str]) -> set[str]:
        """Return the ways to write the rows of a many-to-many. The link's own rules apply, or else the field's."""
        link = self._builder.model.entity(through.entity)
        ways = {"create", "connect", "disconnect", "update", "delete"}
        if is_free_link(link):
            return ways if relation.name in held else set()
        opening = self._builder.openings.get(link.name)
        if opening is None:
            return set()
        if opening.creates is None:
            ways -= {"create", "connect"}
        if not opening.deletes:
            ways -= {"disconnect", "delete"}
        return ways

    def _one_input(self, target: Entity) -> GraphQLInputObjectType | None:
        def fields() -> _Inputs:
            ways: _Inputs = {}
            if self._can_create(target):
                ways["create"] = GraphQLInputField(self._create_input(target), description="A new row.")
            if unique := self._unique_input(target):
                ways["connect"] = GraphQLInputField(unique, description="An existing row, by a key.")
            return ways

        if not fields():
            return None
        description = f"A new or an existing {target.name}."
        return self._input(f"{target.name}OneInput", fields, description, one_of=True)

    def _many_input(
        self, entity: Entity, relation: Relation, target: Entity, ways: set[str], *, setting: bool
    ) -> GraphQLInputObjectType | None:
        unique = self._unique_input(target)
        if not self._can_create(target):
            ways = ways - {"create"}
        if unique is None:
            ways = ways & {"create"}
        opening = self._builder.openings[target.name]
        if not self._has_key(target) or not (opening.updates or frozenset()) - set(target.primary_key):
            ways = ways - {"update"}
        if not opening.deletes:
            ways = ways - {"delete"}
        if not ways:
            return None

        def fields() -> _Inputs:
            items: dict[str, GraphQLInputObjectType | None] = {
                "create": self._create_input(target),
                "update": self._update_input(target),
            }
            return {
                way: GraphQLInputField(
                    GraphQLList(GraphQLNonNull(items.get(way) or unique)),
                    description=description,
                )
                for way, description in _WAYS.items()
                if way in ways
            }

        name = names.nested_type(entity.name, relation.name, setting=setting)
        what = "Changes of" if setting else "The first rows of"
        return self._input(name, fields, f"{what} {entity.name}.{relation.name}.")

    def _can_create(self, target: Entity) -> bool:
        return target.view_sql is None and bool(self._builder.openings[target.name].creates)

    # --- keys -------------------------------------------------------------------------

    @_once
    def _keys(self, entity: Entity) -> dict[str, tuple[str, ...]]:
        """Return the unique keys that the roles may read."""
        fields = self._builder.openings[entity.name].fields
        return {name: key for name, key in unique_keys(entity).items() if key and fields.issuperset(key)}

    @_once
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
                "count": GraphQLField(GraphQLNonNull(GraphQLInt), description="The number of rows written."),
                "rows": GraphQLField(GraphQLNonNull(GraphQLList(row)), description="The rows."),
            }
            self._bulks[entity.name] = ObjectType(
                f"{entity.name}Bulk", fields, description=f"The result of writing several {entity.name}."
            )
        return self._bulks[entity.name]

    def _input(
        self, name: str, fields: Callable[[], _Inputs], description: str, *, one_of: bool = False
    ) -> GraphQLInputObjectType:
        if name not in self._inputs:
            self._inputs[name] = InputType(name, fields, description=description, is_one_of=one_of)
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


# The ways to write the rows of a to-many.
_WAYS = {
    "create": "New rows.",
    "connect": "Existing rows, by a key.",
    "disconnect": "Rows to remove from this list.",
    "update": "Changes of rows of this list.",
    "delete": "Rows of this list to delete.",
}

_DESCRIPTIONS = {
    WriteKind.CREATE: "Create one {}.",
    WriteKind.CREATE_MANY: "Create several {}, in the order of the inputs.",
    WriteKind.UPDATE: "Change one {}, and return it, or null if there is none.",
    WriteKind.UPDATE_WHERE: "Change all {} that match `where`.",
    WriteKind.UPDATE_EACH: "Change several {}, each in its own way.",
    WriteKind.UPSERT: "Create one {}, or change the one that has its key.",
    WriteKind.UPSERT_MANY: "Create several {}, or change those that have their keys.",
    WriteKind.DELETE: "Delete one {}, and return it, or null if there is none.",
    WriteKind.DELETE_WHERE: "Delete all {} that match `where`.",
    WriteKind.RESTORE: "Restore one deleted {}, and the rows that were deleted with it.",
}


def _describe(entity: Entity, kind: WriteKind) -> str:
    return _DESCRIPTIONS[kind].format(entity.name)
