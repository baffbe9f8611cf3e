SELECT convert_to((SELECT concat('{"linesConnection":', (SELECT concat('{"edges":[', string_agg('{"cursor":' || coalesce(('"' || (($1::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows4.clew_key0 AS TEXT), CAST(rows4.clew_key1 AS TEXT)) AS TEXT), 'UTF8'), 'hex'))) || '"', 'null') || ',"node":{"number":' || coalesce(CAST(rows4.number AS TEXT), 'null') || '}}', ',' ORDER BY rows4.clew_row) FILTER (WHERE rows4.clew_row <= 1), '],"pageInfo":{"hasNextPage":' || coalesce(CAST(count(*) > 1 AS TEXT), 'null') || '}}') AS clew_json 
FROM (SELECT page3.number AS number, page3.clew_key0 AS clew_key0, page3.clew_key1 AS clew_key1, row_number() OVER (ORDER BY page3.clew_key0 ASC, page3.clew_key1 ASC) AS clew_row 
FROM (SELECT t2.number AS number, t2.order_id AS clew_key0, t2.number AS clew_key1 
FROM order_lines AS t2 
WHERE t2.order_id = page1.id AND t2.deleted_at IS NULL ORDER BY t2.order_id ASC, t2.number ASC 
 LIMIT 2) AS page3) AS rows4), '}') AS clew_json 
FROM (SELECT t0.id AS id 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.id = $2::BIGINT) AS page1), 'UTF8') AS r0
