"""One text with the schema of every role (`clew schema --all-roles`), and the changes between two such texts.

Each role has a section: a comment `# role: editor`, a comment for each rule that applies to the
role, and the definitions of its schema. Generated definitions, such as filters, come after a
comment `# generated`. The whole text parses as SDL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DefinitionNode,
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    Token,
    TokenKind,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    is_introspection_type,
    is_specified_scalar_type,
    lexicographic_sort_schema,
    parse,
    print_ast,
    print_type,
)

from clew.access.visible import Access
from clew.model.rule_text import rules_of, rules_of_admin
from clew.model.types import Model
from clew.schema.roles import schema_of
from clew.viewer import ADMIN, ANON, USER, Viewer

HEAD = "# What each role sees. Made by: clew schema --all-roles. Compare with: clew check --diff FILE"
_ROLE = "role: "
_GENERATED = "generated"
_SUBJECTS = ("rows of ", "field ", "guard on ", "argument ")


# --- writing --------------------------------------------------------------------------


def all_roles(model: Model, full: GraphQLSchema) -> str:
    """Return the text: a section for anon, user, every other role that a rule names, and admin.

    Args:
        full: the schema of everything, with resolvers bound.
    """
    others = sorted(Access(model).rules.roles() - {ANON, USER, ADMIN})
    parts = [HEAD]
    for role in (ANON, USER, *others, ADMIN):
        viewer = Viewer.seen_as([role])
        schema = schema_of(model, full, viewer)
        rules = rules_of_admin(model) if viewer.is_admin else rules_of(model, viewer.roles)
        ordered = sorted(rules, key=lambda rule: rule.subject)
        parts.append("\n".join([f"# {_ROLE}{role}", *(f"# {rule}" for rule in ordered)]))
        parts += _definitions(model, schema)
    return "\n\n".join(parts) + "\n"


def _definitions(model: Model, schema: GraphQLSchema) -> list[str]:
    """Return the schema's types, sorted, those of the SDL first. So a diff shows changes and no moves."""
    authored = {*model.entities, *model.enums, *(node.name.value for node in model.custom_types)}
    authored |= {"Query", "Mutation", "Subscription"}
    printed: tuple[list[str], list[str]] = ([], [f"# {_GENERATED}"])
    for name, type_ in lexicographic_sort_schema(schema).type_map.items():
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_):
            printed[name not in authored].append(print_type(type_))
    return [*printed[False], *printed[True]]


# --- reading --------------------------------------------------------------------------


@dataclass
class Seen:
    """The schema and the rules of one role, as facts.

    `types` are facts of the schema, by their subject (`Post.title`, `Query.posts(limit)`). `parents` maps
    a fact to the fact that it is a part of. `generated` holds the facts of each generated type.
    `rules` are the texts of rules by their subjects.
    """

    types: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    generated: dict[str, Mapping[str, str]] = field(default_factory=dict)
    rules: dict[str, set[str]] = field(default_factory=dict)


def read_roles(text: str) -> dict[str, Seen]:
    """Read the facts of each role from such a text.

    Raises:
        GraphQLSyntaxError: it is not SDL.
        ValueError: it has no section of a role, or definitions outside of one.
    """
    document = parse(text)
    assert document.loc is not None
    definitions = {node.loc.start: node for node in document.definitions if node.loc is not None}
    roles: dict[str, Seen] = {}
    seen: Seen | None = None
    generated = False
    token: Token | None = document.loc.start_token
    while token is not None:
        if token.kind is TokenKind.COMMENT:
            comment = (token.value or "").strip()
            if comment.startswith(_ROLE):
                seen, generated = roles.setdefault(comment.removeprefix(_ROLE), Seen()), False
            elif comment == _GENERATED:
                generated = True
            elif seen is not None and comment.startswith(_SUBJECTS):
                subject, _, rule = comment.partition(": ")
                seen.rules.setdefault(subject, set()).add(rule)
        elif token.start in definitions:
            if seen is None:
                raise ValueError("it has a definition before the first role")
            definition = definitions[token.start]
            if generated and isinstance(definition, TypeDefinitionNode):
                facts = Seen()
                _note(facts, definition)
                seen.generated[definition.name.value] = facts.types
            else:
                _note(seen, definition)
        token = token.next
    if not roles:
        raise ValueError("it has no line such as `# role: anon`")
    return roles


_KINDS: Mapping[type[TypeDefinitionNode], str] = {
    ObjectTypeDefinitionNode: "type",
    InterfaceTypeDefinitionNode: "interface",
    UnionTypeDefinitionNode: "union",
    EnumTypeDefinitionNode: "enum",
    InputObjectTypeDefinitionNode: "input",
    ScalarTypeDefinitionNode: "scalar",
}


def _note(seen: Seen, node: DefinitionNode) -> None:
    if not isinstance(node, TypeDefinitionNode):
        return
    name = node.name.value
    seen.types[name] = _KINDS[type(node)]
    parts: Iterable[tuple[str, str, str]] = ()
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        parts = [
            *((f"{name} implements {other.name.value}", name, "") for other in node.interfaces or ()),
            *(part for inner in node.fields or () for part in _field(seen, name, inner)),
        ]
    elif isinstance(node, InputObjectTypeDefinitionNode):
        parts = [(f"{name}.{inner.name.value}", name, _input(inner)) for inner in node.fields or ()]
    elif isinstance(node, EnumTypeDefinitionNode):
        values: Iterable[EnumValueDefinitionNode] = node.values or ()
        parts = [(f"{name}.{value.name.value}", name, "") for value in values]
    elif isinstance(node, UnionTypeDefinitionNode):
        parts = [(f"{name} = {member.name.value}", name, "") for member in node.types or ()]
    for key, parent, value in parts:
        seen.types[key], seen.parents[key] = value, parent


def _field(seen: Seen, type_name: str, node: FieldDefinitionNode) -> Iterator[tuple[str, str, str]]:
    key = f"{type_name}.{node.name.value}"
    query = f"Query.{node.name.value}"
    # A live query comes and goes with the query.
    follows = type_name == "Subscription" and query in seen.types
    yield key, query if follows else type_name, print_ast(node.type)
    for argument in node.arguments or ():
        yield f"{key}({argument.name.value})", key, _input(argument)


def _input(node: InputValueDefinitionNode) -> str:
    default = f" = {print_ast(node.default_value)}" if node.default_value is not None else ""
    return print_ast(node.type) + default


# --- comparing ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changes:
    """The facts that a role gains, loses or sees changed, a line each.

    `generated` are the names of generated types that were added, removed or changed. These follow from the rest.
    """

    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.changed or self.generated)

    @property
    def lines(self) -> Iterator[str]:
        """The changes with `+`, `-` or `~` before each. The generated types take one line."""
        for sign, lines in (("+", self.gained), ("-", self.lost), ("~", self.changed)):
            for line in lines:
                yield f"{sign} {line}"
        if self.generated:
            yield f"  generated types follow: {', '.join(self.generated)}"


def compare(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> dict[str, Changes]:
    """Return the changes for each role in either text.

    A role that one text lacks has the rights of anon there.
    """
    changes: dict[str, Changes] = {}
    for role in dict.fromkeys([*after, *before]):
        old, new = (side.get(role) or side.get(ANON) or Seen() for side in (before, after))
        changes[role] = _compared(old, new)
    return changes


def _compared(old: Seen, new: Seen) -> Changes:
    gained = [_shown(new, key) for key in _added(old, new)]
    lost = [_shown(old, key) for key in _added(new, old)]
    changed = [
        f"{key}: was {was}, now {new.types[key]}" for key, was in old.types.items() if new.types.get(key, was) != was
    ]
    for subject in dict.fromkeys([*old.rules, *new.rules]):
        was, now = old.rules.get(subject, set()), new.rules.get(subject, set())
        less, more = sorted(was - now), sorted(now - was)
        if len(less) == len(more) == 1:
            changed.append(f"{subject}: was {less[0]}; now {more[0]}")
        else:
            gained += [f"{subject}: {rule}" for rule in more]
            lost += [f"{subject}: {rule}" for rule in less]
    names = sorted({*old.generated, *new.generated})
    generated = [name for name in names if old.generated.get(name) != new.generated.get(name)]
    return Changes(tuple(gained), tuple(lost), tuple(changed), tuple(generated))


def _added(old: Seen, new: Seen) -> list[str]:
    """Return the facts that only `new` has. Leave out parts of a fact that is itself new."""
    added = sorted(key for key in new.types if key not in old.types)
    return [key for key in added if new.parents.get(key) is None or new.parents[key] in old.types]


def _shown(seen: Seen, key: str) -> str:
    value = seen.types[key]
    if key not in seen.parents:
        return f"{value} {key}"
    return f"{key}: {value}" if value else key
