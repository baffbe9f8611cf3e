SELECT convert_to((SELECT '[' || (coalesce(string_agg(concat('{"givenName":' || coalesce(CAST(to_json(page1.given_name) AS TEXT), 'null') || ',"ordersAggregate":', (SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || ',"sum":{"total":' || coalesce(('"' || CAST(CAST(sum(t2.total) AS NUMERIC) AS TEXT)) || '"', 'null') || '}}' AS clew_json 
FROM orders AS t2 
WHERE t2.customer_id = page1.id AND t2.deleted_at IS NULL), ',"paid":', (SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || ',"max":{"placedAt":' || coalesce(CAST(to_json(max(t3.placed_at)) AS TEXT), 'null') || '}}' AS clew_json 
FROM orders AS t3 
WHERE t3.customer_id = page1.id AND t3.deleted_at IS NULL AND t3.paid = true), ',"skillsAggregate":', (SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || ',"max":{"id":' || coalesce(CAST(to_json(max(t4.id)) AS TEXT), 'null') || '}}' AS clew_json 
FROM skills AS t4 
WHERE t4.id IN (SELECT t5.skill_id 
FROM person_skills AS t5 
WHERE t5.person_id = page1.id)), ',"company":', CASE WHEN j7.id IS NOT NULL THEN '{"peopleAggregate":' || ((SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || '}' AS clew_json 
FROM people AS t8 
WHERE t8.company_id = j7.id) || '}') ELSE 'null'::text END, '}'), ',' ORDER BY page1.clew_key0 ASC, page1.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.id AS id, t0.company_id AS company_id, t0.given_name AS clew_key0, t0.id AS clew_key1 
FROM people AS t0) AS page1 LEFT OUTER JOIN LATERAL (SELECT t6.id AS id 
FROM companies AS t6 
WHERE t6.id = page1.company_id) AS j7 ON true), 'UTF8') AS r0
