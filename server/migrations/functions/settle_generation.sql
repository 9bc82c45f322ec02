-- Ends a generation that runs: ends its lease and its hold, stores its usage and its charge, and books both. ended:
-- whether it did so; a generation that has ended is not changed. left_trace: whether more than the record remains. A
-- generation that failed without an answer leaves no trace, nor does one that was stopped before it used anything.
-- model and provider become those that answered, perhaps a fallback, and set the price.
--
-- What it used goes into the ledger. A generation that failed and used nothing is counted as a failure. One that did
-- not complete is charged at most its hold, and one that ends after its hold has expired at most what its hard quotas
-- have left.
--
-- p: see aichat.end_generation. The caller sets the tenant.
CREATE OR REPLACE FUNCTION aichat.settle_generation(
    p jsonb, OUT g aichat.generations, OUT ended boolean, OUT left_trace boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_generation_id uuid := p ->> 'generation_id';
    v_state text := p ->> 'state';
    u jsonb := p -> 'usage';
    v_used boolean := greatest(
        0, (u ->> 'web_searches')::bigint, (u ->> 'input_tokens')::bigint, (u ->> 'cache_read_tokens')::bigint,
        (u ->> 'cache_write_tokens')::bigint, (u ->> 'cache_write_1h_tokens')::bigint, (u ->> 'output_tokens')::bigint
    ) > 0;
    v_hold record;
    v_cost bigint := p ->> 'cost_nano_usd';
    v_now timestamptz;
BEGIN
    ended := false;
    left_trace := v_state = 'complete' OR NOT (p ->> 'is_empty')::boolean
        OR (v_state NOT IN ('failed', 'interrupted') AND v_used);
    SELECT * INTO g FROM aichat.generations AS r
    WHERE r.org_id = v_org_id AND r.generation_id = v_generation_id FOR NO KEY UPDATE;
    IF g.state IS DISTINCT FROM 'running' THEN
        RETURN;
    END IF;
    -- The lease before the hold, as where both are renewed.
    IF (p ->> 'orphan')::boolean THEN
        PERFORM FROM aichat.leases AS l
        WHERE l.org_id = v_org_id AND l.generation_id = v_generation_id AND l.expires_at <= now() FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    ELSE
        DELETE FROM aichat.leases AS l WHERE l.org_id = v_org_id AND l.generation_id = v_generation_id;
    END IF;
    DELETE FROM aichat.holds AS h WHERE h.org_id = v_org_id AND h.generation_id = v_generation_id
    RETURNING h.amount_nano_usd, h.expires_at INTO v_hold;

    v_now := aichat.booking_time(v_org_id);
    IF v_state <> 'complete' THEN
        v_cost := least(v_cost, v_hold.amount_nano_usd);
    END IF;
    IF v_hold.expires_at <= v_now THEN
        v_cost := least(v_cost, aichat.quota_left(v_org_id, g.member_id, g.key_id, v_now));
    END IF;
    UPDATE aichat.generations AS r SET
        state = v_state,
        requested_model = CASE WHEN r.model <> p ->> 'model' THEN r.model END,
        model = p ->> 'model',
        provider = p ->> 'provider',
        stop_reason = CASE WHEN p ->> 'stop_reason' = 'tool_use' THEN 'other' ELSE p ->> 'stop_reason' END,
        calls_tools = coalesce(p ->> 'stop_reason' = 'tool_use', false),
        input_tokens = coalesce((u ->> 'input_tokens')::bigint, 0),
        cache_read_tokens = coalesce((u ->> 'cache_read_tokens')::bigint, 0),
        cache_write_tokens = coalesce((u ->> 'cache_write_tokens')::bigint, 0),
        cache_write_1h_tokens = coalesce((u ->> 'cache_write_1h_tokens')::bigint, 0),
        output_tokens = coalesce((u ->> 'output_tokens')::bigint, 0),
        reasoning_tokens = coalesce((u ->> 'reasoning_tokens')::bigint, 0),
        web_searches = coalesce((u ->> 'web_searches')::bigint, 0),
        usage_estimated = coalesce((u ->> 'estimated')::boolean, false),
        raw_usage = p -> 'raw_usage',
        cost_nano_usd = v_cost,
        error_reason = p ->> 'error_reason',
        error_message = p ->> 'error_message',
        left_out = nullif(p -> 'left_out', 'null'),
        pending_title = NULL,
        options = r.options - '{system_prompt,tools,response_format}'::text[],
        request_id = CASE WHEN left_trace THEN r.request_id END,
        ended_at = v_now
    WHERE r.org_id = v_org_id AND r.generation_id = v_generation_id
    RETURNING r.* INTO g;

    IF v_state = 'complete' OR v_used THEN
        PERFORM aichat.book(
            v_org_id, v_generation_id, (p ->> 'price_version')::timestamptz, (p ->> 'first_delta_ms')::integer, v_now
        );
    ELSE
        PERFORM aichat.count_failure(v_org_id, v_generation_id, v_now);
    END IF;
    ended := true;
END
$$;
