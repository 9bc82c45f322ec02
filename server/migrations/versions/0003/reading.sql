-- The stored answer of a turn, as one value; null if there is none.
CREATE FUNCTION aichat.answer(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'message_id', m.message_id,
        'conversation_id', m.conversation_id,
        'parent_message_id', m.parent_message_id,
        'member_id', m.member_id,
        'parts', m.parts,
        'state', m.state,
        'created_at', m.created_at,
        'generation_id', g.generation_id,
        'model', g.model,
        'stop_reason', g.stop_reason,
        'input_tokens', g.input_tokens,
        'cache_read_tokens', g.cache_read_tokens,
        'cache_write_tokens', g.cache_write_tokens,
        'cache_write_1h_tokens', g.cache_write_1h_tokens,
        'output_tokens', g.output_tokens,
        'reasoning_tokens', g.reasoning_tokens,
        'web_searches', g.web_searches,
        'usage_estimated', g.usage_estimated,
        'cost_nano_usd', g.cost_nano_usd
    )
    FROM aichat.messages AS m
    JOIN aichat.generations AS g ON g.org_id = m.org_id AND g.generation_id = m.generation_id
    WHERE m.org_id = p_org_id AND m.message_id = p_message_id
$$;

-- What is known of a generation's turn.
CREATE FUNCTION aichat.known_turn(g aichat.generations) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'generation_id', g.generation_id,
        'conversation_id', g.conversation_id,
        'user_message_id', g.user_message_id,
        'message_id', g.message_id,
        'fingerprint', encode(g.fingerprint, 'hex'),
        'model', g.model,
        'requested_model', coalesce(g.requested_model, g.model),
        'provider', g.provider,
        'state', g.state,
        'error_reason', g.error_reason,
        'error_message', g.error_message,
        'answer', aichat.answer(g.org_id, g.message_id)
    )
$$;

-- What a known request_id began; null if it is not known.
CREATE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.known_turn(g) FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;

-- The turn of a generation; null if the organisation has no such generation.
CREATE FUNCTION aichat.find_turn(p_org_id uuid, p_generation_id uuid) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true);
    RETURN (
        SELECT aichat.known_turn(g) FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id
    );
END
$$;

-- The messages from the conversation's first to the given one, in order.
CREATE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
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
