"""How names of the SDL become names of the API and of the database (docs/directives.md).

Every function is pure and deterministic, because migrations compare names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

# Postgres cuts identifiers at this many bytes.
MAX_BYTES = 63
_HASH = 8
_LOWER_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_ACRONYM_WORD = re.compile(r"([A-Z]+)([A-Z][a-z])")
_IES = re.compile(r"[^aeiou_0-9]y$")
_ES = re.compile(r"(s|x|z|ch|sh)$")
# A word of one vowel doubles its z: quizzes, fezzes; but topazes, waltzes.
_ZES = re.compile(r"(?:^|_)[^aeiou_]*(?:qu)?[aeiou]z$")

# The suffixes of the types that are generated for an entity.
GENERATED_SUFFIXES = (
    *("Filter", "ListFilter", "OrderBy", "Connection", "Edge", "Aggregate", "AggregateFilter", "AggregateOrderBy"),
    *("AggregateCountDistinct", "AggregateSum", "AggregateAvg", "AggregateMinMax"),
    *("AggregateCountDistinctFilter", "AggregateSumFilter", "AggregateAvgFilter", "AggregateMinMaxFilter"),
    *("AggregateCountDistinctOrderBy", "AggregateNumberOrderBy", "AggregateMinMaxOrderBy"),
    *("GroupBy", "GroupRowKey", "GroupRow", "GroupRowOrderBy", "Field", "Key", "Bulk", "Change"),
    *("CreateInput", "SetInput", "IncInput", "AppendInput", "UpdateInput", "UniqueInput"),
    "OneInput",
)
# Root fields that exist for any set of entities.
GLOBAL_QUERIES = ("viewer",)
CANCEL_JOB, RETRY_JOB, CANCEL_JOBS, RETRY_JOBS = "cancelJob", "retryJob", "cancelJobs", "retryJobs"
PAUSE_QUEUE, RESUME_QUEUE, JOB_OUTPUT = "pauseQueue", "resumeQueue", "jobOutput"
JOB_MUTATIONS = (CANCEL_JOB, RETRY_JOB, CANCEL_JOBS, RETRY_JOBS, PAUSE_QUEUE, RESUME_QUEUE)
JOB_SUBSCRIPTIONS = (JOB_OUTPUT,)
# The fields of a change event that are not those of the key.
CHANGE_FIELDS = ("kind", "node", "cursor", "at")
# The arguments of an update that are not those of the key.
UPDATE_ARGUMENTS = ("set", "inc", "append", "ifVersion")


def snake_case(name: str) -> str:
    """Return a name in snake case: `createdAt` -> `created_at`, `HTTPServer` -> `http_server`."""
    return _LOWER_UPPER.sub(r"\1_\2", _ACRONYM_WORD.sub(r"\1_\2", name)).lower()


def camel_case(name: str) -> str:
    """Return a name in camel case: `agent_run` -> `agentRun`, `HTTPServer` -> `httpServer`.

    Leading underscores stay.
    """
    snake = snake_case(name)
    body = snake.lstrip("_")
    first, *rest = body.split("_")
    return snake[: len(snake) - len(body)] + first + "".join(capitalised(word) for word in rest)


def capitalised(name: str) -> str:
    """Return the name with its first letter in upper case: `createdAt` -> `CreatedAt`."""
    return name[:1].upper() + name[1:]


def plural_snake(name: str) -> str:
    """Return the plural of a type's name in snake_case: `AgentRun` -> `agent_runs`, `Category` -> `categories`."""
    # Split the words before forming the plural, so that `UserAPI` gives `user_apis`.
    snake = snake_case(name)
    if _IES.search(snake):
        return snake[:-1] + "ies"
    if _ZES.search(snake):
        return snake + "zes"
    return snake + ("es" if _ES.search(snake) else "s")


def table_name(type_name: str, plural: str | None = None) -> str:
    """Return the table of a type; `plural` comes from `@table(plural:)`."""
    return snake_case(plural) if plural else plural_snake(type_name)


def single_field(type_name: str) -> str:
    """Return the root field of one row: `AgentRun` -> `agentRun`."""
    return camel_case(type_name)


def plural_field(type_name: str, plural: str | None = None) -> str:
    """Return the root field of the list: `AgentRun` -> `agentRuns`."""
    return camel_case(plural or plural_snake(type_name))


def column_name(field: str) -> str:
    """Return the column of a field: `createdAt` -> `created_at`."""
    return snake_case(field)


def key_column(field: str, key: str) -> str:
    """Return the SQL column of a to-one's key: (`author`, `id`) -> `author_id`; `key` is an SQL name."""
    return f"{snake_case(field)}_{key}"


def key_field(field: str, key: str) -> str:
    """Return the API name of a to-one's key: (`author`, `id`) -> `authorId`; `key` is an API name."""
    return field + capitalised(camel_case(key))


def lookup_field(single: str, fields: Sequence[str]) -> str:
    """Return the look-up of a unique key: (`post`, [`author`, `slug`]) -> `postByAuthorAndSlug`."""
    return f"{single}By" + "And".join(capitalised(field) for field in fields)


def is_snakeable(name: str) -> bool:
    """Return whether a GraphQL name has any character besides underscores. An SQL name needs one."""
    return any(character != "_" for character in name)


def too_long(name: str) -> bool:
    """Return whether Postgres would cut this name."""
    return len(name.encode()) > MAX_BYTES


def cut(name: str) -> str:
    """Shorten a constraint's name to 63 bytes. A hash of the whole name replaces the end of a longer one."""
    if not too_long(name):
        return name
    head = name.encode()[: MAX_BYTES - _HASH - 1].decode("utf-8", "ignore")
    return f"{head}_{short_hash(name)}"


def made_name(table: str, column: str, label: str) -> str:
    """Return the name that Postgres gives to what it makes for a column: (`posts`, `id`, `seq`) -> `posts_id_seq`.

    It shortens the longer of the two names, so that all has 63 bytes.
    """
    first, second = table.encode(), column.encode()
    room = MAX_BYTES - len(label) - 2
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    return "_".join([first.decode("utf-8", "ignore"), second.decode("utf-8", "ignore"), label])


def short_hash(text: str) -> str:
    """Return the first eight hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]


def unique_name(table: str, columns: Sequence[str], where: str | None = None, sql: str | None = None) -> str:
    """Return the constraint name of a unique key. It holds a hash of the condition or expression, which may change.

    Args:
        table: SQL name.
        columns: SQL names; empty for an expression.
        where: the condition of a partial key.
        sql: the expression.
    """
    words = [table, *columns]
    if where is not None or sql is not None:
        words.append(short_hash(f"{where or ''}\0{sql or ''}"))
    return cut("_".join([*words, "key"]))


def generated_types(entity: str) -> Iterator[str]:
    """Return the names of the types that are generated for an entity."""
    return (entity + suffix for suffix in GENERATED_SUFFIXES)


def nested_type(entity: str, relation: str, *, setting: bool) -> str:
    """Return the input type for an entity's to-many, for creating a row or for setting its fields."""
    return f"{entity}{capitalised(relation)}Many{'Set' if setting else 'Create'}Input"


def change_field(single: str) -> str:
    """Return the subscription of change events: `postChanges`."""
    return f"{single}Changes"


def mutation_fields(single: str, plural: str, restores: bool = False) -> tuple[str, ...]:
    """Return the root fields of an entity under Mutation. `restores` is true for an entity with @softDelete."""
    one, many = capitalised(single), capitalised(plural)
    return (
        *(f"create{one}", f"create{many}", f"update{one}", f"update{many}", f"updateMany{many}"),
        *(f"upsert{one}", f"upsert{many}", f"delete{one}", f"delete{many}"),
        *((f"restore{one}",) if restores else ()),
    )


def job_type(field: str) -> str:
    """Return the type of a job: `summarize` -> `SummarizeJob`."""
    return capitalised(field) + "Job"
