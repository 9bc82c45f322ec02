-- Returns the messages that lead to the given one, and that message. path is a JSON list: all from the conversation's
-- first, or as many of the newest as exceed p_most_bytes (null: no limit). An answer that is being written comes with
-- its generation. The oldest of several says how many messages are before it, and about how many bytes those have, if
-- there are any. media_tokens is the most that vendors count for the files that the path only names. Without p_whole,
-- the messages have their text alone, for servers before revision 0022.
--
-- One look-up a message costs a fifth of a recursive query. The JSON is built as text, which costs a third of the
-- database's JSON functions. The plan is kept while the table grows, so it must use the index even if it was made while
-- the table was nearly empty.
CREATE OR REPLACE FUNCTION aichat.path_to(
    p_org_id uuid, p_message_id uuid, p_most_bytes bigint, p_whole boolean, OUT path text, OUT media_tokens bigint
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    v_next uuid := p_message_id;
    v_bytes bigint := 0;
    v_steps text[] := '{}';
    v_before bigint := 0;
    v_bytes_before bigint := 0;
    m record;
BEGIN
    media_tokens := 0;
    WHILE v_next IS NOT NULL AND (p_most_bytes IS NULL OR v_bytes <= p_most_bytes)
    LOOP
        SELECT
            a.parent_message_id, a.role, a.media_tokens,
            (CASE WHEN p_whole AND a.content IS NOT NULL THEN a.content ELSE a.parts END)::text AS parts,
            CASE WHEN a.running THEN a.generation_id END AS writer
        INTO m FROM aichat.messages AS a
        WHERE a.org_id = p_org_id AND a.message_id = v_next;
        EXIT WHEN NOT FOUND;
        v_next := m.parent_message_id;
        v_bytes := v_bytes + octet_length(m.parts);
        media_tokens := media_tokens + m.media_tokens;
        v_steps := v_steps || (
            '{"role":"' || m.role || '","parts":' || m.parts
                || coalesce(',"generation_id":"' || m.writer || '"', '') || '}'
        );
    END LOOP;
    WHILE v_next IS NOT NULL AND p_whole AND p_most_bytes IS NOT NULL
    LOOP
        -- The sizes as stored, since reading what is not shown would take long.
        SELECT
            a.parent_message_id, coalesce(pg_column_size(a.content), pg_column_size(a.parts)) AS bytes
        INTO m FROM aichat.messages AS a
        WHERE a.org_id = p_org_id AND a.message_id = v_next;
        EXIT WHEN NOT FOUND;
        v_next := m.parent_message_id;
        v_before := v_before + 1;
        v_bytes_before := v_bytes_before + m.bytes;
    END LOOP;
    IF v_before > 0 THEN
        v_steps[cardinality(v_steps)] := left(v_steps[cardinality(v_steps)], -1)
            || format(',"before":{"messages":%s,"bytes":%s}}', v_before, v_bytes_before);
    END IF;
    path := '[' || coalesce((
        SELECT string_agg(s.step, ',' ORDER BY s.depth DESC) FROM unnest(v_steps) WITH ORDINALITY AS s (step, depth)
    ), '') || ']';
END
$$;

-- Only a begin_turn of servers before revision 0022 calls it, if it waited for the migration's locks. The revision
-- after 0022 may drop it.
CREATE OR REPLACE FUNCTION aichat.path_to(p_org_id uuid, p_message_id uuid, p_most_bytes bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT t.path FROM aichat.path_to(p_org_id, p_message_id, p_most_bytes, false) AS t
$$;
