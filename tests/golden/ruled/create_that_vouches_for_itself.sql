-- 1: createClub, gather
--   Find visible=Person columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_value0 
WHERE t0.hiding = false OR t0.id = $2::TEXT ORDER BY clew_given.clew_position;

-- 2: createClub, write
--   Insert entity=Club columns=[name]
INSERT INTO clubs (name) SELECT clew_given.clew_value0 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING clubs.id;

-- 3: createClub, write
--   Insert entity=Member columns=[clubId, level, personId]
INSERT INTO members (club_id, level, person_id) SELECT clew_given.clew_value0, clew_given.clew_value1, clew_given.clew_value2 
FROM (SELECT ($1::INTEGER[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, ($3::TEXT[])[1] AS clew_value2, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING members.id;

-- 4: createClub, check
--   Check visible=Club permits=CREATE[schema.graphql:26, schema.graphql:27] before=['Club', 'Member']
SELECT judged.readable, judged.a0, judged.a1 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $2::TEXT))) IS true AS readable, (EXISTS (SELECT 1 
FROM (SELECT n2.id AS id, n2.club_id AS club_id, n2.person_id AS person_id, n2.level AS level 
FROM members AS n2 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($3::UUID[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n2.id = clew_given.clew_key0)) UNION ALL SELECT (r4.image).id AS id, (r4.image).club_id AS club_id, (r4.image).person_id AS person_id, (r4.image).level AS level 
FROM (SELECT CAST(w3.image AS "members") AS image 
FROM unnest($4::TEXT[]) AS w3(image)
 LIMIT ALL OFFSET 0) AS r4) AS t5 
WHERE t5.club_id = t0.id AND t5.person_id = $2::TEXT)) IS true AS a0, (EXISTS (SELECT 1 
FROM (SELECT n6.id AS id, n6.club_id AS club_id, n6.person_id AS person_id, n6.level AS level 
FROM members AS n6 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($5::UUID[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n6.id = clew_given.clew_key0)) UNION ALL SELECT (r8.image).id AS id, (r8.image).club_id AS club_id, (r8.image).person_id AS person_id, (r8.image).level AS level 
FROM (SELECT CAST(w7.image AS "members") AS image 
FROM unnest($6::TEXT[]) AS w7(image)
 LIMIT ALL OFFSET 0) AS r8) AS t9 
WHERE t9.club_id = t0.id AND t9.person_id = $2::TEXT)) IS true AS a1 
FROM clubs AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 5: createClub, check
--   Check visible=Member permits=CREATE[schema.graphql:47] before=['Member', 'Club']
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (EXISTS (SELECT 1 
FROM clubs AS t1 
WHERE t1.id = t0.club_id AND (EXISTS (SELECT 1 
FROM members AS t2 
WHERE t2.club_id = t1.id AND t2.person_id = $2::TEXT)))) IS true AS readable, (EXISTS (SELECT 1 
FROM (SELECT n3.id AS id, n3.name AS name, n3.open AS open 
FROM clubs AS n3 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($3::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n3.id = clew_given.clew_key0)) UNION ALL SELECT (r5.image).id AS id, (r5.image).name AS name, (r5.image).open AS open 
FROM (SELECT CAST(w4.image AS "clubs") AS image 
FROM unnest($4::TEXT[]) AS w4(image)
 LIMIT ALL OFFSET 0) AS r5) AS t6 
WHERE t6.id = t0.club_id AND (EXISTS (SELECT 1 
FROM (SELECT n7.id AS id, n7.club_id AS club_id, n7.person_id AS person_id, n7.level AS level 
FROM members AS n7 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($5::UUID[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n7.id = clew_given.clew_key0)) UNION ALL SELECT (r9.image).id AS id, (r9.image).club_id AS club_id, (r9.image).person_id AS person_id, (r9.image).level AS level 
FROM (SELECT CAST(w8.image AS "members") AS image 
FROM unnest($6::TEXT[]) AS w8(image)
 LIMIT ALL OFFSET 0) AS r9) AS t10 
WHERE t10.club_id = t6.id AND t10.person_id = $2::TEXT AND t10.level = $7::TEXT)))) IS true AS a0 
FROM members AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;
