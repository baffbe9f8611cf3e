SELECT convert_to((SELECT format('{"linesConnection":%s}', (SELECT '{"edges":[' || (coalesce(string_agg('{"cursor":' || coalesce(('"' || (($1::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows3.clew_key0 AS TEXT), CAST(rows3.clew_key1 AS TEXT)) AS TEXT), 'UTF8'), 'hex'))) || '"', 'null') || ',"node":{"number":' || coalesce(CAST(rows3.number AS TEXT), 'null') || '}}', ',') FILTER (WHERE rows3.clew_row <= 1), '') || ('],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 1 AS TEXT), 'null') || '}}')) AS clew_json 
FROM (SELECT page2.number AS number, page2.clew_key0 AS clew_key0, page2.clew_key1 AS clew_key1, row_number() OVER () AS clew_row 
FROM (SELECT t1.number AS number, t1.order_id AS clew_key0, t1.number AS clew_key1 
FROM order_lines AS t1 
WHERE t1.order_id = t0.id AND t1.deleted_at IS NULL ORDER BY t1.order_id ASC, t1.number ASC 
 LIMIT 2) AS page2) AS rows3)) AS clew_json 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.id = $2::BIGINT), 'UTF8') AS r0
