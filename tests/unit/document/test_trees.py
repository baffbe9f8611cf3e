"""Syntax trees: few are kept, and the others are parsed again."""

from __future__ import annotations

import gc

from graphql import Token, build_schema, parse

from clew.document.limits import Limits
from clew.document.prepare import prepare
from clew.document.trees import Trees, tree_of

SCHEMA = build_schema("type Query { a(n: Int): Int, sum(of: [Int!]): Int }")


def _document(number: int, numbers: int = 800) -> str:
    """A document with a little more than so many tokens."""
    return f"{{ sum(of: [{number} {'1 ' * numbers}]) }}"


def _tokens() -> int:
    return sum(type(found) is Token for found in gc.get_objects())


def test_of_many_documents_few_tokens_stay() -> None:
    trees = Trees()
    before = _tokens()
    prepared = [prepare(SCHEMA, _document(n), None, Limits(), trees=trees) for n in range(50)]
    kept = _tokens() - before
    assert kept < 50 * 800 / 4
    assert [one.known_tree for one in prepared[:40]] == [None] * 40
    assert prepared[-1].known_tree is not None


def test_a_tree_that_is_gone_is_parsed_again_to_the_same() -> None:
    trees = Trees()
    text = "query One { a } query Two($n: Int) { ...F } fragment F on Query { b: a(n: $n) }"
    prepared = prepare(SCHEMA, text, "Two", Limits(), trees=trees)
    first = prepared.tree.document
    for n in range(20):
        prepare(SCHEMA, _document(n), None, Limits(), trees=trees)
    assert prepared.known_tree is None
    assert prepared.operation.name is not None
    assert prepared.operation.name.value == prepared.name == "Two"
    assert list(prepared.fragments) == ["F"]
    assert prepared.tree.document == first == parse(text)


def test_a_tree_that_somebody_holds_is_the_one_tree() -> None:
    trees = Trees()
    held = trees.keep("{ a }", 0, tree_of(parse("{ a }"), 0))
    for n in range(20):
        prepare(SCHEMA, _document(n), None, Limits(), trees=trees)
    assert trees.of("{ a }", 0) is held


def test_a_tree_that_is_used_again_stays_longer() -> None:
    trees = Trees()
    prepared = prepare(SCHEMA, "{ a }", None, Limits(), trees=trees)
    for n in range(20):
        prepare(SCHEMA, _document(n), None, Limits(), trees=trees)
        assert prepared.tree.operation is not None
        assert trees.known("{ a }", 0) is not None


def test_a_large_tree_is_kept_alone() -> None:
    trees = Trees()
    prepare(SCHEMA, "{ a }", None, Limits(), trees=trees)
    large = _document(0, 9000)
    trees.keep(large, 0, tree_of(parse(large), 0))
    gc.collect()
    assert trees.known(large, 0) is not None
    assert trees.known("{ a }", 0) is None


def test_a_node_keeps_no_tokens_but_its_own() -> None:
    before = _tokens()
    field = tree_of(
        parse("{ a b c d e f g h i j k l m n o p q r s t u v w x y z }"), 0
    ).operation.selection_set.selections[9]
    assert field.loc is not None
    assert _tokens() - before <= 2
