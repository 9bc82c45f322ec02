-- Returns the messages that lead to the given one, and that message, as a JSON list: all from the conversation's first,
-- or as many of the newest as exceed p_most_bytes (null: no limit). An answer that is being written comes with its
-- generation.
--
-- One look-up a message costs a fifth of a recursive query. The JSON is built as text, which costs a third of the
-- database's JSON functions. The plan is kept while the table grows, so it must use the index even if it was made while
-- the table was nearly empty.
CREATE OR REPLACE FUNCTION aichat.path_to(p_org_id uuid, p_message_id uuid, p_most_bytes bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    v_next uuid := p_message_id;
    v_bytes bigint := 0;
    v_steps text[] := '{}';
    m record;
BEGIN
    WHILE v_next IS NOT NULL AND (p_most_bytes IS NULL OR v_bytes <= p_most_bytes)
    LOOP
        SELECT
            a.parent_message_id, a.role, a.parts::text AS parts, CASE WHEN a.running THEN a.generation_id END AS writer
        INTO m FROM aichat.messages AS a
        WHERE a.org_id = p_org_id AND a.message_id = v_next;
        EXIT WHEN NOT FOUND;
        v_next := m.parent_message_id;
        v_bytes := v_bytes + octet_length(m.parts);
        v_steps := v_steps || (
            '{"role":"' || m.role || '","parts":' || m.parts
                || coalesce(',"generation_id":"' || m.writer || '"', '') || '}'
        );
    END LOOP;
    RETURN '[' || coalesce((
        SELECT string_agg(s.step, ',' ORDER BY s.depth DESC) FROM unnest(v_steps) WITH ORDINALITY AS s (step, depth)
    ), '') || ']';
END
$$;
