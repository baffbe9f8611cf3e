INSERT INTO people (id, name, secret, hiding) VALUES
  ('ann', 'Ann', 'a', false), ('ben', 'Ben', 'b', false), ('cat', 'Cat', 'c', false), ('dan', 'Dan', 'd', true);
INSERT INTO clubs (id, name, open) VALUES (1, 'Chess', false), (2, 'Rowing', true), (3, 'Secret', false);
INSERT INTO members (id, club_id, person_id, level) VALUES
  ('00000000-0000-7000-8000-000000000001', 1, 'ann', 'ADMIN'),
  ('00000000-0000-7000-8000-000000000002', 1, 'ben', 'GUEST'),
  ('00000000-0000-7000-8000-000000000003', 3, 'cat', 'ADMIN');
INSERT INTO tags (id, hidden) VALUES ('fun', false), ('sport', false), ('nsfw', true);
INSERT INTO notes (id, text, state, author_id, club_id, frozen) VALUES
  (1, 'Ann drafts', 'draft', 'ann', 1, false),
  (2, 'Ann tells', 'public', 'ann', 2, false),
  (3, 'Ben drafts', 'draft', 'ben', 1, false),
  (4, 'Ben tells', 'public', 'ben', NULL, false),
  (5, 'Ice', 'draft', 'ann', NULL, true);
INSERT INTO stewards (person_id) VALUES ('ann');
INSERT INTO placards (id, text) VALUES (1, 'Silence');
SELECT setval(pg_get_serial_sequence('notes', 'id'), 100);
SELECT setval(pg_get_serial_sequence('clubs', 'id'), 100);
INSERT INTO tents (id) VALUES (1);
INSERT INTO poles (id, up, tent_id) VALUES (1, true, 1), (2, true, 1), (3, false, 1);
INSERT INTO ropes (id) VALUES (1), (2);
INSERT INTO hitches (tent_id, rope_id) VALUES (1, 1), (1, 2);
