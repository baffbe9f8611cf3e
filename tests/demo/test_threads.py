"""Threads of the demo: their owners, their messages, and pins."""

from __future__ import annotations

from clew.testing import Client, Factory


def test_a_viewer_reads_only_threads_of_their_own(client: Client, make: Factory) -> None:
    ada, ben = make("User"), make("User")
    make("Thread", owner=ada, title="Hers")
    make("Thread", owner=ben, title="His")
    data = client.as_("user", {"sub": ada["id"]}).graphql("{ threads { title } }").raise_for_errors()
    assert data == {"threads": [{"title": "Hers"}]}
