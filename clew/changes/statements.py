"""What the readers of the change log ask the database. `clew/migrate/objects/0003_change_log.sql` has the log."""

from __future__ import annotations

# The first changes of some, up to a number of them and of bytes, but at least one. `many` is how many that would be
# without regard to bytes: where it is more than there are, or as many as may be, others follow.
_FIRST = """
SELECT id, relation, kind, old_row, new_row, at, many FROM (
    SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before, count(*) OVER () AS many FROM (
        SELECT *, coalesce(octet_length(old_row), 0) + coalesce(octet_length(new_row), 0) AS bytes FROM (
            {found}
        ) AS found
        ORDER BY id LIMIT {rows}
    ) AS first
) AS measured
WHERE before < {bytes}
"""

# A change is new if the snapshot of the last read does not see its transaction. The order of ids is right for each row:
# the lock on the row puts ids and commits in one order. OFFSET 0 keeps Postgres from walking the index of ids instead.
_UNSEEN = """
SELECT id, relation, kind, old_row, new_row, at FROM clew.change_log
WHERE (xid >= pg_snapshot_xmax($1::pg_snapshot) OR xid = ANY(ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))) {more}
OFFSET 0
"""
READ = f"""
SELECT now.snapshot, changes.*
FROM (SELECT pg_current_snapshot() AS snapshot) AS now
LEFT JOIN LATERAL ({_FIRST.format(found=_UNSEEN.format(more=""), rows="$2", bytes="$3")}) AS changes ON true
ORDER BY id
"""  # noqa: S608

# The first changes after an id that one snapshot does not see and another does.
_SEEN_LATER = "AND pg_visible_in_snapshot(xid, $2::pg_snapshot) AND id > $3"
BETWEEN = _FIRST.format(found=_UNSEEN.format(more=_SEEN_LATER), rows="$4", bytes="$5") + "ORDER BY id"

# The same, where there are many: they are found in the order of their ids.
_FURTHER = """
SELECT id, relation, kind, old_row, new_row, at FROM clew.change_log
WHERE id > $3 AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot) AND pg_visible_in_snapshot(xid, $2::pg_snapshot)
"""
FURTHER = _FIRST.format(found=_FURTHER, rows="$4", bytes="$5") + "ORDER BY id"

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
