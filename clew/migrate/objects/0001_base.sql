-- What generated tables call. Statements end with a line `--;;`, since asyncpg prepares one at a time.
CREATE SCHEMA IF NOT EXISTS clew
--;;
-- Time-ordered keys (RFC 9562, version 7). Postgres 18 has its own; before it, 12 bits of the
-- microsecond follow the millisecond, so that keys made one after another sort as they were made.
DO $install$
BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
        CREATE OR REPLACE FUNCTION clew.uuid_v7() RETURNS uuid
            LANGUAGE sql VOLATILE PARALLEL SAFE
            AS 'SELECT pg_catalog.uuidv7()';
    ELSE
        CREATE OR REPLACE FUNCTION clew.uuid_v7() RETURNS uuid
            LANGUAGE plpgsql VOLATILE PARALLEL SAFE
            AS $body$
DECLARE
    microseconds bigint := floor(date_part('epoch', clock_timestamp()) * 1000000);
BEGIN
    RETURN encode(
        int8send(
            ((microseconds / 1000) << 16) | 28672 | ((microseconds % 1000) * 4096 / 1000)
        ) || substring(uuid_send(gen_random_uuid()) FROM 9),
        'hex'
    )::uuid;
END
$body$;
    END IF;
END
$install$
--;;
-- The text of a list under @search; array_to_string is not IMMUTABLE for arrays in general, for text it is.
CREATE OR REPLACE FUNCTION clew.search_text(items text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $body$ SELECT array_to_string(items, ' ') $body$
--;;
-- A JSON list as an array, for migrations between the two: USING allows a function and no subquery.
CREATE OR REPLACE FUNCTION clew.text_list(list jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $body$
    SELECT CASE jsonb_typeof(list)
        WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(list))
        WHEN 'null' THEN NULL
        ELSE ARRAY[list #>> '{}']
    END
$body$
--;;
-- down
DROP FUNCTION IF EXISTS clew.text_list(jsonb)
--;;
DROP FUNCTION IF EXISTS clew.search_text(text[])
--;;
DROP FUNCTION IF EXISTS clew.uuid_v7()
--;;
-- Not CASCADE: what others put there is not ours to drop.
DROP SCHEMA IF EXISTS clew
--;;
