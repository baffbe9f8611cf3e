SELECT convert_to(CAST((SELECT json_build_object('id', t0.id, 'givenName', t0.given_name, 'displayName', (given_name || coalesce(' ' || family_name, '')), 'email', t0.email, 'born', t0.born, 'wakesAt', t0.wakes_at, 'companyId', t0.company_id, '__typename', 'Person'::text) AS clew_json 
FROM people AS t0 
WHERE t0.id = $1::UUID) AS TEXT), 'UTF8') AS r0
