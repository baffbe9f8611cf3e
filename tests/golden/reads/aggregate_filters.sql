SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page2.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 
WHERE (SELECT count(*) >= $1::BIGINT AS anon_1 
FROM orders AS t1 
WHERE t1.customer_id = t0.id AND t1.deleted_at IS NULL) ORDER BY t0.id ASC) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t3.given_name AS given_name 
FROM people AS t3 
WHERE (SELECT CAST(sum(t4.total) AS NUMERIC) > $2::NUMERIC AS anon_2 
FROM orders AS t4 
WHERE t4.customer_id = t3.id AND t4.deleted_at IS NULL AND t4.paid = false) ORDER BY t3.id ASC) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page9.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.given_name AS given_name 
FROM people AS t6 
WHERE (SELECT count(*) = $3::BIGINT AS anon_3 
FROM skills AS t7 
WHERE t7.id IN (SELECT t8.skill_id 
FROM person_skills AS t8 
WHERE t8.person_id = t6.id)) ORDER BY t6.id ASC) AS page9), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page12.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t10.given_name AS given_name 
FROM people AS t10 
WHERE (NOT (SELECT max(t11.total) > $4::NUMERIC AS anon_4 
FROM orders AS t11 
WHERE t11.customer_id = t10.id AND t11.deleted_at IS NULL)) ORDER BY t10.id ASC) AS page12), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page14.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t13.given_name AS given_name 
FROM people AS t13 ORDER BY t13.id ASC) AS page14), 'UTF8') AS r4
