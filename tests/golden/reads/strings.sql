SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('givenName', page1.given_name, 'familyName', page1.family_name)), '[]'::json) AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.family_name AS family_name 
FROM people AS t0 
WHERE t0.given_name = any($1::TEXT[]) ORDER BY t0.id ASC) AS page1) AS TEXT), 'UTF8') AS r0
