-- Who an organisation is at the payment provider: ids, counts and times alone, since it is on the work list.
-- customer_version counts the customers that were deleted there; seen_version the states of subscriptions that were
-- taken over, so that of two that were read at once the older one never has the last word.
CREATE TABLE aichat.billing_accounts (
    org_id uuid PRIMARY KEY REFERENCES aichat.organizations,
    customer_id text UNIQUE,
    customer_version int NOT NULL DEFAULT 0,
    seen_version bigint NOT NULL DEFAULT 0,
    grace_ends_at timestamptz,
    first_subscribed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX billing_accounts_by_grace ON aichat.billing_accounts (grace_ends_at) WHERE grace_ends_at IS NOT NULL;
COMMENT ON COLUMN aichat.billing_accounts.customer_id IS 'Null before the first checkout, and after a deletion.';
COMMENT ON COLUMN aichat.billing_accounts.grace_ends_at IS
    'When a subscription that is past due ceases to count; null: it is not past due, or has ceased.';
COMMENT ON COLUMN aichat.billing_accounts.first_subscribed_at IS 'There is one trial, and it goes with the first.';

-- What an organisation is subscribed to, as it was when the payment provider was asked last.
CREATE TABLE aichat.subscriptions (
    org_id uuid PRIMARY KEY REFERENCES aichat.organizations,
    subscription_id text NOT NULL,
    plan text NOT NULL CHECK (plan IN ('pro', 'team')),
    status text NOT NULL CHECK (status IN (
        'incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused'
    )),
    seats int NOT NULL CHECK (seats >= 0),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    cancel_at_period_end boolean NOT NULL,
    trial_end timestamptz,
    past_due_since timestamptz,
    updated_at timestamptz NOT NULL
);

-- The payment provider's events, once each, until they have been acted on and after. Nobody's but the work list's: what
-- they are about is read again, and acted on inside its tenant.
CREATE TABLE aichat.stripe_events (
    event_id text PRIMARY KEY,
    type text NOT NULL,
    object_id text NOT NULL,
    received_at timestamptz NOT NULL,
    due_at timestamptz,
    attempts int NOT NULL DEFAULT 0,
    processed_at timestamptz,
    parked_at timestamptz,
    failure text,
    CHECK (num_nonnulls(due_at, processed_at, parked_at) = 1)
);
CREATE INDEX stripe_events_due ON aichat.stripe_events (due_at) WHERE due_at IS NOT NULL;
COMMENT ON COLUMN aichat.stripe_events.due_at IS 'When it is taken up next; once it is, when it is again if that breaks off.';
COMMENT ON COLUMN aichat.stripe_events.parked_at IS 'When it was given up, after too many failures.';
