-- Returns the messages that lead to the given one, and that message, as a JSON list: all from the conversation's first,
-- or as many of the newest as exceed p_most_bytes (null: no limit). An answer that is being written comes with its
-- generation.
--
-- The JSON is built as text, which costs a third of the database's JSON functions.
CREATE OR REPLACE FUNCTION aichat.path_to(p_org_id uuid, p_message_id uuid, p_most_bytes bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE path AS (
        SELECT
            m.parent_message_id, m.role, m.parts::text AS parts, 0 AS depth,
            octet_length(m.parts::text)::bigint AS bytes,
            CASE WHEN m.running THEN m.generation_id END AS generation_id
        FROM aichat.messages AS m
        WHERE m.org_id = p_org_id AND m.message_id = p_message_id
        UNION ALL
        SELECT
            m.parent_message_id, m.role, m.parts::text, path.depth + 1, path.bytes + octet_length(m.parts::text),
            CASE WHEN m.running THEN m.generation_id END
        FROM path
        JOIN aichat.messages AS m ON m.org_id = p_org_id AND m.message_id = path.parent_message_id
        WHERE p_most_bytes IS NULL OR path.bytes <= p_most_bytes
    )
    SELECT '[' || coalesce(string_agg(
        '{"role":"' || role || '","parts":' || parts
            || coalesce(',"generation_id":"' || generation_id || '"', '') || '}',
        ',' ORDER BY depth DESC
    ), '') || ']'
    FROM path
$$;
