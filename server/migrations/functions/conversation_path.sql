-- Returns the messages that a new message would follow, as aichat.begin_turn returns them, and stores nothing; null for
-- none. Raises AI001 if there is no such conversation, AI002 if there is no such message in it, and what
-- aichat.check_results raises. p: org_id, conversation_id, parent_message_id (null for the head), results, path_bytes,
-- whole (see aichat.begin_turn).
CREATE OR REPLACE FUNCTION aichat.conversation_path(p jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_conversation_id uuid := p ->> 'conversation_id';
    v_parent uuid := p ->> 'parent_message_id';
    v_head uuid;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    IF v_conversation_id IS NOT NULL THEN
        SELECT c.head_message_id INTO v_head FROM aichat.conversations AS c
        WHERE c.org_id = v_org_id AND c.conversation_id = v_conversation_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'AI001', MESSAGE = 'no such conversation';
        END IF;
        IF v_parent IS NULL THEN
            v_parent := v_head;
        ELSIF NOT EXISTS (
            SELECT FROM aichat.messages AS m
            WHERE m.org_id = v_org_id AND m.message_id = v_parent AND m.conversation_id = v_conversation_id
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'AI002', MESSAGE = 'no such message in the conversation';
        END IF;
    END IF;
    PERFORM aichat.check_results(v_org_id, v_parent, p -> 'results');
    RETURN (
        SELECT t.path FROM aichat.path_to(
            v_org_id, v_parent, (p ->> 'path_bytes')::bigint, (p ->> 'whole')::boolean
        ) AS t
        WHERE v_parent IS NOT NULL
    );
END
$$;
