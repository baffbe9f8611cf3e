"""Whatever is written, by whomever: what a guard keeps stays as it is, and nobody lets oneself in.

A longer run: CLEW_TEST_EXAMPLES=20000 pytest tests/access/test_invariants.py
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest

from clew import Viewer
from tests.access.test_twins import VIEWERS
from tests.access.twins import Twin, make_twins
from tests.access.twins.documents import Writer
from tests.depth import FIRST, examples

EXAMPLES = examples(300)
ABOUT = (
    *("Stay", "Stay", "Drug", "Ward", "Patient", "Note", "Note", "Tag", "Locker"),
    *("Room", "Room", "Seat", "Entry"),
)
# Links by themselves, and what a to-one may be emptied for.
OF_ADMINS = (*ABOUT, "Locker", "Locker", *["Dose", "NoteTag"] * 4)

# What guards keep. They bind admins, too.
KEPT = {
    "a sealed stay": "SELECT * FROM stays WHERE sealed",
    "a locked drug": "SELECT * FROM drugs WHERE locked",
    "a patient of a locked drug": "SELECT doses.* FROM doses JOIN drugs ON drugs.id = drug_id WHERE locked",
    "a posted note": "SELECT * FROM notes WHERE posted",
    "a tag of a posted note": "SELECT note_tags.* FROM note_tags JOIN notes ON notes.id = note_id WHERE posted",
}
"""Rows that are there afterwards if they were before."""
NEVER = {
    "a pinned note without a locker": "SELECT id FROM notes WHERE pinned AND locker_id IS NULL",
    "another patient of a drug that was locked": "SELECT * FROM doses WHERE drug_id = 2 AND patient_id <> 2",
    "another tag of a note that was posted": "SELECT * FROM note_tags WHERE note_id = 2 AND tag_id <> 1",
}
"""Rows that there are not."""
IN = {
    "a room of which one is host or has a seat": """
        SELECT id FROM rooms WHERE host = $1 OR EXISTS (SELECT FROM seats WHERE room_id = rooms.id AND holder = $1)""",
    "a shelf whose reader one is": "SELECT shelf FROM entries WHERE reader = $1",
}
"""What only others let one into."""


@pytest.mark.parametrize("name", [*VIEWERS, "admin"])
def test_no_write_passes_by_a_rule(name: str, postgres_url: str, tmp_path: Path) -> None:
    viewer, random = VIEWERS.get(name, Viewer.admin()), Random(f"{FIRST}/{name}")
    with make_twins(postgres_url, tmp_path) as (runner, one, _):
        schema = runner.run(one.engine.role(viewer)).schema
        writer = Writer(schema, random, name, OF_ADMINS if viewer.is_admin else ABOUT)

        async def check() -> None:
            await one.fill()
            kept, let_in = await rows(one, KEPT), await rows(one, IN, name)
            threads = [thread for thread in await one.threads() if thread.child in ABOUT]
            written = 0
            for number in range(EXAMPLES):
                ways = (
                    writer.mutation,
                    partial(writer.climb, random.choice(threads)),
                    writer.probe,
                    writer.relink,
                    writer.probe,
                )
                document = ways[number % len(ways)]()
                if document.startswith("query"):
                    continue
                if b'"errors"' in await one.ask(viewer, document):
                    continue
                written += 1
                after = await rows(one, KEPT)
                lost = {what: before - after[what] for what, before in kept.items() if before - after[what]}
                assert not lost, document
                assert not {what: found for what, found in (await rows(one, NEVER)).items() if found}, document
                if not viewer.is_admin:
                    now = await rows(one, IN, name)
                    assert not {what: found - let_in[what] for what, found in now.items() if found - let_in[what]}, (
                        document
                    )
                await one.fill()
            # Who writes nothing proves nothing.
            assert written * 20 > EXAMPLES

        runner.run(check())


async def rows(twin: Twin, queries: dict[str, str], *arguments: str | None) -> dict[str, set[str]]:
    return {
        what: {repr(tuple(row)) for row in await twin.aside.fetch(sql, *arguments)} for what, sql in queries.items()
    }
