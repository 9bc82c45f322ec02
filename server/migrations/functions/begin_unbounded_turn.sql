-- Begins a turn as servers of the version before do, which are shown the whole path.
CREATE OR REPLACE FUNCTION aichat.begin_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_request_id uuid, p_fingerprint bytea, p_conversation_id uuid,
    p_new_conversation boolean, p_title text, p_parent_message_id uuid, p_user_message_id uuid, p_message_id uuid,
    p_generation_id uuid, p_model text, p_provider text, p_parts jsonb, p_options jsonb,
    p_hold_known bigint, p_hold_history bigint, p_hold_most bigint, p_lease_seconds double precision,
    p_hold_seconds double precision, p_fail_closed boolean,
    OUT path json, OUT earlier json, OUT unchecked text
)
LANGUAGE sql AS $$
    SELECT b.path::json, b.earlier, b.unchecked FROM aichat.begin_turn(
        p_org_id, p_member_id, p_key_id, p_request_id, p_fingerprint, p_conversation_id, p_new_conversation, p_title,
        p_parent_message_id, p_user_message_id, p_message_id, p_generation_id, p_model, p_provider, p_parts, p_options,
        p_hold_known, p_hold_history, p_hold_most, p_lease_seconds, p_hold_seconds, p_fail_closed, NULL
    ) AS b
$$;
