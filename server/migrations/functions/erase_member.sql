-- Erases a member, except for its id in the ledger: deletes its conversations, blanks its messages in others'
-- conversations, blanks the name of its personal organisation, and deletes that one's files. Returns 'erased',
-- 'missing', 'busy' while an answer is being written for it, or 'owner' if it is the only owner of an organisation that
-- is not personal. Only the owner may call it, since nobody else may change these rows.
CREATE OR REPLACE FUNCTION aichat.erase_member(p_org_id uuid, p_member_id uuid, p_personal boolean) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true), set_config('aichat.member_id', p_member_id::text, true);
    PERFORM FROM aichat.members AS m WHERE m.org_id = p_org_id AND m.member_id = p_member_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    END IF;
    IF EXISTS (
        SELECT FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND g.member_id = p_member_id AND g.state = 'running'
    ) THEN
        RETURN 'busy';
    END IF;
    IF NOT p_personal AND NOT EXISTS (
        SELECT FROM aichat.members AS m
        WHERE m.org_id = p_org_id AND m.member_id <> p_member_id AND m.role = 'owner'
    ) THEN
        RETURN 'owner';
    END IF;

    DELETE FROM aichat.conversations AS c WHERE c.org_id = p_org_id AND c.member_id = p_member_id;
    DELETE FROM aichat.message_files AS f USING aichat.messages AS m
    WHERE f.org_id = p_org_id AND m.org_id = p_org_id AND m.message_id = f.message_id AND m.member_id = p_member_id;
    -- Summaries may have the words of all messages before them.
    DELETE FROM aichat.summaries AS s USING aichat.messages AS last, aichat.messages AS m
    WHERE s.org_id = p_org_id AND last.org_id = p_org_id AND last.message_id = s.message_id
      AND m.org_id = p_org_id AND m.conversation_id = last.conversation_id AND m.member_id = p_member_id;
    UPDATE aichat.messages AS m
    SET parts = '[{"type": "text", "text": "(erased)"}]', content = NULL, media_tokens = 0
    WHERE m.org_id = p_org_id AND m.member_id = p_member_id;
    DELETE FROM aichat.responses AS r USING aichat.generations AS g
    WHERE r.org_id = p_org_id AND g.org_id = p_org_id AND g.generation_id = r.generation_id
      AND g.member_id = p_member_id;
    DELETE FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.member_id = p_member_id
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS m WHERE m.org_id = p_org_id AND m.generation_id = g.generation_id
      );
    -- Answers in others' conversations belong to the others from now on.
    UPDATE aichat.generations AS g SET member_id = c.member_id, error_message = NULL
    FROM aichat.messages AS m
    JOIN aichat.conversations AS c ON c.org_id = m.org_id AND c.conversation_id = m.conversation_id
    WHERE g.org_id = p_org_id AND g.member_id = p_member_id
      AND m.org_id = p_org_id AND m.generation_id = g.generation_id;

    PERFORM aichat.erase_key(p_org_id, k.key_id) FROM aichat.api_keys AS k
    WHERE k.org_id = p_org_id AND k.member_id = p_member_id;
    DELETE FROM aichat.outbox AS o USING aichat.quota_warnings AS w
    WHERE o.org_id = p_org_id AND w.org_id = p_org_id AND w.warning_id = o.message_id AND w.member_id = p_member_id;
    DELETE FROM aichat.quota_warnings AS w
    WHERE w.org_id = p_org_id AND (w.member_id = p_member_id OR (w.scope = 'member' AND w.scope_id = p_member_id));
    DELETE FROM aichat.outbox AS o USING aichat.unpaid_notices AS n
    WHERE o.org_id = p_org_id AND n.org_id = p_org_id AND n.notice_id = o.message_id AND n.member_id = p_member_id;
    DELETE FROM aichat.unpaid_notices AS n WHERE n.org_id = p_org_id AND n.member_id = p_member_id;
    DELETE FROM aichat.outbox AS o USING aichat.unpaid_notices AS n
    WHERE o.org_id = p_org_id AND n.org_id = p_org_id AND n.notice_id = o.message_id AND n.member_id = p_member_id;
    DELETE FROM aichat.unpaid_notices AS n WHERE n.org_id = p_org_id AND n.member_id = p_member_id;
    DELETE FROM aichat.notification_settings AS s WHERE s.org_id = p_org_id AND s.member_id = p_member_id;
    DELETE FROM aichat.quota_usage AS u WHERE u.org_id = p_org_id AND u.scope = 'member' AND u.scope_id = p_member_id;
    DELETE FROM aichat.quotas AS q WHERE q.org_id = p_org_id AND q.scope = 'member' AND q.scope_id = p_member_id;
    DELETE FROM aichat.members AS m WHERE m.org_id = p_org_id AND m.member_id = p_member_id;
    IF p_personal THEN
        DELETE FROM aichat.message_files AS f WHERE f.org_id = p_org_id;
        DELETE FROM aichat.files AS f WHERE f.org_id = p_org_id;
        UPDATE aichat.organizations AS o SET name = p_org_id::text, contact_email = NULL WHERE o.org_id = p_org_id;
        DELETE FROM aichat.users AS u WHERE u.user_id = p_member_id;
    END IF;
    RETURN 'erased';
END
$$;
