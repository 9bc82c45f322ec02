-- Returns a generation as one value. usage has a count for each kind. place says where in a conversation its answer is,
-- by ids and times; it is empty without a conversation. parts is the text of the answer as stored, or all parts of one
-- that is kept for retries; null if no answer is stored, or not yet. content has all parts of the answer, and is null
-- if those are the same. calls_tools and left_out: see the columns. t: how the generation belongs to a conversation
-- (aichat.turn_of); null if it does not.
CREATE OR REPLACE FUNCTION aichat.known_generation(g aichat.generations, t aichat.turns) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
    m record;
BEGIN
    IF g.sink = 'retries' THEN
        SELECT k.parts, NULL::jsonb AS content, NULL::uuid AS member_id, NULL::timestamptz AS created_at INTO m
        FROM aichat.kept_answers AS k WHERE k.org_id = g.org_id AND k.generation_id = g.generation_id;
    ELSE
        SELECT a.parts, a.content, a.member_id, a.created_at INTO m FROM aichat.messages AS a
        WHERE a.org_id = g.org_id AND a.message_id = t.message_id AND NOT a.running;
    END IF;
    RETURN json_build_object(
        'generation_id', g.generation_id,
        'sink', g.sink,
        'fingerprint', coalesce(
            (SELECT encode(r.fingerprint, 'hex') FROM aichat.requests AS r
             WHERE r.org_id = g.org_id AND r.generation_id = g.generation_id),
            CASE WHEN g.request_id IS NOT NULL THEN encode(g.fingerprint, 'hex') END
        ),
        'model', g.model,
        'requested_model', coalesce(g.requested_model, g.model),
        'provider', g.provider,
        'state', g.state,
        'error_reason', g.error_reason,
        'error_message', g.error_message,
        'stop_reason', g.stop_reason,
        'calls_tools', g.calls_tools,
        'left_out', g.left_out,
        'usage', json_build_object(
            'input_tokens', g.input_tokens,
            'cache_read_tokens', g.cache_read_tokens,
            'cache_write_tokens', g.cache_write_tokens,
            'cache_write_1h_tokens', g.cache_write_1h_tokens,
            'output_tokens', g.output_tokens,
            'reasoning_tokens', g.reasoning_tokens,
            'web_searches', g.web_searches,
            'estimated', g.usage_estimated
        ),
        'cost_nano_usd', g.cost_nano_usd,
        'place', json_strip_nulls(json_build_object(
            'conversation_id', t.conversation_id,
            'user_message_id', t.user_message_id,
            'message_id', t.message_id,
            'parent_message_id', CASE WHEN m.created_at IS NOT NULL THEN t.user_message_id END,
            'member_id', m.member_id,
            'created_at', m.created_at
        )),
        -- The empty place of an answer that left no trace stays if a question follows it.
        'parts', CASE
            WHEN coalesce(m.content, m.parts) <> '[]' OR g.state NOT IN ('failed', 'interrupted') THEN m.parts
        END,
        'content', m.content
    );
END
$$;
