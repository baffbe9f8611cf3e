"""Read and check the GraphQL request in an HTTP request: from a JSON body or a query string."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from clew.aside import SHORT, Aside
from clew.collector import paused
from clew.engine.types import Request
from clew.errors import ClewError
from clew.json_numbers import Decoder
from clew.wire.body import json_body, too_large

# In characters: above this length the garbage collector pauses while a text is parsed.
_LARGE = 64 * 1024
# The commas and brackets of a text whose values are parsed on the loop. They take a few milliseconds.
_FEW_MARKS = 20_000
_PARAMETERS = ("query", "variables", "operationName", "extensions")


_decoder = Decoder()
# Its hooks are Python code: between their calls other threads have their turn.
_yielding_decoder = Decoder(parse_int=lambda text: int(text), object_hook=lambda found: found)


def has_many_values(text: bytes) -> bool:
    """Return whether parsing a text may take so long that it should not be done on the event loop."""
    return len(text) > _FEW_MARKS and sum(map(text.count, (b",", b"[", b"{"))) > _FEW_MARKS


def read_json(text: str | bytes, what: str, hint: str | None = None) -> Any:
    """Parse JSON from a client.

    Args:
        what: begins the sentence that refuses it: "The body".

    Raises:
        ClewError: BAD_USER_INPUT for text that is not JSON in UTF-8, and for a number with too many digits.
    """
    fault = "is not valid JSON"
    try:
        if len(text) < _LARGE:
            return _decoder.decode(text if isinstance(text, str) else text.decode("utf-8"))
        # A megabyte may hold hundreds of thousands of lists. The garbage collector would walk them again and again.
        with paused():
            return _yielding_decoder.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        pass
    except ValueError:
        # Python parses no integer of more than 4,300 digits.
        fault, hint = "holds a number with too many digits", None
    raise ClewError(f"{what} {fault}.", hint=hint)


async def read_request(
    scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, aside: Aside, most: int, request_id: str | None
) -> Request:
    """Return the request in the body of a POST, or in the URL of another method. A large one is parsed aside.

    Args:
        most: bytes.

    Raises:
        HTTPError: as `json_body`, and 413 for a URL that is too long.
        ClewError: as `from_json` and `from_query_string`.
    """
    # Behind a trusted proxy, the server has put the client's own address here.
    client: str = (scope.get("client") or ("",))[0]
    if scope["method"] == "POST":
        text = await json_body(scope, headers, receive, most)
        parse = partial(from_json, text, request_id, client)
    else:
        text = scope["query_string"]
        if len(text) > most:
            raise too_large(most)
        # There is no body to read. But the channel reports a disconnect only after the body was read.
        await receive()
        parse = partial(from_query_string, text, request_id, client)
    return await aside.run(parse) if has_many_values(text) else parse()


def from_json(body: bytes, request_id: str | None, client: str) -> Request:
    """Return the request in a JSON body.

    Args:
        client: the client's address.

    Raises:
        ClewError: BAD_USER_INPUT if the body is not a JSON object, or has a wrong parameter.
    """
    value = read_json(body, "The body", 'Send {"query": "...", "variables": {...}}.')
    if isinstance(value, list):
        raise ClewError("Batches of operations are not supported.", hint="Send one operation a request.")
    if not isinstance(value, dict):
        raise ClewError("The body must be a JSON object.", hint='Send {"query": "...", "variables": {...}}.')
    return from_object(value, request_id, client, is_short=len(body) <= SHORT)


def in_query_string(query_string: bytes, names: Collection[str]) -> dict[str, str]:
    """Return those of some parameters that a URL has.

    Raises:
        ClewError: BAD_USER_INPUT if it cannot be read, and for a parameter that occurs twice.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise ClewError("The query string cannot be read.") from None
    found: dict[str, str] = {}
    for name, text in pairs:
        if name in names:
            if name in found:
                raise ClewError(f"`{name}` is given twice.")
            found[name] = text
    return found


def from_query_string(query_string: bytes, request_id: str | None, client: str) -> Request:
    """Return the request in a URL. Its variables and extensions are JSON.

    Raises:
        ClewError: BAD_USER_INPUT as `from_json`, and for a parameter that occurs twice.
    """
    value: dict[str, Any] = {}
    for name, text in in_query_string(query_string, _PARAMETERS).items():
        if name in ("variables", "extensions"):
            value[name] = read_json(text, f"`{name}`") if text else None
        else:
            value[name] = text
    return from_object(value, request_id, client, queries_only=True)


def from_object(
    value: Mapping[str, Any],
    request_id: str | None,
    client: str,
    *,
    queries_only: bool = False,
    is_short: bool = False,
) -> Request:
    """Return the request in an object with the parameters of GraphQL over HTTP.

    Raises:
        ClewError: BAD_USER_INPUT for a wrong parameter.
    """
    query = value.get("query")
    extensions = value.get("extensions")
    if query is None and isinstance(extensions, dict) and "persistedQuery" in extensions:
        # Apollo Client and urql know this message. From then on they send the document.
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
    return Request(
        query,
        variables,
        operation_name or None,
        queries_only,
        request_id,
        client,
        extensions=extensions or {},
        is_short=is_short,
    )
