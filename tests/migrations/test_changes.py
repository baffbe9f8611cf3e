"""Each kind of change goes up and down with the data kept, and reaches what a fresh database has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import asyncpg
import pytest

from clew.errors import StartupError
from clew.migrate import objects
from clew.migrate.change import Doubts
from clew.migrate.revisions import pending_changes
from clew.model.types import (
    Check,
    Column,
    Computed,
    Default,
    Entity,
    Index,
    Model,
    OnDelete,
    SearchField,
    UniqueKey,
    ValueType,
)
from tests.migrations.models import (
    BIGINT,
    HOSTILE,
    INT,
    JSON,
    MONEY,
    STATUS,
    TEXT,
    TEXTS,
    TIME,
    UUID,
    blog,
    changed,
    column,
    entity,
    key,
    model,
    status,
    to_one,
    with_columns,
    without_column,
)
from tests.migrations.project import Project, new_project

FILL = """
    INSERT INTO users (email, name) VALUES ('a@b', 'Ann'), ('b@b', 'Bob');
    INSERT INTO posts (title, body, slug, author_id, views, price, status)
        SELECT 'One', 'LIVE', '1', id, 5, 1.50, 'LIVE' FROM users WHERE name = 'Ann';
    INSERT INTO posts (title, slug, author_id) SELECT 'Two', '2', id FROM users WHERE name = 'Bob';
    INSERT INTO likes (user_id, post_id) SELECT u.id, p.id FROM users u, posts p;
    INSERT INTO shop."order" ("Select", user_id) SELECT 's', id FROM users;
    INSERT INTO shop."order" ("Select", parent_id) VALUES ('child', 1)
"""
KEPT = """
    SELECT p.title, p.slug, u.email, (SELECT count(*) FROM likes l WHERE l.post_id = p.id),
        (SELECT count(*) FROM shop."order") FROM posts p JOIN users u ON u.id = p.author_id ORDER BY p.slug
"""


def column_of(base: Model, name: str, field: str) -> Column:
    found = base.entities[name].column(field)
    assert found is not None
    return found


def altered(name: str, field: str, **fields: object) -> Callable[[Model], Model]:
    def change(base: Model) -> Model:
        return with_columns(base, name, replace(column_of(base, name, field), **fields))  # type: ignore[arg-type]  # each test gives what the fields take

    return change


def on_post(**fields: object) -> Callable[[Model], Model]:
    return lambda base: changed(base, "Post", **fields)


def _big_keys(base: Model) -> Model:
    """The key and the foreign key on it change type, which a kept constraint would not allow."""
    text = ValueType("String", "text")
    base = altered("Order", "id", type=text, identity=False)(base)
    return altered("Order", "parentId", type=text)(base)


def _new_table(base: Model) -> Model:
    tag = entity(
        "Tag",
        "tags",
        key(),
        column("name", nullable=False),
        column("postId", UUID, "post_id", relation="post"),
        column("parentId", UUID, "parent_id", relation="parent"),
        column("changedAt", TIME, "changed_at", nullable=False, updated_at=True),
        relations=(to_one("post", "Post", "post_id", OnDelete.CASCADE), to_one("parent", "Tag", "parent_id")),
    )
    return replace(base, entities={**base.entities, "Tag": tag})


def _without_entities(*names: str) -> Callable[[Model], Model]:
    return lambda base: replace(base, entities={key: item for key, item in base.entities.items() if key not in names})


def _renamed_table(base: Model) -> Model:
    article = replace(base.entities["Post"], name="Article", table="articles", renamed_from="Post")
    like = replace(
        base.entities["Like"],
        relations=(to_one("user", "User", "user_id"), to_one("post", "Article", "post_id", OnDelete.CASCADE)),
    )
    popular = replace(base.entities["PopularPost"], view_sql="SELECT id, title FROM articles WHERE views > 100")
    entities = {**base.entities, "Article": article, "Like": like, "PopularPost": popular}
    del entities["Post"]
    return replace(base, entities=entities)


def _renamed_column(base: Model) -> Model:
    """A column that a check, an index, a generated column, the search and a view mention."""
    columns = tuple(
        replace(
            item, name="headline", column="headline", renamed_from="title", checks=(Check(sql="length(headline) > 0"),)
        )
        if item.name == "title"
        else replace(item, computed=Computed("upper(headline)", stored=True))
        if item.name == "shout"
        else item
        for item in base.entities["Post"].columns
    )
    base = changed(
        base,
        "Post",
        columns=columns,
        indexes=(
            Index(("views", "headline")),
            Index(("headline",), where="views > 10 AND headline <> ':x'"),
            Index(("shout",)),
            Index(("body",), using="hash"),
        ),
        search=(SearchField("headline", "A", "english"), SearchField("body", "B", "simple")),
    )
    return changed(base, "PopularPost", view_sql="SELECT id, headline AS title FROM posts WHERE views > 100")


def _renamed_relation(base: Model) -> Model:
    columns = tuple(
        replace(item, name="writerId", column="writer_id", relation="writer") if item.name == "authorId" else item
        for item in base.entities["Post"].columns
    )
    writer = to_one("writer", "User", "writer_id", OnDelete.CASCADE, nullable=False, renamed_from="author")
    key_name = UniqueKey("posts_writer_id_slug_key", ("writerId", "slug"))
    return changed(base, "Post", columns=columns, relations=(writer,), uniques=(key_name,))


def _moved_table(base: Model) -> Model:
    return changed(base, "Like", schema="archive", table="old likes")


CHANGES: dict[str, Callable[[Model], Model]] = {
    "a table is added": _new_table,
    "a nullable column is added": lambda base: with_columns(base, "Post", column("note")),
    "a required column with a default is added": lambda base: with_columns(
        base, "Post", column("note", nullable=False, default=Default(value=HOSTILE))
    ),
    "a key column is added": lambda base: with_columns(
        base, "Post", column("token", UUID, nullable=False, uuid_key=True)
    ),
    "a stored computed column is added": lambda base: with_columns(
        base, "Post", column("long", INT, computed=Computed("length(title)", stored=True))
    ),
    "a column goes": lambda base: without_column(base, "Post", "rating"),
    "a type widens": altered("Post", "views", type=BIGINT),
    "a number becomes text": altered("Post", "rating", type=TEXT),
    "text becomes a list": altered("Post", "body", type=TEXTS),
    "a list becomes json": altered("User", "tags", type=JSON, default=Default(value=["x"])),
    "a decimal grows": altered("Post", "price", type=ValueType("Decimal", "numeric(12,3)")),
    "a type and its default change": altered("Post", "rating", type=TEXT, default=Default(value="none")),
    "a searched column changes its type": altered("Post", "title", type=ValueType("String", "varchar(80)")),
    "a key and what refers to it change type": _big_keys,
    "a column becomes nullable": altered("Post", "slug", nullable=True),
    "a column becomes required": altered("Post", "price", nullable=False),
    "a default changes": altered("Post", "title", default=Default(value=HOSTILE)),
    "a default goes": altered("Post", "views", default=None),
    "a default becomes an expression": altered("Post", "day", default=Default(sql="current_date")),
    "an identity goes": altered("Order", "id", identity=False),
    "a number becomes an identity": lambda base: altered("Post", "views", identity=True, default=None)(base),
    "a computed column changes": altered("Post", "shout", computed=Computed("lower(title)", stored=True)),
    "a computed column becomes plain": altered("Post", "shout", computed=None),
    "a plain column becomes computed": altered("Post", "rating", computed=Computed("views * 2.5", stored=True)),
    "a column comment changes": altered("Post", "title", description=HOSTILE),
    "a table comment changes": on_post(description=HOSTILE),
    "a table comment goes": lambda base: changed(base, "User", description=None),
    "a unique key is added": on_post(uniques=(UniqueKey("posts_slug_key", ("slug",)),)),
    "a unique key becomes deferrable": lambda base: changed(
        base,
        "User",
        uniques=tuple(replace(key, deferrable=not key.where and not key.sql) for key in base.entities["User"].uniques),
    ),
    "a unique key loses its condition": lambda base: without_column(base, "Post", "deletedAt"),
    "an index condition changes": on_post(indexes=(Index(("title",), where="views > 20"), Index(("shout",)))),
    "a check changes": on_post(checks=(Check(sql="views >= 0"),)),
    "a relation changes what deletion does": on_post(
        relations=(to_one("author", "User", "author_id", OnDelete.RESTRICT),)
    ),
    "a relation goes": on_post(relations=()),
    "search changes": on_post(search=(SearchField("body", "A", "simple"),)),
    "search goes": on_post(search=()),
    "an enum value is added": lambda base: replace(base, enums={"Status": status("DRAFT", "LIVE", "GONE")}),
    "a column becomes an enum": altered("Post", "body", type=STATUS),
    "a view changes": lambda base: changed(base, "PopularPost", view_sql="SELECT title, id FROM posts"),
    "a view goes": _without_entities("TopPost", "PopularPost"),
    "a view is added": lambda base: replace(
        base, entities={**base.entities, "Some": entity("Some", "some", key(), view_sql="SELECT id FROM a_top_posts")}
    ),
    "tables go": _without_entities("Order"),
    "an updated-at goes": altered("Post", "updatedAt", updated_at=False),
    "an updated-at comes": lambda base: with_columns(
        base, "Post", column("touchedAt", TIME, "touched_at", updated_at=True)
    ),
    "a table is renamed": _renamed_table,
    "a column is renamed": _renamed_column,
    "a relation is renamed": _renamed_relation,
    "a table moves to another schema": _moved_table,
    "a primary key changes": lambda base: changed(base, "Like", primary_key=("postId", "userId")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_goes_up_and_down_and_keeps_the_data_when(name: str, project: Project) -> None:
    before = blog()
    after = CHANGES[name](before)
    project.migrate(before, "first")
    project.execute(FILL)
    data, schema = project.rows(KEPT), project.schema()
    project.migrate(after, "second")
    assert project.differences(after) == []
    assert project.make(after) is None
    reached = project.schema()
    project.down()
    assert project.schema() == schema
    if name != "tables go":
        assert project.rows(KEPT) == data
    project.up()
    assert project.schema() == reached
    # One revision brings an empty database to the same.
    project.down("base")
    project.execute("DROP TABLE alembic_version; DROP SCHEMA shop; DROP SCHEMA IF EXISTS archive")
    fresh = new_project(project.root.parent / "fresh", project.url)
    fresh.migrate(after, "all")
    assert fresh.schema() == reached


def test_all_tables_go_and_come_back_with_their_keys(project: Project) -> None:
    project.migrate(blog(), "first")
    schema = project.schema()
    project.migrate(model(), "nothing")
    assert project.value("SELECT count(*) FROM pg_class WHERE relname IN ('users', 'posts', 'popular_posts')") == 0
    project.down()
    assert project.schema() == schema


TOGETHER = (
    "a table is added",
    "a required column with a default is added",
    "a stored computed column is added",
    "a type widens",
    "a number becomes text",
    "a list becomes json",
    "a decimal grows",
    "a searched column changes its type",
    "a column becomes nullable",
    "a key and what refers to it change type",
    "a computed column changes",
    "a table comment goes",
    "a relation changes what deletion does",
    "an enum value is added",
    "a view changes",
    "a view is added",
    "an updated-at comes",
    "a table moves to another schema",
)


def test_many_changes_in_one_migration_go_up_and_down(project: Project) -> None:
    before = after = blog()
    for name in TOGETHER:
        after = CHANGES[name](after)
    project.migrate(before, "first")
    project.execute(FILL)
    data, schema = project.rows(KEPT), project.schema()
    project.migrate(after, "second")
    assert project.differences(after) == []
    assert project.make(after) is None
    reached = project.schema()
    project.down()
    assert (project.schema(), project.rows(KEPT)) == (schema, data)
    project.up()
    assert project.schema() == reached


def test_many_migrations_reach_what_one_does(project: Project) -> None:
    after = blog()
    project.migrate(after, "first")
    for name in TOGETHER:
        after = CHANGES[name](after)
        project.migrate(after, name)
    reached = project.schema()
    project.down("base")
    project.execute("DROP TABLE alembic_version; DROP SCHEMA shop, archive")
    fresh = new_project(project.root.parent / "fresh", project.url)
    fresh.migrate(after, "all")
    assert fresh.schema() == reached


LOSSES: dict[str, tuple[Callable[[Model], Model], str]] = {
    "a table goes": (_without_entities("Like"), "table likes and all its rows"),
    "a column goes": (lambda base: without_column(base, "Post", "rating"), "posts.rating"),
    "a type narrows": (altered("Post", "price", type=ValueType("Decimal", "numeric(8,2)")), "posts.price"),
    "text becomes a number": (altered("Post", "body", type=INT), "posts.body"),
    "a required column has no default": (
        lambda base: with_columns(base, "Post", column("n", nullable=False)),
        "posts.n",
    ),
    "a column becomes required": (altered("Post", "body", nullable=False), "posts.body"),
    "an enum value goes": (lambda base: replace(base, enums={"Status": status("LIVE")}), "value DRAFT of posts.status"),
    "a plain column becomes computed": (altered("Post", "body", computed=Computed("title", stored=True)), "posts.body"),
}


# Of these, those that lose nothing.
MAY_FAIL = {"a required column has no default", "a column becomes required", "an enum value goes"}


@pytest.mark.parametrize("name", LOSSES)
def test_a_change_that_loses_data_or_may_fail_is_named_and_must_be_confirmed_when(name: str, project: Project) -> None:
    change, named = LOSSES[name]
    base = blog()
    if name == "an enum value goes":
        base = altered("Post", "status", default=Default(value="LIVE"))(base)
    project.make(base, "first")
    after = change(base)
    doubts = Doubts.of(pending_changes(project.root, after))
    found, other = (doubts.failures, doubts.losses) if name in MAY_FAIL else (doubts.losses, doubts.failures)
    assert named in "".join(found)
    assert not other
    kind = "may fail" if name in MAY_FAIL else "would lose data"
    with pytest.raises(StartupError, match=f"^This migration {kind}:\n") as refused:
        project.make(after, "second")
    assert named in refused.value.message
    assert len(list((project.root / "migrations" / "versions").glob("*.py"))) == 1
    made = project.make(after, "second", accept_loss=True)
    assert made is not None
    assert (" (may fail: " if name in MAY_FAIL else " (loses ") in made.path.read_text()


def test_losses_and_failures_are_told_apart() -> None:
    assert str(Doubts(["a"], ["b", "c"])) == ("This migration would lose data:\n  - a\nIt may fail:\n  - b\n  - c")


def test_a_removed_enum_value_fails_while_a_row_holds_it(project: Project) -> None:
    project.migrate(blog(), "first")
    project.execute(FILL)
    project.make(replace(blog(), enums={"Status": status("LIVE")}), "second", accept_loss=True)
    with pytest.raises(StartupError, match=r"posts_status.*is violated"):
        project.up()
    assert project.status().current == "0001_first"
    project.execute("UPDATE posts SET status = 'LIVE'")
    assert project.up().current == "0002_second"


def test_a_new_identity_goes_on_after_the_largest_value(project: Project) -> None:
    plain = altered("Order", "id", identity=False)(blog())
    project.migrate(plain, "first")
    project.execute("""INSERT INTO shop."order" (id) VALUES (41)""")
    project.migrate(blog(), "second")
    project.execute("""INSERT INTO shop."order" DEFAULT VALUES""")
    assert project.value('SELECT max(id) FROM shop."order"') == 42


def test_a_price_keeps_its_cents_when_it_grows(project: Project) -> None:
    project.migrate(blog(), "first")
    project.execute(FILL)
    project.migrate(altered("Post", "price", type=MONEY, default=None)(blog()), "second")
    project.migrate(altered("Post", "price", type=ValueType("Decimal", "numeric"), default=None)(blog()), "third")
    assert str(project.value("SELECT price FROM posts WHERE slug = '1'")) == "1.50"


def test_a_check_that_changed_binds(project: Project) -> None:
    project.migrate(blog(), "first")
    project.execute(FILL)
    project.migrate(changed(blog(), "Post", checks=(Check(sql="views < 1000"),)), "second")
    with pytest.raises(asyncpg.CheckViolationError):
        project.execute("UPDATE posts SET views = 1000")


def test_a_project_of_an_older_clew_gets_new_objects_with_its_next_migration(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_keys = "SELECT to_regclass('clew.idempotency_keys') IS NOT NULL"
    with monkeypatch.context() as older:
        older.setattr(objects, "VERSION", 1)
        older.setattr(Entity, "logged", False)
        project.migrate(blog())
    assert not project.value(has_keys)
    made = project.migrate(blog(), "upgrade clew")
    assert {change.summary.partition(" of ")[0] for change in made.changes} == {"log changes"}
    assert f"install(op, {objects.VERSION}, since=1)" in made.path.read_text()
    assert project.value(has_keys)
    assert project.make(blog()) is None
    project.down()
    assert not project.value(has_keys)
    project.up()
    assert project.value(has_keys)
    assert project.differences(blog()) == []
