"""The demo's job: an agent answers in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from app import replies
from clew import ClewError
from clew.testing import Client, Factory, Row

REPLY = 'mutation ($id: ID!) { reply(threadId: $id, prompt: "How much?") { id status } }'
THREAD = """
query ($id: ID!) {
  thread(id: $id) { messages(orderBy: [{position: ASC}]) { position author content } runs { cost model } }
}
"""


@pytest.fixture
def thread(make: Factory) -> Row:
    """A thread with one message."""
    made = make("Thread", agent=make("Agent", model="heron-large"))
    make("Message", thread=made, position=4, author="USER", content="Hello")
    return made


def owner(client: Client, thread: Row) -> Client:
    return client.as_("user", {"sub": thread["ownerId"]})


def test_an_answer_and_its_bill_are_written_once(
    client: Client, thread: Row, run_jobs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    async def complete(turns: list[dict[str, str]]) -> AsyncIterator[str]:
        asked.append([turn["content"] for turn in turns[1:]])
        if len(asked) == 1:
            yield "It is "
            raise ClewError("The model stopped.")
        for token in ("It ", "is ", "free."):
            yield token

    monkeypatch.setattr(replies, "complete", complete)
    me = owner(client, thread)
    assert me.graphql(REPLY, {"id": thread["id"]}).raise_for_errors()["reply"]["status"] == "QUEUED"
    run_jobs()
    # The second run finds the message that the first one wrote.
    assert asked == [["Hello", "How much?"]] * 2
    found = me.graphql(THREAD, {"id": thread["id"]}).raise_for_errors()["thread"]
    assert found["messages"] == [
        {"position": 4, "author": "USER", "content": "Hello"},
        {"position": 5, "author": "USER", "content": "How much?"},
        {"position": 6, "author": "ASSISTANT", "content": "It is free."},
    ]
    assert [run["model"] for run in found["runs"]] == ["heron-large"]
    (job,) = me.graphql("{ replyJobs { attempt status result { content } } }").raise_for_errors()["replyJobs"]
    assert job == {"attempt": 2, "status": "SUCCEEDED", "result": {"content": "It is free."}}


def test_nobody_lets_an_agent_answer_in_the_thread_of_somebody_else(client: Client, make: Factory, thread: Row) -> None:
    other = client.as_("user", {"sub": make("User")["id"]})
    assert other.graphql(REPLY, {"id": thread["id"]}).codes == ["NOT_FOUND"]
    assert client.graphql(REPLY, {"id": thread["id"]}).codes == ["GRAPHQL_VALIDATION_FAILED"]
