SELECT convert_to((SELECT '{"id":' || coalesce(('"' || CAST(t0.id AS TEXT)) || '"', 'null') || '}' AS clew_json 
FROM people AS t0 
WHERE t0.id = $1::UUID), 'UTF8') AS r0, convert_to((SELECT '{"name":' || coalesce(CAST(to_json(t1.name) AS TEXT), 'null') || '}' AS clew_json 
FROM companies AS t1 
WHERE t1.id = $2::UUID), 'UTF8') AS r1
