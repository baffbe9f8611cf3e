"""The model's tables: names, constraints, indexes and binds, without a database."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.schema import CreateTable

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
    Relation,
    RelationKind,
    SearchField,
    UniqueKey,
    ValueType,
)
from clew.sql.literals import constant_sql, quote_text
from clew.sql.tables import build_tables, default_sql
from clew.sql.types import sql_type
from clew.sql.words import identifiers, replace_identifiers, split_list

DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
TEXT = ValueType("String", "text")
UUID = ValueType("ID", "uuid")


def entity(name: str = "Post", *columns: Column, **more: object) -> Entity:
    own = (Column(name="id", column="id", type=UUID, nullable=False, uuid_key=True), *columns)
    plural = f"{name.lower()}s"
    return Entity(name=name, table=plural, single=name, plural=plural, columns=own, primary_key=("id",), **more)  # type: ignore[arg-type]  # each test gives what the fields take


def text_column(name: str, **more: object) -> Column:
    return Column(name=name, column=name, type=TEXT, **more)  # type: ignore[arg-type]  # each test gives what the fields take


def table_of(item: Entity, *others: Entity, enums: dict[str, Enum] | None = None) -> sa.Table:
    model = Model(entities={each.name: each for each in (item, *others)}, enums=enums or {})
    return build_tables(model).of(item.name)


@pytest.mark.parametrize(
    ("sql", "column_type", "bind"),
    [
        ("uuid", "UUID", "$1::UUID"),
        ("text", "TEXT", "$1::TEXT"),
        ("int", "INTEGER", "$1::INTEGER"),
        ("boolean", "BOOLEAN", "$1::BOOLEAN"),
        ("real", "REAL", "$1::REAL"),
        ("double precision", "DOUBLE PRECISION", "$1::FLOAT"),
        ("numeric(10,2)", "NUMERIC(10, 2)", "$1::NUMERIC"),
        ("varchar(5)", "VARCHAR(5)", "$1::VARCHAR"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE", "$1::TIMESTAMP WITH TIME ZONE"),
        ("timestamp", "TIMESTAMP WITHOUT TIME ZONE", "$1::TIMESTAMP WITHOUT TIME ZONE"),
        ("timetz", "TIME WITH TIME ZONE", "$1::TIME WITH TIME ZONE"),
        ("jsonb", "JSONB", "$1::JSONB"),
        ("json", "JSON", "$1::JSON"),
        ("bytea", "BYTEA", "$1::BYTEA"),
        ("my.mood", "my.mood", "$1::my.mood"),
        ("text[]", "TEXT[]", "$1::TEXT[]"),
    ],
)
def test_a_type_is_shared_casts_its_bind_and_converts_nothing(sql: str, column_type: str, bind: str) -> None:
    made = sql_type(ValueType("T", sql))
    assert sql_type(ValueType("Other", sql)) is made
    assert DIALECT.type_compiler_instance.process(made) == column_type
    statement = sa.select(sa.bindparam("x", type_=made)).compile(dialect=DIALECT)
    assert str(statement).startswith(f"SELECT {bind} AS")
    assert made.dialect_impl(DIALECT).bind_processor(DIALECT) is None


def test_a_list_type_is_shared_too() -> None:
    texts = ValueType("String", "text", is_list=True)
    assert sql_type(texts) is sql_type(texts)
    assert DIALECT.type_compiler_instance.process(sql_type(texts)) == "TEXT[]"
    assert sql_type(texts).dialect_impl(DIALECT).bind_processor(DIALECT) is None


@pytest.mark.parametrize(
    ("value", "sql", "is_list", "expected"),
    [
        ("it's", "text", False, "'it''s'"),
        (True, "boolean", False, "true"),
        (7, "integer", False, "7"),
        ("12345678901234567890", "bigint", False, "12345678901234567890"),
        ("9.90", "numeric(10,2)", False, "9.90"),
        ("NaN", "numeric", False, "'NaN'::numeric"),
        ({"a": "'"}, "jsonb", False, """'{"a": "''"}'::jsonb"""),
        (["a", "'"], "text", True, "ARRAY['a', '''']::text[]"),
        ([], "text", True, "'{}'::text[]"),
        ("AAE=", "bytea", False, r"'\x0001'::bytea"),
        ("1 day", "interval", False, "'1 day'::interval"),
    ],
)
def test_a_constant_is_quoted_by_its_type(value: object, sql: str, is_list: bool, expected: str) -> None:
    assert constant_sql(value, ValueType("T", sql, is_list=is_list)) == expected


def test_a_text_with_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote_text("a\0b")


def test_defaults_follow_the_columns_role() -> None:
    assert default_sql(Column(name="id", column="id", type=UUID, uuid_key=True)) == "clew.uuid_v7()"
    assert default_sql(text_column("a", created_at=True)) == "now()"
    assert default_sql(text_column("a", version=True)) == "1"
    assert default_sql(text_column("a", default=Default(sql="upper('x')"))) == "upper('x')"
    assert default_sql(text_column("a")) is None


def test_a_computed_column_has_a_place_in_the_table_only_when_stored() -> None:
    table = table_of(
        entity(
            "Post",
            text_column("a"),
            text_column("b", computed=Computed("a || 'x'")),
            text_column("c", computed=Computed("a", stored=True)),
        )
    )
    assert list(table.columns.keys()) == ["id", "a", "c"]


def test_checks_carry_a_hash_of_their_content() -> None:
    def name(condition: str) -> str:
        table = table_of(entity("Post", text_column("a", checks=(Check(sql=condition, message="m"),))))
        return next(str(item.name) for item in table.constraints if isinstance(item, sa.CheckConstraint))

    assert name("a <> 'x'") != name("a <> 'y'")
    assert name("a <> 'x'") == name("a <> 'x'")


def test_constraints_say_what_they_are_about() -> None:
    item = entity(
        "Post",
        text_column("a", checks=(Check(pattern="^x$", message="must be x"),)),
        uniques=(UniqueKey("posts_a_key", ("a",)),),
    )
    tables = build_tables(Model(entities={"Post": item}))
    assert tables.constraints["public", "posts", "posts_a_key"].fields == ("a",)
    assert [info.message for info in tables.constraints.values() if info.message] == ["must be x"]


def test_an_enum_becomes_text_with_a_check_and_a_native_one_stays() -> None:
    kind = Column(name="kind", column="kind", type=ValueType("Kind", "text", is_enum=True))
    values = (EnumValue("A"), EnumValue("B"))
    sql = str(
        CreateTable(table_of(entity("Post", kind), enums={"Kind": Enum("Kind", values)})).compile(dialect=DIALECT)
    )
    assert "CHECK (kind IN ('A', 'B'))" in sql
    native = Column(name="kind", column="kind", type=ValueType("Kind", "mood", is_enum=True))
    sql = str(
        CreateTable(table_of(entity("Post", native), enums={"Kind": Enum("Kind", values, native="mood")})).compile(
            dialect=DIALECT
        )
    )
    assert "kind mood" in sql
    assert "CHECK" not in sql


def to_user(**more: object) -> Entity:
    author = Column(name="authorId", column="author_id", type=UUID, relation="author")
    relation = Relation(name="author", target="User", kind=RelationKind.TO_ONE, on=(("author_id", "id"),))
    return entity("Post", author, text_column("slug"), relations=(relation,), **more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"posts_author_id_idx"}),
        ({"indexes": (Index(("authorId", "slug")),)}, {"posts_author_id_slug_idx"}),
        ({"indexes": (Index(("slug", "authorId")),)}, {"posts_author_id_idx", "posts_slug_author_id_idx"}),
        ({"indexes": (Index(("authorId",), using="hash"),)}, {"posts_author_id_idx", "posts_author_id_hash_idx"}),
        ({"uniques": (UniqueKey("posts_author_id_slug_key", ("authorId", "slug")),)}, set()),
    ],
)
def test_a_foreign_key_gets_an_index_unless_one_starts_with_it(more: dict[str, object], expected: set[str]) -> None:
    assert {index.name for index in table_of(to_user(**more), entity("User")).indexes} == expected


def test_a_relation_to_a_view_is_no_foreign_key() -> None:
    view = entity("User", view_sql="SELECT 1 AS id")
    assert table_of(to_user(), view).foreign_key_constraints == set()


def test_views_have_tables_that_migrations_do_not_see() -> None:
    tables = build_tables(Model(entities={"V": entity("V", text_column("a"), view_sql="SELECT 1")}))
    assert list(tables.of("V").columns.keys()) == ["id", "a"]
    assert dict(tables.metadata.tables) == {}


def test_search_is_one_generated_column_with_a_gin_index() -> None:
    tags = Column(name="tags", column="tags", type=ValueType("String", "text", is_list=True))
    fields = (SearchField("a", "A", "english"), SearchField("tags", "B", "simple"))
    table = table_of(entity("Post", text_column("a"), tags, search=fields))
    computed = table.c["search_vector"].computed
    assert computed is not None
    assert "setweight(to_tsvector('simple'::regconfig, coalesce(clew.search_text(tags), '')), 'B')" in str(
        computed.sqltext
    )
    assert {index.name for index in table.indexes} == {"posts_search_vector_idx"}


def test_long_names_are_cut_in_bytes_and_stay_apart() -> None:
    names = set()
    for ending in ("a", "b"):
        long = f"é{'x' * 55}_{ending}"
        item = entity("Post", Column(name="a", column=long, type=TEXT, checks=(Check(sql="true"),)))
        names |= {str(each.name) for each in table_of(item).constraints if isinstance(each, sa.CheckConstraint)}
    assert len(names) == 2
    assert all(len(name.encode()) <= 63 for name in names)


def test_three_hundred_entities_are_built_at_once() -> None:
    def big(number: int) -> Entity:
        other = Column(name="otherId", column="other_id", type=UUID, relation="other")
        relation = Relation(
            name="other", target=f"E{(number + 1) % 300}", kind=RelationKind.TO_ONE, on=(("other_id", "id"),)
        )
        return entity(f"E{number}", other, *(text_column(f"c{i}") for i in range(8)), relations=(relation,))

    model = Model(entities={f"E{number}": big(number) for number in range(300)})
    start = time.perf_counter()
    build_tables(model)
    assert time.perf_counter() - start < 1.5  # 0.15 s on an idle machine


def test_identifiers_are_found_outside_of_strings_and_comments() -> None:
    sql = """lower("Na""me") || 'not this, it''s' || E'nor \\' this' || $$nor this$$ -- nor\n || B2 /* nor */ || 1e5"""
    assert identifiers(sql) == {"lower", 'Na"me', "b2"}
    assert replace_identifiers("a + 'a' + aa + \"a\"", {"a": "Order"}) == '"Order" + \'a\' + aa + "Order"'


def test_a_list_of_expressions_is_split_at_its_own_commas() -> None:
    assert split_list("lower(a), coalesce(b, 'x,y'), c[1,2]") == ["lower(a)", "coalesce(b, 'x,y')", "c[1,2]"]
