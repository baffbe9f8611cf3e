-- 1: deleteNote, gather
--   Lock visible=Note permits=DELETE[schema.graphql:64] by_key=True named=True
SELECT clew_given.clew_position AS position, t0.id, (t0.state = $1::TEXT AND t0.author_id = $2::TEXT) IS true AS b0 
FROM (SELECT ($3::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given JOIN notes AS t0 ON t0.id = clew_given.clew_key0 
WHERE (t0.state = $4::TEXT OR t0.author_id = $2::TEXT) AND (t0.state = $1::TEXT AND t0.author_id = $2::TEXT) IS true ORDER BY t0.id FOR UPDATE OF t0;

-- 2: deleteNote, read
--   Read
--     Rows visible=Note
--     Value key='text' column=text

-- 3: deleteNote, write
--   Delete entity=Note
DELETE FROM notes USING (SELECT ($1::INTEGER[])[1] AS clew_key0, 1 AS clew_position) AS clew_given WHERE notes.id = clew_given.clew_key0;
