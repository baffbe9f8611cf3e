"""What `clew jobs` says."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from clew import Clew, JobContext
from clew.cli import main
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


SDL = "type Mutation { tidyUp: Boolean @job report: Boolean @job } "
CRONS = '@cron(schedule: "0 3 1 1 *", run: report) @cron(schedule: "*/5 * * * *", run: tidyUp)'


@pytest.mark.parametrize("crons", [CRONS, ""])
def test_schedules_are_listed_with_their_next_times(
    crons: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "jobs.graphql").write_text(SDL + (crons and f"extend schema {crons}"))
    clew = Clew(project=tmp_path)

    async def run(_: JobContext) -> None: ...

    for name in ("tidyUp", "report"):
        clew.job(name)(run)
    monkeypatch.setattr(jobs, "load_app", lambda _: clew)
    # No database is there.
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost:1/none")
    before = datetime.now(UTC)
    assert main(["jobs", "crons", "--project", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    if not crons:
        assert printed == ["no schedules"]
        return
    head, soon, late = printed
    assert head.split() == ["jobName", "schedule", "next"]
    name, *schedule, at = soon.split()
    assert (name, " ".join(schedule)) == ("tidyUp", "*/5 * * * *")
    time = datetime.fromisoformat(at)
    assert before < time <= datetime.now(UTC) + timedelta(minutes=5)
    assert (time.minute % 5, time.second) == (0, 0)
    assert late.startswith("report   0 3 1 1 *    ")
    assert late.endswith("-01-01T03:00:00+00:00")
