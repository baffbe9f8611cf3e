"""Which files are read, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.errors import Diagnostic, Location, SchemaError
from clew.model.build import load_model
from clew.sdl.directives import directives_text
from clew.sdl.load import read_sources


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in files.items():
        path = folder / "graphql" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / "graphql"


def refused(folder: Path) -> list[Diagnostic]:
    with pytest.raises(SchemaError) as raised:
        load_model(folder, folder.parent)
    return list(raised.value.diagnostics)


def test_files_are_found_in_folders_sorted_and_named_from_the_base(tmp_path: Path) -> None:
    folder = write(tmp_path, {"b/x.gql": "", "a.graphql": "", "operations/q.graphql": "", "b/operations/y.graphql": ""})
    (folder / "notes.txt").write_text("no SDL")
    sources, faults = read_sources(folder, tmp_path)
    assert [source.name for source in sources] == [
        "graphql/a.graphql",
        "graphql/b/operations/y.graphql",
        "graphql/b/x.gql",
    ]
    assert faults == []


def test_operations_are_no_part_of_the_schema(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.graphql": "type A @table { id: ID! @id }", "operations/q.graphql": "query Q { a }"})
    assert set(load_model(folder).entities) == {"A"}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    (fault,) = refused(tmp_path / "graphql")
    assert fault.message == 'there is no folder "graphql"'
    assert fault.hint == "put your schema into graphql/schema.graphql"


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graphql").mkdir()
    (fault,) = refused(tmp_path / "graphql")
    assert fault.message == 'there is no .graphql file in "graphql"'


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeff"])
def test_a_schema_without_types_is_refused(tmp_path: Path, text: str) -> None:
    (fault,) = refused(write(tmp_path, {"a.graphql": text}))
    assert fault.message == "the schema is empty: no type is declared"


def test_an_empty_file_beside_others_is_fine(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.graphql": "# later\r\n", "b.graphql": "type A @table { id: ID! @id }"})
    assert set(load_model(folder).entities) == {"A"}


def test_bytes_that_are_not_utf8_are_shown_with_their_place(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.graphql": b"type A {\n  # caf\xe9\n}", "b.graphql": "type B {"})
    faults = refused(folder)
    assert faults[0].location == Location("graphql/a.graphql", 2, 8)
    assert faults[0].message == "the file is not UTF-8: byte 0xe9 cannot be read"
    assert faults[1].location is not None
    assert faults[1].location.file == "graphql/b.graphql"


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.graphql": "type A @table { id: ID! @id }"})
    (folder / "b.graphql").symlink_to(folder / "gone.graphql")
    (fault,) = refused(folder)
    assert fault.message == "the file cannot be read: No such file or directory"
    assert fault.location == Location("graphql/b.graphql", 1, 1)


def test_a_byte_order_mark_does_not_shift_columns(tmp_path: Path) -> None:
    (fault,) = refused(write(tmp_path, {"a.graphql": b"\xef\xbb\xbftype A { a: Strng }"}))
    assert fault.location == Location("graphql/a.graphql", 1, 13)


def test_the_written_directives_are_accepted(tmp_path: Path) -> None:
    folder = write(tmp_path, {"directives.graphql": directives_text(), "a.graphql": "type A @table { id: ID! @id }"})
    model = load_model(folder)
    assert set(model.entities) == {"A"}
    assert model.custom_types == ()
    assert model.enums == {}


def test_directives_without_their_descriptions_are_accepted(tmp_path: Path) -> None:
    text = "directive @id on FIELD_DEFINITION\ndirective @view(sql: String!) on OBJECT\nenum ClewChangeKind { CREATED "
    text += "UPDATED DELETED }\ntype A @table { id: ID! @id }"
    assert set(load_model(write(tmp_path, {"a.graphql": text})).entities) == {"A"}


def test_a_directive_of_clews_that_differs_is_refused(tmp_path: Path) -> None:
    text = directives_text().replace("directive @id on", "directive @id(old: Int) on")
    (fault,) = refused(write(tmp_path, {"directives.graphql": text, "a.graphql": "type A @table { id: ID! @id }"}))
    assert fault.message == "the definition of @id differs from Clew's own"
    assert fault.hint == "write graphql/directives.graphql again with: clew check --directives"
    assert fault.source == "directive @id(old: Int) on FIELD_DEFINITION"
