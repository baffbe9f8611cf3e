"""Faults of the project that end a test run with their message alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clew.errors import SchemaError, StartupError


@contextmanager
def told() -> Iterator[None]:
    """Turn a fault of the schema, the settings or the database into a message without a traceback."""
    try:
        yield
    except StartupError as error:
        hint = f"\n  hint: {error.hint}" if error.hint else ""
        pytest.fail(f"error: {error.message}{hint}", pytrace=False)
    except SchemaError as error:
        pytest.fail(str(error), pytrace=False)
