"""Rows that a mutation is writing, as its inputs say: values checked and converted, presets filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLEnumType, GraphQLSchema

from clew.engine.keys import Key
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Model, Operation, RelationKind
from clew.plan.types import Claim
from clew.plan.visible import Sight
from clew.sql.arguments import constant_value, usable_claims
from clew.sql.stored import preset_value, stored_value
from clew.viewer import Viewer


@dataclass(slots=True)
class Draft:
    """A row that is being written. `fields` are those that a rule must hold; `place` names it in errors."""

    place: str
    values: dict[str, Any] = field(default_factory=dict)
    increases: dict[str, Any] = field(default_factory=dict)
    appends: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, None] = field(default_factory=dict)
    key: Key = ()
    held: tuple[bool, ...] = ()
    # To-ones that lead to a row which this root field has made, or found readable.
    known: set[str] = field(default_factory=set)

    @property
    def shape(self) -> tuple[tuple[str, ...], ...]:
        """The columns that it writes: rows of one shape are one statement."""
        return tuple(self.values), tuple(self.increases), tuple(self.appends)


# What is nested in the inputs of one level: by the field's name the rows, each with its value.
Nested = dict[str, list[tuple[Draft, Mapping[str, Any]]]]


class InputReader:
    """Reads the inputs of mutations into drafts.

    Args:
        schema: the viewer's, for enums whose values the application has bound.
    """

    def __init__(self, model: Model, schema: GraphQLSchema, viewer: Viewer, sight: Sight) -> None:
        self._model = model
        self._schema = schema
        self._viewer = viewer
        self._sight = sight

    def take(
        self,
        entity: Entity,
        draft: Draft,
        given: Mapping[str, Any],
        nested: Nested,
        prefix: str = "",
    ) -> None:
        """Read one input: columns into the draft, relations into `nested`."""
        for name, value in given.items():
            place = f"{draft.place}.{prefix}{name}" if draft.place else f"{prefix}{name}"
            column = entity.column(name)
            if column is not None:
                draft.values[name] = self.stored(column, value, place)
                draft.fields[name] = None
                continue
            relation = entity.relation(name)
            assert relation is not None, place
            if value is None:
                raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
            if relation.kind is RelationKind.TO_ONE:
                if any(key in given for key in relation.key):
                    raise ClewError(f"`{place}` and its key are both given.", hint="Give one of the two.")
                if len(value) != 1 or next(iter(value.values())) is None:
                    raise ClewError(f"`{place}` takes create or connect.")
                draft.fields.update(dict.fromkeys(relation.key))
            elif relation.through is not None and is_free_link(self._model.entity(relation.through.entity)):
                draft.fields[name] = None
            nested.setdefault(name, []).append((draft, value))

    def fill(self, entity: Entity, draft: Draft, values: Mapping[str, Any]) -> None:
        """Give a new row what the one that it is nested in says."""
        for name, value in values.items():
            if name in draft.fields:
                column = column_of(entity, name)
                given = name if name in draft.values or column.relation is None else column.relation
                raise ClewError(f"`{draft.place}.{given}` is given by what it is nested in.", hint="Leave it out.")
            draft.values[name] = value
            draft.fields[name] = None
        # That row is there and readable, or will be, or nothing is written.
        draft.known.update(r.name for r in entity.relations if r.key and values.keys() >= set(r.key))

    def changes(self, entity: Entity, arguments: Mapping[str, Any], prefix: str, *, place: str | None = None) -> Draft:
        """`set`, `inc` and `append` but for what is nested in `set`."""
        draft = Draft(prefix.rstrip(".") if place is None else place)
        where = f"{prefix}set." if place is None else f"{place}."
        for name, value in (arguments.get("set") or {}).items():
            column = entity.column(name)
            if column is not None:
                draft.values[name] = self.stored(column, value, where + name)
                draft.fields[name] = None
        for argument, target in (("inc", draft.increases), ("append", draft.appends)):
            for name, value in (arguments.get(argument) or {}).items():
                here = f"{prefix}{argument}.{name}"
                if value is None:
                    raise ClewError(f"`{here}` must not be null.", hint="Leave it out.")
                if name in draft.fields:
                    raise ClewError(f"`{here}` is changed in another way too.", hint="Change it in one way.")
                target[name] = self.stored(column_of(entity, name), value, here)
                draft.fields[name] = None
        return draft

    def preset(self, entity: Entity, draft: Draft, operation: Operation) -> None:
        """Fill what @preset gives by claim or value; a parent's value must agree with it."""
        for column in entity.columns:
            preset = column.preset
            if preset is None or operation not in preset.on or preset.sql is not None:
                continue
            if self._sight.admin and column.name in draft.values:
                continue
            value: Any = None
            if preset.claim is not None:
                claim = Claim(tuple(preset.claim.removeprefix("$auth.").split(".")), column.type)
                found = usable_claims([claim], {**self._viewer.claims, "sub": self._viewer.id})
                if claim not in found:
                    if self._sight.admin:
                        continue
                    raise forbidden()
                value = preset_value(column, found[claim])
            else:
                value = preset_value(column, constant_value(preset.value, column.type))
            if column.name in draft.values and draft.values[column.name] != value:
                raise forbidden()
            draft.values[column.name] = value
            draft.fields.pop(column.name, None)

    def key(self, entity: Entity, given: Mapping[str, Any], prefix: str = "") -> Key:
        """The primary key among what is given; `prefix` names where that is."""
        return tuple(self.stored(column, given[column.name], f"{prefix}{column.name}") for column in entity.key_columns)

    def unique(self, columns: Sequence[Column], given: Mapping[str, Any], place: str) -> Key:
        """The values of a unique key's columns.

        Raises:
            ClewError: BAD_USER_INPUT if one is missing or null.
        """
        missing = [column.name for column in columns if given.get(column.name) is None]
        if missing:
            raise ClewError(f"`{place}.{missing[0]}` is required: it is part of the key.")
        return tuple(self.stored(column, given[column.name], f"{place}.{column.name}") for column in columns)

    def stored(self, column: Column, value: Any, place: str) -> Any:
        """What is bound for a column; see `stored_value`."""
        enum = self._schema.type_map.get(column.type.name) if column.type.is_enum else None
        assert enum is None or isinstance(enum, GraphQLEnumType)
        return stored_value(column, value, place, enum)


def sql_presets(entity: Entity, operation: Operation, drafts: Sequence[Draft]) -> list[tuple[Column, str]]:
    """The columns that @preset fills by SQL, but for those that an admin gives, or a row's parent."""
    names = {name for draft in drafts for name in (*draft.values, *draft.increases, *draft.appends)}
    return [
        (column, column.preset.sql)
        for column in entity.columns
        if column.preset and column.preset.sql and operation in column.preset.on and column.name not in names
    ]


def forbidden() -> ClewError:
    """No rule allows it; which one would is not told."""
    return ClewError("This is not allowed.", code=Code.FORBIDDEN)


def column_of(entity: Entity, name: str) -> Column:
    """A column that the entity is known to have."""
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column


def is_free_link(link: Entity) -> bool:
    """Whether a link is written under the rules of the field that it is written from: it has none of its own."""
    return link.generated_link and not link.allow
