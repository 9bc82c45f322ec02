-- Stores that a message uses files, which are kept from then on. p_files: their hashes. Raises AI006, whose detail is a
-- hash, if there is no such file, or none any more: the lock waits for a job that deletes it. Its plan is kept, as
-- aichat.path_to's.
CREATE OR REPLACE FUNCTION aichat.use_files(p_org_id uuid, p_message_id uuid, p_files jsonb) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_wanted text[] := ARRAY (SELECT DISTINCT w.sha256 FROM jsonb_array_elements_text(p_files) AS w (sha256));
    v_found text[] := ARRAY (
        SELECT f.sha256 FROM aichat.files AS f
        WHERE f.org_id = p_org_id AND f.sha256 = ANY (v_wanted) ORDER BY f.sha256 FOR KEY SHARE
    );
BEGIN
    IF cardinality(v_found) < cardinality(v_wanted) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'AI006', MESSAGE = 'no such file',
            DETAIL = (SELECT w.sha256 FROM unnest(v_wanted) AS w (sha256) WHERE w.sha256 <> ALL (v_found) LIMIT 1);
    END IF;
    INSERT INTO aichat.message_files (org_id, message_id, sha256)
    SELECT p_org_id, p_message_id, f.sha256 FROM unnest(v_found) AS f (sha256);
END
$$;
