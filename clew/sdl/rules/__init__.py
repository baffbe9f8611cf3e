"""The rules of the SDL, one a file, in the order in which they run.

A rule is a function that reports every fault of one kind in the merged document. Rules that
need resolved names (columns, relations, keys) are in `clew.model.rules`.
"""

from __future__ import annotations

from collections.abc import Callable

from clew.sdl.document import Document
from clew.sdl.report import Report
from clew.sdl.rules import (
    abstract_types,
    checks,
    computed,
    defaults,
    entities,
    entity_fields,
    field_directives,
    filled_fields,
    interfaces,
    jobs,
    keys,
    known_types,
    presets,
    relations,
    renames,
    reserved_names,
    roots,
    rules_of_access,
    search,
    sql_texts,
    type_directives,
    unique_names,
)

Rule = Callable[[Document, Report], None]

RULES: tuple[Rule, ...] = (
    unique_names.check,
    reserved_names.check,
    roots.check,
    known_types.check,
    interfaces.check,
    abstract_types.check,
    type_directives.check,
    field_directives.check,
    entities.check,
    entity_fields.check,
    keys.check,
    relations.check,
    defaults.check,
    presets.check,
    filled_fields.check,
    computed.check,
    checks.check,
    sql_texts.check,
    renames.check,
    search.check,
    rules_of_access.check,
    jobs.check,
)
