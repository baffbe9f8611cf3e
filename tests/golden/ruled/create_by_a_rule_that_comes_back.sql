-- 1: createMember, gather
--   Leads relation=club visible=Club
--     Insert entity=Member columns=[clubId]
SELECT given_rows.club_id IS NULL OR (EXISTS (SELECT 1 
FROM clubs AS t0 
WHERE t0.id = given_rows.club_id AND (t0.open = true OR (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT))))) AS anon_1 
FROM (SELECT clew_given.clew_value0 AS club_id, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::INTEGER[])[1] AS clew_value0, 1 AS clew_position) AS clew_given) AS given_rows ORDER BY given_rows.clew_position;

-- 2: createMember, gather
--   Leads relation=person visible=Person
--     Insert entity=Member columns=[personId]
SELECT given_rows.person_id IS NULL OR (EXISTS (SELECT 1 
FROM people AS t0 
WHERE t0.id = given_rows.person_id AND (t0.hiding = false OR t0.id = $1::TEXT))) AS anon_1 
FROM (SELECT clew_given.clew_value0 AS person_id, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given) AS given_rows ORDER BY given_rows.clew_position;

-- 3: createMember, write
--   Foresee permits=CREATE[schema.graphql:47]
--     Insert entity=Member columns=[clubId, personId]
SELECT (EXISTS (SELECT 1 
FROM clubs AS t0 
WHERE t0.id = typed_rows.club_id AND (EXISTS (SELECT 1 
FROM members AS t1 
WHERE t1.club_id = t0.id AND t1.person_id = $1::TEXT AND t1.level = $2::TEXT)))) IS true AS a0 
FROM (SELECT CAST(given_rows.club_id AS INTEGER) AS club_id, CAST(given_rows.person_id AS TEXT) AS person_id, CAST(given_rows.level AS TEXT) AS level, given_rows.clew_position AS clew_position 
FROM (SELECT clew_given.clew_value0 AS club_id, clew_given.clew_value1 AS person_id, CAST('GUEST' AS TEXT) AS level, clew_given.clew_position AS clew_position 
FROM (SELECT ($3::INTEGER[])[1] AS clew_value0, ($4::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given) AS given_rows) AS typed_rows ORDER BY typed_rows.clew_position;

-- 4: createMember, write
--   Insert entity=Member columns=[clubId, personId]
INSERT INTO members (club_id, person_id) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM (SELECT ($1::INTEGER[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING members.id;

-- 5: createMember, check
--   Check visible=Member permits=CREATE[schema.graphql:47] before=['Member']
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (EXISTS (SELECT 1 
FROM clubs AS t1 
WHERE t1.id = t0.club_id AND (EXISTS (SELECT 1 
FROM members AS t2 
WHERE t2.club_id = t1.id AND t2.person_id = $2::TEXT)))) IS true AS readable, (EXISTS (SELECT 1 
FROM clubs AS t3 
WHERE t3.id = t0.club_id AND (EXISTS (SELECT 1 
FROM (SELECT n4.id AS id, n4.club_id AS club_id, n4.person_id AS person_id, n4.level AS level 
FROM members AS n4 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($3::UUID[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n4.id = clew_given.clew_key0)) UNION ALL SELECT (r6.image).id AS id, (r6.image).club_id AS club_id, (r6.image).person_id AS person_id, (r6.image).level AS level 
FROM (SELECT CAST(w5.image AS "members") AS image 
FROM unnest($4::TEXT[]) AS w5(image)
 LIMIT ALL OFFSET 0) AS r6) AS t7 
WHERE t7.club_id = t3.id AND t7.person_id = $2::TEXT AND t7.level = $5::TEXT)))) IS true AS a0 
FROM members AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 6: createMember, read
--   Read
--     Rows visible=Member
--     Value key='level' column=level
