SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page5.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id 
FROM orders AS t0 JOIN LATERAL (SELECT 1 AS clew_found 
FROM people AS t1 JOIN LATERAL (SELECT 1 AS clew_found 
FROM companies AS t2 
WHERE t2.id = t1.company_id AND (t2.name LIKE $1::TEXT)) AS f3 ON true 
WHERE t1.id = t0.customer_id) AS f4 ON true 
WHERE t0.deleted_at IS NULL AND t0.status = any($2::TEXT[]) AND t0.total >= $3::NUMERIC ORDER BY t0.id ASC) AS page5), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page7.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND (t6.weight <= $4::FLOAT) ORDER BY t6.id ASC) AS page7), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page9.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t8.id AS id 
FROM orders AS t8 
WHERE t8.deleted_at IS NULL AND false ORDER BY t8.id ASC) AS page9), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page11.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t10.id AS id 
FROM orders AS t10 
WHERE t10.deleted_at IS NULL ORDER BY t10.id ASC) AS page11), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page14.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t12.id AS id 
FROM orders AS t12 
WHERE t12.deleted_at IS NULL AND (t12.paid = true OR (EXISTS (SELECT 1 
FROM people AS t13 
WHERE t13.id = t12.customer_id AND t13.family_name IS NULL)) OR t12.id = $5::BIGINT) ORDER BY t12.id ASC) AS page14), 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page16.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t15.name AS name 
FROM companies AS t15 
WHERE t15.name LIKE $6::TEXT ORDER BY t15.id ASC) AS page16), 'UTF8') AS r5, convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page18.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t17.name AS name 
FROM companies AS t17 
WHERE t17.name ILIKE $7::TEXT ORDER BY t17.id ASC) AS page18), 'UTF8') AS r6, convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page20.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t19.name AS name 
FROM companies AS t19 
WHERE t19.name LIKE $8::TEXT ORDER BY t19.id ASC) AS page20), 'UTF8') AS r7, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page23.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t21.given_name AS given_name 
FROM people AS t21 
WHERE (NOT (EXISTS (SELECT 1 
FROM companies AS t22 
WHERE t22.id = t21.company_id AND t22.name != $9::TEXT))) ORDER BY t21.id ASC) AS page23), 'UTF8') AS r8, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page25.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t24.given_name AS given_name 
FROM people AS t24 
WHERE t24.given_name LIKE $10::TEXT ORDER BY t24.id ASC) AS page25), 'UTF8') AS r9, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page27.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t26.given_name AS given_name 
FROM people AS t26 
WHERE (t26.born IS NULL) = $11::BOOLEAN ORDER BY t26.id ASC) AS page27), 'UTF8') AS r10, convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page29.given_name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t28.given_name AS given_name 
FROM people AS t28 
WHERE t28.born >= $12::TEXT::DATE AND t28.born < $13::TEXT::DATE AND t28.wakes_at <= $14::TEXT::TIME WITHOUT TIME ZONE ORDER BY t28.id ASC) AS page29), 'UTF8') AS r11, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page31.id AS TEXT)) || '"', 'null') || ',"notes":' || (coalesce(CAST(to_json(page31.notes) AS TEXT), 'null') || '}'), ','), '') || ']') AS clew_json 
FROM (SELECT t30.id AS id, t30.notes AS notes 
FROM orders AS t30 
WHERE t30.deleted_at IS NULL AND $15::TEXT = any(t30.notes) ORDER BY t30.id ASC) AS page31), 'UTF8') AS r12, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page33.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t32.id AS id 
FROM orders AS t32 
WHERE t32.deleted_at IS NULL AND (t32.notes @> $16::TEXT[]) ORDER BY t32.id ASC) AS page33), 'UTF8') AS r13, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page35.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t34.id AS id 
FROM orders AS t34 
WHERE t34.deleted_at IS NULL AND t34.notes = $17::TEXT[] ORDER BY t34.id ASC) AS page35), 'UTF8') AS r14, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page37.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t36.id AS id 
FROM orders AS t36 
WHERE t36.deleted_at IS NULL AND t36.seal = $18::BYTEA ORDER BY t36.id ASC) AS page37), 'UTF8') AS r15, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page39.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t38.id AS id 
FROM orders AS t38 
WHERE t38.deleted_at IS NULL AND t38.placed_at > $19::TEXT::TIMESTAMP WITH TIME ZONE ORDER BY t38.id ASC) AS page39), 'UTF8') AS r16, convert_to((SELECT '[' || (coalesce(string_agg('{"displayName":' || coalesce(CAST(to_json(CASE WHEN true THEN (given_name || coalesce(' ' || family_name, '')) END) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t40.id AS id, t40.email AS email, t40.given_name AS given_name, t40.family_name AS family_name, t40.born AS born, t40.wakes_at AS wakes_at, t40.company_id AS company_id, t40.password AS password 
FROM people AS t40 
WHERE (given_name || coalesce(' ' || family_name, '')) LIKE $20::TEXT ORDER BY t40.id ASC) AS page41), 'UTF8') AS r17
