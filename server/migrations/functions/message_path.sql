-- The messages from the conversation's first to the given one, in order.
CREATE OR REPLACE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE path AS (
        SELECT m.parent_message_id, m.role, m.parts, 0 AS depth
        FROM aichat.messages AS m
        WHERE m.org_id = p_org_id AND m.message_id = p_message_id
        UNION ALL
        SELECT m.parent_message_id, m.role, m.parts, path.depth + 1
        FROM path
        JOIN aichat.messages AS m ON m.org_id = p_org_id AND m.message_id = path.parent_message_id
    )
    SELECT coalesce(json_agg(json_build_object('role', role, 'parts', parts) ORDER BY depth DESC), '[]')
    FROM path
$$;
