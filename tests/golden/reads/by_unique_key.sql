SELECT convert_to(CAST((SELECT json_build_object('givenName', t0.given_name) AS clew_json 
FROM people AS t0 
WHERE t0.email = $1::TEXT) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT json_build_object('price', CAST(t1.price AS TEXT), 'maker', j3.clew_json) AS clew_json 
FROM products AS t1 LEFT OUTER JOIN LATERAL (SELECT json_build_object('name', t2.name) AS clew_json 
FROM companies AS t2 
WHERE t2.id = t1.maker_id) AS j3 ON true 
WHERE t1.maker_id = $2::UUID AND t1.slug = $3::TEXT) AS TEXT), 'UTF8') AS r1, convert_to(CAST((SELECT json_build_object('color', t4.color) AS clew_json 
FROM badges AS t4 
WHERE t4.person_id = $4::UUID) AS TEXT), 'UTF8') AS r2
