-- 1: createCompanies, write
SAVEPOINT clew_rows;

-- 2: createCompanies, write
--   Insert entity=Company columns=[founded, name]
INSERT INTO companies (founded, name) SELECT clew_given.clew_value0, clew_given.clew_value1 
FROM unnest($1::TEXT[]::DATE[], $2::TEXT[]) WITH ORDINALITY AS clew_given(clew_value0, clew_value1, clew_position) ORDER BY clew_given.clew_position RETURNING companies.id;

-- 3: createCompanies, read
--   Read
--     Rows visible=Company
--     Value key='name' column=name
--     Value key='founded' column=founded
