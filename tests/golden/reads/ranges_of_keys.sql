SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page2.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.id > $1::BIGINT AND t0.id <= $2::BIGINT AND (EXISTS (SELECT 1 
FROM order_lines AS t1 
WHERE t1.order_id = t0.id AND t1.deleted_at IS NULL AND t1.quantity >= $3::INTEGER AND t1.order_id > $1::BIGINT AND t1.order_id <= $2::BIGINT)) ORDER BY t0.id ASC) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page5.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t3.id AS id 
FROM orders AS t3 
WHERE t3.deleted_at IS NULL AND t3.id > $4::BIGINT AND (NOT (EXISTS (SELECT 1 
FROM order_lines AS t4 
WHERE t4.order_id = t3.id AND t4.deleted_at IS NULL AND t4.quantity >= $5::INTEGER AND t4.order_id > $4::BIGINT))) ORDER BY t3.id ASC) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page8.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND t6.id < $6::BIGINT AND (NOT (EXISTS (SELECT 1 
FROM order_lines AS t7 
WHERE t7.order_id = t6.id AND t7.deleted_at IS NULL AND (t7.quantity >= $7::INTEGER) IS NOT true AND t7.order_id < $6::BIGINT))) ORDER BY t6.id ASC) AS page8), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page11.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t9.id AS id 
FROM orders AS t9 
WHERE t9.deleted_at IS NULL AND (t9.id < $8::BIGINT OR (EXISTS (SELECT 1 
FROM order_lines AS t10 
WHERE t10.order_id = t9.id AND t10.deleted_at IS NULL AND t10.quantity >= $9::INTEGER))) ORDER BY t9.id ASC) AS page11), 'UTF8') AS r3
