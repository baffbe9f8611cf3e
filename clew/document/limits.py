"""Limits on a document, checked before validation does anything costly.

First the text, for what need not even be parsed; then the document. Fragments are
measured once each and multiplied, never spread: a document whose spread size is
exponential is refused in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    InlineFragmentNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    Visitor,
    get_nullable_type,
    visit,
)

from clew.errors import ClewError, Code
from clew.viewer import ADMIN

# How many values a statement can bind; asyncpg takes no more.
MOST_VALUES = 32_767

_UNBOUNDED = 2**31

# Where an input type keeps its `_nested_fields`. They lead to the type again: kept beside it, they would keep it.
_NESTED = "clew.nested_fields"

_Directed = OperationDefinitionNode | FragmentDefinitionNode | VariableDefinitionNode | SelectionNode


@dataclass(frozen=True, slots=True)
class Limits:
    """What one operation may ask for; counts are after fragments are spread. None: no bound.

    `page`: rows of a list. `cost`: rows of all lists, nested ones multiplied. `list_items`:
    values of one input list. `conditions`: those of one statement, with the rules' own.
    `rate`: operations in a minute. `in_flight`: operations at once. `response_bytes`: of an
    answer, and of what is read for it. `introspection`: whether `__schema` and `__type` are answered.
    """

    tokens: int = 10_000
    depth: int = 20
    aliases: int = 100
    root_fields: int | None = 50
    directives: int | None = 100
    page: int | None = 1000
    cost: int | None = 10_000_000
    list_items: int | None = 10_000
    conditions: int | None = 5000
    rate: int | None = 6000
    in_flight: int | None = 5
    response_bytes: int | None = 16 * 2**20
    introspection: bool = True

    def for_admin(self) -> Limits:
        """Those that bind an admin too: what is against mistakes and costs the server itself."""
        return Limits(
            tokens=self.tokens,
            depth=self.depth,
            aliases=self.aliases,
            root_fields=None,
            directives=None,
            page=None,
            cost=None,
            list_items=None,
            conditions=None,
            rate=None,
            in_flight=self.in_flight,
            response_bytes=None,
            introspection=self.introspection,
        )

    def for_own(self) -> Limits:
        """Those that bind a document which the application itself brings: the largest page."""
        return Limits(
            tokens=_UNBOUNDED,
            depth=_UNBOUNDED,
            aliases=_UNBOUNDED,
            root_fields=None,
            directives=None,
            page=self.page,
            cost=None,
            list_items=None,
            conditions=None,
            rate=None,
            in_flight=None,
            response_bytes=None,
        )


@dataclass(frozen=True, slots=True)
class RoleLimits:
    """The limits of each role: `default`, but for what `overrides` has by role and by the name of the limit."""

    default: Limits
    overrides: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def roles(self) -> frozenset[str]:
        """The roles that make a difference."""
        # Of what is not overridden for `anon` or `user`, who holds them has the default.
        return frozenset((*self.overrides, "anon", "user")) if self.overrides else frozenset()

    def of(self, roles: Collection[str], *, admin: bool) -> Limits:
        """The limits of who has these roles: of each limit the most generous."""
        if admin:
            return self._changed(self.overrides.get(ADMIN, {})).for_admin()
        found = [self.overrides.get(role, {}) for role in roles]
        names = {name for overrides in found for name in overrides}
        usual = {name: getattr(self.default, name) for name in names}
        return self._changed({name: max(overrides.get(name, usual[name]) for overrides in found) for name in names})

    def _changed(self, values: Mapping[str, Any]) -> Limits:
        return replace(self.default, **values)


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int = 0
    aliases: int = 0
    root_fields: int = 0
    directives: int = 0
    fields: int = 0
    schemas: int = 0


# An answer to `__schema` is all of the schema: some hundred kilobytes, and a second for some hundred entities.
_MOST_SCHEMAS = 2
# How long tokens may be on average: comments, white space and strings are the padding of an attack.
_CHARACTERS_A_TOKEN = 20
# A token, after what GraphQL ignores. Possessive, so that what is no GraphQL costs no more than what is.
_TOKEN = re.compile(
    r"""
    (?: [\s,\ufeff]++ | \#[^\n\r]*+ )*+
    ( \Z
    | "{3} (?: [^"\\] | \\"{3} | \\ | "(?!"") )*+ (?: "{3} | \Z )
    | " (?: [^"\\\n\r] | \\. )*+ "?
    | -?[0-9]++ (?: \.[0-9]++ )?+ (?: [eE][+-]?[0-9]++ )?+
    | \w++
    | \.{3}
    | [^\s,\ufeff\#] )
    """,
    re.VERBOSE,
)
# A name after one of these is no field.
_NO_FIELD_AFTER = frozenset((":", "@", "...", "on"))

# Steps of validation that a document may take for merging fields: 50,000 are some 50 ms.
_MOST_STEPS = 50_000


def check_text(query: str, limits: Limits) -> bool:
    """Refuse a document that is too large, as far as its text tells.

    Parsing takes some 7 us a token, ten times what this does. The parser counts the tokens
    again; here what is no GraphQL may be counted in any way.

    Returns:
        whether it is large: it has more than a third of the tokens that it may have.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """
    longest = limits.tokens * _CHARACTERS_A_TOKEN
    if len(query) > longest:
        # Reading a megabyte of padding costs a tenth of a second.
        message = f"The document is too large: at most {longest} characters are allowed."
        raise _too_large(message, "Send long values as variables.")
    if len(query) <= limits.tokens // 3:
        return False
    # One after the other: what is said of many is known by the first that are too many.
    # At the end stands an empty one: without it the search would go over what is ignored there again and again.
    tokens = [token[1] for token in islice(_TOKEN.finditer(query), limits.tokens + 1) if token[1]]
    if len(tokens) > limits.tokens:
        raise _too_large(f"The document is too large: at most {limits.tokens} tokens are allowed.")
    _refuse_above(_most_variables(limits), tokens.count("$"), "variables")
    braces = parentheses = brackets = fields = listed = 0
    previous = ""
    for text in tokens:
        if text == "(":
            parentheses += 1
        elif text == ")":
            parentheses -= 1
        elif text == "[":
            brackets += 1
        elif text == "]":
            brackets -= 1
        elif brackets > 0:
            listed += 1
        elif not parentheses:
            if text == "{":
                braces += 1
            elif text == "}":
                braces -= 1
            elif braces and previous not in _NO_FIELD_AFTER and text.isidentifier():
                fields += 1
        previous = text
    _refuse_above(_most_fields(limits), fields, "fields")
    # Whoever has so much to list can send it as a variable, which costs a tenth.
    if listed > limits.tokens // 2:
        raise _too_large(
            f"Lists in the document are too long: at most {limits.tokens // 2} tokens are allowed in them.",
            "Send them as variables.",
        )
    return len(tokens) > limits.tokens // 3


def _most_fields(limits: Limits) -> int:
    # What people and tools write takes more than two tokens a field: braces, arguments, variables.
    return limits.tokens // 2


def _most_variables(limits: Limits) -> int:
    # Where they are defined and where they are used.
    return limits.tokens // 10


def check_limits(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document with an operation or a fragment that is too large, fragments spread.

    Introspection (`__schema`, `__type`) does not count towards the depth.

    Raises:
        ClewError: LIMIT_EXCEEDED; GRAPHQL_VALIDATION_FAILED for a fragment within itself and
            for a directive twice at one place, GRAPHQL_PARSE_FAILED for an empty selection.
    """
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    meter = _Meter(fragments)
    overlap = _Overlap(fragments)
    fields = 0
    try:
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                fields += _check_operation(definition, meter, limits)
        # Validation looks at fragments that nobody uses too.
        unused = [fragment for name, fragment in fragments.items() if name not in meter.known]
        fields += sum(meter.fragment(fragment.name.value).fields for fragment in unused)
    except RecursionError:
        raise _too_large("The operation's fragments nest too deeply.") from None
    _refuse_above(_most_fields(limits), fields, "fields")
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            overlap.check(definition.selection_set)
    if meter.repeated is not None:
        # Said once: validation would say it of each time that it is there again.
        raise ClewError(
            f"The directive '@{meter.repeated}' can only be used once at this location.",
            code=Code.GRAPHQL_VALIDATION_FAILED,
        )
    # Longer ones than the document has tokens need not be looked for.
    if limits.list_items is not None and limits.list_items < limits.tokens:
        visit(document, _ListLiterals(limits.list_items))


def check_variables(given: Iterable[tuple[str, GraphQLInputType, Any]], limits: Limits, *, query: bool) -> None:
    """Refuse variables with lists that are too long or with too many conditions, before they are coerced.

    A condition is a value within an input object, or an object without any. Lists of filters are parts of the
    statement; other lists of objects are rows to write, and lists of values are one value to the statement.

    Args:
        given: name, type and value as the client sent it, of whatever type that is.
        query: whether all input objects are conditions, and not only filters.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """
    most = MOST_VALUES if limits.conditions is None else limits.conditions
    conditions = 0
    pending = [(name, type_, value, query) for name, type_, value in given]
    while pending:
        name, given_type, value, counts = pending.pop()
        type_ = get_nullable_type(given_type)
        if isinstance(type_, GraphQLList):
            items = value if isinstance(value, list) else [value]
            item_type = get_nullable_type(type_.of_type)
            nested = isinstance(item_type, GraphQLInputObjectType | GraphQLList)
            counts = counts or _is_filter(item_type)
            if counts or not nested:
                _check_length(items, limits.list_items, f"A list in `${name}`")
            if not nested:
                conditions += counts
            elif counts or isinstance(item_type, GraphQLList) or _nested_fields(item_type):
                pending.extend((name, item_type, item, counts) for item in items)
        elif isinstance(type_, GraphQLInputObjectType) and isinstance(value, dict):
            counts = counts or _is_filter(type_)
            nested_fields = _nested_fields(type_)
            inner = [(name, nested_fields[key], one, counts) for key, one in value.items() if key in nested_fields]
            pending += inner
            if counts:
                conditions += len(value) - len(inner) if value else 1
        else:
            conditions += counts
        if conditions > most:
            message = f"`${name}` is too large: at most {most} conditions are allowed."
            raise _too_large(message, "Use `in` for many values of one field.")


def _is_filter(type_: GraphQLInputType) -> bool:
    """Whether it is one of those that are generated for `where`. If one of the application's own is called so, too,

    its objects count alike.
    """
    return isinstance(type_, GraphQLInputObjectType) and type_.name.endswith("Filter")


def _nested_fields(type_: GraphQLInputObjectType) -> dict[str, GraphQLInputType]:
    """The fields that are lists or input objects."""
    found: dict[str, GraphQLInputType] | None = type_.extensions.get(_NESTED)
    if found is None:
        found = type_.extensions[_NESTED] = {
            name: field.type
            for name, field in type_.fields.items()
            if isinstance(get_nullable_type(field.type), GraphQLInputObjectType | GraphQLList)
        }
    return found


class _ListLiterals(Visitor):
    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def enter_list_value(self, node: ListValueNode, *_: Any) -> None:
        _check_length(node.values or (), self.most, "A list in the document")


def _check_length(items: Collection[Any], most: int | None, what: str) -> None:
    if most is not None and len(items) > most:
        raise _too_large(f"{what} is too long: at most {most} items are allowed.", "Send it in parts.")


def _check_operation(operation: OperationDefinitionNode, meter: _Meter, limits: Limits) -> int:
    size = meter.measure(operation.selection_set)
    variables = sum(meter.directives(variable) for variable in operation.variable_definitions or ())
    directives = size.directives + meter.directives(operation) + variables
    _refuse_above(limits.depth, size.depth, "nested levels")
    _refuse_above(limits.aliases, size.aliases, "aliases")
    _refuse_above(limits.root_fields, size.root_fields, "root fields")
    _refuse_above(limits.directives, directives, "directives")
    _refuse_above(_MOST_SCHEMAS, size.schemas, "`__schema` fields")
    return size.fields


def _refuse_above(most: int | None, given: int, what: str) -> None:
    if most is not None and given > most:
        # The number may be astronomical: it is the client's own and not repeated.
        raise _too_large(f"The operation is too large: at most {most} {what} are allowed.")


def _too_large(message: str, hint: str | None = None) -> ClewError:
    return ClewError(message, code=Code.LIMIT_EXCEEDED, hint=hint)


class _Meter:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.known: dict[str, _Size] = {}
        self.open: set[str] = set()
        # A directive that is at one place twice: none that there is may be.
        self.repeated: str | None = None

    def measure(self, selection_set: SelectionSetNode) -> _Size:
        """`root_fields` counts the set's own level; the others all levels."""
        if not selection_set.selections:
            # graphql-core reads `{}`, which is no GraphQL.
            raise ClewError("Syntax Error: Expected Name, found '}'.", code=Code.GRAPHQL_PARSE_FAILED)
        depth = aliases = root_fields = directives = fields = schemas = 0
        for node in selection_set.selections:
            directives += self.directives(node)
            if isinstance(node, FieldNode):
                root_fields += 1
                fields += 1
                aliases += node.alias is not None
                schemas += node.name.value == "__schema"
                inner = self.measure(node.selection_set) if node.selection_set else _Size()
                exempt = node.name.value in ("__schema", "__type")
                depth = max(depth, 1 if exempt else 1 + inner.depth)
            elif isinstance(node, InlineFragmentNode):
                inner = self.measure(node.selection_set)
                root_fields += inner.root_fields
                depth = max(depth, inner.depth)
            elif isinstance(node, FragmentSpreadNode):
                inner = self.fragment(node.name.value)
                root_fields += inner.root_fields
                depth = max(depth, inner.depth)
            aliases += inner.aliases
            directives += inner.directives
            fields += inner.fields
            schemas += inner.schemas
        return _Size(depth, aliases, root_fields, directives, fields, schemas)

    def directives(self, node: _Directed) -> int:
        """How many directives a node itself has."""
        if not node.directives:
            return 0
        seen: set[str] = set()
        for directive in node.directives:
            if directive.name.value in seen:
                self.repeated = directive.name.value
            seen.add(directive.name.value)
        return len(node.directives)

    def fragment(self, name: str) -> _Size:
        """Measured once, however often it is spread."""
        if name not in self.known:
            # An unknown fragment counts nothing here; validation names it.
            self.known[name] = _Size()
            if name in self.fragments:
                self.open.add(name)
                size = self.measure(self.fragments[name].selection_set)
                own = self.directives(self.fragments[name])
                self.known[name] = replace(size, directives=size.directives + own)
                self.open.remove(name)
        elif name in self.open:
            raise ClewError(f"Cannot spread fragment '{name}' within itself.", code=Code.GRAPHQL_VALIDATION_FAILED)
        return self.known[name]


class _Overlap:
    """Counts what validation will do to find out whether fields of one response key can be merged.

    It compares each with each other of the same place, and each fragment spread there with
    each other, once for every selection set: the square of what is repeated.
    """

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.steps = 0

    def check(self, selection_set: SelectionSetNode) -> None:
        """Raise LIMIT_EXCEEDED when it is too much, before it is done."""
        groups = [[selection_set]]
        while groups:
            groups += self._merge(groups.pop())

    def _merge(self, selection_sets: list[SelectionSetNode]) -> list[list[SelectionSetNode]]:
        """Merge the selections of one place; what comes back are the places below and the inline fragments."""
        found: dict[str, int] = {}
        below: dict[str, list[SelectionSetNode]] = {}
        inline: list[list[SelectionSetNode]] = []
        spread: set[str] = set()
        pending = list(selection_sets)
        while pending:
            selection_set = pending.pop()
            for node in selection_set.selections:
                self._step(1)
                if isinstance(node, FieldNode):
                    key = node.alias.value if node.alias else node.name.value
                    before = found.get(key, 0)
                    self._step(before)
                    found[key] = before + 1
                    if node.selection_set:
                        below.setdefault(key, []).append(node.selection_set)
                elif isinstance(node, InlineFragmentNode):
                    pending.append(node.selection_set)
                    inline.append([node.selection_set])
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                    self._step(len(spread))
                    spread.add(node.name.value)
                    if node.name.value in self.fragments:
                        pending.append(self.fragments[node.name.value].selection_set)
        return [*below.values(), *(inline if len(selection_sets) == 1 else ())]

    def _step(self, count: int) -> None:
        self.steps += count
        if self.steps > _MOST_STEPS:
            raise _too_large("The operation is too large: it repeats the same fields too often.")
