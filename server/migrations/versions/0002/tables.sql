-- What each model costs, from a moment on: rows are added and never changed. A price is all rows of one valid_from,
-- which is its version. Nano-dollars per million tokens, and for one web search.
CREATE TABLE aichat.prices (
    provider text NOT NULL,
    model text NOT NULL,
    valid_from timestamptz NOT NULL,
    above_tokens bigint NOT NULL CHECK (above_tokens >= 0),
    input bigint NOT NULL CHECK (input >= 0),
    cache_read bigint NOT NULL CHECK (cache_read >= 0),
    cache_write bigint NOT NULL CHECK (cache_write >= 0),
    cache_write_1h bigint NOT NULL CHECK (cache_write_1h >= 0),
    output bigint NOT NULL CHECK (output >= 0),
    web_search bigint NOT NULL CHECK (web_search >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model, valid_from, above_tokens)
);
COMMENT ON COLUMN aichat.prices.above_tokens IS 'The tier for requests with more input tokens than this; 0: the first.';

-- The books: what each generation used and what was charged for it, written with its answer and never changed. There is
-- a partition for each month: see aichat.extend_books. A generation is booked once, when it ceases to run.
-- What was used is in disjoint buckets, but for reasoning_tokens, which are a part of output_tokens.
CREATE TABLE aichat.usage_events (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    member_id uuid NOT NULL,
    key_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    price_version timestamptz NOT NULL,
    input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
    cache_read_tokens bigint NOT NULL CHECK (cache_read_tokens >= 0),
    cache_write_tokens bigint NOT NULL CHECK (cache_write_tokens >= 0),
    cache_write_1h_tokens bigint NOT NULL CHECK (cache_write_1h_tokens >= 0),
    output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
    reasoning_tokens bigint NOT NULL CHECK (reasoning_tokens >= 0),
    web_searches bigint NOT NULL CHECK (web_searches >= 0),
    raw_usage jsonb NOT NULL,
    quality text NOT NULL CHECK (quality IN ('exact', 'estimated')),
    estimate_reason text,
    cost_nano_usd bigint NOT NULL CHECK (cost_nano_usd >= 0),
    error_reason text,
    first_delta_ms integer CHECK (first_delta_ms >= 0),
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, occurred_at, generation_id),
    CHECK ((quality = 'estimated') = (estimate_reason IS NOT NULL))
) PARTITION BY RANGE (occurred_at);
-- What is in no month that has a partition: what came before the first, and after the last if nobody added to them.
CREATE TABLE aichat.usage_events_rest PARTITION OF aichat.usage_events DEFAULT;
COMMENT ON COLUMN aichat.usage_events.price_version IS 'valid_from of the row in prices that the cost comes of.';
COMMENT ON COLUMN aichat.usage_events.estimate_reason IS
    'Why the vendor''s own count is missing: what the turn failed with, or USAGE_MISSING where it completed.';
COMMENT ON COLUMN aichat.usage_events.cost_nano_usd IS
    'What was used at that price; of a turn that did not complete, at most what was held for it; of one that ended after
     its hold, at most what its hard quotas had left.';

COMMENT ON COLUMN aichat.usage_events.error_reason IS 'What the turn failed with; null where it completed.';
COMMENT ON COLUMN aichat.usage_events.first_delta_ms IS
    'From the asking of the vendor to the first piece of the answer; null where none came.';
COMMENT ON COLUMN aichat.usage_events.duration_ms IS 'From the storing of the message to the storing of the answer.';

-- Turns that failed before they used anything. They cost nothing and are not on the books, but they are counted.
CREATE TABLE aichat.failures (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    member_id uuid NOT NULL,
    key_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    error_reason text NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, generation_id)
);
CREATE INDEX failures_by_time ON aichat.failures (org_id, occurred_at);

-- The hours that have got events or failures since they were last summed up, if they ever were. A turn's transaction
-- locks the row of its hour, or makes it.
CREATE TABLE aichat.open_hours (
    org_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    PRIMARY KEY (org_id, hour)
);

-- How far the books are closed: no event of before is added any more.
CREATE TABLE aichat.closed_books (
    org_id uuid PRIMARY KEY,
    closed_until timestamptz NOT NULL
);

CREATE TABLE aichat.quotas (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    scope text NOT NULL CHECK (scope IN ('organization', 'member', 'key')),
    scope_id uuid NOT NULL,
    period text NOT NULL CHECK (period IN ('month', 'day')),
    hard_nano_usd bigint CHECK (hard_nano_usd >= 0),
    soft_nano_usd bigint CHECK (soft_nano_usd >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, scope, scope_id, period),
    CHECK (num_nonnulls(hard_nano_usd, soft_nano_usd) > 0)
);

-- What was charged in a quota's period: a sum of the books, kept where there is a quota, and the row that turns at once
-- line up at. It can be deleted at any time that quotas may be changed: the next turn sums it up anew.
CREATE TABLE aichat.quota_usage (
    org_id uuid NOT NULL,
    scope text NOT NULL,
    scope_id uuid NOT NULL,
    period text NOT NULL,
    period_start timestamptz NOT NULL,
    charged_nano_usd bigint NOT NULL CHECK (charged_nano_usd >= 0),
    PRIMARY KEY (org_id, scope, scope_id, period, period_start)
);

-- What each running generation may come to cost. The row goes when the generation ends, and is renewed with its lease;
-- from expires_at on it holds nothing back, so that one that never ends blocks nobody.
CREATE TABLE aichat.holds (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    member_id uuid NOT NULL,
    key_id uuid,
    amount_nano_usd bigint NOT NULL CHECK (amount_nano_usd >= 0),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, generation_id)
);

-- Until when the process that writes a generation is taken to be alive. It renews its leases, and they go when it ends a
-- generation; one whose lease is over is an orphan, which a job ends, tells of, and only then takes off this list.
CREATE TABLE aichat.leases (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, generation_id)
);
CREATE INDEX leases_by_expiry ON aichat.leases (expires_at);
