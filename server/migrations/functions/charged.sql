-- Returns what an organisation, a member or a key was charged in a period, by the ledger.
CREATE OR REPLACE FUNCTION aichat.charged(
    p_org_id uuid, p_scope text, p_scope_id uuid, p_from timestamptz, p_until timestamptz
) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(e.cost_nano_usd), 0)::bigint FROM aichat.usage_events AS e
    WHERE e.org_id = p_org_id AND e.occurred_at >= p_from AND e.occurred_at < p_until
      AND CASE p_scope WHEN 'member' THEN e.member_id = p_scope_id WHEN 'key' THEN e.key_id = p_scope_id ELSE true END
$$;
