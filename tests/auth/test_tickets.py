"""Whom tickets stand for, where, until when, and who can read them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from clew.auth.tickets import InvalidTicketError, Tickets
from clew.errors import ClewError, Code
from clew.viewer import Viewer
from tests.auth.tokens import NOW, SECRET

EDITOR = Viewer(
    "member 42", frozenset({"anon", "user", "editor"}), {"sub": "member 42", "company": {"id": 7}, "exp": NOW + 3600}
)


def tickets(clock: float = NOW, secret: str = SECRET) -> Tickets:
    return Tickets(secret, lambda: clock)


def refused(office: Tickets, text: str, path: str = "/graphql") -> None:
    with pytest.raises(InvalidTicketError):
        office.viewer(text, path)


def test_a_ticket_stands_for_its_viewer_for_a_minute() -> None:
    ticket = tickets().issue(EDITOR, "/graphql")
    assert ticket.expires_in == 60
    # Another process with the same secret.
    assert tickets(NOW + 59.9).viewer(ticket.text, "/graphql") == EDITOR
    refused(tickets(NOW + 60), ticket.text)


@pytest.mark.parametrize("viewer", [Viewer(roles=frozenset({"anon"})), Viewer.admin()])
def test_anonymous_viewers_and_admins_have_tickets_too(viewer: Viewer) -> None:
    assert tickets().viewer(tickets().issue(viewer, "/graphql").text, "/graphql") == viewer


@pytest.mark.parametrize("path", ["/graphq", "/graphql/", "/GRAPHQL", "/", "", "/export.csv", "/graphql?x=1"])
def test_a_ticket_is_for_its_path_alone(path: str) -> None:
    refused(tickets(), tickets().issue(EDITOR, "/graphql").text, path)


def test_a_ticket_ends_with_the_token() -> None:
    ticket = tickets().issue(Viewer("42", EDITOR.roles, {"exp": NOW + 10.9}), "/graphql")
    assert ticket.expires_in == 10
    assert tickets(NOW + 10.5).viewer(ticket.text, "/graphql").id == "42"
    refused(tickets(NOW + 10.9), ticket.text)


@pytest.mark.parametrize("ending", [10**400, float("nan"), True, "soon", None])
def test_an_odd_end_of_a_token_is_no_end(ending: Any) -> None:
    assert tickets().issue(Viewer("42", EDITOR.roles, {"exp": ending}), "/graphql").expires_in == 60


def test_nobody_can_read_a_ticket_and_no_two_are_alike() -> None:
    one, other = (tickets().issue(EDITOR, "/graphql").text for _ in range(2))
    assert one != other
    readable = b"".join(base64.urlsafe_b64decode(part + "==") for part in one.split("."))
    assert not any(word in readable for word in (b"editor", b"company", b"graphql", b"member 42"))
    assert json.loads(base64.urlsafe_b64decode(one.split(".")[0] + "==")) == {"alg": "dir", "enc": "A256GCM"}


def test_a_ticket_that_is_changed_anywhere_is_refused() -> None:
    text = tickets().issue(EDITOR, "/graphql").text
    for index in range(len(text)):
        # Not the last character of a part: its lowest bits say nothing in base64.
        if text[index + 1 : index + 2] not in (".", "") and text[index] != ".":
            refused(tickets(), text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :])
    refused(tickets(secret=SECRET[::-1]), text)
    refused(tickets(), text[:-4])
    refused(tickets(), text + "A" * 8000)


@given(st.one_of(st.text(), st.from_regex(r"[\w-]{0,9}(\.[\w-]{0,9}){3,6}")))
def test_garbage_is_refused(text: str) -> None:
    refused(tickets(), text)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "dir", "enc": "A128CBC-HS256"},
        {"alg": "A256KW", "enc": "A256GCM"},
        {"alg": "none", "enc": "A256GCM"},
        {"enc": "A256GCM"},
        {"alg": "dir"},
        {"alg": ["dir"], "enc": {}},
        {"alg": "dir", "enc": "A256GCM", "crit": ["x"], "x": 1},
        [],
    ],
)
def test_other_headers_are_refused(header: Any) -> None:
    text = tickets().issue(EDITOR, "/graphql").text
    changed = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    refused(tickets(), ".".join([changed, *text.split(".")[1:]]))


def test_the_secret_itself_is_not_the_key() -> None:
    content = json.dumps({"path": "/graphql", "exp": NOW + 60, "id": "1", "roles": ["admin"], "claims": {}})
    key = OctKey.import_key(SECRET)
    refused(tickets(), jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, key))


def test_claims_that_are_too_large_for_a_url_are_refused() -> None:
    with pytest.raises(ClewError) as error:
        tickets().issue(Viewer("42", EDITOR.roles, {"x": "y" * 5000}), "/graphql")
    assert error.value.code is Code.LIMIT_EXCEEDED


def test_without_a_secret_there_are_none() -> None:
    with pytest.raises(ClewError) as error:
        Tickets(None).issue(EDITOR, "/graphql")
    assert error.value.code is Code.UNAVAILABLE
    refused(Tickets(None), tickets().issue(EDITOR, "/graphql").text)
