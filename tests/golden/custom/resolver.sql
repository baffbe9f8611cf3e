SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || ',"shout":{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || ',"born":' || coalesce(CAST(to_json(page1.born) AS TEXT), 'null') || '},"company":' || (CASE WHEN j3.id IS NOT NULL THEN '{"people":' || ((SELECT '[' || (coalesce(string_agg('{"shout":{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || ',"born":' || coalesce(CAST(to_json(page5.born) AS TEXT), 'null') || '},"loud":{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || ',"born":' || coalesce(CAST(to_json(page5.born) AS TEXT), 'null') || '}}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.given_name AS given_name, t4.born AS born 
FROM people AS t4 
WHERE t4.company_id = j3.id ORDER BY t4.id ASC) AS page5) || '}') ELSE 'null'::text END || '}'), ',' ORDER BY page1.clew_key0 ASC, page1.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.born AS born, t0.company_id AS company_id, t0.given_name AS clew_key0, t0.id AS clew_key1 
FROM people AS t0) AS page1 LEFT OUTER JOIN LATERAL (SELECT t2.id AS id 
FROM companies AS t2 
WHERE t2.id = page1.company_id) AS j3 ON true), 'UTF8') AS r0
