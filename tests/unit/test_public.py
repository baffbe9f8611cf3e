"""What a project imports (SPEC 11)."""

from __future__ import annotations

import clew


def test_the_names_of_the_contract_are_there() -> None:
    assert {"Clew", "ClewError", "JobContext", "Viewer"} <= set(clew.__all__)
    assert all(hasattr(clew, name) for name in clew.__all__)
