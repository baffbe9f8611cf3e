"""Turn a document into a validated operation that can be planned and run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NoSchemaIntrospectionCustomRule,
    NoUndefinedVariablesRule,
    NoUnusedVariablesRule,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    SingleFieldSubscriptionsRule,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    VariablesInAllowedPositionRule,
    Visitor,
    get_variable_values,
    parse,
    specified_rules,
    type_from_ast,
    validate,
    visit,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.validation import ASTValidationRule

from clew.document.coerce import UnfitError, coercer
from clew.document.cursors import null_keys
from clew.document.inputs import ceiling, is_structural, shape
from clew.document.limits import Limits, check_limits, check_text, check_variables
from clew.document.trees import Tree, Trees, tree_of
from clew.document.validation import ValuesRule, located, together
from clew.errors import ClewError, Code

_ABSENT, _NO_CURSOR = object(), object()

# Several live queries may stand in one subscription. Planning tells them from other fields.
_RULES = located(rule for rule in specified_rules if rule is not SingleFieldSubscriptionsRule)
# A large document is validated in stages. Otherwise one fault at its end would cost the whole validation. First come
# the rules for fields and arguments, then those for values, then those that walk a whole operation before they report.
_RULES_OF_VALUES = (ValuesRule,)
_THOROUGH_RULES = (
    NoUndefinedVariablesRule,
    NoUnusedVariablesRule,
    VariablesInAllowedPositionRule,
    OverlappingFieldsCanBeMergedRule,
)
_MOST_ERRORS = 20
# No type has longer numbers. Python raises its own error for more than 4,300 digits.
_MOST_DIGITS = 1000
_LONG_NUMBER = re.compile(rf"(?<![0-9])[0-9]{{{_MOST_DIGITS + 1}}}")
# An operation's name that may appear in an error.
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,99}")
# The most statements kept for one document, whose variables may have many shapes, and the most bytes kept with it.
_MOST_COMPILED = 64
MOST_KEPT = 4 * 1024 * 1024
# The estimated bytes of an operation, beside its text.
_BYTES = 4 * 1024


class InvalidDocument(Exception):  # noqa: N818  it is a response, not a fault
    """A document that cannot be run: the errors of GraphQL, and their common code."""

    def __init__(self, errors: list[GraphQLError], code: Code) -> None:
        super().__init__(code)
        self.errors = errors
        self.code = code


class _Structural(NamedTuple):
    """The variables whose values shape a plan: those of conditions, those of counts, and cursors.

    `planned` are all that a plan may read. The root fields of a mutation have no plan, only what they return has one.
    """

    conditions: frozenset[str]
    counts: frozenset[str]
    cursors: frozenset[str]
    planned: frozenset[str]


@dataclass(frozen=True, slots=True)
class _VariableSpec:
    name: str
    type: GraphQLInputType
    required: bool
    # Coerces a scalar or enum without a default. None: graphql-core coerces the value.
    coerce: Callable[[Any], Any] | None
    # Returns the part of a value that a plan depends on.
    shape: Callable[[Any], Any]
    node: VariableDefinitionNode
    signature: GraphQLVariableSignature


@dataclass(frozen=True, slots=True)
class Prepared:
    """A validated operation.

    `text` is its document, and `number` that of its definition in there. `planned` are the variables that a plan may
    read. `executables` holds its compiled forms by the shape of these variables. `rows` holds the statements for its
    custom fields that return entities, by shape and place. `size` estimates its bytes without these. `key` is its key
    in the cache of documents.
    """

    kind: OperationType
    name: str | None
    text: str
    number: int
    trees: Trees
    variables: tuple[_VariableSpec, ...]
    simple: bool
    planned: tuple[_VariableSpec, ...]
    schema: GraphQLSchema
    size: int
    hide_suggestions: bool
    limits: Limits
    key: Any = None
    executables: dict[Any, Any] = field(default_factory=dict)
    rows: dict[Any, Any] = field(default_factory=dict)

    @property
    def tree(self) -> Tree:
        """The syntax tree. It may have to be parsed again, which takes long for a long document."""
        return self.trees.of(self.text, self.number)

    @property
    def known_tree(self) -> Tree | None:
        """The syntax tree, or None if it would have to be parsed again."""
        return self.trees.known(self.text, self.number)

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation's definition, as `tree` has it."""
        return self.tree.operation

    @property
    def fragments(self) -> Mapping[str, FragmentDefinitionNode]:
        """The fragments of the document by name, as `tree` has them."""
        return self.tree.fragments

    def coerce(self, raw: Mapping[str, Any]) -> VariableValues:
        """Coerce the variables' values by the rules of GraphQL (6.1.2).

        Raises:
            InvalidDocument: BAD_USER_INPUT with an error for each variable that does not fit.
            ClewError: LIMIT_EXCEEDED for lists that are too long.
        """
        if self.simple:
            coerced: dict[str, Any] = {}
            for spec in self.variables:
                value = raw.get(spec.name, _ABSENT)
                if value is _ABSENT:
                    if spec.required:
                        break
                elif value is None:
                    if spec.required:
                        break
                    coerced[spec.name] = None
                else:
                    assert spec.coerce is not None
                    try:
                        coerced[spec.name] = spec.coerce(value)
                    except (GraphQLError, ValueError, TypeError):
                        break
            else:
                return VariableValues(_Sources(self, raw), coerced)  # type: ignore[arg-type]  # `_Sources` is read as a mapping only
        else:
            lists = ((spec.name, spec.type, raw[spec.name]) for spec in self.variables if spec.name in raw)
            check_variables(lists, self.limits, query=self.kind is not OperationType.MUTATION)
            fitting = self._fitting(raw)
            if fitting is not None:
                return VariableValues(_Sources(self, raw), fitting)  # type: ignore[arg-type]  # `_Sources` is read as a mapping only
        nodes = [spec.node for spec in self.variables]
        try:
            values = get_variable_values(
                self.schema, nodes, dict(raw), max_errors=10, hide_suggestions=self.hide_suggestions
            )
        except ValueError:
            # Python formats no integer of more than 4,300 digits, not even in an error.
            raise InvalidDocument([GraphQLError("A variable has too many digits.")], Code.BAD_USER_INPUT) from None
        if isinstance(values, VariableValues):
            return values
        raise InvalidDocument(values, Code.BAD_USER_INPUT)

    def _fitting(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the variables' values, or None if one does not fit or only graphql-core can decide."""
        coerced: dict[str, Any] = {}
        try:
            for spec in self.variables:
                if spec.name in raw:
                    coerced[spec.name] = coercer(spec.type)(raw[spec.name], 0)
                elif spec.required or spec.node.default_value is not None:
                    return None
        except (UnfitError, GraphQLError, ValueError, TypeError, RecursionError):
            return None
        return coerced

    def with_sources(self, values: VariableValues, raw: Mapping[str, Any]) -> VariableValues:
        """Return the values with their sources, which the executor needs."""
        if not isinstance(values.sources, _Sources):
            return values
        return VariableValues(dict(_Sources(self, raw)), values.coerced)

    @property
    def weight(self) -> int:
        """The estimated bytes of the operation and of everything compiled for it."""
        compiled: int = sum(statement.size for statement in (*self.executables.values(), *self.rows.values()))
        return self.size + compiled

    def keep(self, compiled: dict[Any, Any], key: Any, form: Any) -> None:
        """Keep a compiled form in `executables` or `rows`. Drop the oldest forms to make room."""
        compiled[key] = form
        while len(compiled) > _MOST_COMPILED or (len(compiled) > 1 and self.weight > MOST_KEPT):
            compiled.pop(next(iter(compiled)))

    def shape(self, values: VariableValues) -> Any:
        """Return the parts of the variables that a plan depends on."""
        coerced = values.coerced
        return tuple([spec.shape(coerced[spec.name]) if spec.name in coerced else _ABSENT for spec in self.planned])


class _Sources(Mapping[str, VariableValueSource]):
    """Where the values of variables come from, made when it is asked for: few operations ask.

    A variable within a literal of a scalar, `{contains: {price: $price}}`, is taken as it was given.
    """

    __slots__ = ("_given", "_prepared")

    def __init__(self, prepared: Prepared, given: Mapping[str, Any]) -> None:
        self._prepared = prepared
        self._given = given

    def __getitem__(self, name: str) -> VariableValueSource:
        for spec in self._prepared.variables:
            if spec.name == name:
                return VariableValueSource(spec.signature, self._given.get(name, Undefined))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (spec.name for spec in self._prepared.variables)

    def __len__(self) -> int:
        return len(self._prepared.variables)


def prepare(
    schema: GraphQLSchema,
    query: str,
    operation_name: str | None,
    limits: Limits,
    *,
    hide_suggestions: bool = False,
    trees: Trees | None = None,
) -> Prepared:
    """Parse, measure and validate, the most costly step last.

    Args:
        trees: keeps the syntax tree; None: one of its own.
        hide_suggestions: whether errors leave out names that resemble a wrong one.

    Raises:
        InvalidDocument: for syntax or validation errors, or an unknown operation.
        ClewError: LIMIT_EXCEEDED.
    """
    large = check_text(query, limits)
    try:
        document = parse(query, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLError as error:
        if "Parsing aborted" in error.message:
            too_large = f"The document is too large: at most {limits.tokens} tokens are allowed."
            if "nested" in error.message:
                too_large = "The document is nested too deeply."
            raise ClewError(too_large, code=Code.LIMIT_EXCEEDED) from None
        raise InvalidDocument([error], Code.GRAPHQL_PARSE_FAILED) from None
    if _LONG_NUMBER.search(query):
        visit(document, _Numbers())
    operation = _operation(document, operation_name)
    try:
        check_limits(document, limits)
    except GraphQLError as error:
        raise InvalidDocument([error], Code.GRAPHQL_VALIDATION_FAILED) from None
    for rules in _stages(limits, apart=large):
        errors = validate(
            schema, document, (together(rules),), max_errors=_MOST_ERRORS, hide_suggestions=hide_suggestions
        )
        if errors:
            raise InvalidDocument(errors, Code.GRAPHQL_VALIDATION_FAILED)
    structural = _structural_variables(document)
    specs = tuple(_spec(schema, node, structural) for node in operation.variable_definitions or ())
    number = next(i for i, definition in enumerate(document.definitions) if definition is operation)
    tree = tree_of(document, number)
    trees = trees or Trees()
    trees.keep(query, number, tree)
    return Prepared(
        operation.operation,
        None if operation.name is None else operation.name.value,
        query,
        number,
        trees,
        specs,
        all(spec.coerce is not None for spec in specs),
        tuple(spec for spec in specs if spec.name in structural.planned),
        schema,
        len(query) + _BYTES,
        hide_suggestions,
        limits,
    )


class _Numbers(Visitor):
    """Raises InvalidDocument for a number with too many digits."""

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        self._check(node)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        self._check(node)

    def _check(self, node: IntValueNode | FloatValueNode) -> None:
        if len(node.value) > _MOST_DIGITS:
            message = f"The number has too many digits: at most {_MOST_DIGITS} characters are allowed."
            raise InvalidDocument([GraphQLError(message, node)], Code.BAD_USER_INPUT)


def _stages(limits: Limits, *, apart: bool) -> Iterable[tuple[type[ASTValidationRule], ...]]:
    """Return the rules of validation in one stage, the fastest way for a valid document, or cheap rules first."""
    rules = _RULES if limits.introspection else (*_RULES, NoSchemaIntrospectionCustomRule)
    if not apart:
        return (rules,)
    later = (*_RULES_OF_VALUES, *_THOROUGH_RULES)
    return tuple(rule for rule in rules if rule not in later), _RULES_OF_VALUES, _THOROUGH_RULES


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        operations = [node for node in operations if node.name and node.name.value == name]
    if len(operations) == 1:
        return operations[0]
    if name is not None:
        shown = f'named "{name}"' if _NAME.fullmatch(name) else "of that name"
        message = f"There is no operation {shown} in the document."
    elif operations:
        message = "The document has several operations: say which with `operationName`."
    else:
        message = "The document has no operation."
    raise InvalidDocument([GraphQLError(message)], Code.BAD_USER_INPUT)


def _spec(schema: GraphQLSchema, node: VariableDefinitionNode, structural: _Structural) -> _VariableSpec:
    name = node.variable.name.value
    type_: Any = type_from_ast(schema, node.type)
    required = isinstance(type_, GraphQLNonNull)
    inner = type_.of_type if required else type_
    leaf = isinstance(inner, GraphQLScalarType) or (isinstance(inner, GraphQLEnumType) and not is_structural(inner))
    coerce = inner.coerce_input_value if leaf and node.default_value is None else None
    signature = get_variable_signature(schema, node)
    assert isinstance(signature, GraphQLVariableSignature)
    shaped = _shape_of_leaf if leaf else partial(shape, type_=type_)
    return _VariableSpec(name, type_, required, coerce, _shape(name, shaped, structural), node, signature)


def _shape(name: str, shaped: Callable[[Any], Any], structural: _Structural) -> Callable[[Any], Any]:
    """Return a function that returns the part of a variable's value that a plan depends on.

    Args:
        shaped: returns it for a variable that is not structural.
    """
    if name in structural.conditions:
        return lambda value: value

    def shape_of_cursor(value: Any) -> Any:
        nulls = null_keys(value)
        if nulls is None and value is not None:
            return _NO_CURSOR, shaped(value)
        return nulls

    otherwise = shape_of_cursor if name in structural.cursors else shaped
    if name in structural.counts:
        return lambda value: ceiling(value) if isinstance(value, int) else otherwise(value)
    return otherwise


def _shape_of_leaf(value: Any) -> bool | None:
    # The same as `shape` returns, sooner.
    return None if value is None else True


def _structural_variables(document: DocumentNode) -> _Structural:
    conditions: set[str] = set()
    counts: set[str] = set()
    cursors: set[str] = set()
    planned: set[str] = set()

    def walk(node: Any, *, is_planned: bool = True) -> None:
        for directive in node.directives or ():
            conditions.update(_variables(directive))
        if isinstance(node, FieldNode):
            if is_planned:
                planned.update(name for argument in node.arguments or () for name in _variables_in(argument.value))
            counts.update(_variables(node, "limit", "offset", "first", "last"))
            # Arguments of these names may mean something else. Planning refuses what must be a cursor and is none.
            cursors.update(_variables(node, "after", "before"))
        selection_set = getattr(node, "selection_set", None)
        if selection_set is not None:
            is_mutation = isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION
            for selection in selection_set.selections:
                walk(selection, is_planned=not is_mutation)

    for definition in document.definitions:
        walk(definition)
    return _Structural(frozenset(conditions), frozenset(counts), frozenset(cursors), frozenset(conditions | planned))


def _variables_in(node: ValueNode) -> Iterator[str]:
    """Return the variables of a value, at any depth."""
    if isinstance(node, VariableNode):
        yield node.name.value
    elif isinstance(node, ListValueNode):
        for item in node.values or ():
            yield from _variables_in(item)
    elif isinstance(node, ObjectValueNode):
        for given in node.fields or ():
            yield from _variables_in(given.value)


def _variables(node: DirectiveNode | FieldNode, *names: str) -> Iterator[str]:
    for argument in node.arguments or ():
        if isinstance(argument.value, VariableNode) and (not names or argument.name.value in names):
            yield argument.value.name.value
