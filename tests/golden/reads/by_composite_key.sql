SELECT convert_to((SELECT format('{"orderId":%s,"number":%s,"quantity":%s,"product":%s}', coalesce(('"' || CAST(t0.order_id AS TEXT)) || '"', 'null'), coalesce(CAST(t0.number AS TEXT), 'null'), coalesce(CAST(t0.quantity AS TEXT), 'null'), coalesce((SELECT format('{"slug":%s,"price":%s}', coalesce(CAST(to_json(t1.slug) AS TEXT), 'null'), coalesce(('"' || CAST(t1.price AS TEXT)) || '"', 'null')) AS clew_json 
FROM products AS t1 
WHERE t1.id = t0.product_id), 'null')) AS clew_json 
FROM order_lines AS t0 
WHERE t0.deleted_at IS NULL AND t0.order_id = $1::BIGINT AND t0.number = $2::INTEGER), 'UTF8') AS r0
