"""Strawberry with SQLAlchemy, run by a Python that has it: one query a request, or one more for each to-many.

It is written the way an expert would: what the operation selects is loaded eagerly, and only its columns; parsed
and validated documents are kept; the pool resets nothing and every statement commits by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import strawberry
from sqlalchemy import ForeignKey, Integer, Select, column, func, select, table
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    selectinload,
)
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types.nodes import SelectedField, Selection
from strawberry.utils.str_converters import to_snake_case

_POOL_SIZE = int(os.environ.get("BENCH_POOL", "10"))


# To count them where their class does not exist yet.
_TRACKS = table("tracks", column("id", Integer), column("album_id", Integer))


class Base(DeclarativeBase):
    """The tables that the cases read."""


class ArtistRow(Base):
    __tablename__ = "artists"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class AlbumRow(Base):
    __tablename__ = "albums"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    artist_id: Mapped[int] = mapped_column(ForeignKey("artists.id"))
    artist: Mapped[ArtistRow] = relationship()
    tracks: Mapped[list[TrackRow]] = relationship(back_populates="album", order_by="TrackRow.id")
    track_count: Mapped[int] = column_property(
        select(func.count(_TRACKS.c.id)).where(_TRACKS.c.album_id == id).scalar_subquery(),  # noqa: A003 (the column)
        deferred=True,
    )


class GenreRow(Base):
    __tablename__ = "genres"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class TrackRow(Base):
    __tablename__ = "tracks"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    album_id: Mapped[int | None] = mapped_column(ForeignKey("albums.id"))
    genre_id: Mapped[int | None] = mapped_column(ForeignKey("genres.id"))
    composer: Mapped[str | None]
    milliseconds: Mapped[int]
    bytes: Mapped[int | None]
    unit_price: Mapped[Decimal]
    album: Mapped[AlbumRow | None] = relationship(back_populates="tracks")
    genre: Mapped[GenreRow | None] = relationship()


class PlaylistRow(Base):
    __tablename__ = "playlists"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class PlaylistTrackRow(Base):
    __tablename__ = "playlist_tracks"
    playlist_id: Mapped[int] = mapped_column(ForeignKey("playlists.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("tracks.id"), primary_key=True)


_engine = create_async_engine(
    os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1),
    pool_size=_POOL_SIZE,
    max_overflow=0,
    pool_reset_on_return=None,
    isolation_level="AUTOCOMMIT",
)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)


def eager(row: type[Base], selections: Sequence[Selection]) -> list[Any]:
    """Load the selected columns, to-ones by a join and to-manys by one more query, and nothing else."""
    relations = row.__mapper__.relationships
    options: list[Any] = []
    columns: list[Any] = []
    for field in selections:
        assert isinstance(field, SelectedField)
        name = to_snake_case(field.name)
        if name in relations:
            attribute = getattr(row, name)
            inner = eager(relations[name].mapper.class_, field.selections)
            load = selectinload(attribute) if relations[name].uselist else joinedload(attribute)
            options.append(load.options(*inner))
        elif name in row.__mapper__.columns:
            columns.append(getattr(row, name))
        elif name == "tracks_aggregate":
            columns.append(AlbumRow.track_count)
    return [load_only(*columns), *options] if columns else options


def _selections(info: strawberry.Info) -> Sequence[Selection]:
    return info.selected_fields[0].selections


async def _rows(statement: Select[Any]) -> list[Any]:
    async with _sessions() as session:
        return list(await session.scalars(statement))


async def _one(statement: Select[Any]) -> Any:
    async with _sessions() as session:
        return (await session.scalars(statement)).one_or_none()


@strawberry.type
class Artist:
    id: int
    name: str | None


@strawberry.type
class Genre:
    id: int
    name: str | None


@strawberry.type
class Aggregate:
    @strawberry.field
    @staticmethod
    def count(root: Any) -> int:
        return int(root.track_count)


@strawberry.type
class Album:
    id: int
    title: str
    artist: Artist
    tracks: list[Track]

    @strawberry.field
    @staticmethod
    def tracks_aggregate(root: Any) -> Aggregate:
        album: Aggregate = root
        return album


@strawberry.type
class Track:
    id: int
    name: str
    composer: str | None
    milliseconds: int
    bytes: int | None
    unit_price: Decimal
    album: Album | None
    genre: Genre | None


@strawberry.type
class Playlist:
    id: int
    name: str | None

    @strawberry.field
    @staticmethod
    async def tracks(root: Any, info: strawberry.Info, limit: int = 100) -> list[Track]:
        return await _rows(
            select(TrackRow)
            .join(PlaylistTrackRow, PlaylistTrackRow.track_id == TrackRow.id)
            .where(PlaylistTrackRow.playlist_id == root.id)
            .order_by(TrackRow.id)
            .limit(limit)
            .options(*eager(TrackRow, _selections(info)))
        )


@strawberry.type
class Query:
    @strawberry.field
    async def track(self, info: strawberry.Info, id: int) -> Track | None:
        return await _one(select(TrackRow).where(TrackRow.id == id).options(*eager(TrackRow, _selections(info))))

    @strawberry.field
    async def album(self, info: strawberry.Info, id: int) -> Album | None:
        return await _one(select(AlbumRow).where(AlbumRow.id == id).options(*eager(AlbumRow, _selections(info))))

    @strawberry.field
    async def albums(self, info: strawberry.Info, after: int, limit: int = 100) -> list[Album]:
        return await _rows(
            select(AlbumRow)
            .where(AlbumRow.id > after)
            .order_by(AlbumRow.id)
            .limit(limit)
            .options(*eager(AlbumRow, _selections(info)))
        )

    @strawberry.field
    async def tracks(self, info: strawberry.Info, after: int, limit: int = 100) -> list[Track]:
        return await _rows(
            select(TrackRow)
            .where(TrackRow.id > after)
            .order_by(TrackRow.id)
            .limit(limit)
            .options(*eager(TrackRow, _selections(info)))
        )

    @strawberry.field
    async def playlist(self, info: strawberry.Info, id: int) -> Playlist | None:
        return await _one(
            select(PlaylistRow).where(PlaylistRow.id == id).options(*eager(PlaylistRow, _selections(info)))
        )


def make_app() -> GraphQL[None, None]:
    """The ASGI app; its database is `BENCH_DATABASE_URL`."""
    schema = strawberry.Schema(Query, extensions=[ParserCache(), ValidationCache()])
    return GraphQL(schema, graphql_ide=None)
