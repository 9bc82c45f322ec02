-- What a known request_id began; null if it is not known.
CREATE OR REPLACE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'generation_id', g.generation_id,
        'conversation_id', g.conversation_id,
        'user_message_id', g.user_message_id,
        'message_id', g.message_id,
        'fingerprint', encode(g.fingerprint, 'hex'),
        'model', g.model,
        'requested_model', coalesce(g.requested_model, g.model),
        'provider', g.provider,
        'state', g.state,
        'error_reason', g.error_reason,
        'error_message', g.error_message,
        'answer', aichat.answer(g.org_id, g.message_id)
    )
    FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;
