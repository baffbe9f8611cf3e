INSERT INTO items (id, name, weight, data) VALUES (1, 'one', 1, '{"b": [1]}'), (2, 'two', 2, 'null'), (3, 'three', 4, NULL);
ALTER TABLE items ADD CONSTRAINT confidential_weights UNIQUE (weight) DEFERRABLE INITIALLY DEFERRED;
SELECT setval(pg_get_serial_sequence('items', 'id'), 3);
