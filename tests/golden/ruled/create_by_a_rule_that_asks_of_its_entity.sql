-- 1: createSteward, gather
--   Leads relation=person visible=Person
--     Insert entity=Steward columns=[personId]
SELECT given_rows.person_id IS NULL OR (EXISTS (SELECT 1 
FROM people AS t0 
WHERE t0.id = given_rows.person_id AND (t0.hiding = false OR t0.id = $1::TEXT))) AS anon_1 
FROM (SELECT clew_given.clew_value0 AS person_id, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given) AS given_rows ORDER BY given_rows.clew_position;

-- 2: createSteward, write
--   Foresee permits=CREATE[schema.graphql:117]
--     Insert entity=Steward columns=[personId]
SELECT (EXISTS (SELECT 1 
FROM stewards AS t0 
WHERE t0.person_id = $1::TEXT)) IS true AS a0 
FROM (SELECT CAST(given_rows.person_id AS TEXT) AS person_id, given_rows.clew_position AS clew_position 
FROM (SELECT clew_given.clew_value0 AS person_id, clew_given.clew_position AS clew_position 
FROM (SELECT ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given) AS given_rows) AS typed_rows ORDER BY typed_rows.clew_position;

-- 3: createSteward, write
--   Insert entity=Steward columns=[personId]
INSERT INTO stewards (person_id) SELECT clew_given.clew_value0 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING stewards.person_id;

-- 4: createSteward, check
--   Check visible=Steward permits=CREATE[schema.graphql:117] before=['Steward']
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::TEXT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT true IS true AS readable, (EXISTS (SELECT 1 
FROM (SELECT n1.person_id AS person_id 
FROM stewards AS n1 
WHERE NOT (EXISTS (SELECT 1 
FROM unnest($2::TEXT[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) 
WHERE n1.person_id = clew_given.clew_key0)) UNION ALL SELECT (r3.image).person_id AS person_id 
FROM (SELECT CAST(w2.image AS "stewards") AS image 
FROM unnest($3::TEXT[]) AS w2(image)
 LIMIT ALL OFFSET 0) AS r3) AS t4 
WHERE t4.person_id = $4::TEXT)) IS true AS a0 
FROM stewards AS t0 
WHERE t0.person_id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 5: createSteward, read
--   Read
--     Rows visible=Steward
--     Value key='personId' column=personId
