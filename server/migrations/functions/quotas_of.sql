-- Returns the quotas that apply to a member, with or without a key, at a moment, with their period at that moment.
CREATE OR REPLACE FUNCTION aichat.quotas_of(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz)
RETURNS TABLE (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, soft_nano_usd bigint,
    period_start timestamptz, period_end timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT
        q.scope, q.scope_id, q.period, q.hard_nano_usd, q.soft_nano_usd,
        date_trunc(q.period, p_at, 'UTC'),
        (date_trunc(q.period, p_at AT TIME ZONE 'UTC') + ('1 ' || q.period)::interval) AT TIME ZONE 'UTC'
    FROM aichat.quotas_in_force(p_org_id) AS q
    WHERE (q.scope, q.scope_id) IN (
        VALUES ('organization', p_org_id), ('member', p_member_id), ('key', p_key_id)
    )
$$;
