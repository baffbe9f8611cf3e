"""Find the values that changed rows lead to: the ends of the routes of `clew.plan.dependencies`."""

from __future__ import annotations

from clew.model.types import Model
from clew.plan.dependencies import Route
from clew.sql.binds import compared_type
from clew.sql.literals import quote_name
from clew.sql.types import sql_type


def lookup_statement(route: Route, model: Model, most: int) -> str:
    """Return SQL that finds the values at the end of a route that has hops, as texts, each once.

    Its parameters are a list of texts for each column of the first hop: one item for each changed row.

    Args:
        most: how many values are of use. It returns one more if there are more.
    """
    first, *further = route.hops
    entity = model.entity(first.entity)
    arrays = ", ".join(f"${number}::text[]" for number, _ in enumerate(first.on, 1))
    columns = ", ".join(f"c{number}" for number, _ in enumerate(first.on))
    text = f"unnest({arrays}) AS changed({columns})"
    on = []
    for number, (_, there) in enumerate(first.on):
        column = entity.column_by_sql(there)
        assert column is not None, f"{entity.name}.{there}"
        # SQLAlchemy types print themselves for any dialect.
        on.append(f"t0.{quote_name(there)} = changed.c{number}::{sql_type(compared_type(column.type)).compile()}")
    text += f" JOIN {_table(first.entity, model)} AS t0 ON {' AND '.join(on)}"
    for number, hop in enumerate(further, 1):
        joined = " AND ".join(
            f"t{number}.{quote_name(there)} = t{number - 1}.{quote_name(here)}" for here, there in hop.on
        )
        text += f" JOIN {_table(hop.entity, model)} AS t{number} ON {joined}"
    end = f"t{len(further)}.{quote_name(route.column)}"
    return f"SELECT DISTINCT {end}::text FROM {text} WHERE {end} IS NOT NULL LIMIT {most + 1}"  # noqa: S608 (quoted names)


def _table(entity_name: str, model: Model) -> str:
    entity = model.entity(entity_name)
    name = quote_name(entity.table)
    return name if entity.schema is None else f"{quote_name(entity.schema)}.{name}"
