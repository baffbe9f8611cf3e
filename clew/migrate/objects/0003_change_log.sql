-- The log of what happens to rows, and the triggers that write it (docs/changes.md).
--
-- Three partitions take turns, so that old changes are dropped with a TRUNCATE. The turn is in the high bits of the id:
-- to choose the partition costs a writer nothing, and ids still grow. Only `clew.rotate_changes` begins a turn.
CREATE SEQUENCE IF NOT EXISTS clew.change_id
--;;
-- `relation` is the OID of the table that the statement named. `kind` is I, U, D or, for the whole table, R.
-- The rows are JSON, as `to_json` makes it. A vacuum would find nothing to do: rows go with their partition.
CREATE TABLE IF NOT EXISTS clew.change_log (
    id bigint NOT NULL DEFAULT nextval('clew.change_id'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    relation oid NOT NULL,
    kind "char" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    old_row text,
    new_row text
) PARTITION BY LIST (((id >> 36) % 3))
--;;
CREATE TABLE IF NOT EXISTS clew.change_log_0 PARTITION OF clew.change_log FOR VALUES IN (0)
    WITH (autovacuum_enabled = off)
--;;
CREATE TABLE IF NOT EXISTS clew.change_log_1 PARTITION OF clew.change_log FOR VALUES IN (1)
    WITH (autovacuum_enabled = off)
--;;
CREATE TABLE IF NOT EXISTS clew.change_log_2 PARTITION OF clew.change_log FOR VALUES IN (2)
    WITH (autovacuum_enabled = off)
--;;
-- A publication FOR ALL TABLES would otherwise let no row be deleted.
ALTER TABLE clew.change_log_0 REPLICA IDENTITY FULL
--;;
ALTER TABLE clew.change_log_1 REPLICA IDENTITY FULL
--;;
ALTER TABLE clew.change_log_2 REPLICA IDENTITY FULL
--;;
CREATE INDEX IF NOT EXISTS change_log_xid_idx ON clew.change_log (xid)
--;;
CREATE INDEX IF NOT EXISTS change_log_id_idx ON clew.change_log (id)
--;;
-- One row. `home` says whose log this is, by the database system, the database and the table: a copy has another home.
-- `born` differs for each log.
-- `turned_at` is when the turn began. Dropped changes were of transactions up to `dropped_xid` that had ended in
-- `dropped_at`.
CREATE TABLE IF NOT EXISTS clew.change_log_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    home text NOT NULL,
    born uuid NOT NULL DEFAULT gen_random_uuid(),
    turned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_xid xid8 NOT NULL DEFAULT '0',
    dropped_at pg_snapshot NOT NULL DEFAULT '1:1:'
)
--;;
CREATE OR REPLACE FUNCTION clew.change_log_home() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $body$
    SELECT concat_ws('-', system_identifier, pg_database.oid, 'clew.change_log'::regclass::oid)
    FROM pg_control_system(), pg_database WHERE datname = current_database()
$body$
--;;
INSERT INTO clew.change_log_state (home) VALUES (clew.change_log_home()) ON CONFLICT DO NOTHING
--;;
-- The triggers run with the rights of the log's owner: a writer needs none of its own, and has no other way to write to
-- the log. Names within them must never mean a column of the table: `x.*` is always the row. Of a statement over more
-- than 10,000 rows only that is logged, in place of all that its transaction has done to the table before.
--
-- A session's settings may change how values are written. Where they do, a trigger sets others, and then sets these
-- back. SET clauses of the functions would do the same, but cost every write 10 microseconds.
CREATE OR REPLACE FUNCTION clew.use_settings(wanted text[]) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    names CONSTANT text[] := '{TimeZone,DateStyle,IntervalStyle,bytea_output,extra_float_digits}';
    before text[];
BEGIN
    FOR i IN 1..5 LOOP
        before[i] := current_setting(names[i]);
        PERFORM set_config(names[i], wanted[i], true);
    END LOOP;
    RETURN before;
END
$body$
--;;
CREATE OR REPLACE FUNCTION clew.log_many(target oid) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $body$
BEGIN
    DELETE FROM clew.change_log WHERE xid = pg_current_xact_id() AND relation = target;
    INSERT INTO clew.change_log (relation, kind) VALUES (target, 'R');
END
$body$
--;;
CREATE OR REPLACE FUNCTION clew.log_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    settings text[];
    written bigint;
BEGIN
    IF current_setting('TimeZone') <> 'UTC' OR current_setting('DateStyle') NOT LIKE 'ISO%'
        OR current_setting('IntervalStyle') <> 'postgres' OR current_setting('bytea_output') <> 'hex'
        OR current_setting('extra_float_digits')::int < 1
    THEN
        settings := clew.use_settings('{UTC,"ISO, MDY",postgres,hex,1}');
    END IF;
    INSERT INTO clew.change_log (relation, kind, new_row)
        SELECT TG_RELID, 'I', image
        FROM (SELECT row_to_json(x.*)::text AS image FROM clew_new AS x LIMIT 10001) AS images;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written > 10000 THEN
        PERFORM clew.log_many(TG_RELID);
    END IF;
    IF settings IS NOT NULL THEN
        PERFORM clew.use_settings(settings);
    END IF;
    RETURN NULL;
END
$body$
--;;
-- The rows before and after an update are in the same order. For one row a join without a condition suffices. A session
-- plans the join of many once, perhaps at an update of few: nested loops would take the square of the number of rows.
-- Of jobs, which change several times each, only the columns are logged that live queries may follow: their arguments
-- never change, and may be long.
CREATE OR REPLACE FUNCTION clew.log_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_nestloop = off
    AS $body$
DECLARE
    settings text[];
    written bigint;
BEGIN
    IF current_setting('TimeZone') <> 'UTC' OR current_setting('DateStyle') NOT LIKE 'ISO%'
        OR current_setting('IntervalStyle') <> 'postgres' OR current_setting('bytea_output') <> 'hex'
        OR current_setting('extra_float_digits')::int < 1
    THEN
        settings := clew.use_settings('{UTC,"ISO, MDY",postgres,hex,1}');
    END IF;
    IF TG_TABLE_SCHEMA = 'clew' AND TG_TABLE_NAME = 'jobs' THEN
        INSERT INTO clew.change_log (relation, kind, old_row, new_row)
            SELECT TG_RELID, 'U', before, after
            FROM (
                SELECT row_number() OVER () AS number, row_to_json(x.*)::text AS before
                FROM (SELECT id, name, queue, status, progress, message, error, attempt, result, viewer, created_at,
                    run_at, started_at, finished_at FROM clew_old LIMIT 10001) AS x
            ) AS olds JOIN (
                SELECT row_number() OVER () AS number, row_to_json(x.*)::text AS after
                FROM (SELECT id, name, queue, status, progress, message, error, attempt, result, viewer, created_at,
                    run_at, started_at, finished_at FROM clew_new LIMIT 10001) AS x
            ) AS news USING (number)
            ORDER BY number;
    ELSE
        INSERT INTO clew.change_log (relation, kind, old_row, new_row)
            SELECT TG_RELID, 'U', before, after
            FROM (SELECT row_to_json(x.*)::text AS before FROM clew_old AS x) AS olds,
                (SELECT row_to_json(x.*)::text AS after FROM clew_new AS x) AS news
            WHERE NOT EXISTS (SELECT FROM clew_new OFFSET 1);
        IF NOT FOUND THEN
            INSERT INTO clew.change_log (relation, kind, old_row, new_row)
                SELECT TG_RELID, 'U', before, after
                FROM (
                    SELECT row_number() OVER () AS number, row_to_json(x.*)::text AS before FROM clew_old AS x LIMIT 10001
                ) AS olds JOIN (
                    SELECT row_number() OVER () AS number, row_to_json(x.*)::text AS after FROM clew_new AS x LIMIT 10001
                ) AS news USING (number)
                ORDER BY number;
        END IF;
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written > 10000 THEN
        PERFORM clew.log_many(TG_RELID);
    END IF;
    IF settings IS NOT NULL THEN
        PERFORM clew.use_settings(settings);
    END IF;
    RETURN NULL;
END
$body$
--;;
CREATE OR REPLACE FUNCTION clew.log_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    settings text[];
    written bigint;
BEGIN
    IF current_setting('TimeZone') <> 'UTC' OR current_setting('DateStyle') NOT LIKE 'ISO%'
        OR current_setting('IntervalStyle') <> 'postgres' OR current_setting('bytea_output') <> 'hex'
        OR current_setting('extra_float_digits')::int < 1
    THEN
        settings := clew.use_settings('{UTC,"ISO, MDY",postgres,hex,1}');
    END IF;
    INSERT INTO clew.change_log (relation, kind, old_row)
        SELECT TG_RELID, 'D', image
        FROM (SELECT row_to_json(x.*)::text AS image FROM clew_old AS x LIMIT 10001) AS images;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written > 10000 THEN
        PERFORM clew.log_many(TG_RELID);
    END IF;
    IF settings IS NOT NULL THEN
        PERFORM clew.use_settings(settings);
    END IF;
    RETURN NULL;
END
$body$
--;;
CREATE OR REPLACE FUNCTION clew.log_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
BEGIN
    PERFORM clew.log_many(TG_RELID);
    RETURN NULL;
END
$body$
--;;
-- A table and what inherits from it, partitions too. A statement is logged for the table that it names, so each of them
-- has the triggers. Foreign tables cannot have them.
CREATE OR REPLACE FUNCTION clew.heirs(target oid) RETURNS SETOF oid
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $body$
    WITH RECURSIVE heirs AS (
        SELECT target AS heir UNION SELECT inhrelid FROM pg_inherits JOIN heirs ON inhparent = heir
    )
    SELECT heir FROM heirs JOIN pg_class ON oid = heir WHERE relkind IN ('r', 'p')
$body$
--;;
-- Make the triggers of a table, and of all that inherits from it; those have its OID as their argument.
CREATE OR REPLACE FUNCTION clew.log_changes(target regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    place regclass;
    event text;
    tables text;
BEGIN
    FOR place IN SELECT heir FROM clew.heirs(target) AS heir LOOP
        FOR event, tables IN VALUES
            ('insert', 'REFERENCING NEW TABLE AS clew_new'),
            ('update', 'REFERENCING OLD TABLE AS clew_old NEW TABLE AS clew_new'),
            ('delete', 'REFERENCING OLD TABLE AS clew_old'),
            ('truncate', '')
        LOOP
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_trigger
                WHERE tgrelid = place AND tgname = 'clew_log_' || event AND tgenabled = 'A'
                    AND (tgnargs = 0) = (place = target)
            );
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER clew_log_%1$s AFTER %1$s ON %2$s %3$s'
                ' FOR EACH STATEMENT EXECUTE FUNCTION clew.log_%1$s(%4$s)',
                event, place, tables, CASE WHEN place <> target THEN target::oid::text END
            );
            EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER clew_log_%s', place, event);
        END LOOP;
    END LOOP;
END
$body$
--;;
CREATE OR REPLACE FUNCTION clew.ignore_changes(target regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    place regclass;
    event text;
BEGIN
    FOR place IN SELECT heir FROM clew.heirs(target) AS heir LOOP
        FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
            EXECUTE format('DROP TRIGGER IF EXISTS clew_log_%s ON %s', event, place);
        END LOOP;
    END LOOP;
END
$body$
--;;
-- What has happened to the triggers, by the table that they were made for: tables that inherit from it and lack some,
-- and tables that do so no longer and still have them (`stray`). ENABLE TRIGGER ALL makes triggers that a session with
-- `session_replication_role` avoids.
CREATE OR REPLACE FUNCTION clew.broken_triggers() RETURNS TABLE (root oid, stray oid)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $body$
    WITH RECURSIVE made AS (
        SELECT
            tgrelid AS place,
            CASE tgnargs WHEN 0 THEN tgrelid ELSE split_part(encode(tgargs, 'escape'), chr(92), 1)::oid END AS root,
            count(*) = 4 AND bool_and(tgenabled IN ('A', 'D')) AS whole
        FROM pg_trigger
        WHERE tgfoid IN (
            'clew.log_insert'::regproc, 'clew.log_update'::regproc, 'clew.log_delete'::regproc,
            'clew.log_truncate'::regproc
        )
        GROUP BY 1, 2
    ), heirs AS (
        SELECT root, root AS heir FROM made WHERE place = root
        UNION SELECT root, inhrelid FROM heirs JOIN pg_inherits ON inhparent = heir
    )
    SELECT heirs.root, NULL
    FROM heirs JOIN pg_class ON oid = heir LEFT JOIN made ON place = heir
    WHERE relkind IN ('r', 'p') AND whole IS NOT TRUE
    UNION SELECT root, place FROM made WHERE place <> root AND place NOT IN (SELECT heir FROM heirs)
$body$
--;;
-- Mend the triggers, and log that anything may have changed meanwhile. Return whether anything was to be done.
CREATE OR REPLACE FUNCTION clew.mend_triggers() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '1s'
    AS $body$
DECLARE
    broken record;
    mended boolean := false;
BEGIN
    IF NOT EXISTS (SELECT FROM clew.broken_triggers()) THEN
        RETURN false;
    END IF;
    -- One at a time.
    PERFORM FROM clew.change_log_state FOR UPDATE;
    FOR broken IN SELECT root, array_remove(array_agg(stray), NULL) AS strays FROM clew.broken_triggers() GROUP BY root
    LOOP
        PERFORM clew.ignore_changes(stray) FROM unnest(broken.strays) AS stray;
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = broken.root AND tgfoid = 'clew.log_insert'::regproc) THEN
            PERFORM clew.log_changes(broken.root);
            INSERT INTO clew.change_log (relation, kind) VALUES (broken.root, 'R');
        END IF;
        mended := true;
    END LOOP;
    RETURN mended;
END
$body$
--;;
-- Make the log this database's own, and return its epoch. Positions in the log mean nothing in another epoch: after a
-- restore, a failover, or a crash, which may give a transaction's number to another one.
CREATE OR REPLACE FUNCTION clew.change_epoch() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '5s'
    AS $body$
BEGIN
    IF (SELECT home FROM clew.change_log_state) IS DISTINCT FROM clew.change_log_home() THEN
        -- One at a time. Others have read the state too, so nobody may ask for a lock on that whole table. A dump of the
        -- schema alone has no row to lock.
        INSERT INTO clew.change_log_state (home) VALUES ('') ON CONFLICT DO NOTHING;
        PERFORM FROM clew.change_log_state FOR UPDATE;
        IF (SELECT home FROM clew.change_log_state) IS DISTINCT FROM clew.change_log_home() THEN
            -- A dump has brought changes of another database along.
            TRUNCATE clew.change_log;
            UPDATE clew.change_log_state SET
                home = clew.change_log_home(), born = gen_random_uuid(), turned_at = clock_timestamp(),
                dropped_xid = '0', dropped_at = '1:1:';
        END IF;
    END IF;
    RETURN concat_ws(
        '.',
        (SELECT born FROM clew.change_log_state),
        substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
        -- A crash sets the statistics back.
        (SELECT extract(epoch FROM stats_reset) FROM pg_stat_archiver)
    );
END
$body$
--;;
-- Begin the next turn if the last one began `keep` ago: drop the changes in its partition, which are the oldest. They are
-- twice as old at least, so that a position that is younger than `keep` is good even if it saw transactions running that
-- were as old. Return whether a turn began.
CREATE OR REPLACE FUNCTION clew.rotate_changes(keep interval) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
DECLARE
    turn bigint;
    part text;
    last xid8;
BEGIN
    -- One at a time.
    PERFORM FROM clew.change_log_state WHERE turned_at <= clock_timestamp() - keep FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    turn := (SELECT (last_value >> 36) + 1 FROM clew.change_id);
    part := 'clew.change_log_' || turn % 3;
    -- Others would wait behind this. Who holds the partition (a dump, an open transaction that wrote to it) is not to
    -- delay them.
    BEGIN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', part);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    EXECUTE format('SELECT max(xid) FROM %s', part) INTO last;
    EXECUTE format('TRUNCATE %s', part);
    UPDATE clew.change_log_state SET
        turned_at = clock_timestamp(),
        dropped_xid = greatest(dropped_xid, last),
        dropped_at = pg_current_snapshot();
    PERFORM setval('clew.change_id', turn << 36);
    RETURN true;
END
$body$
--;;
-- Whether changes that a snapshot does not see may have been dropped.
CREATE OR REPLACE FUNCTION clew.is_dropped_since(seen pg_snapshot) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $body$
    SELECT dropped_xid >= pg_snapshot_xmax(seen) OR EXISTS (
        SELECT FROM pg_snapshot_xip(seen) AS x WHERE x <= dropped_xid AND pg_visible_in_snapshot(x, dropped_at)
    )
    FROM clew.change_log_state
$body$
--;;
-- These act with the rights of the log's owner, so they are not for everybody.
REVOKE EXECUTE ON FUNCTION clew.log_insert(), clew.log_update(), clew.log_delete(), clew.log_truncate(),
    clew.mend_triggers(), clew.change_epoch(), clew.rotate_changes(interval), clew.is_dropped_since(pg_snapshot)
    FROM PUBLIC
--;;
-- down
DROP FUNCTION IF EXISTS clew.is_dropped_since(pg_snapshot), clew.rotate_changes(interval), clew.change_epoch(),
    clew.mend_triggers(), clew.broken_triggers(), clew.ignore_changes(regclass), clew.log_changes(regclass),
    clew.heirs(oid), clew.log_truncate(), clew.log_delete(), clew.log_update(), clew.log_insert(), clew.log_many(oid),
    clew.use_settings(text[])
--;;
DROP TABLE IF EXISTS clew.change_log_state, clew.change_log
--;;
DROP FUNCTION IF EXISTS clew.change_log_home()
--;;
DROP SEQUENCE IF EXISTS clew.change_id
--;;
