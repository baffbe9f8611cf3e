SELECT convert_to((SELECT '[' || (coalesce(string_agg('{"key":{"status":' || coalesce(CAST(to_json(page2.key0) AS TEXT), 'null') || '},"count":' || coalesce(CAST(page2.measure0 AS TEXT), 'null') || ',"sum":{"total":' || coalesce(('"' || CAST(page2.measure1 AS TEXT)) || '"', 'null') || '}}', ','), '') || ']') AS clew_json 
FROM (SELECT rows1.key0 AS key0, count(*) AS measure0, CAST(sum(rows1.value0) AS NUMERIC) AS measure1 
FROM (SELECT t0.status AS key0, t0.total AS value0 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL) AS rows1 GROUP BY rows1.key0 ORDER BY rows1.key0) AS page2), 'UTF8') AS r0, convert_to((SELECT '[' || (coalesce(string_agg('{"key":{"placedAt":' || coalesce(CAST(to_json(page5.key0) AS TEXT), 'null') || '},"count":' || coalesce(CAST(page5.measure0 AS TEXT), 'null') || '}', ','), '') || ']') AS clew_json 
FROM (SELECT rows4.key0 AS key0, count(*) AS measure0 
FROM (SELECT date_trunc('day', t3.placed_at, $1::TEXT) AS key0 
FROM orders AS t3 
WHERE t3.deleted_at IS NULL) AS rows4 GROUP BY rows4.key0 ORDER BY rows4.key0 DESC, rows4.key0 
 LIMIT 2) AS page5), 'UTF8') AS r1, convert_to((SELECT '[' || (coalesce(string_agg('{"key":{"paid":' || coalesce(CAST(page10.key1 AS TEXT), 'null') || ',"customer":{"company":{"name":' || coalesce(CAST(to_json(page10.key0) AS TEXT), 'null') || '},"__typename":"PersonGroupRowKey"}},"avg":{"total":' || coalesce(('"' || CAST(page10.measure2 AS TEXT)) || '"', 'null') || '}}', ','), '') || ']') AS clew_json 
FROM (SELECT rows9.key0 AS key0, rows9.key1 AS key1, CAST(sum(rows9.value0) AS NUMERIC) AS measure0, count(*) AS measure1, CAST(avg(rows9.value0) AS NUMERIC) AS measure2 
FROM (SELECT (SELECT (SELECT t8.name 
FROM companies AS t8 
WHERE t8.id = t7.company_id) AS anon_1 
FROM people AS t7 
WHERE t7.id = t6.customer_id) AS key0, t6.paid AS key1, t6.total AS value0 
FROM orders AS t6 
WHERE t6.deleted_at IS NULL AND t6.total > $2::NUMERIC) AS rows9 GROUP BY rows9.key0, rows9.key1 ORDER BY measure0 DESC, measure1 ASC, rows9.key0, rows9.key1) AS page10), 'UTF8') AS r2, convert_to((SELECT '[' || (coalesce(string_agg('{"key":{"born":' || coalesce(CAST(to_json(page13.key0) AS TEXT), 'null') || '},"count":' || coalesce(CAST(page13.measure0 AS TEXT), 'null') || ',"countDistinct":{"companyId":' || coalesce(CAST(page13.measure1 AS TEXT), 'null') || '}}', ','), '') || ']') AS clew_json 
FROM (SELECT rows12.key0 AS key0, count(*) AS measure0, count(DISTINCT rows12.value0) AS measure1 
FROM (SELECT CAST(date_trunc('year', CAST(t11.born AS TIMESTAMP WITHOUT TIME ZONE)) AS DATE) AS key0, t11.company_id AS value0 
FROM people AS t11) AS rows12 GROUP BY rows12.key0 ORDER BY rows12.key0) AS page13), 'UTF8') AS r3
