SELECT convert_to((SELECT format('{"id":%s}', coalesce(('"' || CAST(t0.id AS TEXT)) || '"', 'null')) AS clew_json 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.id = $1::BIGINT), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page4.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t1.id AS id 
FROM orders AS t1 JOIN LATERAL (SELECT 1 AS clew_found 
FROM people AS t2 
WHERE t2.id = t1.customer_id AND t2.given_name = $2::TEXT) AS f3 ON true 
WHERE t1.deleted_at IS NULL ORDER BY t1.id ASC) AS page4), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page6.given_name) AS TEXT), 'null') || ',"orders":' || ((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page8.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t7.id AS id 
FROM orders AS t7 
WHERE t7.customer_id = page6.id AND t7.deleted_at IS NULL ORDER BY t7.id ASC) AS page8) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t5.given_name AS given_name, t5.id AS id 
FROM people AS t5 ORDER BY t5.id ASC) AS page6), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"orderId":' || coalesce(('"' || CAST(page10.order_id AS TEXT)) || '"', 'null') || ',"number":' || coalesce(CAST(page10.number AS TEXT), 'null') || ',"order":' || (CASE WHEN j12.id IS NOT NULL THEN '{"id":' || coalesce(('"' || CAST(j12.id AS TEXT)) || '"', 'null') || '}' ELSE 'null'::text END || '}'), ',' ORDER BY page10.clew_key0 ASC, page10.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t9.order_id AS order_id, t9.number AS number, t9.order_id AS clew_key0, t9.number AS clew_key1 
FROM order_lines AS t9 
WHERE t9.deleted_at IS NULL) AS page10 LEFT OUTER JOIN LATERAL (SELECT t11.id AS id 
FROM orders AS t11 
WHERE t11.id = page10.order_id AND t11.deleted_at IS NULL) AS j12 ON true), 'UTF8') AS r3
