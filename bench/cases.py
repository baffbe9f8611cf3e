"""What is measured: one GraphQL document a case, its variables, and what an answer must look like."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.chinook.generate import COUNTS
from bench.handwritten import Tree

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What hand-written statements of a case read.

    Attributes:
        key: the root response key.
        source: the SELECT of the outermost rows; `$1`... are the variables.
        tree: what to give of them.
        is_one: whether that is one row, not a list.
    """

    key: str
    source: str
    tree: Tree
    is_one: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request.

    Attributes:
        name: a word, also the path of the bare peer's route.
        title: what the case is, for the report.
        document: the GraphQL operation that every GraphQL peer gets.
        variables: draws the variables of one request, for a database of the given scale.
        plausible: whether `data` answers the variables; it guards against measuring empty answers.
        by_hand: what hand-written statements read, for the bare peer.
    """

    name: str
    title: str
    document: str
    variables: Callable[[random.Random, int], Variables]
    plausible: Callable[[Any, Variables], bool]
    by_hand: ByHand | None = None

    def sample(self, scale: int, count: int, seed: int = 1) -> list[Variables]:
        """The variables of `count` requests, the same at every call."""
        rng = random.Random(f"{seed}:{self.name}")
        return [self.variables(rng, scale) for _ in range(count)]


def _key_of(table: str) -> Callable[[random.Random, int], Variables]:
    return lambda rng, scale: {"id": rng.randint(1, COUNTS[table] * scale)}


def _fields(*names: str) -> tuple[tuple[str, str], ...]:
    """Fields that are named alike in the API and in SQL, but for capitals."""
    return tuple((name, "{t}." + re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", name)) for name in names)


_PRICE = ("unitPrice", "{t}.unit_price::text")
_GENRE = Tree("genres", _fields("id", "name"), on=("id", "genre_id"))
_ALBUM = Tree("albums", _fields("id", "title"), on=("id", "album_id"))
_ARTIST = Tree("artists", _fields("id", "name"), on=("id", "artist_id"))

CASES = (
    Case(
        name="row",
        title="One row by key",
        document="query Track($id: Int!) { track(id: $id) { id name composer milliseconds bytes unitPrice } }",
        variables=_key_of("tracks"),
        plausible=lambda data, variables: bool(data["track"]["id"] == variables["id"]),
        by_hand=ByHand(
            key="track",
            source="SELECT * FROM tracks WHERE id = $1",
            tree=Tree("tracks", (*_fields("id", "name", "composer", "milliseconds", "bytes"), _PRICE)),
        ),
    ),
    Case(
        name="nested",
        title="Album by key, with its artist, its tracks and their genres",
        document="""
            query Album($id: Int!) {
              album(id: $id) {
                id title
                artist { id name }
                tracks { id name milliseconds unitPrice genre { id name } }
              }
            }""",
        variables=_key_of("albums"),
        plausible=lambda data, variables: bool(data["album"]["artist"]["name"] and data["album"]["tracks"]),
        by_hand=ByHand(
            key="album",
            source="SELECT id, title, artist_id FROM albums WHERE id = $1",
            tree=Tree(
                "albums",
                _fields("id", "title"),
                (
                    ("artist", "one", _ARTIST),
                    (
                        "tracks",
                        "many",
                        Tree(
                            "tracks",
                            (*_fields("id", "name", "milliseconds"), _PRICE),
                            (("genre", "one", _GENRE),),
                            on=("album_id", "id"),
                            columns=("id", "name", "milliseconds", "unit_price", "genre_id"),
                        ),
                    ),
                ),
            ),
        ),
    ),
    Case(
        name="list",
        title="100 tracks in order of key, with genre and album",
        document="""
            query Tracks($after: Int!) {
              tracks(where: {id: {gt: $after}}, orderBy: [{id: ASC}], limit: 100) {
                id name milliseconds
                genre { id name }
                album { id title }
              }
            }""",
        variables=lambda rng, scale: {"after": rng.randrange(COUNTS["tracks"] * scale - 100)},
        plausible=lambda data, variables: (
            [track["id"] for track in data["tracks"]] == list(range(variables["after"] + 1, variables["after"] + 101))
        ),
        by_hand=ByHand(
            key="tracks",
            source="SELECT id, name, milliseconds, genre_id, album_id FROM tracks WHERE id > $1 ORDER BY id LIMIT 100",
            tree=Tree(
                "tracks", _fields("id", "name", "milliseconds"), (("genre", "one", _GENRE), ("album", "one", _ALBUM))
            ),
            is_one=False,
        ),
    ),
    Case(
        name="playlist",
        title="Playlist by key, with 50 tracks (many-to-many), their album and artist",
        document="""
            query Playlist($id: Int!) {
              playlist(id: $id) {
                id name
                tracks(orderBy: [{id: ASC}], limit: 50) { id name album { id title artist { id name } } }
              }
            }""",
        variables=_key_of("playlists"),
        plausible=lambda data, variables: 5 <= len(data["playlist"]["tracks"]) <= 50,
        by_hand=ByHand(
            key="playlist",
            source="SELECT id, name FROM playlists WHERE id = $1",
            tree=Tree(
                "playlists",
                _fields("id", "name"),
                (
                    (
                        "tracks",
                        "many",
                        Tree(
                            "tracks",
                            _fields("id", "name"),
                            (("album", "one", replace(_ALBUM, inner=(("artist", "one", _ARTIST),))),),
                            link=("playlist_tracks", "playlist_id", "track_id"),
                            columns=("id", "name", "album_id"),
                            most=50,
                        ),
                    ),
                ),
            ),
        ),
    ),
    Case(
        name="counts",
        title="100 albums in order of key, with the number of their tracks (aggregate)",
        document="""
            query Albums($after: Int!) {
              albums(where: {id: {gt: $after}}, orderBy: [{id: ASC}], limit: 100) {
                id title
                tracksAggregate { count }
              }
            }""",
        variables=lambda rng, scale: {"after": rng.randrange(COUNTS["albums"] * scale - 100)},
        plausible=lambda data, variables: (
            [album["id"] for album in data["albums"]] == list(range(variables["after"] + 1, variables["after"] + 101))
            and any(album["tracksAggregate"]["count"] for album in data["albums"])
        ),
        by_hand=ByHand(
            key="albums",
            source="SELECT id, title FROM albums WHERE id > $1 ORDER BY id LIMIT 100",
            tree=Tree(
                "albums",
                _fields("id", "title"),
                (("tracksAggregate", "sums", Tree("tracks", (("count", "count({t}.id)"),), on=("album_id", "id"))),),
                columns=("id", "title"),
            ),
            is_one=False,
        ),
    ),
)


def case(name: str) -> Case:
    """The case of this name; KeyError names the others."""
    for candidate in CASES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"There is no case {name!r}; the cases are {', '.join(c.name for c in CASES)}.")
