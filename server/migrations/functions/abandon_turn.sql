-- Fails a turn of which nobody knows whether it has begun, since every reply was lost: one that has begun ends without
-- a trace, and one whose request is still on its way cannot begin when it arrives. One that has ended is left as it is.
CREATE OR REPLACE FUNCTION aichat.abandon_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_id uuid, p_conversation_id uuid,
    p_user_message_id uuid, p_message_id uuid, p_fingerprint bytea, p_model text, p_provider text,
    p_error_reason text, p_error_message text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true), set_config('aichat.member_id', p_member_id::text, true);
    -- It takes the id, and leaves the request_id to whoever sends the message again.
    INSERT INTO aichat.generations (
        org_id, generation_id, conversation_id, user_message_id, message_id, member_id, key_id, fingerprint, model,
        provider, options, new_conversation, state, started_at
    ) VALUES (
        p_org_id, p_generation_id, p_conversation_id, p_user_message_id, p_message_id, p_member_id, p_key_id,
        p_fingerprint, p_model, p_provider, '{}', false, 'running', now()
    ) ON CONFLICT (org_id, generation_id) DO NOTHING;
    PERFORM aichat.end_turn(
        p_org_id => p_org_id, p_member_id => p_member_id, p_generation_id => p_generation_id,
        p_conversation_id => p_conversation_id, p_user_message_id => p_user_message_id, p_message_id => p_message_id,
        p_state => 'failed', p_parts => NULL, p_stop_reason => NULL, p_input_tokens => 0, p_cache_read_tokens => 0,
        p_cache_write_tokens => 0, p_output_tokens => 0, p_reasoning_tokens => 0, p_usage_estimated => false,
        p_raw_usage => NULL, p_cost_nano_usd => 0, p_price_version => NULL, p_error_reason => p_error_reason,
        p_error_message => p_error_message, p_model => p_model, p_provider => p_provider,
        p_cache_write_1h_tokens => 0, p_web_searches => 0, p_first_delta_ms => NULL, p_orphan => false
    );
END
$$;
