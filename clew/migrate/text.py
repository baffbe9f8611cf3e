"""SQL statements as Python source in a revision file."""

from __future__ import annotations

import ast
import re

# What sqlalchemy.text() would take for a bind (`:name`), and what it would strip the backslash of (`\:name`).
_BIND = re.compile(r"(?<![:\w\x5c]):(?=\w+(?![:\w]))")
_ESCAPED = re.compile(r"\x5c(?=:\w*(?![:\w]))")
_SHORT = 100  # characters of a statement that is written on the line of its op.execute


def escape(sql: str) -> str:
    """`sql` so that `op.execute(...)`, which reads it as `sqlalchemy.text`, runs it as it is."""
    return _BIND.sub(r"\\:", _ESCAPED.sub(r"\\\\", sql))


def python_literal(text: str) -> str:
    """A Python string literal of `text`: triple-quoted and readable where that is exact, else escaped."""
    if all(character.isprintable() or character == "\n" for character in text) and '"""' not in text:
        for prefix in ("", "r") if "\\" not in text else ("r",):
            literal = f'{prefix}"""{text}"""'
            if not text.endswith(('"', "\\")) and ast.literal_eval(literal) == text:
                return literal
    return repr(text)


def execute_line(sql: str) -> str:
    """One line (or block) of an upgrade or downgrade function."""
    text = escape(sql)
    if text.isprintable() and len(text) <= _SHORT and not set(text) & {'"', "\\"}:
        return f'op.execute("{text}")'
    return f"op.execute({python_literal(f'{chr(10)}{text}{chr(10)}')})"
