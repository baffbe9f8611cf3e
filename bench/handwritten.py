"""SQL as an expert would write it for a tree of rows, in several forms; it shares nothing with Clew.

Which form is the fastest depends on the shape, the sizes and the version of Postgres, so the bench takes the best of
them for each case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["one", "many", "sums"]
_Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tree:
    """Rows of a table as JSON: their `fields` by key, and what belongs to each of them.

    Attributes:
        fields: key and SQL of the value; `{t}` stands for the row.
        where: a condition on the row, with `{t}`.
        on: how the row belongs to the one around it: its column, and that one's.
        link: the table between the two, with its columns for the row around it and for this one.
        most: how many rows of a list there are at most.
        columns: what a list must read of the table, for the fields, and for what belongs to its rows.
    """

    table: str
    fields: tuple[tuple[str, str], ...]
    inner: tuple[tuple[str, Kind, Tree], ...] = ()
    where: str = ""
    on: tuple[str, str] = ("id", "id")
    link: tuple[str, str, str] | None = None
    columns: tuple[str, ...] = ("id",)
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write it.

    Attributes:
        rows: JSON by `row_to_json` of a subquery with named columns, else by `json_build_object`.
        joins: to-ones are joined and their JSON is built above the join, else they are scalar subqueries.
        lateral: lists are LATERAL joins, else scalar subqueries.
        grouped: the lists of the outermost rows are joined to them first and aggregated then.
    """

    rows: bool
    joins: bool
    lateral: bool = False
    grouped: bool = False

    @property
    def name(self) -> str:
        parts = ["join, then group" if self.grouped else "lateral" if self.lateral else "subqueries"]
        parts += ["to-ones joined" if self.joins else "to-ones as subqueries"]
        parts += ["row_to_json" if self.rows else "json_build_object"]
        return ", ".join(parts)


FORMS = tuple(
    Form(rows, joins, lateral, grouped)
    for rows in (False, True)
    for joins, lateral, grouped in (
        (False, False, False),
        (True, False, False),
        (True, True, False),
        (True, False, True),
    )
)


def forms_for(tree: Tree, *, is_one: bool = False) -> list[Form]:
    """The forms that differ for a tree; of one row, not of a list, if `is_one`."""
    kinds = {kind for _, kind, _ in _all(tree)}
    lists = kinds & {"many", "sums"}
    outer = [kind for _, kind, _ in tree.inner if kind != "one"]
    return [
        form
        for form in FORMS
        if (lists or not form.lateral)
        and ("one" in kinds or form.joins)
        and (not form.grouped or (len(outer) == 1 and not is_one))
        and not (form.grouped and any(kind != "one" for _, kind, _ in tree.inner[0][2].inner))
    ]


def _all(tree: Tree) -> list[tuple[str, Kind, Tree]]:
    return [found for item in tree.inner for found in (item, *_all(item[2]))]


class Writer:
    """Writes one statement. `page` is a SELECT of the outermost rows, which have the columns of the tree."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._count = 0

    def list_of(self, page: str, tree: Tree) -> str:
        """The array of the page's rows."""
        if self._form.grouped:
            return self._grouped(page, tree)
        return self._array(f"({page})", tree)

    def one_of(self, source: str, tree: Tree) -> str:
        """The object of the one row of a SELECT."""
        name = self._name()
        pairs, joins = self._pairs(tree, name)
        return self._select(pairs, f"({source}) AS {name}{joins}")

    def _name(self) -> str:
        self._count += 1
        return f"a{self._count}"

    def _array(self, source: str, tree: Tree) -> str:
        name, row = self._name(), self._name()
        pairs, joins = self._pairs(tree, name)
        order = f" ORDER BY {name}.id" if joins else ""
        if self._form.rows:
            rows = f"SELECT {_columns(pairs)} FROM {source} AS {name}{joins}{order}"
            return f"(SELECT coalesce(json_agg(row_to_json({row})), '[]'::json) FROM ({rows}) AS {row})"
        item = self._json(pairs)
        return f"(SELECT coalesce(json_agg({item}{order}), '[]'::json) FROM {source} AS {name}{joins})"

    def _select(self, pairs: _Pairs, source: str) -> str:
        """The object of the one row of a FROM."""
        if not self._form.rows:
            return f"(SELECT {self._json(pairs)} FROM {source})"
        row = self._name()
        return f"(SELECT row_to_json({row}) FROM (SELECT {_columns(pairs)} FROM {source}) AS {row})"

    def _pairs(self, tree: Tree, name: str) -> tuple[_Pairs, str]:
        """The keys and values of the row `name`, and what is joined to it."""
        pairs = [(key, sql.format(t=name)) for key, sql in tree.fields]
        joins = ""
        for key, kind, inner in tree.inner:
            value, more = self._inner(kind, inner, name)
            pairs.append((key, value))
            joins += more
        return pairs, joins

    def _json(self, pairs: _Pairs) -> str:
        """An object in place."""
        if self._form.rows:
            row = self._name()
            return f"(SELECT row_to_json({row}) FROM (SELECT {_columns(pairs)}) AS {row})"
        listed = ", ".join(f"'{key}', {sql}" for key, sql in pairs)
        return f"json_build_object({listed})"

    def _inner(self, kind: Kind, tree: Tree, outer: str) -> tuple[str, str]:
        if kind == "one":
            return self._one(tree, outer)
        value = self._sums(tree, outer) if kind == "sums" else self._array(f"({self._belonging(tree, outer)})", tree)
        if not self._form.lateral:
            return value, ""
        name = self._name()
        return f"{name}.v", f" LEFT JOIN LATERAL (SELECT {value} AS v) AS {name} ON true"

    def _one(self, tree: Tree, outer: str) -> tuple[str, str]:
        name = self._name()
        pairs, joins = self._pairs(tree, name)
        on = f"{name}.{tree.on[0]} = {outer}.{tree.on[1]}" + _and(tree.where, name)
        if not self._form.joins:
            return self._select(pairs, f"{tree.table} AS {name}{joins} WHERE {on}"), ""
        value = f"CASE WHEN {name}.id IS NOT NULL THEN {self._json(pairs)} END"
        return value, f" LEFT JOIN {tree.table} AS {name} ON {on}{joins}"

    def _belonging(self, tree: Tree, outer: str) -> str:
        """The rows of a list, in their order."""
        name = self._name()
        columns = ", ".join(f"{name}.{column}" for column in tree.columns)
        if tree.link is None:
            source, on = f"{tree.table} AS {name}", f"{name}.{tree.on[0]} = {outer}.{tree.on[1]}"
        else:
            table, near, far = tree.link
            source = f"{table} AS l JOIN {tree.table} AS {name} ON {name}.id = l.{far}"
            on = f"l.{near} = {outer}.id"
        limit = "" if tree.most is None else f" LIMIT {tree.most}"
        return f"SELECT {columns} FROM {source} WHERE {on}{_and(tree.where, name)} ORDER BY {name}.id{limit}"

    def _sums(self, tree: Tree, outer: str) -> str:
        name = self._name()
        pairs = [(key, sql.format(t=name)) for key, sql in tree.fields]
        condition = f"{name}.{tree.on[0]} = {outer}.{tree.on[1]}{_and(tree.where, name)}"
        return self._select(pairs, f"{tree.table} AS {name} WHERE {condition}")

    def _grouped(self, page: str, tree: Tree) -> str:
        """Join the list of the outermost rows, group by these, and aggregate."""
        ((key, kind, inner),) = (item for item in tree.inner if item[1] != "one")
        name, row = self._name(), self._name()
        columns = ", ".join(f"{name}.{column}" for column in tree.columns)
        if inner.link is None:
            joined = f" LEFT JOIN {inner.table} AS {row} ON {row}.{inner.on[0]} = {name}.{inner.on[1]}"
        else:
            table, near, far = inner.link
            joined = f" LEFT JOIN {table} AS l ON l.{near} = {name}.id"
            joined += f" LEFT JOIN {inner.table} AS {row} ON {row}.id = l.{far}"
        joined += _and(inner.where, row)
        if kind == "sums":
            value = ", ".join(f"{sql.format(t=row)} AS v{n}" for n, (_, sql) in enumerate(inner.fields))
        else:
            own, joins = self._pairs(inner, row)
            joined += joins
            items = f"json_agg({self._json(own)} ORDER BY {row}.id) FILTER (WHERE {row}.id IS NOT NULL)"
            value = f"coalesce({items}, '[]') AS v0"
        grouped = f"SELECT {columns}, {value} FROM ({page}) AS {name}{joined} GROUP BY {columns}"
        outer = self._name()
        pairs = [(k, sql.format(t=outer)) for k, sql in tree.fields]
        if kind == "sums":
            pairs.append((key, self._json([(k, f"{outer}.v{n}") for n, (k, _) in enumerate(inner.fields)])))
        else:
            pairs.append((key, f"{outer}.v0"))
        return f"(SELECT coalesce(json_agg({self._json(pairs)} ORDER BY {outer}.id), '[]') FROM ({grouped}) AS {outer})"


def _columns(pairs: _Pairs) -> str:
    return ", ".join(f'{sql} AS "{key}"' for key, sql in pairs)


def _and(condition: str, name: str) -> str:
    return f" AND {condition.format(t=name)}" if condition else ""
