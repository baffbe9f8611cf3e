"""The syntax trees of documents that were used last. Others are parsed again when somebody asks for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from weakref import WeakValueDictionary

from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, parse

# The most tokens of the trees that are kept. A tree has three Python objects a token. Each full collection of garbage
# walks over all objects, and everybody waits meanwhile.
_MOST_TOKENS = 6000


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Tree:
    """The syntax tree of one operation, with the fragments of its document, by name."""

    document: DocumentNode
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    tokens: int


def tree_of(document: DocumentNode, operation: int) -> Tree:
    """Return the tree of an operation.

    Args:
        operation: the number of its definition in the document.
    """
    definitions = document.definitions
    chosen = definitions[operation]
    assert isinstance(chosen, OperationDefinitionNode)
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    return Tree(document, chosen, fragments, _untie(document))


def _untie(document: DocumentNode) -> int:
    """Untie the tokens from each other, and return their number.

    They are a list in both directions: whoever kept one node would keep them all, and only the collector frees them.
    """
    count = 0
    token = document.loc.start_token if document.loc else None
    while token is not None:
        count += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return count


class Trees:
    """Keeps the trees that were used last, and knows all that somebody holds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Tree] = OrderedDict()
        self._tokens = 0
        self._held: WeakValueDictionary[tuple[str, int], Tree] = WeakValueDictionary()
        # Large documents are planned in another thread.
        self._lock = Lock()

    def known(self, text: str, operation: int) -> Tree | None:
        """Return the tree of an operation, or None if it is to be parsed again. Args as `of`."""
        key = text, operation
        with self._lock:
            found = self._held.get(key)
            if found is not None and key in self._kept:
                self._kept.move_to_end(key)
        return found

    def of(self, text: str, operation: int) -> Tree:
        """Return the tree of an operation.

        Args:
            text: a document that was valid when its tree was kept first.
            operation: the number of its definition in the document.
        """
        return self.known(text, operation) or self.keep(text, operation, tree_of(parse(text), operation))

    def keep(self, text: str, operation: int, tree: Tree) -> Tree:
        """Keep a tree as the last one, and return it."""
        key = text, operation
        with self._lock:
            before = self._kept.pop(key, None)
            self._tokens += tree.tokens - (0 if before is None else before.tokens)
            self._kept[key] = self._held[key] = tree
            while self._tokens > _MOST_TOKENS and len(self._kept) > 1:
                self._tokens -= self._kept.popitem(last=False)[1].tokens
        return tree
