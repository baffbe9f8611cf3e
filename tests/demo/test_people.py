"""People, teams and agents of the demo, as visitors, members and editors see them."""

from __future__ import annotations

from clew.testing import Client, Factory

AGENTS = "{ agents { slug } }"


def test_a_visitor_sees_live_agents_and_no_person(client: Client, make: Factory) -> None:
    make("Agent", slug="live", status="LIVE")
    make("Agent", slug="draft")
    assert client.graphql(AGENTS).raise_for_errors() == {"agents": [{"slug": "live"}]}
    assert client.graphql("{ users { id } }").codes == ["GRAPHQL_VALIDATION_FAILED"]


def test_an_editor_of_a_team_sees_its_drafts_and_a_viewer_does_not(client: Client, make: Factory) -> None:
    agent = make("Agent", slug="draft")
    editor = make("Membership", teamId=agent["teamId"], role="EDITOR")
    viewer = make("Membership", teamId=agent["teamId"])
    assert client.as_("user", {"sub": editor["userId"]}).graphql(AGENTS).data == {"agents": [{"slug": "draft"}]}
    assert client.as_("user", {"sub": viewer["userId"]}).graphql(AGENTS).data == {"agents": []}


def test_a_colleague_sees_the_name_and_not_the_address(client: Client, make: Factory) -> None:
    team, ada, ben = make("Team"), make("User"), make("User", email="ben@example.com")
    make("Membership", team=team, user=ada)
    make("Membership", team=team, user=ben)
    people = "query ($id: ID!) { user(id: $id) { givenName email avatarUrl } }"
    as_ben, as_ada = (client.as_("user", {"sub": person["id"]}) for person in (ben, ada))
    assert as_ada.graphql(people, {"id": ben["id"]}).data["user"] == {
        "givenName": ben["givenName"],
        "email": None,
        "avatarUrl": None,
    }
    own = as_ben.graphql(people, {"id": ben["id"]}).raise_for_errors()["user"]
    assert own["email"] == "ben@example.com"
    assert own["avatarUrl"].startswith("https://")


def test_the_busiest_agents_are_live_ones(client: Client, make: Factory) -> None:
    busy, calm = make("Agent", status="LIVE", slug="busy"), make("Agent", status="LIVE", slug="calm")
    for agent in (busy, busy, calm, make("Agent")):
        make("Run", agent=agent)
    data = client.graphql("{ busiestAgents { slug } }").raise_for_errors()
    assert data == {"busiestAgents": [{"slug": "busy"}, {"slug": "calm"}]}
    (error,) = client.graphql("{ busiestAgents(limit: 51) { slug } }").errors
    assert error["message"] == "The limit is between 1 and 50 agents."


def test_prices_are_exact(client: Client) -> None:
    prices = client.graphql("{ modelPrices { model completion } }").raise_for_errors()["modelPrices"]
    assert prices == sorted(prices, key=lambda price: float(price["completion"]))
    assert client.graphql('{ modelPricing(model: "none") { model } }').data == {"modelPricing": None}
