"""Connecting what is connected, twice, or after a disconnect: docs/writes.md."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

ANN = Viewer("ann", frozenset({"user"}))
POSTS = """
type Post @table @allow(role: user, to: ALL, fields: [id, name, tags, notes, marks, labels]) {
  id: Int! @id
  name: String
  tags: [Tag!]! @relation(through: "PostTag")
  notes: [Note!]!
  labels: [Label!]! @relation(through: "Labelling")
  marks: [Mark!]! @relation(through: "Marking")
}
type Tag @table @allow(role: user, to: ALL, fields: [id, posts]) {
  id: Int! @id
  posts: [Post!]! @relation(through: "PostTag")
}
type Note @table @allow(role: user, to: ALL, fields: [id, post]) { id: Int! @id post: Post }
type Label @table @allow(role: user, to: ALL, fields: [id]) { id: Int! @id }
type Mark @table @allow(role: user, to: ALL, fields: [id]) { id: Int! @id }
type Labelling @table @allow(role: user, to: ALL) { post: Post! @id label: Label! @id }
type Marking @table @unique(fields: [post, mark]) @allow(role: user, to: ALL) {
  id: Int! @id
  post: Post!
  mark: Mark!
  %s
}
"""
ROWS = """INSERT INTO posts (id) VALUES (1), (2);
  INSERT INTO %s (id) VALUES (1), (2), (3);
"""
SETS = (
    "connect: [{id: 1}]",
    "connect: [{id: 1}, {id: 1}]",
    "connect: [{id: 2}, {id: 2}]",
    "disconnect: [{id: 1}], connect: [{id: 1}]",
    "disconnect: [{id: 1}], connect: [{id: 1}, {id: 2}, {id: 1}]",
)


@pytest.mark.parametrize("soft", ["", "deletedAt: DateTime @softDelete"])
@pytest.mark.parametrize("given", SETS)
@pytest.mark.parametrize("field", ["tags", "notes", "labels", "marks"])
async def test_to_connect_again_is_to_connect(field: str, given: str, soft: str, prepared_url: str) -> None:
    wanted = [{"id": 1}, {"id": 2}] if "id: 2" in given else [{"id": 1}]
    async with api_of(prepared_url, POSTS % soft, ROWS % field) as api:
        first = f"mutation {{ updatePost(id: 1, set: {{{field}: {{connect: [{{id: 1}}]}}}}) {{ id }} }}"
        await api.ok(first, viewer=ANN)
        read = f"{field} {{ id }}"
        for document in (
            "mutation { updatePost(id: 1, set: {%s: {%s}}) { %s } }",
            "mutation { updateManyPosts(updates: [{id: 1, set: {%s: {%s}}}]) { rows { %s } } }",
        ):
            for _ in range(2):
                found = await api.ok(document % (field, given, read), viewer=ANN)
                (row,) = found.get("updateManyPosts", {"rows": found.values()})["rows"]
                assert row == {field: wanted}


@pytest.mark.parametrize("field", ["tags", "notes", "labels", "marks"])
async def test_new_rows_and_upserts_connect_again(field: str, prepared_url: str) -> None:
    async with api_of(prepared_url, POSTS % "", ROWS % field) as api:
        twice = f"{field}: {{connect: [{{id: 1}}, {{id: 1}}]}}"
        for document in (
            f"createPost(input: {{id: 3, {twice}}}) {{ {field} {{ id }} }}",
            f"createPosts(inputs: [{{id: 4, {twice}}}, {{id: 5, {twice}}}]) {{ count }}",
            f"upsertPost(on: id, input: {{id: 3, {twice}}}) {{ {field} {{ id }} }}",
            f"upsertPost(on: id, input: {{id: 3, {twice}}}) {{ {field} {{ id }} }}",
            f"upsertPosts(on: id, inputs: [{{id: 3, {twice}}}, {{id: 7, {twice}}}]) {{ count }}",
        ):
            await api.ok(f"mutation {{ {document} }}", viewer=ANN)


async def test_a_link_is_made_from_both_its_ends(prepared_url: str) -> None:
    async with api_of(prepared_url, POSTS % "", ROWS % "tags") as api:
        document = "mutation { updatePost(id: 1, set: {tags: {%s: [%s]}}) { tags { posts { id } } } }"
        back = "{id: 1, set: {posts: {connect: [{id: 1}, {id: 2}]}}}"
        await api.ok(document % ("connect", "{id: 1}"), viewer=ANN)
        found = await api.ok(document % ("update", back), viewer=ANN)
        assert found == {"updatePost": {"tags": [{"posts": [{"id": 1}, {"id": 2}]}]}}
