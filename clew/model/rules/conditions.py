"""The filter objects of rules: `where` and `check` of @allow and @guard, `where` of @is, `when` of @on.

Every name in such an object is looked up: fields, relations, entities, operators, predicates
and paths of `$row`. Constants are checked against their column's type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    ListValueNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
)

from clew.model.measures import COUNT, FUNCTIONS, measured
from clew.model.names import job_type
from clew.model.operators import ITEM_OPERATORS, Operand, operators
from clew.model.scope import Scope
from clew.model.types import Column, Entity, Model, Relation, ValueType
from clew.sdl import directives as d
from clew.sdl.constants import constant, misfit
from clew.sdl.document import Type
from clew.sdl.report import Report, did_you_mean, renamed_or_near, shown

NOW = "$now"
AUTH = "$auth"
ROW = "$row"
_LOGIC = ("and", "or", "not", "is", "exists")
_QUANTIFIERS = ("some", "none", "every")
_TIMES = ("DateTime", "Date", "Time")


@dataclass(frozen=True, slots=True)
class _Use:
    """A use of a predicate: the entity, the name used there, and the value node that names it."""

    entity: str
    name: str
    node: ValueNode


@dataclass
class _Walk:
    """One pass over all conditions. `uses` maps each predicate to the uses in its own condition."""

    scope: Scope
    model: Model
    nodes: dict[tuple[str, str], ValueNode]
    uses: dict[tuple[str, str], list[_Use]] = field(default_factory=dict)
    done: set[tuple[str, str, str | None]] = field(default_factory=set)

    @property
    def report(self) -> Report:
        return self.scope.report


@dataclass(frozen=True, slots=True)
class _Context:
    """The condition being read, and the names that it may use.

    `ruled` is the entity that `$row` stands for. It is None where that is unknown, or where `row`
    is false and `$row` is forbidden. `predicate` is the predicate whose own condition is being read.
    """

    ruled: str | None
    row: bool = True
    auth: bool = True
    predicate: tuple[str, str] | None = None
    # Whether a list may have variables among its items.
    lists_vary: bool = True


def check(scope: Scope, model: Model) -> None:
    nodes = {
        (type_.name, predicate.name): predicate.given["where"]
        for type_ in scope.document.entities
        for predicate in type_.all(d.Is)
    }
    walk = _Walk(scope, model, nodes)
    for (name, predicate), node in nodes.items():
        _object(walk, model.entities[name], node, _Context(None, predicate=(name, predicate)))
    _cycles(walk)
    for type_ in scope.document.entities:
        for node in _conditions(type_):
            _object(walk, model.entities[type_.name], node, _Context(type_.name))
    for directive in scope.document.schema_directives:
        if isinstance(directive, d.On) and "when" in directive.given and directive.model in model.entities:
            context = _Context(None, row=False, auth=False)
            _object(walk, model.entities[directive.model], directive.given["when"], context)
    for custom in model.custom_fields:
        extended = scope.document.types.get(job_type(custom.name))
        if custom.job is not None and extended is not None:
            _check_job_rules(walk, extended)


def _check_job_rules(walk: _Walk, type_: Type) -> None:
    for allow in type_.all(d.Allow):
        for name in ("check", "fields"):
            if name in allow.given:
                walk.report.error(allow.given[name], f'on the job type "{type_.name}", @allow takes no "{name}"')
        if "where" in allow.given:
            _object(walk, walk.model.entities[type_.name], allow.given["where"], _Context(type_.name))


def _conditions(type_: Type) -> Iterator[ValueNode]:
    rules: list[d.Directive] = [*type_.all(d.Allow), *type_.all(d.Guard)]
    for field_ in type_.fields.values():
        rules += field_.all(d.Allow)
    for rule in rules:
        for name in ("where", "check"):
            if name in rule.given:
                yield rule.given[name]


def _object(walk: _Walk, entity: Entity, node: ValueNode, context: _Context) -> None:
    """Check a filter object on an entity."""
    if not isinstance(node, ObjectValueNode):
        hint = "write {" + f"{entity.fields[0] if entity.fields else 'id'}: ..." + "}"
        walk.report.error(node, f"a condition on {entity.name} is an object, not {shown(node)}", hint)
        return
    for part in _parts(walk, node):
        name = part.name.value
        if name in ("and", "or"):
            items = part.value.values if isinstance(part.value, ListValueNode) else (part.value,)
            for item in items or ():
                _object(walk, entity, item, context)
        elif name == "not":
            _object(walk, entity, part.value, context)
        elif name == "is":
            _predicate(walk, entity, part.value, context)
        elif name == "exists":
            _exists(walk, part, context)
        else:
            _field(walk, entity, part, context)


def _exists(walk: _Walk, part: ObjectFieldNode, context: _Context) -> None:
    """Check `{exists: {Enrolment: {...}}}`, or a list of such objects: it asks of entities, whatever the row is."""
    if not context.auth:
        walk.report.error(part.name, '"exists" cannot be used here: only rules ask of other entities')
        return
    node = part.value
    items = node.values if isinstance(node, ListValueNode) else (node,)
    for item in items or (node,):
        if not isinstance(item, ObjectValueNode) or not item.fields:
            hint = "write {exists: {Entity: { ... }}}"
            walk.report.error(item, f'"exists" takes an object of entities, not {shown(item)}', hint)
            continue
        for asked in _parts(walk, item):
            name = asked.name.value
            if name in walk.model.entities:
                _object(walk, walk.model.entities[name], asked.value, context)
            elif name not in walk.scope.entities:
                walk.report.error(asked.name, f'there is no entity "{name}"', did_you_mean(name, walk.model.entities))


def _parts(walk: _Walk, node: ObjectValueNode) -> Iterator[ObjectFieldNode]:
    seen: set[str] = set()
    for part in node.fields or ():
        if part.name.value in seen:
            walk.report.error(part.name, f'"{part.name.value}" appears twice in one object', "use and: [...]")
        else:
            seen.add(part.name.value)
            yield part


def _field(walk: _Walk, entity: Entity, part: ObjectFieldNode, context: _Context) -> None:
    name = part.name.value
    column, relation = entity.column(name), entity.relation(name)
    if column is not None:
        _value(walk, column, part.value, context)
    elif relation is not None:
        _relation(walk, entity, relation, part, context)
    elif name.endswith("Aggregate") and (many := entity.relation(name.removesuffix("Aggregate"))) and many.to_many:
        _aggregate(walk, walk.model.entities[many.target], part.value, context)
    elif not _is_faulty(walk, entity, name):
        message = f'"{entity.name}" has no field "{name}"'
        if entity.resolver(name):
            message = f'"{entity.name}.{name}" is resolved in Python: no condition can use it'
        options = [column.name for column in entity.columns] + [relation.name for relation in entity.relations]
        declared = walk.scope.entities.get(entity.name)
        renamed = declared.type.renamed_fields if declared is not None else {}
        walk.report.error(part.name, message, renamed_or_near(name, renamed, [*options, *_LOGIC]))


def _is_faulty(walk: _Walk, entity: Entity, name: str) -> bool:
    """Return whether the field is declared but has a fault itself, which is reported elsewhere."""
    declared = walk.scope.entities.get(entity.name)
    if declared is None or entity.resolver(name):
        return False
    return name in declared.type.fields or name.removesuffix("Aggregate") in declared.type.fields


def _relation(walk: _Walk, entity: Entity, relation: Relation, part: ObjectFieldNode, context: _Context) -> None:
    target = walk.model.entities[relation.target]
    node = part.value
    if not isinstance(node, ObjectValueNode):
        keys = f"use its key: {relation.key[0]}" if relation.key else f"write {relation.name}: {{ ... }}"
        if relation.to_many:
            keys = f"write {relation.name}: {{some: {{ ... }}}}"
        walk.report.error(node, f'"{entity.name}.{relation.name}" is a relation: it takes an object', keys)
        return
    if not relation.to_many:
        _object(walk, target, node, context)
        return
    for inner in _parts(walk, node):
        if inner.name.value in _QUANTIFIERS:
            _object(walk, target, inner.value, context)
        else:
            message = f'"{relation.name}" is a to-many relation: it takes some, none or every, not "{inner.name.value}"'
            hint = did_you_mean(inner.name.value, _QUANTIFIERS) or f"write {relation.name}: {{some: {{ ... }}}}"
            walk.report.error(inner.name, message, hint)


def _aggregate(walk: _Walk, target: Entity, node: ValueNode, context: _Context) -> None:
    if not isinstance(node, ObjectValueNode):
        walk.report.error(node, "an aggregate takes an object", "such as {count: {gt: 3}}")
        return
    for part in _parts(walk, node):
        name = part.name.value
        if name == "where":
            _object(walk, target, part.value, context)
        elif name == "count":
            _operators(walk, "count", COUNT, part.value, replace(context, lists_vary=False))
        elif name not in FUNCTIONS:
            parts = ("where", "count", *FUNCTIONS)
            listed = f"it takes {', '.join(parts)}"
            walk.report.error(part.name, f'unknown aggregate "{name}"', did_you_mean(name, parts) or listed)
        elif not isinstance(part.value, ObjectValueNode):
            walk.report.error(part.value, f'"{name}" takes an object of columns')
        else:
            for inner in _parts(walk, part.value):
                column = target.column(inner.name.value)
                if column is None:
                    hint = did_you_mean(inner.name.value, [column.name for column in target.columns])
                    walk.report.error(inner.name, f'"{target.name}" has no column "{inner.name.value}"', hint)
                elif (type_ := measured(name, column.type)) is None:
                    known = ", ".join(function for function in FUNCTIONS if measured(function, column.type))
                    message = f'"{column.name}" is {column.type.name}, which has no {name}'
                    walk.report.error(inner.name, message, f"it has {known}" if known else None)
                else:
                    _operators(walk, column.name, type_, inner.value, replace(context, lists_vary=False))


def _value(walk: _Walk, column: Column, node: ValueNode, context: _Context) -> None:
    """Check a column's operators. A bare value means `eq`."""
    if isinstance(node, ObjectValueNode):
        _operators(walk, column.name, column.type, node, context)
    elif "eq" not in operators(column.type):
        names = ", ".join(operators(column.type))
        walk.report.error(node, f'"{column.name}" is {column.type.name}: it takes {names}')
    elif column.type.is_list:
        _operand(walk, column.name, column.type, Operand.LIST, node, replace(context, lists_vary=False))
    elif isinstance(node, ListValueNode):
        message = f'"{column.name}" is compared with one value, not with a list'
        operator = "in" if "in" in operators(column.type) else "eq"
        hint = f"write {column.name}: {{{operator}: {shown(node)}}}"
        walk.report.error(node, message, hint if operator == "in" or column.type.name == "JSON" else None)
    else:
        _operand(walk, column.name, column.type, Operand.SAME, node, context)


def _operators(walk: _Walk, name: str, type_: ValueType, node: ValueNode, context: _Context) -> None:
    known = {operator: kind for operator, kind in operators(type_).items() if kind is not Operand.PATHS}
    if not isinstance(node, ObjectValueNode):
        _operand(walk, name, type_, Operand.SAME, node, context)
        return
    for part in _parts(walk, node):
        operand = known.get(part.name.value)
        if operand is None:
            hint = did_you_mean(part.name.value, known) or f"it takes {', '.join(known)}"
            shown_type = f"[{type_.name}]" if type_.is_list else type_.name
            message = f'"{name}" is {shown_type}, which has no operator "{part.name.value}"'
            walk.report.error(part.name, message, hint)
        else:
            within = context if part.name.value in ITEM_OPERATORS else replace(context, lists_vary=False)
            _operand(walk, name, type_, operand, part.value, within)


def _operand(walk: _Walk, name: str, type_: ValueType, operand: Operand, node: ValueNode, context: _Context) -> None:
    if isinstance(node, NullValueNode):
        walk.report.error(node, f'"{name}" cannot be compared with null', f"write {name}: {{isNull: true}}")
        return
    if isinstance(node, StringValueNode) and _is_variable(node.value):
        _variable(walk, name, type_, node, context)
        return
    if operand is Operand.LIST:
        for item in node.values or () if isinstance(node, ListValueNode) else (node,):
            is_variable = isinstance(item, StringValueNode) and _is_variable(item.value)
            if is_variable and item is not node and not context.lists_vary:
                walk.report.error(item, f"{shown(item)} cannot be used within this list")
                continue
            _operand(walk, name, type_.item, Operand.SAME, item, context)
        return
    expected: str | None
    value: Any = constant(node)
    if operand is Operand.TEXT:
        expected = misfit(value, "String")
    elif operand is Operand.BOOLEAN:
        expected = misfit(value, "Boolean")
    else:
        enum = walk.model.enums.get(type_.name) if type_.is_enum else None
        values = [value.name for value in enum.values] if enum is not None else None
        expected = misfit(value, type_.name, values)
        if expected is not None:
            hint = did_you_mean(value, values) if values and isinstance(value, str) else None
            walk.report.error(node, f'"{name}" is compared with {expected}, not with {shown(node)}', hint)
            return
    if expected is not None:
        walk.report.error(node, f'"{name}" is compared with {expected}, not with {shown(node)}')


def _is_variable(text: str) -> bool:
    return text == NOW or text.split(".")[0] in (AUTH, ROW) or (text[:1] == "$" and text[1:].isidentifier())


def _variable(walk: _Walk, name: str, type_: ValueType, node: StringValueNode, context: _Context) -> None:
    text = node.value
    head, *path = text.split(".")
    if text == NOW:
        if not context.auth:
            walk.report.error(node, '"$now" cannot be used here: the condition is about a change, whenever it is read')
        elif type_.name not in _TIMES:
            walk.report.error(node, f'"{name}" is {type_.name}: it cannot be compared with "$now"')
    elif head not in (AUTH, ROW):
        hint = did_you_mean(text, (NOW, AUTH, ROW)) or 'there are "$auth.claim", "$now" and "$row.field"'
        walk.report.error(node, f'unknown variable "{text}"', hint)
    elif not path or not all(path):
        example = '"$auth.sub"' if head == AUTH else '"$row.id"'
        walk.report.error(node, f'"{text}" is incomplete', f"write {example}")
    elif head == AUTH:
        if not context.auth:
            walk.report.error(node, f'"{text}" cannot be used here: there is no viewer')
    elif not context.row:
        walk.report.error(node, f'"{text}" cannot be used here: there is no row of a rule')
    elif context.ruled is not None:
        _row(walk, node, path, context.ruled)


def _row(walk: _Walk, node: StringValueNode, path: list[str], ruled: str) -> None:
    """Check a path such as `$row.company.ownerId`: to-one relations, then a column."""
    entity = walk.model.entities[ruled]
    for number, step in enumerate(path):
        is_last = number == len(path) - 1
        relation = entity.relation(step)
        if is_last and entity.column(step) is not None:
            return
        if relation is None or is_last or relation.to_many:
            if _is_faulty(walk, entity, step) and relation is None:
                return
            what = "column" if is_last else "to-one relation"
            options = (
                [c.name for c in entity.columns] if is_last else [r.name for r in entity.relations if not r.to_many]
            )
            hint = did_you_mean(step, options)
            if is_last and relation is not None and relation.key:
                hint = f"use its key: {relation.key[0]}"
            walk.report.error(node, f'"{node.value}": "{entity.name}" has no {what} "{step}"', hint)
            return
        entity = walk.model.entities[relation.target]


def _predicate(walk: _Walk, entity: Entity, node: ValueNode, context: _Context) -> None:
    """Check `{is: "mine"}`: the predicate exists and fits this rule's own row."""
    value = constant(node)
    if not isinstance(value, str):
        walk.report.error(node, f'"is" takes the name of a predicate, not {shown(node)}')
        return
    key = (entity.name, value)
    condition = walk.nodes.get(key)
    if condition is None:
        options = [name for owner, name in walk.nodes if owner == entity.name]
        hint = did_you_mean(value, options) or f'declare it: type {entity.name} @is(name: "{value}", where: ...)'
        walk.report.error(node, f'"{entity.name}" has no predicate "{value}"', hint)
        return
    if context.predicate is not None:
        walk.uses.setdefault(context.predicate, []).append(_Use(entity.name, value, node))
        return
    mark = (*key, context.ruled)
    if mark not in walk.done:
        walk.done.add(mark)
        _object(walk, entity, condition, context)


def _cycles(walk: _Walk) -> None:
    """Report each use that closes a circle of predicates."""
    finished: set[tuple[str, str]] = set()
    for start in walk.nodes:
        if start in finished:
            continue
        path: list[tuple[str, str]] = [start]
        stack: list[Iterator[_Use]] = [iter(walk.uses.get(start, ()))]
        while stack:
            use = next(stack[-1], None)
            if use is None:
                finished.add(path.pop())
                stack.pop()
                continue
            key = (use.entity, use.name)
            if key in path:
                circle = " -> ".join(f'{entity}."{name}"' for entity, name in [*path[path.index(key) :], key])
                walk.report.error(use.node, f"predicates use one another in a circle: {circle}")
            elif key not in finished:
                path.append(key)
                stack.append(iter(walk.uses.get(key, ())))
