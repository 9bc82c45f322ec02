-- Locks the counters of the quotas that a member with a key must keep to, always in the same order, and returns these
-- quotas. A counter that is missing is summed from the ledger. Later statements see what earlier holders of the locks
-- wrote.
CREATE OR REPLACE FUNCTION aichat.locked_quotas(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz
) RETURNS aichat.quota_in_period[]
LANGUAGE plpgsql AS $$
DECLARE
    v_quotas aichat.quota_in_period[];
    v_quota aichat.quota_in_period;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.quota_lock(p_org_id));
    v_quotas := ARRAY (
        SELECT (q.scope, q.scope_id, q.period, q.hard_nano_usd, q.period_start, q.period_end)::aichat.quota_in_period
        FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, p_at) AS q ORDER BY q.scope, q.period
    );
    FOREACH v_quota IN ARRAY v_quotas
    LOOP
        PERFORM FROM aichat.quota_usage AS u
        WHERE u.org_id = p_org_id AND u.scope = v_quota.scope AND u.scope_id = v_quota.scope_id
          AND u.period = v_quota.period AND u.period_start = v_quota.period_start
        FOR NO KEY UPDATE;
        CONTINUE WHEN FOUND;
        -- Of two that find none, the second waits for the first, and locks what it made.
        INSERT INTO aichat.quota_usage AS u (org_id, scope, scope_id, period, period_start, charged_nano_usd)
        VALUES (
            p_org_id, v_quota.scope, v_quota.scope_id, v_quota.period, v_quota.period_start,
            aichat.charged(p_org_id, v_quota.scope, v_quota.scope_id, v_quota.period_start, v_quota.period_end)
        ) ON CONFLICT (org_id, scope, scope_id, period, period_start)
        DO UPDATE SET charged_nano_usd = u.charged_nano_usd;
    END LOOP;
    RETURN v_quotas;
END
$$;
