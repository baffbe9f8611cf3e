"""Merge all files into one document: fold extensions into their types and type the directives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from graphql import (
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    Node,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    Visitor,
    print_ast,
    visit,
)

from clew.sdl.directives import (
    STANDARD,
    Directive,
    Index,
    Relation,
    Renamed,
    Resolver,
    Table,
    Unique,
    View,
    bind,
    definitions,
)
from clew.sdl.report import Report, did_you_mean

D = TypeVar("D", bound=Directive)

ROOTS = ("Query", "Mutation", "Subscription")


class Kind(StrEnum):
    OBJECT = "type"
    INTERFACE = "interface"
    UNION = "union"
    ENUM = "enum"
    INPUT = "input"
    SCALAR = "scalar"


_KINDS: dict[type[Node], Kind] = {
    ObjectTypeDefinitionNode: Kind.OBJECT,
    ObjectTypeExtensionNode: Kind.OBJECT,
    InterfaceTypeDefinitionNode: Kind.INTERFACE,
    InterfaceTypeExtensionNode: Kind.INTERFACE,
    UnionTypeDefinitionNode: Kind.UNION,
    UnionTypeExtensionNode: Kind.UNION,
    EnumTypeDefinitionNode: Kind.ENUM,
    EnumTypeExtensionNode: Kind.ENUM,
    InputObjectTypeDefinitionNode: Kind.INPUT,
    InputObjectTypeExtensionNode: Kind.INPUT,
    ScalarTypeDefinitionNode: Kind.SCALAR,
    ScalarTypeExtensionNode: Kind.SCALAR,
}
_PLACE = {
    Kind.OBJECT: "OBJECT",
    Kind.INTERFACE: "INTERFACE",
    Kind.UNION: "UNION",
    Kind.ENUM: "ENUM",
    Kind.INPUT: "INPUT_OBJECT",
    Kind.SCALAR: "SCALAR",
}

TypeNodes = TypeDefinitionNode | TypeExtensionNode


@dataclass(frozen=True, slots=True)
class TypeRef:
    """The type of a field: its name, and the number of lists around it (`depth`)."""

    name: str
    node: NamedTypeNode
    nullable: bool
    depth: int = 0
    item_nullable: bool = False

    @property
    def is_list(self) -> bool:
        return self.depth > 0


class Directed:
    """A part of the SDL that can have directives."""

    __slots__ = ()
    directives: tuple[Directive, ...]

    def first(self, kind: type[D]) -> D | None:
        """Return the directive of this class, or the first of several."""
        for directive in self.directives:
            if isinstance(directive, kind):
                return directive
        return None

    def all(self, kind: type[D]) -> tuple[D, ...]:
        """Return every directive of this class, in order."""
        return tuple(directive for directive in self.directives if isinstance(directive, kind))


@dataclass(frozen=True, slots=True)
class Argument(Directed):
    name: str
    node: InputValueDefinitionNode
    type: TypeRef
    directives: tuple[Directive, ...]


@dataclass(frozen=True, slots=True)
class Field(Directed):
    """A field of a type or of an input. An input's field has no arguments."""

    name: str
    node: FieldDefinitionNode | InputValueDefinitionNode
    type: TypeRef
    directives: tuple[Directive, ...] = ()
    arguments: tuple[Argument, ...] = ()
    # One of the field's directives has a fault, so faults that may follow from it are not reported.
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Type(Directed):
    """A type with its extensions. `node` is the definition, or the first extension if there is no definition."""

    name: str
    kind: Kind
    node: TypeNodes
    extensions: tuple[TypeExtensionNode, ...]
    fields: Mapping[str, Field]
    directives: tuple[Directive, ...]
    interfaces: tuple[NamedTypeNode, ...] = ()
    members: tuple[NamedTypeNode, ...] = ()
    values: Mapping[str, EnumValueDefinitionNode] | None = None
    renamed_values: Mapping[str, Renamed] = field(default_factory=dict)
    broken: bool = False

    @property
    def renamed_fields(self) -> Mapping[str, str]:
        """The new names of renamed fields, by their old names."""
        found = ((name, field_.first(Renamed)) for name, field_ in self.fields.items())
        return {renamed.from_: name for name, renamed in found if renamed is not None}

    @property
    def nodes(self) -> Iterator[TypeNodes]:
        yield self.node
        yield from self.extensions

    @property
    def is_defined(self) -> bool:
        """False for a type that is only extended."""
        return isinstance(self.node, TypeDefinitionNode)

    @property
    def is_entity(self) -> bool:
        return any(isinstance(directive, Table | View) for directive in self.directives)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A name that is declared twice: the second node, the first node, and its description for the message."""

    node: NameNode
    first: NameNode
    what: str


@dataclass(frozen=True)
class Document:
    """The merged SDL in file order."""

    types: Mapping[str, Type]
    schema_nodes: tuple[SchemaDefinitionNode | SchemaExtensionNode, ...] = ()
    schema_directives: tuple[Directive, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()

    @property
    def entities(self) -> Iterator[Type]:
        return (type_ for type_ in self.types.values() if type_.is_entity)

    def is_entity(self, name: str) -> bool:
        type_ = self.types.get(name)
        return type_ is not None and type_.is_entity

    def knows(self, name: str) -> bool:
        """Return whether a type of this name exists. A use of an unknown type is reported once, elsewhere."""
        return name in COLUMN_SCALARS or name in self.types

    def root_fields(self, parent: str) -> Mapping[str, Field]:
        """Return the user's own fields of Query, Mutation or Subscription."""
        root = self.types.get(parent)
        return root.fields if root is not None else {}


class FieldKind(StrEnum):
    """The kind of an entity's field, before its relation is resolved."""

    RESOLVER = "a @resolver field"
    COLUMN = "a column"
    TO_ONE = "a to-one relation"
    REVERSE_ONE = "the reverse of a to-one relation"
    TO_MANY = "a to-many relation"
    MANY_TO_MANY = "a many-to-many relation"
    PLAIN = "a field of a plain type"


COLUMN_SCALARS = frozenset(
    (
        *("ID", "Int", "BigInt", "Float", "Decimal", "Boolean", "String"),
        *("DateTime", "Date", "Time", "UUID", "JSON", "Bytes"),
    )
)


def field_kind(document: Document, field: Field) -> FieldKind:
    """Return the kind of an entity's field."""
    if field.first(Resolver):
        return FieldKind.RESOLVER
    name = field.type.name
    if name in COLUMN_SCALARS:
        return FieldKind.COLUMN
    type_ = document.types.get(name)
    if type_ is None:
        return FieldKind.PLAIN
    if type_.kind is Kind.ENUM:
        return FieldKind.COLUMN
    if not type_.is_entity:
        return FieldKind.PLAIN
    relation = field.first(Relation)
    if field.type.is_list:
        return FieldKind.MANY_TO_MANY if relation and relation.through else FieldKind.TO_MANY
    return FieldKind.REVERSE_ONE if relation and relation.from_ else FieldKind.TO_ONE


def stored_computed(type_: Type) -> set[str]:
    """Return the fields under @index or @unique: a computed one among them is a stored column."""
    indexed: set[str] = set()
    for index in type_.all(Index):
        indexed.update(index.fields or ())
    for unique in type_.all(Unique):
        indexed.update(unique.fields or ())
    indexed.update(name for name, field_ in type_.fields.items() if field_.first(Index) or field_.first(Unique))
    return indexed


def read_document(documents: Sequence[DocumentNode], report: Report) -> Document:
    """Merge parsed files.

    Args:
        documents: the files in order.
        report: collects faults of directives, and definitions that do not belong in an SDL.
    """
    return _Merger(report).merge(documents)


class _Merger:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.duplicates: list[Duplicate] = []
        self.own = definitions()
        self.users: set[str] = set()

    def merge(self, documents: Sequence[DocumentNode]) -> Document:
        nodes: dict[str, list[TypeNodes]] = {}
        schema_nodes: list[SchemaDefinitionNode | SchemaExtensionNode] = []
        for definition in (definition for document in documents for definition in document.definitions):
            if isinstance(definition, TypeDefinitionNode | TypeExtensionNode):
                name = definition.name.value
                if not self._is_clews_own(definition):
                    nodes.setdefault(name, []).append(definition)
            elif isinstance(definition, SchemaDefinitionNode | SchemaExtensionNode):
                schema_nodes.append(definition)
            elif isinstance(definition, DirectiveDefinitionNode):
                self._directive_definition(definition)
            else:
                hint = "operations belong into graphql/operations/"
                self.report.error(definition, "a schema cannot contain an operation", hint)
        types = {name: merged for name, group in nodes.items() if (merged := self._type(name, group)) is not None}
        schema_directives: list[Directive] = []
        for node in schema_nodes:
            schema_directives += self._directives(node.directives, "SCHEMA")[0]
        return Document(types, tuple(schema_nodes), tuple(schema_directives), tuple(self.duplicates))

    def _is_clews_own(self, node: TypeNodes) -> bool:
        """Return whether `directives.graphql` has this definition. Report a definition that differs from it."""
        name = node.name.value
        if name in self.own.scalars:
            if not isinstance(node, ScalarTypeDefinitionNode) or node.directives:
                message = f'"{name}" is a scalar of Clew\'s own and cannot be changed'
                self.report.error(node.name, message, "remove this definition, or give the type another name")
            return True
        if name in self.own.enum_nodes:
            if not isinstance(node, EnumTypeDefinitionNode) or not same(node, self.own.enum_nodes[name]):
                message = f'the enum "{name}" differs from Clew\'s own definition'
                self.report.error(node.name, message, OWN_HINT)
            return True
        return False

    def _directive_definition(self, node: DirectiveDefinitionNode) -> None:
        name = node.name.value
        if name in self.own.directives:
            if not same(node, self.own.directives[name].node):
                message = f"the definition of @{name} differs from Clew's own"
                self.report.error(node.name, message, OWN_HINT)
        elif name in STANDARD:
            self.report.error(node.name, f"@{name} is a directive of GraphQL's own", "remove this definition")
        else:
            self.users.add(name)

    def _type(self, name: str, nodes: list[TypeNodes]) -> Type | None:
        defined = [node for node in nodes if isinstance(node, TypeDefinitionNode)]
        for again in defined[1:]:
            self.duplicates.append(Duplicate(again.name, defined[0].name, f'the type "{name}"'))
        base: TypeNodes = defined[0] if defined else nodes[0]
        kind = _KINDS[type(base)]
        extensions: list[TypeExtensionNode] = []
        for node in nodes:
            if isinstance(node, TypeExtensionNode) and node is not base:
                if _KINDS[type(node)] is kind:
                    extensions.append(node)
                else:
                    message = f'"{name}" is declared as {kind.value}, and cannot be extended as another kind'
                    self.report.error(node.name, message, f"write: extend {kind.value} {name}")
        directives: list[Directive] = []
        interfaces: list[NamedTypeNode] = []
        members: list[NamedTypeNode] = []
        fields: dict[str, Field] = {}
        values: dict[str, EnumValueDefinitionNode] = {}
        renamed: dict[str, Renamed] = {}
        names: dict[str, NameNode] = {}
        broken = False
        part: TypeNodes
        for part in (base, *extensions):
            uses, fault = self._directives(part.directives, _PLACE[kind])
            directives += uses
            broken |= fault
            interfaces += getattr(part, "interfaces", None) or ()
            if kind is Kind.UNION:
                members += getattr(part, "types", None) or ()
            elif kind is Kind.ENUM:
                for value in getattr(part, "values", None) or ():
                    of_value, _ = self._directives(value.directives, "ENUM_VALUE")
                    self._repeated(of_value)
                    renamed.update((value.name.value, found) for found in of_value if isinstance(found, Renamed))
                    if self._is_new(names, value.name, f'the value "{value.name.value}" of "{name}"'):
                        values[value.name.value] = value
            elif kind is not Kind.SCALAR:
                for field in getattr(part, "fields", None) or ():
                    read = self._field(field)
                    if self._is_new(names, field.name, f'the field "{name}.{read.name}"'):
                        fields[read.name] = read
        self._repeated(directives)
        return Type(
            name=name,
            kind=kind,
            node=base,
            extensions=tuple(extensions),
            fields=fields,
            directives=tuple(directives),
            interfaces=tuple(interfaces),
            members=tuple(members),
            values=values if kind is Kind.ENUM else None,
            renamed_values=renamed,
            broken=broken,
        )

    def _is_new(self, names: dict[str, NameNode], node: NameNode, what: str) -> bool:
        first = names.setdefault(node.value, node)
        if first is not node:
            self.duplicates.append(Duplicate(node, first, what))
        return first is node

    def _field(self, node: FieldDefinitionNode | InputValueDefinitionNode) -> Field:
        name, type_ = node.name.value, type_ref(node.type)
        place = "FIELD_DEFINITION" if isinstance(node, FieldDefinitionNode) else "INPUT_FIELD_DEFINITION"
        directives, broken = self._directives(node.directives, place) if node.directives else ((), False)
        if len(directives) > 1:
            self._repeated(directives)
        arguments: list[Argument] = []
        if isinstance(node, FieldDefinitionNode):
            names: dict[str, NameNode] = {}
            for argument in node.arguments or ():
                uses, _ = self._directives(argument.directives, "ARGUMENT_DEFINITION")
                self._repeated(uses)
                if self._is_new(names, argument.name, f'the argument "{argument.name.value}" of "{name}"'):
                    arguments.append(Argument(argument.name.value, argument, type_ref(argument.type), tuple(uses)))
        return Field(name, node, type_, tuple(directives), tuple(arguments), broken)

    def _directives(self, nodes: Sequence[DirectiveNode] | None, place: str) -> tuple[Sequence[Directive], bool]:
        """Return the Clew directives among `nodes`, and whether one of them had a fault."""
        if not nodes:
            return (), False
        directives: list[Directive] = []
        broken = False
        for node in nodes:
            name = node.name.value
            if name in self.own.directives:
                directive = bind(node, place, self.report)
                if directive is None:
                    broken = True
                else:
                    directives.append(directive)
            elif name in STANDARD:
                broken |= self._standard(node)
            elif name not in self.users:
                known = (*self.own.directives, *STANDARD, *self.users)
                hint = did_you_mean(name, known, "@") or f"declare it: directive @{name} on ..."
                self.report.error(node, f"unknown directive @{name}", hint)
                broken = True
        return directives, broken

    def _repeated(self, directives: Iterable[Directive]) -> None:
        seen: set[str] = set()
        for directive in directives:
            name = directive.node.name.value
            if name in seen and not self.own.directives[name].repeatable:
                self.report.error(directive.node, f"@{name} can be used here only once", "remove one of them")
            seen.add(name)

    def _standard(self, node: DirectiveNode) -> bool:
        """Check a use of one of GraphQL's own directives. Return True after a fault."""
        name = node.name.value
        faults = len(self.report)
        for argument in node.arguments or ():
            if argument.name.value not in STANDARD[name]:
                hint = did_you_mean(argument.name.value, STANDARD[name])
                self.report.error(argument.name, f'unknown argument "{argument.name.value}" on @{name}', hint)
            elif not isinstance(argument.value, StringValueNode):
                self.report.error(argument.value, f'"{argument.name.value}" of @{name} must be a string')
        if name == "specifiedBy" and not node.arguments:
            self.report.error(node, '@specifiedBy needs the argument "url"')
        return len(self.report) > faults


OWN_HINT = "write graphql/directives.graphql again with: clew check --directives"


def type_ref(node: TypeNode) -> TypeRef:
    """Read a type such as `[Post!]!`. Of nested lists, keep the nullability of the outermost and the innermost item."""
    nullable = not isinstance(node, NonNullTypeNode)
    inner: TypeNode = node.type if isinstance(node, NonNullTypeNode) else node
    depth = 0
    item_nullable = False
    while not isinstance(inner, NamedTypeNode):
        if isinstance(inner, ListTypeNode):
            depth += 1
            inner = inner.type
            item_nullable = not isinstance(inner, NonNullTypeNode)
        else:
            assert isinstance(inner, NonNullTypeNode)
            inner = inner.type
    return TypeRef(inner.name.value, inner, nullable, depth, item_nullable)


def same(one: Node, other: Node) -> bool:
    """Return whether two definitions are equal apart from descriptions."""
    return _bare(one) == _bare(other)


def _bare(node: Node) -> str:
    return print_ast(visit(node, _DropDescriptions()))


class _DropDescriptions(Visitor):
    def enter(self, node: Node, *_args: object) -> Node | None:
        if isinstance(node, _DESCRIBED) and node.description is not None:
            return replace(node, description=None)
        return None


_DESCRIBED = (DirectiveDefinitionNode, EnumTypeDefinitionNode, EnumValueDefinitionNode, InputValueDefinitionNode)
