"""Every kind of generated mutation, as an admin, on the shop."""

# ruff: noqa: E501, UP031 (GraphQL on its lines, and with its braces)

from __future__ import annotations

from typing import Any

import pytest

from clew.plan.write import Plan
from clew.writes.store import Store
from tests.writes.api import Api, api_of, code

pytestmark = pytest.mark.anyio

NORTHWIND, RAIL, QUIET = (f"00000000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
ADA, BO, CELIK, DEE = (f"00000000-0000-7000-8000-0000000000{n}" for n in (11, 12, 13, 14))
LAMP, CHAIR = (f"00000000-0000-7000-8000-0000000000{n}" for n in (21, 22))
NOBODY = "00000000-0000-7000-8000-00000000ffff"


# --- creating -------------------------------------------------------------------------


async def test_create_gives_the_row_with_its_defaults(shopping: Api) -> None:
    document = """mutation {
      createOrder(input: {customerId: "%s", total: "1.50"}) { id status total paid notes deletedAt customer { givenName } }
    }"""
    found = await shopping.ok(document % ADA)
    assert found["createOrder"] == {
        "id": "101",
        "status": "OPEN",
        "total": "1.50",
        "paid": False,
        "notes": None,
        "deletedAt": None,
        "customer": {"givenName": "Ada"},
    }


async def test_every_type_of_value_comes_back_as_it_went_in(shopping: Api) -> None:
    given: dict[str, Any] = {
        "customerId": BO,
        "status": "SHIPPED",
        "total": "12345678.90",
        "weight": 0.1,
        "paid": True,
        "notes": ["", 'a "b", {c}', "NULL", "\\", "\u2028😀", "%(p0)s $1"],
        "data": {"z": [1, 2.5, None, {"a": "'"}], "a": True},
        "seal": "AP8Q",
        "reference": "5f0c7c5e-7c1d-4b7e-9a51-0d1f5a6b7c8d",
    }
    document = """mutation($input: OrderCreateInput!) { createOrder(input: $input) {
      customerId status total weight paid notes data seal reference } }"""
    found = await shopping.ok(document, {"input": given})
    assert found["createOrder"] == given
    changed = given | {"notes": [], "data": [], "seal": "", "weight": None, "reference": None}
    document = """mutation($set: OrderSetInput) { updateOrder(id: 101, set: $set) {
      customerId status total weight paid notes data seal reference } }"""
    assert (await shopping.ok(document, {"set": changed}))["updateOrder"] == changed


async def test_dates_and_times(shopping: Api) -> None:
    document = """mutation { createPerson(input: {email: "e@example.com", givenName: "E", born: "1999-12-31",
      wakesAt: "05:30:00.25"}) { born wakesAt displayName badge { id } skills { id } } }"""
    assert (await shopping.ok(document))["createPerson"] == {
        "born": "1999-12-31",
        "wakesAt": "05:30:00.25",
        "displayName": "E",
        "badge": None,
        "skills": [],
    }


async def test_bulk_create_keeps_the_order_of_the_inputs_whatever_they_give(shopping: Api) -> None:
    inputs: list[dict[str, Any]] = [
        {"name": f"Company {n}", **({"founded": f"20{n:02}-01-01"} if n % 2 else {})} for n in range(40)
    ]
    document = "mutation($inputs: [CompanyCreateInput!]!) { createCompanies(inputs: $inputs) { count rows { name } } }"
    found = (await shopping.ok(document, {"inputs": inputs}))["createCompanies"]
    assert found == {"count": 40, "rows": [{"name": given["name"]} for given in inputs]}


async def test_bulk_create_of_nothing(shopping: Api) -> None:
    async with shopping.unchanged():
        found = await shopping.ok("mutation { createCompanies(inputs: []) { count rows { id } } }")
    assert found == {"createCompanies": {"count": 0, "rows": []}}


async def test_nested_creates_to_three_levels(shopping: Api) -> None:
    document = """mutation { createCompany(input: {
      name: "New"
      parent: {connect: {name: "Northwind"}}
      people: {create: [
        {email: "1@x", givenName: "One",
         badge: {create: [{color: "green"}]},
         skills: {create: [{id: "flying"}], connect: [{id: "sql"}]},
         orders: {create: [
           {total: 1, lines: {create: [
             {number: 1, quantity: 3, product: {connect: {id: "%s"}}},
             {number: 2, quantity: 4, product: {create: {slug: "cup", price: 2, maker: {connect: {id: "%s"}}}}}
           ]}},
           {total: 2, status: PAID}
         ]}},
        {email: "2@x", givenName: "Two", skills: {create: [{id: "diving"}]}}
      ]}
    }) { name parent { name } people(orderBy: [{email: ASC}]) { email badge { color } skills(orderBy: [{id: ASC}]) { id }
      orders(orderBy: [{total: ASC}]) { total status lines(orderBy: [{number: ASC}]) { quantity product { slug } } } } } }"""
    found = (await shopping.ok(document % (LAMP, QUIET)))["createCompany"]
    assert found == {
        "name": "New",
        "parent": {"name": "Northwind"},
        "people": [
            {
                "email": "1@x",
                "badge": {"color": "green"},
                "skills": [{"id": "flying"}, {"id": "sql"}],
                "orders": [
                    {
                        "total": "1.00",
                        "status": "OPEN",
                        "lines": [
                            {"quantity": 3, "product": {"slug": "lamp"}},
                            {"quantity": 4, "product": {"slug": "cup"}},
                        ],
                    },
                    {"total": "2.00", "status": "PAID", "lines": []},
                ],
            },
            {"email": "2@x", "badge": None, "skills": [{"id": "diving"}], "orders": []},
        ],
    }


async def test_a_nested_row_cannot_belong_elsewhere_too(shopping: Api) -> None:
    for given in ('companyId: "%s"', 'company: {connect: {id: "%s"}}', 'company: {create: {name: "%s"}}'):
        person = f'{{email: "n@x", givenName: "N", {given % RAIL}}}'
        document = f'mutation {{ createCompany(input: {{name: "N", people: {{create: [{person}]}}}}) {{ id }} }}'
        error = await shopping.fails(document)
        assert code(error) == "BAD_USER_INPUT"
        assert "input.people.create.0.company" in error["message"]


async def test_rows_of_which_nothing_is_given(shopping: Api) -> None:
    found = await shopping.ok(
        """mutation { createSkills(inputs: [{id: "a"}, {id: "b"}]) { rows { id people { id } } } }"""
    )
    assert found["createSkills"]["rows"] == [{"id": "a", "people": []}, {"id": "b", "people": []}]


async def test_composite_keys(shopping: Api) -> None:
    document = (
        """mutation {
      createOrderLine(input: {orderId: "3", number: 7, productId: "%s", quantity: 1}) { orderId number }
      updateOrderLine(orderId: "3", number: 7, set: {quantity: 5}, inc: null) { quantity order { id } }
      updateManyOrderLines(updates: [{orderId: "3", number: 7, inc: {quantity: 2}}, {orderId: 1, number: 1, set: {quantity: 9}}])
        { count rows { number quantity } }
      deleteOrderLine(orderId: "3", number: 7) { quantity }
    }"""
        % LAMP
    )
    assert await shopping.ok(document) == {
        "createOrderLine": {"orderId": "3", "number": 7},
        "updateOrderLine": {"quantity": 5, "order": {"id": "3"}},
        "updateManyOrderLines": {"count": 2, "rows": [{"number": 7, "quantity": 7}, {"number": 1, "quantity": 9}]},
        "deleteOrderLine": {"quantity": 7},
    }


# --- updating -------------------------------------------------------------------------


async def test_update_of_no_row_is_null(shopping: Api) -> None:
    async with shopping.unchanged():
        document = 'mutation { updateCompany(id: "%s", set: {name: "x"}) { id } deleteCompany(id: "%s") { id } }'
        assert await shopping.ok(document % (NOBODY, NOBODY)) == {"updateCompany": None, "deleteCompany": None}


async def test_inc_and_append(shopping: Api) -> None:
    document = """mutation { updateOrder(id: 1, inc: {total: "-0.25", weight: 1}, append: {notes: ["x", "y"]}, set: {paid: true})
      { total weight notes paid } }"""
    assert (await shopping.ok(document))["updateOrder"] == {
        "total": "10.25",
        "weight": 2.5,
        "notes": ["handle, with care", 'a "b"', "x", "y"],
        "paid": True,
    }


async def test_update_by_filter(shopping: Api) -> None:
    document = """mutation { updatePeople(where: {company: {name: {eq: "Northwind"}}}, set: {familyName: "X"})
      { count rows { givenName familyName } } }"""
    assert (await shopping.ok(document))["updatePeople"] == {
        "count": 2,
        "rows": [{"givenName": "Ada", "familyName": "X"}, {"givenName": "Bo", "familyName": "X"}],
    }
    document = "mutation { updatePeople(where: {}, all: true, set: {familyName: null}) { count } }"
    assert (await shopping.ok(document))["updatePeople"] == {"count": 4}


@pytest.mark.parametrize("where", ["", "where: {}, ", "where: null, "])
async def test_all_rows_need_no_where(shopping: Api, where: str) -> None:
    document = 'mutation { updatePeople(%sall: true, set: {familyName: "Z"}) { count rows { familyName } } }' % where
    updated = (await shopping.ok(document))["updatePeople"]
    assert (updated["count"], {row["familyName"] for row in updated["rows"]}) == (4, {"Z"})
    document = "mutation { deleteOrderLines(%sall: true) { count } }" % where
    count = (await shopping.ok("{ orderLinesAggregate { count } }"))["orderLinesAggregate"]["count"]
    assert (await shopping.ok(document))["deleteOrderLines"] == {"count": count}


async def test_update_many_leaves_out_rows_that_are_not_there(shopping: Api) -> None:
    document = """mutation { updateManyPeople(updates: [
      {id: "%s", set: {givenName: "1"}}, {id: "%s", set: {givenName: "2"}}, {id: "%s", set: {givenName: "3"}}])
      { count rows { givenName } } }""" % (BO, NOBODY, ADA)
    assert (await shopping.ok(document))["updateManyPeople"] == {
        "count": 2,
        "rows": [{"givenName": "1"}, {"givenName": "3"}],
    }


async def test_set_with_everything_nested(shopping: Api) -> None:
    document = (
        """mutation { updatePerson(id: "%s", set: {
      company: {create: {name: "Fresh"}}
      badge: {delete: [{id: 1}], create: [{color: "black"}]}
      skills: {disconnect: [{id: "sql"}], connect: [{id: "welding"}], create: [{id: "new"}]}
      orders: {
        update: [{id: 1, set: {paid: true, lines: {update: [{orderId: 1, number: 1, inc: {quantity: 1}}], delete: [{orderId: 1, number: 2}]}}}]
        connect: [{id: 3}]
        delete: [{id: 2}]
        create: [{total: 3}]
      }
    }) { company { name } badge { color } skills(orderBy: [{id: ASC}]) { id }
      orders(orderBy: [{id: ASC}]) { id paid lines { number quantity } } } }"""
        % ADA
    )
    assert (await shopping.ok(document))["updatePerson"] == {
        "company": {"name": "Fresh"},
        "badge": {"color": "black"},
        "skills": [{"id": "new"}, {"id": "python"}, {"id": "welding"}],
        "orders": [
            {"id": "1", "paid": True, "lines": [{"number": 1, "quantity": 3}]},
            {"id": "3", "paid": True, "lines": [{"number": 1, "quantity": 10}]},
            {"id": "101", "paid": False, "lines": []},
        ],
    }


async def test_disconnect_of_a_to_many_clears_the_key_where_it_may_be_null(shopping: Api) -> None:
    document = (
        'mutation { updateCompany(id: "%s", set: {people: {disconnect: [{id: "%s"}]}}) { people { givenName } } }'
    )
    assert await shopping.ok(document % (NORTHWIND, ADA)) == {"updateCompany": {"people": [{"givenName": "Bo"}]}}
    # An order has a customer.
    document = 'mutation { updatePerson(id: "%s", set: {orders: {disconnect: [{id: 1}]}}) { id } }'
    assert code(await shopping.fails(document % ADA)) == "GRAPHQL_VALIDATION_FAILED"


async def test_nested_changes_are_of_rows_that_belong_there(shopping: Api) -> None:
    for way in ('disconnect: [{id: "%s"}]', 'update: [{id: "%s", set: {givenName: "x"}}]', 'delete: [{id: "%s"}]'):
        for person in (CELIK, NOBODY):
            given = way % person
            document = f'mutation {{ updateCompany(id: "{NORTHWIND}", set: {{people: {{{given}}}}}) {{ id }} }}'
            error = await shopping.fails(document)
            assert code(error) == "BAD_USER_INPUT"
            assert "set.people" in error["message"]


async def test_a_to_one_is_cleared_by_its_key(shopping: Api) -> None:
    document = 'mutation { updatePerson(id: "%s", set: {companyId: null}) { company { id } } }'
    assert await shopping.ok(document % ADA) == {"updatePerson": {"company": None}}


async def test_a_row_is_changed_once_in_a_list(shopping: Api) -> None:
    twice = '{id: "%s", set: {givenName: "x"}}, {id: "%s", set: {givenName: "y"}}' % (ADA, ADA)
    documents = (
        f"mutation {{ updateManyPeople(updates: [{twice}]) {{ count }} }}",
        f'mutation {{ updateCompany(id: "{NORTHWIND}", set: {{people: {{update: [{twice}]}}}}) {{ id }} }}',
    )
    for document in documents:
        error = await shopping.fails(document)
        assert code(error) == "BAD_USER_INPUT"
        assert "twice" in error["message"]


async def test_what_a_key_is_made_of_does_not_change(shopping: Api) -> None:
    document = "mutation { updateOrderLine(orderId: 1, number: 1, set: {order: {connect: {id: 2}}}) { orderId } }"
    assert code(await shopping.fails(document)) == "GRAPHQL_VALIDATION_FAILED"
    document = "mutation { updateOrder(id: 2, set: {lines: {connect: [{orderId: 1, number: 1}]}}) { id } }"
    assert code(await shopping.fails(document)) == "GRAPHQL_VALIDATION_FAILED"


# --- upserting ------------------------------------------------------------------------


async def test_upsert_creates_or_changes(shopping: Api) -> None:
    document = """mutation($update: [PersonField!]) { upsertPerson(
      input: {email: "ada@example.com", givenName: "A", familyName: "B"}, on: email, update: $update) { id givenName familyName } }"""
    assert (await shopping.ok(document, {"update": []}))["upsertPerson"] == {
        "id": ADA,
        "givenName": "Ada",
        "familyName": "Holm",
    }
    assert (await shopping.ok(document, {"update": ["familyName"]}))["upsertPerson"] == {
        "id": ADA,
        "givenName": "Ada",
        "familyName": "B",
    }
    assert (await shopping.ok(document))["upsertPerson"] == {"id": ADA, "givenName": "A", "familyName": "B"}
    document = """mutation { upsertPeople(on: email, inputs: [
      {email: "f@x", givenName: "F"}, {email: "ada@example.com", givenName: "G"}, {email: "h@x", givenName: "H", familyName: "I"}
    ]) { count rows { email givenName familyName } } }"""
    assert (await shopping.ok(document))["upsertPeople"] == {
        "count": 3,
        "rows": [
            {"email": "f@x", "givenName": "F", "familyName": None},
            {"email": "ada@example.com", "givenName": "G", "familyName": "B"},
            {"email": "h@x", "givenName": "H", "familyName": "I"},
        ],
    }


async def test_upsert_by_a_key_of_several_fields(shopping: Api) -> None:
    document = (
        """mutation { upsertProduct(on: maker_slug, input: {makerId: "%s", slug: "lamp", price: 7}) { id price } }"""
    )
    found = await shopping.ok(document % NORTHWIND)
    assert found["upsertProduct"] == {"id": LAMP, "price": "7"}
    assert (await shopping.ok(document % RAIL))["upsertProduct"]["id"] != LAMP


async def test_upsert_updates_a_to_one_given_by_connect(shopping: Api) -> None:
    document = """mutation { upsertPerson(input: {email: "ada@example.com", givenName: "A",
      company: {connect: {name: "Northwind Rail"}}}, on: email, update: [companyId]) { givenName company { name } } }"""
    assert (await shopping.ok(document))["upsertPerson"] == {"givenName": "Ada", "company": {"name": "Northwind Rail"}}


async def test_upsert_wants_a_unique_key_that_is_given(shopping: Api) -> None:
    document = 'mutation { upsertPerson(input: {email: "a@x", givenName: "A"}, on: givenName) { id } }'
    assert code(await shopping.fails(document)) == "GRAPHQL_VALIDATION_FAILED"
    document = 'mutation { upsertPerson(input: {email: "a@x", givenName: "A"}, on: id) { id } }'
    error = await shopping.fails(document)
    assert (code(error), "input.id" in error["message"]) == ("BAD_USER_INPUT", True)
    document = """mutation { upsertPeople(inputs: [{email: "a@x", givenName: "A"}, {email: "a@x", givenName: "B"}], on: email)
      { count } }"""
    error = await shopping.fails(document)
    assert (code(error), "inputs" in error["message"]) == ("BAD_USER_INPUT", True)


# --- deleting -------------------------------------------------------------------------


async def test_delete_gives_the_row_as_it_was(shopping: Api) -> None:
    document = 'mutation { deleteBadge(id: 2) { color person { givenName } } deleteSkills(where: {id: {in: ["welding"]}}) { count rows { id } } }'
    found = await shopping.ok(document)
    assert found["deleteBadge"]["color"] == "blue"
    assert found["deleteSkills"] == {"count": 1, "rows": [{"id": "welding"}]}
    assert await shopping.sql("SELECT id FROM badges ORDER BY id") == [1]


async def test_soft_delete_takes_along_and_restores_what_cascades(shopping: Api) -> None:
    live = "SELECT order_id::text || '/' || number FROM order_lines WHERE deleted_at IS NULL ORDER BY 1"
    document = "mutation { deleteOrder(id: 1) { id lines(orderBy: [{number: ASC}]) { number } } }"
    assert (await shopping.ok(document))["deleteOrder"] == {"id": "1", "lines": [{"number": 1}, {"number": 2}]}
    assert await shopping.sql(live) == ["3/1"]
    assert (await shopping.ok("{ order(id: 1) { id } }"))["order"] is None
    assert (await shopping.ok("mutation { deleteOrder(id: 1) { id } }"))["deleteOrder"] is None
    found = await shopping.ok("mutation { restoreOrder(id: 1) { id deletedAt lines { number } } }")
    assert found["restoreOrder"]["deletedAt"] is None
    # The third line had been deleted before.
    assert await shopping.sql(live) == ["1/1", "1/2", "3/1"]
    assert (await shopping.ok("mutation { restoreOrder(id: 1) { id } }"))["restoreOrder"] is None


# --- all or nothing -------------------------------------------------------------------


async def test_the_last_of_five_root_fields_undoes_them_all(shopping: Api) -> None:
    document = """mutation {
      a: createCompany(input: {name: "A"}) { id }
      b: updatePeople(where: {}, all: true, set: {familyName: "B"}) { count }
      c: deleteOrder(id: 1) { id }
      d: upsertSkill(input: {id: "x"}, on: id) { id }
      e: createCompany(input: {name: "Northwind"}) { id }
    }"""
    document = document.replace(
        'd: upsertSkill(input: {id: "x"}, on: id) { id }', 'd: createSkill(input: {id: "x"}) { id }'
    )
    error = await shopping.fails(document)
    assert code(error) == "CONSTRAINT_VIOLATION"
    assert error["extensions"]["fields"] == ["name"]


async def test_the_first_of_several_root_fields_is_the_only_error(shopping: Api) -> None:
    document = """mutation {
      a: updateCompany(id: "%s", set: {name: "Northwind Rail"}) { id }
      b: updateCompany(id: "%s", set: {founded: null}) { id }
    }"""
    assert code(await shopping.fails(document % (NORTHWIND, RAIL))) == "CONSTRAINT_VIOLATION"


# --- bad input ------------------------------------------------------------------------

BAD: dict[str, tuple[str, str]] = {
    "both the key and the to-one": (
        'createOrder(input: {total: 1, customerId: "%s", customer: {connect: {id: "%s"}}}) { id }' % (ADA, ADA),
        "input.customer",
    ),
    "both in set": (
        'updateOrder(id: 1, set: {customerId: "%s", customer: {connect: {id: "%s"}}}) { id }' % (ADA, ADA),
        "set.customer",
    ),
    "connect to nothing": (
        'createOrder(input: {total: 1, customer: {connect: {id: "%s"}}}) { id }' % NOBODY,
        "input.customer.connect",
    ),
    "connect by half a key": (
        'createProduct(input: {slug: "x", price: 1, maker: {connect: {name: "Northwind"}}, successor: {connect: {slug: "lamp"}}}) { id }',
        "input.successor.connect",
    ),
    "neither the key nor the to-one": ("createOrder(input: {total: 1}) { id }", "input.customer"),
    "null for a required column": (
        'createOrder(input: {total: 1, customerId: "%s", paid: null}) { id }' % ADA,
        "input.paid",
    ),
    "null in set": ("updateOrder(id: 1, set: {total: null}) { id }", "set.total"),
    "null for a required to-one": ("updateOrder(id: 1, set: {customerId: null}) { id }", "set.customerId"),
    "null to add": ("updateOrder(id: 1, inc: {total: null}) { id }", "inc.total"),
    "two ways": ("updateOrder(id: 1, set: {total: 1}, inc: {total: 1}) { id }", "inc.total"),
    "an empty filter": ("updateOrders(where: {}, set: {total: 1}) { count }", "where"),
    "an empty filter of a delete": ("deleteOrders(where: {}) { count }", "where"),
    "an empty operator object": ("deleteOrders(where: {total: {}}) { count }", "where"),
    "an empty object in a to-one": ("deleteOrders(where: {customer: {givenName: {}}}) { count }", "where"),
    "an empty object in a to-many": ("deleteOrders(where: {lines: {some: {quantity: {}}}}) { count }", "where"),
    "an empty and": ("deleteOrders(where: {and: []}) { count }", "where"),
    "an empty object below not": ("deleteOrders(where: {not: {total: {}}}) { count }", "where"),
    "too many digits": ('createOrder(input: {total: "123456789.00", customerId: "%s"}) { id }' % ADA, "input.total"),
    "rounded to too many digits": ("updateOrder(id: 1, set: {total: 99999999.999}) { id }", "set.total"),
    "a huge number": ('updateOrder(id: 1, set: {total: "1e900"}) { id }', "set.total"),
    "a key that is no UUID": ('createOrder(input: {total: 1, customerId: "x"}) { id }', "input.customerId"),
    "U+0000": ('createCompany(input: {name: "a\\u0000b"}) { id }', "input.name"),
    "U+0000 in a list": ('updateOrder(id: 1, set: {notes: ["a", "\\u0000"]}) { id }', "set.notes"),
    "U+0000 in JSON": ('updateOrder(id: 1, set: {data: {a: ["\\u0000"]}}) { id }', "set.data"),
    "U+0000 in a key": ('updateSkill(id: "\\u0000", set: {people: {}}) { id }', "id"),
    "a bad value for no row": ("updateOrders(where: {id: {eq: 77}}, set: {total: null}) { count }", "set.total"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input(name: str, shopping: Api) -> None:
    field, argument = BAD[name]
    error = await shopping.fails(f'mutation {{ first: createSkill(input: {{id: "first"}}) {{ id }} {field} }}')
    assert code(error) == "BAD_USER_INPUT", error
    assert f"`{argument}" in error["message"], error


@pytest.mark.parametrize(
    "filter_", ["{total: {eq: $x}}", "{customer: {givenName: {eq: $y}}}", "{lines: {some: {quantity: {gt: $z}}}}"]
)
async def test_an_absent_variable_is_no_condition(filter_: str, shopping: Api) -> None:
    given = {"x": "Decimal", "y": "String", "z": "Int"}
    name = next(name for name in given if f"${name}" in filter_)
    document = f"mutation(${name}: {given[name]}) {{ deleteOrders(where: {filter_}) {{ count }} }}"
    error = await shopping.fails(document)
    assert (code(error), "where" in error["message"]) == ("BAD_USER_INPUT", True)


async def test_more_rows_than_a_field_takes(shopping: Api) -> None:
    document = "mutation($inputs: [SkillCreateInput!]!) { createSkills(inputs: $inputs) { count } }"
    error = await shopping.fails(document, {"inputs": [{"id": str(n)} for n in range(10_001)]})
    assert code(error) == "BAD_USER_INPUT"
    assert "inputs" in error["message"]


async def test_a_row_of_which_nothing_is_given_has_a_key_however_that_is_made(prepared_url: str) -> None:
    sdl = """
    type Count @table(schema: "other's") { id: Int! @id note: String }
    type Constant @table { id: String! @id @default(value: "x") note: String }
    type Made @table { id: UUID! @id @default(sql: "gen_random_uuid()") note: String }
    type Pair @table { a: Int! @id @default(value: 3) b: Int! @id @default(value: 4) note: String }
    """
    async with api_of(prepared_url, sdl) as api:
        assert await api.ok(
            """mutation {
              createCounts(inputs: [{}, {}]) { rows { id } }
              createConstant(input: {}) { id }
              createMades(inputs: [{}, {}]) { count }
              createPair(input: {}) { a b }
            }"""
        ) == {
            "createCounts": {"rows": [{"id": 1}, {"id": 2}]},
            "createConstant": {"id": "x"},
            "createMades": {"count": 2},
            "createPair": {"a": 3, "b": 4},
        }


async def test_what_is_nested_in_a_change_is_named_by_its_whole_place(prepared_url: str) -> None:
    sdl = """
    type Team @table { id: Int! @id name: String players: [Player!]! }
    type Player @table { id: Int! @id code: String! @unique team: Team shirts: [Shirt!]! }
    type Shirt @table { id: Int! @id player: Player! }
    """
    rows = "INSERT INTO teams (id) VALUES (1); INSERT INTO players (id, code, team_id) VALUES (1, 'a', 1), (2, 'b', 1)"
    nowhere, both = "{team: {connect: {id: 9}}}", "{teamId: 1, team: {connect: {id: 1}}}"
    places = {
        f"updatePlayer(id: 1, set: {nowhere}) {{ id }}": "set.team.connect",
        f"updatePlayers(where: {{}}, all: true, set: {nowhere}) {{ count }}": "set.team.connect",
        f"updateManyPlayers(updates: [{{id: 1}}, {{id: 2, set: {nowhere}}}]) {{ count }}": "updates.1.set.team.connect",
        f"updateManyPlayers(updates: [{{id: 1}}, {{id: 2, set: {both}}}]) {{ count }}": "updates.1.set.team",
        f"updateTeam(id: 1, set: {{players: {{update: [{{id: 1, set: {both}}}]}}}}) {{ id }}": (
            "set.players.update.0.set.team"
        ),
        # Whether the row is there or new.
        'upsertPlayer(input: {code: "a", team: {connect: {id: 9}}}, on: code) { id }': "input.team.connect",
        'upsertPlayer(input: {code: "a", shirts: {connect: [{id: 9}]}}, on: code) { id }': "input.shirts.connect.0",
        'upsertPlayer(input: {id: 3, code: "c", shirts: {connect: [{id: 9}]}}, on: code) { id }': (
            "input.shirts.connect.0"
        ),
    }
    async with api_of(prepared_url, sdl, rows) as api:
        for field, place in places.items():
            error = await api.fails(f"mutation {{ {field} }}")
            assert (code(error), error["message"].split("`")[1]) == ("BAD_USER_INPUT", place)


async def test_all_links_between_two_rows_go(prepared_url: str) -> None:
    sdl = """
    type Student @table { id: Int! @id courses: [Course!]! @relation(through: "Enrollment") }
    type Course @table { id: Int! @id }
    type Enrollment @table { id: Int! @id student: Student! course: Course! term: Int! @default(value: 1) }
    """
    rows = """INSERT INTO students (id) VALUES (1), (2); INSERT INTO courses (id) VALUES (1), (2), (3);
      INSERT INTO enrollments (student_id, course_id, term) VALUES (1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (1, 3, 1),
        (2, 1, 1)"""
    async with api_of(prepared_url, sdl, rows) as api:
        set_ = "{courses: {disconnect: [{id: 1}, {id: 1}], delete: [{id: 2}]}}"
        found = await api.ok(f"mutation {{ updateStudent(id: 1, set: {set_}) {{ courses {{ id }} }} }}")
        assert found == {"updateStudent": {"courses": [{"id": 3}]}}
        assert await api.sql("SELECT student_id, course_id FROM enrollments ORDER BY 1, 2") == [(1, 3), (2, 1)]
        assert await api.sql("SELECT id FROM courses ORDER BY 1") == [1, 3]


async def test_rows_that_leave_out_other_fields_are_one_statement(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdl = "type Wide @table { id: Int! @id a: Int b: [String!] c: Wide d: Int @default(value: 7) }"
    ran: list[str] = []
    run = Store.run

    async def noted(self: Store, plan: Plan, *rest: Any, **options: Any) -> Any:
        ran.append(type(plan).__name__)
        return await run(self, plan, *rest, **options)

    monkeypatch.setattr(Store, "run", noted)
    async with api_of(prepared_url, sdl) as api:
        inputs: list[dict[str, Any]] = [{}, {"a": 1}, {"b": ["x"]}, {"c": {"connect": {"id": 101}}}, {"a": None}]
        document = """mutation($inputs: [WideCreateInput!]!) {
          createWide(input: {id: 101}) { id }
          createWides(inputs: $inputs) { rows { a b cId d } }
        }"""
        found = await api.ok(document, {"inputs": [*inputs, {"d": 1}, {"a": 2, "d": None}]})
    nothing = {"a": None, "b": None, "cId": None, "d": 7}
    given: tuple[dict[str, Any], ...] = ({}, {"a": 1}, {"b": ["x"]}, {"cId": 101}, {}, {"d": 1}, {"a": 2, "d": None})
    assert found["createWides"]["rows"] == [nothing | some for some in given]
    # A default is not null: whether it is left out tells two statements apart.
    assert ran.count("Insert") == 3
