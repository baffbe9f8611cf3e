SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('name', page1.name, 'parent', j5.clew_json, 'children', (SELECT coalesce(json_agg(json_build_object('name', page7.name)), '[]'::json) AS clew_json 
FROM (SELECT t6.name AS name 
FROM companies AS t6 
WHERE t6.parent_id = page1.id ORDER BY t6.id ASC) AS page7), 'people', (SELECT coalesce(json_agg(json_build_object('email', page9.email, 'badge', j13.clew_json, 'skills', (SELECT coalesce(json_agg(json_build_object('id', page16.id, 'people', (SELECT coalesce(json_agg(json_build_object('givenName', page19.given_name)), '[]'::json) AS clew_json 
FROM (SELECT t17.given_name AS given_name 
FROM people AS t17 
WHERE t17.id IN (SELECT t18.person_id 
FROM person_skills AS t18 
WHERE t18.skill_id = page16.id) ORDER BY t17.id ASC) AS page19))), '[]'::json) AS clew_json 
FROM (SELECT t14.id AS id 
FROM skills AS t14 
WHERE t14.id IN (SELECT t15.skill_id 
FROM person_skills AS t15 
WHERE t15.person_id = page9.id) ORDER BY t14.id ASC) AS page16), 'orders', (SELECT coalesce(json_agg(json_build_object('id', CAST(page21.id AS TEXT), 'lines', (SELECT coalesce(json_agg(json_build_object('number', page23.number, 'product', j27.clew_json) ORDER BY page23.clew_key0 ASC, page23.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t22.number AS number, t22.product_id AS product_id, t22.order_id AS clew_key0, t22.number AS clew_key1 
FROM order_lines AS t22 
WHERE t22.order_id = page21.id AND t22.deleted_at IS NULL ORDER BY t22.order_id ASC, t22.number ASC) AS page23 LEFT OUTER JOIN LATERAL (SELECT json_build_object('slug', t24.slug, 'successor', j26.clew_json) AS clew_json 
FROM products AS t24 LEFT OUTER JOIN LATERAL (SELECT json_build_object('slug', t25.slug) AS clew_json 
FROM products AS t25 
WHERE t25.id = t24.successor_id) AS j26 ON true 
WHERE t24.id = page23.product_id) AS j27 ON true))), '[]'::json) AS clew_json 
FROM (SELECT t20.id AS id 
FROM orders AS t20 
WHERE t20.customer_id = page9.id AND t20.deleted_at IS NULL ORDER BY t20.id ASC) AS page21)) ORDER BY page9.clew_key0 DESC, page9.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t8.email AS email, t8.id AS id, t8.email AS clew_key0, t8.id AS clew_key1 
FROM people AS t8 
WHERE t8.company_id = page1.id ORDER BY t8.email DESC, t8.id ASC) AS page9 LEFT OUTER JOIN LATERAL (SELECT json_build_object('color', t10.color, 'person', j12.clew_json) AS clew_json 
FROM badges AS t10 LEFT OUTER JOIN LATERAL (SELECT json_build_object('givenName', t11.given_name) AS clew_json 
FROM people AS t11 
WHERE t11.id = t10.person_id) AS j12 ON true 
WHERE t10.person_id = page9.id) AS j13 ON true)) ORDER BY page1.clew_key0 DESC, page1.clew_key1 ASC), '[]'::json) AS clew_json 
FROM (SELECT t0.name AS name, t0.parent_id AS parent_id, t0.id AS id, t0.name AS clew_key0, t0.id AS clew_key1 
FROM companies AS t0 ORDER BY t0.name DESC, t0.id ASC) AS page1 LEFT OUTER JOIN LATERAL (SELECT json_build_object('name', t2.name, 'parent', j4.clew_json) AS clew_json 
FROM companies AS t2 LEFT OUTER JOIN LATERAL (SELECT json_build_object('name', t3.name) AS clew_json 
FROM companies AS t3 
WHERE t3.id = t2.parent_id) AS j4 ON true 
WHERE t2.id = page1.parent_id) AS j5 ON true) AS TEXT), 'UTF8') AS r0
