"""Read inputs into drafts: check and convert their values, and fill in presets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema

from clew.access.sight import Sight
from clew.access.types import Claim
from clew.database.violations import ViolationError, known
from clew.errors import ClewError
from clew.model.types import Column, Entity, Model, Operation, Preset, RelationKind
from clew.model.writing import is_free_link, is_required
from clew.sql.arguments import constant_value, usable_claims
from clew.sql.constraints import Kind
from clew.sql.keys import Key
from clew.sql.stored import Storing, preset_value, storing
from clew.viewer import Viewer
from clew.writes.errors import ForbiddenError
from clew.writes.types import Draft, Nested, Source
from clew.writes.witness import Phase, Refusal

# The extension of a schema that holds the converters of its entities' fields, by the names of both.
_STORINGS = "clew.storings"


class InputReader:
    """Read the inputs of mutations into drafts.

    Args:
        schema: the schema of the viewer. Errors name only what is in it. Its enums have the application's own values.
    """

    def __init__(self, model: Model, schema: GraphQLSchema, viewer: Viewer, sight: Sight) -> None:
        self._model = model
        self._schema = schema
        self._viewer = viewer
        self._sight = sight
        self._fields: dict[tuple[frozenset[str], tuple[str, ...]], frozenset[str]] = {}
        # They depend on the schema alone, so it keeps them for all operations.
        self._storings: dict[str, dict[str, Storing | None]] = schema.extensions.setdefault(_STORINGS, {})

    def take(
        self,
        entity: Entity,
        draft: Draft,
        given: Mapping[str, Any],
        nested: Nested,
        *,
        is_new: bool = True,
    ) -> None:
        """Read one input: columns into the draft, relations into `nested`.

        Args:
            is_new: whether the row is new. An existing row keeps the columns that a to-one shares.
        """
        storings, values = self._storing(entity), draft.values
        relations: list[tuple[str, Any]] = []
        for name, value in given.items():
            stored = storings[name]
            if stored is None:
                relations.append((name, value))
                continue
            try:
                values[name] = stored(value, name)
            except ClewError:
                # Work out the full place only for an error.
                stored(value, draft.at(name))
                raise
        self._add_fields(draft, tuple(values))
        if relations:
            self.refuse_twice_given(entity, given, draft.at(""))
        for name, value in relations:
            place = draft.at(name)
            relation = entity.relation(name)
            assert relation is not None, place
            if value is None:
                raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
            if relation.kind is RelationKind.TO_ONE:
                if len(value) != 1 or next(iter(value.values())) is None:
                    raise ClewError(f"`{place}` takes create or connect.")
                self._add_fields(draft, relation.key if is_new else entity.own_key(name))
            elif relation.through is not None and is_free_link(self._model.entity(relation.through.entity)):
                self._add_fields(draft, (name,))
            nested.setdefault(name, []).append((draft, value))

    def refuse_twice_given(self, entity: Entity, given: Mapping[str, Any], prefix: str) -> None:
        """Refuse an input that sets both a to-one and its key.

        Args:
            prefix: stands before the names of fields in errors.
        """
        for name in given:
            relation = entity.relation(name)
            if relation is not None and relation.key and all(key in given for key in entity.own_key(name)):
                raise ClewError(f"`{prefix}{name}` and its key are both set.", hint="Use only one of them.")

    def take_key(self, entity: Entity, draft: Draft, source: Source, given: Collection[str] = ()) -> None:
        """Fill columns of a draft with the key of another row, now or once that row has a key.

        Args:
            given: the names of the fields in the draft's input.

        Raises:
            ClewError: BAD_USER_INPUT if the input sets a column that the row around it fills, or if `inc` changes a
                column that a to-one fills. Further errors are those of `settle`.
        """
        names = tuple(name for name, _ in source.columns)
        if source.field is None:
            # The input may also set a shared column of the to-one, but only to the same value.
            filled = (name for to_one in source.to_ones for name in (to_one, *entity.own_key(to_one)))
            for name in filled:
                if name in given:
                    raise ClewError(f"`{draft.at(name)}` is set by the row around it.", hint="Leave it out.")
            self._add_fields(draft, names)
        else:
            for name in names:
                if name in draft.increases:
                    place = draft.at(source.field)
                    raise ClewError(f"`{place}` and inc both set {name}.", hint="Use only one of them.")
        draft.to_ones |= source.to_ones
        if source.row.key:
            self._settle(entity, draft, source)
        else:
            draft.sources += (source,)

    def kept(self, entity: Entity, names: Iterable[str]) -> list[str]:
        """Return the columns of `names` that an existing row keeps: all but those that a preset fills on UPDATE.

        Args:
            names: columns that a to-one shares with something else.
        """
        presets = ((name, column_of(entity, name).preset) for name in names)
        return [name for name, p in presets if p is None or Operation.UPDATE not in p.on or self._sight.admin]

    def settle(self, entity: Entity, drafts: Iterable[Draft], operation: Operation) -> None:
        """Fill in the keys of rows that were new when the drafts were read.

        Raises:
            ClewError: BAD_USER_INPUT if such a key sets a column that another to-one, or the existing row, sets to
                another value; FORBIDDEN if a preset sets it to another value.
        """
        for draft in drafts:
            for source in draft.sources:
                self._settle(entity, draft, source, operation)
            draft.sources = ()

    def _settle(self, entity: Entity, draft: Draft, source: Source, operation: Operation | None = None) -> None:
        for name, value in source.values.items():
            if draft.values.setdefault(name, value) == value:
                continue
            preset = column_of(entity, name).preset
            # alike without `operation in preset.on`: except for an admin, only the preset gives such a column
            if preset is not None and operation in preset.on and not self._sight.admin:
                why = f"The @preset of {name} and the row around it do not agree."
                raise ForbiddenError(Refusal(Phase.WRITE, entity, operation, why, fields=(name,)))
            place = draft.at(source.field) if source.field else draft.place
            names = known([name], entity.name, self._schema)
            if name in draft.kept:
                message = f"`{place}` leads to another {name} than the row has."
                raise ClewError(message, hint=f"Choose one with the same {name}.")
            # alike if true: a viewer that sets a column knows its name
            about = f" on {names[0]}" if names else ""
            if source.field is None:
                message = f"`{place}` and the row around it set different values{about}."
                raise ClewError(message, hint="Choose one that suits the row around it.")
            message = f"`{place}` and another field set different values{about}."
            raise ClewError(message, hint="Use only one of them.")

    def require(self, entity: Entity, drafts: Iterable[Draft]) -> None:
        """Refuse new rows that lack a to-one which must not be null.

        Raises:
            ClewError: BAD_USER_INPUT if the viewer's schema has the to-one or its key, else CONSTRAINT_VIOLATION.
        """
        for column in entity.columns:
            if column.relation is None or not is_required(entity, column):
                continue
            for draft in drafts:
                if not draft.gives(column.name):
                    input_type = self._schema.type_map[f"{entity.name}CreateInput"]
                    assert isinstance(input_type, GraphQLInputObjectType)
                    names = [name for name in (column.relation, column.name) if name in input_type.fields]
                    if not names:
                        raise ViolationError(Kind.REQUIRED, entity.name).at(draft.path)
                    raise ClewError(f"`{draft.at(names[0])}` is required.", hint=f"Give {names[-1]}.")

    def changes(self, entity: Entity, arguments: Mapping[str, Any], prefix: str, *, place: str | None = None) -> Draft:
        """Read `set`, `inc` and `append` into a draft, without the relations in `set`."""
        draft = Draft(prefix.rstrip("."), "set.") if place is None else Draft(place)
        for name, value in (arguments.get("set") or {}).items():
            if entity.column(name) is not None:
                draft.values[name] = self._stored(entity, name, value, draft.at(name))
        draft.fields = frozenset(draft.values)
        for argument in ("inc", "append"):
            target: dict[str, Any] = {}
            for name, value in (arguments.get(argument) or {}).items():
                here = f"{prefix}{argument}.{name}"
                if value is None:
                    raise ClewError(f"`{here}` must not be null.", hint="Leave it out.")
                if name in draft.fields:
                    raise ClewError(
                        f"`{here}` is changed by another argument too.", hint="Use only one of set, inc and append."
                    )
                target[name] = self._stored(entity, name, value, here)
            if target:
                draft.fields = draft.fields.union(target)
                if argument == "inc":
                    draft.increases = target
                else:
                    draft.appends = target
        return draft

    def preset(self, entity: Entity, drafts: Sequence[Draft], operation: Operation) -> None:
        """Fill in the columns with a @preset by claim or value.

        Raises:
            ClewError: FORBIDDEN if the row around it sets another value, or if the viewer lacks the claim.
        """
        for column in entity.columns:
            preset = column.preset
            if preset is None or operation not in preset.on:
                continue
            name, admin = column.name, self._sight.admin
            open_ = [draft for draft in drafts if not (admin and draft.gives(name))]
            if not open_:  # alike if false: a shortcut
                continue
            if preset.sql is not None:
                # The statement fills in the column.
                for draft in open_:
                    draft.fields -= {name}
                continue
            value = self._preset_value(column, preset)
            if value is None:
                if admin:
                    continue
                why = f"The claim {preset.claim} that the @preset of {name} needs is absent or does not fit."
                raise ForbiddenError(Refusal(Phase.GATHER, entity, operation, why, fields=(name,)))
            for draft in open_:
                if draft.values.setdefault(name, value) != value:
                    why = f"The @preset of {name} and the row around it do not agree."
                    refusal = Refusal(Phase.GATHER, entity, operation, why, key=draft.key, fields=(name,))
                    raise ForbiddenError(refusal)
                draft.fields -= {name}

    def _preset_value(self, column: Column, preset: Preset) -> Any:
        """Return the value of a preset by claim or value. Return None if the viewer lacks the claim."""
        if preset.claim is None:
            return preset_value(column, constant_value(preset.value, column.type))
        claim = Claim(tuple(preset.claim.removeprefix("$auth.").split(".")), column.type)
        found = usable_claims([claim], {**self._viewer.claims, "sub": self._viewer.id})
        return preset_value(column, found[claim]) if claim in found else None

    def key(self, entity: Entity, given: Mapping[str, Any], prefix: str = "") -> Key:
        """Return the primary key in an input.

        Args:
            prefix: stands before the names of fields in errors.
        """
        return tuple(self._stored(entity, name, given[name], prefix + name) for name in entity.primary_key)

    def unique(self, entity: Entity, names: Sequence[str], given: Mapping[str, Any], place: str) -> Key:
        """Return the values of a unique key's columns.

        Raises:
            ClewError: BAD_USER_INPUT if one is missing or null.
        """
        missing = [name for name in names if given.get(name) is None]
        if missing:
            raise ClewError(f"`{place}.{missing[0]}` is required: it is part of the key.")
        return tuple(self._stored(entity, name, given[name], f"{place}.{name}") for name in names)

    def new_unique(self, entity: Entity, names: Sequence[str], given: Mapping[str, Any], place: str) -> Key:
        """Return the values of a unique key's columns for a row that may be new. A preset may fill in missing values.

        Raises:
            ClewError: as `unique`.
        """
        filled: dict[str, Any] = {}
        for name in names:
            column = column_of(entity, name)
            preset = column.preset
            if given.get(name) is None and preset and preset.sql is None and Operation.CREATE in preset.on:
                value = self._preset_value(column, preset)
                if value is not None:
                    filled[name] = value
        found = iter(self.unique(entity, [name for name in names if name not in filled], given, place))
        return tuple(filled[name] if name in filled else next(found) for name in names)

    def _stored(self, entity: Entity, name: str, value: Any, place: str) -> Any:
        stored = self._storing(entity)[name]
        assert stored is not None, f"{entity.name}.{name}"
        return stored(value, place)

    def _storing(self, entity: Entity) -> dict[str, Storing | None]:
        """Return the converters of an entity's fields by name. A relation has None."""
        found = self._storings.get(entity.name)
        if found is None:
            found = self._storings[entity.name] = dict.fromkeys(relation.name for relation in entity.relations)
            for column in entity.columns:
                enum = self._schema.type_map.get(column.type.name) if column.type.is_enum else None
                assert enum is None or isinstance(enum, GraphQLEnumType)
                found[column.name] = storing(column, enum)
        return found

    def _add_fields(self, draft: Draft, names: tuple[str, ...]) -> None:
        """Add names to the draft's fields. Drafts with the same fields share one set."""
        found = self._fields.get((draft.fields, names))
        if found is None:
            found = self._fields[draft.fields, names] = draft.fields.union(names)
        draft.fields = found


def sql_presets(entity: Entity, operation: Operation, given: Collection[str]) -> list[tuple[Column, str]]:
    """Return the columns that a @preset fills by SQL, each with the SQL.

    Args:
        given: columns that an admin sets. They are left out.
    """
    return [
        (column, column.preset.sql)
        for column in entity.columns
        if column.preset and column.preset.sql and operation in column.preset.on and column.name not in given
    ]


def column_of(entity: Entity, name: str) -> Column:
    """Return a column by its API name. The entity must have it."""
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column
