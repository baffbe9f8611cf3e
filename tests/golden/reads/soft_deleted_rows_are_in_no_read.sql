SELECT convert_to((SELECT '{"id":' || coalesce(('"' || CAST(t0.id AS TEXT)) || '"', 'null') || '}' AS clew_json 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.id = $1::BIGINT), 'UTF8') AS r0, convert_to((SELECT concat('[', string_agg('{"id":' || coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null') || '}', ','), ']') AS clew_json 
FROM (SELECT t1.id AS id 
FROM orders AS t1 
WHERE t1.deleted_at IS NULL AND (EXISTS (SELECT 1 
FROM people AS t2 
WHERE t2.id = t1.customer_id AND t2.given_name = $2::TEXT)) ORDER BY t1.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT concat('[', string_agg(concat('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || ',"orders":', (SELECT concat('[', string_agg('{"id":' || coalesce(('"' || CAST(page7.id AS TEXT)) || '"', 'null') || '}', ','), ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM orders AS t6 
WHERE t6.customer_id = page5.id AND t6.deleted_at IS NULL ORDER BY t6.id ASC) AS page7), '}'), ','), ']') AS clew_json 
FROM (SELECT t4.given_name AS given_name, t4.id AS id 
FROM people AS t4 ORDER BY t4.id ASC) AS page5), 'UTF8') AS r2, convert_to((SELECT concat('[', string_agg(concat('{"orderId":' || coalesce(('"' || CAST(page9.order_id AS TEXT)) || '"', 'null') || ',"number":' || coalesce(CAST(page9.number AS TEXT), 'null') || ',"order":', CASE WHEN j11.id IS NOT NULL THEN '{"id":' || coalesce(('"' || CAST(j11.id AS TEXT)) || '"', 'null') || '}' ELSE 'null'::text END, '}'), ',' ORDER BY page9.clew_key0 ASC, page9.clew_key1 ASC), ']') AS clew_json 
FROM (SELECT t8.order_id AS order_id, t8.number AS number, t8.order_id AS clew_key0, t8.number AS clew_key1 
FROM order_lines AS t8 
WHERE t8.deleted_at IS NULL ORDER BY t8.order_id ASC, t8.number ASC) AS page9 LEFT OUTER JOIN LATERAL (SELECT t10.id AS id 
FROM orders AS t10 
WHERE t10.id = page9.order_id AND t10.deleted_at IS NULL) AS j11 ON true), 'UTF8') AS r3
