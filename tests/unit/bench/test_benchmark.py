"""Cases, verification and the report, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from graphql import OperationDefinitionNode, Source, parse, print_ast, validate

from bench import matrix, rules
from bench import verify as verification
from bench.cases import CASES, Case, Variables, case
from bench.handwritten import forms_for
from bench.http import Client
from bench.load import LoadError, Measurement, require_wrk
from bench.memory import Sample, growth
from bench.peers import POSTGRAPHILE, STRAWBERRY, ClewPeer
from bench.plot import bars
from bench.report import CaseResult, render, span, worst_cells
from bench.server import Program
from bench.statements import Statement, handwritten, read_statements, write_statements
from bench.synthetic import documents, many_entities
from clew import Viewer
from clew.access.visible import Access
from clew.document.limits import Limits, RoleLimits
from clew.model.build import parse_model
from clew.schema.build import build_schema
from clew.schema.roles import role_schema, roles_of


class FakePeer:
    """Answers through `answer` instead of HTTP."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.headers: Mapping[str, str] = {}

    @property
    def pid(self) -> int:
        return 0

    def start(self) -> str:
        return self.name

    def stop(self) -> None: ...

    def path(self, case: Case) -> str:
        return ""

    def body(self, case: Case, variables: Variables) -> bytes:
        return json.dumps(variables).encode()


def test_variables_are_the_same_at_every_call_and_differ_between_requests() -> None:
    for one in (*CASES, *rules.CASES):
        sample = one.sample(scale=100, count=50)
        assert sample == one.sample(scale=100, count=50)
        assert len({json.dumps(variables) for variables in sample}) > 25


def test_a_document_declares_exactly_the_variables_that_are_sent() -> None:
    for one in (*CASES, *rules.CASES):
        operation = parse(one.document).definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        declared = {definition.variable.name.value for definition in operation.variable_definitions or ()}
        assert declared == set(one.sample(scale=1, count=1)[0])


def test_peers_of_one_process_differ_by_their_credentials_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "pid", 7)
    admin = ClewPeer("postgresql://nowhere", Path("project"), "admin")
    user = admin.asked_by("user", {"Authorization": "Bearer x"})
    assert (user.name, user.pid) == ("user", 7)
    assert user.headers.keys() ^ admin.headers.keys() == {"Authorization", "X-Clew-Admin-Secret"}


def test_the_documents_of_other_servers_take_the_same_variables() -> None:
    assert set(POSTGRAPHILE) == {one.name for one in CASES}
    for theirs in (POSTGRAPHILE, STRAWBERRY):
        for name, document in theirs.items():
            [operation] = parse(document).definitions
            [usual] = parse(case(name).document).definitions
            assert isinstance(operation, OperationDefinitionNode)
            assert isinstance(usual, OperationDefinitionNode)
            declared = [[print_ast(one) for one in each.variable_definitions or ()] for each in (operation, usual)]
            assert declared[0] == declared[1]


def test_the_cases_of_rules_fit_what_a_user_may_see() -> None:
    model = parse_model(Source(rules.SCHEMA.read_text()))
    access = Access(model)
    sight = roles_of(Viewer("1", frozenset({"user"})), access.rules.roles())
    schema = role_schema(access, model, build_schema(model), sight, RoleLimits(Limits()))
    for one in rules.CASES:
        assert validate(schema.schema, parse(one.document)) == []


def test_an_unknown_case_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="nested"):
        case("nothing")


def _verify(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Any]) -> None:
    def post(url: str, headers: Mapping[str, str], body: bytes) -> Any:
        track = {"id": json.loads(body)["id"], "name": "x"}
        return answers[url](track)

    monkeypatch.setattr(verification, "post", post)
    peers = {name: FakePeer(name) for name in answers}
    verification.verify(case("row"), peers, {name: name for name in answers}, scale=1, samples=3)


def test_equal_answers_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    _verify(monkeypatch, {name: lambda track: {"data": {"track": track}} for name in ("a", "b")})


@pytest.mark.parametrize(
    "answer",
    [
        lambda track: {"data": {"track": {**track, "name": "y"}}},
        lambda track: {"data": {"track": dict(reversed(track.items()))}},
        lambda track: {"data": {"track": None}},
        lambda track: {"data": {"track": track}, "errors": [{"message": "no"}]},
        lambda track: {"errors": [{"message": "no"}]},
    ],
    ids=["another value", "another order", "nothing", "data and errors", "errors"],
)
def test_differing_answers_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    with pytest.raises(verification.AnswersDiffer, match="row"):
        _verify(monkeypatch, {"a": lambda track: {"data": {"track": track}}, "b": answer})


def test_ratios_compare_neighbouring_rounds() -> None:
    rounds = {
        "clew": [Measurement(90, 1, 2), Measurement(50, 1, 2)],
        "bare": [Measurement(100, 1, 2), Measurement(100, 1, 2)],
    }
    result = CaseResult(case("row"), 1, rounds)
    assert result.ratios("clew", "bare") == [0.9, 0.5]
    page = render([result], subject="clew", command="python -m bench", postgres="18.4", settings="2 rounds")
    assert "| bare | 100 / 100 / 100 | 0.50 / 0.70 / 0.90 | 1.00 / 1.00 / 1.00 | 2.00 / 2.00 / 2.00 |" in page
    assert "`python -m bench`" in page
    assert "Postgres 18.4" in page


def test_the_picture_has_a_bar_for_each_peer_to_scale() -> None:
    rounds = {"clew": [Measurement(200, 1, 2)], "bare": [Measurement(100, 1, 2)]}
    picture = ElementTree.fromstring(bars([CaseResult(case("row"), 1, rounds)], "clew"))
    widths = [float(bar.attrib["width"]) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[1] == 2 * widths[2]
    assert "100/s · 2.00x" in [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_the_worst_cells_are_taken_from_the_matrix() -> None:
    cell = matrix.Found(next(matrix.cells()), 2.0, 1.0, "lateral")
    page = "\n".join([*matrix.introduction("python -m bench.matrix"), matrix.report([cell], "18.4")])
    lines = worst_cells(page)
    assert lines[0] == "### Postgres 18.4"
    assert f"| {cell.cell.name} | 2.00 | 1.00 | 0.50 | lateral |" in lines
    assert not any("by rows of the related table" in line for line in lines)


def test_every_cell_of_the_matrix_has_a_name_of_its_own_and_several_ways() -> None:
    found = list(matrix.cells())
    assert len({cell.name for cell in found}) == len(found) > 300
    for cell in found:
        ways = [form for _, tree in cell.trees for form in forms_for(tree, is_one=cell.is_one)]
        assert len(ways) >= 2, cell.name


def test_a_span_is_minimum_median_and_maximum() -> None:
    assert span([3, 1, 2], str) == "1 / 2 / 3"


def test_statements_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "statements.json"
    one = Statement("SELECT $1", "track", ("id",), {"jit": "off"}, "lateral")
    write_statements({"row": one}, file)
    assert read_statements(file) == {"row": one}


def test_a_case_is_written_by_hand_in_several_ways() -> None:
    for one in CASES:
        written = handwritten(one)
        assert len({statement.sql for statement in written}) == len(written) >= 2, one.name
        assert {statement.arguments for statement in written} == {tuple(one.sample(scale=1, count=1)[0])}


def test_generated_documents_parse_and_differ() -> None:
    made = list(documents(50, padding=100))
    assert len(set(made)) == 50
    for document in made:
        parse(document)


def test_generated_entities_parse() -> None:
    assert len(parse(many_entities(20)).definitions) == 40


def test_growth_looks_at_the_end_and_leaves_the_caches_time_to_fill() -> None:
    filling = [Sample(n, 50 + min(n, 10)) for n in range(100)]
    leaking = [Sample(n, 50 + n) for n in range(100)]
    assert growth(filling) == 0
    assert growth(leaking) > 50


async def _exchange(answer: bytes) -> tuple[int, bytes, bytes]:
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"body"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}", {"A": "b"}) as client:
            status, body = await client.post("/graphql", b"body")
    return status, body, bytes(received)


def test_the_client_sends_headers_and_reads_the_announced_length() -> None:
    status, body, request = asyncio.run(_exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
    assert (status, body) == (200, b"{}")
    assert request.startswith(b"POST /graphql HTTP/1.1\r\n")
    assert b"\r\nA: b\r\nContent-Length: 4\r\n\r\nbody" in request


def test_without_wrk_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match="apt-get install wrk"):
        require_wrk()
