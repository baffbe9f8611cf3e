SELECT convert_to((SELECT '{"__typename":"OrderConnection","edges":[' || (coalesce(string_agg('{"node":{"id":' || coalesce(('"' || CAST(rows2.id AS TEXT)) || '"', 'null') || ',"weight":' || coalesce(CAST(to_json(rows2.weight) AS TEXT), 'null') || ',"customer":' || (CASE WHEN j4.id IS NOT NULL THEN '{"givenName":' || coalesce(CAST(to_json(j4.given_name) AS TEXT), 'null') || '}' ELSE 'null'::text END || '},"__typename":"OrderEdge"}'), ',' ORDER BY rows2.clew_row) FILTER (WHERE rows2.clew_row <= 2), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 2 AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || '},"totalCount":' || coalesce(CAST((SELECT count(*) AS count_1 
FROM orders AS t5 
WHERE t5.deleted_at IS NULL) AS TEXT), 'null') || '}')) AS clew_json 
FROM (SELECT page1.id AS id, page1.weight AS weight, page1.customer_id AS customer_id, page1.clew_key0 AS clew_key0, page1.clew_key1 AS clew_key1, row_number() OVER (ORDER BY page1.clew_key0 DESC NULLS LAST, page1.clew_key1 ASC) AS clew_row 
FROM (SELECT t0.id AS id, t0.weight AS weight, t0.customer_id AS customer_id, t0.weight AS clew_key0, t0.id AS clew_key1 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL ORDER BY t0.weight DESC NULLS LAST, t0.id ASC 
 LIMIT 3) AS page1) AS rows2 LEFT OUTER JOIN LATERAL (SELECT t3.id AS id, t3.given_name AS given_name 
FROM people AS t3 
WHERE t3.id = rows2.customer_id) AS j4 ON true), 'UTF8') AS r0, convert_to((SELECT '{"nodes":[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(rows8.id AS TEXT)) || '"', 'null') || '}', ',' ORDER BY rows8.clew_row DESC) FILTER (WHERE rows8.clew_row <= 3), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(count(*) > 3 AS TEXT), 'null') || ',"__typename":"PageInfo"},"totalCount":' || coalesce(CAST((SELECT count(*) AS count_2 
FROM orders AS t9 
WHERE t9.deleted_at IS NULL AND t9.paid = false) AS TEXT), 'null') || '}')) AS clew_json 
FROM (SELECT page7.id AS id, page7.clew_key0 AS clew_key0, row_number() OVER (ORDER BY page7.clew_key0 DESC NULLS FIRST) AS clew_row 
FROM (SELECT t6.id AS id, t6.id AS clew_key0 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND t6.paid = false ORDER BY t6.id DESC NULLS FIRST 
 LIMIT 4) AS page7) AS rows8), 'UTF8') AS r1, convert_to((SELECT '{"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 2147483647 AS TEXT), 'null') || '}}' AS clew_json 
FROM (SELECT page11.present AS present, page11.clew_key0 AS clew_key0, row_number() OVER (ORDER BY page11.clew_key0 ASC) AS clew_row 
FROM (SELECT 1 AS present, t10.id AS clew_key0 
FROM orders AS t10 
WHERE t10.deleted_at IS NULL ORDER BY t10.id ASC 
 LIMIT 2147483648) AS page11) AS rows12), 'UTF8') AS r2, convert_to((SELECT '{"nodes":[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(rows15.id AS TEXT)) || '"', 'null') || '}', ',' ORDER BY rows15.clew_row) FILTER (WHERE rows15.clew_row <= 0), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 0 AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"startCursor":' || coalesce(('"' || max(($1::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows15.clew_key0 AS TEXT)) AS TEXT), 'UTF8'), 'hex')) FILTER (WHERE rows15.clew_row = 1 AND rows15.clew_row <= 0)) || '"', 'null') || '}}')) AS clew_json 
FROM (SELECT page14.id AS id, page14.clew_key0 AS clew_key0, row_number() OVER (ORDER BY page14.clew_key0 ASC) AS clew_row 
FROM (SELECT t13.id AS id, t13.id AS clew_key0 
FROM orders AS t13 
WHERE t13.deleted_at IS NULL ORDER BY t13.id ASC 
 LIMIT 1) AS page14) AS rows15), 'UTF8') AS r3, convert_to('{"pageInfo":{"hasNextPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || '}}', 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"ordersConnection":' || ((SELECT '{"totalCount":' || coalesce(CAST((SELECT count(*) AS count_3 
FROM orders AS t21 
WHERE t21.customer_id = page17.id AND t21.deleted_at IS NULL) AS TEXT), 'null') || ',"nodes":[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(rows20.id AS TEXT)) || '"', 'null') || '}', ',' ORDER BY rows20.clew_row) FILTER (WHERE rows20.clew_row <= 1), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 1 AS TEXT), 'null') || '}}')) AS clew_json 
FROM (SELECT page19.id AS id, page19.clew_key0 AS clew_key0, row_number() OVER (ORDER BY page19.clew_key0 ASC) AS clew_row 
FROM (SELECT t18.id AS id, t18.id AS clew_key0 
FROM orders AS t18 
WHERE t18.customer_id = page17.id AND t18.deleted_at IS NULL ORDER BY t18.id ASC 
 LIMIT 2) AS page19) AS rows20) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t16.id AS id 
FROM people AS t16 ORDER BY t16.given_name ASC, t16.id ASC) AS page17), 'UTF8') AS r5
