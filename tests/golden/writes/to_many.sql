-- 1: updateCompany, gather
--   Lock visible=Company permits=UPDATE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN companies AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateCompany, gather
--   Find visible=Person columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 3: updateCompany, gather
--   Lock visible=Person permits=UPDATE[] by_key=True columns=[companyId]
SELECT clew_given.clew_position AS position, t0.id, t0.company_id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 4: updateCompany, gather
--   Lock visible=Person permits=UPDATE[] by_key=True named=True columns=[companyId]
SELECT clew_given.clew_position AS position, t0.id, t0.company_id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 5: updateCompany, gather
--   Find visible=Person columns=[email]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.email = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 6: updateCompany, gather
--   Lock visible=Person permits=UPDATE[] by_key=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 7: updateCompany, write
--   Update entity=Person sets=[companyId]
UPDATE people SET company_id=clew_given.clew_value0 FROM (SELECT ($1::UUID[])[1] AS clew_key0, ($2::UUID[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE people.id = clew_given.clew_key0;

-- 8: updateCompany, write
--   Update entity=Person sets=[familyName]
UPDATE people SET family_name=clew_given.clew_value0 FROM (SELECT ($1::UUID[])[1] AS clew_key0, ($2::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE people.id = clew_given.clew_key0;

-- 9: updateCompany, write
--   Update entity=Person sets=[companyId]
UPDATE people SET company_id=clew_given.clew_value0 FROM (SELECT ($1::UUID[])[1] AS clew_key0, ($2::UUID[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE people.id = clew_given.clew_key0;

-- 10: updateCompany, read
--   Read
--     Rows visible=Company
--     Many key='people' relation=people
--       Read
--         Rows visible=Person
--           OrderKey
--             FieldPath end=id
--         Value key='email' column=email
--         Value key='familyName' column=familyName
