-- Returns what an organisation's turns used between two moments: one row each, as aichat.usage_hourly sums them.
CREATE OR REPLACE FUNCTION aichat.usage_between(p_org_id uuid, p_from timestamptz, p_until timestamptz)
RETURNS TABLE (
    occurred_at timestamptz, conversation_id uuid, provider text, model text, member_id uuid, key_id uuid,
    error_reason text, turns integer, estimated_turns integer, input_tokens bigint, cache_read_tokens bigint,
    cache_write_tokens bigint, cache_write_1h_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
    web_searches bigint, cost_nano_usd bigint, first_delta_ms integer, duration_ms integer
)
LANGUAGE sql STABLE AS $$
    SELECT
        e.occurred_at, e.conversation_id, e.provider, e.model, e.member_id,
        coalesce(e.key_id, '00000000-0000-0000-0000-000000000000'), coalesce(e.error_reason, ''), 1,
        (e.quality = 'estimated')::integer, e.input_tokens, e.cache_read_tokens, e.cache_write_tokens,
        e.cache_write_1h_tokens, e.output_tokens, e.reasoning_tokens, e.web_searches, e.cost_nano_usd, e.first_delta_ms,
        e.duration_ms
    FROM aichat.usage_events AS e
    WHERE e.org_id = p_org_id AND e.occurred_at >= p_from AND e.occurred_at < p_until
    UNION ALL
    SELECT
        f.occurred_at, f.conversation_id, f.provider, f.model, f.member_id,
        coalesce(f.key_id, '00000000-0000-0000-0000-000000000000'), f.error_reason, 1,
        0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL
    FROM aichat.failures AS f
    WHERE f.org_id = p_org_id AND f.occurred_at >= p_from AND f.occurred_at < p_until
$$;
