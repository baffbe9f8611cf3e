"""Names of SPEC 2."""

from __future__ import annotations

import pytest

from clew.model import names


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("createdAt", "created_at"),
        ("HTTPServer", "http_server"),
        ("AgentRun", "agent_run"),
        ("userID", "user_id"),
        ("already_snake", "already_snake"),
        ("address2Line", "address2_line"),
        ("_private", "_private"),
        ("x", "x"),
    ],
)
def test_snake_case_splits_words_and_acronyms(name: str, snake: str) -> None:
    assert names.snake_case(name) == snake
    assert names.snake_case(snake) == snake


@pytest.mark.parametrize(
    ("type_", "table", "single", "plural"),
    [
        ("AgentRun", "agent_runs", "agentRun", "agentRuns"),
        ("Category", "categories", "category", "categories"),
        ("Day", "days", "day", "days"),
        ("Box", "boxes", "box", "boxes"),
        ("Address", "addresses", "address", "addresses"),
        ("Quiz", "quizzes", "quiz", "quizzes"),
        ("Topaz", "topazes", "topaz", "topazes"),
        ("Stats", "statses", "stats", "statses"),
        ("Branch", "branches", "branch", "branches"),
        ("Wish", "wishes", "wish", "wishes"),
        ("HTTPServer", "http_servers", "httpServer", "httpServers"),
        ("UserAPI", "user_apis", "userApi", "userApis"),
    ],
)
def test_a_type_names_its_table_and_root_fields(type_: str, table: str, single: str, plural: str) -> None:
    assert names.table_name(type_) == table
    assert names.single_field(type_) == single
    assert names.plural_field(type_) == plural


def test_a_given_plural_sets_table_and_list_field() -> None:
    assert names.table_name("Person", "allPeople") == "all_people"
    assert names.plural_field("Person", "allPeople") == "allPeople"


def test_a_to_one_names_its_key() -> None:
    assert names.key_field("author", "id") == "authorId"
    assert names.key_field("country", "code") == "countryCode"
    assert names.key_field("item", "productId") == "itemProductId"
    assert names.key_column("lastEditor", "id") == "last_editor_id"


def test_a_look_up_names_its_fields() -> None:
    assert names.lookup_field("user", ["email"]) == "userByEmail"
    assert names.lookup_field("post", ["author", "slug"]) == "postByAuthorAndSlug"


def test_a_long_constraint_name_is_cut_with_a_hash_of_the_whole() -> None:
    fits = "t" * 59 + "_key"
    assert names.cut(fits) == fits
    one, other = names.cut("t" * 80 + "a"), names.cut("t" * 80 + "b")
    assert one != other
    assert len(one) == 63
    assert one == names.cut("t" * 80 + "a")
    assert len(names.cut("é" * 60).encode()) <= 63


def test_a_unique_name_changes_with_its_condition() -> None:
    plain = names.unique_name("posts", ["author_id", "slug"])
    assert plain == "posts_author_id_slug_key"
    partial = names.unique_name("posts", ["slug"], where="a")
    assert partial != names.unique_name("posts", ["slug"], where="b")
    assert partial != names.unique_name("posts", ["slug"], sql="a")
    assert partial.startswith("posts_slug_")


@pytest.mark.parametrize(("one", "other"), [("User", "UserGroup"), ("Order", "OrderLine"), ("Chat", "ChatGroup")])
def test_common_pairs_of_entities_bring_no_type_twice(one: str, other: str) -> None:
    assert not {*names.generated_types(one), one} & {*names.generated_types(other), other}
