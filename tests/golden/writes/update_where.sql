-- 1: updateOrders, gather
--   Lock visible=Order permits=UPDATE[]
--     Exists relation=customer
--       Rows visible=Person
--         Compare column=givenName operator='eq' operand='Ada'
SELECT 0 AS position, t0.id, true IS true AS b0 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND (EXISTS (SELECT 1 
FROM people AS t1 
WHERE t1.id = t0.customer_id AND t1.given_name = $1::TEXT)) AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateOrders, gather
--   Lock visible=Order permits=UPDATE[] by_key=True
--     Exists relation=customer
--       Rows visible=Person
--         Compare column=givenName operator='eq' operand='Ada'
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) JOIN orders AS t0 ON t0.id = clew_given.clew_key0 
WHERE t0.deleted_at IS NULL AND (EXISTS (SELECT 1 
FROM people AS t1 
WHERE t1.id = t0.customer_id AND t1.given_name = $2::TEXT)) AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 3: updateOrders, write
SAVEPOINT clew_rows;

-- 4: updateOrders, write
--   Update entity=Order sets=[paid]
UPDATE orders SET paid=clew_given.clew_value0 FROM unnest($1::BIGINT[], $2::BOOLEAN[]) WITH ORDINALITY AS clew_given(clew_key0, clew_value0, clew_position) WHERE orders.id = clew_given.clew_key0;

-- 5: updateOrders, check
--   Check visible=Order permits=UPDATE[]
SELECT judged.readable, judged.a0 
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) LEFT OUTER JOIN LATERAL (SELECT (t0.deleted_at IS NULL) IS true AS readable, true AS a0 
FROM orders AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;
