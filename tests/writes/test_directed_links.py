"""A many-to-many of a type with itself that has a direction: docs/directives.md."""

from __future__ import annotations

from typing import Any

import pytest

from clew import Viewer
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

MEMBER = """
type Member @table %s {
  id: Int! @id
  name: String!
  open: Boolean! @default(value: true)
  following: [Member!]! @relation(through: "Follow", from: "source") %s
  followers: [Member!]! @relation(through: "Follow", from: "target") %s
}
"""
DECLARED = """
type Follow @table @unique(fields: [source, target]) %s {
  id: Int! @id
  target: Member! @relation(onDelete: CASCADE)
  source: Member! @relation(onDelete: CASCADE)
  since: Int
}
"""
# Of a generated link the ends have the names that `from` gives them.
LINKS = {"declared": DECLARED, "generated": ""}
# 1 follows 2 and 3, 3 follows 1, and 4 follows itself.
ROWS = """INSERT INTO members (id, name) SELECT n, chr(96 + n) FROM generate_series(1, 5) AS n;
  SELECT setval('members_id_seq', 5);
  INSERT INTO follows (source_id, target_id) VALUES (1, 2), (1, 3), (3, 1), (4, 4);
"""
USER = Viewer("1", frozenset({"user"}))


def sdl(link: str, member: str = "", following: str = "", followers: str = "", rules: str = "") -> str:
    """The schema with rules of members, of their two lists, and of a declared link."""
    return MEMBER % (member, following, followers) + (LINKS[link] and LINKS[link] % rules)


def names(rows: list[dict[str, Any]]) -> str:
    return "".join(row["name"] for row in rows)


async def ends(api: Api, id_: int, viewer: Viewer | None = None) -> tuple[str, str]:
    """Whom a member follows, and who follows it."""
    document = "query($id: Int!) { member(id: $id) { following { name } followers { name } } }"
    options = {} if viewer is None else {"viewer": viewer}
    row = (await api.ok(document, {"id": id_}, **options))["member"]
    return names(row["following"]), names(row["followers"])


@pytest.mark.parametrize("link", LINKS)
async def test_each_direction_is_read_by_itself(link: str, prepared_url: str) -> None:
    async with api_of(prepared_url, sdl(link), ROWS) as api:
        assert [await ends(api, id_) for id_ in range(1, 6)] == [
            ("bc", "c"),
            ("", "a"),
            ("a", "a"),
            ("d", "d"),
            ("", ""),
        ]
        document = """{ members {
          following { following { name } followers { name } }
          followersAggregate { count }
          followingConnection(first: 1) { totalCount nodes { name } }
        } }"""
        first = (await api.ok(document))["members"][0]
        assert [(names(row["following"]), names(row["followers"])) for row in first["following"]] == [
            ("", "a"),
            ("a", "a"),
        ]
        assert first["followersAggregate"] == {"count": 1}
        assert first["followingConnection"] == {"totalCount": 2, "nodes": [{"name": "b"}]}
        for where, expected in (
            ('following: {some: {name: {eq: "a"}}}', "c"),
            ('followers: {some: {name: {eq: "a"}}}', "bc"),
            ("following: {none: {}}", "be"),
            ("followers: {none: {}}", "e"),
            ('followers: {every: {name: {eq: "a"}}}', "bce"),
            ("followingAggregate: {count: {gt: 1}}", "a"),
            ("followersAggregate: {count: {gt: 1}}", ""),
            ('following: {some: {followers: {some: {name: {eq: "c"}}}}}', "c"),
        ):
            assert names((await api.ok(f"{{ members(where: {{{where}}}) {{ name }} }}"))["members"]) == expected
        orders = {"following": "abcde", "followers": "eabcd"}
        orders["following"] = "beacd"
        for field, expected in {"following": "be", "followers": "e"}.items():
            document = (
                f"{{ members(orderBy: [{{{field}Aggregate: {{count: ASC}}}}], limit: {len(expected)}) {{ name }} }}"
            )
            assert names((await api.ok(document))["members"]) == expected


@pytest.mark.parametrize("link", LINKS)
async def test_each_direction_is_written_by_itself(link: str, prepared_url: str) -> None:
    field = "updateMember(id: %d, set: {%s: {%s}}) { id }"
    async with api_of(prepared_url, sdl(link), ROWS) as api:
        for id_, name, given, wanted in (
            (2, "following", "connect: [{id: 5}]", {2: ("e", "a"), 5: ("", "b")}),
            (2, "following", "connect: [{id: 5}]", {2: ("e", "a"), 5: ("", "b")}),
            (2, "followers", "connect: [{id: 5}]", {2: ("e", "ae"), 5: ("b", "b")}),
            (2, "following", "disconnect: [{id: 5}]", {2: ("", "ae"), 5: ("b", "")}),
            (2, "followers", "disconnect: [{id: 5}]", {2: ("", "a"), 5: ("", "")}),
            (5, "following", "connect: [{id: 5}]", {5: ("e", "e")}),
            (5, "followers", "disconnect: [{id: 5}]", {5: ("", "")}),
            (5, "following", 'create: [{name: "f"}]', {5: ("f", "")}),
            (5, "followers", 'create: [{name: "g", followers: {connect: [{id: 2}]}}]', {5: ("f", "g"), 2: ("g", "a")}),
            (1, "following", 'update: [{id: 3, set: {name: "x"}}]', {1: ("bx", "x")}),
            (1, "followers", "delete: [{id: 3}]", {1: ("b", "")}),
        ):
            await api.ok(f"mutation {{ {field % (id_, name, given)} }}")
            assert {id_: await ends(api, id_) for id_ in wanted} == wanted, given
        # Who only follows one is not followed by it.
        for name, way, given in (
            ("followers", "update", '{id: 2, set: {name: "y"}}'),
            ("followers", "disconnect", "{id: 2}"),
            ("followers", "delete", "{id: 2}"),
        ):
            error = await api.fails(f"mutation {{ {field % (1, name, f'{way}: [{given}]')} }}")
            assert error["message"] == f"`set.{name}.{way}.0` does not belong to `{name}`."
        both = 'following: {connect: [{id: 1}]}, followers: {create: [{name: "z"}]}'
        document = (
            f'mutation {{ createMember(input: {{name: "w", {both}}}) {{ following {{ id }} followers {{ name }} }} }}'
        )
        assert await api.ok(document) == {"createMember": {"following": [{"id": 1}], "followers": [{"name": "z"}]}}


async def test_the_link_between_is_a_row_of_its_own(prepared_url: str) -> None:
    async with api_of(prepared_url, sdl("generated"), ROWS) as api:
        document = "{ follows(where: {source: {id: {eq: 1}}}) { sourceId targetId target { followers { id } } } }"
        assert await api.ok(document) == {
            "follows": [
                {"sourceId": 1, "targetId": 2, "target": {"followers": [{"id": 1}]}},
                {"sourceId": 1, "targetId": 3, "target": {"followers": [{"id": 1}]}},
            ]
        }
