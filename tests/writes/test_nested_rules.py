"""What rules say of rows that are written below other ones."""

from __future__ import annotations

import pytest
from graphql import GraphQLInputObjectType

from clew import Viewer
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

BOXES = """
type Box @table
  @allow(role: user, fields: [id, name, items, slips])
  @allow(role: user, to: [CREATE, UPDATE], fields: [id, name])
  @allow(role: packer, to: [CREATE, UPDATE], fields: [traces, labels]) {
  id: Int! @id
  name: String
  items: [Item!]!
  slips: [Slip!]!
  secrets: [Secret!]! @allow(role: boss)
  traces: [Trace!]!
  labels: [Label!]! @relation(through: "BoxLabel")
}

type Item @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

"A slip stays where it is."
type Slip @table
  @allow(role: user, to: [READ, CREATE], fields: [id, text, box])
  @allow(role: user, to: UPDATE, fields: [text]) {
  id: Int! @id
  text: String
  box: Box!
}

type Secret @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

type Trace @table @allow(role: user, to: ALL) { id: Int! @id text: String box: Box }

type Label @table @allow(role: user, to: ALL) { id: Int! @id text: String }
"""
ALL = ["create", "connect", "disconnect", "update", "delete"]


async def ways(api: Api, *roles: str) -> dict[str, list[str]]:
    """What the inputs of a box take for its to-manys."""
    types = (await api.engine.role(Viewer("ann", frozenset({"user", *roles})))).schema.type_map
    found = {}
    for name in ("BoxCreateInput", "BoxSetInput"):
        type_ = types[name]
        assert isinstance(type_, GraphQLInputObjectType)
        for field, given in type_.fields.items():
            if isinstance(given.type, GraphQLInputObjectType):
                found[f"{name[3:6].lower()} {field}"] = list(given.type.fields)
    return found


async def test_inputs_have_what_the_roles_could_ever_write(database_url: str) -> None:
    async with api_of(database_url, BOXES) as api:
        # Secrets and traces are closed, though they may be written by themselves; slips stay in their box.
        user = {
            "cre items": ["create", "connect"],
            "cre slips": ["create"],
            "set items": ALL,
            "set slips": ["create", "update"],
        }
        assert await ways(api, "user") == user
        # What is only written is not read: nobody learns which rows are there.
        both = ["create", "connect"]
        written = {"cre traces": both, "cre labels": both, "set traces": both, "set labels": both}
        assert await ways(api, "packer") == user | written
        secrets = {"cre secrets": both, "set secrets": ALL}
        assert await ways(api, "boss") == user | secrets
