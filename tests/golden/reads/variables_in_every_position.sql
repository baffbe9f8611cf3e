SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"givenName":' || coalesce(CAST(to_json(page2.given_name) AS TEXT), 'null') || ',"orders":' || (SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page4.id AS TEXT)) || '"', 'null') || ',"status":' || coalesce(CAST(to_json(page4.status) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t3.id AS id, t3.status AS status 
FROM orders AS t3 
WHERE t3.customer_id = page2.id AND t3.deleted_at IS NULL AND t3.status = any($1::TEXT[]) ORDER BY t3.id ASC) AS page4) || (',"open":' || ((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page6.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t5.id AS id 
FROM orders AS t5 
WHERE t5.customer_id = page2.id AND t5.deleted_at IS NULL AND t5.status = $2::TEXT ORDER BY t5.id ASC) AS page6) || '}')), ','), '') || ']') AS clew_json 
FROM (SELECT most1.given_name AS given_name, most1.id AS id 
FROM (SELECT t0.given_name AS given_name, t0.id AS id 
FROM people AS t0 
WHERE t0.company_id = $3::UUID AND (t0.given_name = any($4::TEXT[]) OR (t0.given_name ILIKE $5::TEXT) OR ((t0.family_name IS NULL) != $6::BOOLEAN)) ORDER BY t0.given_name DESC, t0.email ASC, t0.id ASC 
 LIMIT 10) AS most1 
 LIMIT $7::BIGINT) AS page2), 'UTF8') AS r0
