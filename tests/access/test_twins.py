"""Two databases that differ only in what a viewer may not see: no read and no write tells them apart, by what it
answers or by what is seen afterwards. No error names what the viewer's role does not have.

A longer run: CLEW_TEST_EXAMPLES=20000 pytest tests/access/test_twins.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, get_named_type

from clew import Viewer
from clew.model.types import Model
from tests.access.twins import make_twins
from tests.access.twins.documents import Writer, leaves
from tests.access.twins.secrets import SECRETS, SEEN
from tests.depth import FIRST, examples

ROLES = frozenset({"user", "anon"})
VIEWERS = {"ben": Viewer("ben", ROLES, {"sub": "ben"}), "cat": Viewer("cat", ROLES, {"sub": "cat"})} | {
    # An empty claim is none.
    "nobody": Viewer(None, ROLES, {"prefix": ""})
}
EXAMPLES = examples(100)
# How many operations are tried on the same two databases, where several things differ and where one does.
EACH = 50
ALONE = max(1, EXAMPLES // 10)
LISTS = (
    *("doctors", "wards", "bunks", "patients", "stays", "drugs", "votes", "entries"),
    *("reviews", "lockers", "notes", "tags", "rooms", "seats"),
)


@pytest.mark.parametrize("name", VIEWERS)
def test_no_operation_tells_what_is_hidden(name: str, postgres_url: str, tmp_path: Path) -> None:
    viewer, random = VIEWERS[name], Random(f"{FIRST}/{name}")
    with make_twins(postgres_url, tmp_path) as (runner, one, other):
        schema = runner.run(one.engine.role(viewer)).schema
        everything = look(schema)
        unknown = set(names(one.engine.schema)) - set(names(schema))
        assert unknown >= {"innerCode", "innerOwner"}

        async def answers(document: str) -> tuple[bytes, bytes]:
            return await one.ask(viewer, document), await other.ask(viewer, document)

        async def hidden() -> list[str]:
            """What the viewer does not see."""
            await one.fill()
            before = await one.ask(viewer, everything)
            found: list[str] = []
            for secret in SECRETS:
                await other.fill([secret])
                if await other.ask(viewer, everything) == before:
                    found.append(secret)
            return found

        async def check() -> None:
            known = await hidden()
            assert known == [secret for secret in SECRETS if secret not in SEEN.get(name, ())]
            writer = Writer(schema, random, name)
            all_threads = await one.threads()
            # Each alone, and several. Of all together some leave nothing for others to do.
            rounds = [([secret], ALONE) for secret in known]
            rounds += [
                (random.sample(known, random.choice((3, 8, len(known)))), EACH) for _ in range(0, EXAMPLES, EACH)
            ]
            for drawn, count in rounds:
                secrets = sorted(drawn, key=SECRETS.index)
                aims = [aim(one.engine.model, secret) for secret in secrets]
                writer.about = [entity for about, _ in aims for entity in about]
                writer.toward = {field for _, fields in aims for field in fields}
                threads = [thread for thread in all_threads if {thread.parent, thread.child} & {*writer.about}]
                await one.fill()
                await other.fill(secrets)
                for _ in range(count):
                    climbs = threads and random.random() < 0.3
                    document = writer.climb(random.choice(threads)) if climbs else writer.document()
                    told = await answers(document)
                    assert told[0] == told[1], (secrets, document)
                    if errors := json.loads(told[0]).get("errors"):
                        assert unknown.isdisjoint(re.findall(r"\w+", json.dumps(errors))), (errors, document)
                    if document.startswith("mutation") and b'"errors"' not in told[0]:
                        seen = await answers(everything)
                        assert seen[0] == seen[1], (secrets, document)
                        await one.fill()
                        await other.fill(secrets)

        runner.run(check())


# What chance seldom finds: a field that no rule opens for the row, in a constraint with one that is hidden.
TELLING = tuple(
    f"mutation {{ r0: {field} }}"
    for key in (1, 3, 4)
    for field in (
        f"updatePatient(id: {key}, set: {{height: 100}}) {{ id }}",
        f"updatePatients(where: {{id: {{eq: {key}}}}}, set: {{height: 100}}) {{ count }}",
        f"updateManyPatients(updates: [{{id: {key}, inc: {{height: -80}}}}]) {{ count }}",
        f"updateWard(id: 1, set: {{patients: {{update: [{{id: {key}, set: {{height: 100}}}}]}}}}) {{ id }}",
        f"updateStay(id: {key}, inc: {{cost: 1}}) {{ id }}",
        f"updateWard(id: {key}, inc: {{budget: 1}}) {{ id }}",
    )
)


@pytest.mark.parametrize("name", VIEWERS)
def test_no_constraint_tells_what_is_hidden(name: str, postgres_url: str, tmp_path: Path) -> None:
    viewer = VIEWERS[name]
    with make_twins(postgres_url, tmp_path) as (runner, one, other):

        async def check() -> None:
            await one.fill()
            for secret in SECRETS:
                [changed, *_], _ = aim(one.engine.model, secret)
                if changed not in ("Patient", "Stay", "Ward") or secret in SEEN.get(name, ()):
                    continue
                await other.fill([secret])
                for document in TELLING:
                    told = await one.ask(viewer, document), await other.ask(viewer, document)
                    assert told[0] == told[1], (secret, document)
                    if b'"errors"' not in told[0]:
                        await one.fill()
                        await other.fill([secret])

        runner.run(check())


def test_what_is_hidden_is_there(postgres_url: str, tmp_path: Path) -> None:
    with make_twins(postgres_url, tmp_path) as (runner, one, other):

        async def check() -> None:
            everything = look(one.engine.schema)
            await one.fill()
            before = await one.ask(Viewer.admin(), everything)
            for secret in SECRETS:
                await other.fill([secret])
                assert await other.ask(Viewer.admin(), everything) != before, secret

        runner.run(check())


def names(schema: GraphQLSchema) -> Iterator[str]:
    """The names of types, fields, arguments and enum values."""
    for type_ in schema.type_map.values():
        yield type_.name
        if isinstance(type_, GraphQLEnumType):
            yield from type_.values
        elif isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields
        elif isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                yield from (name, *field.args)


def aim(model: Model, secret: str) -> tuple[list[str], set[str]]:
    """The entities to write in order to learn of a change: its own, and those that lead to it.

    And the fields to write: the changed ones, and those that lead there.
    """
    table = secret.removeprefix("INSERT INTO ").removeprefix("DELETE FROM ").removeprefix("UPDATE ").split()[0]
    [changed] = (entity for entity in model.entities.values() if entity.table == table)
    columns = [changed.column_by_sql(name) for name in re.findall(r"(\w+) = ", secret.partition(" SET ")[2])]
    about, fields = [changed.name], {column.name for column in columns if column is not None}
    for entity in model.entities.values():
        leading = [relation for relation in entity.relations if relation.target == changed.name]
        about += [entity.name] * bool(leading)
        fields |= {name for relation in leading for name in (relation.name, *relation.key)}
    return about, fields


def look(schema: GraphQLSchema) -> str:
    """A query for everything: each row with its fields and with the rows that it leads to, deleted ones too."""
    root = schema.query_type
    assert root is not None
    fields: list[str] = []
    for name in (*LISTS, "doses", "noteTags"):
        if name not in root.fields:
            continue
        type_ = get_named_type(root.fields[name].type)
        assert isinstance(type_, GraphQLObjectType)
        below = " ".join(_below(type_))
        fields.append(f"{name} {{ {leaves(type_)} {below} }}")
        if "deleted" in root.fields[name].args:
            fields.append(f"with_{name}: {name}(deleted: INCLUDE) {{ {leaves(type_)} {below} }}")
    return f"{{ {' '.join(fields)} }}"


def _below(type_: GraphQLObjectType) -> Iterator[str]:
    for name, field in type_.fields.items():
        target = get_named_type(field.type)
        if isinstance(target, GraphQLObjectType) and not name.endswith(("Aggregate", "Connection", "Groups")):
            yield f"{name} {{ {leaves(target)} }}"
