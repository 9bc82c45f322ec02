-- Returns a generation as servers before revision 0020 know it. The revision after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.known_turn(g aichat.generations) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'generation_id', g.generation_id,
        'conversation_id', t.conversation_id,
        'user_message_id', t.user_message_id,
        'message_id', t.message_id,
        'fingerprint', coalesce(
            encode(g.fingerprint, 'hex'),
            (SELECT encode(r.fingerprint, 'hex') FROM aichat.requests AS r
             WHERE r.org_id = g.org_id AND r.generation_id = g.generation_id),
            ''
        ),
        'model', g.model,
        'requested_model', coalesce(g.requested_model, g.model),
        'provider', g.provider,
        'state', g.state,
        'error_reason', g.error_reason,
        'error_message', g.error_message,
        'answer', aichat.answer(g.org_id, t.message_id)
    )
    FROM aichat.turn_of(g.org_id, g.generation_id) AS t
$$;
