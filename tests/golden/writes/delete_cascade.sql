-- 1: deletePerson, gather
--   Lock visible=Person permits=DELETE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: deletePerson, read
--   Read
--     Rows visible=Person
--     Value key='email' column=email
--     Many key='orders' relation=orders
--       Read
--         Rows visible=Order
--           OrderKey
--             FieldPath end=id
--         Value key='total' column=total

-- 3: deletePerson, write
--   Delete entity=Person
DELETE FROM people USING (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE people.id = clew_given.clew_key0;
