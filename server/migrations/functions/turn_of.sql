-- Returns how a generation belongs to a conversation; null if it does not. A generation that a server before revision
-- 0020 began has this in its own row.
CREATE OR REPLACE FUNCTION aichat.turn_of(p_org_id uuid, p_generation_id uuid) RETURNS aichat.turns
LANGUAGE plpgsql STABLE AS $$
DECLARE
    t aichat.turns;
BEGIN
    SELECT * INTO t FROM aichat.turns AS r WHERE r.org_id = p_org_id AND r.generation_id = p_generation_id;
    IF NOT FOUND THEN
        SELECT
            g.org_id, g.generation_id, g.conversation_id, g.user_message_id, g.message_id, g.new_conversation,
            g.pending_title, g.head_before, g.updated_before
        INTO t FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id AND g.conversation_id IS NOT NULL;
    END IF;
    RETURN t;
END
$$;
