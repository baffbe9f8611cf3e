"""A naive second implementation of SPEC 6's reads: rules evaluated row by row in Python.

It shares the model and the rows with Clew, and none of what compiles rules.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import GraphQLResolveInfo

from clew.access.types import Identity
from clew.engine import Engine
from clew.model.operators import Operand, operators
from clew.model.types import AllowRule, Column, Entity, GuardRule, Model, Operation, Relation, Through, ValueType
from clew.viewer import Viewer
from tests.access.rules import Eyes
from tests.reference import Place, Reference, Row, Tables, conjunction, operate, output, parse_value

MISSING = object()
SHAPES = {
    "Date": re.compile(r"\d{4}-\d\d-\d\d"),
    "DateTime": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d"),
    "Time": re.compile(r"\d\d:\d\d"),
}
INTEGER = re.compile("0|-?[1-9][0-9]*")


class MaskedReference(Reference):
    """Answers queries over the masked rows of a viewer.

    Args:
        sdl: the schema of the viewer's roles as Clew prints it.
        eyes: the viewer's.
        tie_key: the viewer's, of the engine that is asked.
    """

    def __init__(self, model: Model, tables: Tables, sdl: str, eyes: Eyes, tie_key: str = "") -> None:
        super().__init__(model, tables, sdl)
        self.tie_key = tie_key
        self.roles = eyes.roles
        self.admin = "admin" in eyes.roles
        self.claims = {**eyes.claims, "sub": eyes.viewer.id}
        self.raw = Reference(model, tables, sdl)
        self.owner = {id(row): model.entity(name) for name, rows in tables.rows.items() for row in rows}
        self.seen: dict[tuple[str, str | None], list[Row]] = {}

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if source is None and info.field_name == "viewer":
            return {"id": self.claims.get("sub"), "roles": sorted(self.roles)}
        return super().resolve(source, info, **arguments)

    # --- the mask ---------------------------------------------------------------------

    def visible(self, entity: Entity, deleted: str | None = None) -> list[Row]:
        key = (entity.name, deleted)
        if key not in self.seen:
            self.seen[key] = [
                row
                for row in self.raw.visible(entity, deleted)
                if self.is_open(entity, row) and (not is_deleted(entity, row) or self.may_delete(entity, row))
            ]
        return self.seen[key]

    def passes_guards(self, entity: Entity, row: Row, operation: Operation) -> bool:
        for guard in entity.guards:
            binds = operation in guard.to and (guard.binds_admin or not self.admin)
            if binds and not (self.counts(entity, guard) and self.opens(entity, row, guard)):
                return False
        return True

    def may_delete(self, entity: Entity, row: Row) -> bool:
        if not self.passes_guards(entity, row, Operation.DELETE):
            return False
        return self.admin or any(
            self.opens(entity, row, rule) for rule in self.rules(entity, entity.allow, Operation.DELETE)
        )

    def is_open(self, entity: Entity, row: Row) -> bool:
        if not self.passes_guards(entity, row, Operation.READ):
            return False
        if self.admin:
            return True
        if entity.generated_link and not entity.allow:
            return all(self.shows_link(entity, end, row) for end in entity.relations)
        return any(self.opens(entity, row, rule) for rule in self.rules(entity, entity.allow))

    def is_field_open(self, entity: Entity, row: Row, name: str) -> bool:
        if self.admin:
            return True
        member: Any = entity.column(name) or entity.relation(name)
        if member.allow:
            return any(self.opens(entity, row, rule) for rule in self.rules(entity, member.allow))
        if entity.generated_link and not entity.allow:
            return isinstance(member, Relation) or self.is_key_open(entity, row, member)
        names = {name, member.relation} if isinstance(member, Column) else {name}
        return any(
            self.opens(entity, row, rule)
            for rule in self.rules(entity, entity.allow)
            if rule.fields is None or rule.fields & names
        )

    def shows_link(self, link: Entity, end: Relation, row: Row) -> bool:
        """Whether an end of a link is visible, and shows there each list that the link is in."""
        target = self.model.entity(end.target)
        own = {own for own, _ in end.on}
        there = super().related(link, end, row)
        return bool(there) and all(
            not one.hidden and self.is_field_open(target, there[0], one.name)
            for one in target.relations
            if one.through and one.through.entity == link.name and {at for _, at in one.through.local} == own
        )

    def is_key_open(self, link: Entity, row: Row, column: Column) -> bool:
        """Whether the end that a column of a link names shows this part of its key."""
        end = link.relation(column.relation or "")
        assert end is not None
        target = self.model.entity(end.target)
        part = target.column_by_sql(next(theirs for own, theirs in end.on if own == column.column))
        assert part is not None
        there = super().related(link, end, row)
        return not part.hidden and bool(there) and self.is_field_open(target, there[0], part.name)

    def rules(
        self, entity: Entity, rules: Iterable[AllowRule], operation: Operation = Operation.READ
    ) -> list[AllowRule]:
        return [
            rule
            for rule in rules
            if operation in rule.to and self.roles & set(rule.roles) and self.counts(entity, rule)
        ]

    def opens(self, entity: Entity, row: Row, rule: AllowRule | GuardRule) -> bool:
        return rule.where is None or self.rule(entity, row, rule.where, entity, row) is True

    # --- what the executor asks -------------------------------------------------------

    def value(self, column: Column, row: Row) -> Any:
        entity = self.owner[id(row)]
        return super().value(column, row) if self.is_field_open(entity, row, column.name) else None

    def links(self, through: Through) -> list[Row]:
        entity = self.model.entity(through.entity)
        if entity.generated_link and not entity.allow:
            # It is visible when both ends are, and from a deleted row that was asked for it leads on.
            return self.raw.visible(entity)
        here, there = {link for _, link in through.local}, {link for link, _ in through.remote}
        ends = [one.name for one in entity.relations if {own for own, _ in one.on} in (here, there)]
        return [row for row in super().links(through) if all(self.is_field_open(entity, row, end) for end in ends)]

    def related(self, entity: Entity, relation: Relation, row: Row, deleted: str | None = None) -> list[Row]:
        if not self.is_field_open(entity, row, relation.name):
            return []
        rows, target = super().related(entity, relation, row, deleted), self.model.entity(relation.target)
        back = relation.inverse
        # The to-one back tells who has the row: where that is hidden, so is who has it.
        return rows if back is None else [other for other in rows if self.is_field_open(target, other, back)]

    def open_search(self, entity: Entity, row: Row) -> list[str]:
        return [name for name in super().open_search(entity, row) if self.is_field_open(entity, row, name)]

    def ties(self, entity: Entity, row: Row) -> Place:
        """The key as it is seen, and where some of it is hidden what tells nothing of that."""
        is_open = all(self.is_field_open(entity, row, name) for name in entity.primary_key)
        return [*super().ties(entity, row), (None if is_open else self.digest(entity, row), "ASC")]

    def digest(self, entity: Entity, row: Row) -> bytes:
        *some, last = (str(row[column.column]) for column in entity.key_columns)
        parts = [self.tie_key, f"{entity.name}:", *(f"{len(part)}:{part}" for part in some), last]
        return hashlib.sha256("".join(parts).encode()).digest()

    # --- rules, over the unmasked rows ------------------------------------------------

    def counts(self, entity: Entity, rule: AllowRule | GuardRule) -> bool:
        """Whether the viewer has every claim that a rule names."""
        conditions = (where for where in (rule.where, rule.check) if where is not None)
        return all(self.claim(*use) is not MISSING for where in conditions for use in self.uses(entity, where))

    def uses(self, entity: Entity, where: Mapping[str, Any]) -> Iterable[tuple[str, ValueType, bool]]:
        for name, value in where.items():
            if name in ("and", "or"):
                for item in value if isinstance(value, list) else [value]:
                    yield from self.uses(entity, item)
            elif name == "not":
                yield from self.uses(entity, value)
            elif name == "is":
                yield from self.uses(entity, entity.predicates[value])
            elif name == "exists":
                for target, inner in self.asked(value):
                    yield from self.uses(target, inner)
            elif (relation := entity.relation(name)) is not None:
                target = self.model.entity(relation.target)
                for inner in value.values() if relation.to_many else [value]:
                    yield from self.uses(target, inner)
            else:
                column = entity.column(name)
                assert column is not None
                for operator, operand in as_operators(value).items():
                    if isinstance(operand, str) and operand.startswith("$auth."):
                        kind = operators(column.type)[operator]
                        text = ValueType("String", "text")
                        yield operand, text if kind is Operand.TEXT else column.type.item, kind is Operand.LIST

    def asked(self, value: Any) -> Iterable[tuple[Entity, Mapping[str, Any]]]:
        """The entities that an `exists` asks of, with what it asks."""
        for item in value if isinstance(value, list) else [value]:
            for name, where in item.items():
                yield self.model.entity(name), where

    def claim(self, name: str, type_: ValueType, is_list: bool) -> Any:
        value: Any = self.claims
        for step in name.split(".")[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        if is_hollow(value) or (isinstance(value, list) and not is_list):
            return MISSING
        try:
            if is_list:
                items = value if isinstance(value, list) else [value]
                if any(not fits(type_, item) for item in items):
                    return MISSING
                return [as_number(type_, item) for item in items]
            return as_number(type_, value) if fits(type_, value) else MISSING
        except (ValueError, TypeError, ArithmeticError):
            return MISSING

    def rule(self, entity: Entity, row: Row, where: Mapping[str, Any], ruled: Entity, top: Row) -> bool | None:
        return conjunction(self.rule_part(entity, row, name, value, ruled, top) for name, value in where.items())

    def rule_part(self, entity: Entity, row: Row, name: str, value: Any, ruled: Entity, top: Row) -> bool | None:
        if name in ("and", "or", "not"):
            items = value if isinstance(value, list) else [value]
            found = [self.rule(entity, row, item, ruled, top) for item in items]
            if name == "and":
                return conjunction(found)
            if name == "or":
                return True if True in found else None if None in found else False
            return None if found[0] is None else not found[0]
        if name == "is":
            return self.rule(entity, row, entity.predicates[value], ruled, top)
        if name == "exists":
            return all(
                any(self.rule(target, other, inner, ruled, top) is True for other in self.raw.visible(target))
                for target, inner in self.asked(value)
            )
        relation = entity.relation(name)
        if relation is not None:
            target = self.model.entity(relation.target)
            others = self.raw.related(entity, relation, row)
            if not relation.to_many:
                return any(self.rule(target, other, value, ruled, top) is True for other in others)
            results: list[bool | None] = []
            for quantifier, inner in value.items():
                found = [self.rule(target, other, inner, ruled, top) for other in others]
                true = [item is True for item in found]
                results.append({"some": any(true), "none": not any(true), "every": all(true)}[quantifier])
            return conjunction(results)
        column = entity.column(name)
        assert column is not None
        stored = self.raw.value(column, row)
        results = []
        for operator, operand in as_operators(value).items():
            if isinstance(operand, str) and operand.startswith("$auth."):
                kind = operators(column.type)[operator]
                text = ValueType("String", "text")
                operand = self.claim(operand, text if kind is Operand.TEXT else column.type.item, kind is Operand.LIST)
            elif isinstance(operand, str) and operand.startswith("$row."):
                operand = self.ruled(ruled, top, operand.split(".")[1:])
                if operand is None:
                    results.append(None)
                    continue
            results.append(operate(column.type, operator, stored, operand))
        return conjunction(results)

    def ruled(self, entity: Entity, row: Row, path: list[str]) -> Any:
        name, *rest = path
        if not rest:
            column = entity.column(name)
            assert column is not None
            return output(column.type, self.raw.value(column, row))
        relation = entity.relation(name)
        assert relation is not None
        target = self.model.entity(relation.target)
        deleted = target.soft_delete
        others = [
            other
            for other in self.raw.related(entity, relation, row)
            if deleted is None or other[deleted.column] is None
        ]
        return self.ruled(target, others[0], rest) if others else None


async def tie_key_of(engine: Engine, viewer: Viewer) -> str:
    """What the engine orders rows by whose keys this viewer may not see: a secret, known to tests alone."""
    claims = (await engine.open(viewer)).claims
    return engine.statements.cursors.tie_key(claims[Identity()])


def is_hollow(value: Any) -> bool:
    """Whether a claim, or something in it, is null or empty."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [True]
    return value in (None, "") or parts == [] or any(is_hollow(part) for part in parts if part is not True)


def is_deleted(entity: Entity, row: Row) -> bool:
    column = entity.soft_delete
    return column is not None and row[column.column] is not None


def as_operators(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {"eq": value}


def as_number(type_: ValueType, value: Any) -> Any:
    """A claim as a variable of the type would be."""
    return int(value) if type_.name == "Int" else str(value) if type_.name == "ID" else value


def fits(type_: ValueType, value: Any) -> bool:
    """Whether a claim coerces to the type; only what the tests' claims are made of."""
    if value is None:
        return False
    if (
        type_.name in ("Int", "BigInt", "ID")
        and isinstance(value, str)
        and "int" in type_.sql
        and not INTEGER.fullmatch(value)
    ):
        # Python's own reader takes white space and underscores.
        return False
    is_text = type_.is_enum or type_.name in ("String", "Date", "DateTime", "Time")
    if is_text and (not isinstance(value, str) or "\0" in value):
        return False
    if type_.name in ("Int", "BigInt"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            return False
        bound = 2**31 if type_.name == "Int" else 2**63
        return -bound <= int(value) < bound
    if type_.name == "Boolean":
        return isinstance(value, bool)
    if type_.name == "Float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if type_.name == "ID" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if type_.name in ("ID", "UUID") and not isinstance(value, str):
        return False
    if type_.name == "ID" and type_.sql in ("integer", "bigint"):
        bound = 2**31 if type_.sql == "integer" else 2**63
        return -bound <= int(value) < bound
    if type_.name == "Bytes":
        base64.b64decode(value, validate=True)
        return True
    shape = SHAPES.get(type_.name)
    if shape is not None and not shape.match(value):
        # Python's own reader takes an hour alone, and numbers without marks between them.
        return False
    parse_value(type_, value)
    return True
