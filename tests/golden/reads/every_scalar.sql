SELECT convert_to(CAST((SELECT coalesce(json_agg(json_build_object('id', CAST(page1.id AS TEXT), 'customerId', page1.customer_id, 'status', page1.status, 'total', CAST(page1.total AS TEXT), 'weight', page1.weight, 'paid', page1.paid, 'notes', page1.notes, 'data', page1.data, 'seal', translate(encode(page1.seal, 'base64'), E'\n', ''), 'reference', page1.reference, 'placedAt', page1.placed_at, 'deletedAt', page1.deleted_at)), '[]'::json) AS clew_json 
FROM (SELECT t0.id AS id, t0.customer_id AS customer_id, t0.status AS status, t0.total AS total, t0.weight AS weight, t0.paid AS paid, t0.notes AS notes, t0.data AS data, t0.seal AS seal, t0.reference AS reference, t0.placed_at AS placed_at, t0.deleted_at AS deleted_at 
FROM orders AS t0 
WHERE t0.deleted_at IS NULL ORDER BY t0.id ASC) AS page1) AS TEXT), 'UTF8') AS r0, convert_to(CAST((SELECT coalesce(json_agg(json_build_object('id', page3.id, 'color', page3.color)), '[]'::json) AS clew_json 
FROM (SELECT t2.id AS id, t2.color AS color 
FROM badges AS t2 ORDER BY t2.id ASC) AS page3) AS TEXT), 'UTF8') AS r1, convert_to(CAST((SELECT coalesce(json_agg(json_build_object('founded', page5.founded)), '[]'::json) AS clew_json 
FROM (SELECT t4.founded AS founded 
FROM companies AS t4 ORDER BY t4.id ASC) AS page5) AS TEXT), 'UTF8') AS r2
