SELECT convert_to((SELECT '[' || (coalesce(string_agg(format('{"name":%s}', coalesce(CAST(to_json(page1.name) AS TEXT), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1), 'UTF8') AS r0
