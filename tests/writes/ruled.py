"""Random rules for writing on a model, viewers, and random mutations for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNonNull, GraphQLSchema

from clew.model.types import AllowRule, Column, Entity, GuardRule, Model, Operation, Preset, RelationKind
from clew.model.writing import unique_keys
from tests.access.rules import ROLES, _Rules
from tests.properties.models import value_of
from tests.reference import Row, Tables, output

_WRITES = (Operation.CREATE, Operation.UPDATE, Operation.DELETE)
_PRESET_TYPES = frozenset({"String", "Int"})


@dataclass
class WriteRules(_Rules):
    """Rules of which most let something be written."""

    def ruled(self, entity: Entity) -> Entity:
        entity = super().ruled(entity)
        if entity.generated_link and not entity.allow:
            return entity
        rules = entity.allow
        if self.chance(80):
            rules += (AllowRule((self.one(ROLES),), frozenset({Operation.READ})),)
        if self.chance(70):
            rules += (AllowRule(("anon",), frozenset(_WRITES)),) if self.chance(30) else self.allow(entity, 2)
        guards = entity.guards
        if self.chance(12):
            check = self.condition(entity, 1, entity) if self.chance(50) else None
            to = frozenset(self.random.sample(_WRITES, self.random.randint(1, 3)))
            guards += (GuardRule(to, self.condition(entity, 1, entity), check),)
        columns = tuple(self.with_preset(entity, column) for column in entity.columns)
        return replace(entity, allow=rules, guards=guards, columns=columns)

    def with_preset(self, entity: Entity, column: Column) -> Column:
        type_ = column.type
        plain = type_.name in _PRESET_TYPES and not type_.is_list and not column.computed and not column.hidden
        if not plain or column.name in entity.primary_key or not self.chance(6):
            return column
        on = tuple(op for op in (Operation.CREATE, Operation.UPDATE) if self.chance(70)) or (Operation.CREATE,)
        if self.chance(50):
            return replace(column, preset=Preset(on, claim=self.one(("sub", "a"))))
        value = output(type_, value_of(self.random, type_))
        return replace(column, preset=Preset(on, value=value))

    def rule(self, entity: Entity) -> AllowRule:
        names = [column.name for column in entity.columns] + [relation.name for relation in entity.relations]
        to = set(self.random.sample(_WRITES, self.random.randint(1, 3)))
        if self.chance(50):
            to.add(Operation.READ)
        fields = None
        if self.chance(35):
            fields = frozenset(self.some(names)) | (frozenset(names) if self.chance(40) else frozenset())
        return AllowRule(
            roles=self.some(ROLES),
            to=frozenset(to),
            where=None if self.chance(45) else self.condition(entity, 2, entity),
            check=self.alike(entity)
            if self.chance(15)
            else self.condition(entity, 2, entity)
            if self.chance(35)
            else None,
            fields=fields,
        )

    def alike(self, entity: Entity) -> dict[str, Any]:
        """Whether there is, or is not, a row like the one that is written, or a link of it: itself it would be one."""
        known = [c for c in entity.columns if c.type.name not in ("JSON", "Float") and not c.type.is_list]
        asked = {entity.name: {c.name: f"$row.{c.name}" for c in self.random.sample(known, 1)}}
        links = [
            (link, end)
            for link in self.model.entities.values()
            for end in link.relations
            if link.generated_link and end.target == entity.name
        ]
        if links and self.chance(50):
            link, end = self.one(links)
            own, there = ({c.column: c.name for c in columns} for columns in (link.columns, entity.columns))
            asked = {link.name: {own[ours]: f"$row.{there[theirs]}" for ours, theirs in end.on}}
        found: dict[str, Any] = {"not": {"exists": asked}} if self.chance(40) else {"exists": asked}
        to_ones = [relation.name for relation in entity.relations if not relation.to_many]
        return {self.one(to_ones): found} if to_ones and self.chance(25) else found


@dataclass(frozen=True)
class Mutation:
    """One root field: its document and variables, and what it asks for."""

    name: str
    kind: str
    entity: Entity
    arguments: dict[str, Any]
    document: str


@dataclass
class Mutations:
    """Random mutations that a role's schema admits."""

    random: Random
    model: Model
    schema: GraphQLSchema
    tables: Tables

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def draw(self) -> Mutation | None:
        """One mutation, None if the role has none."""
        type_ = self.schema.mutation_type
        if type_ is None:
            return None
        fields = self.model.write_fields
        names = [name for name in type_.fields if name in fields and fields[name].kind.value != "RESTORE"]
        if not names:
            return None
        name = self.random.choice(names)
        entity, kind = fields[name].entity, fields[name].kind.value
        arguments = self.arguments(entity, kind, name)
        if arguments is None:
            return None
        given = type_.fields[name].args
        heads = ", ".join(f"${argument}: {given[argument].type}" for argument in arguments)
        sent = ", ".join(f"{argument}: ${argument}" for argument in arguments)
        selection = "count" if fields[name].kind.bulk else "__typename"
        document = f"mutation({heads}) {{ {name}({sent}) {{ {selection} }} }}"
        return Mutation(name, kind, entity, arguments, document)

    def arguments(self, entity: Entity, kind: str, name: str) -> dict[str, Any] | None:
        several = range(self.random.randint(1, 3))
        match kind:
            case "CREATE":
                return {"input": self.create(entity, 1)}
            case "CREATE_MANY":
                return {"inputs": [self.create(entity, self.random.randrange(2)) for _ in several]}
            case "UPDATE":
                return {**self.key(entity), **self.changes(entity, 1)}
            case "UPDATE_EACH":
                return {"updates": [{**self.key(entity), **self.changes(entity, 0)} for _ in several]}
            case "UPDATE_WHERE":
                where = self.where(entity)
                return None if where is None else {"where": where, **self.changes(entity, 0)}
            case "DELETE":
                return self.key(entity)
            case "DELETE_WHERE":
                where = self.where(entity)
                return None if where is None else {"where": where}
        enum = self.schema.type_map[f"{entity.name}Key"]
        fields = self.schema.type_map[f"{entity.name}Field"]
        assert isinstance(enum, GraphQLEnumType)
        assert isinstance(fields, GraphQLEnumType)
        on = self.random.choice(list(enum.values))
        columns = unique_keys(entity)[on]
        inputs = []
        for _ in several if kind == "UPSERT_MANY" else range(1):
            given = self.create(entity, self.random.randrange(2))
            row = self.row(entity)
            if row is not None and self.chance(70):
                type_ = self.schema.type_map[f"{entity.name}CreateInput"]
                assert isinstance(type_, GraphQLInputObjectType)
                for column in (entity.column(name) for name in columns):
                    if column is not None and column.name in type_.fields and column.relation not in given:
                        given[column.name] = output(column.type, row[column.column])
            inputs.append(given)
        arguments: dict[str, Any] = {"inputs": inputs} if kind == "UPSERT_MANY" else {"input": inputs[0]}
        arguments["on"] = on
        if self.chance(50):
            names = list(fields.values)
            arguments["update"] = self.random.sample(names, self.random.randint(0, len(names)))
        return arguments

    # --- parts ------------------------------------------------------------------------

    def row(self, entity: Entity) -> Row | None:
        rows = self.tables.rows[entity.name]
        return self.random.choice(rows) if rows else None

    def key(self, entity: Entity) -> dict[str, Any]:
        row = self.row(entity)
        if row is None or self.chance(5):
            return {
                column.name: output(column.type, value_of(self.random, column.type)) for column in entity.key_columns
            }
        return {column.name: output(column.type, row[column.column]) for column in entity.key_columns}

    def where(self, entity: Entity) -> dict[str, Any] | None:
        type_ = self.schema.type_map[f"{entity.name}Filter"]
        assert isinstance(type_, GraphQLInputObjectType)
        names = [n for n in ("label", *entity.primary_key) if n in type_.fields]
        if not names:
            return None
        column = entity.column(self.random.choice(names))
        assert column is not None
        rows = [row for row in (self.row(entity) for _ in range(3)) if row is not None]
        return {column.name: {"in": [output(column.type, row[column.column]) for row in rows]}}

    def columns(self, entity: Entity, type_: GraphQLInputObjectType, percent: int) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, item in type_.fields.items():
            column = entity.column(name)
            if column is None:
                continue
            if not isinstance(item.type, GraphQLNonNull) and not self.chance(percent if column.nullable else 90):
                continue
            generated = column.uuid_key or column.identity
            if generated and not self.chance(25):
                continue
            given[name] = self.value(entity, column)
        return given

    def value(self, entity: Entity, column: Column) -> Any:
        if column.nullable and self.chance(12):
            return None
        row = self.row(entity)
        if column.relation is not None:
            # The key of a row that is there, mostly; of one column of it, where it has several.
            relation = entity.relation(column.relation)
            assert relation is not None
            row = self.row(self.model.entity(relation.target))
            remote = dict(relation.on)[column.column]
            if row is not None and self.chance(90):
                return output(column.type, row[remote])
        elif row is not None and self.chance(25):
            return output(column.type, row[column.column])
        return output(column.type, value_of(self.random, column.type))

    def create(self, entity: Entity, depth: int) -> dict[str, Any]:
        type_ = self.schema.type_map[f"{entity.name}CreateInput"]
        assert isinstance(type_, GraphQLInputObjectType)
        given = self.columns(entity, type_, 60)
        self.nest(entity, type_, given, depth, setting=False)
        return given

    def changes(self, entity: Entity, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        type_ = self.schema.type_map.get(f"{entity.name}SetInput")
        if isinstance(type_, GraphQLInputObjectType):
            given = {n: v for n, v in self.columns(entity, type_, 25).items() if self.chance(30)}
            self.nest(entity, type_, given, depth, setting=True)
            found["set"] = given
        type_ = self.schema.type_map.get(f"{entity.name}IncInput")
        if isinstance(type_, GraphQLInputObjectType) and self.chance(20):
            names = [n for n in type_.fields if (c := entity.column(n)) is not None and c.type.sql == "integer"]
            names = [n for n in names if n not in found.get("set", {})]
            if names:
                found["inc"] = {self.random.choice(names): self.random.choice((1, -1))}
        return found

    def nest(
        self, entity: Entity, type_: GraphQLInputObjectType, given: dict[str, Any], depth: int, *, setting: bool
    ) -> None:
        for name in type_.fields:
            relation = entity.relation(name)
            if relation is None or not depth or not self.chance(45):
                continue
            target = self.model.entity(relation.target)
            inner = getattr(type_.fields[name].type, "of_type", type_.fields[name].type)
            assert isinstance(inner, GraphQLInputObjectType)
            if relation.kind is RelationKind.TO_ONE:
                for key in relation.key:
                    given.pop(key, None)
                unique = self.unique(target)
                ways = [way for way in inner.fields if way == "create" or unique is not None]
                if not ways:
                    continue
                way = self.random.choice(ways)
                given[name] = {way: self.create(target, 0) if way == "create" else unique}
                continue
            value: dict[str, Any] = {}
            for way in inner.fields:
                if not self.chance(35) or (relation.through is not None and way not in ("create", "connect")):
                    continue
                items: list[Any] = []
                for _ in range(self.random.choice((1, 1, 2))):
                    if way == "create":
                        items.append(self.child(target, relation.inverse))
                    elif way == "update":
                        items.append({**self.key(target), **self.changes(target, 0)})
                    elif (known := self.unique(target)) is not None:
                        items.append(known)
                value[way] = items
            given[name] = value

    def child(self, target: Entity, inverse: str | None) -> dict[str, Any]:
        given = self.create(target, 0)
        owner = target.relation(inverse) if inverse is not None else None
        if owner is not None and self.chance(97):
            for key in owner.key:
                given.pop(key, None)
        return given

    def unique(self, entity: Entity) -> dict[str, Any] | None:
        type_ = self.schema.type_map.get(f"{entity.name}UniqueInput")
        row = self.row(entity)
        if not isinstance(type_, GraphQLInputObjectType) or row is None:
            return None
        keys = [key for key in unique_keys(entity).values() if set(key) <= set(type_.fields)]
        if not keys:
            return None
        columns = [column for name in self.random.choice(keys) if (column := entity.column(name)) is not None]
        if any(row[column.column] is None for column in columns):
            return None
        return {column.name: output(column.type, row[column.column]) for column in columns}


def write_rules(seed: int, model: Model, tables: Tables) -> tuple[Model, Any]:
    """The model with the rules of this seed, and a viewer who is no admin."""
    rules = WriteRules(Random(seed), model, tables)
    ruled = rules.ruled_model()
    (eyes,) = rules.eyes(1)
    while eyes.viewer.is_admin:
        (eyes,) = rules.eyes(1)
    return ruled, eyes
