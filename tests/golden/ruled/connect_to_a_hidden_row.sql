-- 1: updateNote, gather
--   Lock visible=Note permits=UPDATE[schema.graphql:61, schema.graphql:62, schema.graphql:63, schema.graphql:57, schema.graphql:58] by_key=True named=True columns=[version]
SELECT clew_given.clew_position AS position, t0.id, t0.version, (t0.state = $1::TEXT AND t0.author_id = $2::TEXT) IS true AS b0, (t0.state = $3::TEXT) IS true AS b1, (t0.author_id = $2::TEXT) IS true AS b2, (t0.frozen = false) IS true AS b3, true IS true AS b4 
FROM (SELECT ($4::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN notes AS t0 ON t0.id = clew_given.clew_key0 
WHERE (t0.state = $5::TEXT OR t0.author_id = $2::TEXT) AND (t0.frozen = false) IS true AND true IS true AND ((t0.state = $1::TEXT AND t0.author_id = $2::TEXT) IS true OR (t0.state = $3::TEXT) IS true OR (t0.author_id = $2::TEXT) IS true) ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateNote, gather
--   Leads relation=club visible=Club
--     Update entity=Note sets=[clubId] presets=[[slug, "lower(text) || '-' || state"]]
SELECT changed_rows.club_id IS NULL OR (EXISTS (SELECT 1 
FROM clubs AS t0 
WHERE t0.id = changed_rows.club_id AND (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT))))) AS anon_1 
FROM (SELECT clew_given.clew_value0 AS club_id, clew_given.clew_key0 AS clew_key0, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, ($3::INTEGER[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN notes ON notes.id = clew_given.clew_key0) AS changed_rows ORDER BY changed_rows.clew_position;

-- 3: updateNote, gather
--   Foresee permits=UPDATE[schema.graphql:61, schema.graphql:62, schema.graphql:63, schema.graphql:57, schema.graphql:58]
--     Update entity=Note sets=[clubId] presets=[[slug, "lower(text) || '-' || state"]]
SELECT true IS true AS a0, true IS true AS a1, true IS true AS a2, true IS true AS a3, (typed_rows.text != $1::TEXT) IS true AS a4 
FROM (SELECT CAST(changed_rows.id AS INTEGER) AS id, CAST(changed_rows.text AS TEXT) AS text, CAST(changed_rows.state AS TEXT) AS state, CAST(changed_rows.stars AS INTEGER) AS stars, CAST(changed_rows.frozen AS BOOLEAN) AS frozen, CAST(changed_rows.author_id AS TEXT) AS author_id, CAST(changed_rows.club_id AS INTEGER) AS club_id, CAST(changed_rows.slug AS TEXT) AS slug, CAST(changed_rows.labels AS TEXT[]) AS labels, CAST(changed_rows.version AS INTEGER) AS version, changed_rows.clew_position AS clew_position 
FROM (SELECT notes.id AS id, notes.text AS text, notes.state AS state, notes.stars AS stars, notes.frozen AS frozen, notes.author_id AS author_id, clew_given.clew_value0 AS club_id, notes.slug AS slug, notes.labels AS labels, notes.version + 1 AS version, clew_given.clew_key0 AS clew_key0, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, ($3::INTEGER[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN notes ON notes.id = clew_given.clew_key0) AS changed_rows) AS typed_rows ORDER BY typed_rows.clew_position;
