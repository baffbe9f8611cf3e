INSERT INTO doctors (id, name, pay, thanks, hides, boss_id) VALUES
  ('ann', 'Ann', 400, 0, false, NULL), ('ben', 'Ben', 100, 0, false, 'ann'), ('cat', 'Cat', 120, 0, false, 'ben'),
  ('dan', 'Dan', 300, 0, true, 'ann'), ('eve', 'Eve', 300, 0, true, 'ann');
INSERT INTO wards (id, name, open, code, budget, head_id) VALUES
  (1, 'One', true, 'k1', 5, 'ann'), (2, 'Two', true, 'k2', 7, 'ben'), (3, 'Three', false, 'k3', 9, 'ann'),
  (4, 'Four', true, NULL, 0, 'dan');
INSERT INTO bunks (ward_id, number, label, taken) VALUES
  (1, 1, 'a', false), (1, 2, 'b', true), (2, 1, 'c', false), (2, 2, 'd', false), (3, 1, 'e', false), (4, 1, 'f', true);
INSERT INTO patients (id, name, doctor_id, ward_id, diagnosis, weight, height, tags, data, phase, deleted_at) VALUES
  (1, 'Pia', 'ann', 1, 'flu', 60, 170, '{x}', '{"a": 1}', 'PLANNED', NULL),
  (2, 'Pio', 'ben', 1, 'flu', 70, 180, '{y}', '{"a": 2}', 'RUNNING', NULL),
  (3, 'Poe', 'ann', 3, 'gout', 80, 190, '{z}', NULL, 'DONE', NULL),
  (4, 'Pam', 'dan', 2, 'cold', 65, 175, '{}', NULL, 'DONE', NULL),
  (5, 'Per', 'ben', NULL, NULL, 90, 200, '{x}', NULL, 'PLANNED', '2020-01-01'),
  (6, 'Pat', 'ann', 2, 'flu', 55, 160, '{}', NULL, 'RUNNING', '2020-01-01');
INSERT INTO stays (id, ward_id, bunk_number, patient_id, cost, sealed, deleted_at) VALUES
  (1, 1, 1, 1, 10, false, NULL), (2, 1, 2, 1, 20, true, NULL), (3, 2, 1, 2, 30, false, NULL), (4, 2, 2, 4, 40, false, NULL),
  (5, 3, 1, 3, 50, false, NULL), (6, NULL, NULL, 2, 60, true, NULL), (7, 1, 1, 5, 70, false, '2020-01-01'),
  (8, 2, NULL, 6, 80, false, '2020-01-01');
INSERT INTO drugs (id, name, grams, locked, secret, legal) VALUES
  (1, 'Aspirin', 1, false, false, true), (2, 'Bromide', 2, true, false, true), (3, 'Curare', 3, false, true, true),
  (4, 'Digitalis', 4, false, false, false);
INSERT INTO doses (patient_id, drug_id) VALUES (1, 1), (1, 3), (2, 1), (2, 2), (3, 4), (4, 4), (2, 4);
INSERT INTO votes (round, voter_id, phase, reason, weight) VALUES
  (1, 'ann', 'PLANNED', 'r', 1), (1, 'ben', 'RUNNING', 's', 2), (1, 'dan', 'DONE', 't', 3), (2, 'ann', 'DONE', 'u', 4),
  (2, 'cat', 'DONE', 'v', 5), (3, 'dan', 'PLANNED', 'w', 6);
INSERT INTO entries (id, shelf, reader, chief, text, count, parent_id) VALUES
  (1, 1, 'ben', false, 'one', 1, NULL), (2, 1, 'ann', true, 'two', 2, 1), (3, 2, 'ben', true, 'three', 3, NULL),
  (4, 3, 'ann', true, 'four', 4, 3), (5, 3, NULL, false, 'five', 5, 4), (6, 4, 'cat', false, 'six', 6, NULL),
  (7, 2, NULL, false, 'seven', 7, 4);
INSERT INTO reviews (id, doctor_id, score, text) VALUES
  (1, 'ben', 7, 'good'), (2, 'cat', 8, 'better'), (3, 'ann', 9, 'best');
INSERT INTO lockers (id, label, owner_id) VALUES (2, 'k2', 'ann'), (3, 'k3', 'ann');
INSERT INTO notes (id, text, posted, pinned, locker_id) VALUES
  (1, 'one', false, false, NULL), (2, 'two', true, false, NULL), (3, 'three', false, true, 3);
INSERT INTO tags (id, name, inner_code) VALUES (1, 'x', 'k1'), (2, 'y', NULL);
INSERT INTO note_tags (note_id, tag_id) VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO rooms (id, host, inner_owner_id) VALUES (1, 'ann', 'eve'), (2, 'ben', 'eve'), (3, NULL, 'eve');
INSERT INTO seats (id, room_id, holder) VALUES (1, 1, 'ann'), (2, 1, NULL), (3, 2, 'dan'), (4, 3, 'cat');
SELECT setval(pg_get_serial_sequence(name, 'id'), 100) FROM unnest(ARRAY[
  'wards', 'patients', 'stays', 'drugs', 'entries', 'reviews', 'lockers', 'notes', 'tags', 'rooms', 'seats']) AS name;
