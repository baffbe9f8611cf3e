"""Models by hand, so that these tests stand apart from the SDL's builder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clew.model.types import (
    Check,
    Column,
    Computed,
    Default,
    Entity,
    Enum,
    EnumValue,
    Index,
    Model,
    OnDelete,
    Relation,
    RelationKind,
    SearchField,
    UniqueKey,
    ValueType,
)

TEXT = ValueType("String", "text")
TEXTS = ValueType("String", "text", is_list=True)
INT = ValueType("Int", "integer")
BIGINT = ValueType("BigInt", "bigint")
UUID = ValueType("ID", "uuid")
TIME = ValueType("DateTime", "timestamptz")
JSON = ValueType("JSON", "jsonb")
MONEY = ValueType("Decimal", "numeric(10,2)")
STATUS = ValueType("Status", "text", is_enum=True)
STATUSES = ValueType("Status", "text", is_enum=True, is_list=True)

HOSTILE = 'it\'s "quoted" :name \\:name ::text %s %(x)s {y} ${z} $1 $$ \\ \\n\nline two\t""" -- no comment; é 😀'


def column(name: str, type_: ValueType = TEXT, sql: str | None = None, **more: Any) -> Column:
    return Column(name=name, column=sql or name, type=type_, **more)


def key() -> Column:
    return column("id", UUID, nullable=False, uuid_key=True)


def entity(name: str, table: str, *columns: Column, **more: Any) -> Entity:
    more.setdefault("primary_key", ("id",))
    single = name[0].lower() + name[1:]
    return Entity(name=name, table=table, single=single, plural=table, columns=columns, **more)


def to_one(name: str, target: str, local: str, on_delete: OnDelete = OnDelete.NO_ACTION, **more: Any) -> Relation:
    return Relation(
        name=name,
        target=target,
        kind=RelationKind.TO_ONE,
        on=((local, "id"),),
        key=(f"{name}Id",),
        on_delete=on_delete,
        **more,
    )


def status(*values: str) -> Enum:
    return Enum("Status", tuple(EnumValue(value) for value in values))


def model(*entities: Entity, enum: Enum | None = None) -> Model:
    enums = {"Status": enum or status("DRAFT", "LIVE")}
    return Model(entities={item.name: item for item in entities}, enums=enums)


def changed(base: Model, name: str, **fields: Any) -> Model:
    """`base` with some fields of one entity replaced."""
    return replace(base, entities={**base.entities, name: replace(base.entities[name], **fields)})


def with_columns(base: Model, name: str, *columns: Column) -> Model:
    """`base` with these columns added to one entity, or put in place of those of the same name."""
    old = {item.name: item for item in base.entities[name].columns}
    return changed(base, name, columns=tuple({**old, **{item.name: item for item in columns}}.values()))


def without_column(base: Model, name: str, *columns: str) -> Model:
    kept = tuple(item for item in base.entities[name].columns if item.name not in columns)
    return changed(base, name, columns=kept)


def blog() -> Model:
    """Every feature once."""
    user = entity(
        "User",
        "users",
        key(),
        column("email", nullable=False, description="Where mail goes.", checks=(Check(pattern="^[^@:]+@[^@]+$"),)),
        column("name", default=Default(value=HOSTILE), description=HOSTILE),
        column("settings", JSON, nullable=False, default=Default(value={"a": HOSTILE, "b": [1, None, True]})),
        column("tags", TEXTS, nullable=False, default=Default(value=["x", "it's"])),
        column("roles", STATUSES, nullable=False, default=Default(value=[])),
        column("createdAt", TIME, "created_at", nullable=False, created_at=True),
        column("updatedAt", TIME, "updated_at", nullable=False, updated_at=True),
        uniques=(
            UniqueKey("users_email_key", ("email",), lookup="userByEmail"),
            UniqueKey("users_lower", (), sql="lower(email), name || 'x'"),
            UniqueKey("users_where", ("name",), where="email IS NOT NULL"),
        ),
        description=f"People. {HOSTILE}",
    )
    post = entity(
        "Post",
        "posts",
        key(),
        column("title", nullable=False, checks=(Check(sql="length(title) > 0", message="no title"),)),
        column("body"),
        column("slug", nullable=False),
        column("status", STATUS, nullable=False, default=Default(value="DRAFT")),
        column("price", MONEY, default=Default(value="9.90")),
        column("views", INT, nullable=False, default=Default(value=0)),
        column("rating", ValueType("Float", "double precision")),
        column("raw", ValueType("Bytes", "bytea"), default=Default(value="AAE=")),
        column("day", ValueType("Date", "date"), default=Default(value="2026-01-01")),
        column("double", INT, computed=Computed("views * 2")),
        column("shout", TEXT, computed=Computed("upper(title)", stored=True)),
        column("authorId", UUID, "author_id", nullable=False, relation="author"),
        column("version", INT, nullable=False, version=True),
        column("deletedAt", TIME, "deleted_at", soft_delete=True),
        column("updatedAt", TIME, "updated_at", nullable=False, updated_at=True),
        relations=(to_one("author", "User", "author_id", OnDelete.CASCADE, nullable=False),),
        uniques=(UniqueKey("posts_author_id_slug_key", ("authorId", "slug"), lookup="postByAuthorAndSlug"),),
        indexes=(
            Index(("views", "title")),
            Index(("title",), where="views > 10 AND title <> ':x'"),
            Index(("shout",)),
            Index(("body",), using="hash"),
        ),
        checks=(Check(sql="views >= 0 OR price IS NULL", message="odd"),),
        search=(SearchField("title", "A", "english"), SearchField("body", "B", "simple")),
    )
    order = entity(
        "Order",
        "order",
        column("id", INT, nullable=False, identity=True),
        column("select", TEXT, "Select"),
        column("userId", UUID, "user_id", relation="user"),
        column("parentId", INT, "parent_id", relation="parent"),
        relations=(
            to_one("user", "User", "user_id", OnDelete.SET_NULL),
            to_one("parent", "Order", "parent_id", OnDelete.RESTRICT),
        ),
        schema="shop",
    )
    link = entity(
        "Like",
        "likes",
        column("userId", UUID, "user_id", nullable=False, relation="user"),
        column("postId", UUID, "post_id", nullable=False, relation="post"),
        relations=(to_one("user", "User", "user_id"), to_one("post", "Post", "post_id", OnDelete.CASCADE)),
        primary_key=("userId", "postId"),
    )
    popular = entity(
        "PopularPost",
        "popular_posts",
        key(),
        column("title"),
        view_sql="SELECT id, title FROM posts WHERE views > 100;",
        description="Posts that many read.",
    )
    top = entity("TopPost", "a_top_posts", key(), view_sql="SELECT id FROM popular_posts")
    return model(user, post, order, link, popular, top)
