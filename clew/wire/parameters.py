"""The GraphQL request in an HTTP request: from a JSON body or a query string, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from clew.engine.types import Request
from clew.errors import ClewError

_PARAMETERS = ("query", "variables", "operationName", "extensions")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


# NaN and Infinity are no JSON, though Python reads them.
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def from_json(body: bytes, request_id: str | None, client: str) -> Request:
    """The request in a JSON body.

    Args:
        client: the address that it came from.

    Raises:
        ClewError: BAD_USER_INPUT for what is no JSON object, or holds a wrong parameter.
    """
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ClewError("The body is not valid JSON.", hint='Send {"query": "...", "variables": {...}}.') from None
    if isinstance(value, list):
        raise ClewError("Batches of operations are not supported.", hint="Send one operation a request.")
    if not isinstance(value, dict):
        raise ClewError("The body must be a JSON object.", hint='Send {"query": "...", "variables": {...}}.')
    return _request(value, request_id, client, queries_only=False)


def from_query_string(query_string: bytes, request_id: str | None, client: str) -> Request:
    """The request in a URL; variables and extensions are JSON.

    Raises:
        ClewError: BAD_USER_INPUT as `from_json`, and for a parameter given twice.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise ClewError("The query string cannot be read.") from None
    value: dict[str, Any] = {}
    for name, text in pairs:
        if name not in _PARAMETERS:
            continue
        if name in value:
            raise ClewError(f"`{name}` is given twice.")
        if name in ("variables", "extensions"):
            try:
                value[name] = _decoder.decode(text) if text else None
            except (ValueError, RecursionError):
                raise ClewError(f"`{name}` is not valid JSON.") from None
        else:
            value[name] = text
    return _request(value, request_id, client, queries_only=True)


def _request(value: Mapping[str, Any], request_id: str | None, client: str, *, queries_only: bool) -> Request:
    query = value.get("query")
    extensions = value.get("extensions")
    if query is None and isinstance(extensions, dict) and "persistedQuery" in extensions:
        # Apollo Client and urql know this message: they send the document from then on.
        raise ClewError("PersistedQueryNotSupported", hint="Send the document as `query`.")
    if not isinstance(query, str) or not query:
        raise ClewError("`query` must be a GraphQL document.", hint='Send {"query": "{ __typename }"}.')
    variables = value.get("variables")
    if variables is None:
        variables = {}
    elif not isinstance(variables, dict):
        raise ClewError("`variables` must be a JSON object.")
    operation_name = value.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise ClewError("`operationName` must be a string.")
    if extensions is not None and not isinstance(extensions, dict):
        raise ClewError("`extensions` must be a JSON object.")
    return Request(query, variables, operation_name or None, queries_only, request_id, client)
