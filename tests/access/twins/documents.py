"""Random documents that a schema has, with values that rows of the clinic have, or nearly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

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

# Values by the type.
VALUES: dict[str, Sequence[str]] = {
    "Int": [str(number) for number in (*range(10), -1, 50, 100, 499, 999, 2**31 - 1, -(2**31))],
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
OF_PEOPLE = frozenset({"doctorId", "bossId", "headId", "voterId", "reader"})
KEYS = [str(number) for number in (1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9)]
OF_KEYS = frozenset({"id", "wardId", "number", "bunkNumber", "patientId", "round", "shelf", "drugId", "parentId"})


# The keys of rows, and of a row that is not there.
ROWS: dict[str, Sequence[Sequence[tuple[str, str]]]] = {
    "Doctor": [[("id", key)] for key in PEOPLE],
    **{name: [[("id", str(key))] for key in (1, 2, 3, 4, 5, 6, 7, 8, 99)] for name in ("Patient", "Stay", "Entry")},
    **{name: [[("id", str(key))] for key in (1, 2, 3, 4, 5)] for name in ("Ward", "Drug")},
    "Bunk": [[("wardId", str(ward)), ("number", str(number))] for ward in (1, 2, 3, 4) for number in (1, 2, 9)],
    "Vote": [[("round", str(number)), ("voterId", key)] for number in (1, 2, 3) for key in PEOPLE],
}


def leaves(type_: GraphQLObjectType) -> str:
    """The fields that have values."""
    return " ".join(name for name, field in type_.fields.items() if is_leaf_type(get_named_type(field.type)))


@dataclass
class Writer:
    """Makes documents of a role's schema. The same random numbers make the same documents."""

    schema: GraphQLSchema
    random: Random
    is_mutation: bool = False

    def document(self) -> str:
        """A query or a mutation; most mutations do little, as those find out most."""
        if self.random.random() < 0.15:
            return self.query()
        return self.probe() if self.random.random() < 0.85 else self.mutation()

    def query(self) -> str:
        root = self.schema.query_type
        assert root is not None
        self.is_mutation = False
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
        name = self.random.choice(list(root.fields))
        field = root.fields[name]
        type_ = get_named_type(field.type)
        assert isinstance(type_, GraphQLObjectType)
        if "rows" in type_.fields:
            row = get_named_type(type_.fields["rows"].type)
            assert isinstance(row, GraphQLObjectType)
            below = f"{{ count rows {{ {leaves(row)} }} }}"
        else:
            row, below = type_, f"{{ {leaves(type_)} }}"
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
                arguments[n] = f"{{{key}: {{in: [{', '.join({dict(one)[key] for one in ROWS[row.name]})}]}}}}"
            else:
                arguments[n] = self.small(n, row.name, field.args[n].type)
        listed = ", ".join(f"{n}: {v}" for n, v in arguments.items())
        return f"mutation {{ r0: {name}({listed}) {below} }}"

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
            optional = [] if given else optional
        few = 1 if self.random.random() < 0.75 else 2
        if {"create", "connect"}.issuperset(fields) or type_.is_one_of:
            few = 1
        for n in self.random.sample(optional, min(few, len(optional))):
            given[n] = self.small(n, of, fields[n].type, depth + 1)
        return f"{{{', '.join(f'{n}: {v}' for n, v in given.items())}}}"

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
