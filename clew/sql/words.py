"""Find and replace the identifiers in a piece of SQL text.

This reads tokens, not grammar: it may mistake a function for a column of the same name. Callers use it where a false
find costs work, but not correctness.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from clew.sql.literals import quote_name

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?\*/ )
  | (?P<escaped> [eE]'(?:[^'\\]|\\.|'')*' )
  | (?P<string> '(?:[^']|'')*' )
  | (?P<dollar> \$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$ )
  | "(?P<quoted>(?:[^"]|"")*)"
  | (?P<plain> [^\W\d][\w$]* )
  | (?P<number> \d[\w.]* )
    """,
    re.VERBOSE | re.DOTALL,
)


def _name(match: re.Match[str]) -> str | None:
    if match["plain"] is not None:
        return match["plain"].lower()
    return match["quoted"].replace('""', '"') if match["quoted"] is not None else None


@lru_cache(maxsize=16384)
def identifiers(sql: str) -> frozenset[str]:
    """Return the names in `sql` outside of strings and comments, in lower case. Quoted names stay as they are."""
    return frozenset(name for match in _TOKEN.finditer(sql) if (name := _name(match)) is not None)


def replace_identifiers(sql: str, names: Mapping[str, str]) -> str:
    """Replace each identifier of `sql` that is a key of `names` by its value."""
    if not names:
        return sql

    def replacement(match: re.Match[str]) -> str:
        name = _name(match)
        return match[0] if name is None or name not in names else quote_name(names[name])

    return _TOKEN.sub(replacement, sql)


def split_list(sql: str) -> list[str]:
    """Split an SQL list at the commas outside of strings, brackets and quotes."""
    items, start, depth, position = [], 0, 0, 0
    while position < len(sql):
        token = _TOKEN.match(sql, position)
        if token is not None:
            position = token.end()
            continue
        character = sql[position]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth == 0:
            items.append(sql[start:position].strip())
            start = position + 1
        position += 1
    items.append(sql[start:].strip())
    return items
