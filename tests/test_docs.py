"""The documentation says what there is: all of it, and nothing else."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shlex
import shutil
import subprocess
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import (
    DocumentNode,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    Source,
    Visitor,
    parse,
    print_ast,
    validate,
    visit,
)

from app.replies import reply
from app.resolvers import message, mutation, query, thread, user
from app.seed import seed
from clew import Clew, Viewer
from clew.app import development_app
from clew.cli.parser import build_parser
from clew.config import LimitOverrides, Settings, variable
from clew.document.limits import Limits
from clew.engine import Engine, Request
from clew.errors import Code
from clew.migrate.connect import migration_engine
from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from clew.model.build import load_model, parse_model
from clew.model.operators import operators
from clew.model.scope import SQL_TYPES
from clew.model.types import ValueType
from clew.schema.build import DIRECTIONS, build_schema
from clew.schema.scalars import SCALARS
from clew.sdl.directives import definitions
from clew.wire.respond import _ALWAYS, _STATUS
from tests.databases import empty_database
from tests.node import program

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("**/*.md")), *sorted(ROOT.glob("*.md"))]

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


# --- reading Markdown -----------------------------------------------------------------


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def prose(text: str) -> str:
    """The text without its code blocks."""
    return FENCE.sub("", text)


def headings(text: str) -> list[str]:
    return [line.lstrip("#").strip() for line in prose(text).splitlines() if re.match(r"#+ ", line)]


def sections(text: str) -> dict[str, str]:
    """The text under each heading of any level, up to the next heading."""
    found: dict[str, str] = {}
    title, lines, fenced = "", list[str](), False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if not fenced and re.match(r"#+ ", line):
            found[title] = "".join(lines)
            title, lines = line.lstrip("#").strip(), []
        else:
            lines.append(line)
    return found | {title: "".join(lines)}


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, without its head."""
    found: list[list[list[str]]] = []
    previous = ""
    for line in prose(text).splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if not previous.startswith("|"):
                found.append([])
            found[-1].append(cells)
        previous = line
    return [table[2:] for table in found]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def blocks(text: str, kind: str) -> list[str]:
    return [body for info, body in FENCE.findall(text) if info == kind]


# --- directives and scalars -----------------------------------------------------------


def test_every_directive_has_its_heading_and_no_other_has() -> None:
    documented = [title.removeprefix("@") for title in headings(read("docs/directives.md")) if title.startswith("@")]
    assert sorted(documented) == sorted(definitions().directives)


@pytest.mark.parametrize("name", sorted(definitions().directives))
def test_a_directive_is_documented_with_its_arguments(name: str) -> None:
    section = sections(read("docs/directives.md"))[f"@{name}"]
    arguments = {node.name.value: node for node in definitions().directives[name].node.arguments or ()}
    rows = {code(row[0])[0]: row for table in tables(section) for row in table}
    assert set(rows) == set(arguments)
    for argument, (_, _, default, _) in rows.items():
        node = arguments[argument]
        if isinstance(node.type, NonNullTypeNode):
            assert default == "required"
        elif node.default_value is not None:
            told = print_ast(node.default_value)
            assert default == "all three" or code(default) == [told], (argument, told)
        else:
            assert default not in ("required", "")


@pytest.mark.parametrize("name", sorted(definitions().directives))
def test_a_directive_has_an_example_that_uses_it(name: str) -> None:
    examples = blocks(sections(read("docs/directives.md"))[f"@{name}"], "graphql sdl")
    used: set[str] = set()

    class Uses(Visitor):
        def enter_directive(self, node: Any, *_: Any) -> None:
            used.add(node.name.value)

    for example in examples:
        visit(parse(example), Uses())
    assert name in used


SDL = [
    pytest.param(example, id=f"{page.name}-{number}")
    for page in PAGES
    for number, example in enumerate(blocks(page.read_text("utf-8"), "graphql sdl"), 1)
]


@pytest.mark.parametrize("example", SDL)
def test_an_example_schema_compiles(example: str) -> None:
    model = parse_model(Source(example, "example.graphql"))
    assert model.entities


# What is validated and has no, or not its whole, effect. One that begins to act leaves this list and loses its line.
NOT_YET: set[str] = set()


def test_what_does_not_act_yet_says_so() -> None:
    text = sections(read("docs/directives.md"))
    said = {title.removeprefix("@") for title, section in text.items() if "**Not yet:**" in section}
    assert said == NOT_YET


def test_every_scalar_has_its_row() -> None:
    (table,) = tables(read("docs/scalars.md"))
    assert {code(row[0])[0]: code(row[1])[0] for row in table} == SQL_TYPES
    assert set(SQL_TYPES) == set(SCALARS)


# --- queries --------------------------------------------------------------------------


def operators_by_type() -> dict[str, list[str]]:
    found = {name: list(operators(ValueType(name, sql))) for name, sql in SQL_TYPES.items()}
    found["enums"] = list(operators(ValueType("Status", "text", is_enum=True)))
    found["lists"] = list(operators(ValueType("Int", "integer", is_list=True)))
    found["lists of `JSON`"] = list(operators(ValueType("JSON", "jsonb", is_list=True)))
    return found


def test_every_operator_has_its_row() -> None:
    by_operator, by_type = tables(sections(read("docs/queries.md"))["Filters"])
    expected = operators_by_type()
    assert {code(row[0])[0] for row in by_operator} == {name for names in expected.values() for name in names}
    documented = {row[0].strip("`") if row[0].count("`") == 2 and " " not in row[0] else row[0]: row for row in by_type}
    assert {name: set(code(row[1])) for name, row in documented.items()} == {
        name: set(names) for name, names in expected.items()
    }


def test_every_direction_is_named() -> None:
    assert set(DIRECTIONS) <= set(code(prose(sections(read("docs/queries.md"))["Order"])))


QUERIES = blocks(read("docs/queries.md"), "graphql query")


@pytest.fixture(scope="module")
def demo_schema() -> GraphQLSchema:
    return build_schema(load_model(ROOT / "graphql"))


@pytest.mark.parametrize("document", [*QUERIES, *blocks(read("docs/writes.md"), "graphql mutation")])
def test_an_operation_fits_the_demo(document: str, demo_schema: GraphQLSchema) -> None:
    parsed: DocumentNode = parse(document)
    assert validate(demo_schema, parsed) == []


# --- the demo, with its data ----------------------------------------------------------


@pytest.fixture(scope="module")
def demo(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clew, str]]:
    """The demo project on a seeded database of its own, and that database's URL."""
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "graphql", root / "graphql")
    (root / "migrations" / "versions").mkdir(parents=True)
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        shutil.copy(ROOT / name, root / name)
    clew = Clew([query, mutation, user, thread, message], project=root)
    clew.job("reply")(reply)

    async def fill(url: str) -> None:
        await upgrade(root, url)
        async with migration_engine(url) as engine, engine.connect() as connection, connection.begin():
            await seed(connection)

    with empty_database(postgres_url, "docs") as url:
        make(root, clew.build()[0], "demo")
        asyncio.run(fill(url))
        yield clew, url


def answer(demo: tuple[Clew, str], document: str, variables: dict[str, Any]) -> Any:
    clew, url = demo

    async def run() -> bytes:
        engine: Engine = clew.asgi(Settings.model_validate({"DATABASE_URL": url})).engine
        try:
            return (await engine.execute(Request(document, variables), Viewer.admin())).body
        finally:
            await engine.pool.close()

    return json.loads(asyncio.run(run()))


@pytest.mark.parametrize("document", QUERIES)
def test_a_query_runs_on_the_demo(document: str, demo: tuple[Clew, str]) -> None:
    (operation,) = (node for node in parse(document).definitions if isinstance(node, OperationDefinitionNode))
    variables = {"agent": str(uuid.uuid4())} if operation.variable_definitions else {}
    response = answer(demo, document, variables)
    assert set(response) == {"data"}
    if not variables:
        assert all(response["data"].values()), "an example that finds nothing shows nothing"


# A curl command that sends a document, and the answer that the page shows below it.
EXCHANGE = re.compile(r"^```sh\n(curl (?:(?!```).)*)^```\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXCHANGES = [
    pytest.param(command, shown, id=f"{name}-{number}")
    for name in ("README.md", "docs/access.md", "docs/writes.md")
    for number, (command, shown) in enumerate(EXCHANGE.findall(read(name)), 1)
]


def sent(command: str) -> tuple[dict[str, str], bytes]:
    """The headers and body of a curl command that reads its body from a here-document."""
    line, _, rest = command.replace("\\\n", "").partition("\n")
    words = shlex.split(line.partition("|")[0].replace("<<", " "))
    assert words[words.index("-d") + 1] == "@-"
    headers = [following for word, following in pairwise(words) if word == "-H"]
    # From a file, `-d` sends no line ends: JSON has none in its strings.
    body = rest.partition("\nEND\n")[0].replace("\n", "")
    return dict(header.split(": ", 1) for header in headers), body.encode()


def without_ids(response: Any) -> Any:
    for error in response.get("errors", ()):
        error["extensions"].pop("requestId")
    return response


def test_there_are_exchanges() -> None:
    assert len(EXCHANGES) >= 12


@pytest.mark.parametrize(("command", "shown"), EXCHANGES)
def test_a_curl_command_gets_the_answer_that_is_shown(command: str, shown: str, demo: tuple[Clew, str]) -> None:
    clew, url = demo
    headers, body = sent(command)

    async def run() -> Any:
        app = development_app(clew, Settings.model_validate({"DATABASE_URL": url, "env": "dev"}))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return (await client.post("/graphql", headers=headers, content=body)).json()
        finally:
            await app.engine.pool.close()

    assert without_ids(asyncio.run(run())) == without_ids(json.loads(shown))


def test_a_form_shows_errors_beside_their_fields(demo: tuple[Clew, str]) -> None:
    (program_,) = blocks(sections(read("docs/writes.md"))["Errors"], "js")
    thread = answer(demo, "{ threads(limit: 1) { id agent { id } } }", {})["data"]["threads"][0]
    messages = """mutation ($id: ID!) { updateThread(id: $id, set: {messages: {create: [
      {position: 1001, content: "a", author: USER}, {position: -1, content: "b", author: USER}
    ]}}) { id } }"""
    agent = "mutation ($id: ID!) { updateAgent(id: $id, set: {temperature: 3}) { id } }"
    for document, key, shown in (
        (messages, thread["id"], {"set.messages.create.1.position": "Positions count from 1."}),
        (agent, thread["agent"]["id"], {"set.temperature": "A temperature is between 0 and 2."}),
    ):
        errors = answer(demo, document, {"id": key})["errors"]
        script = f"""const errors = {json.dumps(errors)}, shown = {{}};
          const form = {{setError: (field, {{message}}) => {{ shown[field] = message; }}}};
          {program_}
          console.log(JSON.stringify(shown));"""
        done = subprocess.run([program("node"), "-e", script], capture_output=True, text=True, check=True, timeout=60)
        assert json.loads(done.stdout) == shown


# --- commands, settings, errors -------------------------------------------------------


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each command's name and what it takes: option strings, and positionals in capitals."""
    taken: set[str] = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, (*path, name))
        elif not isinstance(action, argparse._HelpAction):
            taken.update(action.option_strings or [str(action.metavar or action.dest).upper()])
    yield " ".join(("clew", *path)), taken


COMMANDS = dict(commands(build_parser()))

# Named in the overview as not there yet.
PLANNED = {"introspect"}


def test_every_command_has_its_heading_and_no_other_has() -> None:
    documented = {title for title in headings(read("docs/cli.md")) if title.startswith("clew ")}
    assert documented == set(COMMANDS) - {"clew"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_documented_with_its_options(command: str) -> None:
    section = sections(read("docs/cli.md"))["Commands" if command == "clew" else command]
    documented = {span.split()[0] for table in tables(section) for row in table for span in code(row[0])}
    assert documented - {"--help"} == COMMANDS[command]


def setting_rows() -> dict[str, list[str]]:
    text = read("docs/settings.md").partition("## Project settings")[0]
    return {code(row[0])[0]: row for table in tables(text) for row in table}


def test_every_setting_has_its_row() -> None:
    assert set(setting_rows()) == {variable(name) for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_is_documented_as_it_is(name: str) -> None:
    field = Settings.model_fields[name]
    _, kind, default, meaning = setting_rows()[variable(name)]
    assert kind
    assert meaning.removeprefix("*Not yet.* ") == field.description
    if field.default_factory is not None:
        return
    value = field.default
    if value is None:
        assert default == "unset"
    elif value in ((), {}):
        assert default == "none"
    elif isinstance(value, bool):
        assert code(default) == [str(value).lower()]
    elif isinstance(value, int | float):
        assert float(code(default)[0]) == value
    else:
        assert code(default) == [value]


def test_every_limit_has_its_row() -> None:
    (table,) = tables(sections(read("docs/limits.md"))["What an operation may ask for"])
    rows = {code(row[0])[0]: row for row in table}
    assert set(rows) == set(LimitOverrides.model_fields)
    usual, admins = Limits(), Limits().for_admin()
    for name, (_, setting, default, binds, _) in rows.items():
        field = Settings.model_fields[f"max_{name}"]
        assert code(setting) == [variable(f"max_{name}")]
        expected = field.get_default(
            call_default_factory=True, validated_data={"pool_max": Settings.model_fields["pool_max"].default}
        )
        assert code(default) == [str(expected)]
        assert getattr(usual, name) == expected
        assert (binds == "yes") is (getattr(admins, name) == expected)


def test_a_setting_that_nothing_reads_says_so() -> None:
    sources = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "clew").rglob("*.py") if path != ROOT / "clew" / "config.py"
    )
    unread = {variable(name) for name in Settings.model_fields if not re.search(rf"settings\.{name}\b", sources)}
    said = {name for name, row in setting_rows().items() if row[3].startswith("*Not yet.*")}
    assert said == unread


def test_every_error_code_has_its_row_and_status() -> None:
    (table,) = tables(sections(read("docs/errors.md"))["Errors"])
    assert {code(row[0])[0]: int(row[1]) for row in table} == {name.value: _STATUS.get(name, 400) for name in Code}


def test_the_codes_whose_status_is_always_sent_are_named() -> None:
    text = sections(read("docs/errors.md"))["Which status is sent"]
    assert {span for span in code(text) if span in Code.__members__} == {name.value for name in _ALWAYS}


# --- every page -----------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in headings(page.read_text("utf-8")))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def words_after(program: str, text: str) -> set[str]:
    """The first words that commands in code give to `program`."""
    spans: Sequence[str] = [*code(prose(text)), *(body for info, body in FENCE.findall(text) if info == "sh")]
    return {word for span in spans for word in re.findall(rf"(?:^|\s|/){program} ([a-z]+)", span)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_tells_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert words_after("make", text) <= targets
    known = {name.split()[1] for name in COMMANDS if " " in name}
    assert known.isdisjoint(PLANNED), "it is there: the overview must say so"
    assert words_after("clew", text) - (PLANNED if page.name in {"index.md", "CHANGELOG.md"} else set()) <= known


def test_every_page_is_in_the_index() -> None:
    index = read("docs/index.md")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in index] == []


def test_the_figures_of_the_first_page_are_those_of_the_last_runs() -> None:
    section = sections(read("README.md"))["How fast"]
    measured = read("bench/RESULTS.md") + read("bench/LIVE.md")
    (table,) = tables(section)
    told = [figure for row in table for figure in row[1:]] + re.findall(r"\d[\d.]* ms", section)
    assert len(told) > 12
    assert [figure for figure in told if not re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d.,])", measured)] == []


def pages_of(entry: Any) -> Iterator[str]:
    """The pages of an entry of the site's navigation, in its order."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from pages_of(inner)


def test_the_navigation_of_the_site_has_every_page_once() -> None:
    navigation = list(pages_of(tomllib.loads(read("zensical.toml"))["project"]["nav"]))
    copied = re.search(r"cp -R docs/\. (.*) build/docs", read("Makefile"))
    assert copied is not None
    expected = [
        *(page.name for page in DOCS.glob("*.md")),
        *(name for name in copied[1].split() if name.endswith(".md")),
    ]
    assert sorted(navigation) == sorted(expected)


def test_the_links_of_the_site_lead_to_what_it_has() -> None:
    """The site has the pages of `docs/`, and the files that `make site` puts beside them."""
    copied = re.search(r"cp -R docs/\. (.*) build/docs", read("Makefile"))
    assert copied is not None
    beside = set(copied[1].split())
    for page in DOCS.glob("*.md"):
        outside = set(re.findall(r"\]\(\.\./([^)#\s]+)", prose(page.read_text("utf-8"))))
        assert outside <= beside, page.name


def test_the_changelog_has_a_section_for_what_is_not_released() -> None:
    assert "Unreleased" in headings(read("CHANGELOG.md"))


def test_the_security_page_names_what_enforces_each_line() -> None:
    rows = [row for table in tables(read("SECURITY.md")) for row in table]
    assert len(rows) >= 10
    for row in rows:
        named = [span.partition("::") for span in code(row[-1])]
        assert named, row
        for path, _, test in named:
            file = ROOT / path
            assert file.exists(), path
            assert not test or f"def {test}(" in file.read_text("utf-8"), f"{path}::{test}"
