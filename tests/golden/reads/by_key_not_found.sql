SELECT convert_to((SELECT format('{"id":%s}', coalesce(('"' || CAST(t0.id AS TEXT)) || '"', 'null')) AS clew_json 
FROM people AS t0 
WHERE t0.id = $1::UUID), 'UTF8') AS r0, convert_to((SELECT format('{"name":%s}', coalesce(CAST(to_json(t1.name) AS TEXT), 'null')) AS clew_json 
FROM companies AS t1 
WHERE t1.id = $2::UUID), 'UTF8') AS r1
