-- Stores a summary of the conversation up to the message that p.followed_by messages follow, of which the given one
-- is the last. Does nothing if they were deleted meanwhile. p: org_id, message_id, followed_by, summary.
CREATE OR REPLACE FUNCTION aichat.keep_summary(p jsonb) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_message_id uuid := p ->> 'message_id';
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    FOR n IN 1 .. (p ->> 'followed_by')::integer
    LOOP
        SELECT m.parent_message_id INTO v_message_id FROM aichat.messages AS m
        WHERE m.org_id = v_org_id AND m.message_id = v_message_id;
    END LOOP;
    INSERT INTO aichat.summaries (org_id, message_id, summary)
    SELECT m.org_id, m.message_id, p ->> 'summary' FROM aichat.messages AS m
    WHERE m.org_id = v_org_id AND m.message_id = v_message_id
    FOR KEY SHARE
    ON CONFLICT (org_id, message_id) DO UPDATE SET summary = excluded.summary;
END
$$;
