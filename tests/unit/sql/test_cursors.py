"""Cursors: what is sealed is opened by the same secret and order alone, and nothing else is anything but a refusal."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence

import pytest

from clew.document.cursors import bad_cursor, split
from clew.errors import ClewError, Code
from clew.sql.cursors import Cursors

CURSORS = Cursors("a secret of the tests")
ORDER = "Post(createdAt:timestamptz desc True,id:uuid asc False)"
VIEWER, ANOTHER = b"\x01" * 32, b"\x02" * 32
VALUES = ["2026-01-01 00:00:00.000001+00", "018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f"]


def sealed(values: Sequence[str | None], order: str = ORDER, cursors: Cursors = CURSORS, viewer: bytes = VIEWER) -> str:
    """The cursor as it comes out of a response."""
    plain = json.dumps(values, ensure_ascii=False).encode()
    response = f'{{"cursor" : "{cursors.marker}:0:{plain.hex()}"}}'.encode()
    found: str = json.loads(cursors.seal(response, [order], viewer))["cursor"]
    return found


def refused(cursor: str, order: str = ORDER, cursors: Cursors = CURSORS) -> None:
    with pytest.raises(ClewError) as caught:
        cursors.open(cursor, order, VIEWER, "after")
    assert caught.value.code is Code.BAD_USER_INPUT
    # One message, whatever is wrong: the difference would help a forger.
    assert (caught.value.message, caught.value.hint) == (bad_cursor("after").message, bad_cursor("after").hint)


@pytest.mark.parametrize(
    "values", [VALUES, [None, "1"], [None], [""], ['é😀\u2028"\\\x01'], ["x" * 50_000], [None] * 70 + ["1"]]
)
def test_a_cursor_opens_to_the_values_it_was_made_of(values: list[str | None]) -> None:
    cursor = sealed(values)
    assert CURSORS.open(cursor, ORDER, VIEWER, "after") == values
    nulls, _ = split(cursor, "after")
    assert [index for index in range(len(values)) if nulls >> index & 1] == [
        index for index, value in enumerate(values) if value is None
    ]


def test_equal_values_have_equal_cursors_in_every_process_of_one_secret() -> None:
    other = Cursors("a secret of the tests")
    assert other.marker != CURSORS.marker
    assert sealed(VALUES) == sealed(VALUES, cursors=other)


def test_a_cursor_tells_neither_the_values_nor_their_length() -> None:
    cursors = {value: sealed([value]) for value in ("a", "b", "ab", "a long text of some")}
    assert len({len(cursor) for cursor in cursors.values()}) == 1
    assert len(set(cursors.values())) == len(cursors)


def test_every_cut_and_every_flipped_bit_is_refused() -> None:
    cursor = sealed(VALUES)
    for end in range(len(cursor)):
        refused(cursor[:end])
    nulls, box = cursor.split(".")
    raw = base64.urlsafe_b64decode(box + "=" * (-len(box) % 4))
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        refused(f"{nulls}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}")


def test_a_cursor_of_another_order_viewer_or_secret_is_refused() -> None:
    refused(sealed(VALUES, viewer=ANOTHER))
    refused(sealed(VALUES, order=ORDER.replace("desc", "asc")))
    refused(sealed(VALUES, order=ORDER.replace("Post", "Comment")))
    refused(sealed(VALUES, cursors=Cursors("another secret")))


def test_other_nulls_in_the_open_are_refused() -> None:
    box = sealed(["1", None]).split(".")[1]
    assert CURSORS.open(f"2.{box}", ORDER, VIEWER, "after") == ["1", None]
    for nulls in (0, 1, 3, 4, 6, 2**64, 2**4000):
        refused(f"{nulls:x}.{box}")


@pytest.mark.parametrize(
    "cursor",
    [
        *(
            "",
            ".",
            "0",
            "0.",
            ".AAAA",
            "0.A",
            "0.AAAA",
            "0.====",
            "0.AAAA.AAAA",
            "0.+/+/",
            "G.AAAA",
            "0x1.AAAA",
            "-1.AAAA",
        ),
        *("0." + "A" * 1_000_000, "f" * 100_000 + ".AAAA", "0.AA AA", "0.AAAA\n", " 0.AAAA"),
        *("\u0660.AAAA", "0.ÄÄÄÄ", "0.😀", "0.\x00", "0.\ud800"),
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    refused(cursor)


def test_noise_is_refused() -> None:
    noise = random.Random(1)
    for _ in range(500):
        refused(f"0.{base64.urlsafe_b64encode(noise.randbytes(noise.randrange(120))).rstrip(b'=').decode()}")


def test_each_viewer_has_tie_keys_of_their_own_in_every_process_of_one_secret() -> None:
    keys = [cursors.tie_key(viewer) for cursors in (CURSORS, Cursors("another")) for viewer in (VIEWER, ANOTHER)]
    assert len(set(keys)) == 4
    # One block of SHA-256: what is hashed begins with it.
    assert {len(key) for key in keys} == {64}
    assert Cursors("a secret of the tests").tie_key(VIEWER) == keys[0]


def test_what_a_client_writes_into_a_row_is_never_sealed() -> None:
    """Marks are known to this process alone."""
    response = json.dumps({"title": f"{'0' * 32}:0:{b'[1]'.hex()}"}).encode()
    assert CURSORS.seal(response, [ORDER], VIEWER) == response
