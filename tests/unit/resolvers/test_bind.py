"""Bindables that fit no type are told with what is known of their place."""

from __future__ import annotations

from enum import Enum

import pytest
from ariadne import ObjectType, SubscriptionType
from graphql import Source

from clew.model.build import parse_model
from clew.resolvers.bind import Bindable, bind
from clew.schema.build import build_schema

task = ObjectType("Task")
board = ObjectType("Board")
subscription = SubscriptionType()


@task.field("title")
def title_of(*_: object) -> str:
    return ""


@board.field("titel")
def titel_of(*_: object) -> str:
    return ""


class Mood(Enum):
    GOOD = "good"


SDL = "type Board @table(without: LIVE) @allow(role: anon) { id: ID! @id }"
LINE = title_of.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("bindable", "message", "place"),
    [
        (
            task,
            'ObjectType("Task") in Clew(bindables=[...]): Type Task is not defined in the schema',
            f" (for title it has {__name__}.title_of, line {LINE})",
        ),
        (
            board,
            'ObjectType("Board") in Clew(bindables=[...]): Field titel is not defined on type Board',
            f" (for titel it has {__name__}.titel_of, line {titel_of.__code__.co_firstlineno})",
        ),
        (subscription, 'SubscriptionType("Subscription") in Clew(bindables=[...]): ', ""),
        (Mood, 'EnumType("Mood") in Clew(bindables=[...]): Enum Mood is not defined in the schema', ""),
    ],
)
def test_a_bindable_without_its_type_or_field(bindable: Bindable, message: str, place: str) -> None:
    model = parse_model(Source(SDL))
    if bindable is subscription:
        subscription.source("ticks")(title_of)
        place = f" (for ticks it has {__name__}.title_of, line {LINE})"
    (fault,) = bind(build_schema(model), model, [[bindable]])
    assert fault.message.startswith(message)
    assert fault.hint == f"give it a name that the SDL has, or remove it{place}"
