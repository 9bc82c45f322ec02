-- Returns the stored answer of a turn as servers before revision 0020 know it; null if there is none, or not yet. The
-- revision after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.answer(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    -- The message alone comes first. A plan made while the tables are nearly empty, and kept while they grow, would
    -- otherwise look through all generations of the organisation.
    WITH m AS MATERIALIZED (
        SELECT * FROM aichat.messages AS a
        WHERE a.org_id = p_org_id AND a.message_id = p_message_id AND NOT a.running
    )
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
    FROM m
    JOIN aichat.generations AS g ON g.org_id = p_org_id AND g.generation_id = m.generation_id
$$;
