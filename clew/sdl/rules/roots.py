"""`schema {...}` may only repeat Clew's defaults, and an extended type must exist."""

from __future__ import annotations

from graphql import SchemaDefinitionNode

from clew.sdl.directives import Job
from clew.sdl.document import ROOTS, Document, Kind
from clew.sdl.report import Report, did_you_mean


def check(document: Document, report: Report) -> None:
    defined = [node for node in document.schema_nodes if isinstance(node, SchemaDefinitionNode)]
    for again in defined[1:]:
        report.error(again, "schema is declared already", "write: extend schema")
    for schema in document.schema_nodes:
        for operation in schema.operation_types or ():
            wanted = operation.operation.value.capitalize()
            if operation.type.name.value != wanted:
                report.error(operation.type, f"the {operation.operation.value} root type is named {wanted}")
    jobs = {
        field.name[:1].upper() + field.name[1:] + "Job"
        for field in document.root_fields("Mutation").values()
        if field.first(Job)
    }
    known = [name for name, type_ in document.types.items() if type_.is_defined]
    for name, type_ in document.types.items():
        if type_.is_defined or name in ROOTS:
            continue
        if name not in jobs:
            hint = did_you_mean(name, [*known, *jobs]) or f"declare it: {type_.kind.value} {name} ..."
            report.error(type_.node.name, f'the type "{name}" is extended but not declared', hint)
        elif type_.kind is not Kind.OBJECT or type_.fields:
            report.error(type_.node.name, f'the job type "{name}" can be extended by @allow only')
