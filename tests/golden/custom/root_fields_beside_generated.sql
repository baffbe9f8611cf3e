SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('name', page1.name)), '[]'::json) AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1) AS TEXT), 'UTF8') AS r0
