-- Returns an organisation's quotas. What its plan includes counts as a quota if its limit is hard, unless the operator
-- has set the organisation's quota for the month, which replaces it. If the plan allows usage above what is included,
-- the overage limit counts as a quota in the same way, unless the operator has set a hard quota.
CREATE OR REPLACE FUNCTION aichat.quotas_in_force(p_org_id uuid)
RETURNS TABLE (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, soft_nano_usd bigint, updated_at timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT
        q.scope, q.scope_id, q.period,
        CASE
            WHEN q.scope = 'organization' AND q.period = 'month' AND q.hard_nano_usd IS NULL
            THEN aichat.overage_limit(p_org_id)
            ELSE q.hard_nano_usd
        END,
        q.soft_nano_usd, q.updated_at
    FROM aichat.quotas AS q
    WHERE q.org_id = p_org_id
    UNION ALL
    SELECT
        'organization', o.org_id, 'month', l.hard_nano_usd, NULL,
        (SELECT p.starts_at FROM aichat.plan_periods AS p WHERE p.org_id = o.org_id AND p.ends_at IS NULL)
    FROM aichat.organizations AS o
    CROSS JOIN LATERAL (
        SELECT p.included_nano_usd, p.hard FROM aichat.plans AS p
        WHERE p.plan = o.plan AND p.valid_from <= now() ORDER BY p.valid_from DESC LIMIT 1
    ) AS t
    CROSS JOIN LATERAL (
        -- OFFSET keeps the planner from computing the limit once for each place that names it.
        SELECT CASE WHEN t.hard THEN t.included_nano_usd ELSE aichat.overage_limit(p_org_id) END AS hard_nano_usd
        OFFSET 0
    ) AS l
    WHERE o.org_id = p_org_id AND l.hard_nano_usd IS NOT NULL AND NOT EXISTS (
        SELECT FROM aichat.quotas AS q
        WHERE q.org_id = p_org_id AND q.scope = 'organization' AND q.period = 'month'
    )
$$;
