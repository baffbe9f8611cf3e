SELECT convert_to(CAST((SELECT json_build_object('orderId', CAST(t0.order_id AS TEXT), 'number', t0.number, 'quantity', t0.quantity, 'product', j2.clew_json) AS clew_json 
FROM order_lines AS t0 LEFT OUTER JOIN LATERAL (SELECT json_build_object('slug', t1.slug, 'price', CAST(t1.price AS TEXT)) AS clew_json 
FROM products AS t1 
WHERE t1.id = t0.product_id) AS j2 ON true 
WHERE t0.deleted_at IS NULL AND t0.order_id = $1::BIGINT AND t0.number = $2::INTEGER) AS TEXT), 'UTF8') AS r0
