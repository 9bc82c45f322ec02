-- An organisation's quotas. What its plan includes is one of them where its limit is hard, unless the operator has set
-- the organisation's quota for the month, which then stands for it.
CREATE OR REPLACE FUNCTION aichat.quotas_in_force(p_org_id uuid)
RETURNS TABLE (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, soft_nano_usd bigint, updated_at timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT q.scope, q.scope_id, q.period, q.hard_nano_usd, q.soft_nano_usd, q.updated_at FROM aichat.quotas AS q
    WHERE q.org_id = p_org_id
    UNION ALL
    SELECT
        'organization', o.org_id, 'month', t.included_nano_usd, NULL,
        (SELECT p.starts_at FROM aichat.plan_periods AS p WHERE p.org_id = o.org_id AND p.ends_at IS NULL)
    FROM aichat.organizations AS o
    CROSS JOIN LATERAL (
        SELECT p.included_nano_usd, p.hard FROM aichat.plans AS p
        WHERE p.plan = o.plan AND p.valid_from <= now() ORDER BY p.valid_from DESC LIMIT 1
    ) AS t
    WHERE o.org_id = p_org_id AND t.hard AND NOT EXISTS (
        SELECT FROM aichat.quotas AS q
        WHERE q.org_id = p_org_id AND q.scope = 'organization' AND q.period = 'month'
    )
$$;
