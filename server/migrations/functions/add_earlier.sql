-- Stores messages of a caller's own history, one after the other behind p_parent (null: at the beginning of the
-- conversation), and returns the last one. The first one has the time p_at, and each next one a microsecond more.
--
-- p_earlier: message_id, role, parts, content, media_tokens and files of each, as for aichat.begin_turn. Raises what
-- aichat.use_files raises.
CREATE OR REPLACE FUNCTION aichat.add_earlier(
    p_earlier jsonb, p_org_id uuid, p_member_id uuid, p_conversation_id uuid, p_parent uuid, p_at timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_message jsonb;
    v_message_id uuid;
    v_parent uuid := p_parent;
    v_at timestamptz := p_at;
BEGIN
    FOR v_message IN SELECT e.value FROM jsonb_array_elements(p_earlier) AS e (value)
    LOOP
        v_message_id := v_message ->> 'message_id';
        INSERT INTO aichat.messages (
            org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, content, media_tokens,
            state, running, generation_id, created_at
        ) VALUES (
            p_org_id, v_message_id, p_conversation_id, v_parent, p_member_id, v_message ->> 'role',
            v_message -> 'parts', nullif(v_message -> 'content', 'null'), (v_message ->> 'media_tokens')::integer,
            'complete', false, NULL, v_at
        );
        IF v_message ->> 'files' <> '[]' THEN
            PERFORM aichat.use_files(p_org_id, v_message_id, v_message -> 'files');
        END IF;
        v_parent := v_message_id;
        v_at := v_at + interval '1 microsecond';
    END LOOP;
    RETURN v_parent;
END
$$;
