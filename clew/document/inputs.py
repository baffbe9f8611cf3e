"""Argument values as the plan sees them: it uses their structure, and reads scalar values only when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
)
from graphql.pyutils import Undefined
from graphql.utilities import coerce_input_literal

from clew.access.types import Literal, Source, Template, Variable

# An input as a tree: None for null, a dict for an input object, a list for a list of input
# objects, a Source for a scalar, an enum, or a list of them.
Tree = None | Source | dict[str, "Tree"] | list["Tree"]


_STRUCTURAL = frozenset({"OrderDirection", "DeletedRows", "GroupUnit", "DateGroupUnit", "DateTimeGroupUnit"})


def read_arguments(
    node: FieldNode, definitions: Mapping[str, GraphQLArgument], variables: Mapping[str, Any]
) -> dict[str, Tree]:
    """Return the arguments that a field has, without absent ones.

    Args:
        node: the field, valid against the schema.
        definitions: the field's arguments by name.
        variables: the coerced variables. Only their shape matters.
    """
    values: dict[str, Tree] = {}
    for argument in node.arguments or ():
        name = argument.name.value
        tree = _read(argument.value, definitions[name].type, variables)
        if tree is not Undefined:
            values[name] = tree
    return values


def _read(node: ValueNode, type_: GraphQLInputType, variables: Mapping[str, Any]) -> Any:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(node, VariableNode):
        name = node.name.value
        if name not in variables:
            return Undefined
        return _from_value(variables[name], type_, (name,))
    if isinstance(node, NullValueNode):
        return None
    if isinstance(type_, GraphQLList):
        item = type_.of_type
        if _is_object(item):
            nodes = node.values if isinstance(node, ListValueNode) else (node,)
            trees = (_read(value, item, variables) for value in nodes or ())
            return [None if tree is Undefined else tree for tree in trees]
    elif isinstance(type_, GraphQLInputObjectType):
        assert isinstance(node, ObjectValueNode)
        tree: dict[str, Tree] = {}
        for field in node.fields or ():
            value = _read(field.value, type_.fields[field.name.value].type, variables)
            if value is not Undefined:
                tree[field.name.value] = value
        return tree
    enum = _bound_enum(type_)
    if _has_variables(node):
        return Template(node, type_, enum)
    value = coerce_input_literal(node, type_)
    return Literal(value if enum is None else enum_names(value, enum))


def _from_value(value: Any, type_: GraphQLInputType, path: tuple[str | int, ...]) -> Tree:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if value is None:
        return None
    if isinstance(type_, GraphQLInputObjectType):
        return {key: _from_value(item, type_.fields[key].type, (*path, key)) for key, item in value.items()}
    if isinstance(type_, GraphQLList) and _is_object(type_.of_type):
        return [_from_value(item, type_.of_type, (*path, index)) for index, item in enumerate(value)]
    if isinstance(type_, GraphQLEnumType) and is_structural(type_):
        return Literal(value)
    return Variable(path, _bound_enum(type_))


def value_tree(value: Any, type_: GraphQLInputType) -> Tree:
    """Return a coerced value as a tree of literals."""
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if value is None:
        return None
    if isinstance(type_, GraphQLInputObjectType):
        return {key: value_tree(item, type_.fields[key].type) for key, item in value.items()}
    if isinstance(type_, GraphQLList) and _is_object(type_.of_type):
        return [value_tree(item, type_.of_type) for item in value]
    enum = _bound_enum(type_)
    return Literal(value if enum is None else enum_names(value, enum))


def size(tree: Tree) -> int:
    """Return the number of values in an input. An empty object or list counts as one."""
    if isinstance(tree, dict):
        return sum(map(size, tree.values())) or 1
    if isinstance(tree, list):
        return sum(map(size, tree)) or 1
    return 1


def enum_names(value: Any, enum: GraphQLEnumType) -> Any:
    """Return the names of an enum's values, or of a list of them."""
    if isinstance(value, list):
        return [enum_names(item, enum) for item in value]
    return None if value is None else enum.coerce_output_value(value)


def _bound_enum(type_: GraphQLInputType) -> GraphQLEnumType | None:
    """Return the (item's) enum if its values differ from its names, as in `EnumType("Color", {"RED": 1})`."""
    item = get_named_type(type_)
    if isinstance(item, GraphQLEnumType) and any(value.value != name for name, value in item.values.items()):
        return item
    return None


def shape(value: Any, type_: GraphQLInputType) -> Any:
    """Return the parts of a variable's value that a plan depends on, as a hashable value.

    Two requests whose variables have equal shapes share one plan.
    """
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if value is None:
        return None
    if isinstance(type_, GraphQLInputObjectType):
        return tuple((key, shape(item, type_.fields[key].type)) for key, item in value.items())
    if isinstance(type_, GraphQLList) and _is_object(type_.of_type):
        return tuple(shape(item, type_.of_type) for item in value)
    if isinstance(type_, GraphQLEnumType) and is_structural(type_):
        return value
    return True


def is_structural(type_: GraphQLEnumType) -> bool:
    """Return whether this enum's value becomes SQL text, as a sort direction does."""
    return type_.name in _STRUCTURAL


def _is_object(type_: GraphQLInputType) -> bool:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLInputObjectType)


def _has_variables(node: ValueNode) -> bool:
    if isinstance(node, VariableNode):
        return True
    if isinstance(node, ListValueNode):
        return any(_has_variables(value) for value in node.values or ())
    if isinstance(node, ObjectValueNode):
        return any(_has_variables(field.value) for field in node.fields or ())
    return False


def ceiling(value: int) -> int:
    """Return the lowest power of ten that is not below a limit or an offset.

    Postgres assumes that an unknown LIMIT takes a tenth of the table. It finds a plan for that
    costly, so it plans anew on each run. A constant bound around the LIMIT avoids that, and
    powers of ten keep the number of statements low.
    """
    return 10 ** len(str(value - 1)) if value > 1 else 1
