"""What writers and readers of jobs' output ask the database (`clew/migrate/objects/0005_job_output.sql`)."""

from __future__ import annotations

CHANNEL = "clew_job_output"

# Chunks of several jobs: only those of executions that still run, which the attempt tells. The lock keeps anybody from
# taking or ending such a job until its chunks are committed. A job that is locked otherwise is not waited for. A chunk
# that is there already was written by a try whose answer was lost.
WRITE = """
WITH chunk AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::bool[], $7::text[])
        AS given (job, attempt, seq, kind, data, is_json, step)
), mine AS (
    SELECT jobs.id, jobs.attempt FROM (SELECT DISTINCT job, attempt FROM chunk) AS of
    JOIN clew.jobs ON jobs.id = of.job AND jobs.attempt = of.attempt
    WHERE jobs.status = 'RUNNING'
), held AS (
    SELECT jobs.id, jobs.attempt FROM clew.jobs
    WHERE (jobs.id, jobs.attempt) IN (SELECT id, attempt FROM mine) AND jobs.status = 'RUNNING'
    FOR SHARE SKIP LOCKED
), written AS (
    INSERT INTO clew.job_output (job, attempt, seq, part, kind, data, is_json, step)
    SELECT chunk.job, chunk.attempt, chunk.seq, state.part, chunk.kind, chunk.data, chunk.is_json, chunk.step
    FROM clew.job_output_state AS state, held
    JOIN chunk ON chunk.job = held.id AND chunk.attempt = held.attempt
    ON CONFLICT DO NOTHING
)
SELECT mine.id::text, held.id IS NOT NULL FROM mine LEFT JOIN held ON held.id = mine.id
"""

# The last step that a job has finished.
LAST_STEP = "SELECT name FROM clew.job_steps WHERE job = $1 ORDER BY position DESC LIMIT 1"

# Chunks of an earlier execution, with new numbers. Return how many there were, and their size.
COPY = """
WITH copied AS (
    INSERT INTO clew.job_output (job, attempt, seq, part, kind, data, is_json, step)
    SELECT o.job, $2, o.seq + $6, state.part, o.kind, o.data, o.is_json, o.step
    FROM clew.job_output AS o, clew.job_output_state AS state
    WHERE o.job = $1 AND o.attempt = $3 AND o.seq BETWEEN $4 AND $5
    ON CONFLICT DO NOTHING
    RETURNING octet_length(data) + 64 AS size
)
SELECT count(*), coalesce(sum(size), 0) FROM copied
"""

# Say that chunks of an execution are not there.
LACK = """
INSERT INTO clew.job_output_dropped AS d (job, attempt, seq) VALUES ($1, $2, $3)
ON CONFLICT (job) DO UPDATE SET attempt = excluded.attempt, seq = excluded.seq
"""

# How far the output of some jobs is.
OPEN = """
SELECT jobs.id::text, jobs.attempt, jobs.status, (
    SELECT max(seq) FROM clew.job_output AS o WHERE o.job = jobs.id AND o.attempt = jobs.attempt
), (
    SELECT step FROM clew.job_output AS o WHERE o.job = jobs.id AND o.attempt = jobs.attempt AND seq = 0
), dropped.seq
FROM clew.jobs LEFT JOIN clew.job_output_dropped AS dropped ON dropped.job = jobs.id AND dropped.attempt = jobs.attempt
WHERE jobs.id = ANY($1::uuid[])
"""

# The next chunks of an execution, up to a number of them and of bytes, but at least one.
_NEXT = """
SELECT seq, kind, data, is_json, step FROM (
    SELECT *, sum(octet_length(data)) OVER (ORDER BY seq) - octet_length(data) AS before FROM (
        SELECT seq, kind, data, is_json, step FROM clew.job_output AS o
        WHERE o.job = {job} AND o.attempt = {attempt} AND o.seq > {after}
        ORDER BY seq LIMIT {rows}
    ) AS first
) AS measured
WHERE before < {bytes}
"""
PAGE = f"{_NEXT.format(job='$1', attempt='$2', after='$3', rows='$4', bytes='$5')} ORDER BY seq"

# What is new of some jobs: how they are, and their next chunks. An execution after the one that is known begins anew.
_AFTER = "(CASE WHEN jobs.attempt = known.attempt THEN known.seq ELSE -1 END)"
READ = """
SELECT known.job::text, jobs.attempt, jobs.status, dropped.seq, new.*
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS known (job, attempt, seq)
LEFT JOIN clew.jobs ON jobs.id = known.job
LEFT JOIN clew.job_output_dropped AS dropped ON dropped.job = jobs.id AND dropped.attempt = jobs.attempt
LEFT JOIN LATERAL (
    {next}
) AS new ON true
ORDER BY known.job, new.seq
""".format(next=_NEXT.format(job="known.job", attempt="jobs.attempt", after=_AFTER, rows="$4", bytes="$5"))

ROTATE = "SELECT clew.rotate_job_output($1::float8 * interval '1 second', $2)"
