SELECT convert_to((SELECT '[' || (coalesce(string_agg(format('{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaOne":%s,"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaTwo":%s,"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaThree":%s}', coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null'), coalesce(CAST(to_json(page1.email) AS TEXT), 'null'), coalesce((SELECT format('{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaOne":%s,"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaTwo":%s}', coalesce(CAST(to_json(t2.name) AS TEXT), 'null'), coalesce(CAST(to_json(t2.name) AS TEXT), 'null')) AS clew_json 
FROM companies AS t2 
WHERE t2.id = page1.company_id), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.email AS email, t0.company_id AS company_id 
FROM people AS t0 ORDER BY t0.email ASC, t0.id ASC 
 LIMIT 2) AS page1), 'UTF8') AS r0
