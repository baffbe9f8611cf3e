"""`@renamed` reaches every name that follows from a type, a field or an enum value: docs/migrations.md."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import Source

from clew.migrate.run import offline_sql
from clew.model.build import parse_model
from clew.model.types import Model
from tests.migrations.project import Project, new_project


def model(sdl: str) -> Model:
    return parse_model(Source(sdl, "schema.graphql"))


LONG = "aFieldWithAVeryLongNameThatFillsWhatPostgresTakes"
BLOG = """
type Post @table @unique(fields: [author, slug]) @index(fields: [slug], where: "slug <> ''") {
  id: Int! @id
  author: User!
  slug: String! @check(sql: "length(slug) < 80") @search
  LONG: Int! @default(value: 1)
  updatedAt: DateTime! @updatedAt
  tags: [Tag!]! @relation(through: "PostTag")
  related: [Post!]! @relation(through: "RelatedPost")
}
type User @table { id: Int! @id name: String! posts: [Post!]! }
type Tag @table { name: String! @id posts: [Post!]! @relation(through: "PostTag") }
type Note @table { id: Int! @id post: Post! @relation(onDelete: CASCADE) tag: Tag }
""".replace("LONG", LONG)
FILL = """INSERT INTO users (name) VALUES ('ann');
INSERT INTO posts (author_id, slug) VALUES (1, 'a'), (1, 'b');
INSERT INTO tags (name) VALUES ('x'), ('y');
INSERT INTO post_tags (post_id, tag_name) VALUES (1, 'x'), (2, 'y');
INSERT INTO related_posts (post_id, other_post_id) VALUES (1, 2);
INSERT INTO notes (post_id, tag_name) VALUES (1, 'y');
"""
ARTICLE = (
    BLOG.replace("type Post @table", 'type Article @table @renamed(from: "Post")')
    .replace("[Post!]!", "[Article!]!")
    .replace("post: Post!", "post: Article!")
)
# Each with the tables whose rows are compared, as they are named before and after.
RENAMES: dict[str, tuple[str, str]] = {
    "a type": (BLOG, ARTICLE),
    "a type that comes after the other end of its link": (BLOG, ARTICLE.replace("Article", "Zettel")),
    "a type and its links": (BLOG, ARTICLE.replace("PostTag", "Labelling").replace("RelatedPost", "RelatedArticle")),
    "a key": (
        BLOG,
        BLOG.replace("{ name: String! @id posts", '{ label: String! @id @renamed(from: "name") posts'),
    ),
    "a number that is a key": (
        BLOG,
        BLOG.replace("id: Int! @id\n  author", 'nr: Int! @id @renamed(from: "id")\n  author'),
    ),
    "a field": (
        BLOG,
        BLOG.replace("slug: String!", 'path: String! @renamed(from: "slug")')
        .replace("length(slug)", "length(path)")
        .replace("[author, slug]", "[author, path]")
        .replace('[slug], where: "slug', '[path], where: "path'),
    ),
    "a field with a long name": (BLOG, BLOG.replace(f"{LONG}: Int!", f'{LONG}X: Int! @renamed(from: "{LONG}")')),
    "a to-one": (
        BLOG,
        BLOG.replace("author: User!", 'writer: User! @renamed(from: "author")').replace(
            "[author, slug]", "[writer, slug]"
        ),
    ),
    "a type, its key and a field at once": (
        BLOG,
        ARTICLE.replace(
            "id: Int! @id\n  author: User!",
            'nr: Int! @id @renamed(from: "id")\n  writer: User! @renamed(from: "author")',
        ).replace("[author, slug]", "[writer, slug]"),
    ),
    "a table": (BLOG, BLOG.replace("type Post @table", 'type Post @table(name: "articles")')),
}


_TABLES = """SELECT oid::regclass::text FROM pg_class
  WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"""
_VALUES = """SELECT ARRAY(
    SELECT value FROM jsonb_each_text(to_jsonb(t) - 'search_vector') ORDER BY value
  )::text AS row FROM %s t"""


def content(project: Project) -> list[Any]:
    """The rows of all tables, whatever these and their columns are named."""
    asked = " UNION ALL ".join(_VALUES % name for name in project.rows(_TABLES))
    return project.rows(f"SELECT row FROM ({asked}) AS rows ORDER BY row")


@pytest.mark.parametrize("name", RENAMES)
def test_what_is_renamed_is_named_as_in_a_fresh_database_after(name: str, project: Project) -> None:
    before, after = map(model, RENAMES[name])
    project.migrate(before, "first")
    project.execute(FILL)
    rows, schema = content(project), project.schema()
    # Nothing is lost, so nothing is asked.
    assert project.make(after, "second") is not None
    project.up()
    assert content(project) == rows
    assert project.make(after) is None
    reached = project.schema()
    project.down()
    assert (project.schema(), content(project)) == (schema, rows)
    project.up()
    assert (project.schema(), content(project)) == (reached, rows)
    script = offline_sql(project.root)
    project.down("base")
    project.execute("DROP TABLE alembic_version")
    fresh = new_project(project.root.parent / "fresh", project.url)
    fresh.migrate(after, "all")
    assert fresh.schema() == reached
    fresh.down("base")
    fresh.execute("DROP TABLE alembic_version")
    fresh.execute(script)
    assert fresh.schema() == reached


COMPOSITE = """
type Tenant @table { id: Int! @id }
type Account @table { tenant: Tenant! @id number: Int! @id }
type Task @table {
  id: Int! @id
  tenant: Tenant!
  owner: Account!
  assignee: Account @relation(columns: [tenant_id, assignee_number], onDelete: SET_NULL)
}
"""


def test_the_columns_of_a_composite_key_follow_what_they_lead_to(project: Project) -> None:
    project.migrate(model(COMPOSITE), "first")
    project.execute(
        "INSERT INTO tenants (id) VALUES (1); INSERT INTO accounts VALUES (1, 2), (1, 3);"
        "INSERT INTO tasks (tenant_id, owner_tenant_id, owner_number, assignee_number) VALUES (1, 1, 2, 3)"
    )
    after = COMPOSITE.replace("number: Int! @id", 'no: Int! @id @renamed(from: "number")')
    after = after.replace("tenant: Tenant! @id", 'org: Tenant! @id @renamed(from: "tenant")')
    assert project.make(model(after)) is not None
    project.up()
    assert project.rows("SELECT tenant_id, owner_org_id, owner_no, assignee_number FROM tasks") == [(1, 1, 2, 3)]
    project.execute("DELETE FROM accounts WHERE no = 3")
    assert project.rows("SELECT tenant_id, assignee_number FROM tasks") == [(1, None)]


ENUM = """
enum State { DRAFT LIVE }
type Post @table {
  id: Int! @id
  state: State! @default(value: DRAFT)
  past: [State!]
  open: Boolean @computed(sql: "state = 'LIVE'") @index
  updatedAt: DateTime! @updatedAt
}
"""
RENAMED = (
    ENUM.replace("DRAFT LIVE", 'SKETCH @renamed(from: "DRAFT") PUBLIC @renamed(from: LIVE)')
    .replace("DRAFT)", "SKETCH)")
    .replace("'LIVE'", "'PUBLIC'")
)


def test_a_value_of_an_enum_is_renamed_in_every_row(project: Project) -> None:
    project.migrate(model(ENUM), "first")
    project.execute(
        "INSERT INTO posts (state, past, updated_at) VALUES ('LIVE', ARRAY['DRAFT', 'LIVE', 'DRAFT'], '2020-01-01'),"
        " ('DRAFT', NULL, '2020-01-01'), ('LIVE', '{}', '2020-01-01')"
    )
    read = "SELECT state, past, open, updated_at::date::text FROM posts ORDER BY id"
    rows, schema = project.rows(read), project.schema()
    made = project.make(model(RENAMED), "second")
    assert made is not None
    project.up()
    assert project.rows(read) == [
        ("PUBLIC", ["SKETCH", "PUBLIC", "SKETCH"], True, "2020-01-01"),
        ("SKETCH", None, False, "2020-01-01"),
        ("PUBLIC", [], True, "2020-01-01"),
    ]
    assert project.make(model(RENAMED)) is None
    project.execute("INSERT INTO posts DEFAULT VALUES; DELETE FROM posts WHERE id = 4")
    project.execute("UPDATE posts SET past = past WHERE id = 2")
    assert project.value("SELECT updated_at > '2021-01-01' FROM posts WHERE id = 2")
    project.execute("ALTER TABLE posts DISABLE TRIGGER USER; UPDATE posts SET updated_at = '2020-01-01'")
    project.execute("ALTER TABLE posts ENABLE TRIGGER USER")
    project.down()
    assert (project.rows(read), project.schema()) == (rows, schema)
    # The directive may stay, or go.
    project.up()
    assert project.make(model(RENAMED.replace(' @renamed(from: "DRAFT")', ""))) is None


def test_a_value_of_an_enum_of_the_database_is_renamed_in_its_type(project: Project) -> None:
    project.execute("CREATE TYPE state AS ENUM ('DRAFT', 'LIVE')")
    before = """enum State { DRAFT LIVE }
    type Post @table {
      id: Int! @id
      a: State! @column(type: state) @default(value: DRAFT)
      b: [State!] @column(type: state)
    }"""
    after = before.replace("DRAFT LIVE", "SKETCH @renamed(from: DRAFT) LIVE").replace("value: DRAFT", "value: SKETCH")
    project.migrate(model(before), "first")
    project.execute("INSERT INTO posts (b) VALUES (ARRAY['LIVE', 'DRAFT']::state[])")
    made = project.make(model(after))
    assert made is not None
    project.up()
    assert project.rows("SELECT a::text, b::text FROM posts") == [("SKETCH", "{LIVE,SKETCH}")]
    assert project.make(model(after)) is None
    project.down()
    assert project.rows("SELECT a::text, b::text FROM posts") == [("DRAFT", "{LIVE,DRAFT}")]
