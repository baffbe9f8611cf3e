INSERT INTO enrolments (id, student, part, course, deleted_at) VALUES
  (1, 'ann', 'TEACHER', 1, NULL), (2, 'ben', 'PUPIL', 1, NULL), (3, 'gil', 'TEACHER', 1, '2020-01-01'), (4, 'cat', 'TEACHER', 2, NULL);
INSERT INTO lessons (id, hours, course) VALUES (1, 2147483647, 1), (2, 1, 2), (3, 1, 3);
INSERT INTO drills (id, tough, author) VALUES (1, true, 'ann'), (2, false, 'ben');
INSERT INTO lesson_drills (lesson_id, drill_id) VALUES (2, 1);
INSERT INTO quarters (id) VALUES (1);
INSERT INTO passes (id, holder, valid, quarter_id) VALUES (1, 'ann', true, 1), (2, 'ben', false, 1), (3, 'ben', false, NULL);
INSERT INTO zones (id, name) VALUES (1, 'ben'), (2, 'ann');
INSERT INTO pass_zones (pass_id, zone_id) VALUES (1, 2);
INSERT INTO slots (id) VALUES (1);
INSERT INTO towers (id) VALUES (1), (2);
INSERT INTO watches (id, tower_id, awake) VALUES (1, 1, true), (2, 1, true), (3, 2, true), (4, 2, false);
INSERT INTO troupes (id) VALUES (1);
INSERT INTO actors (id) VALUES ('ann'), ('ben');
INSERT INTO castings (troupe_id, actor_id) VALUES (1, 'ann');
