SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('name', page1.name)), '[]'::json) AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT coalesce(json_agg(json_build_object('familyName', page3.family_name, 'company', j7.clew_json, 'givenName', page3.given_name, 'id', page3.id, 'name', page3.given_name, 'wakesAt', page3.wakes_at, 'kind', 'Person'::text) ORDER BY page3.clew_key0 ASC), '[]'::json) AS clew_json 
FROM (SELECT t2.family_name AS family_name, t2.company_id AS company_id, t2.given_name AS given_name, t2.id AS id, t2.wakes_at AS wakes_at, t2.id AS clew_key0 
FROM people AS t2 ORDER BY t2.id ASC 
 LIMIT 1) AS page3 LEFT OUTER JOIN LATERAL (SELECT json_build_object('founded', t4.founded, 'name', t4.name, 'people', (SELECT coalesce(json_agg(json_build_object('id', page6.id)), '[]'::json) AS clew_json 
FROM (SELECT t5.id AS id 
FROM people AS t5 
WHERE t5.company_id = t4.id ORDER BY t5.id ASC 
 LIMIT 1) AS page6), 'id', t4.id) AS clew_json 
FROM companies AS t4 
WHERE t4.id = page3.company_id) AS j7 ON true) AS TEXT), 'UTF8') AS r1
