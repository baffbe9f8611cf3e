SELECT convert_to((SELECT concat('[', string_agg('{"name":' || coalesce(CAST(to_json(page1.name) AS TEXT), 'null') || '}', ','), ']') AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 ORDER BY t0.id ASC 
 LIMIT 1) AS page1), 'UTF8') AS r0, convert_to((SELECT concat('[', string_agg(concat('{"familyName":' || coalesce(CAST(to_json(page3.family_name) AS TEXT), 'null') || ',"company":', CASE WHEN j5.id IS NOT NULL THEN concat('{"founded":' || coalesce(CAST(to_json(j5.founded) AS TEXT), 'null') || ',"name":' || coalesce(CAST(to_json(j5.name) AS TEXT), 'null') || ',"people":', (SELECT concat('[', string_agg('{"id":' || coalesce(('"' || CAST(page7.id AS TEXT)) || '"', 'null') || '}', ','), ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM people AS t6 
WHERE t6.company_id = j5.id ORDER BY t6.id ASC 
 LIMIT 1) AS page7), ',"id":' || coalesce(('"' || CAST(j5.id AS TEXT)) || '"', 'null') || '}') ELSE 'null'::text END, ',"givenName":' || coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null') || ',"id":' || coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null') || ',"name":' || coalesce(CAST(to_json(page3.given_name) AS TEXT), 'null') || ',"wakesAt":' || coalesce(CAST(to_json(page3.wakes_at) AS TEXT), 'null') || ',"kind":"Person"}'), ',' ORDER BY page3.clew_key0 ASC), ']') AS clew_json 
FROM (SELECT t2.family_name AS family_name, t2.company_id AS company_id, t2.given_name AS given_name, t2.id AS id, t2.wakes_at AS wakes_at, t2.id AS clew_key0 
FROM people AS t2 ORDER BY t2.id ASC 
 LIMIT 1) AS page3 LEFT OUTER JOIN LATERAL (SELECT t4.id AS id, t4.founded AS founded, t4.name AS name 
FROM companies AS t4 
WHERE t4.id = page3.company_id) AS j5 ON true), 'UTF8') AS r1
