-- 1: updateOrder, gather
--   Lock visible=Order permits=UPDATE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN orders AS t0 ON t0.id = clew_given.clew_key0 
WHERE t0.deleted_at IS NULL AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updateOrder, write
--   Update entity=Order sets=[paid, status] increases=[total] appends=[notes]
UPDATE orders SET status=clew_given.clew_value1, total=(orders.total + clew_given.clew_value2), paid=clew_given.clew_value0, notes=(orders.notes || CASE WHEN (clew_given.clew_value3 IS NOT NULL) THEN CAST(array((SELECT item 
FROM jsonb_array_elements_text(CAST(clew_given.clew_value3 AS JSONB)) AS items(item))) AS TEXT[]) END) FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, ($2::BOOLEAN[])[1] AS clew_value0, ($3::TEXT[])[1] AS clew_value1, ($4::TEXT[]::NUMERIC[])[1] AS clew_value2, ($5::TEXT[])[1] AS clew_value3, 1 AS clew_position) AS clew_given WHERE orders.id = clew_given.clew_key0;

-- 3: updateOrder, check
--   Check visible=Order permits=UPDATE[]
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (t0.deleted_at IS NULL) IS true AS readable, true AS a0 
FROM orders AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 4: updateOrder, read
--   Read
--     Rows visible=Order
--     Value key='total' column=total
--     Value key='status' column=status
--     Value key='notes' column=notes
