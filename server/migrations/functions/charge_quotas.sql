-- Charges what a generation cost to its quotas, and to Free as a whole if that is its plan. Call it before the ledger
-- has the event, so that counters that are summed now do not include it. If it fails, the ledger is still right: the
-- generation is marked, and the next change of the quota sums it again.
CREATE OR REPLACE FUNCTION aichat.charge_quotas(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_id uuid, p_cost bigint, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_quotas aichat.quota_in_period[];
BEGIN
    v_quotas := aichat.locked_quotas(p_org_id, p_member_id, p_key_id, p_at);
    IF cardinality(v_quotas) > 0 THEN
        UPDATE aichat.quota_usage AS u SET charged_nano_usd = u.charged_nano_usd + p_cost
        FROM unnest(v_quotas) AS q
        WHERE u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
          AND u.period = q.period AND u.period_start = q.period_start;
    END IF;
    PERFORM aichat.count_free_usage(p_org_id, p_generation_id, p_cost, p_at);
EXCEPTION WHEN OTHERS THEN
    UPDATE aichat.generations AS g SET quota_unchecked = true
    WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
END
$$;
