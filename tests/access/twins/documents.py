"""Random documents that a schema has, with values that rows of the clinic have, or nearly."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

from clew.model.types import Entity, Model, RelationKind

# The key of a locker that is hidden, and what it is in the other database.
HIDDEN, MOVED = "2", "8"
# Values by the type.
VALUES: dict[str, Sequence[str]] = {
    "Int": [str(number) for number in (*range(10), -1, 480, 50, 100, 499, 999, 2**31 - 1, -(2**31))],
    "Float": ("1.5", "0", "50"),
    "String": (
        *('"x"', '"y"', '"k1"', '"k2"', '"k3"', '"k9"', '"flu"', '"gout"', '"pox"', '"Pia"', '"Pio"'),
        *('"Aspirin"', '"Curare"', '"ben"', '"Three"', '"secret"', '"%"'),
    ),
    "Boolean": ("true", "false"),
    "JSON": ("{a: 1}", "{a: 2}", "[]", "null", '"x"'),
    "DateTime": ('"2020-01-01T00:00:00Z"', '"2019-01-01T00:00:00Z"'),
    "ID": ('"1"', '"x"'),
}
PEOPLE = ('"ann"', '"ben"', '"cat"', '"dan"', '"eve"', '"zed"')
CLAIM = '"$auth.sub"'
OF_PEOPLE = frozenset({"doctorId", "bossId", "headId", "voterId", "reader", "ownerId", "host", "holder"})
KEYS = [str(number) for number in (1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9)]
OF_KEYS = frozenset({"id", "wardId", "number", "bunkNumber", "round", "shelf", "parentId", "roomId"})

# Values by the field.
OF_FIELDS: dict[str, Sequence[str]] = {
    "lockerId": (HIDDEN, MOVED, "3"),
    "label": ('"k2"', '"k3"'),
    "noteId": ("1", "2", "3"),
    "tagId": ("1", "2"),
    "drugId": ("1", "2", "3", "4"),
    "patientId": ("1", "2", "3", "4", "5"),
}
# Fields of the application's own, by the entity whose keys they take.
OF_ROWS = {"Patient": ("mayRead", "mayDelete"), "Stay": ("mayChange",), "Locker": ("mayOpen",)}

# The many-to-manys, from both ends.
LINKED = (
    *(("Patient", "drugs", "Drug"), ("Drug", "patients", "Patient")),
    *(("Note", "tags", "Tag"), ("Tag", "notes", "Note")),
)
LINKS = (("Dose", "patientId", "drugId"), ("NoteTag", "noteId", "tagId"))
POINTING = (("Note", "locker", "Locker"), ("Stay", "patient", "Patient"), ("Ward", "head", "Doctor"))
# The keys of rows, and of a row that is not there.
ROWS: dict[str, Sequence[Sequence[tuple[str, str]]]] = {
    "Doctor": [[("id", key)] for key in PEOPLE],
    **{name: [[("id", str(key))] for key in (1, 2, 3, 4, 5, 6, 7, 8, 99)] for name in ("Patient", "Stay", "Entry")},
    **{name: [[("id", str(key))] for key in (1, 2, 3, 4, 5)] for name in ("Ward", "Drug", "Review", "Seat")},
    **{name: [[("id", str(key))] for key in (1, 2, 3)] for name in ("Room", "Tag", "Note")},
    "Locker": [[("id", key)] for key in (HIDDEN, MOVED, "3")],
    "Bunk": [[("wardId", str(ward)), ("number", str(number))] for ward in (1, 2, 3, 4) for number in (1, 2, 9)],
    "Vote": [[("round", str(number)), ("voterId", key)] for number in (1, 2, 3) for key in PEOPLE],
}


@dataclass(frozen=True)
class Thread:
    """Rows and those in a list of theirs, where rules of the ones read the others: a mutation may write both.

    The values that rules name are by field, each as a literal. `pairs` are the keys of rows and of rows in their lists.
    """

    parent: str
    name: str
    child: str
    of_parent: Mapping[str, Sequence[str]]
    of_child: Mapping[str, Sequence[str]]
    pairs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]] = ()


def threads(model: Model) -> list[Thread]:
    """All threads of a model, without pairs."""
    found: dict[tuple[str, str, str], tuple[dict[str, list[str]], dict[str, list[str]]]] = {}
    for entity in model.entities.values():
        for rule in entity.allow:
            for where in (rule.where, rule.check):
                for name, inner in where.items() if isinstance(where, dict) else ():
                    relation = entity.relation(name)
                    if relation is None or not isinstance(inner, dict):
                        continue
                    target = model.entity(relation.target)
                    if relation.kind is RelationKind.TO_ONE:
                        lists = [
                            back for back in target.relations if back.inverse == name and back.target == entity.name
                        ]
                        for back in lists:
                            ends = found.setdefault((target.name, back.name, entity.name), ({}, {}))
                            _note(target, inner, ends[0])
                    elif relation.kind is RelationKind.TO_MANY:
                        ends = found.setdefault((entity.name, name, target.name), ({}, {}))
                        for of_some in inner.values():
                            _note(target, of_some, ends[1])
    return [Thread(*names, *ends) for names, ends in found.items()]


def _note(entity: Entity, where: Mapping[str, Any], found: dict[str, list[str]]) -> None:
    """Note what a condition says of the entity's own fields."""
    for name, asked in where.items():
        if entity.column(name) is not None:
            values = asked.values() if isinstance(asked, dict) else [asked]
            for value in values:
                found.setdefault(name, []).append(json.dumps(value))


def leaves(type_: GraphQLObjectType) -> str:
    """The fields that have values."""
    return " ".join(name for name, field in type_.fields.items() if is_leaf_type(get_named_type(field.type)))


def _listed(given: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in given.items())


def _row(field: GraphQLField) -> GraphQLObjectType:
    """The type of the rows that a mutation writes."""
    type_ = get_named_type(field.type)
    assert isinstance(type_, GraphQLObjectType)
    row = get_named_type(type_.fields["rows"].type) if "rows" in type_.fields else type_
    assert isinstance(row, GraphQLObjectType)
    return row


@dataclass
class Writer:
    """Makes documents of a role's schema. The same random numbers make the same documents."""

    schema: GraphQLSchema
    random: Random
    # Whom rules may call the viewer.
    name: str
    # The names of entities. Most documents begin at one of these, if there are any.
    about: Sequence[str] = ()
    # The names of fields that are often written where there are such.
    toward: Collection[str] = ()
    is_mutation: bool = False

    def document(self) -> str:
        """A query or a mutation; most mutations do little, as those find out most."""
        if self.random.random() < 0.2:
            return self.query()
        if self.random.random() < 0.3:
            return self.random.choice((self.relink, self.repoint))()
        return self.probe() if self.random.random() < 0.85 else self.mutation()

    def query(self) -> str:
        root = self.schema.query_type
        assert root is not None
        self.is_mutation = False
        of = self.random.choice(self.about) if self.about else ""
        asked = OF_ROWS.get(of)
        if asked and self.random.random() < 0.7:
            name, [(_, key)] = self.random.choice(asked), self.random.choice(ROWS[of])
            return f"query {{ {name}(id: {key}) }}"
        return f"query {self.selection(root, 0)}"

    def mutation(self) -> str:
        root = self.schema.mutation_type
        assert root is not None
        self.is_mutation = True
        names = list(root.fields)
        chosen = [self.random.choice(names) for _ in range(1 if self.random.random() < 0.85 else 2)]
        fields = (f"r{n}: {self.field(name, root.fields[name], 0)}" for n, name in enumerate(chosen))
        return f"mutation {{ {' '.join(fields)} }}"

    def probe(self) -> str:
        """A mutation of one root field that does little: most change one field of one row, or one of its rows."""
        root = self.schema.mutation_type
        assert root is not None
        self.is_mutation = True
        name = self.random.choice(self._begin(root))
        field = root.fields[name]
        type_, row = get_named_type(field.type), _row(field)
        assert isinstance(type_, GraphQLObjectType)
        below = f"{{ {leaves(type_)} }}" if row is type_ else f"{{ count rows {{ {leaves(row)} }} }}"
        given = dict(self.random.choice(ROWS[row.name])) if row.name in ROWS else {}
        arguments = {n: v for n, v in given.items() if n in field.args}
        rest = [n for n in field.args if n not in arguments and n not in ("all", "update")]
        changes = [n for n in rest if n in ("set", "inc", "append")]
        if changes:
            rest = [n for n in rest if n not in changes] + [self.random.choice(changes)]
        for n in rest:
            if n == "where" and self.random.random() < 0.5:
                arguments["all"] = "true"
            elif n == "where" and self.random.random() < 0.6 and given:
                key = next(iter(given))
                arguments[n] = (
                    f"{{{key}: {{in: [{', '.join(dict.fromkeys(dict(one)[key] for one in ROWS[row.name]))}]}}}}"
                )
            else:
                arguments[n] = self.small(n, row.name, field.args[n].type)
        return f"mutation {{ r0: {name}({_listed(arguments)}) {below} }}"

    def climb(self, thread: Thread) -> str:
        """A mutation that changes a field of a row, and one of a row in its list, such as rules ask for."""
        set_ = self.schema.type_map.get(f"{thread.parent}SetInput")
        nested = self.schema.type_map.get(f"{thread.child}UpdateInput")
        if not isinstance(set_, GraphQLInputObjectType) or thread.name not in set_.fields:
            return self.document()
        if not isinstance(nested, GraphQLInputObjectType):
            return self.document()
        parent, child = self.random.choice(thread.pairs)
        ways = [way for way in ("set", "inc", "append") if way in nested.fields]
        way = self.random.choice(ways)
        of_child = get_named_type(nested.fields[way].type)
        assert isinstance(of_child, GraphQLInputObjectType)
        own = self._one_of(set_, thread.of_parent)
        below = f"{_listed(child)}, {way}: {{{self._one_of(of_child, thread.of_child if way == 'set' else {})}}}"
        root = self.schema.type_map[thread.parent]
        assert isinstance(root, GraphQLObjectType)
        changed = f"set: {{{own}, {thread.name}: {{update: [{{{below}}}]}}}}"
        return f"mutation {{ r0: update{thread.parent}({_listed(parent)}, {changed}) {{ {leaves(root)} }} }}"

    def relink(self) -> str:
        """A mutation that connects or disconnects two rows of a many-to-many, or names none, or makes a link."""
        root = self.schema.mutation_type
        assert root is not None
        link, *ends = self.random.choice(LINKS)
        if f"create{link}" not in root.fields or self.random.random() < 0.5:
            return self._lead(*self.random.choice(LINKED))
        given = {name: self.random.choice(OF_FIELDS[name]) for name in ends}
        return f"mutation {{ r0: create{link}(input: {{{_listed(given)}}}) {{ __typename }} }}"

    def repoint(self) -> str:
        """A mutation that connects a row to another by a to-one or its key, or names none."""
        concerned = [link for link in POINTING if link[2] in self.about]
        parent, name, child = self.random.choice(concerned or POINTING)
        set_ = self.schema.type_map.get(f"{parent}SetInput")
        if self.random.random() < 0.5 or f"{name}Id" not in getattr(set_, "fields", ()):
            return self._lead(parent, name, child)
        [row], [[(_, key)]] = self.random.sample(ROWS[parent], 1), self.random.sample(ROWS[child], 1)
        return f"mutation {{ r0: update{parent}({_listed(dict(row))}, set: {{{name}Id: {key}}}) {{ __typename }} }}"

    def _lead(self, parent: str, name: str, child: str) -> str:
        set_ = self.schema.type_map.get(f"{parent}SetInput")
        if not isinstance(set_, GraphQLInputObjectType) or name not in set_.fields:
            return self.probe()
        ways = get_named_type(set_.fields[name].type)
        assert isinstance(ways, GraphQLInputObjectType)
        way = self.random.choice([way for way in ("connect", "disconnect", "delete") if way in ways.fields])
        row, other = dict(self.random.choice(ROWS[parent])), dict(self.random.choice(ROWS[child]))
        if child == "Locker" and self.random.random() < 0.7:
            other = {"label": self.random.choice(OF_FIELDS["label"])}
        named = f"{{{_listed(other) if self.random.random() < 0.7 else ''}}}"
        value = f"[{named}]" if isinstance(ways.fields[way].type, GraphQLList) else named
        root = self.schema.type_map[parent]
        assert isinstance(root, GraphQLObjectType)
        changed = f"set: {{{name}: {{{way}: {value}}}}}"
        return f"mutation {{ r0: update{parent}({_listed(row)}, {changed}) {{ {leaves(root)} }} }}"

    def _one_of(self, type_: GraphQLInputObjectType, wanted: Mapping[str, Sequence[str]]) -> str:
        """One field with a value, of the wanted ones if any are there."""
        plain = [n for n, field in type_.fields.items() if is_leaf_type(get_named_type(field.type))]
        known = [n for n in plain if n in wanted]
        if known and self.random.random() < 0.8:
            name = self.random.choice(known)
            value = self.random.choice(wanted[name])
            if value == CLAIM:
                value = json.dumps(self.name) if self.random.random() < 0.5 else self.random.choice(PEOPLE)
            return f"{name}: {value}"
        name = self.random.choice(plain)
        return f"{name}: {self.value(name, type_.fields[name].type, 3)}"

    def _begin(self, root: GraphQLObjectType) -> list[str]:
        """The fields to choose from."""
        about = self.random.choice(self.about) if self.about and self.random.random() < 0.75 else None
        return [name for name, field in root.fields.items() if _row(field).name == about] or list(root.fields)

    def small(self, name: str, of: str, type_: GraphQLInputType, depth: int = 0) -> str:
        """A value with as little in it as it takes, and one thing more."""
        if isinstance(type_, GraphQLNonNull):
            return self.small(name, of, type_.of_type, depth)
        if isinstance(type_, GraphQLList):
            count = 1 if self.random.random() < 0.8 else 2
            return f"[{', '.join(self.small(name, of, type_.of_type, depth) for _ in range(count))}]"
        if not isinstance(type_, GraphQLInputObjectType):
            return self.value(name, type_, depth)
        if type_.name.endswith("Filter"):
            return self.object(name, type_, 3)
        of = next((entity for entity in ROWS if type_.name in (f"{entity}UpdateInput", f"{entity}UniqueInput")), of)
        fields, given = type_.fields, dict[str, str]()
        if type_.name in (f"{of}UpdateInput", f"{of}UniqueInput"):
            given = {n: v for n, v in self.random.choice(ROWS[of]) if n in fields}
        optional: list[str] = []
        for n, field in fields.items():
            if n in given:
                continue
            if isinstance(field.type, GraphQLNonNull):
                given[n] = self.small(n, of, field.type, depth + 1)
            elif depth < 4 or not isinstance(get_named_type(field.type), GraphQLInputObjectType):
                optional.append(n)
        if type_.name == f"{of}UniqueInput":
            if optional and self.random.random() < 0.5:
                given = {}
            optional = [] if given else optional
        few = 1 if self.random.random() < 0.75 else 2
        if {"create", "connect"}.issuperset(fields) or type_.is_one_of:
            few = 1
        aimed = [n for n in optional if n in self.toward]
        if aimed and self.random.random() < 0.7:
            optional = aimed
        for n in self.random.sample(optional, min(few, len(optional))):
            given[n] = self.small(n, of, fields[n].type, depth + 1)
        return f"{{{_listed(given)}}}"

    def selection(self, type_: GraphQLObjectType, depth: int) -> str:
        names = [name for name, field in type_.fields.items() if self._fits(field.type, depth)]
        most = 2 if depth == 0 or self.is_mutation else 4
        chosen = self.random.sample(names, min(len(names), self.random.randint(1, most)))
        fields = [f"s{n}: {self.field(name, type_.fields[name], depth)}" for n, name in enumerate(chosen)]
        return f"{{ {' '.join(fields) or '__typename'} }}"

    def field(self, name: str, field: GraphQLField, depth: int) -> str:
        given = self.given(field.args.items(), depth, 0.45 if depth == 0 else 0.15)
        if name.startswith("upsert"):
            # A key that the input has.
            key = get_named_type(field.args["on"].type)
            input_ = get_named_type((field.args.get("input") or field.args["inputs"]).type)
            assert isinstance(key, GraphQLEnumType)
            assert isinstance(input_, GraphQLInputObjectType)
            keys = [value for value in key.values if self._has(input_, value)] or list(key.values)
            given = [f"on: {self.random.choice(keys)}" if text.startswith("on:") else text for text in given]
        arguments = f"({', '.join(given)})" if given else ""
        type_ = get_named_type(field.type)
        below = self.selection(type_, depth + 1) if isinstance(type_, GraphQLObjectType) else ""
        return f"{name}{arguments} {below}"

    def _has(self, input_: GraphQLInputObjectType, key: str) -> bool:
        parts = key.split("_")
        return all(part in input_.fields or f"{part}Id" in input_.fields for part in parts)

    def _fits(self, type_: GraphQLOutputType, depth: int) -> bool:
        return is_leaf_type(get_named_type(type_)) or depth < (2 if self.is_mutation else 4)

    def given(
        self, all_: Iterable[tuple[str, GraphQLArgument | GraphQLInputField]], depth: int, likely: float
    ) -> list[str]:
        return [
            f"{name}: {self.value(name, argument.type, depth)}"
            for name, argument in all_
            if isinstance(argument.type, GraphQLNonNull) or self.random.random() < likely
        ]

    def value(self, name: str, type_: GraphQLInputType, depth: int) -> str:
        if isinstance(type_, GraphQLNonNull):
            return self.value(name, type_.of_type, depth)
        if self.random.random() < 0.004:
            return "null"
        if isinstance(type_, GraphQLList):
            count = self.random.choice((1, 1, 1, 2, 2, 3))
            return f"[{', '.join(self.value(name, type_.of_type, depth) for _ in range(count))}]"
        if isinstance(type_, GraphQLEnumType):
            names: list[str] = list(type_.values)
            return self.random.choice(names)
        if isinstance(type_, GraphQLInputObjectType):
            return self.object(name, type_, depth)
        assert isinstance(type_, GraphQLScalarType)
        if type_.name == "String" and (
            name in OF_PEOPLE or (name in ("id", "eq", "neq", "in") and self.random.random() < 0.5)
        ):
            return self.random.choice(PEOPLE)
        if name in OF_FIELDS:
            return self.random.choice(OF_FIELDS[name])
        if type_.name == "Int" and (name in OF_KEYS or (name in ("eq", "in") and self.random.random() < 0.7)):
            return self.random.choice(KEYS)
        return self.random.choice(VALUES.get(type_.name, VALUES["String"]))

    def object(self, name: str, type_: GraphQLInputObjectType, depth: int) -> str:
        fields = type_.fields
        if depth > 5:
            return "{}"
        if type_.name.endswith("UniqueInput") and "id" in fields and self.random.random() < 0.8:
            return f"{{id: {self.value('id', fields['id'].type, depth)}}}"
        if type_.is_one_of or not any(isinstance(field.type, GraphQLNonNull) for field in fields.values()):
            # One of the fields, or some of them: those that are lists of rows or of conditions less often.
            plain = [
                n for n, field in fields.items() if not isinstance(get_named_type(field.type), GraphQLInputObjectType)
            ]
            names = list(fields) if not plain or (depth < 3 and self.random.random() < 0.6) else plain
            few = {"create", "connect"} >= set(fields) or type_.is_one_of
            count = 1 if few else self.random.choice((1, 1, 1, 2, 2, 3))
            chosen = self.random.sample(names, min(count, len(names)))
        else:
            likely = 0.35 if depth < 3 else 0.1
            chosen = [
                n
                for n, field in fields.items()
                if isinstance(field.type, GraphQLNonNull)
                or (
                    self.random.random() < likely
                    and (depth < 3 or not isinstance(get_named_type(field.type), GraphQLInputObjectType))
                )
            ]
        of = (
            f"{n}: {self.value(n if n not in OPERATORS else _both(name, n), fields[n].type, depth + 1)}" for n in chosen
        )
        return f"{{{', '.join(of)}}}"


OPERATORS = frozenset({"eq", "neq", "in", "notIn", "gt", "gte", "lt", "lte", "startsWith", "contains"})


def _both(field: str, operator: str) -> str:
    """The name whose values an operand of a filter takes: those of the field, where it has its own."""
    return field if field in OF_PEOPLE or field in OF_KEYS else operator
