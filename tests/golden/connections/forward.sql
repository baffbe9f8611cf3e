SELECT convert_to(CAST((SELECT json_build_object('edges', coalesce(json_agg(json_build_object('cursor', ($1::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows3.clew_key0 AS TEXT), CAST(rows3.clew_key1 AS TEXT), CAST(rows3.clew_key2 AS TEXT)) AS TEXT), 'UTF8'), 'hex'), 'node', json_build_object('givenName', rows3.given_name)) ORDER BY rows3.clew_row) FILTER (WHERE rows3.clew_row <= 2), '[]'::json), 'pageInfo', json_build_object('hasNextPage', count(*) > 2, 'hasPreviousPage', false, 'startCursor', coalesce(json_agg(($2::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows3.clew_key0 AS TEXT), CAST(rows3.clew_key1 AS TEXT), CAST(rows3.clew_key2 AS TEXT)) AS TEXT), 'UTF8'), 'hex') ORDER BY rows3.clew_row) FILTER (WHERE rows3.clew_row <= 2), '[]'::json) -> 0, 'endCursor', coalesce(json_agg(($3::TEXT || ':0:') || encode(convert_to(CAST(json_build_array(CAST(rows3.clew_key0 AS TEXT), CAST(rows3.clew_key1 AS TEXT), CAST(rows3.clew_key2 AS TEXT)) AS TEXT), 'UTF8'), 'hex') ORDER BY rows3.clew_row DESC) FILTER (WHERE rows3.clew_row <= 2), '[]'::json) -> 0)) AS clew_json 
FROM (SELECT page2.given_name AS given_name, page2.clew_key0 AS clew_key0, page2.clew_key1 AS clew_key1, page2.clew_key2 AS clew_key2, row_number() OVER (ORDER BY page2.clew_key0 ASC NULLS FIRST, page2.clew_key1 DESC, page2.clew_key2 ASC) AS clew_row 
FROM (SELECT t0.given_name AS given_name, t0.born AS clew_key0, (SELECT t1.name 
FROM companies AS t1 
WHERE t1.id = t0.company_id) AS clew_key1, t0.id AS clew_key2 
FROM people AS t0 ORDER BY t0.born ASC NULLS FIRST, (SELECT t1.name 
FROM companies AS t1 
WHERE t1.id = t0.company_id) DESC, t0.id ASC 
 LIMIT 3) AS page2) AS rows3) AS TEXT), 'UTF8') AS r0
