SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('givenName', page1.given_name, 'ordersAggregate', (SELECT json_build_object('count', count(*), 'sum', json_build_object('total', CAST(CAST(sum(t2.total) AS NUMERIC) AS TEXT))) AS clew_json 
FROM orders AS t2 
WHERE t2.customer_id = page1.id AND t2.deleted_at IS NULL), 'paid', (SELECT json_build_object('count', count(*), 'max', json_build_object('placedAt', max(t3.placed_at))) AS clew_json 
FROM orders AS t3 
WHERE t3.customer_id = page1.id AND t3.deleted_at IS NULL AND t3.paid = $1::BOOLEAN), 'skillsAggregate', (SELECT json_build_object('count', count(*), 'max', json_build_object('id', max(t4.id))) AS clew_json 
FROM skills AS t4 
WHERE t4.id IN (SELECT t5.skill_id 
FROM person_skills AS t5 
WHERE t5.person_id = page1.id)), 'company', j8.clew_json) ORDER BY page1.clew_key0 ASC, page1.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t0.given_name AS given_name, t0.id AS id, t0.company_id AS company_id, t0.given_name AS clew_key0, t0.id AS clew_key1 
FROM people AS t0 ORDER BY t0.given_name ASC, t0.id ASC) AS page1 LEFT OUTER JOIN LATERAL (SELECT json_build_object('peopleAggregate', (SELECT json_build_object('count', count(*)) AS clew_json 
FROM people AS t7 
WHERE t7.company_id = t6.id)) AS clew_json 
FROM companies AS t6 
WHERE t6.id = page1.company_id) AS j8 ON true) AS TEXT), 'UTF8') AS r0
