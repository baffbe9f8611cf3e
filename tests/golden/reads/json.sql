SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page1.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.id AS id 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL AND t0.data = $1::JSONB ORDER BY t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page3.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t2.id AS id 
FROM orders AS t2 
WHERE t2.deleted_at IS NULL AND t2.data != $2::JSONB ORDER BY t2.id ASC) AS page3), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page5.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.id AS id 
FROM orders AS t4 
WHERE t4.deleted_at IS NULL AND (t4.data @> $3::JSONB) ORDER BY t4.id ASC) AS page5), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page7.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t6.id AS id 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND (t6.data ? $4::TEXT) ORDER BY t6.id ASC) AS page7), 'UTF8') AS r3, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page9.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t8.id AS id 
FROM orders AS t8 
WHERE t8.deleted_at IS NULL AND CASE WHEN (jsonb_typeof(nullif(t8.data #> $5::TEXT[], 'null'::jsonb)) = jsonb_typeof($6::JSONB)) THEN nullif(t8.data #> $5::TEXT[], 'null'::jsonb) > $6::JSONB END AND nullif(t8.data #> $7::TEXT[], 'null'::jsonb) = any($8::JSONB[]) ORDER BY t8.id ASC) AS page9), 'UTF8') AS r4, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page11.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t10.id AS id 
FROM orders AS t10 
WHERE t10.deleted_at IS NULL AND (nullif(t10.data #> $9::TEXT[], 'null'::jsonb) @> $10::JSONB) AND CASE WHEN (jsonb_typeof(nullif(t10.data #> $11::TEXT[], 'null'::jsonb)) = 'string') THEN (nullif(t10.data #> $11::TEXT[], 'null'::jsonb) #>> '{}'::text[]) ILIKE $12::TEXT END ORDER BY t10.id ASC) AS page11), 'UTF8') AS r5, convert_to((SELECT '[' || (coalesce(string_agg('{"id":' || coalesce(('"' || CAST(page13.id AS TEXT)) || '"', 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t12.id AS id 
FROM orders AS t12 
WHERE t12.deleted_at IS NULL AND (nullif(t12.data #> $13::TEXT[], 'null'::jsonb) IS NULL) = true ORDER BY t12.id ASC) AS page13), 'UTF8') AS r6
