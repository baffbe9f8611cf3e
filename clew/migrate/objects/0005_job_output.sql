-- What jobs put out, for those who follow them (docs/job-output.md).
--
-- A row is a chunk of an execution of a job: `seq` counts from 1, without gaps. `data` is text, or JSON. The row with
-- `seq` 0 begins an execution after the first one, and `step` is then the last step that was finished before. `attempt` is
-- the execution that began the output: those that go on after a sleep add to it.
--
-- Three partitions take turns, so that old chunks are dropped with a TRUNCATE. Writers read the turn in the statement
-- that writes. Only `clew.rotate_job_output` begins a turn.
CREATE TABLE IF NOT EXISTS clew.job_output (
    job uuid NOT NULL,
    attempt integer NOT NULL,
    seq integer NOT NULL,
    part smallint NOT NULL,
    kind text NOT NULL,
    data text NOT NULL,
    is_json boolean NOT NULL,
    step text,
    PRIMARY KEY (job, attempt, seq, part)
) PARTITION BY LIST (part)
--;;
CREATE TABLE IF NOT EXISTS clew.job_output_0 PARTITION OF clew.job_output FOR VALUES IN (0)
--;;
CREATE TABLE IF NOT EXISTS clew.job_output_1 PARTITION OF clew.job_output FOR VALUES IN (1)
--;;
CREATE TABLE IF NOT EXISTS clew.job_output_2 PARTITION OF clew.job_output FOR VALUES IN (2)
--;;
-- One row: the partition that is written to, and since when.
CREATE TABLE IF NOT EXISTS clew.job_output_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    part smallint NOT NULL DEFAULT 0,
    turned_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
--;;
INSERT INTO clew.job_output_state DEFAULT VALUES ON CONFLICT DO NOTHING
--;;
-- Up to which chunk of its last execution the output of a job has been dropped.
CREATE TABLE IF NOT EXISTS clew.job_output_dropped (
    job uuid PRIMARY KEY,
    attempt integer NOT NULL,
    seq integer NOT NULL
)
--;;
-- Begin the next turn if the last one began `keep` ago, or has grown to `most` bytes: drop the oldest chunks. They are
-- twice as old as `keep` at least, unless the size was the reason. Return whether a turn began.
CREATE OR REPLACE FUNCTION clew.rotate_job_output(keep interval, most bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    current smallint;
    since timestamptz;
    next smallint;
    place text;
    jobs uuid[];
    attempts integer[];
    seqs integer[];
BEGIN
    -- One at a time.
    SELECT part, turned_at INTO current, since FROM clew.job_output_state FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR (
        since > clock_timestamp() - keep
        AND pg_total_relation_size(format('clew.job_output_%s', current)::regclass) < most
    ) THEN
        RETURN false;
    END IF;
    next := (current + 1) % 3;
    place := format('clew.job_output_%s', next);
    -- A follower must be told what it has missed. Nobody writes to this partition any more.
    EXECUTE format(
        'SELECT array_agg(job), array_agg(attempt), array_agg(seq) FROM ('
        ' SELECT o.job, o.attempt, max(o.seq) AS seq'
        ' FROM %s AS o JOIN clew.jobs AS j ON j.id = o.job AND coalesce(j.continues, j.attempt) = o.attempt'
        ' GROUP BY o.job, o.attempt'
        ') AS lost',
        place
    ) INTO jobs, attempts, seqs;
    -- Others would wait behind this. Who holds the partition for long, such as a dump, is not to delay them.
    FOR try IN 1..20 LOOP
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', place);
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF try = 20 THEN
                RETURN false;
            END IF;
            PERFORM pg_sleep(0.01);
        END;
    END LOOP;
    INSERT INTO clew.job_output_dropped AS d (job, attempt, seq)
        SELECT * FROM unnest(jobs, attempts, seqs)
        ON CONFLICT (job) DO UPDATE SET attempt = excluded.attempt, seq = CASE
            WHEN d.attempt = excluded.attempt THEN greatest(d.seq, excluded.seq) ELSE excluded.seq END;
    EXECUTE format('TRUNCATE %s', place);
    DELETE FROM clew.job_output_dropped AS d WHERE NOT EXISTS (
        SELECT FROM clew.jobs AS j WHERE j.id = d.job AND coalesce(j.continues, j.attempt) = d.attempt
    );
    UPDATE clew.job_output_state SET part = next, turned_at = clock_timestamp();
    RETURN true;
END
$body$
--;;
-- It acts with the rights of the tables' owner, so it is not for everybody.
REVOKE EXECUTE ON FUNCTION clew.rotate_job_output(interval, bigint) FROM PUBLIC
--;;
-- down
DROP FUNCTION IF EXISTS clew.rotate_job_output(interval, bigint)
--;;
DROP TABLE IF EXISTS clew.job_output_dropped, clew.job_output_state, clew.job_output
--;;
