-- Returns the summary of the nearest message that the given one follows, and how many messages follow that one, the
-- given one included; null if there is none. p: org_id, message_id.
CREATE OR REPLACE FUNCTION aichat.find_summary(p jsonb, OUT summary text, OUT followed_by integer)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_next uuid := p ->> 'message_id';
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    followed_by := 0;
    WHILE v_next IS NOT NULL
    LOOP
        SELECT s.summary INTO summary FROM aichat.summaries AS s
        WHERE s.org_id = v_org_id AND s.message_id = v_next;
        EXIT WHEN FOUND;
        SELECT m.parent_message_id INTO v_next FROM aichat.messages AS m
        WHERE m.org_id = v_org_id AND m.message_id = v_next;
        followed_by := followed_by + 1;
    END LOOP;
END
$$;
