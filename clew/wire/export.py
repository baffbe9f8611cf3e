"""`/export.csv` and `/export.ndjson`: the rows of a query as a file (docs/export.md)."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator
from clew.document.prepare import InvalidDocument
from clew.engine.engine import counted_apart
from clew.engine.flights import Flight
from clew.engine.outcome import Outcome, new_request_id
from clew.engine.outcome import refused as refused_document
from clew.errors import ClewError, Code
from clew.export.exports import Exports, File, Prepared
from clew.sql.copy import DELIMITERS, Form
from clew.wire.body import HTTPError
from clew.wire.disconnect import BREAK_OFF, ClientGone, UntilDisconnect
from clew.wire.handshake import session_end
from clew.wire.negotiate import RESPONSE
from clew.wire.parameters import in_query_string, read_request
from clew.wire.respond import Headers, given_request_id, refused, retry_headers, send_answer, status_of

log = structlog.get_logger("clew.wire")

CSV, NDJSON = "csv", "ndjson"
_TYPES = {CSV: b"text/csv; charset=utf-8; header=present", NDJSON: b"application/x-ndjson; charset=utf-8"}
_OPTIONS = ("bom", "delimiter", "raw")
_FLAGS = {"0": False, "1": True}
# Level 6 takes twice the time for files that are a tenth smaller.
_LEVEL = 4


class ExportBrokenError(Exception):
    """An export has failed after its response began. Servers without `BREAK_OFF` break the connection off for that."""


@dataclass(frozen=True, slots=True)
class _Options:
    form: Form
    bom: bool = False


class ExportHandler:
    """An ASGI app that sends files of one kind.

    Args:
        kind: CSV or NDJSON.
        stall: seconds that the client may read nothing.
        max_body: bytes.
    """

    def __init__(self, kind: str, exports: Exports, authenticator: Authenticator, stall: float, max_body: int) -> None:
        self._kind = kind
        self._exports = exports
        self._authenticator = authenticator
        self._stall = stall
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = given_request_id(headers)
        request_id = given or new_request_id()
        echoed: Headers = () if given is None else ((b"x-request-id", given.encode()),)
        flight = Flight()
        response = _Response(send, echoed, self._stall)
        try:
            await self._answer(scope, headers, receive, request_id, flight, response)
        except ClientGone:
            log.info("export broken off", request_id=request_id, error="The client has gone.")
        except Exception as error:
            if response.has_begun:
                log.warning("export broken off", request_id=request_id, error=_cause(error))
                break_off = scope.get("extensions", {}).get(BREAK_OFF)
                if break_off is None:
                    raise ExportBrokenError(request_id) from None
                break_off()
                return
            outcome, status, more = _refused(error, request_id)
            extra = (*more, *echoed, *retry_headers(status, outcome), (b"cache-control", b"no-store"))
            await send_answer(send, status, b"application/json; charset=utf-8", outcome.body, extra)
        finally:
            flight.end()

    async def _answer(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        request_id: str,
        flight: Flight,
        response: _Response,
    ) -> None:
        if scope["http_version"] == "1.0":
            # Its responses end with the connection. So a file that breaks off would look like a whole one.
            raise HTTPError(505, ClewError("An export needs HTTP/1.1.", hint="Let the proxy in front speak HTTP/1.1."))
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise HTTPError(405, ClewError("Use GET or POST."), ((b"allow", b"GET, HEAD, POST"),))
        aside = self._exports.engine.statements.aside
        request = await read_request(scope, headers, receive, aside, self._max_body, request_id)
        options = self._options(scope["query_string"])
        viewer = await self._authenticator.viewer(scope, headers)
        with UntilDisconnect(receive):
            prepared = await self._exports.prepare(request, viewer, options.form, flight, bom=options.bom)
        response.describe(self._kind, prepared, is_compressed=_takes_gzip(headers))
        if scope["method"] == "HEAD":
            await response.begin()
            await response.end()
            return
        who = counted_apart(request.client or "", viewer)
        longest = self._exports.bounds.seconds
        seconds = min(longest, session_end(viewer, longest) - time.time())
        with UntilDisconnect(receive):
            await self._send(prepared, who, seconds, response)

    async def _send(self, prepared: Prepared, who: object, seconds: float, response: _Response) -> None:
        async with self._exports.running(prepared, who, seconds) as file:
            await response.begin()
            await response.send(file)
        await response.end()

    def _options(self, query_string: bytes) -> _Options:
        """Return what the URL asks of the file.

        Raises:
            ClewError: BAD_USER_INPUT.
        """
        given = in_query_string(query_string, _OPTIONS)
        if self._kind == NDJSON:
            for name in given:
                raise ClewError(f"`{name}` is for CSV only.", hint="Ask for /export.csv.")
            return _Options(Form())
        delimiter = given.pop("delimiter", ",")
        if delimiter not in DELIMITERS:
            raise ClewError(
                "`delimiter` must be one of , ; | and the tab.", hint="Write %3B for ; and %09 for the tab."
            )
        for name, text in given.items():
            if text not in _FLAGS:
                raise ClewError(f"`{name}` must be 0 or 1.")
        return _Options(Form(delimiter, _FLAGS[given.get("raw", "0")]), _FLAGS[given.get("bom", "0")])


class _Response:
    """The response with a file."""

    def __init__(self, send: Send, extra: Headers, stall: float) -> None:
        self._send = send
        self._headers: list[tuple[bytes, bytes]] = list(extra)
        self._stall = stall
        self._compress: zlib._Compress | None = None
        self.has_begun = False

    def describe(self, kind: str, prepared: Prepared, *, is_compressed: bool) -> None:
        """Set the headers, for a file of this kind."""
        name = f'attachment; filename="{prepared.name}.{kind}"'
        self._headers += [
            (b"content-type", _TYPES[kind]),
            (b"content-disposition", name.encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Accept-Encoding"),
        ]
        if is_compressed:
            self._headers.append((b"content-encoding", b"gzip"))
            self._compress = zlib.compressobj(_LEVEL, wbits=31)

    async def begin(self) -> None:
        """Send the status and the headers."""
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})

    async def send(self, file: File) -> None:
        """Send the bytes of a file.

        Raises:
            ClewError: the export failed, or the client reads too slowly.
        """
        async for part in file:
            if self._compress is not None:
                # zlib lets other threads run.
                part = await asyncio.to_thread(self._compress.compress, part)
            if part:
                await self._part(part)

    async def end(self) -> None:
        """Send what is left, and the end."""
        rest = b"" if self._compress is None else self._compress.flush()
        await self._part(rest, is_last=True)

    async def _part(self, part: bytes, *, is_last: bool = False) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await self._send({"type": "http.response.body", "body": part, "more_body": not is_last})
        except TimeoutError:
            raise ClewError("The client reads too slowly.", code=Code.TIMEOUT) from None


def _takes_gzip(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a client takes gzip (RFC 9110, section 12.5.3)."""
    for item in headers.get(b"accept-encoding", b"").lower().split(b","):
        coding, _, parameters = item.partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip"):
            weight = parameters.replace(b" ", b"")
            return not (weight.startswith(b"q=0") and not weight[3:].strip(b".0"))
    return False


def _refused(error: Exception, request_id: str) -> tuple[Outcome, int, Headers]:
    if isinstance(error, InvalidDocument):
        outcome = refused_document(error.errors, request_id, error.code)
        return outcome, status_of(outcome, RESPONSE), ()
    outcome, status, headers = refused(error, request_id)
    if not isinstance(error, HTTPError):
        status = status_of(outcome, RESPONSE)
    return outcome, status, headers


def _cause(error: Exception) -> str:
    """Say why an export failed, for the log: the database's messages may hold values, so only their kind."""
    kind = type(error.__cause__ or error).__name__
    return f"{error.message} ({kind})" if isinstance(error, ClewError) else kind
