ALTER TABLE aichat.generations
    DROP CONSTRAINT generations_state_check,
    ADD CONSTRAINT generations_state_check
        CHECK (state IN ('running', 'complete', 'failed', 'interrupted', 'cancelled'));
ALTER TABLE aichat.messages
    DROP CONSTRAINT messages_state_check,
    ADD CONSTRAINT messages_state_check CHECK (state IN ('complete', 'failed', 'interrupted', 'cancelled'));

-- What is known of a generation's turn, as earlier_turn says it; null if the organisation has no such generation.
CREATE FUNCTION aichat.find_turn(p_org_id uuid, p_generation_id uuid) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true);
    RETURN (
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
        WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id
    );
END
$$;
REVOKE EXECUTE ON FUNCTION aichat.find_turn FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aichat.find_turn TO aichat_app;
