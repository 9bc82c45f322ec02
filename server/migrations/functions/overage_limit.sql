-- Returns what an organisation may be charged in the current month if its plan allows usage above what is included.
-- That is what the plan includes, prorated from the change to the plan to the month's end, and the usage that the
-- overage cap allows with the plan's overage. The cap is reduced by unpaid invoices. Null: the plan has a hard limit,
-- or there is no cap. Usage of the month before a change of plan counts, too, so that nobody owes more than the cap.
CREATE OR REPLACE FUNCTION aichat.overage_limit(p_org_id uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_month timestamptz := date_trunc('month', now(), 'UTC');
    v_end timestamptz := (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    v_period record;
    v_terms record;
    v_cap bigint;
    v_owed numeric;
BEGIN
    SELECT p.plan, p.starts_at INTO v_period FROM aichat.plan_periods AS p
    WHERE p.org_id = p_org_id AND p.ends_at IS NULL;
    SELECT t.valid_from, t.included_nano_usd, t.hard, t.overage_basis_points, t.overage_cap_nano_usd INTO v_terms
    FROM aichat.plans AS t
    WHERE t.plan = v_period.plan AND t.valid_from <= now() ORDER BY t.valid_from DESC LIMIT 1;
    IF v_terms.hard IS DISTINCT FROM false THEN
        RETURN NULL;
    END IF;
    v_cap := coalesce(
        v_terms.overage_cap_nano_usd, (SELECT l.nano_usd FROM aichat.platform_limits AS l WHERE l.name = 'overage')
    );
    IF v_cap IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(i.total_cents), 0) * 10000000 INTO v_owed
    FROM aichat.unpaid_invoices AS u
    JOIN aichat.invoices AS i ON i.org_id = u.org_id AND i.period_start = u.period_start
    WHERE u.org_id = p_org_id;
    RETURN floor(
        v_terms.included_nano_usd
        * extract(epoch FROM v_end - greatest(v_period.starts_at, v_terms.valid_from, v_month))
        / extract(epoch FROM v_end - v_month)
    ) + floor(greatest(0, v_cap - v_owed) * 10000 / (10000 + v_terms.overage_basis_points));
END
$$;
