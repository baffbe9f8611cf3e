-- 1: updatePlacard, gather
--   Lock visible=Placard permits=UPDATE[schema.graphql:123] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, (EXISTS (SELECT 1 
FROM stewards AS t1 
WHERE t1.person_id = $1::TEXT)) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN placards AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM stewards AS t1 
WHERE t1.person_id = $1::TEXT)) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updatePlacard, gather
--   Lock visible=Placard permits=UPDATE[schema.graphql:123] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, (EXISTS (SELECT 1 
FROM stewards AS t1 
WHERE t1.person_id = $1::TEXT)) IS true AS b0 
FROM (SELECT ($2::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN placards AS t0 ON t0.id = clew_given.clew_key0 
WHERE (EXISTS (SELECT 1 
FROM stewards AS t1 
WHERE t1.person_id = $1::TEXT)) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 3: updatePlacard, write
--   Update entity=Placard sets=[text]
UPDATE placards SET text=clew_given.clew_value0 FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE placards.id = clew_given.clew_key0;

-- 4: updatePlacard, check
--   Check visible=Placard permits=UPDATE[schema.graphql:123]
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT true IS true AS readable, (EXISTS (SELECT 1 
FROM stewards AS t1 
WHERE t1.person_id = $2::TEXT)) IS true AS a0 
FROM placards AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 5: updatePlacard, read
--   Read
--     Rows visible=Placard
--     Value key='text' column=text
