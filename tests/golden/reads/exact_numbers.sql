SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page1.id AS TEXT)) || '"', 'null') || ',"total":' || coalesce(('"' || CAST(page1.total AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id, t0.total AS total 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.total = $1::NUMERIC ORDER BY t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t2.id AS id 
FROM orders AS t2 
WHERE t2.deleted_at IS NULL AND t2.total < $2::NUMERIC AND t2.total >= $3::NUMERIC ORDER BY t2.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page5.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.id AS id 
FROM orders AS t4 
WHERE t4.deleted_at IS NULL AND t4.total = $4::NUMERIC ORDER BY t4.id ASC) AS page5), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page7.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND t6.id = $5::BIGINT ORDER BY t6.id ASC) AS page7), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page9.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t8.id AS id 
FROM orders AS t8 
WHERE t8.deleted_at IS NULL AND t8.id = $6::BIGINT ORDER BY t8.id ASC) AS page9), 'UTF8') AS r4
