INSERT INTO companies (id, name, founded, parent_id) VALUES
  ('00000000-0000-7000-8000-000000000001', 'Northwind', '1998-04-01', NULL),
  ('00000000-0000-7000-8000-000000000002', 'Northwind Rail', '2004-09-30', '00000000-0000-7000-8000-000000000001'),
  ('00000000-0000-7000-8000-000000000003', '100% Quiet_Sea', NULL, '00000000-0000-7000-8000-000000000002');
INSERT INTO people (id, email, given_name, family_name, born, wakes_at, company_id, password) VALUES
  ('00000000-0000-7000-8000-000000000011', 'ada@example.com', 'Ada', 'Holm', '1990-02-28', '06:30', '00000000-0000-7000-8000-000000000001', 'x'),
  ('00000000-0000-7000-8000-000000000012', 'bo@example.com', 'Bo', NULL, NULL, NULL, '00000000-0000-7000-8000-000000000001', NULL),
  ('00000000-0000-7000-8000-000000000013', 'çelik@example.com', 'Çelik "Quote" \ Back', 'O''Hara', '2000-12-31', '23:59:59.5', '00000000-0000-7000-8000-000000000002', NULL),
  ('00000000-0000-7000-8000-000000000014', 'dee@example.com', 'Dee', '😀', NULL, NULL, NULL, NULL);
INSERT INTO badges (id, person_id, color) VALUES
  (1, '00000000-0000-7000-8000-000000000011', 'red'),
  (2, '00000000-0000-7000-8000-000000000013', 'blue');
INSERT INTO skills (id) VALUES ('sql'), ('python'), ('welding');
INSERT INTO person_skills (person_id, skill_id) VALUES
  ('00000000-0000-7000-8000-000000000011', 'sql'),
  ('00000000-0000-7000-8000-000000000011', 'python'),
  ('00000000-0000-7000-8000-000000000012', 'sql');
INSERT INTO orders (id, customer_id, status, total, weight, paid, notes, data, seal, reference, placed_at, deleted_at) VALUES
  (1, '00000000-0000-7000-8000-000000000011', 'OPEN', 10.50, 1.5, false, '{"handle, with care","a \"b\""}', '{"b": [1, {"a": null}], "a": "x"}', '\x00ff10', '5f0c7c5e-7c1d-4b7e-9a51-0d1f5a6b7c8d', '2026-01-01T05:00:00Z', NULL),
  (2, '00000000-0000-7000-8000-000000000011', 'PAID', 99999999.99, NULL, true, '{}', 'null', NULL, NULL, '2026-01-02T05:00:00.123456+02:00', NULL),
  (3, '00000000-0000-7000-8000-000000000012', 'SHIPPED', 0.00, -0.25, true, NULL, '[]', decode(repeat('ab', 60), 'hex'), NULL, '2026-01-03T05:00:00Z', NULL),
  (4, '00000000-0000-7000-8000-000000000012', 'OPEN', 7.00, 3, false, NULL, NULL, NULL, NULL, '2026-01-04T05:00:00Z', '2026-01-05T00:00:00Z'),
  (9007199254740993, '00000000-0000-7000-8000-000000000014', 'OPEN', 1.00, 1e300, false, NULL, '"text"', NULL, NULL, '2026-01-04T05:00:00Z', NULL);
INSERT INTO products (id, maker_id, slug, price, successor_id) VALUES
  ('00000000-0000-7000-8000-000000000021', '00000000-0000-7000-8000-000000000001', 'lamp', 12.3456789, NULL),
  ('00000000-0000-7000-8000-000000000022', '00000000-0000-7000-8000-000000000001', 'chair', 80, '00000000-0000-7000-8000-000000000021'),
  ('00000000-0000-7000-8000-000000000023', '00000000-0000-7000-8000-000000000003', 'lamp', 3, NULL);
INSERT INTO order_lines (order_id, number, product_id, quantity, deleted_at) VALUES
  (1, 1, '00000000-0000-7000-8000-000000000021', 2, NULL),
  (1, 2, '00000000-0000-7000-8000-000000000022', 1, NULL),
  (1, 3, '00000000-0000-7000-8000-000000000023', 1, '2026-01-05T00:00:00Z'),
  (3, 1, '00000000-0000-7000-8000-000000000023', 10, NULL);
SELECT setval(pg_get_serial_sequence('badges', 'id'), 100), setval(pg_get_serial_sequence('orders', 'id'), 100);
