SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaOne":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || ',"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaTwo":' || coalesce(CAST(to_json(page1.email) AS TEXT), 'null') || ',"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaThree":' || (CASE WHEN j3.id IS NOT NULL THEN '{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaOne":' || coalesce(CAST(to_json(j3.name) AS TEXT), 'null') || ',"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaTwo":' || coalesce(CAST(to_json(j3.name) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}'), ',' ORDER BY page1.clew_key0 ASC, page1.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.email AS email, t0.company_id AS company_id, t0.email AS clew_key0, t0.id AS clew_key1 
FROM people AS t0 ORDER BY t0.email ASC, t0.id ASC 
 LIMIT 2) AS page1 LEFT OUTER JOIN LATERAL (SELECT t2.id AS id, t2.name AS name 
FROM companies AS t2 
WHERE t2.id = page1.company_id) AS j3 ON true), 'UTF8') AS r0
