"""SQL statements as Python source in a revision file."""

from __future__ import annotations

import ast
import re

# sqlalchemy.text() takes `:name` for a bind, and strips the backslash of `\:name`.
_BIND = re.compile(r"(?<![:\w\x5c]):(?=\w+(?![:\w]))")
_ESCAPED = re.compile(r"\x5c(?=:\w*(?![:\w]))")
_SHORT = 100  # the longest statement, in characters, that stands on the line of its op.execute


def escape(sql: str) -> str:
    """Escape `sql` so that `op.execute(...)`, which reads it as `sqlalchemy.text`, runs it unchanged."""
    return _BIND.sub(r"\\:", _ESCAPED.sub(r"\\\\", sql))


def python_literal(text: str) -> str:
    """Return a Python literal of `text`: triple-quoted and readable if that is exact, else escaped."""
    if all(character.isprintable() or character == "\n" for character in text) and '"""' not in text:
        for prefix in ("", "r") if "\\" not in text else ("r",):
            literal = f'{prefix}"""{text}"""'
            if not text.endswith(('"', "\\")) and ast.literal_eval(literal) == text:
                return literal
    return repr(text)


def execute_line(sql: str) -> str:
    """Return one line (or block) of an upgrade or downgrade function."""
    text = escape(sql)
    if text.isprintable() and len(text) <= _SHORT and not set(text) & {'"', "\\"}:
        return f'op.execute("{text}")'
    return f"op.execute({python_literal(f'{chr(10)}{text}{chr(10)}')})"
