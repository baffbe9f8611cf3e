INSERT INTO folders (id, name, shared, owner_id, deleted_at) VALUES
  (1, 'Ann''s', false, 'ann', NULL), (2, 'Ben''s', false, 'ben', NULL), (3, 'Shared', true, 'ben', NULL),
  (4, 'Ann''s of old', false, 'ann', '2020-01-01'), (5, 'Ben''s of old', false, 'ben', '2020-01-01'),
  (6, 'Taken', false, 'ann', '2020-01-01'), (7, 'Taken', false, 'ben', NULL);
INSERT INTO papers (id, text, folder_id, deleted_at) VALUES
  (1, 'Ann''s', 1, NULL), (2, 'Ben''s', 2, NULL), (3, 'Shared', 3, NULL), (4, 'Old', 4, '2020-01-01'),
  (5, 'Older', 4, '2019-01-01'), (6, 'Loose', NULL, NULL);
INSERT INTO drawers (id, label, edition) VALUES (1, 'Top', 7), (2, 'Bottom', 1);
INSERT INTO letters (id, text, drawer_id) VALUES (1, 'In the top one', 1), (2, 'In the bottom one', 2);
INSERT INTO seats (club_id, number, free) VALUES (1, 1, true), (1, 2, false), (2, 1, true), (2, 2, true), (2, 3, true), (3, 1, true);
INSERT INTO bookings (id, guest_id, seat_club_id, seat_number) VALUES
  ('1', 'ann', 1, 1), ('2', 'ben', 2, 1), ('3', 'ann', NULL, NULL), ('4', 'ann', NULL, 1);
INSERT INTO places (hall, number, open, deleted_at) VALUES
  (1, 1, true, NULL), (1, 2, true, NULL), (2, 1, false, NULL), (2, 2, true, NULL), (3, 1, true, NULL), (3, 5, true, '2020-01-01'), (22, 1, false, NULL);
INSERT INTO stays (id, hall, place_number) VALUES ('1', 1, 1);
INSERT INTO leases (id, hall, place_number) VALUES ('1', 1, 1);
INSERT INTO visits (id, guest_id) VALUES ('1', 'ann');
INSERT INTO badges (id, label, open, hidden, person_id) VALUES
  (1, 'Open', true, false, 'ann'), (2, 'Closed', false, false, 'ann'), (3, 'Dark', true, true, 'ann'), (4, 'Dan''s', true, false, 'dan');
INSERT INTO steps (id, next_id) VALUES ('1', NULL), ('2', '2');
INSERT INTO tickets (id, title, made) VALUES ('1', 'One', 'ONE');
INSERT INTO posters (id, text, fixed) VALUES ('1', 'Loose', false), ('2', 'Fixed', true);
INSERT INTO parcels (id, label, sent) VALUES ('1', 'To Ann', false), ('2', 'To Ben', true);
INSERT INTO signs (id, up) VALUES ('00000000-0000-7000-8000-000000000001', true);
INSERT INTO bands (id, title, leader_id) VALUES ('1', 'One', 'ann');
INSERT INTO joinings (club_id, person_id) VALUES (1, 'ann');
INSERT INTO grades (id, level) VALUES ('1', 5);
SELECT setval(pg_get_serial_sequence('folders', 'id'), 100);
SELECT setval(pg_get_serial_sequence('papers', 'id'), 100);
INSERT INTO bags (id) VALUES (1);
INSERT INTO purses (id, title, public, budget, heat, from_day, until_day, tips, words, owner_id, bag_id) VALUES
  (1, 'Ann''s', true, 2147483000, 50, 10, 20, 2147483000, '{}', 'ann', 1);
INSERT INTO workers (id, level, grade, boss_id) VALUES ('ann', 9, 0, NULL), ('ben', 1, 0, 'ann');
INSERT INTO reviews (id, score, worker_id) VALUES (1, 2147483000, 'ben'), (2, 5, 'ann');
INSERT INTO rooms (id, host_id) VALUES ('1', NULL), ('2', 'ben');
INSERT INTO beds (id, room_id, holder_id) VALUES ('1', '1', NULL), ('2', '2', 'ann'), ('3', '2', 'ben');
INSERT INTO lamps (id) VALUES ('1');
INSERT INTO cords (id, lamp_id) VALUES ('1', '1');
INSERT INTO plugs (id, cord_id, lamp_id) VALUES ('1', '1', '1');
INSERT INTO squads (id, name, region, password_code, owner_id) VALUES (1, 'One', 'north', 'x', 'ann'), (2, 'Two', 'south', 'y', 'ben'), (3, 'Three', 'east', 'z', 'ben');
INSERT INTO tasks (id, text, squad_id) VALUES (1, 'Walk', NULL);
INSERT INTO ledgers (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (11);
INSERT INTO stubs (id, posted, fixed, ledger_id) VALUES (1, true, false, 3), (2, false, false, 4), (3, false, true, 7), (4, false, false, 9);
INSERT INTO pegs (id, open, ledger_id) VALUES (1, false, 5), (2, true, 6);
INSERT INTO pages (id, locked) VALUES (1, false), (2, true), (3, true), (4, false);
INSERT INTO ledgers (id, page_id) VALUES (10, 4);
INSERT INTO pages (id, locked) VALUES (5, false);
INSERT INTO ledgers (id, page_id) VALUES (12, 5), (13, 5), (14, 5), (15, 5);
INSERT INTO lines (id, posted, ledger_id) VALUES (5, true, 12);
INSERT INTO stubs (id, posted, ledger_id) VALUES (5, true, 13);
INSERT INTO pegs (id, open, ledger_id) VALUES (3, false, 14), (4, true, 15);
INSERT INTO tabs (id, final, ledger_id, deleted_at) VALUES (1, true, 11, '2020-01-01');
INSERT INTO lines (id, posted, ledger_id, page_id) VALUES (1, true, 1, NULL), (2, false, 2, 2), (3, false, 8, NULL), (4, false, 10, 4);
INSERT INTO receipts (id, final, line_id, stub_id) VALUES (1, true, 3, NULL), (2, true, NULL, 4);
INSERT INTO seals (id, broken) VALUES (1, false), (2, false), (3, false), (4, true);
INSERT INTO page_seals (page_id, seal_id) VALUES (3, 1), (1, 3);
INSERT INTO flags (id, text, step_id) VALUES ('1', 'up', NULL), ('2', '', NULL), ('3', 'down', '1');
INSERT INTO binders (id, deleted_at) VALUES (1, NULL), (2, NULL), (3, '2020-01-01'), (4, '2020-01-01');
INSERT INTO sheets (id, final, binder_id, deleted_at) VALUES
  (1, true, 1, NULL), (2, false, 2, NULL), (3, true, 2, '2020-01-01'), (4, true, 3, '2020-01-01'),
  (5, false, 3, '2019-01-01'), (6, false, 2, '2019-01-01'), (7, true, 4, '2019-01-01');
SELECT setval(pg_get_serial_sequence('tasks', 'id'), 100);
SELECT setval(pg_get_serial_sequence('seals', 'id'), 100);
INSERT INTO slips (number, choice, owner_id) SELECT n, chr(97 + n), CASE WHEN n = 3 THEN 'ben' END FROM generate_series(0, 9) AS n;
INSERT INTO quotes (id, text) VALUES ('1', '');
INSERT INTO guilds (id) VALUES (1), (2), (3);
INSERT INTO mappers (id, chief) VALUES ('ann', true), ('ben', true), ('cat', false), ('dan', false), ('eva', false), ('fay', false), ('gil', false);
INSERT INTO charts (id, body, guild_id, owner_id) VALUES
  (1, 'theirs', 1, 'ben'), (2, 'theirs', 2, NULL), (3, 'mine', 1, NULL), (4, 'theirs', NULL, NULL),
  (5, 'theirs', NULL, 'cat'), (6, 'theirs', NULL, 'cat'), (7, 'theirs', NULL, 'eva'),
  (8, 'theirs', NULL, 'fay'), (11, 'theirs', 3, 'gil'), (12, 'mine', 3, 'gil'), (13, 'theirs', NULL, NULL);
INSERT INTO mappings (chart_id, mapper_id) VALUES (2, 'ann'), (4, 'cat'), (5, 'ann'), (6, 'dan'), (7, 'eva'), (8, 'fay'), (8, 'ann'), (13, 'fay'), (11, 'gil'), (12, 'dan');
INSERT INTO albums (id) VALUES (1);
INSERT INTO songs (id, title) VALUES (1, 'First'), (2, 'Second');
INSERT INTO album_songs (album_id, song_id) VALUES (1, 1);
INSERT INTO halls (id, name) VALUES (1, 'North'), (2, 'South');
INSERT INTO torches (id) VALUES (1);
INSERT INTO pitches (hall_id, number, name) VALUES (1, 7, 'Green');
INSERT INTO flares (id) VALUES (1);
INSERT INTO bales (id, state) VALUES (1, NULL), (2, 'open'), (3, 'sealed');
SELECT setval(pg_get_serial_sequence('bales', 'id'), 100);
INSERT INTO areas (id) VALUES (1), (2);
INSERT INTO spots (id, place_hall, place_number) VALUES ('1', 1, 1);
INSERT INTO posts (id, hall, place_number) VALUES ('00000000-0000-7000-8000-000000000001', 1, 1);
INSERT INTO bracelets (id) VALUES (1);
INSERT INTO charms (id, fixed) VALUES (1, true), (2, false), (3, false);
INSERT INTO hangings (bracelet_id, charm_id, loose) VALUES (1, 1, true), (1, 2, false);
INSERT INTO sailors (id) VALUES (1);
INSERT INTO crews (id, mate_id) VALUES (1, 1);
INSERT INTO berths (crew_id, sailor_id) VALUES (1, 1);
INSERT INTO knots (id) VALUES (1), (2);
UPDATE knots SET next_id = 3 - id;
INSERT INTO gardens (id) VALUES (1), (2);
INSERT INTO trees (id, garden_id, hedges_id) VALUES (1, 1, NULL), (2, NULL, 2);
INSERT INTO apples (id, ripe, garden_id, tree_id) VALUES ('1', true, 1, 1), ('2', true, 2, 2);
INSERT INTO shelves (id) VALUES (1), (2);
INSERT INTO pallets (id, state) VALUES (1, NULL), (2, 'open'), (3, 'sealed');
INSERT INTO loads (id, pallet_id) VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO lodges (id) VALUES (1), (2), (3);
INSERT INTO brackets (lodge_id, number, name, open, plated) VALUES
  (1, 1, '1a', true, true), (1, 2, '1b', false, true), (1, 3, '1c', true, true), (2, 1, '2a', true, true), (3, 1, '3a', true, false);
INSERT INTO lights (id, lit, lodge_id, bracket_number) VALUES ('1', true, 1, 1), ('2', false, 1, NULL);
INSERT INTO twines (lodge_id, number) VALUES (1, 1), (2, 1);
INSERT INTO knottings (lodge_id, bracket_number, twine_number) VALUES (2, 1, 1);
INSERT INTO fans (id, shy, hidden) VALUES ('ann', false, false), ('ben', false, false), ('cat', true, false), ('dan', false, true);
INSERT INTO cheers (fan_id, idol_id) VALUES ('ann', 'ben'), ('ben', 'ann'), ('cat', 'ann'), ('dan', 'ann'), ('ann', 'dan');
INSERT INTO worships (fan_id, hero_id) VALUES ('ann', 'ben'), ('ben', 'ann'), ('dan', 'ann'), ('ann', 'dan');
INSERT INTO bottles (id, place, dark) VALUES (1, 1, false), (2, 2, false), (3, 3, true);
INSERT INTO trays (id) VALUES (1);
INSERT INTO hands (id) VALUES (1);
INSERT INTO dominoes (id, loose, tray_id, hand_id) VALUES (2, true, 1, NULL), (4, false, NULL, 1);
INSERT INTO dominoes (id, tray_id, pusher_id, hand_id) VALUES (1, 1, 2, NULL), (3, NULL, 4, 1);
INSERT INTO hooks (id, tray_id) VALUES ('1', 1), ('2', 1);
INSERT INTO pupils (id, teacher) VALUES (1, 'ben'), (2, 'eva'), (3, 'chief');
INSERT INTO scores (id, pupil_id, course, by, points) VALUES (1, 1, 'art', 'eva', 1), (2, 1, 'golf', 'ben', 1), (3, 3, 'art', 'eva', 1);
SELECT setval(pg_get_serial_sequence(name, 'id'), 100) FROM unnest(ARRAY['scores', 'remarks']) AS name;
INSERT INTO dens (id) VALUES (1), (2), (3), (4);
INSERT INTO perches (id, den_id) VALUES (1, 4);
INSERT INTO guests (den_id, sub, host, perch_id) VALUES
  (1, 'ben', true, NULL), (1, 'gil', false, NULL), (2, 'eva', true, NULL), (2, 'gil', false, NULL), (3, 'gil', false, NULL),
  (4, 'gil', false, 1), (4, 'eva', false, NULL);
INSERT INTO forges (id) VALUES (1);
INSERT INTO all_tongs (id, name, rusty) VALUES ('1', 'old', true);
