-- Locks the counters that a turn is held to, always in the same order, and sums up from the books those that are not
-- there yet. False if there are none.
CREATE OR REPLACE FUNCTION aichat.lock_quotas(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_quota record;
    v_any boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.quota_lock(p_org_id));
    FOR v_quota IN
        SELECT * FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, p_at) AS q ORDER BY q.scope, q.period
    LOOP
        v_any := true;
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
    RETURN v_any;
END
$$;
