"""`GET /jobs/{id}/output`: the output of a job as server-sent events (docs/job-output.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator
from clew.engine.flights import Flight
from clew.engine.outcome import new_request_id
from clew.engine.types import Request
from clew.errors import ClewError
from clew.jobs.output.follow import Follower, IsVisible
from clew.jobs.output.source import JobOutputs
from clew.jobs.output.types import OutputEvent
from clew.viewer import Viewer
from clew.wire.body import HTTPError
from clew.wire.disconnect import ClientGone, UntilDisconnect
from clew.wire.parameters import in_query_string
from clew.wire.respond import Headers, given_request_id, refused, retry_headers, send_answer
from clew.wire.sse import Form, Streams, last_event_id

PATH = "/jobs/{id}/output"

# Whether a viewer may see a job. With the address of the client, the question counts as an operation.
Visible = Callable[[Viewer, str, str | None], Awaitable[bool]]

_LONGEST_QUERY = 4096


class JobOutput:
    """An ASGI app that sends `chunk`, `reset` and `final`.

    A response that ends without `final` is not the end: the client connects again, and goes on where it was or gets the
    status of what has become of the job.

    Args:
        outputs: follows jobs.
        visible: tells who may follow which job.
        streams: counts the responses.
        authenticator: finds the sender of a request.
    """

    def __init__(self, outputs: JobOutputs, visible: Visible, streams: Streams, authenticator: Authenticator) -> None:
        self._outputs = outputs
        self._visible = visible
        self._streams = streams
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = given_request_id(headers)
        echoed: Headers = () if request_id is None else ((b"x-request-id", request_id.encode()),)
        try:
            if scope["method"] != "GET":
                raise HTTPError(405, ClewError("Use GET."), ((b"allow", b"GET"),))
            viewer = await self._authenticator.viewer(scope, headers)
            job: str = scope["path_params"]["id"]
            client: str = (scope.get("client") or ("",))[0]
            # EventSource sends the header when it connects again by itself, and then it is the newer one.
            after = last_event_id(headers) or _after(scope["query_string"])
            follower = self._outputs.follow(job, after, self._asking(viewer, job, client))
            # The channel reports a disconnect only after the body was read.
            await receive()
            request = Request("", {}, id=request_id, client=client)
            with UntilDisconnect(receive):
                await self._send(follower, request, viewer, send, echoed)
        except ClientGone:
            return
        except Exception as error:
            outcome, status, more = refused(error, request_id or new_request_id())
            extra = (*echoed, (b"cache-control", b"no-store"), *more, *retry_headers(status, outcome))
            await send_answer(send, status, b"application/json; charset=utf-8", outcome.body, extra)

    async def _send(self, follower: Follower, request: Request, viewer: Viewer, send: Send, extra: Headers) -> None:
        """Send the events.

        Raises:
            HTTPError, ClewError: before the response has begun.
        """
        try:
            async with self._streams.place(request, viewer, send, _form(follower)) as place:
                if await follower.open():
                    await place.run(_taken(follower), Flight(), extra)
                else:
                    # EventSource connects no more.
                    await send({"type": "http.response.start", "status": 204, "headers": list(extra)})
                    await send({"type": "http.response.body", "body": b""})
        finally:
            await follower.aclose()

    def _asking(self, viewer: Viewer, job: str, client: str) -> IsVisible:
        """Return what asks whether the viewer may see the job. Only the first time counts as an operation."""
        counted: str | None = client

        async def ask() -> bool:
            nonlocal counted
            counts, counted = counted, None
            return await self._visible(viewer, job, counts)

        return ask


def _after(query_string: bytes) -> str | None:
    """Return the cursor in the URL.

    Raises:
        ClewError: BAD_USER_INPUT if it is too long, unreadable or given twice.
    """
    if len(query_string) > _LONGEST_QUERY:
        raise ClewError("The query string is too long.")
    return in_query_string(query_string, ("after",)).get("after")


async def _taken(follower: Follower) -> AsyncIterator[Sequence[OutputEvent]]:
    while events := await follower.take():
        yield events


def _form(follower: Follower) -> Form:
    # Whatever ends the stream, the client learns it when it connects again.
    return Form(follower.joined, b"", lambda error, request_id: b"")
