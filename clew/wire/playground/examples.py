"""The project's operations as examples: each operation of `graphql/operations/` is a tab of the playground."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Node,
    NonNullTypeNode,
    OperationDefinitionNode,
    Visitor,
    parse,
    visit,
)

from clew.sdl.load import SUFFIXES

_MOST = 10

Example = dict[str, str]


def examples(folder: Path) -> list[Example]:
    """Return the first operations of the files in a folder, by the files' names: `name`, `query`, `variables`.

    The query brings the fragments that it spreads, from whichever file. A file that cannot be parsed is an example as
    it is, so that the editor shows the fault. A file that cannot be read is left out.
    """
    documents: dict[str, tuple[str, DocumentNode | None]] = {}
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.suffix in SUFFIXES and (text := _text(path)) is not None:
            documents[path.name] = text, _parsed(text)
    fragments = {
        node.name.value: (text, node)
        for text, document in documents.values()
        for node in (document.definitions if document is not None else ())
        if isinstance(node, FragmentDefinitionNode)
    }
    found: list[Example] = []
    for name, (text, document) in documents.items():
        if document is None:
            found.append({"name": name, "query": text, "variables": ""})
            continue
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                used = _spread(node, fragments)
                parts = [_source(text, node), *(_source(*fragments[name]) for name in used)]
                title = node.name.value if node.name is not None else name
                found.append({"name": title, "query": "\n\n".join(parts), "variables": _variables(node)})
    return found[:_MOST]


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _parsed(text: str) -> DocumentNode | None:
    try:
        return parse(text)
    except (GraphQLError, RecursionError):
        return None


def _source(text: str, node: OperationDefinitionNode | FragmentDefinitionNode) -> str:
    """Return the text of a definition. Its description becomes a comment, which every editor understands."""
    assert node.loc is not None
    start, comment = node.loc.start, ""
    if node.description is not None and node.description.loc is not None:
        start = node.description.loc.end
        comment = "".join(f"# {line}".rstrip() + "\n" for line in node.description.value.splitlines())
    return comment + text[start : node.loc.end].strip()


def _spread(
    node: OperationDefinitionNode, fragments: Mapping[str, tuple[str, FragmentDefinitionNode]]
) -> dict[str, None]:
    """Return the names of the known fragments that an operation spreads, and of those that these spread."""
    found: dict[str, None] = {}
    waiting: list[Node] = [node]
    while waiting:
        for name in _spreads(waiting.pop()):
            if name in fragments and name not in found:
                found[name] = None
                waiting.append(fragments[name][1])
    return found


def _spreads(node: Node) -> Iterator[str]:
    names: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: object) -> None:
            names.append(spread.name.value)

    visit(node, Spreads())
    yield from names


def _variables(node: OperationDefinitionNode) -> str:
    """Return JSON with the variables that need a value, to be filled in."""
    needed = {
        variable.variable.name.value: ""
        for variable in node.variable_definitions or ()
        if isinstance(variable.type, NonNullTypeNode) and variable.default_value is None
    }
    return json.dumps(needed, indent=2) if needed else ""
