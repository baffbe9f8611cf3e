SELECT convert_to((SELECT '[' || (coalesce(string_agg(format('{"id":%s,"people":%s,"last":%s,"named":%s,"found":%s}', coalesce(CAST(to_json(page1.id) AS TEXT), 'null'), (SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT l4.given_name AS given_name 
FROM person_skills AS t2 JOIN LATERAL (SELECT t3.given_name AS given_name 
FROM people AS t3 
WHERE t3.id = t2.person_id
 LIMIT ALL OFFSET 0) AS l4 ON true 
WHERE t2.skill_id = page1.id ORDER BY t2.person_id ASC 
 LIMIT 2) AS page5), (SELECT '[' || (coalesce(string_agg(format('{"displayName":%s,"company":%s}', coalesce(CAST(to_json(CASE WHEN true THEN (given_name || coalesce(' ' || family_name, '')) END) AS TEXT), 'null'), coalesce((SELECT format('{"name":%s}', coalesce(CAST(to_json(t10.name) AS TEXT), 'null')) AS clew_json 
FROM companies AS t10 
WHERE t10.id = page9.company_id), 'null')), ','), '') || ']') AS clew_json 
FROM (SELECT l8.id AS id, l8.email AS email, l8.given_name AS given_name, l8.family_name AS family_name, l8.born AS born, l8.wakes_at AS wakes_at, l8.company_id AS company_id, l8.password AS password 
FROM person_skills AS t6 JOIN LATERAL (SELECT t7.id AS id, t7.email AS email, t7.given_name AS given_name, t7.family_name AS family_name, t7.born AS born, t7.wakes_at AS wakes_at, t7.company_id AS company_id, t7.password AS password 
FROM people AS t7 
WHERE t7.id = t6.person_id
 LIMIT ALL OFFSET 0) AS l8 ON true 
WHERE t6.skill_id = page1.id ORDER BY t6.person_id DESC 
 LIMIT 1 OFFSET 1) AS page9), (SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page13.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t11.given_name AS given_name 
FROM people AS t11 
WHERE t11.id IN (SELECT t12.person_id 
FROM person_skills AS t12 
WHERE t12.skill_id = page1.id) ORDER BY t11.given_name ASC, t11.id ASC 
 LIMIT 2) AS page13), (SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page16.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t14.given_name AS given_name 
FROM people AS t14 
WHERE t14.id IN (SELECT t15.person_id 
FROM person_skills AS t15 
WHERE t15.skill_id = page1.id) AND t14.family_name IS NOT NULL ORDER BY t14.id ASC 
 LIMIT 2) AS page16)), ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id 
FROM skills AS t0 ORDER BY t0.id ASC 
 LIMIT 3) AS page1), 'UTF8') AS r0
