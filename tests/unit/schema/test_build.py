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
