"""What the readers of the change log ask the database. `clew/migrate/objects/0003_change_log.sql` has the log."""

from __future__ import annotations

# A change is new if the snapshot of the last read does not see its transaction. The order of ids is right for each row:
# the lock on the row puts ids and commits in one order. OFFSET 0 keeps Postgres from walking the index of ids instead.
READ = """
SELECT now.snapshot, changes.*
FROM (SELECT pg_current_snapshot() AS snapshot) AS now
LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT id, relation, kind, old_row, new_row, at FROM clew.change_log
        WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) OR xid = ANY(ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
        OFFSET 0
    ) AS found
    ORDER BY id LIMIT $2
) AS changes ON true
ORDER BY id
"""

# The first changes after an id that one snapshot does not see and another does.
BETWEEN = """
SELECT * FROM (
    SELECT id, relation, kind, old_row, new_row, at FROM clew.change_log
    WHERE (xid >= pg_snapshot_xmax($1::pg_snapshot) OR xid = ANY(ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))))
        AND pg_visible_in_snapshot(xid, $2::pg_snapshot) AND id > $3
    OFFSET 0
) AS found
ORDER BY id LIMIT $4
"""

# The same, where there are many: they are found in the order of their ids.
FURTHER = """
SELECT id, relation, kind, old_row, new_row, at FROM clew.change_log
WHERE id > $3 AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot) AND pg_visible_in_snapshot(xid, $2::pg_snapshot)
ORDER BY id LIMIT $4
"""

EPOCH = "SELECT clew.change_epoch()"
NOW = "SELECT pg_current_snapshot()"
IS_DROPPED = "SELECT clew.is_dropped_since($1::pg_snapshot)"
MEND = "SELECT clew.mend_triggers()"
ROTATE = "SELECT clew.rotate_changes($1::float8 * interval '1 second')"

# The tables of some names, and all that inherits from them, partitions too.
RELATIONS = """
WITH RECURSIVE heirs AS (
    SELECT number, to_regclass(name)::oid AS relation, true AS is_named
    FROM unnest($1::text[]) WITH ORDINALITY AS named (name, number)
    UNION SELECT number, inhrelid, false FROM heirs JOIN pg_inherits ON inhparent = relation
)
SELECT number::int - 1, relation, is_named FROM heirs WHERE relation IS NOT NULL
"""

# The tables of some names. One that was dropped and made again has another OID.
ROOTS = """
SELECT array_agg(to_regclass(name)::oid ORDER BY number)
FROM unnest($1::text[]) WITH ORDINALITY AS named (name, number)
"""

# Which of some tables have all that logs their changes.
LOGGED = """
SELECT tgrelid::oid FROM pg_trigger
WHERE tgrelid = ANY($1::oid[]) AND tgenabled = 'A' AND tgfoid IN (
    'clew.log_insert'::regproc, 'clew.log_update'::regproc, 'clew.log_delete'::regproc, 'clew.log_truncate'::regproc
)
GROUP BY tgrelid HAVING count(*) = 4
"""

CHANNEL = "clew_changes"
NOTIFY = "SELECT pg_notify($1, $2)"

# One process of those that listen looks for changes that nobody tells of.
LOOK_OUT = "SELECT pg_try_advisory_lock(hashtextextended('clew.changes', 0))"
UNLOCK = "SELECT pg_advisory_unlock_all()"
