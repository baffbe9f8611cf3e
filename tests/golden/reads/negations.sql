SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 
WHERE (NOT (t0.given_name = any($1::TEXT[]))) ORDER BY t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t2.given_name AS given_name 
FROM people AS t2 
WHERE t2.family_name = any($2::TEXT[]) ORDER BY t2.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.given_name AS given_name 
FROM people AS t4 
WHERE t4.family_name != all($3::TEXT[]) ORDER BY t4.id ASC) AS page5), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page7.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.given_name AS given_name 
FROM people AS t6 
WHERE false ORDER BY t6.id ASC) AS page7), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page9.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t8.given_name AS given_name 
FROM people AS t8 
WHERE true AND (true) ORDER BY t8.id ASC) AS page9), 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page11.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t10.given_name AS given_name 
FROM people AS t10 
WHERE t10.family_name = $4::TEXT OR (t10.family_name != $5::TEXT) ORDER BY t10.id ASC) AS page11), 'UTF8') AS r5, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page14.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t12.given_name AS given_name 
FROM people AS t12 
WHERE (NOT (EXISTS (SELECT 1 
FROM companies AS t13 
WHERE t13.id = t12.company_id))) ORDER BY t12.id ASC) AS page14), 'UTF8') AS r6, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page16.id AS TEXT)) || '"', 'null') || ',"notes":' || (coalesce(CAST(to_json(page16.notes) AS TEXT), 'null') || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t15.id AS id, t15.notes AS notes 
FROM orders AS t15 
WHERE t15.deleted_at IS NULL AND (NOT ($6::TEXT = any(t15.notes))) ORDER BY t15.id ASC) AS page16), 'UTF8') AS r7
