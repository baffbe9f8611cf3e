"""A condition that stands in a statement many times. SQLAlchemy writes its text once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping

# The texts that the compiler of a statement has written.
_WRITTEN: WeakKeyDictionary[SQLCompiler, dict[int, str]] = WeakKeyDictionary()


class Once(ColumnElement[bool]):
    """An element whose text is the same everywhere on one level of a statement.

    Every SELECT here names its FROM items and what it correlates to, and every value is numbered by its name. So the
    text does not depend on its surroundings.
    """

    __visit_name__ = "clew_once"
    inherit_cache = False
    _from_objects: ClassVar[list[Any]] = []

    def __init__(self, element: ColumnElement[bool]) -> None:
        self.type = sa.Boolean()
        self.element = element

    def parts(self) -> Iterable[ColumnElement[Any]]:
        """Return the expressions that it is made of."""
        return (self.element,)

    def self_group(self, against: Any = None) -> Any:
        """Put it into parentheses where `element` would be."""
        return self if self.element.self_group(against) is self.element else Grouping(self)


@compiles(Once)
def _compile_once(element: Once, compiler: SQLCompiler, **options: Any) -> str:
    written = _WRITTEN.setdefault(compiler, {})
    found = written.get(id(element))
    if found is None:
        options = {**options, "within_columns_clause": False, "add_to_result_map": None}
        found = written[id(element)] = compiler.process(element.element, **options)
    return found
