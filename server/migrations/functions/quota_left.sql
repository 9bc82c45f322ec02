-- Returns what may still be charged before a hard quota is reached, with all holds of others; null without a hard
-- quota. It is for a turn whose own hold has expired, so that others may have spent the amount since. The counters stay
-- locked until the turn is charged. If this fails, so does the charge, and the generation is marked.
CREATE OR REPLACE FUNCTION aichat.quota_left(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_quotas aichat.quota_in_period[];
BEGIN
    v_quotas := aichat.locked_quotas(p_org_id, p_member_id, p_key_id, p_at);
    RETURN (
        SELECT greatest(0, min(q.hard_nano_usd - u.charged_nano_usd - h.held))
        FROM unnest(v_quotas) AS q
        JOIN aichat.quota_usage AS u ON u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
            AND u.period = q.period AND u.period_start = q.period_start
        CROSS JOIN LATERAL aichat.held(p_org_id, q.scope, q.scope_id) AS h (held)
        WHERE q.hard_nano_usd IS NOT NULL HAVING count(*) > 0
    );
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
