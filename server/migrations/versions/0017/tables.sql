ALTER TABLE aichat.plans ADD COLUMN overage_cap_nano_usd bigint CHECK (overage_cap_nano_usd >= 0);
COMMENT ON COLUMN aichat.plans.overage_cap_nano_usd IS
    'The most that may be owed for usage above what is included; null: what platform_limits says.';

-- What holds for the platform as a whole, as its servers' settings say: each writes what it was started with.
CREATE TABLE aichat.platform_limits (
    name text PRIMARY KEY CHECK (name IN ('overage', 'free_plan')),
    nano_usd bigint NOT NULL CHECK (nano_usd >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN aichat.platform_limits.name IS
    'overage: what an organisation may owe beyond its included usage, where its plan does not say; free_plan: what all '
    'organisations on Free may use together in a calendar month (UTC).';

-- What all organisations on Free were charged in a month. It is spread over rows, so that turns that end at once hardly
-- ever wait for each other; no row says whose usage it was.
CREATE TABLE aichat.free_usage (
    period_start timestamptz NOT NULL CHECK (period_start = date_trunc('month', period_start, 'UTC')),
    shard smallint NOT NULL,
    charged_nano_usd bigint NOT NULL CHECK (charged_nano_usd >= 0),
    PRIMARY KEY (period_start, shard)
);

-- The usage invoices that were asked for in vain, and since when: ids and times alone, since it is on the work list.
CREATE TABLE aichat.unpaid_invoices (
    org_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    unpaid_since timestamptz NOT NULL,
    PRIMARY KEY (org_id, period_start),
    FOREIGN KEY (org_id, period_start) REFERENCES aichat.invoices
);

-- Who is to be told of one by e-mail: one for each of the organisation's owners. It is sent by the outbox.
CREATE TABLE aichat.unpaid_notices (
    org_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    member_id uuid NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, notice_id),
    FOREIGN KEY (org_id, period_start) REFERENCES aichat.invoices,
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members
);
COMMENT ON COLUMN aichat.unpaid_notices.notice_id IS 'In the outbox and in the e-mail''s Message-ID.';

-- The customer's default card when it was last looked at: another one since then is the one that was chosen last.
ALTER TABLE aichat.billing_accounts ADD COLUMN seen_card_id text;

ALTER TABLE aichat.outbox DROP CONSTRAINT outbox_kind_check,
    ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('quota_warning', 'refund', 'unpaid_invoice'));
