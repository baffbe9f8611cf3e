-- 1: updatePerson, gather
--   Lock visible=Person permits=UPDATE[] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, true IS true AS b0 
FROM (SELECT ($1::UUID[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN people AS t0 ON t0.id = clew_given.clew_key0 
WHERE true IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: updatePerson, gather
--   Find visible=Skill columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN skills AS t0 ON t0.id = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 3: updatePerson, gather
--   Find visible=PersonSkill columns=[personId, skillId]
SELECT clew_given.clew_position, t0.person_id, t0.skill_id 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given JOIN person_skills AS t0 ON t0.person_id = clew_given.clew_value0 AND t0.skill_id = clew_given.clew_value1 ORDER BY clew_given.clew_position;

-- 4: updatePerson, gather
--   Find visible=Skill columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN skills AS t0 ON t0.id = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 5: updatePerson, write
--   Delete entity=PersonSkill
DELETE FROM person_skills USING (SELECT ($1::UUID[])[1] AS clew_key0, ($2::TEXT[])[1] AS clew_key1, 1 AS clew_position) AS clew_given WHERE person_skills.person_id = clew_given.clew_key0 AND person_skills.skill_id = clew_given.clew_key1;

-- 6: updatePerson, write
--   Insert entity=PersonSkill columns=[personId, skillId] once=True
INSERT INTO person_skills (person_id, skill_id) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position ON CONFLICT DO NOTHING RETURNING person_skills.person_id, person_skills.skill_id;

-- 7: updatePerson, read
--   Read
--     Rows visible=Person
--     Many key='skills' relation=skills link=PersonSkill
--       Read
--         Rows visible=Skill
--           OrderKey
--             FieldPath end=id
--         Value key='id' column=id
