"""Find the rows that connect two rows: rows with a to-one, and the links of many-to-manys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clew.model.types import Column, Entity, Model, Relation, RelationKind
from clew.model.writing import is_free_link


def to_ones_back(model: Model, relation: Relation) -> tuple[Relation, ...]:
    """Return the to-ones that connect the rows of a relation. A row is in the relation only if they are open on it."""
    owner, names = owner_of_link(model, relation)
    return () if is_free_link(owner) else tuple(one for one in owner.relations if one.name in names)


def many_to_manys_over(model: Model, link: Entity) -> tuple[Relation, ...]:
    """Return the many-to-many fields that a link without rules of its own follows."""
    return tuple(field for end in link.relations for field in many_to_manys_at(model, link, end))


def many_to_manys_at(model: Model, link: Entity, end: Relation) -> Sequence[Relation]:
    """Return the many-to-many fields of the rows at one end of a link."""
    return model.linking.get((link.name, end.name), ())


def keys_of(model: Model, link: Entity, end: Relation) -> Iterable[tuple[Column, Column]]:
    """Yield the columns of a link that lead to one end, each with the column of the key there."""
    target = model.entity(end.target)
    for ours, theirs in end.on:
        column, key = link.column_by_sql(ours), target.column_by_sql(theirs)
        assert column is not None
        assert key is not None
        yield column, key


def owner_of_link(model: Model, relation: Relation) -> tuple[Entity, tuple[str, ...]]:
    """Return the entity whose rows connect the ends of a relation, and the names of the to-ones that do.

    The relation itself is not among the to-ones.
    """
    if relation.through is None:
        return model.entity(relation.target), () if relation.inverse is None else (relation.inverse,)
    link = model.entity(relation.through.entity)
    near = frozenset((column, ours) for ours, column in relation.through.local)
    ends = (near, frozenset(relation.through.remote))
    return link, tuple(r.name for r in link.relations if r.kind is RelationKind.TO_ONE and frozenset(r.on) in ends)
