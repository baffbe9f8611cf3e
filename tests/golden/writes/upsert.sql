-- 1: upsertPerson, gather
--   Find visible=Person columns=[email]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.email = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 2: upsertPerson, gather
--   Lock visible=Person permits=UPDATE[] by_key=True still=[email]
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 AND t0.email = clew_given.clew_value0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 3: upsertPerson, write
--   Update entity=Person sets=[givenName]
UPDATE people SET given_name=clew_given.clew_value0 FROM (SELECT ($1::UUID[])[1] AS clew_key0, ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE people.id = clew_given.clew_key0;

-- 4: upsertPerson, read
--   Read
--     Rows visible=Person
--     Value key='email' column=email
--     Value key='givenName' column=givenName

-- 5: new, gather
--   Find visible=Person columns=[email]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.email = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 6: new, write
SAVEPOINT clew_upsert;

-- 7: new, write
--   Insert entity=Person columns=[email, givenName]
INSERT INTO people (email, given_name) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING people.id;

-- 8: new, write
RELEASE SAVEPOINT clew_upsert;

-- 9: new, read
--   Read
--     Rows visible=Person
--     Value key='email' column=email
