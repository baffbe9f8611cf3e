"""What `clew jobs` says."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, cast

import pytest

from clew import Clew
from clew.cli.commands import jobs


class Answering:
    """In place of a Clew: it has changed so many jobs."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def graphql(self, *_: object, **__: object) -> dict[str, Any]:
        return {"changed": {"count": self.count}}


@pytest.mark.anyio
@pytest.mark.parametrize(("count", "told"), [(0, "0 jobs changed\n"), (1, "1 job changed\n"), (2, "2 jobs changed\n")])
async def test_jobs_are_counted(count: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = Namespace(name=None, queue="mail", status=None, ids=[], field="retryJobs")
    await jobs._change(cast("Clew", Answering(count)), arguments)
    assert capsys.readouterr().out == told
