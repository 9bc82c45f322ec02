-- Returns the terms of an organisation's plans between two moments, as half-open pieces without a gap.
CREATE OR REPLACE FUNCTION aichat.plan_terms(p_org_id uuid, p_from timestamptz, p_until timestamptz)
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
