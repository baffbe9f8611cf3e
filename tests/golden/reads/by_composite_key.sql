SELECT convert_to((SELECT concat('{"orderId":' || coalesce(('"' || CAST(page1.order_id AS TEXT)) || '"', 'null') || ',"number":' || coalesce(CAST(page1.number AS TEXT), 'null') || ',"quantity":' || coalesce(CAST(page1.quantity AS TEXT), 'null') || ',"product":', CASE WHEN j3.id IS NOT NULL THEN '{"slug":' || coalesce(CAST(to_json(j3.slug) AS TEXT), 'null') || ',"price":' || coalesce(('"' || CAST(j3.price AS TEXT)) || '"', 'null') || '}' ELSE 'null'::text END, '}') AS clew_json 
FROM (SELECT t0.order_id AS order_id, t0.number AS number, t0.quantity AS quantity, t0.product_id AS product_id 
FROM order_lines AS t0 
WHERE t0.deleted_at IS NULL AND t0.order_id = $1::BIGINT AND t0.number = $2::INTEGER) AS page1 LEFT OUTER JOIN LATERAL (SELECT t2.id AS id, t2.slug AS slug, t2.price AS price 
FROM products AS t2 
WHERE t2.id = page1.product_id) AS j3 ON true), 'UTF8') AS r0
