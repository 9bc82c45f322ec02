-- Deletes generations that ended before p_before and have no messages: checks p_most of them, in the order of their
-- ids, after p_after. Returns where the next call continues, null at the end, and the number deleted. Their cost stays
-- in the ledger.
CREATE OR REPLACE FUNCTION aichat.purge_generations(
    p_org_id uuid, p_before timestamptz, p_after uuid, p_most integer, OUT after uuid, OUT forgotten integer
)
LANGUAGE plpgsql AS $$
DECLARE
    v_page uuid[];
BEGIN
    v_page := ARRAY (
        SELECT g.generation_id FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND (p_after IS NULL OR g.generation_id > p_after)
        ORDER BY g.generation_id LIMIT p_most
    );
    DELETE FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.generation_id = ANY (v_page) AND g.ended_at < p_before
      AND NOT EXISTS (
          SELECT FROM aichat.turn_of(p_org_id, g.generation_id) AS t
          JOIN aichat.messages AS m ON m.org_id = p_org_id AND m.message_id IN (t.user_message_id, t.message_id)
      )
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS m WHERE m.org_id = p_org_id AND m.generation_id = g.generation_id
      );
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    after := CASE WHEN cardinality(v_page) = p_most THEN v_page[p_most] END;
END
$$;
