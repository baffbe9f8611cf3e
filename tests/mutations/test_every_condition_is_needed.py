"""Whatever condition of the rules' compiler is taken away, something notices.

Of the modules that compile rules, filters and orders the corners notice every mutant, without
a database; those of the statement that judges writes by the attacks on them. Those of the modules
that use what is compiled, and of the rest of what judges writes, need longer:
CLEW_TEST_MUTANTS=all pytest -n auto tests/mutations
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.attacks.writes import JUDGED, WRITES
from tests.mutations import corners, following, writing
from tests.mutations.marks import Mark, marks
from tests.mutations.mutants import Mutant, Scope, mutants
from tests.mutations.proof import Proof, make_proof

COMPILING = (
    *(
        Scope(name, everything=True)
        for name in ("Access", "Conditions", "Rules", "Openings", "Permitting", "to_ones_back")
    ),
    Scope("Foresight", everything=True),
    Scope("linked", everything=True),
    Scope("filter_predicate"),
    Scope("order_keys"),
)
USING = (
    Scope("role_schema", functions=("roles_of", "role_schema"), everything=True),
    Scope("usable_claims", functions=("usable_claims", "coerced"), everything=True),
    Scope("join", everything=True),
    Scope("OwnTypes", everything=True),
    # Functions within functions have no mutants; the check itself is attacked.
    Scope("with_row_check", functions=("_keys",), everything=True),
    *(Scope(name) for name in ("Engine", "Statements", "build_schema", "ManyTypes", "conjunction", "measure")),
    *(Scope(name) for name in ("plan_query", "Grouping", "_position")),
    *(
        Scope(name)
        for name in ("read_statement", "Pages", "Documents", "can_fail", "groups", "_Connection", "measured_json")
    ),
)
# What judges writes: noticed by the attacks on them, a part of it in each run.
JUDGING = (
    Scope(
        "WriteCompiler",
        (
            "WriteCompiler.scope",
            "WriteCompiler.judged",
            "WriteCompiler.is_open",
            "WriteCompiler.shown",
            "_check",
            "_find",
        ),
        everything=True,
        statements=True,
        compiles=True,
    ),
)
DECIDING = tuple(
    Scope(holds, functions, everything=True, statements=True, compiles=holds == "WriteCompiler")
    for holds, functions in (
        ("WriteCompiler", ("_lock", "_leads", "_reached", "_hold", "_recall")),
        (
            "Gatherer",
            (
                "Gatherer.change",
                "Gatherer.remove",
                "Gatherer.lock_of",
                "Gatherer._refuse_telling",
                "Gatherer._refuse_hidden",
                "Gatherer.led_astray",
                "Gatherer._guard_linked",
                "Gatherer._held",
                "Gatherer.delete",
                "Gatherer._guard_ends",
                "Gatherer._close",
                "Gatherer._owned_members",
                "Gatherer._linked_members",
                "Gatherer._connected",
                "Gatherer._made",
            ),
        ),
        ("Writer", ("Writer._where", "Writer._filter", "Writer._write_steps", "Writer._write_step", "Writer._foresee")),
        ("InputReader", ("InputReader.preset", "InputReader.take_key", "InputReader._settle", "sql_presets")),
        (
            "Store",
            (
                "Store.lock",
                "Store.find",
                "Store.shows",
                "Store.tells",
                "Store.leads",
                "Store.referencing_rows",
                "Store._hold",
                "Store.bind_past",
                "Store.recall",
                "Store.keeps_images",
                "Store.held_after_others",
            ),
        ),
        (
            "check_written",
            ("check_written", "_recall", "_vouch", "_Judged.judge", "Allowed._is_allowed", "Allowed.require"),
        ),
        ("Circles", ()),
        ("reads", ()),
        ("with_views", ("with_views",)),
    )
)
# What decides who follows the output of a job: noticed by the attacks on it.
FOLLOWING = (
    Scope("is_visible", everything=True, statements=True),
    Scope("Follower", ("Follower.open",), everything=True, statements=True),
)
# As many mutants as there are at least: a function that leaves the scopes takes its own with it.
LEAST = {COMPILING: 360, USING: 230, JUDGING: 33, DECIDING: 425, FOLLOWING: 20}
MUTANTS = {scopes: [mutant for scope in scopes for mutant in mutants(scope)] for scopes in LEAST}
MARKS = list(marks())


def marked(mutant: Mutant) -> Mark | None:
    return next((mark for mark in MARKS if mark.is_about(mutant)), None)


def tried(scopes: tuple[Scope, ...]) -> list[Mutant]:
    return [mutant for mutant in MUTANTS[scopes] if marked(mutant) is None]


def alike(scopes: tuple[Scope, ...]) -> list[Mutant]:
    return [mutant for mutant in MUTANTS[scopes] if (mark := marked(mutant)) is not None and mark.word == "alike"]


def each(mutants: list[Mutant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mutant", mutants, ids=lambda mutant: mutant.name)


@pytest.mark.parametrize("mark", MARKS, ids=str)
def test_a_mark_is_about_one_mutant(mark: Mark) -> None:
    assert sum(mark.is_about(mutant) for its in MUTANTS.values() for mutant in its) == 1


@pytest.mark.parametrize("scopes", LEAST, ids=lambda scopes: scopes[0].holds)
def test_no_function_has_left_the_scopes(scopes: tuple[Scope, ...]) -> None:
    assert len(MUTANTS[scopes]) >= LEAST[scopes]


ALL = os.environ.get("CLEW_TEST_MUTANTS") == "all"


@pytest.fixture(scope="module")
def corner_proof() -> Iterator[corners.Proof]:
    # Did the corners fail for a reason of their own, every mutant would seem to be noticed.
    yield corners.Proof(MUTANTS[COMPILING])
    corners.check()


@each(tried(COMPILING))
def test_a_mutant_is_noticed(mutant: Mutant, corner_proof: corners.Proof) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever notices it)
        corner_proof.check_mutant(mutant)


@pytest.fixture(scope="module")
def writing_proof(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[writing.Proof]:
    # More attacks for more mutants: these decide about less than what the rules allow, too.
    attacks = WRITES if ALL else JUDGED
    with writing.make_proof(postgres_url, tmp_path_factory.mktemp("club"), attacks) as made:
        made.survey([*MUTANTS[JUDGING], *(MUTANTS[DECIDING] if ALL else ())])
        yield made
        made.check_again()


@each([*tried(JUDGING), *(tried(DECIDING) if ALL else ())])
def test_a_mutant_of_what_judges_writes_is_noticed(mutant: Mutant, writing_proof: writing.Proof) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever notices it)
        writing_proof.check_mutant(mutant)


@pytest.fixture(scope="module")
def following_proof(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[following.Proof]:
    with following.make_proof(postgres_url, tmp_path_factory.mktemp("press")) as made:
        made.check()
        yield made
        made.check()


@each(tried(FOLLOWING))
def test_a_mutant_of_what_lets_others_follow_is_noticed(mutant: Mutant, following_proof: following.Proof) -> None:
    with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011 (whatever notices it)
        following_proof.check()


if ALL:

    @each(alike(FOLLOWING))
    def test_a_marked_mutant_of_what_lets_others_follow_is_not_noticed(
        mutant: Mutant, following_proof: following.Proof
    ) -> None:
        with mutant.in_place():
            following_proof.check()

    @each(alike(COMPILING))
    def test_a_mutant_that_is_marked_is_not_noticed(mutant: Mutant, corner_proof: corners.Proof) -> None:
        corner_proof.check_mutant(mutant)

    @each([*alike(JUDGING), *alike(DECIDING)])
    def test_a_marked_mutant_of_what_judges_writes_is_not_noticed(mutant: Mutant, writing_proof: writing.Proof) -> None:
        writing_proof.check_mutant(mutant)

    @pytest.fixture(scope="module")
    def proof(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
        with make_proof(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
            made.check()
            yield made
            made.check()

    @each(tried(USING))
    def test_a_mutant_of_what_uses_the_rules_is_noticed(mutant: Mutant, proof: Proof) -> None:
        with mutant.in_place(), pytest.raises(Exception):  # noqa: B017, PT011 (whatever notices it)
            proof.check()

    @each(alike(USING))
    def test_a_marked_mutant_of_what_uses_the_rules_is_not_noticed(mutant: Mutant, proof: Proof) -> None:
        with mutant.in_place():
            proof.check()
