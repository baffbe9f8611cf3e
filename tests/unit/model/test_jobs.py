"""The entities of `@job` fields, and what the API has of them."""

from __future__ import annotations

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, Source, print_type, validate_schema

from clew.access.visible import Access
from clew.errors import SchemaError
from clew.jobs.fields import bind_jobs
from clew.model.build import parse_model
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.schema.roles import schema_of
from clew.viewer import Viewer

SDL = """
type Post @table { id: ID! @id title: String! owner: String! @allow(role: user, where: {owner: "$auth.sub"}) }
enum Mood { GOOD BAD }
input Options { deep: Boolean }
type Mutation {
  summarize(
    postId: ID! @row(type: "Post")
    tags: [String!]
    count: Int
    mood: Mood
    options: Options
    file: Bytes
    status: String
  ): String! @job(retries: 3) @allow(role: user)
  build(at: DateTime): Post @job(runAt: at) @allow(role: [editor, anon])
  sweep: [Int!] @job
}
extend type SummarizeJob @allow(role: boss, where: {postId: "$auth.post", jobName: "$row.queue"})
"""


def model_of(sdl: str) -> Model:
    return parse_model(Source(sdl, "test.graphql"))


def fields(schema: GraphQLSchema, name: str) -> dict[str, str]:
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    return {key: str(field.type) for key, field in type_.fields.items()}


COMMON = {
    "id": "ID!",
    "status": "JobStatus!",
    "progress": "Float",
    "message": "String",
    "error": "String",
    "attempt": "Int!",
    "jobName": "String!",
    "queue": "String!",
    "createdAt": "DateTime!",
    "runAt": "DateTime",
    "startedAt": "DateTime",
    "finishedAt": "DateTime",
}


def test_each_job_field_has_a_type_with_its_arguments_and_its_result() -> None:
    schema = build_schema(model_of(SDL))
    assert validate_schema(schema) == []
    assert print_type(schema.type_map["SummarizeJob"]).splitlines()[1] == "type SummarizeJob implements Job {"
    assert fields(schema, "Job") == COMMON
    # An argument with the name of a job's own field is none of its fields, and binary data is none either.
    own = {"postId": "ID", "tags": "[String!]", "count": "Int", "mood": "Mood", "options": "JSON", "result": "String"}
    assert fields(schema, "SummarizeJob") == {**COMMON, **own}
    assert fields(schema, "BuildJob") == {**COMMON, "at": "DateTime", "result": "Post"}
    assert fields(schema, "SweepJob") == {**COMMON, "result": "[Int!]"}
    mutations = fields(schema, "Mutation")
    assert {name: mutations[name] for name in ("summarize", "build", "sweep")} == {
        "summarize": "SummarizeJob!",
        "build": "BuildJob!",
        "sweep": "SweepJob!",
    }


def test_no_client_writes_jobs_and_there_are_no_events_of_their_changes() -> None:
    schema = build_schema(model_of(SDL))
    written = [name for name in fields(schema, "Mutation") if name.endswith(("Job", "Jobs"))]
    assert written == ["cancelJob", "retryJob", "cancelJobs", "retryJobs"]
    assert [name for name in fields(schema, "Subscription") if name.endswith("Changes")] == ["postChanges"]


@pytest.mark.parametrize(
    ("role", "types", "queues"),
    [
        ("anon", {"BuildJob"}, {"build"}),
        ("user", {"BuildJob", "SummarizeJob"}, {"build", "summarize"}),
        ("boss", {"BuildJob", "SummarizeJob"}, {"build"}),
        ("other", {"BuildJob"}, {"build"}),
    ],
)
def test_a_role_sees_the_types_of_jobs_that_it_may_queue_or_that_a_rule_opens(
    role: str, types: set[str], queues: set[str]
) -> None:
    model = model_of(SDL)
    schema = schema_of(model, build_schema(model), Viewer.seen_as([role]))
    assert validate_schema(schema) == []
    assert {name for name in schema.type_map if name in ("SummarizeJob", "BuildJob", "SweepJob")} == types
    mutations = fields(schema, "Mutation")
    assert set(mutations) == queues | {"cancelJob", "retryJob"}
    assert set(fields(schema, "Subscription")) >= {"job", "jobs", "jobOutput"}


def test_a_role_without_jobs_has_nothing_of_them() -> None:
    model = model_of(SDL.replace("[editor, anon]", "editor"))
    schema = schema_of(model, build_schema(model), Viewer.seen_as(["anon"]))
    assert [name for name in schema.type_map if "Job" in name] == []


@pytest.mark.parametrize("kind", ["@table", '@view(sql: "SELECT 1 AS id")', ""])
def test_the_names_are_free_without_jobs(kind: str) -> None:
    model = model_of(f"type Job {kind} {{ id: ID! {'@id' if kind else ''} }} type JobStatus {{ a: Int }}")
    for schema in (build_schema(model), schema_of(model, build_schema(model), Viewer.seen_as(["anon"]))):
        bind_jobs(schema, model)
        assert "JobOutput" not in schema.type_map
    mutations = fields(build_schema(model), "Mutation") if kind == "@table" else {}
    assert [name for name in mutations if name.startswith(("cancel", "retry", "pause", "resume"))] == []


def test_a_rule_of_a_type_is_one_of_the_interface_too() -> None:
    job = model_of(SDL).entity("Job")
    (rule,) = [rule for rule in job.allow if rule.roles == ("boss",)]
    assert rule.where == {
        "jobName": "summarize",
        "summarizeJob": {"postId": "$auth.post", "jobName": "$row.summarizeJob.queue"},
    }
    Access(model_of(SDL))


@pytest.mark.parametrize(
    ("sdl", "message"),
    [
        ("extend type SummarizeJob @allow(role: x, where: {nothing: 1})", 'has no field "nothing"'),
        ("extend type SummarizeJob @allow(role: x, fields: [id])", '@allow takes no "fields"'),
        ("extend type SummarizeJob { more: Int }", "can be extended by @allow only"),
        ("type Job { a: Int }", 'the type "Job" is generated by Clew'),
        ("extend type Mutation { cancelJob: Int }", 'the field "Mutation.cancelJob" is one of Clew\'s own'),
        ("extend type Query { jobs: Int }", 'the field "Query.jobs" is generated'),
        ("extend type Mutation { a: Int @job(concurrency: 0) }", "must be at least 1"),
        ("extend type Mutation { a: Int @job(key: [b]) }", 'names "b", which is not an argument'),
        ("extend type Mutation { a(b: Int): Int @job(key: [b]) }", "has nothing to bound"),
    ],
)
def test_what_a_job_cannot_be_is_told(sdl: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        model_of(SDL + sdl)
    assert message in str(caught.value)
