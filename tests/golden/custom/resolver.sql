SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('givenName', page1.given_name, 'shout', json_build_object('givenName', page1.given_name, 'born', page1.born), 'company', j5.clew_json) ORDER BY page1.clew_key0 ASC, page1.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.born AS born, t0.company_id AS company_id, t0.given_name AS clew_key0, t0.id AS clew_key1 
FROM people AS t0 ORDER BY t0.given_name ASC, t0.id ASC) AS page1 LEFT OUTER JOIN LATERAL (SELECT json_build_object('people', (SELECT coalesce(json_agg(json_build_object('shout', json_build_object('givenName', page4.given_name, 'born', page4.born), 'loud', json_build_object('givenName', page4.given_name, 'born', page4.born))), '[]'::json) AS clew_json 
FROM (SELECT t3.given_name AS given_name, t3.born AS born 
FROM people AS t3 
WHERE t3.company_id = t2.id ORDER BY t3.id ASC) AS page4)) AS clew_json 
FROM companies AS t2 
WHERE t2.id = page1.company_id) AS j5 ON true) AS TEXT), 'UTF8') AS r0
