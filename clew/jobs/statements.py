"""What jobs ask the database. `clew/migrate/objects/0004_jobs.sql` has the tables."""

from __future__ import annotations

# Jobs that are named are found by their ids. `(status = ...) IS TRUE` keeps Postgres from walking the index of states,
# where there are many more.

# In seconds: the longest wait before a retry.
_LONGEST_BACKOFF = 3600

# 1, 2, 4 ... seconds after each execution that counts, between half and one and a half times as long.
_BACKOFF = f"""
interval '1 second' * (0.5 + random())
    * least({_LONGEST_BACKOFF}, 2.0 ^ least(30, greatest(0, attempt - uncounted - 1)))
"""

# Enqueue. Unique keys are locked in one order. The numbers in the queue follow the order of the jobs as given.
ENQUEUE = """
WITH given AS MATERIALIZED (
    SELECT clew.uuid_v7() AS id, jobs.*
    FROM unnest(
        $1::text[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::timestamptz[]
    ) WITH ORDINALITY AS jobs (
        name, queue, priority, retries, arguments, viewer, caller, unique_key, limit_key, run_at, position
    )
), made AS (
    INSERT INTO clew.jobs (
        id, name, queue, priority, retries, arguments, viewer, caller, unique_key, limit_key, run_at
    )
    SELECT
        id, name, queue, priority, retries, arguments::jsonb, viewer, caller::jsonb, unique_key, limit_key, run_at
    FROM given ORDER BY name, unique_key, position
    ON CONFLICT (name, unique_key) WHERE unique_key IS NOT NULL AND status IN ('QUEUED', 'RUNNING') DO NOTHING
    RETURNING id
), fresh AS MATERIALIZED (
    SELECT given.* FROM given JOIN made USING (id) ORDER BY position
), queued AS (
    INSERT INTO clew.job_queue (name, priority, job, key)
    SELECT name, priority, id, limit_key FROM fresh
    WHERE run_at IS NULL OR run_at <= clock_timestamp() ORDER BY position
), delayed AS (
    INSERT INTO clew.job_delays (due, name, priority, job, key)
    SELECT run_at, name, priority, id, limit_key FROM fresh WHERE run_at > clock_timestamp()
)
SELECT position, id::text FROM fresh
"""

# The jobs that hold unique keys.
HOLDERS = """
SELECT name, unique_key, id::text FROM clew.jobs
WHERE (name, unique_key) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND status IN ('QUEUED', 'RUNNING')
"""

CANCEL = """
UPDATE clew.jobs SET
    status = CASE status WHEN 'QUEUED' THEN 'CANCELLED' ELSE status END,
    finished_at = CASE status WHEN 'QUEUED' THEN now() END,
    cancelled_at = now()
WHERE id = ANY($1::uuid[]) AND (status = 'QUEUED' OR status = 'RUNNING' AND cancelled_at IS NULL) IS TRUE
RETURNING id::text
"""

RETRY = "SELECT unnest(clew.retry_jobs($1::uuid[]))::text"

PAUSE = "INSERT INTO clew.job_pauses (queue) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1"
RESUME = "DELETE FROM clew.job_pauses WHERE queue = $1 RETURNING 1"

# Claim. A place is a part of the index of the queue to look at: see `clew/jobs/places.py`. What others are claiming is
# skipped, but seen: `first` is the first row of each place.
_PLACES = """
places AS MATERIALIZED (
    SELECT place.* FROM unnest($1::text[], $2::text[], $3::xid8[], $4::bigint[], $5::xid8[])
        WITH ORDINALITY AS place (name, queue, xid, number, until, place)
    WHERE NOT EXISTS (SELECT FROM clew.job_pauses WHERE job_pauses.queue = place.queue)
), firsts AS MATERIALIZED (
    SELECT places.place, first.xid, first.number FROM places LEFT JOIN LATERAL (
        SELECT row.xid, row.number FROM clew.job_queue AS row
        WHERE row.name = places.name AND (row.xid, row.number) >= (places.xid, places.number)
            AND row.xid < places.until
        ORDER BY row.xid, row.number LIMIT 1
    ) AS first ON true
), seen AS MATERIALIZED (
    SELECT row.* FROM places, LATERAL (
        SELECT row.ctid AS at, row.* FROM clew.job_queue AS row
        WHERE row.name = places.name AND (row.xid, row.number) >= (places.xid, places.number)
            AND row.xid < places.until
        ORDER BY row.xid, row.number LIMIT $6 FOR UPDATE OF row SKIP LOCKED
    ) AS row
), chosen AS MATERIALIZED (
    SELECT * FROM seen ORDER BY priority DESC, xid, number LIMIT $6
)
"""

# Lock the chosen jobs. One that is no longer queued, or not for this attempt, is no job to begin. One that another
# transaction has locked, such as one that cancels it, is left for later: nobody who holds a lock holds up the others.
_LOCK = """
jobs AS MATERIALIZED (
    SELECT chosen.*, job.id FROM chosen LEFT JOIN LATERAL (
        SELECT job.id FROM clew.jobs AS job
        WHERE job.id = chosen.job AND job.attempt = chosen.attempt AND (job.status = 'QUEUED') IS TRUE LIMIT 1
    ) AS job ON true
), locked AS MATERIALIZED (
    SELECT id FROM clew.jobs
    WHERE id = ANY(ARRAY(SELECT id FROM jobs)) AND (status = 'QUEUED') IS TRUE
    FOR NO KEY UPDATE SKIP LOCKED
), ready AS MATERIALIZED (
    SELECT at FROM jobs WHERE id IS NULL OR id IN (SELECT id FROM locked)
)
"""

# What a worker must know of a job that begins. `late` is how long the job has waited, in seconds.
_BEGUN = """
id::text AS job, name, queue, attempt, continues, attempt - uncounted AS try, retries, arguments::text, caller::text,
extract(epoch FROM clock_timestamp() - greatest(created_at, run_at))::float8 AS late
"""

_BEGIN = """
UPDATE clew.jobs SET
    status = 'RUNNING', attempt = attempt + 1, started_at = clock_timestamp(), worker = {worker},
    continues = CASE WHEN asleep THEN coalesce(continues, attempt) END, asleep = false,
    progress = NULL, message = NULL
"""

CLAIM = f"""
WITH {_PLACES}, {_LOCK}, taken AS (
    DELETE FROM clew.job_queue WHERE ctid = ANY(ARRAY(SELECT at FROM ready))
), begun AS (
    {_BEGIN.format(worker="$7::uuid")}
    WHERE id = ANY(ARRAY(SELECT id FROM locked))
    RETURNING {_BEGUN}, priority
)
SELECT
    pg_current_snapshot() AS snapshot, place, xid, number, NULL AS job, NULL AS name, NULL AS queue, 0 AS attempt,
    0 AS continues, 0 AS try, 0 AS retries, NULL AS arguments, NULL AS caller, 0 AS late, 0 AS priority
FROM firsts
UNION ALL (
    SELECT NULL, 0, NULL, 0, job, name, queue, attempt, continues, try, retries, arguments, caller, late, priority
    FROM begun ORDER BY priority DESC, job
)
"""  # noqa: S608

# One worker at a time takes jobs with limits. Another one would skip those that the first is about to begin, and begin
# later ones. What follows in the transaction sees what the first has taken.
LOCK_TAKING = "SELECT pg_advisory_xact_lock(hashtextextended('clew.jobs.taking', 1301))"

# The same for jobs with limits: put them where they wait for others with the same key.
TAKE = f"""
WITH {_PLACES}, taken AS (
    DELETE FROM clew.job_queue WHERE ctid = ANY(ARRAY(SELECT at FROM chosen))
    RETURNING xid, number, name, priority, attempt, job, key
), waiting AS (
    INSERT INTO clew.job_waiting (name, key, xid, number, priority, attempt, job)
    SELECT name, coalesce(key, ''), xid, number, priority, attempt, job FROM taken WHERE job IS NOT NULL
)
SELECT pg_current_snapshot() AS snapshot, place, xid, number, NULL AS name, NULL AS key FROM firsts
UNION ALL (
    SELECT NULL::pg_snapshot, 0, NULL::xid8, count(*), name, coalesce(key, '')
    FROM taken GROUP BY name, coalesce(key, '')
)
"""  # noqa: S608

# Keys are locked in one order. What follows in the transaction sees what others did with them before.
LOCK_KEYS = """
SELECT pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT hashtextextended(name || chr(1) || key, 1301) AS lock
    FROM unnest($1::text[], $2::text[]) AS keys (name, key) ORDER BY 1
) AS locks
"""

_KEYS = """
keys AS MATERIALIZED (
    SELECT
        keys.*,
        concurrency - (
            SELECT count(*) FROM clew.job_running AS other WHERE other.name = keys.name AND other.key = keys.key
        ) AS places,
        rate - (
            SELECT count(*) FROM clew.job_starts AS other
            WHERE other.name = keys.name AND other.key = keys.key
                AND other.at > (SELECT clock_timestamp() - interval '1 minute')
        ) AS starts
    FROM unnest($1::text[], $2::text[], $3::int[], $4::int[]) AS keys (name, key, concurrency, rate)
)
"""

# Begin as many jobs of each key as its limits allow.
ADMIT = f"""
WITH {_KEYS}, chosen AS MATERIALIZED (
    SELECT row.at, row.job, row.attempt FROM keys, LATERAL (
        SELECT row.ctid AS at, row.* FROM clew.job_waiting AS row
        WHERE row.name = keys.name AND row.key = keys.key
        ORDER BY row.xid, row.number LIMIT greatest(0, least($5, places, starts))
    ) AS row
    ORDER BY row.priority DESC, row.xid, row.number LIMIT $5
), {_LOCK}, gone AS (
    DELETE FROM clew.job_waiting WHERE ctid = ANY(ARRAY(SELECT at FROM ready))
), begun AS (
    {_BEGIN.format(worker="$6::uuid")}
    WHERE id = ANY(ARRAY(SELECT id FROM locked))
    RETURNING {_BEGUN}, priority, coalesce(limit_key, '') AS key
), running AS (
    INSERT INTO clew.job_running (name, key, job, attempt) SELECT name, key, job::uuid, attempt FROM begun
), started AS (
    INSERT INTO clew.job_starts (name, key)
    SELECT begun.name, begun.key FROM begun JOIN keys USING (name, key) WHERE keys.rate IS NOT NULL
)
SELECT * FROM begun ORDER BY priority DESC, job
"""  # noqa: S608

# After that, or after jobs have ended: if jobs of a key wait although they could begin, say so in the queue. If only
# the rate keeps them, say so later. If others run, these will say so.
NUDGE = f"""
WITH {_KEYS}, held AS MATERIALIZED (
    SELECT keys.*, first.priority FROM keys, LATERAL (
        SELECT row.priority FROM clew.job_waiting AS row WHERE row.name = keys.name AND row.key = keys.key
        ORDER BY row.xid, row.number LIMIT 1
    ) AS first
    WHERE places > 0 OR places IS NULL
), queued AS (
    INSERT INTO clew.job_queue (name, priority, key)
    SELECT name, priority, key FROM held WHERE starts > 0 OR starts IS NULL
    RETURNING name
), delayed AS (
    INSERT INTO clew.job_delays (due, name, priority, key)
    SELECT
        (
            SELECT other.at + interval '1 minute' FROM clew.job_starts AS other
            WHERE other.name = held.name AND other.key = held.key ORDER BY other.at DESC OFFSET held.rate - 1 LIMIT 1
        ),
        name, priority, key
    FROM held WHERE starts <= 0
    ON CONFLICT (name, key, due) WHERE job IS NULL DO NOTHING
), forgotten AS (
    DELETE FROM clew.job_starts WHERE ctid = ANY(ARRAY(
        SELECT old.place FROM keys, LATERAL (
            SELECT row.ctid AS place FROM clew.job_starts AS row
            WHERE row.name = keys.name AND row.key = keys.key
                AND row.at < (SELECT clock_timestamp() - interval '2 minutes')
            LIMIT 100
        ) AS old
    ))
)
SELECT count(*) FROM queued
"""  # noqa: S608

# Jobs of some names that run no longer. Workers that know no limits of a name leave them to others.
ENDED = """
SELECT row.name, row.key, row.job::text, row.attempt FROM clew.job_running AS row
LEFT JOIN LATERAL (
    SELECT true AS is_running FROM clew.jobs AS job
    WHERE job.id = row.job AND job.attempt = row.attempt AND (job.status = 'RUNNING') IS TRUE LIMIT 1
) AS job ON true
WHERE row.name = ANY($1::text[]) AND is_running IS NULL
LIMIT 1000
"""

LEAVE = """
DELETE FROM clew.job_running
WHERE (name, key, job, attempt) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[]))
"""

# Names whose limits are gone.
UNLIMITED = """
WITH gone AS (
    DELETE FROM clew.job_waiting WHERE name = ANY($1::text[]) RETURNING name, priority, attempt, job, key
)
INSERT INTO clew.job_queue (name, priority, attempt, job, key) SELECT * FROM gone RETURNING 1
"""

# What is due goes to the queue: see `clew/jobs/places.py` for `$1`. `next` is when there may be more, in seconds: soon
# enough to be finite, because a job may be delayed forever, and not all versions of Postgres subtract infinite moments.
DUE = """
WITH due AS MATERIALIZED (
    SELECT ctid AS at FROM clew.job_delays
    WHERE due > $1::timestamptz AND due <= (SELECT clock_timestamp())
    ORDER BY due LIMIT 1000 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM clew.job_delays WHERE ctid = ANY(ARRAY(SELECT at FROM due))
    RETURNING name, priority, attempt, job, key
), queued AS (
    INSERT INTO clew.job_queue (name, priority, attempt, job, key) SELECT * FROM gone RETURNING 1
)
SELECT
    pg_current_snapshot() AS snapshot, clock_timestamp() AS now, (SELECT count(*) FROM queued) AS moved,
    (SELECT count(*) FROM due) = 1000 AS is_full,
    extract(epoch FROM least(
        (SELECT min(due) FROM clew.job_delays WHERE due > (SELECT clock_timestamp())),
        clock_timestamp() + interval '1 hour'
    ) - clock_timestamp())::float8 AS next
"""

# What becomes of jobs whose execution has ended. BACK: it was given back. LATER: it found that the database takes no
# writes. ASLEEP: it is to go on later. These do not count. RETRY: it failed.
_NEXT = """
CASE
    WHEN {outcome} NOT IN ('BACK', 'LATER', 'ASLEEP', 'RETRY') THEN {outcome}
    WHEN job.cancelled_at IS NOT NULL THEN 'CANCELLED'
    WHEN {outcome} = 'RETRY' AND job.attempt - job.uncounted > job.retries THEN 'FAILED'
    ELSE 'QUEUED'
END
"""

_REQUEUE = f"""
queued AS (
    INSERT INTO clew.job_queue (name, priority, attempt, job, key)
    SELECT name, priority, attempt, id, limit_key FROM ended WHERE status = 'QUEUED' AND outcome = 'BACK'
), delayed AS (
    INSERT INTO clew.job_delays (due, name, priority, attempt, job, key)
    SELECT clock_timestamp() + {_BACKOFF}, name, priority, attempt, id, limit_key
    FROM ended WHERE status = 'QUEUED' AND outcome IN ('RETRY', 'LATER')
    UNION ALL
    SELECT run_at, name, priority, attempt, id, limit_key FROM ended WHERE status = 'QUEUED' AND outcome = 'ASLEEP'
)
"""  # noqa: S608

END = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[],
        $9::timestamptz[]
    ) AS given (id, attempt, worker, outcome, result, error, progress, message, until)
), ended AS (
    UPDATE clew.jobs AS job SET
        status = {_NEXT.format(outcome="given.outcome")},
        uncounted = job.uncounted + (given.outcome IN ('BACK', 'LATER', 'ASLEEP'))::int,
        asleep = given.outcome = 'ASLEEP',
        run_at = coalesce(given.until, job.run_at),
        result = given.result::jsonb,
        error = CASE WHEN given.outcome IN ('BACK', 'LATER', 'ASLEEP') THEN job.error ELSE given.error END,
        progress = coalesce(given.progress, job.progress),
        message = coalesce(given.message, job.message),
        worker = NULL,
        finished_at = CASE {_NEXT.format(outcome="given.outcome")} WHEN 'QUEUED' THEN NULL ELSE clock_timestamp() END
    FROM given
    WHERE job.id = ANY($1::uuid[]) AND job.id = given.id AND job.attempt = given.attempt
        AND job.worker = given.worker AND (job.status = 'RUNNING') IS TRUE
    RETURNING
        job.id, job.name, job.priority, job.attempt, job.uncounted, job.limit_key, job.status, job.run_at, given.outcome
), {_REQUEUE}
SELECT id::text, attempt, status FROM ended
"""  # noqa: S608

# The end of a job within its own transaction.
COMPLETE = """
UPDATE clew.jobs SET
    status = 'SUCCEEDED', result = $4::text::jsonb, error = NULL, worker = NULL, finished_at = clock_timestamp(),
    progress = coalesce($5::float8, progress), message = coalesce($6::text, message)
WHERE id = $1::uuid AND attempt = $2::int AND worker = $3::uuid AND status = 'RUNNING' AND cancelled_at IS NULL
RETURNING 1
"""

PROGRESS = """
UPDATE clew.jobs AS job SET progress = given.progress, message = given.message
FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::float8[], $5::text[])
    AS given (id, attempt, worker, progress, message)
WHERE job.id = ANY($1::uuid[]) AND job.id = given.id AND job.attempt = given.attempt
    AND job.worker = given.worker AND (job.status = 'RUNNING') IS TRUE
"""

CANCELLED = "SELECT id::text FROM clew.jobs WHERE id = ANY($1::uuid[]) AND cancelled_at IS NOT NULL"

# Leases.
JOIN = """
INSERT INTO clew.job_workers (id, until, sessions)
VALUES ($1, clock_timestamp() + $2::float8 * interval '1 second', $3)
"""
# It tells whether other leases are over.
RENEW = """
UPDATE clew.job_workers SET until = clock_timestamp() + $2::float8 * interval '1 second'
WHERE id = $1 AND until > clock_timestamp()
RETURNING EXISTS (SELECT FROM clew.job_workers AS other WHERE other.until <= clock_timestamp())
"""
DEPART = "DELETE FROM clew.job_workers WHERE id = $1"

# Give back the jobs of workers whose lease is over. One that renews it at this moment waits for the deletion, and then
# finds that it has none. A job whose worker has no row was claimed as the worker's lease ended. Transactions of such a
# worker's handlers, which may hang with the worker, are ended: they hold locks, and could not complete their jobs.
# A lease that lasts for hours is from before the clock was put back. A worker that lives renews it soon.
REAP = f"""
WITH far AS (
    UPDATE clew.job_workers SET until = clock_timestamp() + interval '1 minute'
    WHERE until > clock_timestamp() + interval '1 hour'
), gone AS (
    DELETE FROM clew.job_workers WHERE until <= clock_timestamp() RETURNING id, sessions
), cut AS MATERIALIZED (
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND xact_start IS NOT NULL
        AND application_name = ANY(ARRAY(SELECT sessions FROM gone))
), lost AS MATERIALIZED (
    SELECT id FROM clew.jobs AS job
    WHERE status = 'RUNNING' AND (
        worker = ANY(ARRAY(SELECT id FROM gone))
        OR NOT EXISTS (SELECT FROM clew.job_workers AS other WHERE other.id = job.worker)
    )
    FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
    UPDATE clew.jobs AS job SET
        status = {_NEXT.format(outcome="'RETRY'")},
        error = 'The worker that ran the job was lost.',
        worker = NULL,
        finished_at = CASE {_NEXT.format(outcome="'RETRY'")} WHEN 'QUEUED' THEN NULL ELSE clock_timestamp() END
    WHERE id = ANY(ARRAY(SELECT id FROM lost))
    RETURNING id, name, priority, attempt, uncounted, limit_key, status, run_at, 'RETRY' AS outcome
), {_REQUEUE}
SELECT id::text AS job, name, attempt, status FROM ended WHERE (SELECT count(*) FROM cut) >= 0
"""  # noqa: S608

# Jobs that a worker holds and does not know: it claimed them, and its connection was lost before the answer came.
STRAYS = """
SELECT id::text, attempt FROM clew.jobs
WHERE status = 'RUNNING' AND worker = $1::uuid AND NOT id = ANY($2::uuid[])
"""

# Steps. Their chunks are those of the attempt that began the output.
STEPS = """
SELECT name, result::text, attempt, first, last FROM clew.job_steps WHERE job = $1::uuid ORDER BY position
"""

# Until the transaction ends, nobody gives the job back.
HOLD = """
SELECT 1 FROM clew.jobs
WHERE id = $1::uuid AND attempt = $2::int AND worker = $3::uuid AND status = 'RUNNING' FOR SHARE
"""

KEEP_STEP = """
INSERT INTO clew.job_steps (job, name, position, result, attempt, first, last)
SELECT
    id, $4::text, 1 + (SELECT count(*) FROM clew.job_steps AS other WHERE other.job = $1::uuid), $5::text::jsonb,
    coalesce(continues, attempt), $6::bigint, $7::bigint
FROM clew.jobs
WHERE id = $1::uuid AND attempt = $2::int AND worker = $3::uuid AND status = 'RUNNING' FOR SHARE
RETURNING 1
"""

MOVE_STEP = """
UPDATE clew.job_steps SET attempt = $3, first = $4, last = $5 WHERE job = $1::uuid AND name = $2
"""

# Cron.
SCHEDULES = "SELECT name, schedule, next_at, clock_timestamp() AS now FROM clew.job_crons"
SCHEDULE = "INSERT INTO clew.job_crons (name, schedule, next_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
# Only one of those that try changes the row, and enqueues the job.
TICK = "UPDATE clew.job_crons SET next_at = $4 WHERE name = $1 AND schedule = $2 AND next_at = $3 RETURNING 1"
UNSCHEDULE = "DELETE FROM clew.job_crons WHERE name = $1 AND schedule = $2 AND next_at = $3"

# Retention. The clock is asked once: an index cannot be searched by what may differ for each row.
FORGET = """
WITH old AS MATERIALIZED (
    SELECT id FROM clew.jobs
    WHERE status = $1 AND created_at < (SELECT clock_timestamp()) - $2::float8 * interval '1 second'
        AND finished_at < (SELECT clock_timestamp()) - $2::float8 * interval '1 second'
    LIMIT $3 FOR UPDATE SKIP LOCKED
), steps AS (
    DELETE FROM clew.job_steps WHERE job = ANY(ARRAY(SELECT id FROM old))
)
DELETE FROM clew.jobs WHERE id = ANY(ARRAY(SELECT id FROM old)) RETURNING id::text
"""

DEPTHS = """
SELECT queue, count(*) AS depth,
    extract(
      epoch FROM statement_timestamp() - least(min(greatest(created_at, run_at)), statement_timestamp())
    )::float8 AS age
FROM clew.jobs WHERE status = 'QUEUED' GROUP BY queue
"""

SET_LOCAL = """
SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS settings (name, value)
"""

CHANNEL = "clew_jobs"
NOTIFY = "SELECT pg_notify('clew_jobs', $1)"
