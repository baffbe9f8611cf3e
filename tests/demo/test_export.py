"""The usage report of the demo as a file."""

from __future__ import annotations

import json

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_leaf_type

from app.main import clew
from clew.model.types import FieldKind
from clew.testing import Client, Factory, Row

USAGE = "query Usage { agentUsages(orderBy: [{day: DESC}]) { runs cost agent { name } } }"


@pytest.fixture
def run(make: Factory) -> Row:
    """A run of some agent."""
    return make("Run", cost="0.25")


def test_editors_export_the_usage_of_their_teams_and_nobody_else_does(
    client: Client, make: Factory, ada: Row, run: Row
) -> None:
    (agent,) = client.as_("admin").graphql("{ agents { id name teamId } }").raise_for_errors()["agents"]
    query = {"params": {"query": USAGE}}
    as_ada = client.as_("user", {"sub": ada["id"]})
    assert as_ada.request("GET", "/export.csv", **query).text == "runs,cost,agent.name\n"
    make("Membership", teamId=agent["teamId"], user=ada, role="EDITOR")
    found = as_ada.request("GET", "/export.csv", **query)
    assert found.text == f"runs,cost,agent.name\n1,0.250000,{agent['name']}\n"
    assert found.headers["content-disposition"] == 'attachment; filename="Usage.csv"'
    assert as_ada.request("GET", "/export.csv", params={"query": "{ runs { id } }"}).status_code == 403
    assert client.as_("anon").request("GET", "/export.csv", **query).status_code == 400


def test_an_admin_exports_every_list_as_it_is(client: Client, make: Factory, ada: Row, run: Row) -> None:
    make("Message", content='"quoted", and\nbroken')
    admin = client.as_("admin")
    model, schema = clew.build()
    for name, root in model.root_fields.items():
        if root.unique is None and root.kind is FieldKind.LIST:
            type_ = schema.type_map[root.entity.name]
            assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
            own = {resolver.name for resolver in root.entity.resolvers}
            fields = [
                key
                for key, field in type_.fields.items()
                if is_leaf_type(get_named_type(field.type)) and key not in own and not field.args
            ]
            document = f"{{ {name} {{ {' '.join(fields)} }} }}"
            rows = admin.graphql(document).raise_for_errors()[name]
            found = admin.request("GET", "/export.ndjson", params={"query": document})
            assert [json.loads(line) for line in found.text.splitlines()] == rows, name
