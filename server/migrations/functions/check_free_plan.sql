-- Refuses a turn that could raise all organisations on Free above what they may use together in a month: SQLSTATE
-- AI003, with details as JSON. It takes no lock, so turns that begin at the same time may exceed the limit together, by
-- their own cost at most.
CREATE OR REPLACE FUNCTION aichat.check_free_plan(p_org_id uuid, p_amount bigint, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_refusal json;
BEGIN
    SELECT json_build_object(
        'scope', 'organization', 'scope_id', p_org_id, 'period', 'month', 'limit', l.nano_usd, 'used', f.used,
        'needed', p_amount, 'cap', 'free_plan', 'resets_at',
        (date_trunc('month', p_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'
    ) INTO v_refusal
    FROM aichat.organizations AS o
    JOIN aichat.platform_limits AS l ON l.name = 'free_plan'
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(u.charged_nano_usd), 0)::bigint AS used FROM aichat.free_usage AS u
        WHERE u.period_start = date_trunc('month', p_at, 'UTC')
    ) AS f
    WHERE o.org_id = p_org_id AND o.plan = 'free' AND f.used + p_amount > l.nano_usd;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'AI003', MESSAGE = 'over what Free may use', DETAIL = v_refusal::text;
    END IF;
END
$$;
