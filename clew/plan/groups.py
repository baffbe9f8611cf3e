"""Plan a groups field, such as `postsGroups`, from its arguments and selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphql import FieldNode

from clew.access.predicates import TEXT
from clew.access.sight import Sight
from clew.access.types import FieldPath, Literal, Operand, Predicate, Template, Variable, Visible
from clew.access.visible import Access
from clew.document.inputs import Tree
from clew.errors import ClewError
from clew.model.types import Entity, Relation
from clew.plan.measures import COUNT, direction, measure, one
from clew.plan.types import GroupKey, GroupKeys, GroupOrder, KeyValue, TypeName

# Returns the fields of a selection on a type, by response key: `Planner.subfields`.
Subfields = Callable[[tuple[FieldNode, ...], str], Mapping[str, tuple[FieldNode, ...]]]


class Grouping:
    """The keys that group the rows of `entity`.

    Args:
        masks: those of the rows that are grouped.
        by: the value of the argument `by`.
        zone: the value of `timeZone`.

    Raises:
        ClewError: BAD_USER_INPUT for a missing key, a repeated key, or a null.
    """

    def __init__(
        self, access: Access, sight: Sight, entity: Entity, masks: Mapping[str, Predicate], by: Tree, zone: Tree
    ) -> None:
        self._access = access
        self._sight = sight
        self._masks = masks
        self._zone: Operand | None = None
        if zone is not None:
            assert isinstance(zone, Literal | Variable | Template)
            self._zone = Operand(zone, TEXT, "timeZone", "zone")
        assert isinstance(by, list)
        if not by:
            raise ClewError("`by` must have at least one key.", hint="For a total use the aggregate.")
        self._places: dict[tuple[str, ...], int] = {}
        keys: list[GroupKey] = []
        for index, item in enumerate(by):
            place = f"by.{index}"
            names, key = self._key(entity, item, place)
            if names in self._places:
                raise ClewError(
                    f"`{place}` groups by `{'.'.join(names)}` a second time.", hint="Leave one of them out."
                )
            self._places[names] = index
            keys.append(key)
        self.keys = tuple(keys)
        self._entity = entity

    def _key(
        self,
        entity: Entity,
        tree: Tree,
        place: str,
        path: tuple[tuple[Relation, Visible], ...] = (),
        masks: tuple[Predicate | None, ...] = (),
    ) -> tuple[tuple[str, ...], GroupKey]:
        name, value = one(tree, place)
        open_ = self._access.visible(entity, self._sight).masks if path else self._masks
        masks = (*masks, open_.get(name))
        if (column := entity.column(name)) is not None:
            if not isinstance(value, Literal):
                raise ClewError(f"`{place}.{name}` must not be null.", hint="Write VALUE.")
            unit = None if value.value == "VALUE" else value.value.lower()
            zone = self._zone if unit is not None and column.type.name == "DateTime" else None
            return (name,), GroupKey(FieldPath(column, path, masks), unit, zone)
        relation = entity.relation(name)
        assert relation is not None, place
        target = self._access.model.entity(relation.target)
        rows, _ = self._access.across(relation, self._sight)
        path = (*path, (relation, rows))
        names, key = self._key(target, value, f"{place}.{name}", path, masks)
        return (name, *names), key

    def order(self, tree: Tree) -> tuple[GroupOrder, ...]:
        """Plan the value of `orderBy`.

        Raises:
            ClewError: BAD_USER_INPUT for a key that does not group the rows, or a null.
        """
        assert tree is None or isinstance(tree, list)
        return tuple(self._order(item, f"orderBy.{index}") for index, item in enumerate(tree or ()))

    def _order(self, tree: Tree, place: str) -> GroupOrder:
        function, value = one(tree, place)
        place = f"{place}.{function}"
        if function == "key":
            names: list[str] = []
            while isinstance(value, dict):
                name, value = one(value, place)
                names.append(name)
                place = f"{place}.{name}"
            return GroupOrder(self._place(names, place), *direction(value, place))
        if function == "count":
            return GroupOrder(COUNT, *direction(value, place))
        name, value = one(value, place)
        return GroupOrder(measure(self._entity, function, name, self._masks), *direction(value, f"{place}.{name}"))

    def key_values(
        self,
        entity: Entity,
        fields: Mapping[str, tuple[FieldNode, ...]],
        subfields: Subfields,
        path: tuple[str, ...] = (),
    ) -> Iterator[KeyValue | TypeName | GroupKeys]:
        """Plan the selection of `key`.

        Args:
            entity: the entity that has these fields. `path` leads to it.
            fields: by response key.

        Raises:
            ClewError: BAD_USER_INPUT for a field that does not group the rows.
        """
        for key, nodes in fields.items():
            name = nodes[0].name.value
            if name == "__typename":
                yield TypeName(key, f"{entity.name}GroupRowKey")
            elif (relation := entity.relation(name)) is not None:
                target = self._access.model.entity(relation.target)
                below = subfields(nodes, f"{target.name}GroupRowKey")
                yield GroupKeys(key, tuple(self.key_values(target, below, subfields, (*path, name))))
            else:
                yield KeyValue(key, self._place([*path, name], f"key.{'.'.join([*path, name])}"))

    def _place(self, names: list[str], place: str) -> int:
        index = self._places.get(tuple(names))
        if index is None:
            raise ClewError(f"`{place}` is not one of the keys in `by`.", hint="Add it to `by`.")
        return index
