-- 1: updateTent, gather
--   Lock visible=Tent permits=UPDATE[schema.graphql:88] by_key=True named=True image=True
SELECT clew_given.clew_position AS position, t0.id, CAST(ROW(t0.*) AS TEXT) AS image, true IS true AS b0 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN tents AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateTent, gather
--   Find visible=Pole columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::INTEGER[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN poles AS t0 ON t0.id = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 3: updateTent, gather
--   Lock visible=Pole permits=DELETE[schema.graphql:97] by_key=True columns=[tentId] image=True
SELECT clew_given.clew_position AS position, t0.id, t0.tent_id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN poles AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 4: updateTent, gather
--   Lock visible=Pole permits=DELETE[schema.graphql:97] by_key=True columns=[tentId] image=True
SELECT clew_given.clew_position AS position, t0.id, t0.tent_id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN poles AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 5: updateTent, gather
--   Lock visible=Pole permits=UPDATE[schema.graphql:97] by_key=True named=True columns=[tentId] image=True
SELECT clew_given.clew_position AS position, t0.id, t0.tent_id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN poles AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 6: updateTent, gather
--   Lock visible=Pole permits=UPDATE[schema.graphql:97] by_key=True named=True columns=[tentId] image=True
SELECT clew_given.clew_position AS position, t0.id, t0.tent_id, CAST(ROW(t0.*) AS TEXT) AS image, (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN poles AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM tents AS t1 
WHERE t1.id = t0.tent_id AND (SELECT count(*) > $1::BIGINT AS anon_1 
FROM poles AS t2 
WHERE t2.tent_id = t1.id AND t2.up = true))) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 7: updateTent, write
--   Delete entity=Pole
DELETE FROM poles USING (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE poles.id = clew_given.clew_key0;

-- 8: updateTent, write
--   Update entity=Pole sets=[up]
UPDATE poles SET up=clew_given.clew_value0 FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, ($2::BOOLEAN[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE poles.id = clew_given.clew_key0;

-- 9: updateTent, recall
--   Recall entity=Pole permits=DELETE[schema.graphql:97] past=['Pole', 'Tent']
SELECT judged.b0 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, ($2::BIGINT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (EXISTS (SELECT 1 
FROM (SELECT n4.id AS id 
FROM tents AS n4 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($3::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n4.id = clew_given.clew_key0)) UNION ALL SELECT (r6.image).id AS id 
FROM (SELECT CAST(w5.image AS "tents") AS image 
FROM unnest($4::TEXT[]) AS w5(image)
 LIMIT ALL OFFSET 0) AS r6) AS t7 
WHERE t7.id = t3.tent_id AND (SELECT count(*) > $5::BIGINT AS anon_1 
FROM (SELECT n8.id AS id, n8.up AS up, n8.tent_id AS tent_id 
FROM poles AS n8 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($6::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n8.id = clew_given.clew_key0 AND clew_given.clew_position >= clew_at.clew_place)) UNION ALL SELECT (r10.image).id AS id, (r10.image).up AS up, (r10.image).tent_id AS tent_id 
FROM (SELECT CAST(w9.image AS "poles") AS image 
FROM unnest($7::TEXT[]) WITH ORDINALITY AS w9(image, place) 
WHERE w9.image IS NOT NULL AND w9.place >= clew_at.clew_place
 LIMIT ALL OFFSET 0) AS r10) AS t11 
WHERE t11.tent_id = t7.id AND t11.up = true))) IS true AS b0 
FROM LATERAL (SELECT clew_given.clew_value0 AS clew_place) AS clew_at, LATERAL (SELECT n0.id AS id, n0.up AS up, n0.tent_id AS tent_id 
FROM poles AS n0 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($8::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n0.id = clew_given.clew_key0 AND clew_given.clew_position >= clew_at.clew_place)) UNION ALL SELECT (r2.image).id AS id, (r2.image).up AS up, (r2.image).tent_id AS tent_id 
FROM (SELECT CAST(w1.image AS "poles") AS image 
FROM unnest($9::TEXT[]) WITH ORDINALITY AS w1(image, place) 
WHERE w1.image IS NOT NULL AND w1.place >= clew_at.clew_place
 LIMIT ALL OFFSET 0) AS r2) AS t3 
WHERE t3.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 10: updateTent, recall
--   Recall entity=Pole permits=UPDATE[schema.graphql:97] past=['Pole', 'Tent']
SELECT judged.b0 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, ($2::BIGINT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (EXISTS (SELECT 1 
FROM (SELECT n4.id AS id 
FROM tents AS n4 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($3::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n4.id = clew_given.clew_key0)) UNION ALL SELECT (r6.image).id AS id 
FROM (SELECT CAST(w5.image AS "tents") AS image 
FROM unnest($4::TEXT[]) AS w5(image)
 LIMIT ALL OFFSET 0) AS r6) AS t7 
WHERE t7.id = t3.tent_id AND (SELECT count(*) > $5::BIGINT AS anon_1 
FROM (SELECT n8.id AS id, n8.up AS up, n8.tent_id AS tent_id 
FROM poles AS n8 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($6::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n8.id = clew_given.clew_key0 AND clew_given.clew_position >= clew_at.clew_place)) UNION ALL SELECT (r10.image).id AS id, (r10.image).up AS up, (r10.image).tent_id AS tent_id 
FROM (SELECT CAST(w9.image AS "poles") AS image 
FROM unnest($7::TEXT[]) WITH ORDINALITY AS w9(image, place) 
WHERE w9.image IS NOT NULL AND w9.place >= clew_at.clew_place
 LIMIT ALL OFFSET 0) AS r10) AS t11 
WHERE t11.tent_id = t7.id AND t11.up = true))) IS true AS b0 
FROM LATERAL (SELECT clew_given.clew_value0 AS clew_place) AS clew_at, LATERAL (SELECT n0.id AS id, n0.up AS up, n0.tent_id AS tent_id 
FROM poles AS n0 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($8::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n0.id = clew_given.clew_key0 AND clew_given.clew_position >= clew_at.clew_place)) UNION ALL SELECT (r2.image).id AS id, (r2.image).up AS up, (r2.image).tent_id AS tent_id 
FROM (SELECT CAST(w1.image AS "poles") AS image 
FROM unnest($9::TEXT[]) WITH ORDINALITY AS w1(image, place) 
WHERE w1.image IS NOT NULL AND w1.place >= clew_at.clew_place
 LIMIT ALL OFFSET 0) AS r2) AS t3 
WHERE t3.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 11: updateTent, read
--   Read
--     Rows visible=Tent
--     Value key='id' column=id
