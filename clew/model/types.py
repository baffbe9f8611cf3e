"""The model: the SDL, resolved, checked and frozen.

Every later stage (schema, plan, tables, migrations, live, jobs) reads the model and
nothing else of the SDL. Entities refer to one another by name, through `Model.entities`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from graphql import (
    FieldDefinitionNode,
    TypeDefinitionNode,
)

from clew.errors import Location
from clew.model.names import change_field, mutation_fields

# A constant of the SDL as plain Python: None, bool, int, float, str, list, dict.
# Enum values are strings, as are names.
Constant = Any


class FieldKind(StrEnum):
    """The results that a generated field can give over an entity's rows. The value is the field's suffix."""

    LIST = ""
    CONNECTION = "Connection"
    AGGREGATE = "Aggregate"
    GROUPS = "Groups"


class Operation(StrEnum):
    """An operation that a rule allows (docs/access.md)."""

    CREATE = "CREATE"
    READ = "READ"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    EXPORT = "EXPORT"


@dataclass(frozen=True, slots=True)
class EnumValue:
    name: str
    description: str | None = None
    deprecation_reason: str | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum of the SDL. `native` is the SQL name of an existing Postgres enum type, if mapped."""

    name: str
    values: tuple[EnumValue, ...]
    description: str | None = None
    native: str | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of a column's value.

    `name` is the GraphQL name of the scalar or enum (of one item, for a list);
    `sql` is the exact Postgres type of one item: `uuid`, `text`, `numeric(10,2)`.
    """

    name: str
    sql: str
    is_enum: bool = False
    is_list: bool = False
    item_nullable: bool = False

    @property
    def item(self) -> ValueType:
        """The type of one item of a list. A type that is not a list returns itself."""
        return ValueType(self.name, self.sql, self.is_enum) if self.is_list else self


@dataclass(frozen=True, slots=True)
class Default:
    """A column's default: a typed constant, or an SQL expression (exactly one is set)."""

    value: Constant = None
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint. `pattern` is a regular expression the column must match (`~`)."""

    pattern: str | None = None
    sql: str | None = None
    message: str | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Preset:
    """A value that the server fills; one of `claim`, `value` and `sql` is set."""

    on: tuple[Operation, ...]
    claim: str | None = None
    value: Constant = None
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """An SQL expression over the row's own columns. `stored`: a generated column."""

    sql: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class AllowRule:
    """`@allow` (docs/access.md). `fields` is None for all fields; `where`/`check` are None without a condition.

    `where` and `check` are filter objects as constants. They still hold `"$auth.x"`, `"$now"`,
    `"$row.x"` and `{is: name}`.
    """

    roles: tuple[str, ...]
    to: frozenset[Operation]
    where: Constant = None
    check: Constant = None
    fields: frozenset[str] | None = None
    limit: int | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class GuardRule:
    """`@guard`: a condition that is AND-ed to every rule of its type."""

    to: frozenset[Operation]
    where: Constant = None
    check: Constant = None
    binds_admin: bool = False
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of an entity that holds a value: declared, computed, or a to-one's scalar key.

    `name` is the API name, `column` the SQL name. If the column was made for a to-one's key
    (`authorId`), `relation` names that to-one (`author`).
    """

    name: str
    column: str
    type: ValueType
    nullable: bool = True
    default: Default | None = None
    identity: bool = False
    uuid_key: bool = False
    computed: Computed | None = None
    checks: tuple[Check, ...] = ()
    hidden: bool = False
    created_at: bool = False
    updated_at: bool = False
    version: bool = False
    soft_delete: bool = False
    preset: Preset | None = None
    relation: str | None = None
    renamed_from: str | None = None
    allow: tuple[AllowRule, ...] = ()
    description: str | None = None
    deprecation_reason: str | None = None
    location: Location | None = None


class RelationKind(StrEnum):
    TO_ONE = "TO_ONE"  # this row holds the key
    REVERSE_ONE = "REVERSE_ONE"  # the other row holds a unique key
    TO_MANY = "TO_MANY"
    MANY_TO_MANY = "MANY_TO_MANY"


class OnDelete(StrEnum):
    RESTRICT = "RESTRICT"
    CASCADE = "CASCADE"
    SET_NULL = "SET_NULL"
    NO_ACTION = "NO_ACTION"


@dataclass(frozen=True, slots=True)
class Through:
    """The link of a many-to-many: `entity` has a to-one to each end.

    `local` are pairs (column of this entity, column of the link). `remote` are pairs
    (column of the link, column of the target). All are SQL names.
    """

    entity: str
    local: tuple[tuple[str, str], ...]
    remote: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A field of an entity that leads to other rows.

    `on` are pairs (SQL column of this entity, SQL column of the target), joined by
    equality. It is empty for many-to-many, whose pairs are in `through`.
    `key` are the API names of this entity's columns that hold a TO_ONE's key.
    `inverse` names the to-one on the target (`from:`) that a reverse relation belongs to.
    `message` of a to-one is for clients whose key leads to no row.
    """

    name: str
    target: str
    kind: RelationKind
    nullable: bool = True
    on: tuple[tuple[str, str], ...] = ()
    through: Through | None = None
    key: tuple[str, ...] = ()
    inverse: str | None = None
    on_delete: OnDelete = OnDelete.NO_ACTION
    message: str | None = None
    hidden: bool = False
    renamed_from: str | None = None
    allow: tuple[AllowRule, ...] = ()
    description: str | None = None
    deprecation_reason: str | None = None
    location: Location | None = None

    @property
    def to_many(self) -> bool:
        return self.kind in (RelationKind.TO_MANY, RelationKind.MANY_TO_MANY)


@dataclass(frozen=True, slots=True)
class RowArgument:
    """`@row` on an argument: a key of `entity` on which the viewer must hold `to`."""

    argument: str
    entity: str
    to: Operation


@dataclass(frozen=True, slots=True)
class ResolverField:
    """A field of an entity that a Python function resolves.

    `type` is the name of its type, without lists. `requires` are API names of the entity's columns.
    """

    name: str
    node: FieldDefinitionNode
    type: str
    requires: tuple[str, ...] = ()
    allow: tuple[AllowRule, ...] = ()
    rows: tuple[RowArgument, ...] = ()
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique constraint. `columns` are API names; they are empty for an `sql` expression.

    `lookup` is the generated query field (`userByEmail`), or None if there is none. `deferrable`: it is
    checked at the end of a root field. `message` is for clients.
    """

    name: str
    columns: tuple[str, ...]
    where: str | None = None
    sql: str | None = None
    lookup: str | None = None
    deferrable: bool = False
    location: Location | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """`@index`. `columns` are API names. `using` is an access method such as `btree` or `gin`."""

    columns: tuple[str, ...]
    using: str | None = None
    where: str | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class SearchField:
    """One field of the generated tsvector: its API name, and its weight from A to D."""

    column: str
    weight: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A `@table` or `@view` type.

    `single` and `plural` are the API's root fields (`agentRun`, `agentRuns`). `columns`
    are in SDL order; a to-one's scalar key stands at the place of its relation.
    `primary_key` are API names of columns. It is empty for a view without a key. `without` names the kinds of
    generated fields that the API leaves out (`@table(without:)`).
    `is_job`: the rows are jobs, which only Clew itself writes. `variants` are the hidden to-ones from an interface over
    jobs to each of its types; such an entity is an interface in the API.
    """

    name: str
    table: str
    schema: str | None = None
    single: str
    plural: str
    without: frozenset[str] = frozenset()
    columns: tuple[Column, ...]
    relations: tuple[Relation, ...] = ()
    resolvers: tuple[ResolverField, ...] = ()
    fields: tuple[str, ...] = ()  # API names of columns, relations and resolvers in SDL order
    primary_key: tuple[str, ...] = ()
    uniques: tuple[UniqueKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    search: tuple[SearchField, ...] = ()
    view_sql: str | None = None
    generated_link: bool = False
    is_job: bool = False
    variants: tuple[str, ...] = ()
    renamed_from: str | None = None
    allow: tuple[AllowRule, ...] = ()
    guards: tuple[GuardRule, ...] = ()
    predicates: Mapping[str, Constant] = field(default_factory=dict)  # @is
    description: str | None = None
    location: Location | None = None
    _column: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)
    _by_sql: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)
    _relation: dict[str, Relation] = field(init=False, repr=False, compare=False, default_factory=dict)
    _own_keys: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _resolver: dict[str, ResolverField] = field(init=False, repr=False, compare=False, default_factory=dict)
    _many: dict[str, tuple[Relation, FieldKind]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._column.update((column.name, column) for column in self.columns)
        self._by_sql.update((column.column, column) for column in self.columns)
        self._relation.update((relation.name, relation) for relation in self.relations)
        self._resolver.update((resolver.name, resolver) for resolver in self.resolvers)
        self._own_keys.update((relation.name, self._own_key(relation)) for relation in self.relations)
        for relation in self.relations:
            if relation.to_many:
                for kind in (FieldKind.LIST, FieldKind.CONNECTION, FieldKind.AGGREGATE):
                    self._many.setdefault(relation.name + kind, (relation, kind))

    def column(self, name: str) -> Column | None:
        """Return the column with this API name."""
        return self._column.get(name)

    def column_by_sql(self, name: str) -> Column | None:
        """Return the column with this SQL name."""
        return self._by_sql.get(name)

    def relation(self, name: str) -> Relation | None:
        return self._relation.get(name)

    def own_key(self, name: str) -> tuple[str, ...]:
        """Return the columns of a to-one's key that the to-one does not share, or all of them if it shares all.

        Only these change when an existing row gets another to-one. The other columns belong to another to-one, to
        several, or to the row's own key.
        """
        return self._own_keys[name]

    def shared_key(self, name: str) -> tuple[str, ...]:
        """Return the other columns of a to-one's key."""
        own = self._own_keys[name]
        return tuple(column for column in self._relation[name].key if column not in own)

    def emptied(self, name: str) -> tuple[str, ...]:
        """Return the columns of a to-one's key that become null when the to-one leads nowhere any more.

        One null is enough: a key that is null in part leads nowhere. It is empty if no column can be null.
        """
        nullable = tuple(column for column in self._own_keys[name] if self._column[column].nullable)
        alone = tuple(column for column in nullable if self._uses(column) == 1)
        return alone or nullable

    def _uses(self, column: str) -> int:
        """Return how many to-ones have a column in their key."""
        return sum(column in relation.key for relation in self.relations)

    def _own_key(self, relation: Relation) -> tuple[str, ...]:
        # A rule of the model reports key columns that clash with others and were not made.
        key = [self._column[name] for name in relation.key if name in self._column]
        made = tuple(column.name for column in key if column.relation == relation.name)
        alone = (c.name for c in key if self._uses(c.name) == 1 and c.name not in self.primary_key)
        return made or tuple(alone) or relation.key

    def resolver(self, name: str) -> ResolverField | None:
        return self._resolver.get(name)

    def many(self, name: str) -> tuple[Relation, FieldKind] | None:
        """Return the to-many behind a field such as `comments`, `commentsConnection` or `commentsAggregate`."""
        return self._many.get(name)

    def brings(self, kind: FieldKind | WriteKind) -> bool:
        """Return whether the API has the generated fields of this kind over the entity's rows."""
        names = {kind.name}
        if isinstance(kind, WriteKind):
            # An upsert of several rows is both.
            names = {name for name, is_one in (("BULK", kind.bulk), ("UPSERT", kind.upserts)) if is_one}
        return self.without.isdisjoint(names)

    @property
    def is_live(self) -> bool:
        """Whether Subscription has the fields of Query over the entity's rows."""
        return "LIVE" not in self.without

    @property
    def has_changes(self) -> bool:
        """Whether Subscription has the entity's change events. No trigger can watch a view."""
        return self.logged and bool(self.primary_key) and not self.is_job

    @property
    def logged(self) -> bool:
        """Whether the change log has the changes of its rows. A view has no log of its own: its tables have.

        Without the log the entity has no subscriptions, and no `@on`.
        """
        return self.view_sql is None and "LIVE" not in self.without

    @property
    def is_writable(self) -> bool:
        """Whether clients may write rows, under its rules."""
        return self.view_sql is None and not self.is_job

    @property
    def key_columns(self) -> tuple[Column, ...]:
        return tuple(self._column[name] for name in self.primary_key)

    @property
    def soft_delete(self) -> Column | None:
        return next((column for column in self.columns if column.soft_delete), None)


@dataclass(frozen=True, slots=True)
class Job:
    """`@job` on a Mutation field. `retries` counts runs after the first; `timeout` is in seconds.

    `concurrency` bounds how many run at once, `rate` how many start in a minute: of all jobs of the field, or of those
    with the same values of the arguments in `key`.
    `allow` are the rules of `extend type SummarizeJob @allow(...)`.
    """

    queue: str
    retries: int
    timeout: float | None
    priority: int
    unique: tuple[str, ...] = ()
    run_at: str | None = None
    concurrency: int | None = None
    rate: int | None = None
    key: tuple[str, ...] = ()
    allow: tuple[AllowRule, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that the user added to Query, Mutation or Subscription."""

    parent: str
    name: str
    node: FieldDefinitionNode
    allow: tuple[AllowRule, ...] = ()
    rows: tuple[RowArgument, ...] = ()
    job: Job | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class ChangeTrigger:
    """`@on`: runs a `@job` field when rows of `model` change."""

    model: str
    events: tuple[str, ...]
    run: str
    when: Constant = None
    payload: str | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class CronTrigger:
    """`@cron`: runs a `@job` field on a schedule of five cron fields."""

    schedule: str
    run: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class RootField:
    """A generated field of Query. `unique` is the key of its one row, or None for a field over many rows."""

    entity: Entity
    kind: FieldKind = FieldKind.LIST
    unique: tuple[str, ...] | None = None


class WriteKind(StrEnum):
    """The write that a generated field of Mutation does."""

    CREATE = "CREATE"
    CREATE_MANY = "CREATE_MANY"
    UPDATE = "UPDATE"
    UPDATE_WHERE = "UPDATE_WHERE"
    UPDATE_EACH = "UPDATE_EACH"
    UPSERT = "UPSERT"
    UPSERT_MANY = "UPSERT_MANY"
    DELETE = "DELETE"
    DELETE_WHERE = "DELETE_WHERE"
    RESTORE = "RESTORE"

    @property
    def bulk(self) -> bool:
        """Whether it returns a count and rows instead of one row."""
        return self in _BULK

    @property
    def upserts(self) -> bool:
        """Whether it creates rows, or changes those that have their keys."""
        return self in (WriteKind.UPSERT, WriteKind.UPSERT_MANY)


_BULK = frozenset(
    {
        WriteKind.CREATE_MANY,
        WriteKind.UPDATE_WHERE,
        WriteKind.UPDATE_EACH,
        WriteKind.UPSERT_MANY,
        WriteKind.DELETE_WHERE,
    }
)


@dataclass(frozen=True, slots=True)
class WriteField:
    """A generated field of Mutation."""

    entity: Entity
    kind: WriteKind


@dataclass(frozen=True, kw_only=True)
class Model:
    """A whole application: entities and enums by name, and the user's own definitions.

    `custom_types` are the definitions of types that are not entities, with their
    extensions merged in and without Clew's directives. `custom_fields` are the fields
    that the user added to the three root types.
    """

    entities: Mapping[str, Entity]
    enums: Mapping[str, Enum] = field(default_factory=dict)
    custom_types: tuple[TypeDefinitionNode, ...] = ()
    custom_fields: tuple[CustomField, ...] = ()
    changes: tuple[ChangeTrigger, ...] = ()
    crons: tuple[CronTrigger, ...] = ()

    def entity(self, name: str) -> Entity:
        """Return the entity with this type name; raise KeyError if there is none."""
        return self.entities[name]

    @cached_property
    def own_entities(self) -> Sequence[Entity]:
        """The entities without those of jobs: one for each `@table` and `@view`, and for each generated link."""
        return [entity for entity in self.entities.values() if not entity.is_job]

    @cached_property
    def references(self) -> Mapping[str, Sequence[tuple[Entity, Relation]]]:
        """The to-ones that lead to an entity, by the entity's name, each with the entity that declares it."""
        references: dict[str, list[tuple[Entity, Relation]]] = {}
        for entity in self.entities.values():
            for relation in entity.relations:
                if relation.kind is RelationKind.TO_ONE:
                    references.setdefault(relation.target, []).append((entity, relation))
        return references

    @cached_property
    def job_fields(self) -> Mapping[str, CustomField]:
        """The `@job` fields of Mutation by name."""
        fields = (custom for custom in self.custom_fields if custom.job is not None)
        return {custom.name: custom for custom in fields if custom.parent == "Mutation"}

    @cached_property
    def interfaces(self) -> Mapping[str, Sequence[str]]:
        """The interfaces that an entity implements, by the entity's name. Most implement none."""
        found: dict[str, list[str]] = {}
        for entity in self.entities.values():
            for relation in map(entity.relation, entity.variants):
                assert relation is not None
                found.setdefault(relation.target, []).append(entity.name)
        return found

    @cached_property
    def linking(self) -> Mapping[tuple[str, str], Sequence[Relation]]:
        """The many-to-many fields over a link, by the link's name and its to-one to the entity that declares them."""
        linking: dict[tuple[str, str], list[Relation]] = {}
        for entity in self.entities.values():
            for relation in entity.relations:
                if relation.through is not None:
                    here = {(theirs, ours) for ours, theirs in relation.through.local}
                    link = self.entity(relation.through.entity)
                    for end in link.relations:
                        if end.kind is RelationKind.TO_ONE and end.target == entity.name and set(end.on) == here:
                            linking.setdefault((link.name, end.name), []).append(relation)
        return linking

    @cached_property
    def root_fields(self) -> Mapping[str, RootField]:
        """The generated fields of Query by name."""
        roots: dict[str, RootField] = {}
        for entity in self.entities.values():
            for kind in filter(entity.brings, FieldKind):
                roots[entity.plural + kind] = RootField(entity, kind)
            if entity.primary_key:
                roots[entity.single] = RootField(entity, unique=entity.primary_key)
            for unique in entity.uniques:
                if unique.lookup:
                    roots[unique.lookup] = RootField(entity, unique=unique.columns)
        return roots

    @cached_property
    def live_fields(self) -> Mapping[str, RootField]:
        """The generated fields of Subscription that are those of Query, by name."""
        return {name: found for name, found in self.root_fields.items() if found.entity.is_live}

    @cached_property
    def change_fields(self) -> Mapping[str, Entity]:
        """The generated fields of Subscription that give change events, by name."""
        return {change_field(entity.single): entity for entity in self.entities.values() if entity.has_changes}

    @cached_property
    def write_fields(self) -> Mapping[str, WriteField]:
        """The generated fields of Mutation by name. Views, jobs and entities without a key have none."""
        fields: dict[str, WriteField] = {}
        for entity in self.entities.values():
            if entity.is_writable and entity.primary_key:
                root_names = mutation_fields(entity.single, entity.plural, entity.soft_delete is not None)
                fields.update(
                    (name, WriteField(entity, kind))
                    for name, kind in zip(root_names, WriteKind, strict=False)
                    if entity.brings(kind)
                )
        return fields


@dataclass(frozen=True, slots=True)
class Opening:
    """The parts of an entity that a role set may ever see or write, whatever its claims.

    `fields` are API names that are open for some row. A visible row may hide those of them
    in `conditional`. `unconditional` is true if every row is visible. `shown` are the to-ones
    that surely lead to a visible row, because the rule of their own row proves it. `creates` and
    `updates` are the fields that may be written, or None without that operation. `deletes` is
    true if rows may be deleted and deleted rows may be asked for.
    """

    fields: frozenset[str]
    conditional: frozenset[str] = frozenset()
    unconditional: bool = False
    shown: frozenset[str] = frozenset()
    creates: frozenset[str] | None = None
    updates: frozenset[str] | None = None
    deletes: bool = False
