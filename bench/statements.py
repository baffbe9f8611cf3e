"""The SQL of each case as Clew compiles it, written to a file that the bare peer reads.

The bare peer is the limit: the same SQL, without Clew. So it must not import Clew, and it
must not have SQL of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cases import CASES, Case

if TYPE_CHECKING:
    from clew import Clew


@dataclass(frozen=True, slots=True)
class Argument:
    """One `$n`: the operation's variable at `path` (`["where", "id"]` for a member), or a constant."""

    path: tuple[str, ...] = ()
    constant: Any = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A case's SQL. It returns one row with a JSON column for each of `keys`, the root response keys."""

    sql: str
    keys: tuple[str, ...]
    arguments: tuple[Argument, ...] = field(default=())


def compile_cases(project: Path, file: Path, cases: Sequence[Case] = CASES) -> None:
    """Write the statements of all cases to `file`, as `{case: Statement}`."""
    # Imported here only, as the bare peer reads the file through this module and must not load Clew.
    from clew import Clew

    clew = Clew(project=project)
    statements = {case.name: asdict(_compile(clew, case)) for case in cases}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(statements, indent=2) + "\n")


def read_statements(file: Path) -> dict[str, Statement]:
    """What `compile_cases` wrote."""
    return {
        name: Statement(
            sql=raw["sql"],
            keys=tuple(raw["keys"]),
            arguments=tuple(Argument(tuple(a["path"]), a["constant"]) for a in raw["arguments"]),
        )
        for name, raw in json.loads(file.read_text()).items()
    }


def _compile(clew: Clew, case: Case) -> Statement:
    """Ask the engine for one case's statement."""
    variables = case.sample(scale=1, count=1)[0]
    found = clew.compile(case.document, variables)
    return Statement(found.sql, tuple(root.key for root in found.plan.roots), tuple(map(_argument, found.arguments)))


def _argument(source: Any) -> Argument:
    """What Clew says of `$n`: a variable's path as text (`$where.id`), or a constant."""
    if isinstance(source, str) and source.startswith("$"):
        return Argument(path=tuple(source.removeprefix("$").split(".")))
    return Argument(constant=source)
