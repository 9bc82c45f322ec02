-- Refuses a turn that could raise its organisation, member or key above a hard quota: SQLSTATE AI003, whose detail
-- names the quota, as JSON. The counters stay locked, so that the next turn sees this one's hold.
CREATE OR REPLACE FUNCTION aichat.check_quotas(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_amount bigint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_quotas aichat.quota_in_period[];
    v_refusal json;
BEGIN
    PERFORM aichat.check_free_plan(p_org_id, p_amount, v_at);
    v_quotas := aichat.locked_quotas(p_org_id, p_member_id, p_key_id, v_at);
    IF cardinality(v_quotas) = 0 THEN
        RETURN;
    END IF;
    -- A separate statement after the locks: it sees the charges and holds of all turns before this one. Of several
    -- quotas, it reports the one that resets last, because the caller has to wait for that one.
    SELECT json_build_object(
        'scope', q.scope, 'scope_id', q.scope_id, 'period', q.period, 'limit', q.hard_nano_usd,
        'used', u.charged_nano_usd + h.held, 'needed', p_amount, 'resets_at', q.period_end,
        'cap', CASE
            WHEN q.scope = 'organization' AND q.hard_nano_usd = aichat.overage_limit(p_org_id) AND NOT EXISTS (
                SELECT FROM aichat.quotas AS own
                WHERE own.org_id = p_org_id AND own.scope = q.scope AND own.period = q.period
                  AND own.hard_nano_usd IS NOT NULL
            ) THEN 'overage'
        END
    ) INTO v_refusal
    FROM unnest(v_quotas) AS q
    JOIN aichat.quota_usage AS u ON u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
        AND u.period = q.period AND u.period_start = q.period_start
    CROSS JOIN LATERAL aichat.held(p_org_id, q.scope, q.scope_id) AS h (held)
    WHERE u.charged_nano_usd + h.held + p_amount > q.hard_nano_usd
    ORDER BY q.period_end DESC, q.hard_nano_usd - u.charged_nano_usd - h.held, q.scope
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'AI003', MESSAGE = 'over quota', DETAIL = v_refusal::text;
    END IF;
END
$$;
