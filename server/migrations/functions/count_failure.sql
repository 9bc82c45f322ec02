-- Counts a generation that failed before it used anything, as of p_at.
CREATE OR REPLACE FUNCTION aichat.count_failure(p_org_id uuid, p_generation_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM aichat.open_hour(p_org_id, p_at);
    INSERT INTO aichat.failures (
        org_id, generation_id, conversation_id, member_id, key_id, provider, model, error_reason, occurred_at
    )
    SELECT
        g.org_id, g.generation_id, (aichat.turn_of(p_org_id, p_generation_id)).conversation_id,
        g.member_id, g.key_id, g.provider, g.model,
        coalesce(g.error_reason, 'INTERNAL'), p_at
    FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
END
$$;
