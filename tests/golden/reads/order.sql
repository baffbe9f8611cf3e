SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 ORDER BY t0.born DESC NULLS LAST, t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t2.given_name AS given_name 
FROM people AS t2 ORDER BY t2.family_name DESC, t2.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page6.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.given_name AS given_name 
FROM people AS t4 ORDER BY (SELECT t5.name 
FROM companies AS t5 
WHERE t5.id = t4.company_id) ASC NULLS FIRST, t4.given_name DESC, t4.id ASC) AS page6), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page10.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t7.id AS id 
FROM orders AS t7 
WHERE t7.deleted_at IS NULL ORDER BY (SELECT (SELECT t9.name 
FROM companies AS t9 
WHERE t9.id = t8.company_id) AS anon_1 
FROM people AS t8 
WHERE t8.id = t7.customer_id) DESC, t7.total ASC, t7.id ASC) AS page10), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page12.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t11.given_name AS given_name 
FROM people AS t11 ORDER BY (given_name || coalesce(' ' || family_name, '')) DESC, t11.id ASC) AS page12), 'UTF8') AS r4
