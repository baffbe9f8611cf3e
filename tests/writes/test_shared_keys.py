"""Relations that share a column of their keys: docs/writes.md."""

from __future__ import annotations

from typing import Any

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

USER = Viewer("1", frozenset({"user"}), {"tenant": 1})
ROWS = """INSERT INTO tenants (id) VALUES (1), (2); SELECT setval('tenants_id_seq', 2);
  INSERT INTO accounts (tenant_id, number, name) VALUES (1, 1, 'ann'), (1, 2, 'ben'), (2, 1, 'cyd');
  INSERT INTO tasks (tenant_id, number, assignee_number, reviewer_number) VALUES (1, 1, 1, NULL), (2, 1, 1, 1);
"""
SDL = """
type Tenant @table @allow(role: user, to: ALL) { id: Int! @id name: String accounts: [Account!]! tasks: [Task!]! }
type Account @table @allow(role: user, to: ALL) {
  tenant: Tenant! @id
  number: Int! @id
  name: String! @unique
  tasks: [Task!]! @relation(from: assignee)
  reviews: [Task!]! @relation(from: reviewer)
}
type Task @table @unique(fields: [tenant, title]) @allow(role: user, to: ALL) {
  tenant: Tenant! @id
  number: Int! @id
  title: String
  assignee: Account @relation(columns: [tenant_id, assignee_number], onDelete: SET_NULL)
  reviewer: Account @relation(columns: [tenant_id, reviewer_number])
}
"""


TASK = "{ tenantId number assignee { name } reviewer { name } }"


def task(number: int, assignee: str | None = None, reviewer: str | None = None, tenant: int = 1) -> dict[str, Any]:
    """A task as `TASK` reads it."""
    ends = {"assignee": assignee, "reviewer": reviewer}
    read = {name: end if end is None else {"name": end} for name, end in ends.items()}
    return {"tenantId": tenant, "number": number, **read}


async def test_a_shared_column_may_be_given_beside_the_to_one(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        for number, given, ends in (
            (2, "tenantId: 1, assignee: {connect: {tenantId: 1, number: 1}}", ("ann", None)),
            (3, 'tenant: {connect: {id: 1}}, assignee: {connect: {name: "ben"}}', ("ben", None)),
            (4, 'assignee: {connect: {name: "ann"}}, reviewer: {connect: {name: "ben"}}', ("ann", "ben")),
            (5, 'tenantId: 1, assigneeNumber: 1, reviewer: {connect: {name: "ben"}}', ("ann", "ben")),
            (6, 'tenantId: 1, assignee: {create: {tenantId: 1, number: 9, name: "new"}}', ("new", None)),
            (7, "tenantId: 1", (None, None)),
            (8, "tenantId: 1, reviewerNumber: 2", (None, "ben")),
        ):
            document = f"mutation {{ createTask(input: {{number: {number}, {given}}}) {TASK} }}"
            assert await api.ok(document, viewer=USER) == {"createTask": task(number, *ends)}
        for given, message in (
            (
                'tenantId: 2, assignee: {connect: {name: "ann"}}',
                "`input.assignee` and another field set different values on tenantId.",
            ),
            (
                'assignee: {connect: {name: "ann"}}, reviewer: {connect: {name: "cyd"}}',
                "`input.reviewer` and another field set different values on tenantId.",
            ),
            (
                'tenantId: 1, assigneeNumber: 1, assignee: {connect: {name: "ann"}}',
                "`input.assignee` and its key are both set.",
            ),
            ("tenantId: 1, tenant: {connect: {id: 1}}", "`input.tenant` and its key are both set."),
            ("assigneeNumber: 1", "`input.tenant` is required."),
        ):
            error = await api.fails(
                f"mutation {{ createTask(input: {{number: 99, {given}}}) {{ number }} }}", viewer=USER
            )
            assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")
        error = await api.fails(
            "mutation { createTask(input: {tenantId: 1, number: 99, assigneeNumber: 7}) { number } }", viewer=USER
        )
        assert error["extensions"]["code"] == "CONSTRAINT_VIOLATION"


async def test_several_rows_share_columns(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        inputs = """[
          {tenantId: 1, number: 2, assignee: {connect: {tenantId: 1, number: 2}}}
          {tenantId: 2, number: 2, assignee: {connect: {tenantId: 2, number: 1}}}
          {tenantId: 1, number: 3, assigneeNumber: 1}
          {tenantId: 1, number: 4, assignee: {create: {tenantId: 1, number: 5, name: "dot"}}}
          {tenantId: 1, number: 5, assignee: {connect: {name: "dot"}}}
        ]"""
        document = f"mutation {{ createTasks(inputs: {inputs}) {{ rows {TASK} }} }}"
        assert (await api.ok(document, viewer=USER))["createTasks"]["rows"] == [
            task(2, "ben"),
            task(2, "cyd", tenant=2),
            task(3, "ann"),
            task(4, "dot"),
            task(5, "dot"),
        ]


async def test_creates_nested_in_the_row_that_is_shared(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        nested = """tasks: {create: [
          {number: 2, assignee: {connect: {tenantId: %(t)d, number: 1}}}
          {number: 3, assigneeNumber: 1}
          {number: 4, assignee: {create: {tenantId: %(t)d, number: 4, name: "new %(t)d"}}, reviewerNumber: 1}
        ]}"""
        read = "{ tasks(where: {number: {gt: 1}}) { number assignee { name } reviewer { name } } }"
        document = f"mutation {{ updateTenant(id: 1, set: {{{nested % {'t': 1}}}}) {read} }}"
        assert (await api.ok(document, viewer=USER))["updateTenant"]["tasks"] == [
            {"number": 2, "assignee": {"name": "ann"}, "reviewer": None},
            {"number": 3, "assignee": {"name": "ann"}, "reviewer": None},
            {"number": 4, "assignee": {"name": "new 1"}, "reviewer": {"name": "ann"}},
        ]
        # A new row takes over what is known of its key.
        tasks = """accounts: {create: [{number: 1, name: "eve"}]}, tasks: {create: [
          {number: 2, assigneeNumber: 1}
          {number: 3, assignee: {create: {number: 2, name: "fay"}}, reviewer: {create: {number: 3, name: "gus"}}}
        ]}"""
        document = f"mutation {{ createTenant(input: {{{tasks}}}) {read} }}"
        assert (await api.ok(document, viewer=USER))["createTenant"]["tasks"] == [
            {"number": 2, "assignee": {"name": "eve"}, "reviewer": None},
            {"number": 3, "assignee": {"name": "fay"}, "reviewer": {"name": "gus"}},
        ]
        document = (
            'mutation { updateTask(tenantId: 3, number: 2, set: {assignee: {create: {number: 4, name: "hal"}}}) %s }'
        )
        assert await api.ok(document % TASK, viewer=USER) == {"updateTask": task(2, "hal", tenant=3)}
        for tenant, field in (("id: 1", "updateTenant(id: 1, set: {%s})"), ("new", "createTenant(input: {%s})")):
            place = "set" if tenant == "id: 1" else "input"
            given = "tasks: {create: [{number: 7, assignee: {connect: {tenantId: 2, number: 1}}}]}"
            error = await api.fails(f"mutation {{ {field % given} {{ id }} }}", viewer=USER)
            assert error["message"] in (
                f"`{place}.tasks.create.0.assignee` and another field set different values on tenantId.",
                f"`{place}.tasks.create.0` and the row around it set different values on tenantId.",
            )
            assert error["extensions"]["code"] == "BAD_USER_INPUT"
            for by in ("tenantId: 1", "tenant: {connect: {id: 1}}"):
                given = f"tasks: {{create: [{{number: 7, {by}}}]}}"
                error = await api.fails(f"mutation {{ {field % given} {{ id }} }}", viewer=USER)
                assert error["message"] == f"`{place}.tasks.create.0.{by.split(':')[0]}` is set by the row around it."


async def test_creates_nested_in_a_row_that_shares(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        field = "updateAccount(tenantId: 1, number: 1, set: {tasks: {create: [{number: 2, %s}]}})"
        for number, given in enumerate(("", "tenantId: 1, ", "tenant: {connect: {id: 1}}, "), start=2):
            given += 'reviewer: {connect: {name: "ben"}}'
            document = f"mutation {{ {field % given} {{ number }} }}".replace("number: 2,", f"number: {number},")
            await api.ok(document, viewer=USER)
        read = f"{{ tasks(where: {{number: {{gt: 1}}}}) {TASK} }}"
        assert await api.ok(read, viewer=USER) == {"tasks": [task(number, "ann", "ben") for number in (2, 3, 4)]}
        for given, message in (
            ("assigneeNumber: 1", "`set.tasks.create.0.assigneeNumber` is set by the row around it."),
            ('assignee: {connect: {name: "ann"}}', "`set.tasks.create.0.assignee` is set by the row around it."),
            ("tenantId: 2", "`set.tasks.create.0` and the row around it set different values on tenantId."),
            (
                "tenant: {connect: {id: 2}}",
                "`set.tasks.create.0.tenant` and another field set different values on tenantId.",
            ),
            (
                'reviewer: {connect: {name: "cyd"}}',
                "`set.tasks.create.0.reviewer` and another field set different values on tenantId.",
            ),
        ):
            error = await api.fails(f"mutation {{ {field % given} {{ number }} }}", viewer=USER)
            assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")


KEY = "tenantId: 1, number: 1"


def connect(name: str) -> str:
    """An account by its name, in an input."""
    return f'{{connect: {{name: "{name}"}}}}'


async def test_a_row_stays_where_it_is(prepared_url: str) -> None:
    ann, ben = connect("ann"), connect("ben")
    upsert = "on: tenant_number, input: {%s, %s}"
    other = f"{{tenantId: 1, number: 8, assignee: {ben}}}"
    below = f"tasks(limit: 1) {TASK}"
    async with api_of(prepared_url, SDL, ROWS) as api:
        for field, wanted in (
            (f"updateTask({KEY}, set: {{assignee: {ben}, reviewer: {ben}}}) {TASK}", ("ben", "ben")),
            (f"updateTask({KEY}, set: {{assignee: {ann}, reviewerNumber: null}}) {TASK}", ("ann", None)),
            (f"updateTasks(where: {{tenantId: {{eq: 1}}}}, set: {{assignee: {ben}}}) {{ rows {TASK} }}", ("ben", None)),
            (f"updateManyTasks(updates: [{{{KEY}, set: {{reviewer: {ben}}}}}]) {{ rows {TASK} }}", ("ben", "ben")),
            (f"upsertTask({upsert % (KEY, f'assignee: {ann}')}) {TASK}", ("ann", "ben")),
            (
                f"upsertTask(update: [assigneeNumber], {upsert % (KEY, f'reviewerNumber: 1, assignee: {ben}')}) {TASK}",
                ("ben", "ben"),
            ),
            (f"upsertTask(update: [], {upsert % (KEY, f'assignee: {ann}')}) {TASK}", ("ben", "ben")),
            (
                f"upsertTasks(on: tenant_number, inputs: [{{{KEY}, assignee: {ann}}}, {other}]) {{ rows {TASK} }}",
                ("ann", "ben"),
            ),
            (
                f"updateTenant(id: 1, set: {{tasks: {{update: [{{{KEY}, set: {{assignee: {ben}}}}}]}}}}) {{ {below} }}",
                ("ben", "ben"),
            ),
            (f"updateAccount({KEY}, set: {{tasks: {{connect: [{{{KEY}}}]}}}}) {{ {below} }}", ("ann", "ben")),
            (
                f"updateAccount({KEY}, set: {{tasks: {{disconnect: [{{{KEY}}}]}}}}) {{ tenant {{ {below} }} }}",
                (None, "ben"),
            ),
        ):
            (found,) = (await api.ok(f"mutation {{ {field} }}", viewer=USER)).values()
            while "assignee" not in found:
                inner = next(iter(found.values()))
                found = inner[0] if isinstance(inner, list) else inner
            assert found == task(1, *wanted), field


async def test_a_row_is_moved_by_no_to_one(prepared_url: str) -> None:
    ben, cyd = connect("ben"), connect("cyd")
    async with api_of(prepared_url, SDL, ROWS) as api:
        for field, place in (
            (f"updateTask({KEY}, set: {{assignee: {cyd}}}) {{ number }}", "set.assignee"),
            (f"updateTask({KEY}, set: {{assignee: {ben}, reviewer: {cyd}}}) {{ number }}", "set.reviewer"),
            (f"updateTasks(where: {{}}, all: true, set: {{assignee: {cyd}}}) {{ count }}", "set.assignee"),
            (
                f"updateManyTasks(updates: [{{{KEY}, set: {{assignee: {cyd}}}}}]) {{ count }}",
                "updates.0.set.assignee",
            ),
            (
                f"updateTenant(id: 1, set: {{tasks: {{update: [{{{KEY}, set: {{assignee: {cyd}}}}}]}}}}) {{ id }}",
                "set.tasks.update.0.set.assignee",
            ),
            (
                f"updateAccount(tenantId: 2, number: 1, set: {{tasks: {{connect: [{{{KEY}}}]}}}}) {{ number }}",
                "set.tasks.connect.0",
            ),
            (
                f'createAccount(input: {{tenantId: 2, number: 9, name: "x", tasks: {{connect: [{{{KEY}}}]}}}}) '
                "{ number }",
                "input.tasks.connect.0",
            ),
        ):
            assert await api.fails(f"mutation {{ {field} }}", viewer=USER) == {
                "message": f"`{place}` leads to another tenantId than the row has.",
                "extensions": {"hint": "Choose one with the same tenantId.", "code": "BAD_USER_INPUT"},
            }
        for field in (
            f'updateTask({KEY}, set: {{assignee: {{create: {{tenantId: 2, number: 7, name: "new"}}}}}}) {{ number }}',
            f"upsertTask(on: tenant_number, input: {{{KEY}, assignee: {cyd}}}) {{ number }}",
        ):
            error = await api.fails(f"mutation {{ {field} }}", viewer=USER)
            assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_is_emptied(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        assert await api.ok("mutation { deleteAccount(tenantId: 1, number: 1) { name } }", viewer=USER)
        read = "{ tasks { tenantId number assigneeNumber assignee { name } } }"
        assert (await api.ok(read, viewer=USER))["tasks"][0] == {
            "tenantId": 1,
            "number": 1,
            "assigneeNumber": None,
            "assignee": None,
        }
        # By a key that is null in part the other columns lead nowhere.
        assert await api.ok("{ tasks(where: {assignee: {name: {isNull: false}}}) { number } }", viewer=USER) == {
            "tasks": [{"number": 1}]
        }


LINKS = """
type Tenant @table { id: Int! @id }
type Account @table {
  tenant: Tenant! @id
  number: Int! @id
  teams: [Team!]! @relation(through: "Membership")
}
type Team @table { tenant: Tenant! @id number: Int! @id }
type Membership @table {
  tenant: Tenant! @id
  account: Account! @id @relation(columns: [tenant_id, account_number])
  team: Team! @id @relation(columns: [tenant_id, team_number])
}
"""


async def test_a_link_that_shares_a_column_with_both_ends(prepared_url: str) -> None:
    rows = """INSERT INTO tenants (id) VALUES (1), (2);
      INSERT INTO accounts (tenant_id, number) VALUES (1, 1), (2, 1);
      INSERT INTO teams (tenant_id, number) VALUES (1, 1), (1, 2), (2, 1);
      INSERT INTO memberships (tenant_id, account_number, team_number) VALUES (2, 1, 1)"""
    field = f"updateAccount({KEY}, set: {{teams: {{%s: [{{tenantId: %d, number: %d}}]}}}}) {{ teams {{ number }} }}"
    async with api_of(prepared_url, LINKS, rows) as api:
        for way, number, wanted in (
            ("connect", 1, [1]),
            ("connect", 1, [1]),
            ("create", 3, [1, 3]),
            ("disconnect", 1, [3]),
            ("delete", 3, []),
        ):
            found = await api.ok(f"mutation {{ {field % (way, 1, number)} }}")
            assert found == {"updateAccount": {"teams": [{"number": number} for number in wanted]}}
        # There is a link with this number in the other tenant.
        for way in ("disconnect", "delete"):
            error = await api.fails(f"mutation {{ {field % (way, 2, 1)} }}")
            assert error["message"] == f"`set.teams.{way}.0` does not belong to `teams`."
        error = await api.fails(f"mutation {{ {field % ('connect', 2, 1)} }}")
        message = "`set.teams.connect.0` and the row around it set different values on tenantId."
        assert error["message"] == message


async def test_a_row_moves_where_its_input_says_so(prepared_url: str) -> None:
    sdl = SDL.replace("tenant: Tenant! @id\n  number: Int! @id\n  title", "id: Int! @id\n  tenant: Tenant!\n  title")
    rows = (
        ROWS[: ROWS.index("INSERT INTO tasks")] + "INSERT INTO tasks (id, tenant_id, assignee_number) VALUES (1, 1, 2);"
    )
    field = "updateTask(id: 1, set: {%s}) { tenantId assignee { name } }"
    cyd = connect("cyd")
    async with api_of(prepared_url, sdl, rows) as api:
        error = await api.fails(f"mutation {{ {field % f'assignee: {cyd}'} }}", viewer=USER)
        assert error["message"] == "`set.assignee` leads to another tenantId than the row has."
        error = await api.fails(f"mutation {{ {field % f'tenantId: 1, assignee: {cyd}'} }}", viewer=USER)
        assert error["message"] == "`set.assignee` and another field set different values on tenantId."
        # There is no second account in the other tenant.
        error = await api.fails(f"mutation {{ {field % 'tenantId: 2'} }}", viewer=USER)
        assert error["extensions"]["code"] == "CONSTRAINT_VIOLATION"
        for given in (f"tenantId: 2, assignee: {cyd}", f"assignee: {cyd}, tenant: {{connect: {{id: 2}}}}"):
            found = await api.ok(f"mutation {{ {field % given} }}", viewer=USER)
            assert found == {"updateTask": {"tenantId": 2, "assignee": {"name": "cyd"}}}
            await api.ok(f"mutation {{ {field % 'tenantId: 1, assigneeNumber: 2'} }}", viewer=USER)
