"""A project is written whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clew.errors import StartupError
from clew.starter import create as creating
from clew.starter.create import create


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def out_of_space(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device", "/somewhere")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the migration, which is what takes the time."""
    monkeypatch.setattr(creating, "make", lambda *_: None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("before", [(), (".git/HEAD",), (".venv/bin/python", ".git/HEAD", "venv/pyvenv.cfg")])
def test_an_empty_folder_is_filled_where_it_is(tmp_path: Path, before: tuple[str, ...]) -> None:
    for name in before:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    inode = tmp_path.stat().st_ino
    assert create(tmp_path, "1.2.3").root == tmp_path
    # A shell that is in the folder stays in it.
    assert tmp_path.stat().st_ino == inode
    assert {"README.md", "graphql/boards.graphql", "graphql/directives.graphql", *before} <= everything(tmp_path)
    assert [name for name in everything(tmp_path) if "clew-new" in name or name.endswith(".template")] == []


@pytest.mark.usefixtures("quick")
def test_a_new_folder_has_the_rights_that_the_user_gives_to_folders(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        create(tmp_path / "shop", None)
    finally:
        os.umask(before)
    assert (tmp_path / "shop").stat().st_mode & 0o777 == 0o755
    assert everything(tmp_path) == {"shop", *(f"shop/{name}" for name in everything(tmp_path / "shop"))}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("version", "pin"), [("1.2.3", "clew==1.2.3"), (None, "clew")])
def test_it_requires_the_version_that_wrote_it(tmp_path: Path, version: str | None, pin: str) -> None:
    create(tmp_path / "shop", version)
    text = (tmp_path / "shop" / "pyproject.toml").read_text()
    assert f'dependencies = ["{pin}"]' in text
    assert f'"{pin.replace("clew", "clew[dev,testing]")}"' in text


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StartupError, match=r"is not empty: it holds notes\.txt\. Nothing was written") as refused:
        create(tmp_path, None)
    assert refused.value.hint is not None
    assert everything(tmp_path) == {"notes.txt"}


def test_many_files_are_not_all_named(tmp_path: Path) -> None:
    for name in "edcba":
        (tmp_path / name).touch()
    with pytest.raises(StartupError, match="it holds a, b, c and more"):
        create(tmp_path, None)


def test_a_file_in_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(StartupError, match="shop is a file, not a folder"):
        create(tmp_path / "shop", None)
    assert (tmp_path / "shop").read_text() == "mine"


def test_a_folder_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"There is no folder .*/none to make shop in"):
        create(tmp_path / "none" / "shop", None)
    assert everything(tmp_path) == set()


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StartupError, match="shop cannot be written: Permission denied") as refused:
        create(tmp_path / "shop", None)
    assert refused.value.hint == "Choose a folder in which you may write."


@pytest.mark.parametrize("fails", [interrupt, out_of_space])
@pytest.mark.parametrize("name", ["shop", ""])
def test_a_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: Callable[..., None]
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(creating, "make", fails)
    with pytest.raises((KeyboardInterrupt, StartupError)):
        create(tmp_path / name, None)
    assert everything(tmp_path) == {".git"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fails", [interrupt, out_of_space])
def test_a_failure_at_the_very_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., None]
) -> None:
    (tmp_path / ".git").mkdir()
    rename, moved = Path.rename, list[str]()

    def rename_some(path: Path, target: Path) -> Path:
        moved.append(path.name)
        if path.name == "graphql":
            fails()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_some)
    with pytest.raises((KeyboardInterrupt, StartupError)):
        create(tmp_path, None)
    assert "app" in moved
    assert everything(tmp_path) == {".git"}


def test_what_comes_meanwhile_is_neither_replaced_nor_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "app" / "mine.py"
    mine.parent.mkdir()
    mine.write_text("mine")
    monkeypatch.setattr("clew.starter.create._is_free", lambda root: True)
    with pytest.raises(StartupError, match="app is there already"):
        create(tmp_path, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
