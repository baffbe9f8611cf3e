-- 1: deleteOrder, gather
--   Lock visible=Order permits=DELETE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN orders AS t0 ON t0.id = clew_given.clew_key0 
WHERE t0.deleted_at IS NULL AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: deleteOrder, read
--   Read
--     Rows visible=Order
--     Many key='lines' relation=lines
--       Read
--         Rows visible=OrderLine
--           OrderKey
--             FieldPath end=orderId
--           OrderKey
--             FieldPath end=number
--         Value key='number' column=number

-- 3: deleteOrder, write
--   Mark entity=Order
UPDATE orders SET deleted_at=$1::TEXT::TIMESTAMP WITH TIME ZONE FROM (SELECT ($2::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE orders.deleted_at IS NULL AND orders.id = clew_given.clew_key0 RETURNING orders.id;

-- 4: deleteOrder, write
--   Mark entity=OrderLine relation=order
UPDATE order_lines SET deleted_at=$1::TEXT::TIMESTAMP WITH TIME ZONE FROM (SELECT ($2::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE order_lines.deleted_at IS NULL AND order_lines.order_id = clew_given.clew_key0 RETURNING order_lines.order_id, order_lines.number;

-- 5: restoreOrder, gather
--   Lock visible=Order permits=DELETE[] by_key=True named=True columns=[deletedAt]
SELECT clew_given.clew_position AS position, t0.id, to_json(t0.deleted_at) #>> '{}'::text[] AS anon_1, true IS true AS b0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN orders AS t0 ON t0.id = clew_given.clew_key0 
WHERE t0.deleted_at IS NOT NULL AND true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 6: restoreOrder, write
--   Mark entity=Order restores=True
UPDATE orders SET deleted_at=NULL FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE orders.deleted_at = $2::TEXT::TIMESTAMP WITH TIME ZONE AND orders.id = clew_given.clew_key0 RETURNING orders.id;

-- 7: restoreOrder, write
--   Mark entity=OrderLine relation=order restores=True
UPDATE order_lines SET deleted_at=NULL FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE order_lines.deleted_at = $2::TEXT::TIMESTAMP WITH TIME ZONE AND order_lines.order_id = clew_given.clew_key0 RETURNING order_lines.order_id, order_lines.number;

-- 8: restoreOrder, write
--   Hold entity=OrderLine relation=order
SELECT t1.deleted_at IS NULL AS there 
FROM unnest($1::BIGINT[], $2::INTEGER[]) WITH ORDINALITY AS clew_given(clew_key0, clew_key1, clew_position) JOIN order_lines AS t0 ON t0.order_id = clew_given.clew_key0 AND t0.number = clew_given.clew_key1 JOIN orders AS t1 ON t0.order_id = t1.id ORDER BY t1.id FOR SHARE OF t1;

-- 9: restoreOrder, read
--   Read
--     Rows visible=Order
--     Many key='lines' relation=lines
--       Read
--         Rows visible=OrderLine
--           OrderKey
--             FieldPath end=orderId
--           OrderKey
--             FieldPath end=number
--         Value key='number' column=number
