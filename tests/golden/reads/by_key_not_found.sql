SELECT convert_to((SELECT '{"id":' || coalesce(('"' || CAST(page1.id AS TEXT)) || '"', 'null') || '}' AS clew_json 
FROM (SELECT t0.id AS id 
FROM people AS t0 
WHERE t0.id = $1::UUID) AS page1), 'UTF8') AS r0, convert_to((SELECT '{"name":' || coalesce(CAST(to_json(page3.name) AS TEXT), 'null') || '}' AS clew_json 
FROM (SELECT t2.name AS name 
FROM companies AS t2 
WHERE t2.id = $2::UUID) AS page3), 'UTF8') AS r1
