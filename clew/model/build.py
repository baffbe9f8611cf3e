"""Turn files or a merged document into the model. Every fault is reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from graphql import Source

from clew.collector import paused
from clew.errors import Diagnostic, SchemaError
from clew.model.access import allow_rules, guard_rules, predicates
from clew.model.columns import build_checks, build_columns
from clew.model.constraints import Constraints
from clew.model.custom import build_enums, build_resolver, changes, crons, custom_fields, custom_types
from clew.model.jobs import STATUS, job_entities, status_enum
from clew.model.keys import Keys
from clew.model.relations import Relations
from clew.model.rules import RULES
from clew.model.scope import EntityType, Scope, description, open_scope
from clew.model.types import Column, Entity, Model, Relation, ResolverField
from clew.sdl import directives as d
from clew.sdl.document import Document, FieldKind, read_document
from clew.sdl.load import parse_sources, read_sources
from clew.sdl.report import Report, location_of, renamed_or_near
from clew.sdl.validate import validate


def load_model(folder: Path, base: Path | None = None) -> Model:
    """Read a project's SDL.

    Args:
        folder: the folder of `.graphql` and `.gql` files. Its `operations/` is skipped.
        base: the folder that file names in errors are relative to. By default they begin with `folder`.

    Raises:
        SchemaError: with every fault of every file, in file order.
    """
    sources, faults = read_sources(folder, base)
    return _compile(sources, faults)


def parse_model(*sources: Source) -> Model:
    """Return the model of sources in memory, as `load_model` does for files.

    Raises:
        SchemaError: with every fault, in the order of the sources.
    """
    return _compile(sources, ())


def build_model(document: Document, report: Report | None = None) -> Model:
    """Resolve a merged document.

    Args:
        document: from `read_document`. It may still hold faults that `validate` reports.
        report: collects the faults for the caller to raise. Without it they are raised here.

    Raises:
        SchemaError: without `report`, with every fault of resolving.
    """
    own = report if report is not None else Report()
    model = _build(open_scope(document, own))
    if report is None:
        own.raise_if_any()
    return model


@paused()
def _compile(sources: Sequence[Source], faults: Sequence[Diagnostic]) -> Model:
    names = [source.name for source in sources]
    unread = [fault.location.file for fault in faults if fault.location is not None]
    report = Report(sorted({*names, *unread}, key=lambda name: Path(name).parts) if unread else names)
    for fault in faults:
        report.add(fault)
    documents = parse_sources(sources, report)
    if len(report):
        # A broken file may have declared anything, so any further fault may only follow from that one.
        report.raise_if_any()
    document = read_document(documents, report)
    if not document.types and not len(report):
        hint = "declare one: type Post @table { id: ID! @id }"
        raise SchemaError((Diagnostic("the schema is empty: no type is declared", hint=hint),))
    validate(document, report)
    model = build_model(document, report)
    report.raise_if_any()
    return model


def _build(scope: Scope) -> Model:
    keys = Keys(scope)
    relations = Relations(scope, keys)
    entities: dict[str, Entity] = {}
    for name, entity in scope.entities.items():
        entities[name] = _entity(scope, entity, keys, relations)
    for link in relations.links.entities():
        entities[link.name] = link
    document = scope.document
    custom = custom_fields(document)
    enums = build_enums(document, (column for entity in entities.values() for column in entity.columns))
    if jobs := job_entities(document, custom):
        entities |= jobs
        enums[STATUS] = status_enum()
    model = Model(
        entities=entities,
        enums=enums,
        custom_types=custom_types(document),
        custom_fields=custom,
        changes=changes(document),
        crons=crons(document),
    )
    for rule in RULES:
        rule(scope, model)
    return model


def _entity(scope: Scope, entity: EntityType, keys: Keys, all_relations: Relations) -> Entity:
    type_ = entity.type
    columns = build_columns(scope, entity, keys.to_ones(entity))
    by_name = {column.name: column for column in columns}
    relations = all_relations.of(entity)
    constraints = Constraints(scope, entity, by_name, {relation.name: relation for relation in relations})
    resolvers = _resolvers(scope, entity, by_name, {relation.name: relation for relation in relations})
    view = type_.first(d.View)
    renamed = type_.first(d.Renamed)
    return Entity(
        name=entity.name,
        table=entity.table,
        schema=entity.schema,
        single=entity.single,
        plural=entity.plural,
        without=entity.without,
        columns=columns,
        relations=relations,
        resolvers=resolvers,
        fields=_field_order(entity, columns, relations, resolvers),
        primary_key=tuple(part.name for part in keys.of(entity.name) if part.name in by_name),
        uniques=constraints.uniques(),
        indexes=constraints.indexes(),
        checks=build_checks(type_),
        search=constraints.search(),
        view_sql=view.sql if view is not None else None,
        renamed_from=renamed.from_ if renamed is not None else None,
        allow=allow_rules(type_.all(d.Allow)),
        guards=guard_rules(type_),
        predicates=predicates(type_),
        description=description(type_.node),
        location=location_of(type_.node.name),
    )


def _field_order(
    entity: EntityType,
    columns: Sequence[Column],
    relations: Sequence[Relation],
    resolvers: Sequence[ResolverField],
) -> tuple[str, ...]:
    """Return the API names in SDL order; a to-one's key comes right before its relation."""
    keys: dict[str, list[str]] = {}
    for column in columns:
        if column.relation is not None:
            keys.setdefault(column.relation, []).append(column.name)
    built = {column.name for column in columns}
    built |= {relation.name for relation in relations} | {resolver.name for resolver in resolvers}
    ordered: list[str] = []
    for name in entity.type.fields:
        ordered += keys.get(name, ())
        if name in built:
            ordered.append(name)
    return tuple(ordered)


def _resolvers(
    scope: Scope, entity: EntityType, columns: Mapping[str, Column], relations: Mapping[str, Relation]
) -> tuple[ResolverField, ...]:
    resolvers: list[ResolverField] = []
    for field in entity.type.fields.values():
        resolver = field.first(d.Resolver)
        if resolver is None or entity.kinds[field.name] is not FieldKind.RESOLVER:
            continue
        requires: list[str] = []
        for name in resolver.requires or ():
            relation = relations.get(name)
            if name in columns:
                requires.append(name)
            elif relation is not None and relation.key:
                message = f'@resolver(requires:) takes columns, and "{name}" is a relation'
                scope.report.error(resolver.given["requires"], message, f"use {', '.join(relation.key)}")
            elif entity.kinds.get(name) is not FieldKind.TO_ONE:
                message = f'@resolver(requires:) names "{name}", which is not a column of "{entity.name}"'
                hint = renamed_or_near(name, entity.type.renamed_fields, columns)
                scope.report.error(resolver.given["requires"], message, hint)
        resolvers.append(build_resolver(field, tuple(requires)))
    return tuple(resolvers)
