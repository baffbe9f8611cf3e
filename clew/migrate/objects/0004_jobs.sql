-- Jobs, and what their workers need (docs/jobs.md).
--
-- `attempt` numbers the executions, from 1. Those up to `uncounted` do not count against `retries`. Together with
-- `worker` it fences what an execution writes. `transaction` is the one that queued the job: its number and its time,
-- because in a cluster that a dump was restored into the numbers of the dump come again.
CREATE TABLE IF NOT EXISTS clew.jobs (
    id uuid PRIMARY KEY DEFAULT clew.uuid_v7(),
    name text NOT NULL,
    queue text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    progress double precision,
    message text,
    error text,
    attempt integer NOT NULL DEFAULT 0,
    retries integer NOT NULL DEFAULT 0,
    uncounted integer NOT NULL DEFAULT 0,
    arguments jsonb NOT NULL,
    result jsonb,
    viewer text,
    caller jsonb NOT NULL,
    transaction text NOT NULL DEFAULT pg_current_xact_id()::text || '@' || extract(epoch FROM now()),
    unique_key text,
    limit_key text,
    worker uuid,
    cancelled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    run_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz
)
--;;
CREATE UNIQUE INDEX IF NOT EXISTS jobs_unique_key_idx ON clew.jobs (name, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('QUEUED', 'RUNNING')
--;;
CREATE INDEX IF NOT EXISTS jobs_name_idx ON clew.jobs (name, created_at)
--;;
CREATE INDEX IF NOT EXISTS jobs_viewer_idx ON clew.jobs (viewer, created_at)
--;;
CREATE INDEX IF NOT EXISTS jobs_status_idx ON clew.jobs (status, created_at)
--;;
SELECT clew.log_changes('clew.jobs')
--;;
-- The jobs that may run now. A row without a job says that a waiting job of its key may run.
--
-- Rows that were claimed stay in the index while anybody holds an old snapshot, so a worker remembers where it has been:
-- before the oldest transaction that runs, and before the first row that it sees, no row will ever appear. `attempt` is
-- that of the job, so that a row which is left over starts nothing.
CREATE SEQUENCE IF NOT EXISTS clew.job_number
--;;
CREATE TABLE IF NOT EXISTS clew.job_queue (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    number bigint NOT NULL DEFAULT nextval('clew.job_number'),
    name text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    job uuid,
    key text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)
--;;
CREATE INDEX IF NOT EXISTS job_queue_idx ON clew.job_queue (name, xid, number)
--;;
-- What goes to the queue later.
CREATE TABLE IF NOT EXISTS clew.job_delays (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    due timestamptz NOT NULL,
    name text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    job uuid,
    key text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)
--;;
CREATE INDEX IF NOT EXISTS job_delays_idx ON clew.job_delays (due)
--;;
CREATE UNIQUE INDEX IF NOT EXISTS job_delays_key_idx ON clew.job_delays (name, key, due) WHERE job IS NULL
--;;
-- Jobs with limits: those that wait for others with the same key, in their order; those that run; and when those of the
-- last minute began. A running one counts until its row is deleted, which then lets the next one run.
CREATE TABLE IF NOT EXISTS clew.job_waiting (
    name text NOT NULL,
    key text NOT NULL,
    xid xid8 NOT NULL,
    number bigint NOT NULL,
    priority integer NOT NULL,
    attempt integer NOT NULL,
    job uuid NOT NULL
)
--;;
CREATE INDEX IF NOT EXISTS job_waiting_idx ON clew.job_waiting (name, key, xid, number)
--;;
CREATE TABLE IF NOT EXISTS clew.job_running (
    name text NOT NULL,
    key text NOT NULL,
    job uuid NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (name, key, job, attempt)
)
--;;
CREATE TABLE IF NOT EXISTS clew.job_starts (
    name text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
)
--;;
CREATE INDEX IF NOT EXISTS job_starts_idx ON clew.job_starts (name, key, at)
--;;
-- The workers that live: until when, unless they say so again. Their handlers' sessions have `sessions` as their
-- application_name.
CREATE TABLE IF NOT EXISTS clew.job_workers (
    id uuid PRIMARY KEY,
    until timestamptz NOT NULL,
    sessions text NOT NULL
)
--;;
CREATE TABLE IF NOT EXISTS clew.job_pauses (
    queue text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
)
--;;
-- The steps that a job has finished: what they gave, and their chunks of the output of an attempt (`first` and `last`
-- are numbers of chunks, from 1; `last` is less than `first` if there are none).
CREATE TABLE IF NOT EXISTS clew.job_steps (
    job uuid NOT NULL,
    name text NOT NULL,
    position integer NOT NULL,
    result jsonb,
    attempt integer NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (job, name)
)
--;;
CREATE TABLE IF NOT EXISTS clew.job_crons (
    name text NOT NULL,
    schedule text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (name, schedule)
)
--;;
-- How far the change log has been followed for each `@on`: a place in the log, and the change of which the first of two
-- events has been handled.
CREATE TABLE IF NOT EXISTS clew.job_triggers (
    name text PRIMARY KEY,
    place text NOT NULL,
    half bigint
)
--;;
-- Queue jobs again that failed or were cancelled, and return their ids. Of jobs with the same unique key only the last one
-- is queued, and none while another job has the key. Whether one has may be known only once its transaction, which this
-- one waits for, has ended: then look again.
CREATE OR REPLACE FUNCTION clew.retry_jobs(ids uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    found uuid[];
BEGIN
    FOR try IN 1..10 LOOP
        BEGIN
            WITH again AS (
                UPDATE clew.jobs AS job SET
                    status = 'QUEUED', uncounted = attempt, progress = NULL, message = NULL, error = NULL,
                    result = NULL, cancelled_at = NULL, run_at = NULL, started_at = NULL, finished_at = NULL
                WHERE id = ANY(ids) AND (status IN ('FAILED', 'CANCELLED')) IS TRUE AND NOT EXISTS (
                    SELECT FROM clew.jobs AS other
                    WHERE other.name = job.name AND other.unique_key = job.unique_key
                        AND other.status IN ('QUEUED', 'RUNNING')
                ) AND NOT EXISTS (
                    SELECT FROM clew.jobs AS other
                    WHERE other.id = ANY(ids) AND other.name = job.name AND other.unique_key = job.unique_key
                        AND other.id > job.id AND (other.status IN ('FAILED', 'CANCELLED')) IS TRUE
                )
                RETURNING id, name, priority, attempt, limit_key
            ), queued AS (
                INSERT INTO clew.job_queue (name, priority, attempt, job, key)
                SELECT name, priority, attempt, id, limit_key FROM again
            )
            SELECT array_agg(id) INTO found FROM again;
            RETURN found;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
    RAISE EXCEPTION 'others keep queuing jobs with the same unique keys' USING ERRCODE = 'serialization_failure';
END
$body$
--;;
-- A value of a job's arguments or result in the type of the second argument, or null if it does not fit: an earlier
-- version of the schema may have had another type.
CREATE OR REPLACE FUNCTION clew.job_value(value text, type anyelement) RETURNS anyelement
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    found type%TYPE;
BEGIN
    found := value;
    RETURN found;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$body$
--;;
-- down
DROP TABLE IF EXISTS clew.job_triggers
--;;
DROP FUNCTION IF EXISTS clew.retry_jobs(uuid[]), clew.job_value(text, anyelement)
--;;
DROP TABLE IF EXISTS clew.job_crons, clew.job_steps, clew.job_pauses, clew.job_workers, clew.job_starts,
    clew.job_running, clew.job_waiting, clew.job_delays, clew.job_queue, clew.jobs
--;;
DROP SEQUENCE IF EXISTS clew.job_number
--;;
