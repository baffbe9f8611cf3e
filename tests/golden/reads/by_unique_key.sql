SELECT convert_to((SELECT '{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || '}' AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 
WHERE t0.email = $1::TEXT) AS page1), 'UTF8') AS r0, convert_to((SELECT concat('{"price":' || coalesce(('"' || CAST(page3.price AS TEXT)) || '"', 'null') || ',"maker":', CASE WHEN j5.id IS NOT NULL THEN '{"name":' || coalesce(CAST(to_json(j5.name) AS TEXT), 'null') || '}' ELSE 'null'::text END, '}') AS clew_json 
FROM (SELECT t2.price AS price, t2.maker_id AS maker_id 
FROM products AS t2 
WHERE t2.maker_id = $2::UUID AND t2.slug = $3::TEXT) AS page3 LEFT OUTER JOIN LATERAL (SELECT t4.id AS id, t4.name AS name 
FROM companies AS t4 
WHERE t4.id = page3.maker_id) AS j5 ON true), 'UTF8') AS r1, convert_to((SELECT '{"color":' || coalesce(CAST(to_json(page7.color) AS TEXT), 'null') || '}' AS clew_json 
FROM (SELECT t6.color AS color 
FROM badges AS t6 
WHERE t6.person_id = $4::UUID) AS page7), 'UTF8') AS r2
