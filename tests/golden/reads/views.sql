SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"orders":' || coalesce(CAST(page1.orders AS TEXT), 'null') || ',"total":' || coalesce(('"' || CAST(page1.total AS TEXT)) || '"', 'null') || ',"person":' || (CASE WHEN j3.id IS NOT NULL THEN '{"givenName":' || coalesce(CAST(to_json(j3.given_name) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}'), ',' ORDER BY page1.clew_key0 DESC, page1.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t0.orders AS orders, t0.total AS total, t0.person_id AS person_id, t0.total AS clew_key0, t0.person_id AS clew_key1 
FROM person_totals AS t0) AS page1 LEFT OUTER JOIN LATERAL (SELECT t2.id AS id, t2.given_name AS given_name 
FROM people AS t2 
WHERE t2.id = page1.person_id) AS j3 ON true), 'UTF8') AS r0, convert_to((SELECT format('{"orders":%s}', coalesce(CAST(t4.orders AS TEXT), 'null')) AS clew_json 
FROM person_totals AS t4 
WHERE t4.person_id = $1::UUID 
 LIMIT 1), 'UTF8') AS r1
