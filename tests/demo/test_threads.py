"""Threads of the demo: their owners, their messages, and pins."""

from __future__ import annotations

import pytest

from clew.testing import Client, Factory, Row

PIN = "mutation ($id: ID!) { pinThread(threadId: $id) { pinned } }"


@pytest.fixture
def as_ada(client: Client, ada: Row) -> Client:
    """The person's client."""
    return client.as_("user", {"sub": ada["id"]})


def test_a_viewer_reads_only_threads_of_their_own(as_ada: Client, ada: Row, make: Factory) -> None:
    hers = make("Thread", owner=ada, title="Hers")
    make("Message", thread=hers, content="Two days, no car.")
    make("Message")
    data = as_ada.graphql("{ threads { title slug messages { wordCount } } }").raise_for_errors()
    assert data == {"threads": [{"title": "Hers", "slug": "hers", "messages": [{"wordCount": 4}]}]}


def test_a_new_thread_belongs_to_its_viewer_and_needs_a_live_agent(as_ada: Client, ada: Row, make: Factory) -> None:
    create = """mutation ($agent: ID!) {
      createThread(input: {agentId: $agent, title: "Porto"}) { owner { displayName } }
    }"""
    live, draft = make("Agent", status="LIVE"), make("Agent")
    make("Membership", teamId=draft["teamId"], user=ada, role="EDITOR")
    made = as_ada.graphql(create, {"agent": live["id"]}).raise_for_errors()
    assert made == {"createThread": {"owner": {"displayName": "Ada Byron"}}}
    assert as_ada.graphql(create, {"agent": draft["id"]}).codes == ["FORBIDDEN"]


def test_a_title_has_a_length(as_ada: Client, make: Factory, ada: Row) -> None:
    thread = make("Thread", owner=ada)
    rename = 'mutation ($id: ID!) { updateThread(id: $id, set: {title: ""}) { id } }'
    (error,) = as_ada.graphql(rename, {"id": thread["id"]}).errors
    assert (error["extensions"]["code"], error["message"]) == (
        "CONSTRAINT_VIOLATION",
        "A title has 1 to 200 characters.",
    )


def test_a_person_pins_at_most_five_threads(as_ada: Client, ada: Row, make: Factory) -> None:
    threads = [make("Thread", owner=ada) for _ in range(6)]
    for thread in threads[:5]:
        assert as_ada.graphql(PIN, {"id": thread["id"]}).raise_for_errors() == {"pinThread": {"pinned": True}}
    assert as_ada.graphql(PIN, {"id": threads[5]["id"]}).codes == ["CONFLICT"]
    pinned = as_ada.graphql("{ threads(where: {pinned: {eq: true}}) { id } }").data["threads"]
    assert len(pinned) == 5, "the sixth is rolled back"


def test_a_thread_of_somebody_else_cannot_be_pinned(as_ada: Client, make: Factory) -> None:
    assert as_ada.graphql(PIN, {"id": make("Thread")["id"]}).codes == ["NOT_FOUND"]


def test_a_deleted_thread_comes_back_with_its_messages(as_ada: Client, ada: Row, client: Client, make: Factory) -> None:
    message = make("Message", thread=make("Thread", owner=ada))
    deletion = "mutation ($id: ID!) { deleteThread(id: $id) { id } }"
    as_ada.graphql(deletion, {"id": message["threadId"]}).raise_for_errors()
    assert as_ada.graphql("{ threads { id } }").data == {"threads": []}
    restoration = "mutation ($id: ID!) { restoreThread(id: $id) { messages { id } } }"
    restored = client.as_("admin").graphql(restoration, {"id": message["threadId"]}).raise_for_errors()
    assert restored == {"restoreThread": {"messages": [{"id": message["id"]}]}}
