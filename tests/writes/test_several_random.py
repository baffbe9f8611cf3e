"""Whatever the rules and inputs: a plural field has the verdict and the rows of single fields in its order.

A longer run: CLEW_TEST_EXAMPLES=2000 pytest tests/writes/test_several_random.py
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from clew import Viewer
from tests.depth import examples, seeds
from tests.writes.api import Api, api_of

pytestmark = pytest.mark.anyio

EACH = 10
ANN = Viewer("ann", frozenset({"user"}))
# Conditions on a part that read what the same field may write, and some that do not.
CONDITIONS = (
    "{}",
    '{box: {partsAggregate: {count: {lt: "$row.box.most"}}}}',
    "{box: {partsAggregate: {count: {lte: 2}}}}",
    "{box: {partsAggregate: {sum: {size: {lt: 6}}}}}",
    "{box: {parts: {some: {size: {gte: 2}}}}}",
    "{box: {parts: {none: {size: {eq: 3}}}}}",
    "{box: {most: {gt: 1}}}",
    "{size: {lt: 5}}",
    "{or: [{rootId: {isNull: true}}, {root: {size: {gt: 0}}}]}",
    "{or: [{rootId: {isNull: true}}, {root: {partsAggregate: {count: {lt: 2}}}}]}",
)
BOX_CONDITIONS = (
    "{}",
    "{}",
    "{partsAggregate: {count: {lt: 4}}}",
    "{or: [{most: {lt: 3}}, {parts: {some: {size: {gt: 1}}}}]}",
)
ROWS = """DELETE FROM parts; DELETE FROM boxes;
  INSERT INTO boxes (id, most, code) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 9, NULL);
  INSERT INTO parts (id, box_id, size, place, root_id) VALUES
    (1, 2, 1, 1, NULL), (2, 3, 2, 1, NULL), (3, 3, 3, 2, 2), (4, 4, 2, 1, 1), (5, 4, 1, 2, NULL)"""


def schema(random: Random, box_conditions: tuple[str, ...] = BOX_CONDITIONS) -> str:
    """Boxes and their parts, under random rules."""

    def rule(to: str, conditions: tuple[str, ...], fields: str) -> str:
        check = f", check: {random.choice(conditions)}" if to != "DELETE" and random.random() < 0.7 else ""
        return f"@allow(role: user, to: {to}, where: {random.choice(conditions)}{check}{fields})"

    def rules(conditions: tuple[str, ...], names: str) -> str:
        fields = f", fields: [{names}]"
        read = f"@allow(role: user, where: {random.choice(conditions) if random.random() < 0.25 else '{}'})"
        found = [read, rule("CREATE", conditions, fields), rule("UPDATE", conditions, fields)]
        return " ".join([*found, rule("DELETE", conditions, "")])

    return f"""
      type Box @table(plural: "boxes") {rules(box_conditions, "id, most, code, parts")} {{
        id: Int! @id
        most: Int! @default(value: 2)
        code: String @unique
        parts: [Part!]!
      }}
      type Part @table @unique(fields: [boxId, place]) {rules(CONDITIONS, "id, box, size, place, root, parts")} {{
        id: Int! @id
        box: Box!
        size: Int! @default(value: 1)
        place: Int
        root: Part @relation(onDelete: SET_NULL)
        parts: [Part!]! @relation(from: "root")
      }}"""


class Inputs:
    """Random inputs of parts."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.next = iter(random.sample(range(10, 22), 12))

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def create(self, *, nested: bool = True) -> dict[str, Any]:
        given: dict[str, Any] = {"id": next(self.next, 99)}
        if self.chance(60):
            given["size"] = self.random.randint(0, 4)
        if self.chance(40):
            given["place"] = self.random.randint(1, 5)
        if self.chance(25):
            given["rootId"] = self.random.choice((1, 2, 10, 11, 12, 13, 14))
        if not nested:
            return given
        if self.chance(55):
            given["boxId"] = self.random.randint(1, 5)
        elif self.chance(40):
            given["box"] = {"create": {"id": self.random.randint(4, 7), "code": self.random.choice("abxyz")}}
        else:
            unique = {"id": self.random.randint(1, 7)} if self.chance(50) else {"code": self.random.choice("abxyz")}
            given["box"] = {"connect": unique}
        return given

    def changes(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, most in (("size", 4), ("place", 4), ("boxId", 4)):
            if self.chance(45):
                given[name] = self.random.randint(0 if name == "size" else 1, most)
        return given

    def box(self) -> dict[str, Any]:
        given: dict[str, Any] = {"id": self.random.randint(4, 9), "most": self.random.randint(1, 3)}
        ways: dict[str, Any] = {}
        if self.chance(70):
            ways["create"] = [self.create(nested=False) for _ in range(self.random.randint(1, 2))]
        if self.chance(30):
            ways["connect"] = [{"id": self.random.randint(1, 5)}]
        return {**given, "parts": ways}


def draw(random: Random) -> tuple[str, dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """A plural field with its arguments, and the single ones that it stands for."""
    inputs, several = Inputs(random), range(random.randint(2, 4))
    match random.choice(("create", "create", "box", "upsert", "update", "delete")):
        case "create":
            rows = [inputs.create() for _ in several]
            return "createParts", {"inputs": rows}, [("createPart", {"input": row}) for row in rows]
        case "box":
            rows = [inputs.box() for _ in several]
            return "createBoxes", {"inputs": rows}, [("createBox", {"input": row}) for row in rows]
        case "upsert":
            ids = random.sample((1, 2, 3, 4, 5, 10, 11), len(several))
            rows = [{**inputs.create(), "id": number} for number in ids]
            single = [("upsertPart", {"input": row, "on": "id"}) for row in rows]
            return "upsertParts", {"inputs": rows, "on": "id"}, single
        case "update":
            ids = random.sample(range(1, 6), len(several))
            rows = [{"id": number, "set": inputs.changes()} for number in ids]
            return "updateManyParts", {"updates": rows}, [("updatePart", row) for row in rows]
        case _:
            ids = sorted(random.sample(range(1, 6), len(several)))
            arguments = {"where": {"id": {"in": ids}}}
            return "deleteParts", arguments, [("deletePart", {"id": number}) for number in ids]


async def outcome(api: Api, calls: list[tuple[str, dict[str, Any]]]) -> tuple[bool, int | None, str]:
    """Whether root fields in one mutation pass, how many rows they answer for, and all rows after them."""
    await api.aside.execute(ROWS)
    types = (await api.engine.role(ANN)).schema.mutation_type
    assert types is not None
    heads, fields, variables = [], [], {}
    for number, (name, arguments) in enumerate(calls):
        sent = []
        for argument, value in arguments.items():
            variable = f"{argument}{number}"
            heads.append(f"${variable}: {types.fields[name].args[argument].type}")
            sent.append(f"{argument}: ${variable}")
            variables[variable] = value
        selection = "count" if "Bulk" in str(types.fields[name].type) else "__typename"
        fields.append(f"f{number}: {name}({', '.join(sent)}) {{ {selection} }}")
    found = await api.run(f"mutation({', '.join(heads)}) {{ {' '.join(fields)} }}", variables, ANN)
    assert "GRAPHQL_VALIDATION" not in str(found), found
    is_refused = "errors" in found
    assert not is_refused or "INTERNAL" not in str(found), found
    count = None
    if not is_refused:
        count = sum(each.get("count", 1) for each in found["data"].values() if each)
    return is_refused, count, str(await api.dump())


@pytest.mark.parametrize("seed", seeds(examples(60), EACH))
async def test_a_plural_field_means_single_ones_in_its_order(seed: int, prepared_url: str) -> None:
    random = Random(seed)
    sdl = schema(random)
    async with api_of(prepared_url, sdl) as api:
        for _ in range(EACH * 2):
            name, arguments, single = draw(random)
            expected = await outcome(api, single)
            found = await outcome(api, [(name, arguments)])
            assert found == expected, f"{name} {arguments}\n{sdl}"


@pytest.mark.parametrize("seed", seeds(examples(60), EACH))
async def test_nested_creates_mean_single_ones_in_their_order(seed: int, prepared_url: str) -> None:
    random = Random(seed)
    # The box itself may be changed by everybody: no single field asks that.
    sdl = schema(random, ("{}",))
    async with api_of(prepared_url, sdl) as api:
        for _ in range(EACH * 2):
            inputs, box = Inputs(random), random.randint(1, 4)
            rows = [inputs.create(nested=False) for _ in range(random.randint(2, 4))]
            for number, row in enumerate(rows):
                # By its key a nested row may lead to one after it.
                if row.get("rootId") in [other["id"] for other in rows[number:]]:
                    del row["rootId"]
            single = [("createPart", {"input": {**row, "boxId": box}}) for row in rows]
            is_refused, _, after = await outcome(api, single)
            found = await outcome(api, [("updateBox", {"id": box, "set": {"parts": {"create": rows}}})])
            assert (found[0], found[2]) == (is_refused, after), f"{box} {rows}\n{sdl}"
