"""Random rules on a model and random viewers of it. A seed gives the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from clew.model.operators import operators
from clew.model.types import AllowRule, Column, Entity, GuardRule, Model, Operation, RelationKind
from clew.viewer import Viewer
from tests.reference import Tables, output

ROLES = ("anon", "user", "editor")
READING, DELETING = {Operation.READ}, {Operation.DELETE}
OPERATIONS = (*[READING] * 14, *[READING | DELETING] * 3, *[DELETING] * 2, {Operation.UPDATE})
# How many of a hundred relations have rules of their own. Many-to-manys are few, and their links are read, too.
_OWN_RULES = {
    RelationKind.TO_ONE: 15,
    RelationKind.REVERSE_ONE: 8,
    RelationKind.TO_MANY: 8,
    RelationKind.MANY_TO_MANY: 30,
}
CLAIMS = ("sub", "a", "b", "org.id")


@dataclass(frozen=True)
class Eyes:
    """A viewer's roles (anon among them) and claims."""

    roles: frozenset[str]
    claims: dict[str, Any]

    @property
    def viewer(self) -> Viewer:
        subject = self.claims.get("sub")
        return Viewer(subject if isinstance(subject, str) else None, self.roles, self.claims)

    def may_ask_for_deleted(self, entity: Entity) -> bool:
        """Whether lists of the entity have the argument `deleted`."""
        deletes = any(Operation.DELETE in rule.to and self.roles & set(rule.roles) for rule in entity.allow)
        return entity.soft_delete is not None and (deletes or self.viewer.is_admin)


@dataclass
class _Rules:
    random: Random
    model: Model
    tables: Tables
    # The conditions of the rules that were made, by entity, and whether they fit any entity's rules.
    made: dict[str, list[tuple[dict[str, Any], bool]]] = field(default_factory=dict)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def one(self, values: Any) -> Any:
        return self.random.choice(list(values))

    def some(self, values: Sequence[str]) -> tuple[str, ...]:
        """One or more of the values."""
        return tuple(self.random.sample(values, self.random.randint(1, len(values))))

    # --- rules ------------------------------------------------------------------------

    def ruled_model(self) -> Model:
        entities = {name: self.ruled(entity) for name, entity in self.model.entities.items()}
        return replace(self.model, entities=entities)

    def ruled(self, entity: Entity) -> Entity:
        if entity.generated_link and self.chance(70):
            return entity
        predicates = {"named": self.condition(entity, 1, entity)} if self.chance(30) else {}
        entity = replace(entity, predicates=predicates)
        columns = tuple(
            replace(column, allow=self.allow(entity, 1)) if self.chance(8) and column.relation is None else column
            for column in entity.columns
        )
        relations = tuple(
            replace(relation, allow=self.allow(entity, 1)) if self.chance(_OWN_RULES[relation.kind]) else relation
            for relation in entity.relations
        )
        # A to-one's key has the rules of the to-one.
        of_to_ones = {relation.name: relation.allow for relation in relations if relation.key}
        columns = tuple(
            replace(column, allow=of_to_ones.get(column.relation or "", column.allow)) for column in columns
        )
        # A link that has rules has some for its rows.
        rules = self.allow(entity, self.random.randint(1 if entity.generated_link else 0, 3))
        guards: tuple[GuardRule, ...] = ()
        if self.chance(10):
            condition = self.condition(entity, 1, entity)
            to = frozenset(self.one((READING, READING, DELETING)))
            guards = (GuardRule(to, condition, self.check(entity), binds_admin=self.chance(30)),)
        return replace(entity, columns=columns, relations=relations, allow=rules, guards=guards)

    def allow(self, entity: Entity, count: int) -> tuple[AllowRule, ...]:
        return tuple(self.rule(entity) for _ in range(count))

    def rule(self, entity: Entity) -> AllowRule:
        names = [column.name for column in entity.columns] + [relation.name for relation in entity.relations]
        where = None if self.chance(25) else self.related(entity) or self.condition(entity, 2, entity)
        if where is not None:
            # What looks at the ruled row, by a predicate's name perhaps, fits no other entity's rules.
            fixed = "$row." not in f"{where} {entity.predicates}"
            self.made.setdefault(entity.name, []).append((where, fixed))
        return AllowRule(
            roles=self.some(ROLES),
            to=frozenset(self.one(OPERATIONS)),
            where=where,
            check=self.check(entity),
            fields=None if self.chance(60) else frozenset(self.some(self.one((names, keyless(entity, names))))),
        )

    def check(self, entity: Entity) -> dict[str, Any] | None:
        """What matters to no read but by the claims that it names: without them the rule is none."""
        return self.condition(entity, 1, entity) if self.chance(10) else None

    def related(self, entity: Entity) -> dict[str, Any] | None:
        """Now and then what a rule of a related entity says, of the related rows: the one row may imply the other."""
        fitting = [
            (relation, where)
            for relation in entity.relations
            for where, fixed in self.made.get(relation.target, ())
            if fixed or relation.target == entity.name
        ]
        if not fitting or not self.chance(40):
            return None
        relation, where = self.one(fitting)
        found = {relation.name: {self.one(("some", "some", "none", "every")): where} if relation.to_many else where}
        return {**found, **self.condition(entity, 0, entity)} if self.chance(20) else found

    def condition(self, entity: Entity, depth: int, ruled: Entity) -> dict[str, Any]:
        if depth and self.chance(15):
            key = self.one(("and", "or"))
            return {key: [self.condition(entity, depth - 1, ruled) for _ in range(2)]}
        if depth and self.chance(10):
            return {"not": self.condition(entity, depth - 1, ruled)}
        if "named" in entity.predicates and self.chance(20):
            return {"is": "named"}
        if depth and entity.relations and self.chance(35):
            relation = self.one(entity.relations)
            inner = self.condition(self.model.entity(relation.target), depth - 1, ruled)
            return {relation.name: {self.one(("some", "none", "every")): inner} if relation.to_many else inner}
        if depth and self.chance(12):
            return {"exists": self.elsewhere(depth, ruled)}
        columns = [c for c in entity.columns if c.type.name not in ("JSON", "Float") and not c.type.is_list]
        if not columns:
            return {}
        return self.on_column(entity, self.one(columns), ruled)

    def elsewhere(self, depth: int, ruled: Entity) -> Any:
        """What is asked of some entities, often of the ruled one."""
        names = [ruled.name if self.chance(30) else self.one(self.model.entities) for _ in range(self.one((1, 1, 2)))]
        asked = {name: self.condition(self.model.entity(name), depth - 1, ruled) for name in names}
        return [{name: where} for name, where in asked.items()] if self.chance(30) else asked

    def on_column(self, entity: Entity, column: Column, ruled: Entity) -> dict[str, Any]:
        if self.chance(15):
            return {column.name: {"isNull": self.chance(50)}}
        if self.chance(30):
            claim = f"$auth.{self.one(CLAIMS)}"
            way = self.one(("bare", "eq", "neq", "in", "notIn", "startsWith", "contains"))
            if way == "bare" or way not in operators(column.type):
                return {column.name: claim}
            return {column.name: {way: claim}}
        if self.chance(20):
            alike = [c for c in ruled.columns if c.type == column.type]
            if alike:
                return {column.name: {self.one(("eq", "neq")): f"$row.{self.one(alike).name}"}}
        value = self.value(entity, column)
        if value is None:
            return {column.name: {"isNull": False}}
        way = self.one([name for name in ("eq", "neq", "gt", "lte", "in") if name in operators(column.type)])
        return {column.name: {way: [value] if way == "in" else value}}

    def value(self, entity: Entity, column: Column) -> Any:
        """A value that stands in some row, as JSON; None if there is none."""
        values = [] if column.computed else [row[column.column] for row in self.tables.rows[entity.name]]
        found = [value for value in values if value is not None]
        try:
            value = output(column.type, self.one(found)) if found else None
        except (OverflowError, ValueError):
            # The first year in another zone: there is no such moment in UTC for Python.
            return None
        # A text that begins so would be a variable, or be refused by the SDL's check.
        return None if isinstance(value, str) and (value.startswith("$") or "\0" in value) else value

    # --- viewers ----------------------------------------------------------------------

    def eyes(self, count: int) -> tuple[Eyes, ...]:
        """Viewers of one role set; the claims of each are their own."""
        roles = frozenset({"admin"}) if self.chance(4) else frozenset(self.some(ROLES)) | {"anon"}
        return tuple(Eyes(roles, self.claims()) for _ in range(count))

    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = {}
        for name in CLAIMS:
            if self.chance(75):
                *path, last = name.split(".")
                place = claims
                for step in path:
                    place = place.setdefault(step, {})
                place[last] = self.claim()
        return claims

    def claim(self) -> Any:
        kind = self.random.randrange(10)
        if kind < 2:
            return self.one((None, [], "", "", [""], 0, True, {"x": 1}, "0", "07", [None]))
        value = self.any_value()
        return [value, self.any_value()] if kind >= 8 else value

    def any_value(self) -> Any:
        entity = self.one(self.model.entities.values())
        columns = [c for c in entity.columns if c.type.name in ("ID", "String", "Int", "BigInt") and not c.type.is_list]
        value = self.value(entity, self.one(columns)) if columns else None
        return "nobody" if value is None else value


def keyless(entity: Entity, names: list[str]) -> list[str]:
    """The names without what opens a part of the primary key, if any are left."""
    opening = {name for column in entity.key_columns for name in (column.name, column.relation)}
    return [name for name in names if name not in opening] or names


def ruled_model(seed: int, model: Model, tables: Tables, viewers: int) -> tuple[Model, tuple[Eyes, ...]]:
    """The model with the rules of this seed, and so many viewers of one role set."""
    rules = _Rules(Random(seed), model, tables)
    return rules.ruled_model(), rules.eyes(viewers)
