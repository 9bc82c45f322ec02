-- What is known of a generation that answers in a conversation: generation, as aichat.known_generation describes it;
-- place, its ids there; and message, the answer as it is stored, null if there is none, or none yet. t may be null.
CREATE OR REPLACE FUNCTION aichat.known_turn(g aichat.generations, t aichat.turns) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'generation', aichat.known_generation(g),
        'place', json_build_object(
            'conversation_id', t.conversation_id, 'user_message_id', t.user_message_id, 'message_id', t.message_id
        ),
        'message', (
            SELECT json_build_object('parts', m.parts, 'member_id', m.member_id, 'created_at', m.created_at)
            FROM aichat.messages AS m
            WHERE m.org_id = g.org_id AND m.message_id = t.message_id AND NOT m.running
        )
    )
$$;

-- What servers before revision 0020 know of it. It may go with the revision after that.
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
