-- The messages from the conversation's first to the given one, in order. Of an answer that is being written it tells the
-- generation that writes it.
CREATE OR REPLACE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE path AS (
        SELECT m.parent_message_id, m.role, m.parts, m.running, m.generation_id, 0 AS depth
        FROM aichat.messages AS m
        WHERE m.org_id = p_org_id AND m.message_id = p_message_id
        UNION ALL
        SELECT m.parent_message_id, m.role, m.parts, m.running, m.generation_id, path.depth + 1
        FROM path
        JOIN aichat.messages AS m ON m.org_id = p_org_id AND m.message_id = path.parent_message_id
    )
    SELECT coalesce(json_agg(
        CASE
            WHEN running THEN json_build_object('role', role, 'parts', parts, 'generation_id', generation_id)
            ELSE json_build_object('role', role, 'parts', parts)
        END ORDER BY depth DESC
    ), '[]')
    FROM path
$$;
