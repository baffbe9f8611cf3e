"""Marks: comments in the code that name a change which need not be noticed, and why.

A mark stands at the end of the line where the changed code begins, or alone above it:

    if found is None:  # alike if true: a cache
    # alike without `isinstance(member, Column)`: a relation is no part of a key
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tokenize import COMMENT, DEDENT, INDENT, NEWLINE, NL, generate_tokens

from tests.mutations.mutants import SOURCES, Mutant, code_text

_MARK = re.compile(r"# (alike|endless)\b *((?:`[^`]*`|[^`:])*)(?:: (.+))?$")
_OF_A_CONDITION = re.compile(r"if (?:`([^`]*)` is )?(true or false|true|false)")


@dataclass(frozen=True)
class Mark:
    """A comment beside code: why a mutant of it need not be noticed.

    Args:
        line: of the code that it is about.
        word: `alike`: it answers as the code does; `endless`: it never answers.
        change: as the mutant has it.
        code: the condition that is changed, where the line has several.
    """

    path: Path
    line: int
    word: str
    change: str
    code: str | None

    def is_about(self, mutant: Mutant) -> bool:
        if (mutant.scope.path, mutant.line, mutant.change) != (self.path, self.line, self.change):
            return False
        return self.code is None or mutant.code == self.code

    def __str__(self) -> str:
        where = f"{self.path.name}:{self.line}: {self.word} {self.change}"
        return where if self.code is None else f"{where}, of `{self.code}`"


def marks() -> Iterator[Mark]:
    """Read the marks of the whole package."""
    for path in SOURCES:
        text = path.read_text()
        if "# alike" in text or "# endless" in text:
            yield from _marks(path, text)


def _marks(path: Path, text: str) -> Iterator[Mark]:
    waiting: list[str] = []
    comments: list[tuple[int, str]] = []
    begun = 0
    for token in generate_tokens(StringIO(text).readline):
        if token.type == COMMENT:
            if begun == token.start[0]:
                comments.append((begun, token.string))
            else:
                # Alone on its line it is about the code below.
                waiting.append(token.string)
        elif token.type not in (NL, NEWLINE, INDENT, DEDENT):
            comments.extend((token.start[0], comment) for comment in waiting)
            waiting.clear()
            begun = token.end[0]
    for line, comment in comments:
        if re.match(r"# (alike|endless)\b", comment):
            mark = _MARK.match(comment)
            assert mark is not None, f"{path}:{line}: {comment} is no mark"
            word, changes, reason = mark.groups()
            assert reason, f"{path}:{line}: {comment} gives no reason"
            for change, code in _changes(changes):
                yield Mark(path, line, word, change, code)


def _changes(text: str) -> Iterator[tuple[str, str | None]]:
    if (condition := _OF_A_CONDITION.fullmatch(text)) is not None:
        code, values = condition.groups()
        for value in values.split(" or "):
            yield f"if {value}", None if code is None else code_text(ast.parse(code, mode="eval"))
    elif (without := re.fullmatch("without `(.*)`", text)) is not None:
        code = without[1]
        # An argument may be `*items`.
        yield f"without `{code_text(ast.parse(f'({code},)', mode='eval').body.elts[0])}`", None  # type: ignore[attr-defined]  # a tuple is parsed
    else:
        yield text, None
