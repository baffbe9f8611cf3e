-- 1: updateClub, gather
--   Lock visible=Club permits=UPDATE[schema.graphql:26] by_key=True named=True image=True
SELECT clew_given.clew_position AS position, t0.id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT)) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN clubs AS t0 ON t0.id = clew_given.clew_key0 
WHERE (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t2 
WHERE t2.club_id = t0.id AND t2.person_id = $1::TEXT))) AND (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT)) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateClub, gather
--   Lock visible=Club permits=UPDATE[schema.graphql:26] by_key=True named=True image=True
SELECT clew_given.clew_position AS position, t0.id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT)) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN clubs AS t0 ON t0.id = clew_given.clew_key0 
WHERE (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t2 
WHERE t2.club_id = t0.id AND t2.person_id = $1::TEXT))) AND (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT)) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 3: updateClub, gather
--   Find visible=Tag columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN tags AS t0 ON t0.id = clew_given.clew_value0 
WHERE t0.hidden = false ORDER BY clew_given.clew_position;

-- 4: updateClub, write
--   Insert entity=ClubTag columns=[clubId, tagId] once=True
INSERT INTO club_tags (club_id, tag_id) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM (SELECT ($1::INTEGER[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position ON CONFLICT DO NOTHING RETURNING club_tags.club_id, club_tags.tag_id;

-- 5: updateClub, check
--   Check visible=Club permits=UPDATE[schema.graphql:26]
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $2::TEXT))) IS true AS readable, (EXISTS (SELECT 1 
FROM members AS t2 
WHERE t2.club_id = t0.id AND t2.person_id = $2::TEXT)) IS true AS a0 
FROM clubs AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 6: updateClub, read
--   Read
--     Rows visible=Club
--     Many key='tags' relation=tags link=ClubTag
--       Read
--         Rows visible=Tag limit=100
--           OrderKey
--             FieldPath end=id
--         Value key='id' column=id
