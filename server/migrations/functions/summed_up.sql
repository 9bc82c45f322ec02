-- Returns the correct rows of some hours of one organisation.
CREATE OR REPLACE FUNCTION aichat.summed_up(p_org_id uuid, p_hours timestamptz[]) RETURNS SETOF aichat.usage_hourly
LANGUAGE sql STABLE AS $$
    SELECT
        p_org_id, h.hour, u.provider, u.model, u.member_id, u.key_id, u.error_reason, sum(u.turns),
        sum(u.estimated_turns), sum(u.input_tokens)::bigint, sum(u.cache_read_tokens)::bigint,
        sum(u.cache_write_tokens)::bigint, sum(u.cache_write_1h_tokens)::bigint, sum(u.output_tokens)::bigint,
        sum(u.reasoning_tokens)::bigint, sum(u.web_searches)::bigint, sum(u.cost_nano_usd)::bigint,
        coalesce(
            array_agg(u.first_delta_ms ORDER BY u.first_delta_ms) FILTER (WHERE u.first_delta_ms IS NOT NULL), '{}'
        ),
        coalesce(array_agg(u.duration_ms ORDER BY u.duration_ms) FILTER (WHERE u.duration_ms IS NOT NULL), '{}')
    FROM unnest(p_hours) AS h (hour)
    CROSS JOIN LATERAL aichat.usage_between(p_org_id, h.hour, h.hour + interval '1 hour') AS u
    GROUP BY h.hour, u.provider, u.model, u.member_id, u.key_id, u.error_reason
$$;
