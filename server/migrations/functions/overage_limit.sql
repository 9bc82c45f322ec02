-- What an organisation may be charged in the running month, where it goes on beyond what its plan includes: what the
-- plan includes over the rest of the month since it was gone over to, and as much usage on top as the overage cap, less
-- what invoices that were not paid ask for, allows with the plan's margin. Null: its plan has a hard limit, or there is
-- no cap. What was used in the month before a change of plan counts, too, so that nobody owes more than the cap.
CREATE OR REPLACE FUNCTION aichat.overage_limit(p_org_id uuid) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT
        floor(
            t.included_nano_usd * extract(epoch FROM piece.ends_at - piece.starts_at)
            / extract(epoch FROM m.ends_at - m.starts_at)
        )::bigint
        + floor(greatest(0, c.cap - owed.nano_usd)::numeric * 10000 / (10000 + t.overage_basis_points))::bigint
    FROM (
        SELECT date_trunc('month', now(), 'UTC') AS starts_at,
            (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' AS ends_at
    ) AS m
    CROSS JOIN LATERAL (
        SELECT * FROM aichat.plan_terms(p_org_id, m.starts_at, m.ends_at) AS p
        WHERE p.starts_at <= now() ORDER BY p.starts_at DESC LIMIT 1
    ) AS piece
    JOIN aichat.plans AS t ON t.plan = piece.plan AND t.valid_from = piece.valid_from
    CROSS JOIN LATERAL (
        SELECT coalesce(
            t.overage_cap_nano_usd, (SELECT l.nano_usd FROM aichat.platform_limits AS l WHERE l.name = 'overage')
        ) AS cap
    ) AS c
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(i.total_cents), 0) * 10000000 AS nano_usd
        FROM aichat.unpaid_invoices AS u
        JOIN aichat.invoices AS i ON i.org_id = u.org_id AND i.period_start = u.period_start
        WHERE u.org_id = p_org_id
    ) AS owed
    WHERE NOT t.hard AND c.cap IS NOT NULL
$$;
