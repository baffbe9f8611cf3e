"""The generated schema of many models is a valid one, and says what it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    Source,
    get_introspection_query,
    graphql_sync,
    print_schema,
    validate_schema,
)
from graphql import (
    build_schema as schema_of,
)

from clew.model.build import parse_model
from clew.schema.build import build_schema
from tests.properties.models import make_case


def valid(sdl: str) -> dict[str, dict[str, str]]:
    """The types' fields with their types as text, of a schema held against graphql-core's own rules."""
    schema = build_schema(parse_model(Source(sdl, "test.graphql")))
    text = print_schema(schema)
    # Anew from the text: the generated one is marked as valid, and would not be looked at.
    read = schema_of(text)
    assert validate_schema(read) == []
    assert print_schema(read) == text
    return {
        name: {key: str(field.type) for key, field in type_.fields.items()}
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInputObjectType)
    }


@pytest.mark.parametrize("seed", range(40))
def test_random_models_have_valid_schemas_that_print_and_read_back(seed: int) -> None:
    case = make_case(seed)
    fields = valid(case.sdl)
    for entity in case.model.entities.values():
        shown = fields[entity.name]
        for column in entity.columns:
            assert (column.name in shown) is not column.hidden
            assert column.hidden or shown[column.name].endswith("!") is not column.nullable
        assert fields["Query"][entity.plural] == f"[{entity.name}!]!"
        for key in (entity.single, *(unique.lookup for unique in entity.uniques if unique.lookup)):
            assert fields["Query"][key] == entity.name


# Each kind of field, key, relation and generated type once.
SHELVES = '''
"""A person who writes."""
type Author @table {
  id: ID! @id
  "As on the cover."
  name: String! @unique
  books: [Book!]!
}

enum Binding { HARD SOFT }

type Book @table {
  id: Int! @id
  title: String! @search
  pages: Int!
  binding: Binding
  tags: [String!]! @default(value: [])
  printed: Date
  author: Author
  deletedAt: DateTime @softDelete
  version: Int! @version
}
'''


def test_the_generated_schema_is_that_of_the_file(pytestconfig: pytest.Config) -> None:
    text = print_schema(build_schema(parse_model(Source(SHELVES, "shelves.graphql")))) + "\n"
    file = Path(__file__).with_name("generated.graphql")
    if pytestconfig.getoption("--write-golden"):
        file.write_text(text)
    assert text == file.read_text()


def test_introspection_tells_the_schema() -> None:
    schema = build_schema(make_case(3).model)
    result = graphql_sync(schema, get_introspection_query(input_value_deprecation=True, one_of=True))
    assert result.errors is None
    assert result.data is not None
    assert {type_["name"] for type_ in result.data["__schema"]["types"]} == set(schema.type_map)


def test_a_to_one_is_null_where_its_row_may_be_gone() -> None:
    fields = valid(
        """
        type Post @table {
          id: ID! @id
          author: User!
          editor: User
          topic: Topic!
          note: Note
        }
        type User @table { id: ID! @id  posts: [Post!]! @relation(from: author)  deletedAt: DateTime @softDelete }
        type Topic @table { id: ID! @id  posts: [Post!]! }
        type Note @table { id: ID! @id  post: Post! @unique }
        """
    )
    post = fields["Post"]
    assert post["author"] == "User"  # soft-deleted, though its key is required
    assert post["authorId"] == "ID!"
    assert (post["editor"], post["editorId"]) == ("User", "ID")
    assert post["topic"] == "Topic!"
    assert post["note"] == "Note"
    assert fields["User"]["posts"] == "[Post!]!"


def test_what_is_hidden_is_in_no_type() -> None:
    sdl = """
    type User @table @unique(fields: [email, pin]) {
      id: ID! @id
      email: String! @unique
      pin: String @hidden @unique
      boss: User @hidden
      reports: [User!]! @relation(from: boss) @hidden
    }
    """
    text = print_schema(build_schema(parse_model(Source(sdl, "test.graphql"))))
    for word in ("pin", "Pin", "boss", "reports"):
        assert word not in text


def test_keys_are_arguments_of_their_own_types() -> None:
    sdl = """
    type Shelf @table { id: BigInt! @id }
    type Slot @table { shelf: Shelf! @id  number: Int! @id  label: String! @unique }
    """
    query = build_schema(parse_model(Source(sdl, "test.graphql"))).query_type
    assert query is not None
    given = {name: {key: str(a.type) for key, a in field.args.items()} for name, field in query.fields.items()}
    assert given["slot"] == {"shelfId": "BigInt!", "number": "Int!"}
    assert given["slotByLabel"] == {"label": "String!"}
    assert given["slots"] == {"where": "SlotFilter", "orderBy": "[SlotOrderBy!]", "limit": "Int", "offset": "Int"}


def test_a_type_without_sortable_columns_has_no_order_by() -> None:
    fields = valid('type Log @view(sql: "SELECT 1") { data: JSON }')
    assert "LogOrderBy" not in fields


SHOP = """
type Shop @table @allow(role: user, where: {{salesAggregate: {{count: {{lt: 3}}}}}}) {{
  id: ID! @id
  sales: [Sale!]!
}}
type Sale @table({without}) @allow(role: user) {{
  id: ID! @id
  shop: Shop!
  price: Int!
}}
"""


@pytest.mark.parametrize(
    ("without", "fields", "types"),
    [
        (
            "CONNECTION",
            {"Query.salesConnection", "Subscription.salesConnection", "Shop.salesConnection"},
            {"SaleConnection", "SaleEdge"},
        ),
        (
            "AGGREGATE",
            {
                *("Query.salesAggregate", "Subscription.salesAggregate", "Shop.salesAggregate"),
                *("ShopFilter.salesAggregate", "ShopOrderBy.salesAggregate"),
            },
            {
                *("SaleAggregate", "SaleAggregateFilter", "SaleAggregateOrderBy"),
                *(f"SaleAggregate{name}Filter" for name in ("CountDistinct", "Sum", "Avg", "MinMax")),
            },
        ),
        (
            "GROUPS",
            {"Query.salesGroups", "Subscription.salesGroups"},
            {"SaleGroupBy", "SaleGroupRow", "SaleGroupRowKey", "SaleGroupRowOrderBy"},
        ),
        (
            "BULK",
            {
                f"Mutation.{name}"
                for name in ("createSales", "updateSales", "updateManySales", "upsertSales", "deleteSales")
            },
            {"SaleBulk"},
        ),
        ("UPSERT", {"Mutation.upsertSale", "Mutation.upsertSales"}, {"SaleField", "SaleKey"}),
    ],
)
def test_an_entity_can_do_without_a_kind_of_fields_and_their_types(
    without: str, fields: set[str], types: set[str]
) -> None:
    def named(argument: str) -> set[str]:
        found = valid(SHOP.format(without=argument))
        return {f"{type_}.{name}" for type_, its in found.items() for name in its}

    usual, less = named('name: "sales"'), named(f"without: {without}")
    assert not less - usual
    gone = {name.partition(".")[0] for name in usual} - {name.partition(".")[0] for name in less}
    assert gone >= types & {name.partition(".")[0] for name in usual}
    assert {name for name in usual - less if name.partition(".")[0] not in gone} == fields
    # No list of a shop's sales and none of the root fields for one row is gone.
    assert {"Query.sales", "Query.sale", "Shop.sales", "Mutation.createSale", "Mutation.deleteSale"} <= less


def test_an_entity_without_all_that_it_can_do_without_keeps_lists_and_writes_of_one_row() -> None:
    fields = valid(SHOP.format(without="without: [CONNECTION, AGGREGATE, GROUPS, BULK, UPSERT]"))
    sales = {name for name in (*fields["Query"], *fields["Mutation"]) if "ale" in name}
    assert sales == {"sale", "sales", "createSale", "updateSale", "deleteSale"}
    assert list(fields["Shop"]) == ["id", "sales"]
    assert list(fields["ShopOrderBy"]) == ["id"]


def test_a_name_that_an_entity_does_without_is_free_and_rules_use_aggregates_all_the_same() -> None:
    own = "extend type Query { salesAggregate: Int  salesGroups: Int } extend type Mutation { upsertSales: Int }"
    model = parse_model(Source(SHOP.format(without="without: [AGGREGATE, GROUPS, UPSERT]") + own, "test.graphql"))
    assert "salesAggregate" not in model.root_fields
    assert "upsertSales" not in model.write_fields
    text = print_schema(build_schema(model))
    assert "salesAggregate: Int\n" in text
    assert "upsertSales: Int\n" in text


def test_a_type_without_sortable_columns_and_aggregates_has_no_order_by() -> None:
    sdl = """
    type Log @table { data: JSON  id: ID! @id @hidden  lines: [Line!]! }
    type Line @table(without: AGGREGATE) { id: ID! @id  log: Log! }
    """
    fields = valid(sdl)
    assert "LogOrderBy" not in fields
    assert set(fields["LineOrderBy"]) == {"id", "logId"}


def test_arguments_are_described_once_at_the_field_of_query() -> None:
    schema = build_schema(parse_model(Source(SHOP.format(without="without: []"), "test.graphql")))
    query, shop = schema.type_map["Query"], schema.type_map["Shop"]
    assert isinstance(query, GraphQLObjectType)
    assert isinstance(shop, GraphQLObjectType)
    for name in ("sales", "salesConnection", "salesAggregate"):
        assert all(argument.description for argument in query.fields[name].args.values())
        assert {key: str(a.type) for key, a in query.fields[name].args.items()} == {
            key: str(a.type) for key, a in shop.fields[name].args.items()
        }
        assert not any(argument.description for argument in shop.fields[name].args.values())
