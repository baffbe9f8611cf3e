"""Warn, in `clew check`, of rules that make live queries slow or impossible (docs/subscriptions.md)."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import Source

from clew.access.conditions import Conditions
from clew.errors import Diagnostic
from clew.model.types import AllowRule, Entity, Model, Operation
from clew.plan.dependencies import DependencyKind, rule_dependencies
from clew.sdl.report import Report

_HOW_TO_ROUTE = "compare a field with the claim by `eq` or `in`: one of its own, or one that its relations lead to"
_HOW_TO_LOG = "remove LIVE from @table(without:) there, or add it here"


def warnings(model: Model, sources: Sequence[Source]) -> tuple[Diagnostic, ...]:
    """Return a warning for each READ rule that concerns live queries, in file order.

    Args:
        sources: the files of the SDL. Warnings quote their lines.
    """
    conditions = Conditions(model)
    texts = {source.name: source for source in sources}
    report = Report([source.name for source in sources])
    for entity in model.entities.values():
        if entity.variants or (entity.view_sql is None and not entity.logged):
            # The rules of an interface are those of its types.
            continue
        for rule in entity.allow:
            if Operation.READ not in rule.to or rule.where is None or rule.location is None:
                continue
            found = _fault(conditions, entity, rule, model)
            if found is not None:
                at = rule.location
                report.warning_at(texts[at.file], at.line, at.column, *found)
    return report.diagnostics


def _fault(conditions: Conditions, entity: Entity, rule: AllowRule, model: Model) -> tuple[str, str] | None:
    """Return what is wrong with a rule, and what helps."""
    found, names_claims = rule_dependencies(entity, conditions.condition(entity, rule.where), model)
    if not found:
        # Under this rule a live query has no rows: a job that is seen only in the answer that queues it.
        return None
    rows, *others = found
    for other in others:
        read = model.entity(other.entity)
        if read.view_sql is None and not read.logged:
            message = f"under this rule {entity.name} has no live queries: changes of {read.name} are not logged"
            return message, _HOW_TO_LOG
    if rows.kind is DependencyKind.TABLE and names_claims:
        message = f"under this rule live queries of {entity.name} run again whenever any {entity.name} changes"
        return message, _HOW_TO_ROUTE
    return None
