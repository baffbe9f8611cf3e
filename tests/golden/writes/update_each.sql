-- 1: updateManyOrders, gather
--   Lock visible=Order permits=UPDATE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) JOIN orders AS t0 ON t0.id = clew_given.clew_key0 
WHERE t0.deleted_at IS NULL AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateManyOrders, write
SAVEPOINT clew_rows;

-- 3: updateManyOrders, write
--   Update entity=Order sets=[paid]
UPDATE orders SET paid=clew_given.clew_value0 FROM unnest($1::BIGINT[], $2::BOOLEAN[]) WITH ORDINALITY AS clew_given(clew_key0, clew_value0, clew_position) WHERE orders.id = clew_given.clew_key0;

-- 4: updateManyOrders, write
--   Update entity=Order increases=[total]
UPDATE orders SET total=(orders.total + clew_given.clew_value0) FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, ($2::TEXT[]::NUMERIC[])[1] AS clew_value0, 1 AS clew_position) AS clew_given WHERE orders.id = clew_given.clew_key0;

-- 5: updateManyOrders, check
--   Check visible=Order permits=UPDATE[]
SELECT judged.readable, judged.a0 
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS clew_given(clew_key0, clew_position) LEFT OUTER JOIN LATERAL (SELECT (t0.deleted_at IS NULL) IS true AS readable, true AS a0 
FROM orders AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;
