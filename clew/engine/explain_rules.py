"""Tell which rules the generated fields of a mutation ask, whether or not it runs, and however far it gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from graphql import GraphQLError
from graphql.execution.values import VariableValues, get_argument_values

from clew.access.sight import Sight
from clew.access.visible import Access
from clew.document.collect import collect
from clew.document.prepare import Prepared
from clew.engine.rule_report import Judgement, rules_of_asked
from clew.viewer import Viewer
from clew.writes.order import Order


def rules_of_writes(
    prepared: Prepared,
    values: VariableValues,
    variables: Mapping[str, Any],
    access: Access,
    sight: Sight,
    viewer: Viewer,
) -> Iterator[Judgement]:
    """Yield the rules for all rows that the inputs of an operation name, at every depth.

    Args:
        values: the coerced variables.
        variables: the variables as they were sent.

    Raises:
        ClewError: BAD_USER_INPUT for a null condition.
    """
    root = prepared.schema.mutation_type
    assert root is not None
    order = Order(access, sight)
    sources = prepared.with_sources(values, variables)
    fields = collect([prepared.operation.selection_set], root.name, prepared.fragments, values.coerced)
    for node, *_ in fields.values():
        found = access.model.write_fields.get(node.name.value)
        if found is not None:
            # The response has the error of arguments that do not fit.
            with suppress(GraphQLError):
                arguments = get_argument_values(root.fields[node.name.value], node, sources)
                order.writes(found.entity, found.kind, arguments)
    yield from rules_of_asked(access, order.asked(), sight, viewer)
