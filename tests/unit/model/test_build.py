"""The model of a representative schema: every decision of SPEC 2 that later stages rely on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graphql import ObjectTypeDefinitionNode, Source, print_ast

from clew.errors import Location, SchemaError
from clew.model.build import parse_model
from clew.model.types import (
    AllowRule,
    Check,
    Column,
    Default,
    Entity,
    EnumValue,
    GuardRule,
    Index,
    Model,
    OnDelete,
    Operation,
    Preset,
    RelationKind,
    RowArgument,
    SearchField,
    Through,
    UniqueKey,
    ValueType,
)
from clew.model.writing import unique_keys

BLOG = """
"Someone who writes. 作者"
type User @table @allow(role: [user, editor], where: {id: "$auth.sub"}) @is(name: "me", where: {id: "$auth.sub"}) {
  id: ID! @id
  "Where to write to"
  email: String! @unique @check(pattern: "@", message: "no address")
  name: String @search(weight: A) @deprecated(reason: "use email")
  posts: [Post!]!
  profile: Profile @relation(from: user)
  friends: [User!]! @relation(through: "Friendship")
  token: String @hidden @default(sql: "gen()")
}

type Profile @table {
  user: User! @id
  bio: String
}

type Post
  @table
  @unique(fields: [author, slug])
  @unique(sql: "lower(slug)")
  @index(fields: [author, createdAt], using: btree, where: "likes > 1")
  @check(sql: "likes >= 0", message: "negative")
  @guard(to: UPDATE, where: {likes: 1}, bindsAdmin: true) {
  id: ID! @id
  slug: String! @unique(where: "likes > 3")
  author: User! @relation(onDelete: CASCADE) @preset(claim: "$auth.sub") @allow(role: "anon")
  status: Status! @default(value: DRAFT)
  likes: Int! @default(value: 0) @index
  price: Decimal @default(value: 9.90) @column(name: "cost", type: "numeric(10,2)")
  labels: [String!]! @default(value: "new")
  double: Int @computed(sql: "likes * 2") @index
  half: Int @computed(sql: "likes / 2")
  tags: [Tag!]! @relation(through: "PostTag")
  createdAt: DateTime! @createdAt
  updatedAt: DateTime! @updatedAt
  version: Int! @version
  deletedAt: DateTime @softDelete
  url(width: Int): String! @resolver(requires: [slug, authorId]) @allow(role: user)
}

type Tag @table { id: Int! @id, name: String! @renamed(from: label), posts: [Post!]! @relation(through: PostTag) }

"How far it is"
enum Status { "Not yet" DRAFT PUBLISHED @deprecated }
"""


@pytest.fixture(scope="module")
def blog() -> Model:
    return parse_model(Source(BLOG, "blog.graphql"))


def model_of(text: str) -> Model:
    return parse_model(Source(text, "a.graphql"))


def column(entity: Entity, name: str) -> Column:
    found = entity.column(name)
    assert found is not None
    return found


def test_columns_stand_in_sdl_order_with_keys_in_place_of_relations(blog: Model) -> None:
    post = blog.entity("Post")
    assert [(c.name, c.column, c.type.sql) for c in post.columns] == [
        ("id", "id", "uuid"),
        ("slug", "slug", "text"),
        ("authorId", "author_id", "uuid"),
        ("status", "status", "text"),
        ("likes", "likes", "integer"),
        ("price", "cost", "numeric(10,2)"),
        ("labels", "labels", "text"),
        ("double", "double", "integer"),
        ("half", "half", "integer"),
        ("createdAt", "created_at", "timestamptz"),
        ("updatedAt", "updated_at", "timestamptz"),
        ("version", "version", "integer"),
        ("deletedAt", "deleted_at", "timestamptz"),
    ]
    assert post.fields[:4] == ("id", "slug", "authorId", "author")
    assert "tags" in post.fields
    assert "url" in post.fields


def test_an_entity_is_named_and_described(blog: Model) -> None:
    user = blog.entity("User")
    assert (user.table, user.single, user.plural, user.primary_key) == ("users", "user", "users", ("id",))
    assert user.description == "Someone who writes. 作者"
    assert user.location == Location("blog.graphql", 3, 6)
    assert column(user, "email").description == "Where to write to"
    assert column(user, "name").deprecation_reason == "use email"
    assert column(user, "token").hidden
    assert column(user, "token").default == Default(sql="gen()")
    assert user.search == (SearchField("name", "A", "english"),)
    assert user.predicates == {"me": {"id": "$auth.sub"}}
    (check,) = column(user, "email").checks
    assert (check.pattern, check.sql, check.message) == ("@", None, "no address")


def test_a_to_one_holds_the_key_of_its_target(blog: Model) -> None:
    post = blog.entity("Post")
    author = post.relation("author")
    assert author is not None
    assert (author.kind, author.target, author.nullable) == (RelationKind.TO_ONE, "User", False)
    assert (author.on, author.key, author.on_delete) == ((("author_id", "id"),), ("authorId",), OnDelete.CASCADE)
    key = column(post, "authorId")
    assert (key.relation, key.nullable, key.type) == ("author", False, ValueType("ID", "uuid"))
    assert key.preset == Preset((Operation.CREATE,), claim="sub")
    # What is said of the relation opens its key too.
    assert key.allow == author.allow
    assert [rule.roles for rule in key.allow] == [("anon",)]


def test_the_other_sides_are_found(blog: Model) -> None:
    user = blog.entity("User")
    posts, profile = user.relation("posts"), user.relation("profile")
    assert posts is not None
    assert profile is not None
    assert (posts.kind, posts.on, posts.inverse) == (RelationKind.TO_MANY, (("id", "author_id"),), "author")
    assert (profile.kind, profile.on, profile.inverse) == (RelationKind.REVERSE_ONE, (("id", "user_id"),), "user")
    assert profile.nullable
    assert not posts.nullable


def test_a_link_is_generated_once_for_both_sides(blog: Model) -> None:
    link = blog.entity("PostTag")
    assert (link.table, link.generated_link, link.primary_key) == ("post_tags", True, ("postId", "tagId"))
    assert [(c.name, c.column, c.type.sql, c.nullable) for c in link.columns] == [
        ("postId", "post_id", "uuid", False),
        ("tagId", "tag_id", "integer", False),
    ]
    assert [(r.name, r.on, r.on_delete) for r in link.relations] == [
        ("post", (("post_id", "id"),), OnDelete.CASCADE),
        ("tag", (("tag_id", "id"),), OnDelete.CASCADE),
    ]
    tags, posts = blog.entity("Post").relation("tags"), blog.entity("Tag").relation("posts")
    assert tags is not None
    assert posts is not None
    assert tags.through == Through("PostTag", (("id", "post_id"),), (("tag_id", "id"),))
    assert posts.through == Through("PostTag", (("id", "tag_id"),), (("post_id", "id"),))


def test_a_link_from_a_type_to_itself_has_two_names(blog: Model) -> None:
    link = blog.entity("Friendship")
    assert [relation.name for relation in link.relations] == ["user", "otherUser"]
    assert link.primary_key == ("userId", "otherUserId")
    friends = blog.entity("User").relation("friends")
    assert friends is not None
    assert friends.through == Through("Friendship", (("id", "user_id"),), (("other_user_id", "id"),))


def test_keys_are_filled_by_the_database_as_their_type_says(blog: Model) -> None:
    assert column(blog.entity("User"), "id").uuid_key
    assert not column(blog.entity("User"), "id").identity
    assert column(blog.entity("Tag"), "id").identity
    user_id = column(blog.entity("Profile"), "userId")
    assert not user_id.uuid_key
    assert blog.entity("Profile").primary_key == ("userId",)


def test_values_are_typed(blog: Model) -> None:
    post = blog.entity("Post")
    assert column(post, "status").default == Default("DRAFT")
    assert column(post, "status").type == ValueType("Status", "text", is_enum=True)
    assert column(post, "price").default == Default("9.90")
    assert column(post, "labels").default == Default(["new"])
    assert column(post, "labels").type == ValueType("String", "text", is_list=True)
    double, half = column(post, "double").computed, column(post, "half").computed
    assert double is not None
    assert half is not None
    assert (double.stored, half.stored) == (True, False)
    assert column(post, "createdAt").created_at
    assert column(post, "updatedAt").updated_at
    assert column(post, "version").version
    assert post.soft_delete is column(post, "deletedAt")
    assert column(blog.entity("Tag"), "name").renamed_from == "label"


def test_constraints_expand_relations_and_name_look_ups(blog: Model) -> None:
    post = blog.entity("Post")
    slug, pair, lower = post.uniques
    assert (pair.name, pair.columns, pair.lookup) == (
        "posts_author_id_slug_key",
        ("authorId", "slug"),
        "postByAuthorAndSlug",
    )
    assert (slug.columns, slug.where, slug.lookup) == (("slug",), "likes > 3", None)
    assert (lower.columns, lower.sql, lower.lookup) == ((), "lower(slug)", None)
    assert len({unique.name for unique in post.uniques}) == 3
    assert [unique.lookup for unique in blog.entity("User").uniques] == ["userByEmail"]
    assert [(index.columns, index.using, index.where) for index in post.indexes] == [
        (("likes",), None, None),
        (("double",), None, None),
        (("authorId", "createdAt"), "btree", "likes > 1"),
    ]
    assert [(check.sql, check.message) for check in post.checks] == [("likes >= 0", "negative")]


def test_rules_are_kept_as_constants(blog: Model) -> None:
    (rule,) = blog.entity("User").allow
    assert rule == AllowRule(
        ("user", "editor"),
        frozenset({Operation.READ}),
        where={"id": "$auth.sub"},
        location=Location("blog.graphql", 3, 18),
    )
    (guard,) = blog.entity("Post").guards
    assert guard == GuardRule(frozenset({Operation.UPDATE}), {"likes": 1}, None, True, Location("blog.graphql", 25, 3))


def test_all_means_every_operation() -> None:
    model = model_of("type A @table @allow(role: r, to: ALL, fields: id, limit: 5) { id: ID! @id }")
    (rule,) = model.entity("A").allow
    assert rule.to == frozenset(Operation)
    assert (rule.fields, rule.limit) == (frozenset({"id"}), 5)


def test_a_resolver_keeps_its_definition_without_directives(blog: Model) -> None:
    url = blog.entity("Post").resolver("url")
    assert url is not None
    assert print_ast(url.node) == "url(width: Int): String!"
    assert url.requires == ("slug", "authorId")
    assert [rule.roles for rule in url.allow] == [("user",)]


def test_enums_keep_their_order_and_texts(blog: Model) -> None:
    status = blog.enums["Status"]
    assert status.description == "How far it is"
    assert status.values == (
        EnumValue("DRAFT", "Not yet"),
        EnumValue("PUBLISHED", None, "No longer supported"),
    )


def test_an_enum_of_the_database_is_mapped() -> None:
    model = model_of('enum Mood { OK }\ntype A @table { id: ID! @id m: Mood @column(type: "mood") }')
    assert model.enums["Mood"].native == "mood"
    text = model_of('enum Mood { OK }\ntype A @table { id: ID! @id m: Mood @column(type: "varchar(9)") }')
    assert text.enums["Mood"].native is None


@pytest.mark.parametrize(
    ("key", "identity", "uuid_key"),
    [
        ("id: ID! @id", False, True),
        ("id: Int! @id", True, False),
        ("id: BigInt! @id", True, False),
        ("id: String! @id", False, False),
        ('id: ID! @id @column(type: "bigint")', True, False),
        ('id: ID! @id @column(type: "text")', False, False),
        ("id: Int! @id @default(value: 1)", False, False),
        ('id: ID! @id @default(sql: "gen_random_uuid()")', False, False),
        ("id: Int! @id other: Int! @id", False, False),
        ("id: ID! @id other: ID! @id", False, False),
        ("id: ID! @id other: B! @id", False, True),
    ],
)
def test_a_key_is_generated_or_natural(key: str, identity: bool, uuid_key: bool) -> None:
    model = model_of(f"type A @table {{ {key} }}\ntype B @table {{ id: ID! @id }}")
    found = column(model.entity("A"), "id")
    assert (found.identity, found.uuid_key) == (identity, uuid_key)


def test_a_composite_key_travels_through_relations() -> None:
    model = model_of(
        "type Note @table { id: ID! @id item: Item @unique }\n"
        "type Item @table { order: Order! @id line: Int! @id notes: [Note!]! }\n"
        "type Order @table { shop: Shop! @id number: Int! @id items: [Item!]! }\n"
        "type Shop @table { code: String! @id }"
    )
    item, note = model.entity("Item"), model.entity("Note")
    assert item.primary_key == ("orderShopCode", "orderNumber", "line")
    relation = note.relation("item")
    assert relation is not None
    assert relation.key == ("itemOrderShopCode", "itemOrderNumber", "itemLine")
    assert relation.on == (
        ("item_order_shop_code", "order_shop_code"),
        ("item_order_number", "order_number"),
        ("item_line", "line"),
    )
    assert [c.type.sql for c in note.columns] == ["uuid", "text", "integer", "integer"]
    assert all(column(note, name).nullable for name in relation.key)
    assert note.uniques[0].columns == relation.key
    assert note.uniques[0].lookup == "noteByItem"


def test_a_unique_list_is_no_key_that_a_client_names() -> None:
    model = model_of("type Route @table { id: Int! @id stops: [String!]! @unique name: String! @unique }")
    assert [(unique.columns, unique.lookup) for unique in model.entity("Route").uniques] == [
        (("stops",), None),
        (("name",), "routeByName"),
    ]
    assert list(unique_keys(model.entity("Route"))) == ["id", "name"]


def test_a_named_column_is_shared_with_the_field_that_has_it() -> None:
    model = model_of(
        'type Post @table { id: ID! @id author: User @relation(column: "author_id") authorId: ID }\n'
        "type User @table { id: ID! @id }"
    )
    post = model.entity("Post")
    assert [c.name for c in post.columns] == ["id", "authorId"]
    author = post.relation("author")
    assert author is not None
    assert (author.key, author.on) == (("authorId",), (("author_id", "id"),))


def test_a_column_is_shared_between_two_relations() -> None:
    model = model_of(
        "type Tenant @table { id: ID! @id }\n"
        "type User @table { tenant: Tenant! @id id: ID! @id }\n"
        'type Post @table { id: ID! @id author: User! @relation(columns: ["tenant_id", "author_id"]) tenant: Tenant! }'
    )
    post = model.entity("Post")
    assert [(c.name, c.column, c.relation) for c in post.columns] == [
        ("id", "id", None),
        ("authorId", "author_id", "author"),
        ("tenantId", "tenant_id", "tenant"),
    ]
    author = post.relation("author")
    assert author is not None
    assert author.on == (("tenant_id", "tenant_id"), ("author_id", "id"))
    assert author.key == ("tenantId", "authorId")


def test_a_declared_link_is_used_as_it_is() -> None:
    model = model_of(
        "type User @table { id: ID! @id teams: [Team!]! @relation(through: Membership) }\n"
        "type Team @table { id: Int! @id }\n"
        "type Membership @table { user: User! @id team: Team! @id role: String }"
    )
    teams = model.entity("User").relation("teams")
    assert teams is not None
    assert teams.through == Through("Membership", (("id", "user_id"),), (("team_id", "id"),))
    assert not model.entity("Membership").generated_link
    assert len(model.entities) == 3


def test_a_view_has_columns_and_relations_and_fills_nothing() -> None:
    model = model_of(
        'type Usage @view(sql: "select 1") { id: ID! @id user: User! @relation(column: "uid") total: BigInt }\n'
        "type User @table { id: ID! @id usage: [Usage!]! }"
    )
    usage = model.entity("Usage")
    assert usage.view_sql == "select 1"
    assert [(c.name, c.column) for c in usage.columns] == [("id", "id"), ("userId", "uid"), ("total", "total")]
    assert not column(usage, "id").uuid_key
    relation = model.entity("User").relation("usage")
    assert relation is not None
    assert relation.on == (("id", "uid"),)


def test_what_is_the_users_own_is_folded_and_free_of_directives() -> None:
    model = model_of(
        "type Stats { a: Int }\nextend type Stats @tag { b: Int }\ndirective @tag on OBJECT\n"
        "input I { a: Int }\nscalar Color\nenum E { X }\n"
        "type User @table { id: ID! @id }\n"
        'extend type Query { stats(id: ID! @row(type: User, to: UPDATE)): Stats @allow(role: "user") }\n'
        "type Mutation { send(to: ID!, at: DateTime): Int @job(retries: 3, timeout: 2, unique: to, runAt: at) }\n"
        "extend type SendJob @allow(role: admin)\n"
        'extend schema @cron(schedule: "0 3 * * *", run: tidy)\n'
        "extend type Mutation { tidy: Int @job }\n"
        "schema @on(model: User, events: CREATED, run: tidy, when: {id: {isNull: false}}) { mutation: Mutation }"
    )
    stats = next(node for node in model.custom_types if node.name.value == "Stats")
    assert isinstance(stats, ObjectTypeDefinitionNode)
    assert print_ast(stats) == "type Stats @tag {\n  a: Int\n  b: Int\n}"
    assert [node.name.value for node in model.custom_types] == ["Stats", "I", "Color"]
    assert set(model.enums) == {"E", "JobStatus"}
    query, send, tidy = model.custom_fields
    assert print_ast(query.node) == "stats(id: ID!): Stats"
    assert query.rows == (RowArgument("id", "User", Operation.UPDATE),)
    assert [rule.roles for rule in query.allow] == [("user",)]
    assert send.job is not None
    assert (send.job.queue, send.job.retries, send.job.timeout, send.job.priority) == ("default", 3, 2.0, 0)
    assert (send.job.unique, send.job.run_at) == (("to",), "at")
    assert [rule.roles for rule in send.job.allow] == [("admin",)]
    assert tidy.parent == "Mutation"
    assert [(c.schedule, c.run) for c in model.crons] == [("0 3 * * *", "tidy")]
    assert [(c.model, c.events, c.when) for c in model.changes] == [("User", ("CREATED",), {"id": {"isNull": False}})]


def test_extensions_add_fields_and_directives_to_an_entity() -> None:
    model = parse_model(
        Source("extend type A @allow(role: user) { n: Int }", "a.graphql"),
        Source("type A @table { id: ID! @id }", "b.graphql"),
    )
    entity = model.entity("A")
    assert [c.name for c in entity.columns] == ["id", "n"]
    assert [rule.roles for rule in entity.allow] == [("user",)]
    assert column(entity, "n").location == Location("a.graphql", 1, 36)


def test_a_type_of_sixty_fields_keeps_them_all_in_order() -> None:
    fields = "\n".join(f"field{number}: Int" for number in range(60))
    entity = model_of(f"type A @table {{ id: ID! @id\n{fields} }}").entity("A")
    assert [c.name for c in entity.columns] == ["id", *(f"field{number}" for number in range(60))]


def test_windows_line_ends_change_nothing() -> None:
    unix = parse_model(Source(BLOG, "a"))
    windows = parse_model(Source(BLOG.replace("\n", "\r\n"), "a"))
    # Nodes know their place in characters, which does change.
    without_nodes = {name: replace(entity, resolvers=()) for name, entity in windows.entities.items()}
    assert without_nodes == {name: replace(entity, resolvers=()) for name, entity in unix.entities.items()}


def test_the_model_is_the_same_every_time() -> None:
    assert parse_model(Source(BLOG, "a")).entities == parse_model(Source(BLOG, "a")).entities


def test_a_constraint_of_long_names_fits_postgres() -> None:
    name = "a" * 60
    model = model_of(f"type A @table @unique(fields: [{name}, b]) {{ id: ID! @id {name}: Int b: Int }}")
    (unique,) = model.entity("A").uniques
    assert isinstance(unique, UniqueKey)
    assert len(unique.name) == 63


def test_checks_and_indexes_know_their_place() -> None:
    model = model_of('type A @table { id: ID! @id\n  n: Int @check(sql: "n > 1") @index }')
    entity = model.entity("A")
    assert column(entity, "n").checks == (Check(sql="n > 1", location=Location("a.graphql", 2, 10)),)
    assert entity.indexes == (Index(("n",), location=Location("a.graphql", 2, 31)),)


def test_two_key_fields_of_one_sql_name_are_reported_and_not_a_crash() -> None:
    sdl = """
    type A @table { id: ID! @id @column(name: "x") b: String @column(name: "x") }
    type B @table { id: ID! @id a: A! }
    """
    with pytest.raises(SchemaError) as caught:
        parse_model(Source(sdl, "a.graphql"))
    assert len(caught.value.diagnostics) == 1


def test_tables_are_logged_unless_they_do_without_it_and_links_as_their_ends_are() -> None:
    sdl = """
    type Post @table {
      id: ID! @id
      tags: [Tag!]! @relation(through: "PostTag")
      hits: [Hit!]! @relation(through: "PostHit")
    }
    type Tag @table(without: BULK) { id: ID! @id  posts: [Post!]! @relation(through: "PostTag") }
    type Hit @table(without: [BULK, LIVE]) { id: ID! @id  posts: [Post!]! @relation(through: "PostHit") }
    type Total @view(sql: "SELECT 1 AS id") { id: Int! @id }
    """
    entities = parse_model(Source(sdl, "test.graphql")).entities
    assert {name for name, entity in entities.items() if entity.logged} == {"Post", "Tag", "PostTag"}
