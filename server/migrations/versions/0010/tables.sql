-- One invoice for each organisation and month, from the closing of its books to the last payment. Months are of UTC.
--   closed      the month's books are closed
--   drafted     the lines are made of the books, and stored
--   created     there is a draft at the payment provider
--   pushed      all lines are on it
--   compared    books, hourly sums, lines and draft are the same
--   finalized   it is asked for; then paid, void or uncollectible
--   settled     there is nothing to ask for, or nobody to ask: the lines are a statement, and no more
--   blocked     something is not as it should be, and an operator must look
CREATE TABLE aichat.invoices (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'closed' CHECK (state IN (
        'closed', 'drafted', 'created', 'pushed', 'compared', 'finalized', 'paid', 'void', 'uncollectible', 'settled',
        'blocked'
    )),
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    digest text,
    cost_nano_usd bigint CHECK (cost_nano_usd >= 0),
    total_cents bigint CHECK (total_cents >= 0),
    customer_id text,
    stripe_invoice_id text UNIQUE,
    number text,
    blocked_because text,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, period_start),
    CHECK (period_start = date_trunc('month', period_start, 'UTC')),
    CHECK (period_end = date_trunc('month', period_start + interval '32 days', 'UTC')),
    CHECK ((state = 'blocked') = (blocked_because IS NOT NULL)),
    CHECK (state IN ('closed', 'blocked') OR num_nulls(digest, cost_nano_usd, total_cents) = 0)
);
COMMENT ON COLUMN aichat.invoices.attempt IS 'Counts how often it was begun anew, on an operator''s request.';
COMMENT ON COLUMN aichat.invoices.digest IS 'SHA-256 over its lines: prices, terms, events and amounts.';
COMMENT ON COLUMN aichat.invoices.cost_nano_usd IS 'What the month''s usage cost, by the books.';
COMMENT ON COLUMN aichat.invoices.total_cents IS 'The sum of its lines.';

-- What changes an invoice beside usage. Rows are added and never changed. Below 0: in the organisation's favour.
CREATE TABLE aichat.adjustments (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    adjustment_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('credit', 'adjustment', 'refund', 'carried', 'returned')),
    amount_nano_usd bigint NOT NULL CHECK (amount_nano_usd <> 0),
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL CHECK (actor <> ''),
    period_start timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, adjustment_id),
    FOREIGN KEY (org_id, period_start) REFERENCES aichat.invoices,
    CHECK (kind NOT IN ('credit', 'refund', 'carried') OR amount_nano_usd < 0),
    CHECK ((kind IN ('refund', 'carried', 'returned')) = (period_start IS NOT NULL))
);
CREATE INDEX adjustments_by_time ON aichat.adjustments (org_id, created_at, adjustment_id);
COMMENT ON COLUMN aichat.adjustments.kind IS
    'A credit or adjustment, for the next invoice; a refund of a paid one; of credits, what an invoice was too small for, '
    'which is carried to the next; and what a void one had taken up, which is returned.';
COMMENT ON COLUMN aichat.adjustments.actor IS 'Who decided it.';
COMMENT ON COLUMN aichat.adjustments.period_start IS 'The invoice that it comes of; null for credits and adjustments.';

-- What was given back, and under which id at the payment provider.
CREATE TABLE aichat.refunds (
    org_id uuid NOT NULL,
    adjustment_id uuid NOT NULL,
    refund_id text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, adjustment_id),
    FOREIGN KEY (org_id, adjustment_id) REFERENCES aichat.adjustments
);

-- The lines of an invoice. One of usage names the events that it is made of by their number, the first and the last by
-- time and generation, and the SHA-256 over all of them in that order; so anybody who has the books can make it again.
CREATE TABLE aichat.invoice_lines (
    org_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    line integer NOT NULL CHECK (line > 0),
    kind text NOT NULL CHECK (kind IN ('usage', 'adjustment', 'carried')),
    cost_nano_usd bigint NOT NULL,
    included_nano_usd bigint NOT NULL CHECK (included_nano_usd >= 0),
    amount_cents bigint NOT NULL,
    description text NOT NULL,
    plan text,
    plan_version timestamptz,
    overage_basis_points integer,
    provider text,
    model text,
    price_version timestamptz,
    member_id uuid,
    input_tokens bigint NOT NULL DEFAULT 0,
    cache_read_tokens bigint NOT NULL DEFAULT 0,
    cache_write_tokens bigint NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens bigint NOT NULL DEFAULT 0,
    web_searches bigint NOT NULL DEFAULT 0,
    estimated boolean NOT NULL DEFAULT false,
    events bigint NOT NULL,
    first_at timestamptz,
    first_generation_id uuid,
    last_at timestamptz,
    last_generation_id uuid,
    hash text NOT NULL,
    adjustment_id uuid,
    PRIMARY KEY (org_id, period_start, line),
    UNIQUE (org_id, adjustment_id),
    FOREIGN KEY (org_id, period_start) REFERENCES aichat.invoices,
    FOREIGN KEY (org_id, adjustment_id) REFERENCES aichat.adjustments,
    CHECK ((kind = 'adjustment') = (adjustment_id IS NOT NULL)),
    CHECK ((kind = 'usage') = (plan IS NOT NULL)),
    CHECK (num_nulls(plan, plan_version, overage_basis_points) IN (0, 3)),
    CHECK (num_nulls(first_at, first_generation_id, last_at, last_generation_id) = CASE kind WHEN 'usage' THEN 0 ELSE 4 END)
);
COMMENT ON COLUMN aichat.invoice_lines.cost_nano_usd IS 'Of usage by the books; of the others, the amount.';
COMMENT ON COLUMN aichat.invoice_lines.included_nano_usd IS 'What of it the plan''s included usage covers.';
COMMENT ON COLUMN aichat.invoice_lines.amount_cents IS 'The rest and its margin, rounded once, half to even.';
COMMENT ON COLUMN aichat.invoice_lines.member_id IS
    'The member whose usage it is; null for all. So are provider, model and price_version, where there were too many.';

-- The invoices that are blocked, kept by a trigger: ids and times alone, since it is on the work list.
CREATE TABLE aichat.blocked_invoices (
    org_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    blocked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, period_start),
    FOREIGN KEY (org_id, period_start) REFERENCES aichat.invoices
);

CREATE FUNCTION aichat.list_blocked_invoice() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'blocked' THEN
        INSERT INTO aichat.blocked_invoices (org_id, period_start) VALUES (NEW.org_id, NEW.period_start);
    ELSE
        DELETE FROM aichat.blocked_invoices AS b WHERE b.org_id = NEW.org_id AND b.period_start = NEW.period_start;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER list_blocked AFTER UPDATE OF state ON aichat.invoices
FOR EACH ROW WHEN ((OLD.state = 'blocked') <> (NEW.state = 'blocked'))
EXECUTE FUNCTION aichat.list_blocked_invoice();
