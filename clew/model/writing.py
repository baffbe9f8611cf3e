"""The parts of an entity that can be written at all, before any rule applies."""

from __future__ import annotations

from collections.abc import Mapping

from clew.model.types import Column, Entity, Model, OnDelete, Operation, Relation, RelationKind

_NUMBERS = frozenset({"Int", "BigInt", "Float", "Decimal"})


def is_writable(column: Column, *, admin: bool) -> bool:
    """Return whether clients may write the column: neither the database nor a preset fills it (admins skip presets)."""
    filled = column.created_at or column.updated_at or column.version or column.soft_delete or column.computed
    return not (filled or column.hidden or (column.preset and not admin))


def writable_fields(entity: Entity, *, admin: bool) -> frozenset[str]:
    """Return the columns and relations that clients may write, before any rule applies."""
    columns = {column.name for column in entity.columns if is_writable(column, admin=admin)}
    relations = {r.name for r in entity.relations if not r.hidden and columns.issuperset(entity.own_key(r.name))}
    return frozenset(columns | relations)


def is_generated_key(entity: Entity, column: Column) -> bool:
    """Return whether the database generates this part of the primary key if the client leaves it out."""
    return column.name in entity.primary_key and (column.uuid_key or column.identity)


def is_free_link(link: Entity) -> bool:
    """Return whether a link has no rules of its own. The rules of the field that it is written from apply then."""
    return link.generated_link and not link.allow


def is_required(entity: Entity, column: Column) -> bool:
    """Return whether a new row needs a value for the column. A to-one's key may come from the to-one instead."""
    filled = column.default is not None or is_generated_key(entity, column) or column.preset is not None
    return not column.nullable and not filled


def can_increase(column: Column) -> bool:
    """Return whether `inc` takes the column."""
    return column.type.name in _NUMBERS and not column.type.is_list and not column.type.is_enum and not column.relation


def unique_keys(entity: Entity) -> dict[str, tuple[str, ...]]:
    """Return the columns of each key that identifies a row, by the key's name. The primary key comes first."""
    keys = {_key_name(entity, entity.primary_key): entity.primary_key}
    for unique in entity.uniques:
        if unique.lookup is not None:
            keys.setdefault(_key_name(entity, unique.columns), unique.columns)
    return keys


def _key_name(entity: Entity, columns: tuple[str, ...]) -> str:
    words = dict.fromkeys((column.relation or name) for name in columns if (column := entity.column(name)))
    return columns[0] if len(columns) == 1 else "_".join(words)


def owner_of(model: Model, relation: Relation) -> Relation:
    """Return the to-one on the other side of a to-many or reverse to-one."""
    assert relation.kind in (RelationKind.TO_MANY, RelationKind.REVERSE_ONE)
    assert relation.inverse is not None
    owner = model.entity(relation.target).relation(relation.inverse)
    assert owner is not None, f"{relation.target}.{relation.inverse}"
    return owner


def taken_along(model: Model, entity: Entity) -> Mapping[str, set[Operation]]:
    """Return the entities of which rows go or change when rows of an entity are deleted, with what becomes of them."""
    found: dict[str, set[Operation]] = {}
    pending = [entity]
    while pending:
        for child, relation in model.references.get(pending.pop().name, ()):
            if child.view_sql is not None or relation.on_delete not in (OnDelete.CASCADE, OnDelete.SET_NULL):
                continue
            operations = found.setdefault(child.name, set())
            operation = Operation.DELETE if relation.on_delete is OnDelete.CASCADE else Operation.UPDATE
            if operation is Operation.DELETE and operation not in operations:
                pending.append(child)
            operations.add(operation)
    return found
