"""`python -m bench.hostile`: how long one request can hold the event loop, and what it costs to refuse one.

First a search (`bench.search`): for each generator of requests the worst that was found, the longest time that it held
the loop, its CPU time in all threads, its size and what it was answered with. Then the attacks below, a line each: the
median of five times from the text to the refusal, in CPU time, and the code that it is refused with. The tests hold
the codes; times are for people to look at.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import build_schema

from bench.paths import DATA
from bench.search import Found, hostile_application, search, table
from clew import collector
from clew.database.embedded import embedded_postgres
from clew.document.limits import Limits
from clew.document.prepare import InvalidDocument, prepare
from clew.errors import ClewError, Code

SCHEMA = build_schema(
    "type Query { people(where: Filter, numbers: [Int]): [Person] a: Int b: Int }"
    " type Person { id: ID name: String company: Company people: [Person] } type Company { id: ID people: [Person] }"
    " input Filter { or: [Filter] not: Filter id: ID }"
)


@dataclass(frozen=True, slots=True)
class Attack:
    """A document, and what it must be refused with: by validation, or better before it."""

    document: str
    code: Code = Code.LIMIT_EXCEEDED
    operation_name: str | None = None


def chain(count: int, last: str) -> str:
    """Fragments that spread one the other: f0 ... fcount."""
    links = " ".join(f"fragment f{index} on Person {{ ...f{index + 1} }}" for index in range(count))
    return f"{links} fragment f{count} on Person {{ {last} }}"


def _names(prefix: str, count: int, suffix: str = "") -> str:
    return " ".join(f"{prefix}{index}{suffix}" for index in range(count))


_FAN_OUT = " ".join(f"fragment f{index} on Person {{ ...f{index + 1} ...f{index + 1} }}" for index in range(30))
_WIDE_FAN_OUT = " ".join(
    f"fragment f{index} on Person {{ company {{ people {{ ...f{index + 1} }} }} people {{ ...f{index + 1} }} }}"
    for index in range(30)
)
_INVALID = Code.GRAPHQL_VALIDATION_FAILED

ATTACKS: Mapping[str, Attack] = {
    "deep selections": Attack("{ " + "people { " * 3000 + "id" + " }" * 3001),
    "deep selections that parse": Attack("{" + "people{" * 90 + "id" + "}" * 91),
    "deep lists": Attack("{ people(where: " + "[" * 4900 + "]" * 4900 + ") { id } }"),
    "deep objects": Attack("{ people(where: " + "{not:" * 3000 + "{}" + "}" * 3000 + ") { id } }"),
    "deep types of variables": Attack("query($a: " + "[" * 4900 + "Int" + "]" * 4900 + ") { a }"),
    "deep inline fragments": Attack("{" + "...{" * 4000 + "a" + "}" * 4001),
    "tokens": Attack("{ people { " + "id " * 10_000 + "} }"),
    "punctuation": Attack("{ a(" + "!" * 150_000),
    "aliases of __typename": Attack("{ people { " + _names("a", 3000, ": __typename") + " } }"),
    "root fields": Attack("{ " + "a " * 9000 + "}"),
    "directives": Attack("{ a " + "@skip(if: false) " * 1200 + "}"),
    "fragments that fan out 2^30": Attack("{ people { ...f0 } } " + _FAN_OUT + "fragment f30 on Person { id }"),
    "fragments that fan out through fields": Attack(
        "{ people { ...f0 } } " + _WIDE_FAN_OUT + "fragment f30 on Person { id }"
    ),
    "a chain of 1,000 fragments": Attack("{ people { ...f0 } } " + chain(1000, "id")),
    "a chain of 10,000 fragments": Attack("{ people { ...f0 } } " + chain(10_000, "id")),
    "a fragment within itself 300 times removed": Attack("{ people { ...f0 } } " + chain(300, "...f0"), _INVALID),
    "200 x 100 inline fragments": Attack("{ people { " + ("... on Person { " * 100 + "id" + " }" * 100) * 200 + " } }"),
    "90 x 100 fields in inline fragments": Attack("{ people { " + ("... { " + "id " * 100 + "} ") * 90 + "} }"),
    "20 x 20 inline fragments": Attack("{ people { " + ("... on Person { " * 20 + "id" + " }" * 20) * 20 + " } }"),
    "one field 9,000 times": Attack("{ people { " + "id " * 9000 + "} }"),
    "one field 4,900 times": Attack("{ people { " + "id " * 4900 + "} }"),
    "one field 9,000 times in a fragment nobody uses": Attack("{ a } fragment F on Person { " + "id " * 9000 + "}"),
    "70 x 70 fields": Attack("{ people { " + ("company { " + "id " * 70 + "} ") * 70 + "} }"),
    "1,000 fragments in one place": Attack(
        "{ people { "
        + _names("...f", 1000)
        + " } } "
        + " ".join(f"fragment f{index} on Person {{ id }}" for index in range(1000))
    ),
    "800 operations of one large fragment": Attack(
        " ".join(f"query q{index} {{ ...F }}" for index in range(800))
        + " fragment F on Query { people { "
        + "id " * 100
        + "} }",
        operation_name="q0",
    ),
    "a megabyte of comment": Attack("#" + "x" * 10**6 + "\n{ a }"),
    "500,000 comments": Attack("#\n" * 500_000 + "{ a }"),
    "15,000 comments": Attack("#\n" * 15_000 + "{ a }"),
    "a megabyte of commas": Attack("," * 10**6 + "{ a }"),
    "a megabyte of string": Attack('{ people(where: {id: "' + "x" * 10**6 + '"}) { id } }'),
    "a megabyte of block string": Attack('{ people(where: {id: """' + "x" * 10**6 + '"""}) { id } }'),
    "a block string that does not end": Attack(
        '{ people(where: {id: """' + '\\"""' * 40_000, Code.GRAPHQL_PARSE_FAILED
    ),
    "a megabyte of name": Attack("{ " + "a" * 10**6 + " }"),
    "an integer of 100,000 digits": Attack(
        "{ people(where: {id: " + "1" * 100_000 + "}) { nothing } }", Code.BAD_USER_INPUT
    ),
    "1,000 numbers that are nearly too long": Attack(
        "{ people(numbers: [" + ("1" * 190 + " ") * 1000 + "]) { id } }", _INVALID
    ),
    "9,000 unknown fields": Attack("{ people { " + _names("u", 9000) + " } }"),
    "4,900 unknown fields": Attack("{ people { " + _names("u", 4900) + " } }", _INVALID),
    "unknown arguments": Attack("{ people(" + _names("u", 3000, ": 1") + ") { id } }", _INVALID),
    "unknown fragments": Attack("{ people { " + _names("...u", 4900) + " } }"),
    "2,400 unused variables": Attack("query(" + _names("$v", 2400, ": Int") + ") { a }"),
    "990 unused variables": Attack("query(" + _names("$v", 990, ": Int") + ") { a }", _INVALID),
    "a variable used 4,900 times, but not defined": Attack("{ people(numbers: [" + "$v " * 4900 + "]) { id } }"),
    "9,900 numbers and an unknown field": Attack("{ people(numbers: [" + "1 " * 9900 + "]) { id } nothing }"),
    "4,900 numbers that are none": Attack("{ people(numbers: [" + "A " * 4900 + "]) { id } }", _INVALID),
    "9,900 numbers that are none": Attack("{ people(numbers: [" + "A " * 9900 + "]) { id } }"),
    "1,900 filters and an unknown field": Attack("{ people(where: {or: [" + "{id: 1} " * 1900 + "]}) { nothing } }"),
    "900 filters and an unknown field": Attack(
        "{ people(where: {or: [" + "{id: 1} " * 900 + "]}) { nothing } }", _INVALID
    ),
}


def refusal(attack: Attack) -> Code | None:
    """What the document is refused with, None if it is not."""
    try:
        prepare(SCHEMA, attack.document, attack.operation_name, Limits())
    except (ClewError, InvalidDocument) as error:
        return error.code
    return None


def milliseconds(attack: Attack) -> float:
    """CPU time of one refusal."""
    began = time.process_time()
    refusal(attack)
    return (time.process_time() - began) * 1000


def replay() -> None:
    """Print what it costs to refuse each of the attacks."""
    found = {name: statistics.median(milliseconds(attack) for _ in range(5)) for name, attack in ATTACKS.items()}
    for name, elapsed in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{elapsed:7.1f} ms  {refusal(ATTACKS[name]) or 'not refused':26}  {name}")


async def _search(server_url: str, seconds: float, seed: int) -> list[Found]:
    app = await hostile_application(server_url)
    try:
        # As the server does when it has started.
        gc.collect()
        collector.freeze()
        return await search(app, seconds, seed)
    finally:
        await app.engine.pool.close()


def main() -> int:
    """Run and print; 1 if something held the loop longer than the tolerance."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to search (60); 0 for the replay alone")
    parser.add_argument("--seed", type=int, default=1, help="of the search (1)")
    parser.add_argument("--tolerance", type=float, default=50, help="ms that a request may hold the loop (50)")
    options = parser.parse_args()
    if options.seconds:
        with embedded_postgres(DATA / "postgres") as server_url:
            found = asyncio.run(_search(server_url, options.seconds, options.seed))
        print(table(found))
    else:
        gc.collect()
        collector.freeze()
    replay()
    return int(bool(options.seconds) and found[0].held.hold * 1000 > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
