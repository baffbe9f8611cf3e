"""The demo's own fields, in plain Ariadne.

The parent of an entity's `@resolver` field is a dict with the fields that its
`requires` names, under their SDL names (SPEC 2).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ariadne import ObjectType, QueryType
from graphql import GraphQLResolveInfo

from app.pricing import PRICES, ModelPrice
from clew import ClewError

Info = GraphQLResolveInfo[Any]

query = QueryType()
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
    """One row of the price list."""
    price = PRICES.get(model)
    return _price(price) if price else None


@query.field("modelPrices")
def model_prices(_: object, info: Info) -> list[dict[str, str | int | Decimal]]:
    """The price list, the cheapest first."""
    return [_price(price) for price in sorted(PRICES.values(), key=lambda price: price.completion)]


@query.field("serverTime")
def server_time(_: object, info: Info) -> datetime:
    """The server's clock, in UTC."""
    return datetime.now(UTC)


@user.field("avatarUrl")
def avatar_url(parent: Mapping[str, Any], info: Info, *, size: int = 64) -> str:
    """The address of a generated picture; the e-mail address enters it as a hash only."""
    if not 16 <= size <= 512:
        raise ClewError("An avatar's size is between 16 and 512 pixels.", extensions={"argument": "size"})
    digest = hashlib.sha256(parent["email"].strip().lower().encode()).hexdigest()
    return f"https://www.gravatar.com/avatar/{digest}?s={size}&d=identicon"


@thread.field("slug")
def thread_slug(parent: Mapping[str, Any], info: Info) -> str:
    """The title in lower-case ASCII with hyphens; `thread` if nothing of it is left."""
    ascii_title = unicodedata.normalize("NFKD", parent["title"]).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")[:80].rstrip("-") or "thread"


@message.field("wordCount")
def word_count(parent: Mapping[str, Any], info: Info) -> int:
    """How many words the message has, split at white space."""
    return len(parent["content"].split())
