-- The books by the hour: sums of aichat.usage_events and counts of aichat.failures, which can be made again from these at
-- any time. An hour that is on aichat.open_hours may lack its last events; every other one is exact.
CREATE TABLE aichat.usage_hourly (
    org_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    member_id uuid NOT NULL,
    key_id uuid NOT NULL,
    error_reason text NOT NULL,
    turns bigint NOT NULL,
    estimated_turns bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    web_searches bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    first_delta_ms integer[] NOT NULL,
    duration_ms integer[] NOT NULL,
    PRIMARY KEY (org_id, hour, provider, model, member_id, key_id, error_reason)
);
COMMENT ON COLUMN aichat.usage_hourly.key_id IS 'The API key; all zeros where the member was signed in.';
COMMENT ON COLUMN aichat.usage_hourly.error_reason IS 'What these turns failed with; empty where they completed.';
COMMENT ON COLUMN aichat.usage_hourly.duration_ms IS 'Of each turn, in no order, so that percentiles are exact.';

GRANT SELECT, INSERT, UPDATE, DELETE ON aichat.usage_hourly TO aichat_app;
SELECT aichat.protect('usage_hourly');
