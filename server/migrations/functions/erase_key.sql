-- Erases an API key, except for its id in the ledger. Returns 'erased', 'missing', or 'busy' while an answer is being
-- written with it. Only the owner may call it, since nobody else may change these rows.
CREATE OR REPLACE FUNCTION aichat.erase_key(p_org_id uuid, p_key_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true);
    PERFORM FROM aichat.api_keys AS k WHERE k.org_id = p_org_id AND k.key_id = p_key_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    END IF;
    IF EXISTS (
        SELECT FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND g.key_id = p_key_id AND g.state = 'running'
    ) THEN
        RETURN 'busy';
    END IF;
    UPDATE aichat.generations AS g SET key_id = NULL WHERE g.org_id = p_org_id AND g.key_id = p_key_id;
    DELETE FROM aichat.outbox AS o USING aichat.quota_warnings AS w
    WHERE o.org_id = p_org_id AND w.org_id = p_org_id AND w.warning_id = o.message_id
      AND w.scope = 'key' AND w.scope_id = p_key_id;
    DELETE FROM aichat.quota_warnings AS w WHERE w.org_id = p_org_id AND w.scope = 'key' AND w.scope_id = p_key_id;
    DELETE FROM aichat.quota_usage AS u WHERE u.org_id = p_org_id AND u.scope = 'key' AND u.scope_id = p_key_id;
    DELETE FROM aichat.quotas AS q WHERE q.org_id = p_org_id AND q.scope = 'key' AND q.scope_id = p_key_id;
    DELETE FROM aichat.api_keys AS k WHERE k.org_id = p_org_id AND k.key_id = p_key_id;
    RETURN 'erased';
END
$$;
