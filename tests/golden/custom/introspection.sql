SELECT convert_to((SELECT '[' || (coalesce(string_agg(format('{"id":%s}', coalesce(CAST(page1.id AS TEXT), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id 
FROM badges AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1), 'UTF8') AS r0
