"""The columns of an entity, in SDL order, with a to-one's scalar key at the place of its relation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clew.model.access import allow_rules
from clew.model.keys import KeyColumn
from clew.model.scope import EntityType, Scope, declared_column, deprecation, description, value_type
from clew.model.types import Check, Column, Computed, Default, Operation, Preset, ValueType
from clew.sdl import directives as d
from clew.sdl.constants import constant, misfit, typed_constant
from clew.sdl.document import COLUMN_SCALARS, Directed, Field, FieldKind, stored_computed
from clew.sdl.report import Report, location_of, shown

_IDENTITY = {
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "bigint": "bigint",
    "int8": "bigint",
    "smallint": "smallint",
    "int2": "smallint",
}


def build_columns(scope: Scope, entity: EntityType, to_ones: Mapping[str, tuple[KeyColumn, ...]]) -> tuple[Column, ...]:
    """Return the columns of `entity`. Report key fields that clash with declared ones."""
    stored = stored_computed(entity.type)
    built: list[Column] = []
    for field in entity.type.fields.values():
        kind = entity.kinds[field.name]
        if kind is FieldKind.COLUMN:
            built.append(_declared(entity, field, field.name in stored))
        elif kind is FieldKind.TO_ONE:
            columns = to_ones[field.name]
            _check_constants(scope, field, columns)
            own = [column for column in columns if not column.shared]
            built += [_key(field, key, len(columns) == 1) for key in own if _is_free(scope, entity, field, key)]
    return tuple(built)


def _declared(entity: EntityType, field: Field, is_stored: bool) -> Column:
    type_ = value_type(field)
    default = _default(field, type_)
    computed = field.first(d.Computed)
    identity = uuid_key = False
    if field.first(d.Id) and not type_.is_list and not entity.is_view and default is None:
        number = _IDENTITY.get(type_.sql.lower())
        if number is not None and type_.name in ("ID", "Int", "BigInt"):
            identity = len(entity.keys) == 1
        elif type_.name == "ID" and type_.sql.lower() == "uuid":
            # A second ID in the key identifies another row. Filling it in would hide that the client left it out.
            own = [key for key in entity.keys if entity.kinds[key.name] is FieldKind.COLUMN and key.type.name == "ID"]
            uuid_key = len(own) == 1
    renamed = field.first(d.Renamed)
    return Column(
        name=field.name,
        column=declared_column(field),
        type=type_,
        nullable=field.type.nullable,
        default=default,
        identity=identity,
        uuid_key=uuid_key,
        computed=Computed(_typed(field, computed.sql, type_, is_stored), is_stored) if computed is not None else None,
        checks=build_checks(field),
        hidden=field.first(d.Hidden) is not None,
        created_at=field.first(d.CreatedAt) is not None,
        updated_at=field.first(d.UpdatedAt) is not None,
        version=field.first(d.Version) is not None,
        soft_delete=field.first(d.SoftDelete) is not None,
        preset=_preset(field, type_),
        renamed_from=renamed.from_ if renamed is not None else None,
        allow=allow_rules(field.all(d.Allow)),
        description=description(field.node),
        deprecation_reason=deprecation(field.node.directives),
        location=location_of(field.node.name),
    )


def _typed(field: Field, sql: str, type_: ValueType, is_stored: bool) -> str:
    """Return a computed field's expression of the type that @column(type:) gives. A stored column has it by itself."""
    column = field.first(d.Column)
    if is_stored or column is None or column.type is None:
        return sql
    return f"({sql})::{type_.sql}{'[]' if type_.is_list else ''}"


def _key(field: Field, key: KeyColumn, is_single: bool) -> Column:
    """Return the column made for a to-one. Directives on the relation apply to its key."""
    return Column(
        name=key.name,
        column=key.column,
        type=key.type,
        nullable=field.type.nullable,
        default=_default(field, key.type) if is_single else None,
        hidden=field.first(d.Hidden) is not None,
        preset=_preset(field, key.type) if is_single else None,
        relation=field.name,
        allow=allow_rules(field.all(d.Allow)),
        deprecation_reason=deprecation(field.node.directives),
        location=location_of(field.node.name),
    )


def build_checks(of: Directed) -> tuple[Check, ...]:
    """Return the checks of a type or field."""
    return tuple(Check(check.pattern, check.sql, check.message, location_of(check.node)) for check in of.all(d.Check))


def _default(field: Field, type_: ValueType) -> Default | None:
    default = field.first(d.Default)
    if default is None:
        return None
    if default.sql is not None:
        return Default(sql=default.sql)
    node = default.given.get("value")
    value = typed_constant(node, type_.name) if node is not None else None
    if type_.is_list and value is not None and not isinstance(value, list):
        value = [value]
    return Default(value) if value is not None or type_.name == "JSON" else None


def _preset(field: Field, type_: ValueType) -> Preset | None:
    preset = field.first(d.Preset)
    if preset is None:
        return None
    claim = preset.claim.removeprefix("$auth.") if preset.claim is not None else None
    node = preset.given.get("value")
    value = typed_constant(node, type_.name) if node is not None else None
    if type_.is_list and value is not None and not isinstance(value, list):
        value = [value]
    return Preset(tuple(Operation(on) for on in preset.on), claim, value, preset.sql)


def _check_constants(scope: Scope, field: Field, columns: tuple[KeyColumn, ...]) -> None:
    """Check that a to-one's @default and @preset fit its key: one column, of the key's type."""
    uses: Iterable[d.Default | d.Preset] = (*field.all(d.Default), *field.all(d.Preset))
    for directive in uses:
        name = directive.node.name.value
        if len(columns) > 1:
            message = f'"{field.name}" has a key of {len(columns)} columns, which @{name} cannot fill'
            scope.report.error(directive.node, message)
        elif columns and columns[0].shared:
            message = f'the key of "{field.name}" is the field "{columns[0].name}"'
            scope.report.error(directive.node, message, f"move @{name} there")
        elif columns and "value" in directive.given:
            _check_key_value(scope.report, field, columns[0].type, directive, name)


def _check_key_value(report: Report, field: Field, type_: ValueType, directive: d.Directive, name: str) -> None:
    node = directive.given["value"]
    if type_.name not in COLUMN_SCALARS:
        return
    value = constant(node)
    expected = None if value is None and field.type.nullable else misfit(value, type_.name)
    if expected is not None:
        report.error(node, f'the {name} of "{field.name}" must be {expected}, not {shown(node)}')


def _is_free(scope: Scope, entity: EntityType, field: Field, column: KeyColumn) -> bool:
    """Return whether no declared field has the key's API name. Report a clash."""
    declared = entity.type.fields.get(column.name)
    if declared is None:
        return True
    name = f'"{entity.name}.{field.name}"'
    message = f'{name} brings the field "{column.name}", which is declared as well'
    hint = "rename one of the two"
    if entity.kinds[declared.name] is FieldKind.COLUMN:
        hint = f'share its column: {field.name}: ... @relation(column: "{declared_column(declared)}")'
    scope.report.error(declared.node.name, message, hint)
    return False
