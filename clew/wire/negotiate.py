"""Choose the media type of a response (GraphQL over HTTP, "Accept")."""

from __future__ import annotations

from functools import lru_cache

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
EVENTS = "text/event-stream"


@lru_cache(maxsize=256)
def negotiate(accept: str, html: bool = True) -> str | None:
    """Return the best media type that Clew supports, or None if none fits.

    Args:
        accept: the header's value, of limited length. It is empty if the header is absent,
            which means `application/json` for clients that are older than the specification.
        html: whether there is a page to send.
    """
    if not accept.strip():
        return JSON
    best: tuple[float, int, str] | None = None
    for index, part in enumerate(accept.split(",")):
        media, _, parameters = part.partition(";")
        media = media.strip().lower()
        quality = 1.0
        charset = "utf-8"
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            name, value = name.strip().lower(), value.strip().strip('"').lower()
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            elif name == "charset":
                charset = value
        if charset not in ("utf-8", "utf8"):
            continue
        if media in ("*/*", "application/*"):
            media = JSON
        if media in (RESPONSE, JSON, HTML, EVENTS) and (html or media != HTML) and quality > 0:
            # Of ranges with equal quality, the first one wins.
            candidate = (quality, -index, media)
            if best is None or candidate > best:
                best = candidate
    return best[2] if best else None
