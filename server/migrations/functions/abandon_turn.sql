-- Fails a generation of a conversation that may or may not have begun (aichat.abandon_generation). The question that it
-- stored is deleted again (aichat.take_back).
CREATE OR REPLACE FUNCTION aichat.abandon_turn(p jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    PERFORM aichat.claim_generation(p - 'claim', NULL);
    PERFORM aichat.end_turn(
        p || '{"state": "failed", "is_empty": true, "usage": {}, "cost_nano_usd": 0, "orphan": false}'
    );
END
$$;

-- Abandons a turn for servers before revision 0020. The revision after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.abandon_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_id uuid, p_conversation_id uuid,
    p_user_message_id uuid, p_message_id uuid, p_fingerprint bytea, p_model text, p_provider text,
    p_error_reason text, p_error_message text
) RETURNS void
LANGUAGE sql AS $$
    SELECT aichat.abandon_turn(jsonb_build_object(
        'org_id', p_org_id, 'member_id', p_member_id, 'key_id', p_key_id, 'generation_id', p_generation_id,
        'model', p_model, 'provider', p_provider, 'options', '{}'::jsonb, 'sink', 'message',
        'error_reason', p_error_reason, 'error_message', p_error_message
    ));
    -- They need the ids if the turn's request arrives after all.
    INSERT INTO aichat.turns (org_id, generation_id, conversation_id, user_message_id, message_id, new_conversation)
    SELECT p_org_id, p_generation_id, p_conversation_id, p_user_message_id, p_message_id, false
    WHERE (aichat.turn_of(p_org_id, p_generation_id)).conversation_id IS NULL
    ON CONFLICT DO NOTHING
$$;
