"""Clew's directives, typed (docs/directives.md).

`directives.graphql` declares each directive's arguments, their types and its places. The rest
of the compiler reads the classes here. A test checks that both agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as class_fields
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveDefinitionNode,
    DirectiveNode,
    EnumTypeDefinitionNode,
    EnumValueNode,
    FloatValueNode,
    InputValueDefinitionNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectValueNode,
    ScalarTypeDefinitionNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableNode,
    parse,
)

from clew.sdl.constants import constant
from clew.sdl.report import Report, did_you_mean, shown

# Directives of GraphQL itself that an SDL may use.
STANDARD = {"deprecated": ("reason",), "specifiedBy": ("url",), "oneOf": ()}
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One use of a directive: its node, and in `given` the value node of each argument that is written."""

    node: DirectiveNode
    given: Mapping[str, ValueNode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Directive):
    name: str | None
    plural: str | None
    schema: str | None
    without: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Directive):
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Id(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique(Directive):
    fields: tuple[str, ...] | None
    where: str | None
    sql: str | None
    message: str | None
    deferrable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Directive):
    fields: tuple[str, ...] | None
    using: str | None
    where: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Directive):
    name: str | None
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Default(Directive):
    value: Any
    sql: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Directive):
    pattern: str | None
    sql: str | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(Directive):
    from_: str | None
    through: str | None
    on_delete: str | None
    column: str | None
    columns: tuple[str, ...] | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed(Directive):
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver(Directive):
    requires: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedAt(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedAt(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftDelete(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Directive):
    weight: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden(Directive):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset(Directive):
    claim: str | None
    value: Any
    sql: str | None
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow(Directive):
    role: tuple[str, ...]
    to: tuple[str, ...]
    where: Any
    check: Any
    fields: tuple[str, ...] | None
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard(Directive):
    to: tuple[str, ...]
    where: Any
    check: Any
    binds_admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Is(Directive):
    name: str
    where: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Directive):
    type: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Directive):
    queue: str
    retries: int
    timeout: float | None
    priority: int
    unique: tuple[str, ...] | None
    run_at: str | None
    concurrency: int | None
    rate: int | None
    key: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class On(Directive):
    model: str
    events: tuple[str, ...]
    when: Any
    run: str
    payload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron(Directive):
    schedule: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed(Directive):
    from_: str


_TYPED: tuple[type[Directive], ...] = (
    *(Table, View, Id, Unique, Index, Column, Default, Check, Relation, Computed, Resolver, CreatedAt, UpdatedAt),
    *(Version, SoftDelete, Search, Hidden, Preset, Allow, Guard, Is, Row, Job, On, Cron, Renamed),
)
CLASSES: Mapping[str, type[Directive]] = {kind.__name__[0].lower() + kind.__name__[1:]: kind for kind in _TYPED}


def name_of(kind: type[Directive]) -> str:
    """Return the directive's name without its `@`."""
    return kind.__name__[0].lower() + kind.__name__[1:]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a directive: the attribute that holds it, and its type."""

    name: str
    attribute: str
    type: str
    is_list: bool
    required: bool
    default: Any


@dataclass(frozen=True, slots=True)
class Definition:
    """A directive as `directives.graphql` declares it."""

    name: str
    places: frozenset[str]
    repeatable: bool
    arguments: Mapping[str, Argument]
    node: DirectiveDefinitionNode
    kind: type[Directive]


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of `directives.graphql`, by name."""

    directives: Mapping[str, Definition]
    scalars: Mapping[str, ScalarTypeDefinitionNode]
    enums: Mapping[str, tuple[str, ...]]
    enum_nodes: Mapping[str, EnumTypeDefinitionNode]


def directives_text() -> str:
    """Return the text of `directives.graphql`, which `clew check --directives` writes."""
    return files("clew.sdl").joinpath("directives.graphql").read_text("utf-8")


@cache
def definitions() -> Definitions:
    """Return Clew's own definitions, parsed once."""
    directives: dict[str, Definition] = {}
    scalars: dict[str, ScalarTypeDefinitionNode] = {}
    enums: dict[str, EnumTypeDefinitionNode] = {}
    for node in parse(directives_text()).definitions:
        if isinstance(node, DirectiveDefinitionNode):
            name = node.name.value
            arguments = {argument.name.value: _argument(argument) for argument in node.arguments or ()}
            places = frozenset(place.value for place in node.locations)
            directives[name] = Definition(name, places, node.repeatable, arguments, node, CLASSES[name])
        elif isinstance(node, ScalarTypeDefinitionNode):
            scalars[node.name.value] = node
        elif isinstance(node, EnumTypeDefinitionNode):
            enums[node.name.value] = node
    values = {name: tuple(value.name.value for value in node.values or ()) for name, node in enums.items()}
    return Definitions(directives, scalars, values, enums)


def snake(name: str) -> str:
    """Return the attribute's name: `bindsAdmin` -> `binds_admin`. `from` is a keyword of Python: `from_`."""
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return "from_" if name == "from" else name


def _argument(node: InputValueDefinitionNode) -> Argument:
    required = isinstance(node.type, NonNullTypeNode)
    type_: TypeNode = node.type.type if isinstance(node.type, NonNullTypeNode) else node.type
    is_list = isinstance(type_, ListTypeNode)
    while not isinstance(type_, NamedTypeNode):
        assert isinstance(type_, NonNullTypeNode | ListTypeNode)
        type_ = type_.type
    default = None if node.default_value is None else constant(node.default_value)
    if isinstance(default, list):
        default = tuple(default)
    name = node.name.value
    return Argument(name, snake(name), type_.name.value, is_list, required, default)


_EXPECTED = {
    "String": "a string",
    "Int": "an integer",
    "Float": "a number",
    "Boolean": "true or false",
    "ClewName": "a name",
    "ClewFilter": "a filter object",
}


class _WrongTypeError(Exception):
    def __init__(self, node: ValueNode, hint: str | None = None) -> None:
        self.node = node
        self.hint = hint


def bind(node: DirectiveNode, place: str, report: Report) -> Directive | None:
    """Read one use of a Clew directive.

    Args:
        node: the parsed directive; its name is one of Clew's.
        place: the GraphQL directive location of the use, such as `OBJECT`.
        report: collects the faults: a wrong place; unknown, missing, repeated or mistyped arguments.

    Returns:
        an instance of the directive's class, or None after a fault.
    """
    definition = definitions().directives[node.name.value]
    faults = len(report)
    if place not in definition.places:
        report.error(
            node, f"@{definition.name} cannot be used on {_PLACES.get(place, 'this')}", _place_hint(definition)
        )
        return None
    given: dict[str, ValueNode] = {}
    values: dict[str, Any] = {argument.attribute: argument.default for argument in definition.arguments.values()}
    for argument_node in node.arguments or ():
        name = argument_node.name.value
        argument = definition.arguments.get(name)
        if argument is None:
            names = ", ".join(definition.arguments)
            hint = did_you_mean(name, definition.arguments) or (
                f"its arguments are: {names}" if names else f"@{definition.name} takes no arguments"
            )
            report.error(argument_node.name, f'unknown argument "{name}" on @{definition.name}', hint)
            continue
        if name in given:
            report.error(argument_node.name, f'the argument "{name}" of @{definition.name} is given twice')
            continue
        given[name] = argument_node.value
        try:
            values[argument.attribute] = _read(argument, argument_node.value)
        except _WrongTypeError as wrong:
            expected = _expected(argument)
            message = f'"{name}" of @{definition.name} must be {expected}, not {shown(wrong.node)}'
            report.error(wrong.node, message, wrong.hint)
    for argument in definition.arguments.values():
        if argument.required and argument.name not in given:
            message = f'@{definition.name} needs the argument "{argument.name}"'
            report.error(node, message, f"write @{definition.name}({argument.name}: ...)")
    if len(report) > faults:
        return None
    return definition.kind(node=node, given=given, **values)


_PLACES = {
    "OBJECT": "a type",
    "FIELD_DEFINITION": "a field",
    "ARGUMENT_DEFINITION": "an argument",
    "SCHEMA": "schema",
    "ENUM": "an enum",
    "ENUM_VALUE": "an enum value",
    "INPUT_OBJECT": "an input type",
    "INPUT_FIELD_DEFINITION": "an input field",
    "INTERFACE": "an interface",
    "UNION": "a union",
    "SCALAR": "a scalar",
}


def _place_hint(definition: Definition) -> str:
    places = " or ".join(sorted(_PLACES[place] for place in definition.places))
    return f"@{definition.name} belongs on {places}"


def _expected(argument: Argument) -> str:
    one = _EXPECTED.get(argument.type)
    if one is None:
        one = "one of " + ", ".join(definitions().enums.get(argument.type, ()))
    return f"{one} or a list of such" if argument.is_list else one


def _read(argument: Argument, node: ValueNode) -> Any:
    """Return the value of one argument. Null is a value only for an argument of type ClewValue."""
    if argument.is_list:
        if isinstance(node, ListValueNode):
            return tuple(_read_one(argument.type, item) for item in node.values or ())
        return (_read_one(argument.type, node),)
    return _read_one(argument.type, node)


def _read_one(type_: str, node: ValueNode) -> Any:
    if isinstance(node, VariableNode):
        raise _WrongTypeError(node)
    if type_ == "ClewValue":
        return constant(node)
    if isinstance(node, NullValueNode):
        raise _WrongTypeError(node, "leave the argument out instead")
    if type_ == "String" and isinstance(node, StringValueNode):
        return node.value
    if type_ == "Int" and isinstance(node, IntValueNode) and len(node.value) < 10:
        return int(node.value)
    if type_ == "Float" and isinstance(node, IntValueNode | FloatValueNode):
        return float(node.value)
    if type_ == "Boolean" and isinstance(node, BooleanValueNode):
        return node.value
    if type_ == "ClewName":
        if isinstance(node, EnumValueNode) or (isinstance(node, StringValueNode) and node.value.strip()):
            return node.value
        # An item may be null, as in `fields: [null]`. A bare true or false cannot be a name.
        raise _WrongTypeError(node)
    if type_ == "ClewFilter" and isinstance(node, ObjectValueNode):
        return constant(node)
    values = definitions().enums.get(type_)
    if values is not None and isinstance(node, EnumValueNode | StringValueNode):
        if node.value in values:
            return node.value
        raise _WrongTypeError(node, did_you_mean(node.value, values))
    raise _WrongTypeError(node)


def argument_names(kind: type[Directive]) -> tuple[str, ...]:
    """Return the attributes that hold a directive's arguments."""
    return tuple(field.name for field in class_fields(kind) if field.name not in ("node", "given"))
