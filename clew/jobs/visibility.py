"""Who may see a job: those for whom `job(id)` finds it."""

from __future__ import annotations

from clew.engine import Engine, Request
from clew.engine.outcome import raised
from clew.errors import Code
from clew.viewer import Viewer

_JOB = "query ($id: ID!) { job(id: $id) { id } }"


async def is_visible(engine: Engine, viewer: Viewer, job: str, client: str | None = None) -> bool:
    """Return whether a viewer may see a job.

    Args:
        client: the address of the client, if the question counts as an operation of the viewer's.

    Raises:
        ClewError: it cannot be told.
    """
    # Without jobs, a type of the application's own may be called Job.
    if not engine.model.job_fields:  # alike if false: tests/jobs has such an application
        return False
    outcome = await engine.execute(Request(_JOB, {"id": job}, client=client), viewer)
    error = raised(outcome)
    if error is None:  # alike if true: an answer with an error has no id
        return b'"id":' in await engine.encoded(outcome)
    if error.code is Code.GRAPHQL_VALIDATION_FAILED:  # alike if true: then what fails is hidden
        # The viewer's roles see no jobs at all.
        return False
    raise error
