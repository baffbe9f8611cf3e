SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('id', CAST(page1.id AS TEXT), 'deletedAt', page1.deleted_at)), '[]'::json) AS clew_json 
FROM (SELECT t0.id AS id, t0.deleted_at AS deleted_at 
FROM orders AS t0 ORDER BY t0.id ASC) AS page1) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT coalesce(json_agg(json_build_object('id', CAST(page3.id AS TEXT), 'lines', (SELECT coalesce(json_agg(json_build_object('number', page5.number)), '[]'::json) AS clew_json 
FROM (SELECT t4.number AS number 
FROM order_lines AS t4 
WHERE t4.order_id = page3.id AND t4.deleted_at IS NULL ORDER BY t4.order_id ASC, t4.number ASC) AS page5))), '[]'::json) AS clew_json 
FROM (SELECT t2.id AS id 
FROM orders AS t2 
WHERE t2.deleted_at IS NOT NULL ORDER BY t2.id ASC) AS page3) AS TEXT), 'UTF8') AS r1, convert_to(CAST((SELECT json_build_object('count', count(*)) AS clew_json 
FROM orders AS t6 
WHERE t6.deleted_at IS NOT NULL) AS TEXT), 'UTF8') AS r2, convert_to(CAST((SELECT coalesce(json_agg(json_build_object('key', json_build_object('status', page9.key0), 'count', page9.measure0)), '[]'::json) AS clew_json 
FROM (SELECT rows8.key0 AS key0, count(*) AS measure0 
FROM (SELECT t7.status AS key0 
FROM orders AS t7) AS rows8 GROUP BY rows8.key0 ORDER BY rows8.key0) AS page9) AS TEXT), 'UTF8') AS r3, convert_to(CAST((SELECT json_build_object('lines', (SELECT coalesce(json_agg(json_build_object('number', page12.number)), '[]'::json) AS clew_json 
FROM (SELECT t11.number AS number 
FROM order_lines AS t11 
WHERE t11.order_id = t10.id ORDER BY t11.order_id ASC, t11.number ASC) AS page12), 'linesAggregate', (SELECT json_build_object('count', count(*)) AS clew_json 
FROM order_lines AS t13 
WHERE t13.order_id = t10.id AND t13.deleted_at IS NOT NULL)) AS clew_json 
FROM orders AS t10 
WHERE t10.deleted_at IS NULL AND t10.id = $1::BIGINT) AS TEXT), 'UTF8') AS r4
