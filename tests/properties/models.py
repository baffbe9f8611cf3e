"""Random models as SDL text, and random rows for them. A seed gives the same case every time."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from graphql import Source

from clew.model.build import parse_model
from clew.model.types import Column, Entity, Model, Relation, RelationKind, ValueType

Row = dict[str, Any]

ENUM = "Mood"
MOODS = ("CALM", "ANGRY", "select", "None", "_x")
# SQL names that want quoting, look like parameters of some driver, or like names that statements make up.
NASTY = (
    *("select", "Order", "two words", 'dou"ble', "apos'trophe", "100%", "%(p0)s", "%s", "%%", ":x", "$1", "ünï", "?"),
    *("t0", "t1", "page1", "j2", "r0", "p0", "clew_key0", "clew_json", "present", "item", "position", "anon_1"),
    *("back\\slash", "x" * 63, "é" * 31, '"', "a.b", "{}", "--", "null", "value", "POSTCOMPILE", "__[POSTCOMPILE_p0]"),
)
# API name of a column field, its type, and the SQL type to ask for.
SCALARS = (
    *(("ID", ""), ("Int", ""), ("Int", "smallint"), ("BigInt", ""), ("Float", ""), ("Float", "real")),
    *(("Decimal", ""), ("Decimal", "numeric(12,3)"), ("Boolean", ""), ("String", ""), ("String", "varchar(80)")),
    *(("DateTime", ""), ("DateTime", "timestamp"), ("Date", ""), ("Time", ""), ("UUID", ""), ("JSON", "")),
    *(("JSON", "json"), ("Bytes", ""), (ENUM, "")),
)
KEYS = (
    "id: ID! @id",
    "id: Int! @id",
    "id: BigInt! @id",
    "id: String! @id",
    'id: ID! @id @column(type: "bigint")',
    'id: ID! @id @column(name: "key %(p1)s", type: "varchar(80)")',
    "id: UUID! @id",
    'one: Int! @id @column(name: "Select") two: String! @id',
)
TEXTS = (
    *("", " ", "a", "A", "b", "ab", "aB%", "%", "_", "a_b", "\\", "\\\\", "a\\%", "'", "''; DROP TABLE x --", '"', "`"),
    *("é", "É", "ß", "\u017f", "\u0130", "😀", "e\u0301", "\u2028", "\x7f", "\x01", "\t\r\n", "{}", "null", "$1", ":x"),
    *("%(p0)s", "z" * 60, "\U0010ffff", "\uffff"),
)
PROSE = (
    *("The quick brown fox", "foxes run quickly", "a brown hat, no fox", "hats", "fox fox fox", "un été à Paris; A"),
    *("brown", "fox", "", "or", "quick"),
)
FLOATS = (0.0, -0.0, 1.5, -2.25, 0.1, 1 / 3, 1e300, -1e300, 5e-324, 1e15, 1e16, 123456789012345678.0, 100000.0, 3.0)
REALS = (0.0, 1.5, -2.25, 0.10000000149011612, 16777216.0, 1.0000000150474662e30)
MOMENTS = (
    # The very first and last that Python knows are infinite to asyncpg.
    datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, 0, 500000, tzinfo=UTC),
    datetime(1883, 11, 18, 12, 3, 58, tzinfo=UTC),
)
JSONS: tuple[Any, ...] = (
    *(None, True, 0, 1.5, "", '😀"\\', [], {}, [None, [1, {"b": 1, "a": [{}]}]], {"": None, "x'y": "\u2028", "%": -1}),
    *(10**30, {"__proto__": 1, "data": {"errors": []}}),
)


@dataclass(frozen=True)
class Case:
    """A model with rows for its tables, by entity name; the rows' keys are SQL columns."""

    seed: int
    sdl: str
    model: Model
    rows: dict[str, list[Row]]


def make_case(seed: int) -> Case:
    """The model and rows of this seed."""
    rng = random.Random(seed)
    sdl = _Sdl(rng).text()
    model = parse_model(Source(sdl, "random.graphql"))
    return Case(seed, sdl, model, _Data(rng, model).rows())


def with_unique_keys(case: Case) -> Case:
    """The case with views whose keys are unique: rows of one key come in any order, and one of them by the key."""
    entities = dict(case.model.entities)
    for name, entity in entities.items():
        if entity.view_sql is not None:
            sql = f"SELECT DISTINCT ON (of_id) * FROM ({entity.view_sql}) AS twice ORDER BY of_id, size"
            entities[name] = replace(entity, view_sql=sql)
    return replace(case, model=replace(case.model, entities=entities))


# --- models ---------------------------------------------------------------------------


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class _Type:
    """An entity being written: its fields as SDL lines."""

    name: str
    directive: str
    lines: list[str] = field(default_factory=list)
    names: Iterator[str] = field(default_factory=lambda: iter(()))


class _Sdl:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.types: list[_Type] = []
        # The key's line of each entity: composite keys and keys of keys are known by it.
        self.soft: set[str] = set()

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def text(self) -> str:
        count = self.rng.randint(2, 5)
        table_names = self.rng.sample([name for name in NASTY if name != "__[POSTCOMPILE_p0]"], count)
        for index in range(count):
            name = "ABCDE"[index] + "type"
            arguments = []
            if self.chance(0.4):
                arguments.append(f"name: {_string(table_names[index])}")
            if self.chance(0.2):
                arguments.append(f'schema: "other schema {index % 2}"')
            directive = f"@table({', '.join(arguments)})" if arguments else "@table"
            type_ = _Type(name, directive, names=iter(self.rng.sample(NASTY, len(NASTY))))
            self.types.append(type_)
            self.key(type_, index)
            self.columns(type_)
        for type_ in list(self.types):
            self.relations(type_)
        self.links()
        self.view()
        moods = " ".join(MOODS)
        parts = [f"enum {ENUM} {{ {moods} }}"]
        for type_ in self.types:
            body = "\n  ".join(type_.lines)
            parts.append(f"type {type_.name} {type_.directive} {{\n  {body}\n}}")
        return "\n\n".join(parts) + "\n"

    def key(self, type_: _Type, index: int) -> None:
        if index and self.chance(0.25):
            # A key that holds another row's key, perhaps itself of several columns.
            other = self.rng.choice(self.types[:index])
            type_.lines += [f"keyed: {other.name}! @id", "number: Int! @id"]
        else:
            type_.lines.append(self.rng.choice(KEYS))

    def column(self, type_: _Type) -> str:
        """Perhaps a `@column(name:)`."""
        return f"name: {_string(next(type_.names))}" if self.chance(0.4) else ""

    def columns(self, type_: _Type) -> None:
        for number in range(self.rng.randint(3, 9)):
            name, sql = self.rng.choice(SCALARS)
            arguments = [part for part in (self.column(type_), f'type: "{sql}"' if sql else "") if part]
            directives = f" @column({', '.join(arguments)})" if arguments else ""
            if name == ENUM:
                name = ENUM
            if self.chance(0.3):
                name = f"[{name}{'' if self.chance(0.4) else '!'}]"
            required = "!" if self.chance(0.5) else ""
            hidden = " @hidden" if self.chance(0.08) else ""
            type_.lines.append(f"f{number}: {name}{required}{directives}{hidden}")
        text = next(type_.names)
        type_.lines.append(f"label: String! @column(name: {_string(text)}){' @unique' if self.chance(0.5) else ''}")
        if self.chance(0.6):
            sql = f"upper({_quoted(text)}) || '%(p0)s :x $1'"
            type_.lines.append(f"loud: String @computed(sql: {_string(sql)})")
        if self.chance(0.4):
            index = " @index" if self.chance(0.5) else ""
            type_.lines.append(f"size: Int @computed(sql: {_string(f'length({_quoted(text)})')}){index}")
        if self.chance(0.4):
            languages = ("english", "simple")
            type_.lines.append(f"prose: String @search(language: {_string(self.rng.choice(languages))})")
            if self.chance(0.5):
                type_.lines.append(f"words: String @search(weight: {self.rng.choice('ABCD')})")
        if self.chance(0.35):
            self.soft.add(type_.name)
            type_.lines.append("deletedAt: DateTime @softDelete")

    def relations(self, type_: _Type) -> None:
        for number in range(self.rng.randint(0, 3)):
            target = type_ if self.chance(0.25) else self.rng.choice(self.types)
            name = f"to{number}"
            # A required to-one to a later type, or to itself, is a cycle: rows could not be made.
            earlier = [t.name for t in self.types].index(target.name) < [t.name for t in self.types].index(type_.name)
            required = "!" if earlier and self.chance(0.6) else ""
            unique = not required and self.chance(0.35)
            relation = f" @relation(column: {_string(next(type_.names))})" if self.chance(0.3) else ""
            if any("keyed:" in line or "one:" in line for line in target.lines):
                relation = ""
            type_.lines.append(f"{name}: {target.name}{required}{' @unique' if unique else ''}{relation}")
            if self.chance(0.8):
                back = f"back{type_.name}{number}"
                of = target.name if unique else f"[{target.name}!]!"
                of = type_.name if unique else f"[{type_.name}!]!"
                target.lines.append(f'{back}: {of} @relation(from: "{name}")')

    def links(self) -> None:
        for number in range(self.rng.randint(0, 2)):
            one, other = self.rng.choice(self.types), self.rng.choice(self.types)
            link = f"Link{number}"
            if self.chance(0.5):
                soft = "\n  deletedAt: DateTime @softDelete" if self.chance(0.5) else ""
                body = f"left: {one.name}! @id\n  right: {other.name}! @id{soft}"
                self.types.append(_Type(link, f"@table(name: {_string(f'li nk{number}')})", [body]))
            if one is other:
                # Each direction has its list.
                for name, end in ((f"via{number}", "left"), (f"via{number}back", "right")):
                    one.lines.append(f'{name}: [{one.name}!]! @relation(through: "{link}", from: {end})')
            else:
                one.lines.append(f'via{number}: [{other.name}!]! @relation(through: "{link}")')
            if one is not other and self.chance(0.6):
                other.lines.append(f'via{number}back: [{one.name}!]! @relation(through: "{link}")')
            if link in [type_.name for type_ in self.types]:
                # Later links start from entities that were there before.
                self.types.insert(0, self.types.pop())
                self.types.append(self.types.pop(0))

    def view(self) -> None:
        if not self.chance(0.5):
            return
        simple = [t for t in self.types if t.lines[0] == "id: Int! @id" and t.directive == "@table"]
        if not simple:
            return
        base = self.rng.choice(simple)
        label = next(line for line in base.lines if line.startswith("label:"))
        column = json.loads(label.split("name: ", 1)[1].rsplit(")", 1)[0])
        table = f'"{base.name.lower()}s"'
        # The key is not unique: what reads one row of it must not fall over the second. The two
        # are alike in all else, for nothing says which of them comes first.
        rows = f"SELECT id AS of_id, {_quoted(column)} AS note, length({_quoted(column)}) AS size FROM {table}"
        sql = f"{rows} UNION ALL {rows} WHERE id = 1"
        body = [f"of: {base.name}! @id", "note: String", "size: Int"]
        self.types.append(_Type("Vtype", f"@view(sql: {_string(sql)})", body))


# --- rows -----------------------------------------------------------------------------


def value_of(rng: random.Random, type_: ValueType) -> Any:
    """A value of the type as asyncpg takes it; never None but inside a list."""
    if type_.is_list:
        items = [value_of(rng, type_.item) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
        return [None if type_.item_nullable and rng.random() < 0.3 else item for item in items]
    if type_.is_enum:
        return rng.choice(MOODS)
    match type_.name:
        case "ID" | "UUID" if type_.sql == "uuid":
            return rng.choice((uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=rng.randrange(2**128))))
        case "ID" if type_.sql == "bigint":
            return rng.choice((0, -1, 2**63 - 1, -(2**63), rng.randrange(100)))
        case "Int" if type_.sql == "smallint":
            return rng.choice((0, 1, 2**15 - 1, -(2**15)))
        case "Int":
            return rng.choice((0, 1, 2, -1, 2**31 - 1, -(2**31)))
        case "BigInt":
            return rng.choice((0, 1, 2**53 + 1, 2**63 - 1, -(2**63)))
        case "Float":
            return rng.choice(REALS if type_.sql == "real" else FLOATS)
        case "Decimal":
            texts = ("0", "-0.5", "2.000", "1", "123456789.125", "0.001", "10.50")
            wide = ("1e100", "-1e-50", "12345678901234567890.123456789", "0.00000000000000000001")
            return Decimal(rng.choice(texts if "(" in type_.sql else texts + wide))
        case "Boolean":
            return rng.random() < 0.5
        case "DateTime":
            moment = rng.choice(MOMENTS)
            return moment if type_.sql == "timestamptz" else moment.replace(tzinfo=None)
        case "Date":
            return rng.choice((date(1, 1, 2), date(9999, 12, 30), date(2024, 2, 29), date(2026, 1, 1)))
        case "Time":
            return rng.choice((time(0, 0), time(23, 59, 59, 999999), time(6, 30, 0, 500), time(12, 0, 0, 500000)))
        case "JSON":
            # No `null`: in a JSON! field it is what graphql-core refuses.
            return json.dumps(rng.choice(JSONS[1:]), ensure_ascii=rng.random() < 0.5)
        case "Bytes":
            return rng.choice((b"", b"\x00", b"\xff" * 3, b"'\\", bytes(range(120)), b"<=>?"))
    return rng.choice(TEXTS)


class _Data:
    def __init__(self, rng: random.Random, model: Model) -> None:
        self.rng = rng
        self.model = model
        self.made: dict[str, list[Row]] = {}

    def rows(self) -> dict[str, list[Row]]:
        for entity in self.model.entities.values():
            self.keys(entity)
        for name in self.made:
            self.others(self.model.entity(name))
        return self.made

    def keys(self, entity: Entity) -> None:
        """The entity's rows with everything but the to-ones outside their keys."""
        if entity.name in self.made or entity.view_sql is not None:
            return
        in_key = [
            r for r in entity.relations if r.kind is RelationKind.TO_ONE and set(r.key) <= set(entity.primary_key)
        ]
        for relation in in_key:
            self.keys(self.model.entity(relation.target))
        rows: list[Row] = []
        seen: set[Any] = set()
        for number in range(self.rng.randint(1, 7)):
            row: Row = {}
            for column in entity.columns:
                if column.computed is None and column.relation is None:
                    row[column.column] = self.value(entity, column, number)
            for relation in in_key:
                row.update(self.pointing(relation, self.rng.choice(self.made[relation.target])))
            key = tuple(row[column.column] for column in entity.key_columns)
            if key not in seen:
                seen.add(key)
                rows.append(row)
        self.made[entity.name] = rows

    def value(self, entity: Entity, column: Column, number: int) -> Any:
        if column.soft_delete:
            return MOMENTS[2] if self.rng.random() < 0.3 else None
        if column.nullable and self.rng.random() < 0.3:
            return None
        if column.type.sql == "integer" and column.name == "id":
            return number
        if column.name in ("prose", "words"):
            return self.rng.choice(PROSE)
        value = value_of(self.rng, column.type)
        is_key = [key.columns for key in entity.uniques if column.name in key.columns]
        return value + str(number) if is_key and isinstance(value, str) else value

    def others(self, entity: Entity) -> None:
        for relation in entity.relations:
            if relation.kind is not RelationKind.TO_ONE or set(relation.key) <= set(entity.primary_key):
                continue
            targets = list(self.made[relation.target])
            self.rng.shuffle(targets)
            unique = any(key.columns == relation.key for key in entity.uniques)
            for row in self.made[entity.name]:
                target = self.rng.choice(targets) if targets else None
                if relation.nullable and (target is None or self.rng.random() < 0.35):
                    row.update({own: None for own, _ in relation.on})
                    continue
                assert target is not None
                row.update(self.pointing(relation, target))
                if unique:
                    targets.remove(target)

    def pointing(self, relation: Relation, target: Row) -> Row:
        return {own: target[other] for own, other in relation.on}
