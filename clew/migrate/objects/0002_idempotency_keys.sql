-- The responses to mutations that were sent with an Idempotency-Key, for those who send them again.
-- `id` is a hash of the viewer and the key, `request` one of the document and variables. `response` is null only
-- until the mutation that claims the key commits.
CREATE TABLE IF NOT EXISTS clew.idempotency_keys (
    id bytea PRIMARY KEY,
    request bytea NOT NULL,
    response bytea,
    created_at timestamptz NOT NULL DEFAULT now()
)
--;;
CREATE INDEX IF NOT EXISTS idempotency_keys_created_at_idx ON clew.idempotency_keys (created_at)
--;;
-- down
DROP TABLE IF EXISTS clew.idempotency_keys
--;;
