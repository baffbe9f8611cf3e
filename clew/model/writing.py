"""What of an entity can be written at all, whatever the rules."""

from __future__ import annotations

from clew.model.types import Column, Entity, Model, Relation, RelationKind

_NUMBERS = frozenset({"Int", "BigInt", "Float", "Decimal"})


def is_writable(column: Column, *, admin: bool) -> bool:
    """Whether clients may give the column: the database does not fill it, nor a preset (which binds no admin)."""
    filled = column.created_at or column.updated_at or column.version or column.soft_delete or column.computed
    return not (filled or column.hidden or (column.preset and not admin))


def writable_fields(entity: Entity, *, admin: bool) -> frozenset[str]:
    """The columns and relations that clients may give, but for what rules say."""
    columns = {column.name for column in entity.columns if is_writable(column, admin=admin)}
    relations = {r.name for r in entity.relations if not r.hidden and columns.issuperset(r.key)}
    return frozenset(columns | relations)


def is_generated_key(entity: Entity, column: Column) -> bool:
    """Whether the database makes this part of the primary key where it is not given."""
    return column.name in entity.primary_key and (column.uuid_key or column.identity)


def is_free_link(link: Entity) -> bool:
    """Whether a link is written under the rules of the field that it is written from: it has none of its own."""
    return link.generated_link and not link.allow


def is_required(entity: Entity, column: Column) -> bool:
    """Whether a new row is incomplete without it. A to-one's key may come from the to-one instead."""
    given = column.default is not None or is_generated_key(entity, column) or column.preset is not None
    return not column.nullable and not given


def can_increase(column: Column) -> bool:
    """Whether `inc` takes the column."""
    return column.type.name in _NUMBERS and not column.type.is_list and not column.type.is_enum and not column.relation


def unique_keys(entity: Entity) -> dict[str, tuple[str, ...]]:
    """The keys that tell one row from all others: their columns by the name of the key, the primary one first."""
    keys = {_key_name(entity, entity.primary_key): entity.primary_key}
    for unique in entity.uniques:
        if unique.lookup is not None:
            keys.setdefault(_key_name(entity, unique.columns), unique.columns)
    return keys


def _key_name(entity: Entity, columns: tuple[str, ...]) -> str:
    words = dict.fromkeys((column.relation or name) for name in columns if (column := entity.column(name)))
    return columns[0] if len(columns) == 1 else "_".join(words)


def owner_of(model: Model, relation: Relation) -> Relation:
    """The to-one on the other side of a to-many or reverse to-one."""
    assert relation.kind in (RelationKind.TO_MANY, RelationKind.REVERSE_ONE)
    assert relation.inverse is not None
    owner = model.entity(relation.target).relation(relation.inverse)
    assert owner is not None, f"{relation.target}.{relation.inverse}"
    return owner
