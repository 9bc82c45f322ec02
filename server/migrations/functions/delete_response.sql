-- Deletes a stored response, and the conversation that only responses made with the last of them. Returns whether there
-- was one. p: org_id, member_id, generation_id.
CREATE OR REPLACE FUNCTION aichat.delete_response(p jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_conversation_id uuid;
    v_owns boolean;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    -- The conversation before the rest, as where turns begin and end.
    SELECT r.conversation_id INTO v_conversation_id FROM aichat.responses AS r
    WHERE r.org_id = v_org_id AND r.generation_id = (p ->> 'generation_id')::uuid;
    PERFORM FROM aichat.conversations AS c
    WHERE c.org_id = v_org_id AND c.conversation_id = v_conversation_id FOR UPDATE;
    DELETE FROM aichat.responses AS r WHERE r.org_id = v_org_id AND r.generation_id = (p ->> 'generation_id')::uuid
    RETURNING r.owns_conversation INTO v_owns;
    IF v_owns AND NOT EXISTS (
        SELECT FROM aichat.responses AS r WHERE r.org_id = v_org_id AND r.conversation_id = v_conversation_id
    ) THEN
        DELETE FROM aichat.conversations AS c
        WHERE c.org_id = v_org_id AND c.conversation_id = v_conversation_id;
    END IF;
    RETURN v_owns IS NOT NULL;
END
$$;
