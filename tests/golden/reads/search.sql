SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page1.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t0.name AS name 
FROM companies AS t0 
WHERE t0.search_vector @@ websearch_to_tsquery('simple'::regconfig, $1::TEXT) ORDER BY t0.name ASC, t0.id ASC) AS page1), 'UTF8') AS r0, convert_to((SELECT '{"count":' || coalesce(CAST(count(*) AS TEXT), 'null') || '}' AS clew_json 
FROM companies AS t2 
WHERE t2.search_vector @@ websearch_to_tsquery('simple'::regconfig, $2::TEXT)), 'UTF8') AS r1, convert_to('{"totalCount":' || coalesce(CAST((SELECT count(*) AS count_1 
FROM companies AS t3 
WHERE t3.founded IS NOT NULL AND (t3.search_vector @@ websearch_to_tsquery('simple'::regconfig, $3::TEXT))) AS TEXT), 'null') || '}', 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"name":' || coalesce(CAST(to_json(page5.name) AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT t4.name AS name 
FROM companies AS t4 ORDER BY t4.id ASC) AS page5), 'UTF8') AS r3
