SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page2.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT most1.given_name AS given_name 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 ORDER BY t0.id ASC 
 LIMIT 10) AS most1 
 LIMIT $1::BIGINT) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT most4.given_name AS given_name 
FROM (SELECT t3.given_name AS given_name 
FROM people AS t3 ORDER BY t3.id ASC 
 LIMIT 20) AS most4 
 LIMIT $2::BIGINT OFFSET 2) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg(format('{"givenName":%s}', coalesce(CAST(to_json(page7.given_name) AS TEXT), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t6.given_name AS given_name 
FROM people AS t6 ORDER BY t6.id ASC 
 LIMIT 0) AS page7), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page9.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t8.given_name AS given_name 
FROM people AS t8 ORDER BY t8.id ASC
 LIMIT ALL OFFSET 100) AS page9), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page11.given_name) AS TEXT), 'null') || ',"orders":' || ((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page14.id AS TEXT)) || '"', 'null') || ',"customer":' || (CASE WHEN j16.id IS NOT NULL THEN '{"email":' || coalesce(CAST(to_json(j16.email) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}'), ',' ORDER BY page14.clew_key0 ASC), '') || ']') AS clew_json 
FROM (SELECT most13.id AS id, most13.customer_id AS customer_id, most13.clew_key0 AS clew_key0 
FROM (SELECT t12.id AS id, t12.customer_id AS customer_id, t12.id AS clew_key0 
FROM orders AS t12 
WHERE t12.customer_id = page11.id AND t12.deleted_at IS NULL ORDER BY t12.id ASC 
 LIMIT 11) AS most13 
 LIMIT $3::BIGINT OFFSET $4::BIGINT) AS page14 LEFT OUTER JOIN LATERAL (SELECT t15.id AS id, t15.email AS email 
FROM people AS t15 
WHERE t15.id = page14.customer_id) AS j16 ON true) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t10.given_name AS given_name, t10.id AS id 
FROM people AS t10 ORDER BY t10.email DESC, t10.id ASC) AS page11), 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page18.given_name) AS TEXT), 'null') || ',"orders":' || ((SELECT '[' || (coalesce(string_agg(format('{"id":%s}', coalesce(('"' || CAST(page20.id AS TEXT)) || '"', 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t19.id AS id 
FROM orders AS t19 
WHERE t19.customer_id = page18.id AND t19.deleted_at IS NULL ORDER BY t19.id ASC 
 LIMIT 1 OFFSET 1) AS page20) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t17.given_name AS given_name, t17.id AS id 
FROM people AS t17 ORDER BY t17.id ASC) AS page18), 'UTF8') AS r5
