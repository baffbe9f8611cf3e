"""`@row` on arguments: a resolver runs only for keys of rows that the viewer may use in this way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLResolveInfo
from graphql.pyutils import is_awaitable

from clew.errors import ClewError, Code
from clew.model.types import Model, RowArgument
from clew.sql.keys import Key, read_key

# The keys to judge, by the argument that gave them.
GivenKeys = Mapping[RowArgument, list[Key]]


def with_row_check(resolve: Callable[..., Any], rows: tuple[RowArgument, ...], model: Model) -> Callable[..., Any]:
    """Return a resolver that first checks that the viewer may do the operations on the rows its arguments name.

    An absent or null argument names no row.
    """

    def resolve_checked(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        given = {row: keys for row in rows if (keys := _keys(arguments.get(row.argument), row, model, info))}
        return after(source, info, given, arguments) if given else resolve(source, info, **arguments)

    async def after(source: Any, info: GraphQLResolveInfo[Any], given: GivenKeys, arguments: Mapping[str, Any]) -> Any:
        await info.context.running.check_row_arguments(info, given)
        outcome = resolve(source, info, **arguments)
        return await outcome if is_awaitable(outcome) else outcome

    return resolve_checked


def not_found(row: RowArgument) -> ClewError:
    """Return the one error for a row that is missing, that is hidden, or that the viewer may not use so."""
    return ClewError(f"There is no row for `{row.argument}`.", code=Code.NOT_FOUND)


def _keys(value: Any, row: RowArgument, model: Model, info: GraphQLResolveInfo[Any]) -> list[Key]:
    entity = model.entity(row.entity)
    values = value if isinstance(value, list) else [value]
    keys = (read_key(item, entity, info.schema, row.argument) for item in values if item is not None)
    return list(dict.fromkeys(keys))
