SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || ',"familyName":' || coalesce(CAST(to_json(page1.family_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.family_name AS family_name 
FROM people AS t0 
WHERE t0.given_name = any($1::TEXT[]) ORDER BY t0.id ASC) AS page1), 'UTF8') AS r0
