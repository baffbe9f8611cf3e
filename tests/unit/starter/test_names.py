"""What a new project is called."""

from __future__ import annotations

import pytest

from clew.starter.names import project_name


@pytest.mark.parametrize("name", ["shop", "my_shop", "my-shop", "Shop", "shop.api", "2024", "x"])
def test_a_folder_with_a_valid_name_gives_it(name: str) -> None:
    assert project_name(name) == name


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My Shop!", "my-shop"),
        ("café", "cafe"),
        ("-shop-", "shop"),
        ('"; rm -rf /', "rm-rf"),
        ("a\nb", "a-b"),
        ("店", "project"),
        ("", "project"),
    ],
)
def test_another_gives_the_nearest(folder: str, name: str) -> None:
    assert project_name(folder) == name


@pytest.mark.parametrize("name", ["class", "import", "clew", "Clew", "tests", "app", "graphql", "migrations"])
def test_a_name_that_means_something_else_gets_a_suffix(name: str) -> None:
    assert project_name(name) == f"{name}-project"
