"""The plans that Postgres makes for Clew's statements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from clew import Viewer
from clew.access.types import MOST_BYTES
from clew.engine import Engine
from clew.sql.literals import quote_text

CUSTOM, GENERIC, CHOSEN = "force_custom_plan", "force_generic_plan", "auto"


@dataclass(frozen=True)
class Plan:
    """An executed plan: `nodes` as EXPLAIN has them, `blocks` that it read of tables and indexes, cached or not."""

    nodes: tuple[Mapping[str, Any], ...]
    blocks: int

    @property
    def scanned(self) -> list[str]:
        """The tables that were read as a whole."""
        return [node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan"]

    @property
    def touched(self) -> float:
        """The most rows that one node had to look at, those that it threw away included."""
        return max(map(_looked_at, self.nodes))

    @property
    def json_below_joins(self) -> list[str]:
        """What JSON is made of rows before it is known which of them are joined to something."""
        joins = [node for node in self.nodes if "Join" in node["Node Type"] or node["Node Type"] == "Nested Loop"]
        sides = [side for join in joins for side in join["Plans"] if side["Parent Relationship"] in ("Outer", "Inner")]
        below = [node for side in sides for node in _nodes(side)]
        return [text for node in below for text in node.get("Output", ()) if any(name in text for name in _JSON)]


_ADMIN = Viewer.admin()
_JSON = ("json", "concat(", "string_agg(", "'{\"")
_REMOVED = ("Filter", "Join Filter", "Index Recheck")


def _looked_at(node: Mapping[str, Any]) -> float:
    removed = sum(node.get(f"Rows Removed by {what}", 0) for what in _REMOVED)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


async def plans(
    engine: Engine,
    url: str,
    document: str,
    variables: Mapping[str, Any],
    viewer: Viewer = _ADMIN,
    modes: Sequence[str] = (CUSTOM, GENERIC),
) -> dict[str, Plan]:
    """The plans of a query by mode.

    Args:
        url: of the engine's database.
        variables: their values, and those of claims, must be numbers, plain texts, or lists of these.
        viewer: who asks.
        modes: `CUSTOM` is the plan for these values, `GENERIC` the one for any, `CHOSEN` the one of them
            that Postgres settles for when it was asked often enough with these values.
    """
    session = await engine.open(viewer)
    prepared = engine.statements.prepare(session.role, document, None)
    values = prepared.coerce(variables)
    statement = engine.statements.executable(prepared, values, session.sight).statement
    assert statement is not None
    bound = {**session.claims, MOST_BYTES: prepared.limits.response_bytes}
    literals = [_literal(compute(values, bound)) for compute in statement.arguments]
    connection = await asyncpg.connect(url, server_settings={"jit": "off"})
    try:
        # EXPLAIN of a query with parameters plans for their values; only that of EXECUTE can show a generic plan.
        await connection.execute(f"PREPARE guarded AS {statement.sql}")
        run = f"EXECUTE guarded({', '.join(literals)})" if literals else "EXECUTE guarded"
        found = {}
        for mode in modes:
            await connection.execute(f"SET plan_cache_mode = {mode}")
            # The first five are always custom, and the first of all reads more: the catalogue, and hints on rows.
            for _ in range(6):
                await connection.execute(run)
            text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) {run}")
            top = json.loads(text)[0]["Plan"]
            found[mode] = Plan(tuple(_nodes(top)), top["Shared Hit Blocks"] + top["Shared Read Blocks"])
        return found
    finally:
        await connection.close()


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _literal(value: Any) -> str:
    text = f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)
    return quote_text(text)
