-- Returns a stored response: request, owns_conversation, and where it stands: state, the generation's; conversation_id
-- and message_id, the answer's; null if the organisation has none with this id. With p.input also input: message_id,
-- role and parts of each message that was stored with the question, in their order. p: org_id, generation_id, input.
CREATE OR REPLACE FUNCTION aichat.find_response(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_generation_id uuid := p ->> 'generation_id';
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    RETURN (
        SELECT json_build_object(
            'request', r.request,
            'owns_conversation', r.owns_conversation,
            'state', g.state,
            'conversation_id', t.conversation_id,
            'message_id', t.message_id,
            'input', CASE WHEN (p ->> 'input')::boolean THEN (
                SELECT json_agg(
                    json_build_object(
                        'message_id', m.message_id, 'role', m.role, 'parts', coalesce(m.content, m.parts)
                    ) ORDER BY m.created_at, m.message_id
                )
                FROM aichat.messages AS m
                WHERE m.org_id = v_org_id AND m.message_id = ANY (t.earlier || t.user_message_id)
            ) END
        )
        FROM aichat.responses AS r
        JOIN aichat.generations AS g ON g.org_id = r.org_id AND g.generation_id = r.generation_id
        JOIN aichat.turns AS t ON t.org_id = r.org_id AND t.generation_id = r.generation_id
        WHERE r.org_id = v_org_id AND r.generation_id = v_generation_id
    );
END
$$;
