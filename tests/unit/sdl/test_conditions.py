"""The filter objects of rules: every name in them is looked up, every constant held against its column."""

from __future__ import annotations

import pytest

from tests.unit.sdl.marked import faults, marked

SCHEMA = """
type Post @table @allow(role: user, to: ALL, where: %s) @is(name: mine, where: {author: {is: me}}) {
  id: ID! @id
  title: String
  likes: Int!
  pinned: Boolean @renamed(from: "titles")
  labels: [String!]!
  meta: JSON
  status: Status!
  createdAt: DateTime! @createdAt
  author: User!
  comments: [Comment!]!
  url: String @resolver
}
enum Status { DRAFT PUBLISHED }
type Comment @table { id: ID! @id likes: Int! post: Post! }
type User @table @is(name: me, where: {id: "$auth.sub"}) { id: ID! @id name: String boss: User posts: [Post!]! }
"""

REFUSED: list[tuple[str, str, str | None]] = [
    ("{«titel»: 1}", '"Post" has no field "titel"', 'did you mean "title"?'),
    ("{«titles»: true}", '"Post" has no field "titles"', 'it is called "pinned" now'),
    ("{«url»: 1}", '"Post.url" is resolved in Python: no condition can use it', None),
    ("{title: {«likee»: 1}}", '"title" is String, which has no operator "likee"', 'did you mean "like"?'),
    ("{title: {like: «1»}}", '"title" is compared with a string, not with 1', None),
    ("{title: {isNull: «1»}}", '"title" is compared with true or false, not with 1', None),
    ("{title: «null»}", '"title" cannot be compared with null', "write title: {isNull: true}"),
    ("{likes: {in: [1, «true»]}}", '"likes" is compared with an integer of 32 bits, not with true', None),
    ("{likes: «[1, 2]»}", '"likes" is compared with one value, not with a list', "write likes: {in: [1, 2]}"),
    # `in` is no operator of these types.
    ("{pinned: «[true, false]»}", '"pinned" is compared with one value, not with a list', None),
    ("{meta: «[1, 2]»}", '"meta" is compared with one value, not with a list', "write meta: {eq: [1, 2]}"),
    ("{pinned: {«in»: [true]}}", '"pinned" is Boolean, which has no operator "in"', "it takes eq, neq, isNull"),
    ("{labels: {has: «1»}}", '"labels" is compared with a string, not with 1', None),
    ("{status: «DRAF»}", '"status" is compared with one of DRAFT, PUBLISHED, not with DRAF', 'did you mean "DRAFT"?'),
    ('{likes: «"$now"»}', '"likes" is Int: it cannot be compared with "$now"', None),
    ('{id: «"$aut"»}', 'unknown variable "$aut"', 'did you mean "$auth"?'),
    ('{id: «"$auth"»}', '"$auth" is incomplete', 'write "$auth.sub"'),
    ('{id: «"$row.idd"»}', '"$row.idd": "Post" has no column "idd"', 'did you mean "id"?'),
    ('{id: «"$row.author"»}', '"$row.author": "Post" has no column "author"', "use its key: authorId"),
    ('{id: «"$row.comments.id"»}', '"$row.comments.id": "Post" has no to-one relation "comments"', None),
    ('{labels: ["a", «"$auth.label"»]}', '"$auth.label" cannot be used within this list', None),
    ('{labels: {eq: ["a", «"$auth.label"»]}}', '"$auth.label" cannot be used within this list', None),
    (
        '{commentsAggregate: {max: {likes: {in: [1, «"$auth.likes"»]}}}}',
        '"$auth.likes" cannot be used within this list',
        None,
    ),
    ('{author: «"$auth.sub"»}', '"Post.author" is a relation: it takes an object', "use its key: authorId"),
    (
        "{author: {posts: {«som»: {}}}}",
        '"posts" is a to-many relation: it takes some, none or every, not "som"',
        'did you mean "some"?',
    ),
    ("{comments: {some: {«lik»: 1}}}", '"Comment" has no field "lik"', 'did you mean "likes"?'),
    ("{commentsAggregate: {«cout»: {gt: 1}}}", 'unknown aggregate "cout"', 'did you mean "count"?'),
    (
        "{commentsAggregate: {«x»: {gt: 1}}}",
        'unknown aggregate "x"',
        "it takes where, count, countDistinct, sum, avg, min, max",
    ),
    ("{commentsAggregate: {sum: {«id»: {gt: 1}}}}", '"id" is ID, which has no sum', "it has countDistinct"),
    ("{commentsAggregate: {sum: {«like»: {gt: 1}}}}", '"Comment" has no column "like"', 'did you mean "likes"?'),
    ('{commentsAggregate: {count: {gt: «"x"»}}}', '"count" is compared with an integer of 32 bits, not with "x"', None),
    ("{and: [{not: {«x»: 1}}]}", '"Post" has no field "x"', None),
    ("{or: [«1»]}", "a condition on Post is an object, not 1", "write {id: ...}"),
    (
        "{author: {is: «around»}}",
        '"User" has no predicate "around"',
        'declare it: type User @is(name: "around", where: ...)',
    ),
    ("{exists: {«Usr»: {}}}", 'there is no entity "Usr"', 'did you mean "User"?'),
    ("{exists: {«Status»: {}}}", 'there is no entity "Status"', None),
    ("{exists: «{}»}", '"exists" takes an object of entities, not { }', "write {exists: {Entity: { ... }}}"),
    ("{exists: «[]»}", '"exists" takes an object of entities, not []', "write {exists: {Entity: { ... }}}"),
    (
        "{exists: [{User: {}}, «me»]}",
        '"exists" takes an object of entities, not me',
        "write {exists: {Entity: { ... }}}",
    ),
    ("{not: {exists: {User: {«nme»: 1}}}}", '"User" has no field "nme"', 'did you mean "name"?'),
    ("{author: {exists: {User: «1»}}}", "a condition on User is an object, not 1", "write {id: ...}"),
    ('{exists: {User: {id: «"$row.idd"»}}}', '"$row.idd": "Post" has no column "idd"', 'did you mean "id"?'),
    ("{exists: {User: {}, «User»: {name: null}}}", '"User" appears twice in one object', "use and: [...]"),
    ("{likes: 1, «likes»: 2}", '"likes" appears twice in one object', "use and: [...]"),
]


@pytest.mark.parametrize(("condition", "message", "hint"), REFUSED)
def test_a_condition_is_refused_at_its_token(condition: str, message: str, hint: str | None) -> None:
    text, expected = marked(SCHEMA % condition, message, hint)
    assert faults(text) == [expected]


@pytest.mark.parametrize(
    "condition",
    [
        "{}",
        '{id: "$auth.sub", authorId: {in: "$auth.friends"}, title: {ilike: "%x%"}}',
        '{createdAt: {lt: "$now"}, labels: {hasAny: ["a", "$auth.label"]}, status: {in: [DRAFT]}}',
        '{author: {boss: {id: {eq: "$row.author.bossId"}}}, meta: {isNull: false}, title: "costs $5"}',
        "{comments: {none: {likes: {gt: 3}}}, commentsAggregate: {count: {gte: 1}, avg: {likes: {gt: 1.5}}}}",
        "{or: [{is: mine}, {not: {author: {is: me}}}], and: {likes: 1}}",
        '{exists: {User: {is: me}, Comment: {post: {id: "$row.id"}}}, or: [{exists: [{User: {}}, {User: {is: me}}]}]}',
    ],
)
def test_a_condition_of_every_known_form_is_valid(condition: str) -> None:
    assert faults(SCHEMA % condition) == []


def test_the_row_of_a_predicate_is_the_row_of_the_rule_that_uses_it() -> None:
    user = 'type User @table @is(name: near, where: {name: "$row.city"}) { id: ID! @id name: String }'
    good = "type A @table @allow(role: r, where: {user: {is: near}}) { id: ID! @id city: String user: User! }"
    bad = "type A @table @allow(role: r, where: {user: {is: near}}) { id: ID! @id user: User! }"
    assert faults(user, good) == []
    found = faults(user, bad)
    assert [fault.message for fault in found] == ['"$row.city": "A" has no column "city"']


def test_a_trigger_knows_no_viewer_and_no_row() -> None:
    text = 'extend schema @on(model: A, run: j, when: {or: [{n: "$auth.n"}, {n: "$row.n"}], exists: {A: {}}})\n'
    text += "type A @table { id: ID! @id n: String }\nextend type Mutation { j: Int @job }"
    assert [fault.message for fault in faults(text)] == [
        '"$auth.n" cannot be used here: there is no viewer',
        '"$row.n" cannot be used here: there is no row of a rule',
        '"exists" cannot be used here: only rules ask of other entities',
    ]


def test_the_fault_of_an_entity_is_told_once() -> None:
    rule = "type A @table @allow(role: r, where: {exists: {B: {n: 1}}}) { id: ID! @id }"
    assert [fault.message for fault in faults(rule, "type B @table { n: Int }")] == [
        'the entity "B" has no @id: a table needs a key'
    ]


def test_predicates_that_ask_of_one_another_go_in_a_circle() -> None:
    one = "type A @table @is(name: x, where: {exists: {B: {is: y}}}) { id: ID! @id }"
    other = "type B @table @is(name: y, where: {not: {exists: [{A: {is: x}}]}}) { id: ID! @id }"
    assert [fault.message for fault in faults(one, other)] == [
        'predicates use one another in a circle: A."x" -> B."y" -> A."x"'
    ]
