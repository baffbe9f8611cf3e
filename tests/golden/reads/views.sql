SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('orders', page1.orders, 'total', CAST(page1.total AS TEXT), 'person', j3.clew_json) ORDER BY page1.clew_key0 DESC, page1.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t0.orders AS orders, t0.total AS total, t0.person_id AS person_id, t0.total AS clew_key0, t0.person_id AS clew_key1 
FROM person_totals AS t0 ORDER BY t0.total DESC, t0.person_id ASC) AS page1 LEFT OUTER JOIN LATERAL (SELECT json_build_object('givenName', t2.given_name) AS clew_json 
FROM people AS t2 
WHERE t2.id = page1.person_id) AS j3 ON true) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT json_build_object('orders', t4.orders) AS clew_json 
FROM person_totals AS t4 
WHERE t4.person_id = $1::UUID 
 LIMIT 1) AS TEXT), 'UTF8') AS r1
