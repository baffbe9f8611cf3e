"""Limits on a document, checked before the costly validation.

The text is checked first, so that an oversized one is not even parsed; then the document. Each
fragment is measured once and its size multiplied. So a document that is exponential after
spreading is refused in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
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

# The number of values that a statement can bind. asyncpg takes no more.
MOST_VALUES = 32_767

_UNBOUNDED = 2**31

# The extension of an input type that holds its `_nested_fields`. They refer to the type, so they are kept on it:
# a cache beside the type would keep the type itself.
_NESTED = "clew.nested_fields"

_Directed = OperationDefinitionNode | FragmentDefinitionNode | VariableDefinitionNode | SelectionNode


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one operation, counted after fragments are spread. None means no limit.

    `page`: rows of a list. `nested_page`: rows of a nested list without `limit`. `cost`: rows of all lists, nested ones
    multiplied. `list_items`: values of one input list. `conditions`: conditions of one statement, including those of
    rules. `rate`: operations in a minute. `in_flight`: operations at once. `response_bytes`: the size of a response,
    and of the data read for it. `operations`: those under way on one WebSocket. `sockets`: a viewer's WebSockets and
    event streams. `live_rate`: results of one live query in a minute. `introspection`: whether `__schema` and `__type`
    are allowed.
    """

    tokens: int = 10_000
    depth: int = 20
    aliases: int = 100
    root_fields: int | None = 50
    directives: int | None = 100
    page: int | None = 1000
    nested_page: int | None = 100
    cost: int | None = 25_000_000
    list_items: int | None = 10_000
    conditions: int | None = 5000
    rate: int | None = 6000
    in_flight: int | None = 5
    response_bytes: int | None = 16 * 2**20
    operations: int = 1000
    sockets: int = 1000
    live_rate: int | None = 1200
    introspection: bool = True

    def for_admin(self) -> Limits:
        """Return the limits that bind an admin too: those against mistakes, and against load on the server itself."""
        return Limits(
            tokens=self.tokens,
            depth=self.depth,
            aliases=self.aliases,
            root_fields=None,
            directives=None,
            page=None,
            nested_page=None,
            cost=None,
            list_items=None,
            conditions=None,
            rate=None,
            in_flight=self.in_flight,
            response_bytes=None,
            operations=self.operations,
            sockets=self.sockets,
            live_rate=None,
            introspection=self.introspection,
        )

    def for_own(self) -> Limits:
        """Return the limits of a document that the application itself runs: only those of pages."""
        return Limits(
            tokens=_UNBOUNDED,
            depth=_UNBOUNDED,
            aliases=_UNBOUNDED,
            root_fields=None,
            directives=None,
            page=self.page,
            nested_page=self.nested_page,
            cost=None,
            list_items=None,
            conditions=None,
            rate=None,
            in_flight=None,
            response_bytes=None,
        )


@dataclass(frozen=True, slots=True)
class RoleLimits:
    """The limits of each role: `default`, changed by `overrides`, which are by role and by the name of the limit."""

    default: Limits
    overrides: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def roles(self) -> frozenset[str]:
        """The roles whose limits may differ from the default."""
        # A viewer with `anon` or `user` has the default for every limit that is not overridden for these roles.
        return frozenset((*self.overrides, "anon", "user")) if self.overrides else frozenset()

    def of(self, roles: Collection[str], *, admin: bool) -> Limits:
        """Return the limits of a viewer with these roles: the most generous value of each limit."""
        if admin:
            return self._changed(self.overrides.get(ADMIN, {})).for_admin()
        overridden = [self.overrides.get(role, {}) for role in roles]
        names = {name for overrides in overridden for name in overrides}
        usual = {name: getattr(self.default, name) for name in names}
        return self._changed(
            {name: max(overrides.get(name, usual[name]) for overrides in overridden) for name in names}
        )

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


# A response to `__schema` holds the whole schema: for hundreds of entities it takes a second and some 100 kB.
_MOST_SCHEMAS = 2
# The allowed average length of a token. Attackers pad documents with comments, white space and strings.
_CHARACTERS_A_TOKEN = 20
# A token after ignored text. Possessive quantifiers keep text that is not GraphQL as cheap as GraphQL.
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
# A name after one of these tokens is not a field.
_NO_FIELD_AFTER = frozenset((":", "@", "...", "on"))

# The steps that validation may take to merge fields of one document: 50,000 take about 50 ms.
_MOST_STEPS = 50_000


def check_text(query: str, limits: Limits) -> bool:
    """Refuse a document whose text shows that it is too large.

    Parsing takes about 7 us a token, ten times as long as this check. The parser counts the
    tokens again, so the count may be wrong here for text that is not GraphQL.

    Returns:
        whether it is large: it has more than a third of the allowed tokens.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """
    longest = limits.tokens * _CHARACTERS_A_TOKEN
    if len(query) > longest:
        # Even reading a megabyte of padding would take a tenth of a second.
        message = f"The document is too large: at most {longest} characters are allowed."
        raise _too_large(message, "Send long values as variables.")
    if len(query) <= limits.tokens // 3:
        return False
    # Read one token after another, and stop at the first that is too many.
    # The pattern also matches an empty token at the end. Otherwise the search would scan the ignored text there again
    # and again.
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
    # Long lists can be sent as variables, which cost a tenth.
    if listed > limits.tokens // 2:
        raise _too_large(
            f"Lists in the document are too long: at most {limits.tokens // 2} tokens are allowed in them.",
            "Send them as variables.",
        )
    return len(tokens) > limits.tokens // 3


def _most_fields(limits: Limits) -> int:
    # Real documents use more than two tokens a field: braces, arguments, variables.
    return limits.tokens // 2


def _most_variables(limits: Limits) -> int:
    # Definitions and uses of variables both count.
    return limits.tokens // 10


def check_limits(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document with an operation or a fragment that is too large after spreading fragments.

    Introspection (`__schema`, `__type`) does not count towards the depth.

    Raises:
        ClewError: LIMIT_EXCEEDED; GRAPHQL_PARSE_FAILED for an empty selection.
        GraphQLError: the document is not valid, with a fragment within itself or a directive twice at one place.
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
        # Validation reads unused fragments too.
        unused = [fragment for name, fragment in fragments.items() if name not in meter.known]
        fields += sum(meter.fragment(fragment.name.value).fields for fragment in unused)
    except RecursionError:
        raise _too_large("The operation's fragments nest too deeply.") from None
    _refuse_above(_most_fields(limits), fields, "fields")
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            overlap.check(definition.selection_set)
    if meter.repeated is not None:
        # Refuse it with one error. Validation would report each repetition.
        name = meter.repeated.name.value
        raise GraphQLError(f"The directive '@{name}' can only be used once at this location.", meter.repeated)
    # A list cannot be longer than the document's number of tokens.
    if limits.list_items is not None and limits.list_items < limits.tokens:
        visit(document, _ListLiterals(limits.list_items))


def check_variables(variables: Iterable[tuple[str, GraphQLInputType, Any]], limits: Limits, *, query: bool) -> None:
    """Refuse variables with lists that are too long or with too many conditions, before coercing them.

    A condition is a value within an input object, or an empty input object. Lists of filters become parts of the
    statement. Other lists of objects are rows to write. A list of values is one value to the statement.

    Args:
        variables: each variable's name, type and value as the client sent it. The value may have any type.
        query: whether all input objects are conditions, and not only filters.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """
    most = MOST_VALUES if limits.conditions is None else limits.conditions
    conditions = 0
    pending = [(name, type_, value, query) for name, type_, value in variables]
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
    """Return whether the type is a generated filter. A custom input type whose name ends in "Filter" counts too."""
    return isinstance(type_, GraphQLInputObjectType) and type_.name.endswith("Filter")


def _nested_fields(type_: GraphQLInputObjectType) -> dict[str, GraphQLInputType]:
    """Return the fields whose types are lists or input objects."""
    nested: dict[str, GraphQLInputType] | None = type_.extensions.get(_NESTED)
    if nested is None:
        nested = type_.extensions[_NESTED] = {
            name: field.type
            for name, field in type_.fields.items()
            if isinstance(get_nullable_type(field.type), GraphQLInputObjectType | GraphQLList)
        }
    return nested


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


def _refuse_above(most: int | None, count: int, what: str) -> None:
    if most is not None and count > most:
        # Do not repeat the client's number: it may be astronomically long.
        raise _too_large(f"The operation is too large: at most {most} {what} are allowed.")


def _too_large(message: str, hint: str | None = None) -> ClewError:
    return ClewError(message, code=Code.LIMIT_EXCEEDED, hint=hint)


class _Meter:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.known: dict[str, _Size] = {}
        self.open: set[str] = set()
        # A directive that occurs twice at one place. None of the schema's directives is repeatable.
        self.repeated: DirectiveNode | None = None

    def measure(self, selection_set: SelectionSetNode) -> _Size:
        """Measure a selection set. `root_fields` counts only the set's own level, the others count all levels."""
        if not selection_set.selections:
            # graphql-core accepts `{}`, but the GraphQL grammar does not.
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
                inner = self.fragment(node.name.value, node)
                root_fields += inner.root_fields
                depth = max(depth, inner.depth)
            aliases += inner.aliases
            directives += inner.directives
            fields += inner.fields
            schemas += inner.schemas
        return _Size(depth, aliases, root_fields, directives, fields, schemas)

    def directives(self, node: _Directed) -> int:
        """Count the directives on a node itself, and note a repeated one."""
        if not node.directives:
            return 0
        seen: set[str] = set()
        for directive in node.directives:
            if directive.name.value in seen:
                self.repeated = directive
            seen.add(directive.name.value)
        return len(node.directives)

    def fragment(self, name: str, spread: FragmentSpreadNode | None = None) -> _Size:
        """Measure a fragment once, however often it is spread. `spread` is the place that it is measured for."""
        if name not in self.known:
            # An unknown fragment counts nothing here. Validation reports it.
            self.known[name] = _Size()
            if name in self.fragments:
                self.open.add(name)
                size = self.measure(self.fragments[name].selection_set)
                own = self.directives(self.fragments[name])
                self.known[name] = replace(size, directives=size.directives + own)
                self.open.remove(name)
        elif name in self.open:
            raise GraphQLError(f"Cannot spread fragment '{name}' within itself.", spread)
        return self.known[name]


class _Overlap:
    """Counts the steps that validation needs to decide whether fields of one response key can be merged.

    Validation compares each pair of fields with one key at the same place, and each pair of fragments spread
    there, once for every selection set. So the steps grow with the square of the repetitions.
    """

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.steps = 0

    def check(self, selection_set: SelectionSetNode) -> None:
        """Raise LIMIT_EXCEEDED if validation would take too many steps."""
        groups = [[selection_set]]
        while groups:
            groups += self._merge(groups.pop())

    def _merge(self, selection_sets: list[SelectionSetNode]) -> list[list[SelectionSetNode]]:
        """Merge the selections of one place. Return the places below it and the inline fragments."""
        counts: dict[str, int] = {}
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
                    before = counts.get(key, 0)
                    self._step(before)
                    counts[key] = before + 1
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
