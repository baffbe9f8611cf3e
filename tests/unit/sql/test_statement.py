"""Plans compiled to SQL text: names stay whole, marks stand for binds alone. No database."""

from __future__ import annotations

import gc
import json
import re
from typing import Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, Source, parse, validate

from clew.access.sight import ADMIN, Sight
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.model.build import parse_model
from clew.model.types import Operation
from clew.plan.read import plan_query, plan_rows
from clew.schema.build import build_schema
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement, compile_read, compile_row_argument_check, compile_rows
from clew.sql.tables import build_tables


def compiled(sdl: str, document: str, variables: dict[str, Any] | None = None) -> Statement:
    model = parse_model(Source(sdl, "test.graphql"))
    schema = build_schema(model)
    parsed = parse(document)
    assert validate(schema, parsed) == []
    (operation,) = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    plan = plan_query(Access(model), schema, operation, fragments, variables or {}, ADMIN, Limits())
    return compile_read(plan, model, build_tables(model), Cursors("secret"))


@pytest.mark.parametrize(
    "name", ["x" * 63, "%(p0)s", "%(0)s", "%s", "100%", ":x", "$1", "?", "__[POSTCOMPILE_p0]", "a.b"]
)
def test_any_name_of_a_column_stands_in_the_statement_as_it_is(name: str) -> None:
    sdl = f"type T @table {{ id: Int! @id  a: String @column(name: {json.dumps(name)})  up: T }}"
    document = '{ ts(where: {a: {eq: "q"}}, orderBy: {a: ASC}) { a up { a } } }'
    statement = compiled(sdl, document)
    without_constants = re.sub(r"'[^']*'", "", statement.sql)
    names = set(re.findall(r'"([^"]+)"', without_constants)) | set(re.findall(r"\bx{57,}\w*", without_constants))
    assert names == {name}
    assert len(statement.arguments) == 1
    assert re.findall(r"\$\d+::", statement.sql) == ["$1::"]


def test_what_looks_like_a_bind_in_a_computed_expression_is_text() -> None:
    sdl = "type T @table { id: Int! @id  c: String @computed(sql: \"'%(p0)s %(0)s :x $1'\") }"
    sql = compiled(sdl, '{ ts(where: {c: {eq: "q"}}) { c } }').sql
    assert sql.count("('%(p0)s %(0)s :x $1')") == 2


def test_names_that_a_statement_makes_up_step_aside_for_columns() -> None:
    sdl = """
    type T @table {
      id: Int! @id
      a: String @column(name: "clew_key0")
      b: String @column(name: "clew_row")
      c: String @computed(sql: "clew_row || clew_key0")
      up: T
    }
    """
    sql = compiled(sdl, "{ tsConnection(orderBy: {b: ASC}) { nodes { a c up { id } } } }").sql
    assert "AS clew_key0_" in sql
    assert "AS clew_row_" in sql


def test_a_computed_field_beside_joins_reads_its_own_row_alone() -> None:
    sdl = """
    type T @table { id: Int! @id  a: String!  b: String! @computed(sql: "a || 'x'")  up: T }
    """
    sql = compiled(sdl, "{ ts { b up { b } } }").sql
    assert sql.count("(a || 'x')") == 2
    # Above the join: what cannot be worked out for a row that nothing is joined to harms nobody.
    assert "(a || 'x')" not in sql.partition(" LEFT OUTER JOIN ")[2]
    assert "LATERAL (SELECT page1.id AS id, page1.a AS a" in sql


@pytest.mark.parametrize(
    ("column", "operand", "expected"),
    [
        ('[String!] @column(type: "varchar(5)")', '{hasAny: ["a"]}', "CAST($1::TEXT[] AS VARCHAR[])"),
        ('[Int!] @column(type: "smallint")', "{eq: [1]}", "CAST($1::INTEGER[] AS SMALLINT[])"),
        (
            '[DateTime!] @column(type: "timestamp")',
            '{hasAll: ["2026-01-01T00:00Z"]}',
            "AS TIMESTAMP WITHOUT TIME ZONE[]",
        ),
        ('[Decimal!] @column(type: "numeric(5,2)")', '{has: "1.005"}', "$1::NUMERIC = any"),
        ('Decimal @column(type: "numeric(5,2)")', '{in: ["1.005"]}', "any($1::TEXT[]::NUMERIC[])"),
        ('String @column(type: "inet")', '{like: "1%"}', "CAST(t0.a AS TEXT) LIKE $1::TEXT"),
        ('String @column(type: "varchar(5)")', '{like: "1%"}', "t0.a LIKE $1::TEXT"),
        ("String", '{startsWith: "a%"}', "t0.a LIKE $1::TEXT"),
    ],
)
def test_operands_are_compared_as_postgres_can(column: str, operand: str, expected: str) -> None:
    sdl = f"type T @table {{ id: Int! @id  a: {column} }}"
    assert expected in compiled(sdl, f"{{ ts(where: {{a: {operand}}}) {{ id }} }}").sql


def test_a_moment_with_zone_and_precision_is_one_with_zone() -> None:
    sdl = """
    type T @table {
      id: Int! @id
      zoned: DateTime @column(type: "timestamp(3) with time zone")
      local: DateTime @column(type: "timestamp(3)")
      locals: [DateTime!] @column(type: "timestamp")
    }
    """
    sql = compiled(sdl, "{ ts { zoned local locals } }").sql
    assert "to_json(page1.zoned)" in sql
    assert "timezone('UTC', page1.local)" in sql
    assert "CAST(page1.locals AS TIMESTAMP WITH TIME ZONE[])" in sql


def test_only_a_views_row_by_key_needs_a_limit() -> None:
    sdl = """
    type T @table { id: Int! @id  v: V @relation(from: t) }
    type V @view(sql: "SELECT 1 AS t_id") { t: T! @id  n: Int }
    """
    assert "LIMIT 1" not in compiled(sdl, "{ t(id: 1) { id } }").sql
    assert compiled(sdl, "{ v(tId: 1) { n } }").sql.count("LIMIT 1") == 1
    sql = compiled(sdl, "{ ts(orderBy: {v: {n: ASC}}) { v { n } } }").sql
    assert sql.count("LIMIT 1") == sql.count("FROM vs") > 1


KEYED = """
type Note
  @table
  @guard(to: UPDATE, where: {open: true})
  @allow(role: user, to: [READ, UPDATE], where: {by: "$auth.sub"}) {
  book: Book! @id
  number: Int! @id
  by: String!
  open: Boolean!
}
type Book @table @allow(role: user) { id: ID! @id title: String! }
extend type Query { best: [Note] @allow(role: user) }
"""


def test_rows_by_key_are_joined_to_the_keys_masked_and_in_their_order() -> None:
    model = parse_model(Source(KEYED, "test.graphql"))
    access = Access(model)
    sight = Sight(False, frozenset({"user"}), access.rules.claims(frozenset({"user"})))
    (operation,) = parse("{ best { number book { title } } }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    read = plan_rows(access, build_schema(model), model.entity("Note"), (field,), {}, {}, sight, Limits())
    statement = compile_rows(read, model, build_tables(model), Cursors("secret"))
    assert statement.sql == (
        "SELECT convert_to('[' || (coalesce(string_agg(CASE WHEN j1.book_id IS NOT NULL"
        " THEN '{\"number\":' || coalesce(CAST(j1.number AS TEXT), 'null') || ',\"book\":' || ("
        "CASE WHEN j3.id IS NOT NULL THEN '{\"title\":' || coalesce(CAST(to_json(j3.title) AS TEXT), 'null') || '}'"
        " ELSE 'null'::text END || '}') ELSE 'null'::text END,"
        " ',' ORDER BY clew_given.clew_position), '') || ']'), 'UTF8') AS r0 \n"
        "FROM unnest($1::UUID[], $2::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_key1, clew_position)"
        " LEFT OUTER JOIN LATERAL (SELECT t0.book_id AS book_id, t0.number AS number \n"
        "FROM notes AS t0 \n"
        "WHERE t0.book_id = clew_given.clew_key0 AND t0.number = clew_given.clew_key1 AND t0.by = $3::TEXT)"
        " AS j1 ON true"
        " LEFT OUTER JOIN LATERAL (SELECT t2.id AS id, t2.title AS title \n"
        "FROM books AS t2 \n"
        "WHERE t2.id = j1.book_id) AS j3 ON true"
    )
    assert [operand.place for operand in statement.operands][:2] == ["bookId", "number"]


def test_keys_are_judged_by_rules_and_guards_of_the_operation_over_visible_rows() -> None:
    model = parse_model(Source(KEYED, "test.graphql"))
    access = Access(model)
    sight = Sight(False, frozenset({"user"}), access.rules.claims(frozenset({"user"})))
    checks = {"note": access.nameable(model.entity("Note"), sight, Operation.UPDATE)}
    assert compile_row_argument_check(checks, model, build_tables(model), Cursors("secret")).sql == (
        "SELECT NOT (EXISTS (SELECT 1 \n"
        "FROM unnest($1::UUID[], $2::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_key1, clew_position) \n"
        "WHERE NOT (EXISTS (SELECT 1 \n"
        "FROM notes AS t0 \n"
        "WHERE t0.book_id = clew_given.clew_key0 AND t0.number = clew_given.clew_key1 "
        "AND t0.by = $3::TEXT AND t0.open = true"
        " AND t0.by = $3::TEXT)))) AS r0"
    )


def test_a_large_statement_leaves_nothing_to_the_garbage_collector() -> None:
    """What it is built of goes when it is written: found all at once it would stop everything for as long."""
    sdl = """
        type Note @table @allow(role: user, where: {author: {id: 1}}) { id: Int! @id  text: String!  author: User! }
        type User @table @allow(role: user, where: {id: 1}) { id: Int! @id  notes: [Note!]! }
        """
    parts = " ".join(f'{{author: {{notes: {{some: {{text: {{eq: "{n}"}}}}}}}}}}' for n in range(60))
    document = (
        f"{{ notes(where: {{or: [{parts}]}}) {{ id author {{ id notes {{ id }} }} }}"
        " notesConnection { totalCount nodes { id } } notesAggregate { count } }"
    )
    model = parse_model(Source(sdl, "circles.graphql"))
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    sight = Sight(admin=False, roles=frozenset({"user"}))
    plan = plan_query(Access(model), build_schema(model), operation, {}, {}, sight, Limits())
    tables, cursors = build_tables(model), Cursors("secret")
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        assert len(compile_read(plan, model, tables, cursors).sql) > 16 * 1024
        gc.collect()
        # Of thousands some that a connection's page is made of.
        assert sum(type(found).__module__.startswith("sqlalchemy") for found in gc.garbage) < 10
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_what_opens_many_fields_is_written_once_and_stands_at_each() -> None:
    sdl = """
        type Note @table @allow(role: user, fields: [id]) @allow(role: user, where: {author: {id: 1}}) {
          id: Int! @id  text: String  more: String  author: User!
        }
        type User @table @allow(role: user) { id: Int! @id }
        """
    model = parse_model(Source(sdl, "once.graphql"))
    document = '{ notes(where: {or: [{text: {eq: "a"}}, {more: {eq: "b"}}]}, orderBy: {text: ASC}) { id text more } }'
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    sight = Sight(admin=False, roles=frozenset({"user"}))
    plan = plan_query(Access(model), build_schema(model), operation, {}, {}, sight, Limits())
    statement = compile_read(plan, model, build_tables(model), Cursors("secret"))
    opened = re.findall(r"WHEN \(EXISTS \(.*?\)\) THEN", statement.sql, re.DOTALL)
    # Two fields, and within the inner SELECT two conditions and a key to order by.
    assert len(opened) == 5
    assert len(set(opened[:2])) == 1
    assert len(set(opened[2:])) == 1
    # The same value each time.
    assert [operand.place for operand in statement.operands].count("id.eq") == 1


LIBRARY = """
type Book @table {
  id: Int! @id
  author: Author! @index
  shelf: Shelf @index
  size: Int!
  ratio: Float @computed(sql: "10 / size")
}
type Author @table {
  id: Int! @id
  name: String!
  country: Country! @index
  books: [Book!]!
  profile: Profile @relation(from: "author")
}
type Country @table { id: Int! @id  name: String! }
type Profile @table { id: Int! @id  author: Author! @unique  text: String! }
type Shelf @view(sql: "SELECT 1 AS id, 2 AS floor UNION ALL SELECT 1, 3") { id: Int! @id  floor: Int! }
"""
AUTHOR = 'author: {country: {name: {eq: "q"}}}'


@pytest.mark.parametrize(
    ("where", "joins", "exists"),
    {
        "to-ones": (f"{{{AUTHOR}}}", 2, 0),
        "beside others": (f"{{size: {{gt: 1}}, {AUTHOR}}}", 2, 0),
        "in and": (f"{{and: [{{size: {{gt: 1}}}}, {{{AUTHOR}}}]}}", 2, 0),
        "in or": (f"{{or: [{{size: {{gt: 1}}}}, {{{AUTHOR}}}]}}", 1, 1),
        "in not": (f"{{not: {{{AUTHOR}}}}}", 1, 1),
        "of a view, whose key may be there twice": ("{shelf: {floor: {gt: 1}}}", 0, 1),
        "to the other row's unique field": ('{author: {profile: {text: {eq: "q"}}}}', 1, 1),
        "within some": (f"{{author: {{books: {{some: {{{AUTHOR}}}}}}}}}", 3, 1),
        "beside a condition that may raise": (f"{{ratio: {{gt: 1}}, {AUTHOR}}}", 1, 1),
    }.values(),
)
def test_a_filter_through_a_to_one_is_a_join_where_rows_must_meet_it(where: str, joins: int, exists: int) -> None:
    sql = compiled(LIBRARY, f"{{ books(where: {where}) {{ id }} }}").sql
    assert (sql.count("JOIN LATERAL"), sql.count("EXISTS (")) == (joins, exists)


def test_an_aggregate_and_a_connection_join_what_they_filter_through() -> None:
    document = f"""{{
      booksAggregate(where: {{{AUTHOR}}}) {{ count }}
      booksConnection(where: {{{AUTHOR}}}, first: 1) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage }} }}
      booksGroups(by: [{{size: VALUE}}], where: {{{AUTHOR}}}) {{ count }}
    }}"""
    sql = compiled(LIBRARY, document).sql
    assert (sql.count("JOIN LATERAL"), sql.count("EXISTS (")) == (8, 0)


def test_a_join_of_a_filter_has_no_name_of_a_column() -> None:
    """Its computed columns name columns without a table."""
    sdl = 'type T @table { id: Int! @id  up: T  clew_found: Int  twice: Int @computed(sql: "clew_found * 2") }'
    sql = compiled(sdl, "{ ts(where: {up: {up: {clew_found: {eq: 1}}}}) { twice } }").sql
    assert set(re.findall(r"1 AS (\w+)", sql)) == {"clew_found_"}


SHELVES = """
type Shelf @table { id: Int! @id  code: String! @unique  books: [Book!]!  label: Label @relation(from: "shelf")
  twice: Int @computed(sql: "id * 2")  tags: [Tag!]! @relation(through: "ShelfTag")  dust: [Dust!]! }
type Book @table { id: Int! @id  shelf: Shelf! @index  size: Int! }
type Label @table { id: Int! @id  shelf: Shelf! @unique  text: String! }
type Tag @table { id: Int! @id  name: String!  shelfs: [Shelf!]! @relation(through: "ShelfTag") }
type ShelfTag @table { shelf: Shelf! @id  tag: Tag! @id }
type Dust @view(sql: "SELECT 1 AS id, 1 AS shelf_id") { id: Int! @id  shelf: Shelf! }
"""


@pytest.mark.parametrize(
    ("where", "expected"),
    {
        "some": ("{id: {gt: 5}, books: {some: {size: {eq: 1}}}}", ["t1.shelf_id > $1"]),
        "none": ("{id: {lte: 5}, books: {none: {size: {eq: 1}}}}", ["t1.shelf_id <= $1"]),
        "every": ("{id: {gte: 5}, books: {every: {size: {eq: 1}}}}", ["t1.shelf_id >= $1"]),
        "both bounds": ("{id: {gt: 5, lt: 9}, books: {some: {}}}", ["t1.shelf_id > $1", "t1.shelf_id < $2"]),
        "the other row's unique field": ('{id: {gt: 5}, label: {text: {eq: "q"}}}', ["t1.shelf_id > $1"]),
        "equality, from which Postgres concludes itself": ("{id: {eq: 5}, books: {some: {}}}", []),
        "a list": ("{id: {in: [5]}, books: {some: {}}}", []),
        "another column": ('{code: {gt: "a"}, books: {some: {}}}', []),
        "only one of two need hold": ("{or: [{id: {gt: 5}}, {books: {some: {}}}]}", []),
        "a many-to-many": ("{id: {gt: 5}, tags: {some: {}}}", []),
        "a view, whose columns may have other types": ("{id: {gt: 5}, dust: {some: {}}}", []),
        "beside a condition that may raise": ("{id: {gt: 5}, twice: {gt: 1}, books: {some: {}}}", []),
    }.values(),
)
def test_what_a_range_says_of_a_key_is_said_of_the_rows_that_refer_to_it(where: str, expected: list[str]) -> None:
    sql = compiled(SHELVES, f"{{ shelfs(where: {where}) {{ id }} }}").sql
    assert re.findall(r"\w+\.shelf_id [<>]=? \$\d", sql) == expected


def test_a_range_of_texts_is_not_said_of_another_column() -> None:
    """The two may have different collations."""
    sdl = "type A @table { id: String! @id  bs: [B!]! } type B @table { id: Int! @id  a: A! @index }"
    sql = compiled(sdl, '{ as(where: {id: {gt: "q"}, bs: {some: {}}}) { id } }').sql
    assert " > " in sql
    assert "a_id >" not in sql


def test_true_and_false_are_constants() -> None:
    """For them Postgres can use a partial index, and keep a plan."""
    sdl = "type T @table { id: Int! @id  open: Boolean!  flags: [Boolean!]! }"
    document = """query($open: Boolean!) {
      a: ts(where: {open: {eq: true}}) { id }
      b: ts(where: {open: {neq: false}}) { id }
      c: ts(where: {open: {eq: $open}}) { id }
      d: ts(where: {flags: {has: true}}) { id }
    }"""
    statement = compiled(sdl, document, {"open": True})
    conditions = re.findall(r"WHERE (.*?) ORDER BY", statement.sql)
    assert conditions == ["t0.open = true", "t2.open != false", "t4.open = $1::BOOLEAN", "true = any(t6.flags)"]
    assert len(statement.operands) == 1
