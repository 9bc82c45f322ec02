-- The messages that lead to the given one, and it, as a JSON list: all from the conversation's first on, or as many
-- of the newest as it takes to have more than p_most_bytes; null: there is no such bound. Of an answer that is being
-- written it tells the generation that writes it.
--
-- JSON is put together as text, which costs a third of what the database's functions for it do.
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
