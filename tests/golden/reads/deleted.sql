SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page1.id AS TEXT)) || '"', 'null') || ',"deletedAt":' || coalesce(CAST(to_json(page1.deleted_at) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id, t0.deleted_at AS deleted_at 
FROM orders AS t0 ORDER BY t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null') || ',"lines":' || ((SELECT '[' || (coalesce(string_agg('{"number":' || coalesce(CAST(page5.number AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.number AS number 
FROM order_lines AS t4 
WHERE t4.order_id = page3.id AND t4.deleted_at IS NULL ORDER BY t4.order_id ASC, t4.number ASC) AS page5) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t2.id AS id 
FROM orders AS t2 
WHERE t2.deleted_at IS NOT NULL ORDER BY t2.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || '}' AS clew_json 
FROM orders AS t6 
WHERE t6.deleted_at IS NOT NULL), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"key":{"status":' || coalesce(CAST(to_json(page9.key0) AS TEXT), 'null') || '},"count":' || coalesce(CAST(page9.measure0 AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT rows8.key0 AS key0, count(*) AS measure0 
FROM (SELECT t7.status AS key0 
FROM orders AS t7) AS rows8 GROUP BY rows8.key0 ORDER BY rows8.key0) AS page9), 'UTF8') AS r3, convert_to((SELECT format('{"lines":%s,"linesAggregate":%s}', (SELECT '[' || (coalesce(string_agg('{"number":' || coalesce(CAST(page12.number AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t11.number AS number 
FROM order_lines AS t11 
WHERE t11.order_id = t10.id ORDER BY t11.order_id ASC, t11.number ASC) AS page12), (SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || '}' AS clew_json 
FROM order_lines AS t13 
WHERE t13.order_id = t10.id AND t13.deleted_at IS NOT NULL)) AS clew_json 
FROM orders AS t10 
WHERE t10.deleted_at IS NULL AND t10.id = $1::BIGINT), 'UTF8') AS r4
