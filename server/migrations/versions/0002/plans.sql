-- What may be subscribed to. A row is the terms of a plan from a moment on: rows are added and never changed, and none
-- from a moment that is past, so that what was used stays under the terms that it was used under. The terms in force
-- are the newest that have begun. Amounts are nano-dollars a month.
CREATE TABLE aichat.plans (
    plan text NOT NULL CHECK (plan IN ('free', 'pro', 'team')),
    valid_from timestamptz NOT NULL,
    name text NOT NULL,
    lookup_key text,
    seat_nano_usd bigint NOT NULL CHECK (seat_nano_usd >= 0 AND seat_nano_usd % 10000000 = 0),
    most_seats int CHECK (most_seats > 0),
    included_nano_usd bigint NOT NULL CHECK (included_nano_usd >= 0),
    hard boolean NOT NULL,
    overage_basis_points int NOT NULL CHECK (overage_basis_points >= 0),
    caller_requests int NOT NULL CHECK (caller_requests > 0),
    caller_tokens int NOT NULL CHECK (caller_tokens > 0),
    caller_streams int NOT NULL CHECK (caller_streams > 0),
    organization_requests int NOT NULL CHECK (organization_requests > 0),
    organization_tokens int NOT NULL CHECK (organization_tokens > 0),
    organization_streams int NOT NULL CHECK (organization_streams > 0),
    models text[] CHECK (cardinality(models) > 0),
    retention_days int CHECK (retention_days > 0),
    trial_days int NOT NULL CHECK (trial_days BETWEEN 0 AND 730),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan, valid_from),
    CHECK (valid_from >= created_at),
    CHECK ((lookup_key IS NULL) = (seat_nano_usd = 0)),
    CHECK ((lookup_key IS NULL) = (plan = 'free'))
);
COMMENT ON COLUMN aichat.plans.lookup_key IS
    'Of the price at the payment provider, one for each amount: what was sold at a price keeps it. Null: not sold.';
COMMENT ON COLUMN aichat.plans.seat_nano_usd IS 'For each seat, which is a member; whole cents.';
COMMENT ON COLUMN aichat.plans.most_seats IS 'The most members; null: any number.';
COMMENT ON COLUMN aichat.plans.included_nano_usd IS
    'Usage that costs no more than the plan itself, for the whole organisation.';
COMMENT ON COLUMN aichat.plans.hard IS 'Above what is included turns are refused; else they are charged.';
COMMENT ON COLUMN aichat.plans.overage_basis_points IS
    'Hundredths of a percent that usage above what is included costs on top of its price.';
COMMENT ON COLUMN aichat.plans.caller_requests IS
    'A minute, for each API key and each member who is signed in; so are the tokens, and the streams are open at once.';
COMMENT ON COLUMN aichat.plans.models IS 'The models that may be asked; null: all.';
COMMENT ON COLUMN aichat.plans.retention_days IS 'How long conversations are kept; null: until they are deleted.';
COMMENT ON COLUMN aichat.plans.trial_days IS 'Days without payment when an organisation subscribes for the first time.';

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.plans
    FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change();

INSERT INTO aichat.plans VALUES
    ('free', '1970-01-01 00:00:00Z', 'Free', NULL, 0, 1, 5000000000, true, 0,
     60, 100000, 4, 120, 200000, 8, NULL, NULL, 0, '1970-01-01 00:00:00Z'),
    ('pro', '1970-01-01 00:00:00Z', 'Pro', 'aichat-pro-20', 20000000000, 1, 20000000000, false, 2000,
     600, 2000000, 50, 1200, 4000000, 100, NULL, NULL, 14, '1970-01-01 00:00:00Z'),
    ('team', '1970-01-01 00:00:00Z', 'Team', 'aichat-team-30', 30000000000, NULL, 30000000000, false, 1000,
     30000, 50000000, 2000, 60000, 100000000, 4000, NULL, NULL, 14, '1970-01-01 00:00:00Z');

-- Which plan an organisation was on when: one row after the other without a gap, the last without an end. Half-open.
CREATE TABLE aichat.plan_periods (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    plan text NOT NULL CHECK (plan IN ('free', 'pro', 'team')),
    PRIMARY KEY (org_id, starts_at),
    CHECK (ends_at > starts_at)
);
CREATE UNIQUE INDEX plan_periods_current ON aichat.plan_periods (org_id) WHERE ends_at IS NULL;

CREATE FUNCTION aichat.begin_plan_periods() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO aichat.plan_periods (org_id, starts_at, plan) VALUES (NEW.org_id, '-infinity', NEW.plan);
    RETURN NULL;
END
$$;
CREATE TRIGGER plan_periods AFTER INSERT ON aichat.organizations
    FOR EACH ROW EXECUTE FUNCTION aichat.begin_plan_periods();

-- Puts an organisation on a plan from a moment on; the one that it is on already changes nothing. A moment before the
-- last change becomes that one: what is past stays as it was.
CREATE FUNCTION aichat.set_plan(p_org_id uuid, p_plan text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- With the plan its quota changes, which was not counted while it was not in force.
    PERFORM pg_advisory_xact_lock(aichat.quota_lock(p_org_id));
    UPDATE aichat.organizations AS o SET plan = p_plan WHERE o.org_id = p_org_id AND o.plan <> p_plan;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM aichat.quota_usage AS u WHERE u.org_id = p_org_id AND u.scope = 'organization';
    UPDATE aichat.plan_periods AS p SET plan = p_plan
    WHERE p.org_id = p_org_id AND p.ends_at IS NULL AND p.starts_at >= p_at;
    IF NOT FOUND THEN
        UPDATE aichat.plan_periods AS p SET ends_at = p_at WHERE p.org_id = p_org_id AND p.ends_at IS NULL;
        INSERT INTO aichat.plan_periods (org_id, starts_at, plan) VALUES (p_org_id, p_at, p_plan);
    END IF;
END
$$;

-- Which terms of which plan an organisation had when, between two moments: half-open pieces without a gap.
CREATE FUNCTION aichat.plan_terms(p_org_id uuid, p_from timestamptz, p_until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, plan text, valid_from timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT
        greatest(p.starts_at, t.valid_from, p_from), least(p.ends_at, t.valid_until, p_until), p.plan, t.valid_from
    FROM aichat.plan_periods AS p
    JOIN (
        SELECT v.plan, v.valid_from, lead(v.valid_from) OVER (PARTITION BY v.plan ORDER BY v.valid_from) AS valid_until
        FROM aichat.plans AS v
    ) AS t ON t.plan = p.plan
    WHERE p.org_id = p_org_id
      AND greatest(p.starts_at, t.valid_from, p_from) < least(p.ends_at, t.valid_until, p_until)
    ORDER BY 1
$$;

-- Plans are no tenant's: everyone reads them, and the owner alone adds to them.
ALTER TABLE aichat.plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON aichat.plans FOR SELECT USING (true);
GRANT SELECT ON aichat.plans TO aichat_app;
GRANT SELECT, INSERT, UPDATE ON aichat.plan_periods TO aichat_app;
SELECT aichat.protect('plan_periods');
