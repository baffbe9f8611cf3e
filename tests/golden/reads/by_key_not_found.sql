SELECT convert_to(CAST((SELECT json_build_object('id', t0.id) AS clew_json 
FROM people AS t0 
WHERE t0.id = $1::UUID) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT json_build_object('name', t1.name) AS clew_json 
FROM companies AS t1 
WHERE t1.id = $2::UUID) AS TEXT), 'UTF8') AS r1
