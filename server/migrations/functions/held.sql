-- Returns the most that the running turns of an organisation, a member or a key may cost.
CREATE OR REPLACE FUNCTION aichat.held(p_org_id uuid, p_scope text, p_scope_id uuid) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(h.amount_nano_usd), 0)::bigint FROM aichat.holds AS h
    WHERE h.org_id = p_org_id AND h.expires_at > now()
      AND CASE p_scope WHEN 'member' THEN h.member_id = p_scope_id WHEN 'key' THEN h.key_id = p_scope_id ELSE true END
$$;
