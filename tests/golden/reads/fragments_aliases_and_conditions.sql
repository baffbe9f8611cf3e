SELECT convert_to((SELECT '[' || (coalesce(string_agg(format('{"name":%s}', coalesce(CAST(to_json(page1.name) AS TEXT), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg(format('{"familyName":%s,"company":%s,"givenName":%s,"id":%s,"name":%s,"wakesAt":%s,"kind":"Person"}', coalesce(CAST(to_json(page3.family_name) AS TEXT), 'null'), coalesce((SELECT format('{"founded":%s,"name":%s,"people":%s,"id":%s}', coalesce(CAST(to_json(t4.founded) AS TEXT), 'null'), coalesce(CAST(to_json(t4.name) AS TEXT), 'null'), (SELECT '[' || (coalesce(string_agg(format('{"id":%s}', coalesce(('"' || CAST(page6.id AS TEXT)) || '"', 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t5.id AS id 
FROM people AS t5 
WHERE t5.company_id = t4.id ORDER BY t5.id ASC 
 LIMIT 1) AS page6), coalesce(('"' || CAST(t4.id AS TEXT)) || '"', 'null')) AS clew_json 
FROM companies AS t4 
WHERE t4.id = page3.company_id), 'null'), coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null'), coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null'), coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null'), coalesce(CAST(to_json(page3.wakes_at) AS TEXT), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t2.family_name AS family_name, t2.company_id AS company_id, t2.given_name AS given_name, t2.id AS id, t2.wakes_at AS wakes_at 
FROM people AS t2 ORDER BY t2.id ASC 
 LIMIT 1) AS page3), 'UTF8') AS r1
