SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page1.name) AS TEXT), 'null') || ',"parent":' || (CASE WHEN j3.id IS NOT NULL THEN '{"name":' || coalesce(CAST(to_json(j3.name) AS TEXT), 'null') || ',"parent":' || (CASE WHEN j5.id IS NOT NULL THEN '{"name":' || coalesce(CAST(to_json(j5.name) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}') ELSE 'null'::text END || ',"children":') || ((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page7.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.name AS name 
FROM companies AS t6 
WHERE t6.parent_id = page1.id ORDER BY t6.id ASC) AS page7) || ',"people":' || ((SELECT '[' || (coalesce(string_agg('{"email":' || coalesce(CAST(to_json(page9.email) AS TEXT), 'null') || ',"badge":' || (CASE WHEN j11.person_id IS NOT NULL THEN '{"color":' || coalesce(CAST(to_json(j11.color) AS TEXT), 'null') || ',"person":' || (CASE WHEN j13.id IS NOT NULL THEN '{"givenName":' || coalesce(CAST(to_json(j13.given_name) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}') ELSE 'null'::text END || ',"skills":') || ((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(CAST(to_json(page16.id) AS TEXT), 'null') || ',"people":' || ((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page19.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t17.given_name AS given_name 
FROM people AS t17 
WHERE t17.id IN (SELECT t18.person_id 
FROM person_skills AS t18 
WHERE t18.skill_id = page16.id) ORDER BY t17.id ASC) AS page19) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t14.id AS id 
FROM skills AS t14 
WHERE t14.id IN (SELECT t15.skill_id 
FROM person_skills AS t15 
WHERE t15.person_id = page9.id) ORDER BY t14.id ASC) AS page16) || ',"orders":' || ((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page21.id AS TEXT)) || '"', 'null') || ',"lines":' || ((SELECT '[' || (coalesce(string_agg('{"number":' || coalesce(CAST(page23.number AS TEXT), 'null') || ',"product":' || (CASE WHEN j25.id IS NOT NULL THEN '{"slug":' || coalesce(CAST(to_json(j25.slug) AS TEXT), 'null') || ',"successor":' || (CASE WHEN j27.id IS NOT NULL THEN '{"slug":' || coalesce(CAST(to_json(j27.slug) AS TEXT), 'null') || '}' ELSE 'null'::text END || '}') ELSE 'null'::text END || '}'), ',' ORDER BY page23.clew_key0 ASC, page23.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t22.number AS number, t22.product_id AS product_id, t22.order_id AS clew_key0, t22.number AS clew_key1 
FROM order_lines AS t22 
WHERE t22.order_id = page21.id AND t22.deleted_at IS NULL) AS page23 LEFT OUTER JOIN LATERAL (SELECT t24.id AS id, t24.slug AS slug, t24.successor_id AS successor_id 
FROM products AS t24 
WHERE t24.id = page23.product_id) AS j25 ON true LEFT OUTER JOIN LATERAL (SELECT t26.id AS id, t26.slug AS slug 
FROM products AS t26 
WHERE t26.id = j25.successor_id) AS j27 ON true) || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t20.id AS id 
FROM orders AS t20 
WHERE t20.customer_id = page9.id AND t20.deleted_at IS NULL ORDER BY t20.id ASC) AS page21) || '}')), ',' ORDER BY page9.clew_key0 DESC, page9.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t8.email AS email, t8.id AS id, t8.email AS clew_key0, t8.id AS clew_key1 
FROM people AS t8 
WHERE t8.company_id = page1.id) AS page9 LEFT OUTER JOIN LATERAL (SELECT t10.person_id AS person_id, t10.color AS color 
FROM badges AS t10 
WHERE t10.person_id = page9.id) AS j11 ON true LEFT OUTER JOIN LATERAL (SELECT t12.id AS id, t12.given_name AS given_name 
FROM people AS t12 
WHERE t12.id = j11.person_id) AS j13 ON true) || '}')), ',' ORDER BY page1.clew_key0 DESC, page1.clew_key1 ASC), '') || ']') AS clew_json 
FROM (SELECT t0.name AS name, t0.parent_id AS parent_id, t0.id AS id, t0.name AS clew_key0, t0.id AS clew_key1 
FROM companies AS t0) AS page1 LEFT OUTER JOIN LATERAL (SELECT t2.id AS id, t2.name AS name, t2.parent_id AS parent_id 
FROM companies AS t2 
WHERE t2.id = page1.parent_id) AS j3 ON true LEFT OUTER JOIN LATERAL (SELECT t4.id AS id, t4.name AS name 
FROM companies AS t4 
WHERE t4.id = j3.parent_id) AS j5 ON true), 'UTF8') AS r0
