-- What is known of a generation's turn.
CREATE OR REPLACE FUNCTION aichat.known_turn(g aichat.generations) RETURNS json
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
$$;
