"""The demo's own fields, in plain Ariadne.

The parent of an entity's `@resolver` field is a dict. It has the fields that
`requires` names, under their SDL names (docs/resolvers.md).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ariadne import MutationType, ObjectType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from app.pricing import PRICES, ModelPrice
from clew import ClewError

Info = GraphQLResolveInfo[Any]

MOST_PINNED = 5

query = QueryType()
mutation = MutationType()
user = ObjectType("User")
thread = ObjectType("Thread")
message = ObjectType("Message")


def _price(price: ModelPrice) -> dict[str, str | int | Decimal]:
    return {
        "model": price.model,
        "prompt": price.prompt,
        "completion": price.completion,
        "contextWindow": price.context_window,
    }


@query.field("modelPricing")
def model_pricing(_: object, info: Info, *, model: str) -> dict[str, str | int | Decimal] | None:
    """Return the price of one model."""
    price = PRICES.get(model)
    return _price(price) if price else None


@query.field("modelPrices")
def model_prices(_: object, info: Info) -> list[dict[str, str | int | Decimal]]:
    """Return the price of every model, the cheapest first."""
    return [_price(price) for price in sorted(PRICES.values(), key=lambda price: price.completion)]


@query.field("serverTime")
def server_time(_: object, info: Info) -> datetime:
    """Return the server's time, in UTC."""
    return datetime.now(UTC)


@query.field("busiestAgents")
async def busiest_agents(_: object, info: Info, *, limit: int) -> list[uuid.UUID]:
    """Return the keys of agents. Clew reads the rows under the viewer's rules."""
    if not 1 <= limit <= 50:
        raise ClewError("The limit is between 1 and 50 agents.", extensions={"argument": "limit"})
    statement = text(
        "SELECT agents.id FROM agents JOIN runs ON runs.agent_id = agents.id WHERE agents.status = 'LIVE'"
        " GROUP BY agents.id ORDER BY count(*) DESC, agents.id LIMIT :limit"
    )
    return list(await info.context.connection.scalars(statement, {"limit": limit}))


@mutation.field("pinThread")
async def pin_thread(_: object, info: Info, *, threadId: str, pinned: bool) -> str:  # noqa: N803 (GraphQL's name)
    """Pin or unpin a thread, and return its key. `@row` has checked that the viewer may read the thread."""
    statement = text("UPDATE threads SET pinned = :pinned WHERE id = :id")
    await info.context.connection.execute(statement, {"id": uuid.UUID(threadId), "pinned": pinned})
    found = await info.context.graphql(PINNED, id=threadId)
    if len(found["thread"]["owner"]["threads"]) > MOST_PINNED:
        raise ClewError(f"You can pin {MOST_PINNED} threads.", code="CONFLICT", hint="Unpin another one first.")
    return threadId


PINNED = "query ($id: ID!) { thread(id: $id) { owner { threads(where: {pinned: {eq: true}}) { id } } } }"


@user.field("avatarUrl")
def avatar_url(parent: Mapping[str, Any], info: Info, *, size: int = 64) -> str:
    """Return the URL of a generated picture. It contains the e-mail address only as a hash."""
    if not 16 <= size <= 512:
        raise ClewError("An avatar's size is between 16 and 512 pixels.", extensions={"argument": "size"})
    digest = hashlib.sha256(parent["email"].strip().lower().encode()).hexdigest()
    return f"https://www.gravatar.com/avatar/{digest}?s={size}&d=identicon"


@thread.field("slug")
def thread_slug(parent: Mapping[str, Any], info: Info) -> str:
    """Return the title in lower-case ASCII with hyphens, or `thread` if nothing is left."""
    ascii_title = unicodedata.normalize("NFKD", parent["title"]).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")[:80].rstrip("-") or "thread"


@message.field("wordCount")
def word_count(parent: Mapping[str, Any], info: Info) -> int:
    """Return the number of words in the message, split at white space."""
    return len(parent["content"].split())
