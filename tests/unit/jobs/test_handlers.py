"""Handlers that can never run are told at the start, and no others."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from graphql import Source

from clew.errors import ClewError
from clew.jobs.handlers import job_faults
from clew.model.build import parse_model
from clew.model.types import Model

ROOT = Path(__file__).parent
SDL = """
type Post @table { id: ID! @id title: String! }
type Mutation { answer(conversationId: ID!, style: String, size: Int = 1): String @job }
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return parse_model(Source(SDL, "schema.graphql"))


# What can run, and what nobody can tell.


async def exact(ctx: Any, conversation_id: str, style: str | None, size: int) -> str:
    return conversation_id


async def keywords(ctx: Any, /, **arguments: Any) -> None: ...


async def anything(*arguments: Any, **named: Any) -> None: ...


async def with_defaults(ctx: Any, *, size: int, conversation_id: str, other: int = 0) -> None: ...


async def without_the_optional(ctx: Any, conversation_id: str, size: int) -> None:
    """It fails only when a client gives the style."""


async def with_more(ctx: Any, client: Any, conversation_id: str, size: int, style: str | None = None) -> None: ...


async def context_of_that_name(conversation_id: Any, /, **arguments: Any) -> None: ...


def with_client(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(run)
    def wrapper(ctx: Any, **arguments: Any) -> Awaitable[Any]:
        return run(ctx, "client", **arguments)

    return wrapper


def untyped(run: Any) -> Any:
    def wrapper(ctx, **arguments):  # type: ignore[no-untyped-def]
        return run(ctx, **arguments)

    return wrapper


def passes_on(ctx, **arguments):  # type: ignore[no-untyped-def]
    return exact(ctx, **arguments)


def typed(ctx: Any, **arguments: Any) -> Coroutine[Any, Any, str]:
    return exact(ctx, **arguments)


def not_yet(ctx: Any, **arguments: Any) -> Any:
    raise ClewError("not yet")


def signed(ctx: Any, **arguments: Any) -> Awaitable[str]:
    return exact(ctx, **arguments)


signed.__signature__ = inspect.Signature()  # type: ignore[attr-defined]


class Handler:
    async def __call__(self, ctx: Any, conversation_id: str, size: int, style: str | None = None) -> None: ...

    async def method(self, ctx: Any, conversation_id: str, size: int, style: str | None = None) -> None: ...

    @classmethod
    async def of_class(cls, ctx: Any, **arguments: Any) -> None: ...

    @staticmethod
    async def of_none(ctx: Any, **arguments: Any) -> None: ...


class Awaited:
    def __init__(self, ctx: Any, **arguments: Any) -> None: ...

    def __await__(self) -> Iterator[Any]:
        yield from asyncio.sleep(0).__await__()


RUN = [
    *(exact, keywords, anything, with_defaults, without_the_optional, context_of_that_name),
    *(with_client(with_more), untyped(exact), passes_on, typed, not_yet, signed),
    *(Handler(), Handler().method, Handler.of_class, Handler.of_none, Awaited),
    *(functools.partial(with_more, client=1), functools.partial(Handler(), style="x"), functools.partial(passes_on)),
    *(AsyncMock(), MagicMock(), lambda ctx, **arguments: exact(ctx, **arguments)),
]


@pytest.mark.parametrize("handler", RUN, ids=lambda handler: getattr(handler, "__qualname__", type(handler).__name__))
def test_a_handler_that_may_run_is_no_fault(model: Model, handler: Any) -> None:
    assert list(job_faults(model, {"answer": handler}, ROOT)) == []


# What cannot.


async def missing(ctx: Any, style: str | None = None, size: int = 1) -> None: ...


async def needing(ctx: Any, conversation_id: str, size: int, model: str, style: str = "") -> None: ...


async def contextless() -> None: ...


async def only_named(*, ctx: Any, **arguments: Any) -> None: ...


async def by_place(ctx: Any, conversation_id: str, /, **arguments: Any) -> None: ...


async def mistaken(conversation_id: str, **arguments: Any) -> None: ...


def plain(ctx, **arguments):  # type: ignore[no-untyped-def]
    def inner() -> Any:
        return exact(ctx, **arguments)

    if arguments:
        return {"answer": inner}
    return None


def saying(ctx: Any, **arguments: Any) -> dict[str, Any] | None:
    found: Any = dict(arguments)
    return dict(found)


def generating(ctx: Any, **arguments: Any) -> Iterator[int]:
    yield 1


async def streaming(ctx: Any, **arguments: Any) -> AsyncIterator[int]:
    yield 1


class Plain:
    def __call__(self, ctx: Any, **arguments: Any) -> str:
        return "x"

    def method(self, ctx: Any, **arguments: Any) -> str:
        return "x"


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (missing, 'takes no argument "conversation_id"'),
        (needing, 'needs an argument "model" that the job does not give'),
        (
            contextless,
            "does not take the job's context first, and "
            'takes no argument "conversation_id", and takes no argument "size"',
        ),
        (
            only_named,
            'does not take the job\'s context first, and needs an argument "ctx" that the job does not give',
        ),
        (by_place, 'needs an argument "conversation_id" that the job does not give'),
        (mistaken, 'takes no argument "conversation_id" beside its context'),
        (functools.partial(missing, style="x"), 'takes no argument "conversation_id"'),
        *((one, "is not async") for one in (plain, saying, generating, streaming, Plain(), Plain().method)),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__) if callable(value) else "",
)
async def test_a_handler_that_cannot_run_is_told(model: Model, handler: Any, told: str) -> None:
    (fault,) = job_faults(model, {"answer": handler}, ROOT)
    assert fault.message.partition(" of the job 'answer' ")[2] == told
    # And it is true.
    given = {"conversation_id": "1", "style": None, "size": 1}
    with pytest.raises(TypeError):
        await handler(None, **given)
    del given["style"]
    with pytest.raises(TypeError):
        await handler(None, **given)


def test_a_fault_names_the_handler_and_what_it_takes_and_gets(model: Model) -> None:
    (fault,) = job_faults(model, {"answer": missing}, ROOT)
    line = missing.__code__.co_firstlineno
    assert fault.render().splitlines() == [
        f"schema.graphql:3:17: error: the handler missing (test_handlers.py:{line}) of the job 'answer' "
        'takes no argument "conversation_id"',
        "  hint: it takes (ctx, style=None, size=1); the job gives (ctx, conversation_id, style, size)",
    ]
    (fault,) = job_faults(model, {"answer": Plain()}, ROOT.parent)
    assert f"the handler Plain (jobs/test_handlers.py:{Plain.__call__.__code__.co_firstlineno}) of" in fault.message


def test_handlers_and_fields_that_have_no_other_are_told(model: Model) -> None:
    faults = [fault.message for fault in job_faults(model, {"anwser": exact}, ROOT)]
    assert faults == ["the job 'anwser' has a handler but no field", "the job 'answer' has no handler"]
