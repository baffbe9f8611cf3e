"""Cursors: the values of an order's keys, encrypted for one viewer.

Postgres writes the values of a row's order keys in plain text, after a mark that nobody outside can know. Clew finds
them in the finished response and seals them there. Sealing is authenticated encryption (AES-SIV, RFC 5297). So nobody
can forge a cursor, and it reveals nothing of a key that its viewer may not see. Sealing is deterministic: equal reads
give equal responses. A cursor is bound to its order and its viewer, and is not valid for any other.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from clew.document.cursors import bad_cursor, split
from clew.secrets import derived_key

# The length of a cursor reveals the length of a hidden value. Padding to a multiple of this hides most of it.
_BLOCK = 32


class Cursors:
    """Seals and opens cursors, and makes the keys of the digests that break ties in an order.

    Args:
        secret: CLEW_SECRET. The processes that share it open each other's cursors and order rows alike.
    """

    def __init__(self, secret: str) -> None:
        self._cipher = AESSIV(derived_key(secret, "clew cursors"))
        self._ties = derived_key(secret, "clew ties")
        self.marker = secrets.token_hex(16)
        self._marked = re.compile(rf'"{self.marker}:(\d+):([0-9a-f]*)"'.encode())

    def tie_key(self, viewer: bytes) -> str:
        """Return the key of the digests that break ties for one viewer: 64 hexadecimal digits.

        Args:
            viewer: the `Identity`.
        """
        return hmac.new(self._ties, viewer, sha256).hexdigest()

    def seal(self, response: bytes, orders: Sequence[str], viewer: bytes) -> bytes:
        """Replace the marked values in a piece of JSON by cursors.

        Args:
            orders: the orders of the statement, by number.
            viewer: the `Identity` of the viewer whose response it is.
        """
        if not orders:
            return response
        bound = [_bound(order, viewer) for order in orders]

        def sealed(match: re.Match[bytes]) -> bytes:
            return self._seal(bytes.fromhex(match[2].decode()), bound[int(match[1])])

        return self._marked.sub(sealed, response)

    def sealed(self, values: Sequence[str], order: str, viewer: bytes) -> str:
        """Return a cursor of these values. `open` takes the same `order` and `viewer`."""
        return self._seal(json.dumps(values).encode(), _bound(order, viewer)).decode().strip('"')

    def _seal(self, values: bytes, bound: bytes) -> bytes:
        nulls = sum(1 << index for index, value in enumerate(json.loads(values)) if value is None)
        padded = values.ljust(-len(values) % _BLOCK + len(values))
        box = base64.urlsafe_b64encode(self._cipher.encrypt(padded, [bound])).rstrip(b"=")
        return b'"%x.%b"' % (nulls, box)

    def open(self, cursor: str, order: str, viewer: bytes, place: str) -> list[str | None]:
        """Return the values of the order keys as texts, None for a null.

        Raises:
            ClewError: BAD_USER_INPUT unless it is a cursor of this order and viewer.
        """
        nulls, box = split(cursor, place)
        try:
            raw = base64.b64decode(box + "=" * (-len(box) % 4), altchars=b"-_", validate=True)
            values: list[str | None] = json.loads(self._cipher.decrypt(raw, [_bound(order, viewer)]))
        except (InvalidTag, ValueError, binascii.Error):
            raise bad_cursor(place) from None
        if nulls != sum(1 << index for index, value in enumerate(values) if value is None):
            # The plan was made for the nulls that the cursor shows in plain text.
            raise bad_cursor(place)
        return values


def _bound(order: str, viewer: bytes) -> bytes:
    """Return the bytes that bind a cursor. The viewer's part has a fixed length."""
    return sha256(viewer + order.encode()).digest()
