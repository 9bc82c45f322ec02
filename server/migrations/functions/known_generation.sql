-- What is known of a generation. Its usage is one value, with a count for each kind.
CREATE OR REPLACE FUNCTION aichat.known_generation(g aichat.generations) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
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
        'cost_nano_usd', g.cost_nano_usd
    )
$$;
