SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page2.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 ORDER BY (SELECT count(*) AS count_1 
FROM orders AS t1 
WHERE t1.customer_id = t0.id AND t1.deleted_at IS NULL) DESC, t0.given_name ASC, t0.id ASC) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t3.given_name AS given_name 
FROM people AS t3 ORDER BY (SELECT CAST(sum(t4.total) AS NUMERIC) AS sum_1 
FROM orders AS t4 
WHERE t4.customer_id = t3.id AND t4.deleted_at IS NULL) DESC, t3.id ASC) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page9.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.given_name AS given_name 
FROM people AS t6 ORDER BY (SELECT (SELECT count(*) AS count_2 
FROM people AS t8 
WHERE t8.company_id = t7.id) AS anon_1 
FROM companies AS t7 
WHERE t7.id = t6.company_id) DESC NULLS LAST, t6.given_name DESC, t6.id ASC) AS page9), 'UTF8') AS r2
