SELECT convert_to((SELECT '{"__typename":"OrderConnection","edges":[' || (coalesce(string_agg('{"node":{"id":' || coalesce(('"' || CAST(rows2.id AS TEXT)) || '"', 'null') || ',"weight":' || coalesce(CAST(to_json(rows2.weight) AS TEXT), 'null') || ',"customer":' || (coalesce((SELECT format('{"givenName":%s}', coalesce(CAST(to_json(t3.given_name) AS TEXT), 'null')) AS clew_json 
FROM people AS t3 
WHERE t3.id = rows2.customer_id), 'null') || '},"__typename":"OrderEdge"}'), ',') FILTER (WHERE rows2.clew_row <= 2), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 2 AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || '},"totalCount":' || coalesce(CAST((SELECT count(*) AS count_1 
FROM orders AS t4 
WHERE t4.deleted_at IS NULL) AS TEXT), 'null') || '}')) AS clew_json 
FROM (SELECT page1.id AS id, page1.weight AS weight, page1.customer_id AS customer_id, page1.clew_key0 AS clew_key0, page1.clew_key1 AS clew_key1, row_number() OVER () AS clew_row 
FROM (SELECT t0.id AS id, t0.weight AS weight, t0.customer_id AS customer_id, t0.weight AS clew_key0, t0.id AS clew_key1 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL ORDER BY t0.weight DESC NULLS LAST, t0.id ASC 
 LIMIT 3) AS page1) AS rows2), 'UTF8') AS r0, convert_to((SELECT '{"nodes":[' || (coalesce(string_agg(format('{"id":%s}', coalesce(('"' || CAST(rows7.id AS TEXT)) || '"', 'null')), ',' ORDER BY rows7.clew_row DESC) FILTER (WHERE rows7.clew_row <= 3), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(count(*) > 3 AS TEXT), 'null') || ',"__typename":"PageInfo"},"totalCount":' || coalesce(CAST((SELECT count(*) AS count_2 
FROM orders AS t8 
WHERE t8.deleted_at IS NULL AND t8.paid = false) AS TEXT), 'null') || '}')) AS clew_json 
FROM (SELECT page6.id AS id, page6.clew_key0 AS clew_key0, row_number() OVER () AS clew_row 
FROM (SELECT t5.id AS id, t5.id AS clew_key0 
FROM orders AS t5 
WHERE t5.deleted_at IS NULL AND t5.paid = false ORDER BY t5.id DESC NULLS FIRST 
 LIMIT 4) AS page6) AS rows7), 'UTF8') AS r1, convert_to((SELECT '{"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 2147483647 AS TEXT), 'null') || '}}' AS clew_json 
FROM (SELECT page10.present AS present, page10.clew_key0 AS clew_key0, row_number() OVER () AS clew_row 
FROM (SELECT 1 AS present, t9.id AS clew_key0 
FROM orders AS t9 
WHERE t9.deleted_at IS NULL ORDER BY t9.id ASC 
 LIMIT 2147483648) AS page10) AS rows11), 'UTF8') AS r2, convert_to((SELECT '{"nodes":[' || (coalesce(string_agg(format('{"id":%s}', coalesce(('"' || CAST(rows14.id AS TEXT)) || '"', 'null')), ',') FILTER (WHERE rows14.clew_row <= 0), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 0 AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"startCursor":' || coalesce(('"' || max(($1::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows14.clew_key0 AS TEXT)) AS TEXT), 'UTF8'), 'hex')) FILTER (WHERE rows14.clew_row = 1 AND rows14.clew_row <= 0)) || '"', 'null') || '}}')) AS clew_json 
FROM (SELECT page13.id AS id, page13.clew_key0 AS clew_key0, row_number() OVER () AS clew_row 
FROM (SELECT t12.id AS id, t12.id AS clew_key0 
FROM orders AS t12 
WHERE t12.deleted_at IS NULL ORDER BY t12.id ASC 
 LIMIT 1) AS page13) AS rows14), 'UTF8') AS r3, convert_to('{"pageInfo":{"hasNextPage":' || coalesce(CAST(false AS TEXT), 'null') || ',"hasPreviousPage":' || coalesce(CAST(false AS TEXT), 'null') || '}}', 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"ordersConnection":' || ((SELECT '{"totalCount":' || coalesce(CAST((SELECT count(*) AS count_3 
FROM orders AS t20 
WHERE t20.customer_id = page16.id AND t20.deleted_at IS NULL) AS TEXT), 'null') || ',"nodes":[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(rows19.id AS TEXT)) || '"', 'null') || '}', ',') FILTER (WHERE rows19.clew_row <= 1), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 1 AS TEXT), 'null') || '}}')) AS clew_json 
FROM (SELECT page18.id AS id, page18.clew_key0 AS clew_key0, row_number() OVER () AS clew_row 
FROM (SELECT t17.id AS id, t17.id AS clew_key0 
FROM orders AS t17 
WHERE t17.customer_id = page16.id AND t17.deleted_at IS NULL ORDER BY t17.id ASC 
 LIMIT 2) AS page18) AS rows19) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t15.id AS id 
FROM people AS t15 ORDER BY t15.given_name ASC, t15.id ASC) AS page16), 'UTF8') AS r5
