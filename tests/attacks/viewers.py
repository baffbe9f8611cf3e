"""Who attacks, and what most attacks get."""

from __future__ import annotations

from typing import Any

from clew.errors import Code
from tests.attacks.attack import Gives, Refused, Who

USER = frozenset({"user"})
EDITOR = frozenset({"user", "editor"})
EU = {"regions": ["eu"]}

ANON = Who()
# Of team t3. The editor is of no team.
M3 = Who("m3", USER, EU)
M3_EDITOR = Who("m3", EDITOR, EU)
STRANGER = Who("stranger", USER, EU)
STRANGE_EDITOR = Who("stranger", EDITOR, EU)
VIEWERS = {"anon": ANON, "user": M3, "editor": M3_EDITOR}

BAD_INPUT = Refused((Code.BAD_USER_INPUT,))
INVALID = Refused((Code.GRAPHQL_VALIDATION_FAILED,))
TOO_LARGE = Refused((Code.LIMIT_EXCEEDED,))
TOO_LONG_A_NUMBER = Refused(
    (Code.BAD_USER_INPUT,), "The number has too many digits: at most 1000 characters are allowed."
)


def rows(field: str, *keys: Any) -> Gives:
    """A list field whose rows have these ids, in this order."""
    return Gives({field: [{"id": key} for key in keys]})
