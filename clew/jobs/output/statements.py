"""What writers and readers of jobs' output ask the database (`clew/migrate/objects/0005_job_output.sql`)."""

from __future__ import annotations

CHANNEL = "clew_job_output"

# Chunks of several jobs: only those of executions that still run, which the attempt tells. The lock keeps anybody from
# taking or ending such a job until its chunks are committed. A job that is locked otherwise is not waited for. A chunk
# that is there already was written by a try whose answer was lost. `output` is the attempt that began the output.
WRITE = """
WITH chunk AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::bool[], $8::text[]
    ) AS given (job, attempt, output, seq, kind, data, is_json, step)
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
    SELECT chunk.job, chunk.output, chunk.seq, state.part, chunk.kind, chunk.data, chunk.is_json, chunk.step
    FROM clew.job_output_state AS state, held
    JOIN chunk ON chunk.job = held.id AND chunk.attempt = held.attempt
    ON CONFLICT DO NOTHING
)
SELECT mine.id::text, held.id IS NOT NULL FROM mine LEFT JOIN held ON held.id = mine.id
"""

# How far an output is: the number of its last chunk, and the size of all that are kept.
GROWN = """
SELECT
    coalesce(greatest(max(seq), (SELECT seq FROM clew.job_output_dropped WHERE job = $1 AND attempt = $2)), 0),
    coalesce(sum(octet_length(data) + 64), 0)::bigint
FROM clew.job_output WHERE job = $1 AND attempt = $2
"""

# The last step that a job has finished.
LAST_STEP = """
SELECT name FROM clew.job_steps WHERE job = $1 AND NOT starts_with(name, 'clew.') ORDER BY position DESC LIMIT 1
"""

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

# The database system and its timeline: after a failover or a restore they are others, and output may be lost that
# followers have. NULL on a standby, which may become another primary at any moment.
EPOCH = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN
    system_identifier || '.' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
END FROM pg_control_system()
"""

# How far the output of some jobs is.
OPEN = """
SELECT jobs.id::text, jobs.output, jobs.status, (
    SELECT max(seq) FROM clew.job_output AS o WHERE o.job = jobs.id AND o.attempt = jobs.output
), (
    SELECT step FROM clew.job_output AS o WHERE o.job = jobs.id AND o.attempt = jobs.output AND seq = 0
), dropped.seq
FROM (
    SELECT id, status, coalesce(continues, attempt) AS output FROM clew.jobs WHERE id = ANY($1::uuid[])
) AS jobs
LEFT JOIN clew.job_output_dropped AS dropped ON dropped.job = jobs.id AND dropped.attempt = jobs.output
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

# What is new of some jobs: how they are, and their next chunks. An output after the one that is known begins anew.
_OUTPUT = "coalesce(jobs.continues, jobs.attempt)"
_AFTER = f"(CASE WHEN {_OUTPUT} = known.attempt THEN known.seq ELSE -1 END)"
READ = """
SELECT known.job::text, {output}, jobs.status, dropped.seq, new.*
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS known (job, attempt, seq)
LEFT JOIN clew.jobs ON jobs.id = known.job
LEFT JOIN clew.job_output_dropped AS dropped ON dropped.job = jobs.id AND dropped.attempt = {output}
LEFT JOIN LATERAL (
    {next}
) AS new ON true
ORDER BY known.job, new.seq
""".format(output=_OUTPUT, next=_NEXT.format(job="known.job", attempt=_OUTPUT, after=_AFTER, rows="$4", bytes="$5"))

ROTATE = "SELECT clew.rotate_job_output($1::float8 * interval '1 second', $2)"
