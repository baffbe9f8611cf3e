"""Turn the conditions of rules into predicates over the unmasked database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clew.access.predicates import comparison, conjunction, disjunction, operand, operand_type, quantified
from clew.access.types import (
    TRUE,
    Aggregated,
    Claim,
    Constant,
    Exists,
    IsNull,
    Measure,
    Not,
    Now,
    Operand,
    Predicate,
    Rows,
    Ruled,
    Somewhere,
    ThisTransaction,
    Visible,
)
from clew.model.jobs import THIS_TRANSACTION
from clew.model.operators import ITEM_OPERATORS
from clew.model.types import Column, Entity, FieldKind, Model, Relation, ValueType

# What stands for a value of Clew's own. Only its own rules have the second one.
_OWN: Mapping[str, Now | ThisTransaction] = {"$now": Now(), THIS_TRANSACTION: ThisTransaction()}


class Conditions:
    """Turn the filter objects of rules into predicates."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def condition(self, entity: Entity, where: Any) -> Predicate:
        """Return the filter object of a rule as a predicate over the unmasked database.

        Args:
            entity: the condition is about its rows. `$row` stands for such a row.
            where: the validated filter object of the model. It may contain `{is: name}`, `"$auth.x"` and the like.
        """
        return TRUE if where is None else self._filter(entity, where, entity)

    def _filter(self, entity: Entity, where: Mapping[str, Any], ruled: Entity) -> Predicate:
        items: list[Predicate] = []
        for name, value in where.items():
            if name in ("and", "or"):
                values = value if isinstance(value, list) else [value]
                parts = [self._filter(entity, item, ruled) for item in values]
                items.append(conjunction(parts) if name == "and" else disjunction(parts))
            elif name == "not":
                items.append(Not(self._filter(entity, value, ruled)))
            elif name == "is":
                items.append(self._filter(entity, entity.predicates[value], ruled))
            elif name == "exists":
                items.extend(self._somewhere(value, ruled))
            elif (column := entity.column(name)) is not None:
                items.extend(self._conditions(column, value, ruled))
            elif (many := entity.many(name)) is not None and many[1] is FieldKind.AGGREGATE:
                items.append(self._aggregated(many[0], value, ruled))
            else:
                relation = entity.relation(name)
                assert relation is not None, f"{entity.name}.{name}"
                items.extend(self._related(relation, value, ruled))
        return conjunction(items)

    def _somewhere(self, value: Any, ruled: Entity) -> Iterable[Predicate]:
        for asked in value if isinstance(value, list) else [value]:
            for name, where in asked.items():
                target = self.model.entity(name)
                yield Somewhere(Rows(unmasked(target), self._filter(target, where, ruled)))

    def _aggregated(self, relation: Relation, where: Mapping[str, Any], ruled: Entity) -> Predicate:
        target = self.model.entity(relation.target)
        conditions: list[tuple[Measure, str, Operand]] = []
        for function, given in where.items():
            if function == "where":
                continue
            columns = {"count": given} if function == "count" else given
            for name, value in columns.items():
                measure = Measure(function, None if function == "count" else target.column(name))
                for operator, operand_ in _operators(value).items():
                    source = _source(operand_, operand_type(measure.type, operator), ruled)
                    conditions.append(
                        (measure, operator, operand(measure.type, operator, source, f"{name}.{operator}"))
                    )
        inner = self._filter(target, where.get("where", {}), ruled)
        link = None if relation.through is None else unmasked(self.model.entity(relation.through.entity))
        return Aggregated(relation, Rows(unmasked(target), inner), tuple(conditions), link)

    def _related(self, relation: Relation, where: Mapping[str, Any], ruled: Entity) -> Iterable[Predicate]:
        target = self.model.entity(relation.target)
        rows = unmasked(target)
        link = None if relation.through is None else unmasked(self.model.entity(relation.through.entity))
        if not relation.to_many:
            yield Exists(relation, Rows(rows, self._filter(target, where, ruled)), link)
            return
        for quantifier, value in where.items():
            inner = self._filter(target, value, ruled)
            yield quantified(quantifier, relation, rows, inner, link)

    def _conditions(self, column: Column, value: Any, ruled: Entity) -> Iterable[Predicate]:
        for operator, operand_ in _operators(value).items():
            if operator in ITEM_OPERATORS and isinstance(operand_, list) and any(map(_is_variable, operand_)):
                yield self._listed(column, operator, operand_, ruled)
                continue
            source = _source(operand_, operand_type(column.type, operator), ruled)
            yield comparison(column, operator, source, f"{column.name}.{operator}")

    def _listed(self, column: Column, operator: str, items: list[Any], ruled: Entity) -> Predicate:
        """Return a comparison with a list that contains variables. Each variable is compared by itself."""
        single, quantifier = ITEM_OPERATORS[operator]
        constants = [item for item in items if not _is_variable(item)]
        parts = [comparison(column, operator, Constant(constants), f"{column.name}.{operator}")] if constants else []
        for item in items:
            if _is_variable(item):
                source = _source(item, operand_type(column.type, single), ruled)
                parts.append(comparison(column, single, source, f"{column.name}.{operator}"))
        return disjunction(parts) if quantifier == "any" else conjunction(parts)


def unmasked(entity: Entity) -> Visible:
    """Return the rows that rules read: all rows that are not deleted."""
    return Visible(entity, present(entity))


def present(entity: Entity) -> Predicate:
    """Return the condition that a row is not deleted."""
    column = entity.soft_delete
    return TRUE if column is None else IsNull(column, negated=False)


def _operators(value: Any) -> Mapping[str, Any]:
    """Return the operators of a condition. A bare value means `eq`."""
    return value if isinstance(value, Mapping) else {"eq": value}


def _is_variable(value: Any) -> bool:
    return isinstance(value, str) and (value == "$now" or value.split(".")[0] in ("$auth", "$row"))


def _source(value: Any, type_: ValueType, ruled: Entity) -> Claim | Now | ThisTransaction | Ruled | Constant:
    if isinstance(value, str):
        head, *path = value.split(".")
        if value in _OWN:
            return _OWN[value]
        if head == "$auth":
            return Claim(tuple(path), type_)
        if head == "$row":
            return Ruled(tuple(path), ruled)
    return Constant(value if isinstance(value, list) or not type_.is_list else [value])
