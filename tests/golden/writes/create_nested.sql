-- 1: createPerson, gather
--   Find visible=Product columns=[makerId, slug]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, 1 AS clew_position) AS clew_given JOIN products AS t0 ON t0.maker_id = clew_given.clew_value0 AND t0.slug = clew_given.clew_value1 ORDER BY clew_given.clew_position;

-- 2: createPerson, gather
--   Find visible=Skill columns=[id]
SELECT clew_given.clew_position, t0.id 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given JOIN skills AS t0 ON t0.id = clew_given.clew_value0 ORDER BY clew_given.clew_position;

-- 3: createPerson, write
--   Insert entity=Company columns=[name]
INSERT INTO companies (name) SELECT clew_given.clew_value0 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING companies.id;

-- 4: createPerson, write
--   Insert entity=Person columns=[companyId, email, givenName]
INSERT INTO people (company_id, email, given_name) SELECT clew_given.clew_value0, clew_given.clew_value1, clew_given.clew_value2 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, ($2::TEXT[])[1] AS clew_value1, ($3::TEXT[])[1] AS clew_value2, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING people.id;

-- 5: createPerson, write
--   Insert entity=Order columns=[customerId, total]
INSERT INTO orders (customer_id, total) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM (SELECT ($1::UUID[])[1] AS clew_value0, ($2::TEXT[]::NUMERIC[])[1] AS clew_value1, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING orders.id;

-- 6: createPerson, write
--   Insert entity=OrderLine columns=[number, orderId, productId, quantity]
INSERT INTO order_lines (number, order_id, product_id, quantity) SELECT clew_given.clew_value0, clew_given.clew_value1, clew_given.clew_value2, clew_given.clew_value3 
FROM (SELECT ($1::INTEGER[])[1] AS clew_value0, ($2::BIGINT[])[1] AS clew_value1, ($3::UUID[])[1] AS clew_value2, ($4::INTEGER[])[1] AS clew_value3, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING order_lines.order_id, order_lines.number;

-- 7: createPerson, write
--   Hold entity=OrderLine relation=order
SELECT t1.deleted_at IS NULL AS there 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, ($2::INTEGER[])[1] AS clew_key1, 1 AS clew_position) AS clew_given JOIN order_lines AS t0 ON t0.order_id = clew_given.clew_key0 AND t0.number = clew_given.clew_key1 JOIN orders AS t1 ON t0.order_id = t1.id ORDER BY t1.id FOR SHARE OF t1;

-- 8: createPerson, write
--   Insert entity=Skill columns=[id]
INSERT INTO skills (id) SELECT clew_given.clew_value0 
FROM (SELECT ($1::TEXT[])[1] AS clew_value0, 1 AS clew_position) AS clew_given ORDER BY clew_given.clew_position RETURNING skills.id;

-- 9: createPerson, write
SAVEPOINT clew_rows;

-- 10: createPerson, write
--   Insert entity=PersonSkill columns=[personId, skillId] once=True
INSERT INTO person_skills (person_id, skill_id) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM unnest($1::UUID[], $2::TEXT[]) WITH ORDINALITY AS clew_given(clew_value0, clew_value1, clew_position) ORDER BY clew_given.clew_position ON CONFLICT DO NOTHING RETURNING person_skills.person_id, person_skills.skill_id;

-- 11: createPerson, check
--   Check visible=Order permits=CREATE[]
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (t0.deleted_at IS NULL) IS true AS readable, true AS a0 
FROM orders AS t0 
WHERE t0.id = clew_given.clew_key0) AS judged ON true ORDER BY clew_given.clew_position;

-- 12: createPerson, check
--   Check visible=OrderLine permits=CREATE[]
SELECT judged.readable, judged.a0 
FROM (SELECT ($1::BIGINT[])[1] AS clew_key0, ($2::INTEGER[])[1] AS clew_key1, 1 AS clew_position) AS clew_given LEFT OUTER JOIN LATERAL (SELECT (t0.deleted_at IS NULL) IS true AS readable, true AS a0 
FROM order_lines AS t0 
WHERE t0.order_id = clew_given.clew_key0 AND t0.number = clew_given.clew_key1) AS judged ON true ORDER BY clew_given.clew_position;

-- 13: createPerson, read
--   Read
--     Rows visible=Person
--     Value key='email' column=email
--     One key='company' relation=company
--       Read
--         Rows visible=Company
--         Value key='name' column=name
--     Many key='skills' relation=skills link=PersonSkill
--       Read
--         Rows visible=Skill
--           OrderKey
--             FieldPath end=id
--         Value key='id' column=id
--     Many key='orders' relation=orders
--       Read
--         Rows visible=Order
--           OrderKey
--             FieldPath end=id
--         Value key='total' column=total
--         Many key='lines' relation=lines
--           Read
--             Rows visible=OrderLine
--               OrderKey
--                 FieldPath end=orderId
--               OrderKey
--                 FieldPath end=number
--             Value key='quantity' column=quantity
