"""Errors as a client sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog
from graphql import GraphQLError, GraphQLSyntaxError, Source

from clew.engine.outcome import INTERNAL, encode, encode_in_parts, failure, formatted, new_request_id, refusal, refused
from clew.errors import ClewError, Code, InvalidOwnOperationError
from clew.json_numbers import Written, exact_float
from clew.wire.respond import RoutedError


def raised(cause: Exception) -> GraphQLError:
    """A resolver's error as the executor reports it."""
    return GraphQLError(str(cause), path=["people", 0, "name"], original_error=cause)


def test_a_resolvers_own_error_keeps_its_words_code_hint_and_extensions() -> None:
    error = ClewError("No.", code=Code.CONFLICT, hint="Later.", extensions={"fields": ["a"]})
    assert formatted(raised(error), "1", Code.INTERNAL) == {
        "message": "No.",
        "path": ["people", 0, "name"],
        "extensions": {"fields": ["a"], "code": "CONFLICT", "hint": "Later.", "requestId": "1"},
    }


def test_extensions_of_an_error_cannot_replace_its_code_or_request_id() -> None:
    error = ClewError("No.", code=Code.CONFLICT, extensions={"code": "MINE", "requestId": "forged"})
    assert formatted(raised(error), "1", Code.INTERNAL)["extensions"] == {"code": "CONFLICT", "requestId": "1"}


@pytest.mark.parametrize("in_route", [False, True])
@pytest.mark.parametrize(("is_system", "code"), [(False, "FORBIDDEN"), (True, "INTERNAL")])
def test_an_invalid_operation_of_the_application_tells_nothing(in_route: bool, is_system: bool, code: str) -> None:
    error: ClewError = InvalidOwnOperationError("No secret.", Code.GRAPHQL_VALIDATION_FAILED, is_system=is_system)
    if in_route:
        # As `Clew.graphql` raises it, also in a resolver.
        error = RoutedError(error)
    assert error.message == "No secret."
    with structlog.testing.capture_logs() as logged:
        found = formatted(raised(error), "1", Code.INTERNAL)
    assert found["extensions"]["code"] == code
    assert "secret" not in found["message"]
    assert logged[0]["exc_info"] is error
    for outcome in (refusal(error, "1"), failure(error, "1")):
        assert b"secret" not in outcome.body
        assert code.encode() in outcome.body


@pytest.mark.parametrize("cause", [RuntimeError("secret"), GraphQLError("secret"), KeyError("secret")])
def test_any_other_error_of_a_resolver_is_internal_without_its_text(cause: Exception) -> None:
    found = formatted(raised(cause), "1", Code.INTERNAL)
    assert found["message"] == INTERNAL
    assert found["extensions"] == {"code": "INTERNAL", "requestId": "1"}


def test_an_error_of_the_document_keeps_graphqls_words_and_place() -> None:
    error = GraphQLSyntaxError(Source("{"), 1, "expected a name")
    found = formatted(error, "1", Code.GRAPHQL_VALIDATION_FAILED)
    assert found["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"
    assert found["locations"] == [{"line": 1, "column": 2}]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "Expected value of non-null type 'String!' not to be None.",
            "Expected value of non-null type 'String!' not to be null.",
        ),
        (
            "Variable '$v' has invalid value at .in[0]: Expected value of non-null type '[A!]!' not to be None.",
            "Variable '$v' has invalid value at .in[0]: Expected value of non-null type '[A!]!' not to be null.",
        ),
        *[
            (message, message)
            for message in (
                "Int cannot represent non-integer value: 'not to be None.'",
                "Expected value of type 'I' to be an object, found: \"' not to be None.\".",
                "Cannot query field 'None' on type 'Query'.",
            )
        ],
    ],
)
def test_a_client_reads_of_null_and_not_of_pythons_none(message: str, told: str) -> None:
    assert formatted(GraphQLError(message), "1", Code.BAD_USER_INPUT)["message"] == told


def test_what_was_not_executed_has_no_data_and_what_was_has() -> None:
    refusals = (refusal(ClewError("No."), "1"), refused([GraphQLError("No.")], "1", Code.GRAPHQL_VALIDATION_FAILED))
    for response in refusals:
        assert not response.executed
        assert list(json.loads(response.body)) == ["errors"]
    failed = failure(ClewError("No."), "1")
    assert failed.executed
    assert json.loads(failed.body)["data"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("\ud800", '"?"'), ("é\u2028", '"é\u2028"'), ("\0", '"\\u0000"'), (2**70, str(2**70)), ({"a": [1]}, '{"a":[1]}')],
)
def test_json_is_utf_8_and_valid_whatever_is_in_it(value: Any, text: str) -> None:
    assert encode(value).decode() == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": value})


def test_request_ids_differ() -> None:
    assert len({new_request_id() for _ in range(100)}) == 100


LONG = 'x\u00e9"\n\ud800' * 30_000


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"a": [], "b": {}, "c": None, "d": [{"e": 1, "f": [True, '\u00e9"\n']}, None, [[1.5], []]]}},
        {"errors": [{"message": "x", "path": ["a", 0]}], "data": None},
        [],
        "text",
        {"data": {"a": list(range(2500)), "b": [*range(2500), []]}},
        {"data": {"a": Written({"b": [[exact_float("1.10")], {1: exact_float("0.5")}]})}},
        [Written([exact_float("1.10")] * 2500), Written("\ud800"), {"a": Written(None)}],
        {"a": LONG, LONG: [LONG, 1], "b": Written({"c": LONG, 1: LONG}), "d": [LONG[:900]] * 2500},
    ],
)
def test_what_is_large_is_encoded_as_what_is_small(value: Any) -> None:
    assert encode_in_parts(value) == encode(value)


@pytest.mark.parametrize("value", [LONG * 10, {"a": LONG * 10}, [LONG[:5000]] * 200, {LONG * 10: 1}, Written(LONG)])
def test_long_texts_are_encoded_in_pieces(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []

    def watched(part: Any) -> bytes:
        found = encode(part)
        pieces.append(len(found))
        return found

    monkeypatch.setattr("clew.engine.outcome.encode", watched)
    encode_in_parts(value)
    assert max(pieces) < 200_000


@pytest.mark.parametrize("depth", [900, 100_000])
def test_what_is_too_deep_for_pythons_stack_is_encoded(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    assert encode_in_parts(value) == b'{"a":[' * depth + b"1" + b"]}" * depth


def test_a_value_that_holds_itself_is_refused() -> None:
    value: Any = {"a": [{"b": 1}]}
    value["a"].append(Written([value]))
    with pytest.raises(ValueError, match="holds itself"):
        encode_in_parts(value)
    # It may stand in two places.
    shared: Any = {"a": [[]]}
    assert encode_in_parts([shared, [shared], shared]) == encode([shared, [shared], shared])


def test_no_nan_is_encoded_in_parts_either() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_in_parts({"data": {"a": [{"b": float("nan")}]}})


def test_a_message_that_repeats_what_was_sent_is_cut() -> None:
    short, long = GraphQLError("x" * 1000), GraphQLError("x" * 100_000)
    assert formatted(short, "1", Code.BAD_USER_INPUT)["message"] == "x" * 1000
    assert formatted(long, "1", Code.BAD_USER_INPUT)["message"] == "x" * 1000 + " ..."
