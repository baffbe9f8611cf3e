"""What a project imports (SPEC 11)."""

from __future__ import annotations

import pytest

import clew


def test_the_names_of_the_contract_are_there() -> None:
    assert {"Clew", "ClewError", "JobContext", "Viewer"} <= set(clew.__all__)
    assert all(hasattr(clew, name) for name in clew.__all__)
    assert set(clew.__all__) <= set(dir(clew))


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'clew' has no attribute 'Crew'"):
        clew.Crew  # type: ignore[attr-defined]  # noqa: B018
