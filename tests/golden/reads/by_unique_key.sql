SELECT convert_to((SELECT format('{"givenName":%s}', coalesce(CAST(to_json(t0.given_name) AS TEXT), 'null')) AS clew_json 
FROM people AS t0 
WHERE t0.email = $1::TEXT), 'UTF8') AS r0, convert_to((SELECT format('{"price":%s,"maker":%s}', coalesce(('"' || CAST(t1.price AS TEXT)) || '"', 'null'), coalesce((SELECT format('{"name":%s}', coalesce(CAST(to_json(t2.name) AS TEXT), 'null')) AS clew_json 
FROM companies AS t2 
WHERE t2.id = t1.maker_id), 'null')) AS clew_json 
FROM products AS t1 
WHERE t1.maker_id = $2::UUID AND t1.slug = $3::TEXT), 'UTF8') AS r1, convert_to((SELECT format('{"color":%s}', coalesce(CAST(to_json(t3.color) AS TEXT), 'null')) AS clew_json 
FROM badges AS t3 
WHERE t3.person_id = $4::UUID), 'UTF8') AS r2
