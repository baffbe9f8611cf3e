SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page2.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.given_name AS given_name 
FROM people AS t0 
WHERE EXISTS (SELECT 1 
FROM orders AS t1 
WHERE t1.customer_id = t0.id AND t1.deleted_at IS NULL AND t1.total > $1::NUMERIC) ORDER BY t0.id ASC) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page5.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t3.given_name AS given_name 
FROM people AS t3 
WHERE (NOT (EXISTS (SELECT 1 
FROM orders AS t4 
WHERE t4.customer_id = t3.id AND t4.deleted_at IS NULL AND t4.paid = true))) ORDER BY t3.id ASC) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page8.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.given_name AS given_name 
FROM people AS t6 
WHERE (NOT (EXISTS (SELECT 1 
FROM orders AS t7 
WHERE t7.customer_id = t6.id AND t7.deleted_at IS NULL AND (t7.weight > $2::FLOAT) IS NOT true))) ORDER BY t6.id ASC) AS page8), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page11.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t9.given_name AS given_name 
FROM people AS t9 
WHERE EXISTS (SELECT 1 
FROM orders AS t10 
WHERE t10.customer_id = t9.id AND t10.deleted_at IS NULL) ORDER BY t9.id ASC) AS page11), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page17.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t12.given_name AS given_name 
FROM people AS t12 
WHERE (EXISTS (SELECT 1 
FROM skills AS t13 
WHERE t13.id IN (SELECT t14.skill_id 
FROM person_skills AS t14 
WHERE t14.person_id = t12.id) AND t13.id = $3::TEXT)) AND (NOT (EXISTS (SELECT 1 
FROM skills AS t15 
WHERE t15.id IN (SELECT t16.skill_id 
FROM person_skills AS t16 
WHERE t16.person_id = t12.id) AND t15.id = $4::TEXT))) ORDER BY t12.id ASC) AS page17), 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page24.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t18.name AS name 
FROM companies AS t18 
WHERE EXISTS (SELECT 1 
FROM people AS t19 
WHERE t19.company_id = t18.id AND (EXISTS (SELECT 1 
FROM orders AS t20 
WHERE t20.customer_id = t19.id AND t20.deleted_at IS NULL AND (EXISTS (SELECT 1 
FROM order_lines AS t21 JOIN LATERAL (SELECT 1 AS clew_found 
FROM products AS t22 
WHERE t22.id = t21.product_id AND t22.slug = $5::TEXT) AS f23 ON true 
WHERE t21.order_id = t20.id AND t21.deleted_at IS NULL))))) ORDER BY t18.id ASC) AS page24), 'UTF8') AS r5, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page31.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t25.given_name AS given_name 
FROM people AS t25 
WHERE (NOT (NOT (EXISTS (SELECT 1 
FROM skills AS t26 
WHERE t26.id IN (SELECT t27.skill_id 
FROM person_skills AS t27 
WHERE t27.person_id = t25.id) AND (EXISTS (SELECT 1 
FROM people AS t28 
WHERE t28.id IN (SELECT t29.person_id 
FROM person_skills AS t29 
WHERE t29.skill_id = t26.id) AND (EXISTS (SELECT 1 
FROM badges AS t30 
WHERE t30.person_id = t28.id AND t30.color = $6::TEXT)))) IS NOT true)))) ORDER BY t25.id ASC) AS page31), 'UTF8') AS r6, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page34.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t32.id AS id 
FROM orders AS t32 
WHERE t32.deleted_at IS NULL AND (NOT (EXISTS (SELECT 1 
FROM order_lines AS t33 
WHERE t33.order_id = t32.id AND t33.deleted_at IS NULL AND (t33.quantity > $7::INTEGER) IS NOT true))) ORDER BY t32.id ASC) AS page34), 'UTF8') AS r7
