"""What the schema of each role has, as a text that a reviewer can read: `schemas.txt`.

A line is a field, how the schema uses it, and the roles that have it so. What a generated type
looks like is the same for every entity, and stands in `tests/unit/schema/generated.graphql`. A
digest of each whole schema is in the text as well, so that no change goes unseen: arguments'
types, descriptions and the order of fields are in it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLNamedType,
    GraphQLSchema,
    print_schema,
)

LISTING = Path(__file__).parent / "schemas.txt"

HEAD = """\
# What the schema of each role has; tests/access/guarded/listing.py says how to read it.
# Written by: pytest tests/access/test_http.py --write-golden
# To see the whole schema of a role: print_schema, or `clew schema --role` in a project.
"""

# The word for a use, and the generated types that have the field then, named by what follows the entity's name.
USES = {
    "read": ("",),
    "filter": ("Filter",),
    "order": ("OrderBy",),
    "group": ("GroupBy", "GroupRowKey"),
    "distinct": (
        "AggregateCountDistinct",
        "AggregateCountDistinctFilter",
        "AggregateCountDistinctOrderBy",
    ),
    "min/max": ("AggregateMinMax", "AggregateMinMaxFilter", "AggregateMinMaxOrderBy"),
    "sum/avg": (
        "AggregateSum",
        "AggregateAvg",
        "AggregateSumFilter",
        "AggregateAvgFilter",
        "AggregateNumberOrderBy",
    ),
    "create": ("CreateInput",),
    "set": ("SetInput",),
    "inc": ("IncInput",),
    "append": ("AppendInput",),
    "key": ("Key", "UniqueInput"),
    "update": ("UpdateInput",),
    "upsert": ("Field",),
}


# The other generated types of an entity.
GENERATED = re.compile(
    "Connection|Edge|ListFilter|Aggregate|AggregateFilter|AggregateOrderBy|GroupRow|GroupRowOrderBy|Bulk|OneInput|Change"
    r"|[A-Z]\w*Many(Create|Set)Input"
)
SUFFIXES = {suffix: use for use, suffixes in USES.items() for suffix in suffixes}


def listing(schemas: Mapping[str, GraphQLSchema]) -> str:
    """Return the text for the schemas of these roles."""
    sections: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for role, schema in schemas.items():
        for section, name, use in _lines(schema):
            sections[section][name, use].append(role)
    digests = "".join(f"# {role}: {_digest(schema)}\n" for role, schema in schemas.items())
    return "\n".join([HEAD + digests, *(_section(name, sections[name], len(schemas)) for name in sorted(sections))])


def _digest(schema: GraphQLSchema) -> str:
    text = print_schema(schema)
    return f"{len(text.splitlines())} lines, sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _section(title: str, lines: Mapping[tuple[str, str], list[str]], number: int) -> str:
    rows = [
        (name, "all" if len(roles) == number else " ".join(roles), use) for (name, use), roles in sorted(lines.items())
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return f"{title}\n" + "".join(
        f"{f'  {name:{first}}  {roles:{second}}  {use}'.rstrip()}\n" for name, roles, use in rows
    )


def _lines(schema: GraphQLSchema) -> Iterator[tuple[str, str, str]]:
    """Yield the section of each line, what it is about and how that is used."""
    types = {name: type_ for name, type_ in schema.type_map.items() if not name.startswith("__")}
    entities = sorted((name for name in types if f"{name}Connection" in types), key=len, reverse=True)
    made: dict[str, dict[str, Mapping[str, Any]]] = {entity: {} for entity in entities}
    for name, type_ in types.items():
        members = _members(type_)
        entity = next((one for one in entities if _is_made_of(one, name)), None)
        if entity is not None:
            made[entity][name.removeprefix(entity)] = members
        elif name in ("Query", "Mutation", "Subscription"):
            yield from ((name, _signature(field, member), "") for field, member in members.items())
        else:
            yield "Other types", name, " ".join(_signature(*member) for member in members.items())
    for entity, by_suffix in made.items():
        own = by_suffix[""]
        fields = own.keys() | {key for suffix in ("Key", *USES["create"]) for key in by_suffix.get(suffix, ())}
        for field in fields:
            yield entity, _signature(field, own[field]) if field in own else field, _uses(field, by_suffix)
        others = sorted(suffix for suffix in by_suffix if suffix not in SUFFIXES)
        yield entity, "types", " ".join(others)


def _is_made_of(entity: str, name: str) -> bool:
    suffix = name.removeprefix(entity)
    return name.startswith(entity) and (suffix in SUFFIXES or GENERATED.fullmatch(suffix) is not None)


def _members(type_: GraphQLNamedType) -> Mapping[str, Any]:
    """Return the values of an enum, or the fields; a scalar has neither."""
    members: Mapping[str, Any] = getattr(type_, "values" if isinstance(type_, GraphQLEnumType) else "fields", {})
    return members


def _signature(name: str, member: GraphQLField | GraphQLInputField | GraphQLEnumValue) -> str:
    arguments = member.args if isinstance(member, GraphQLField) else {}
    named = f"{name}({' '.join(arguments)})" if arguments else name
    return named if isinstance(member, GraphQLEnumValue) else f"{named}: {member.type}"


def _uses(field: str, by_suffix: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the words for the types that have the field; `order(not OrderBy)` where others of the same use have it."""
    words = []
    for use, suffixes in USES.items():
        there = [suffix for suffix in suffixes if suffix in by_suffix]
        lacking = [suffix for suffix in there if field not in by_suffix[suffix]]
        if len(lacking) < len(there):
            words.append(f"{use}(not {' '.join(lacking)})" if lacking else use)
    return " ".join(words)
