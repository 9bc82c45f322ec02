-- Books what a settled generation used in the ledger, as of p_at, which is the aichat.booking_time of this transaction,
-- and charges it to the quotas.
CREATE OR REPLACE FUNCTION aichat.book(
    p_org_id uuid, p_generation_id uuid, p_price_version timestamptz, p_first_delta_ms integer, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    g record;
BEGIN
    SELECT * INTO g FROM aichat.generations WHERE org_id = p_org_id AND generation_id = p_generation_id;
    PERFORM aichat.charge_quotas(p_org_id, g.member_id, g.key_id, p_generation_id, g.cost_nano_usd, p_at);
    PERFORM aichat.open_hour(p_org_id, p_at);
    INSERT INTO aichat.usage_events (
        org_id, generation_id, conversation_id, member_id, key_id, provider, model, price_version, input_tokens,
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, web_searches,
        raw_usage, quality, estimate_reason, cost_nano_usd, error_reason, first_delta_ms, duration_ms, occurred_at
    ) VALUES (
        p_org_id, p_generation_id, (aichat.turn_of(p_org_id, p_generation_id)).conversation_id,
        g.member_id, g.key_id, g.provider, g.model, p_price_version,
        g.input_tokens, g.cache_read_tokens, g.cache_write_tokens, g.cache_write_1h_tokens, g.output_tokens,
        g.reasoning_tokens, g.web_searches, g.raw_usage,
        CASE WHEN g.usage_estimated THEN 'estimated' ELSE 'exact' END,
        CASE WHEN g.usage_estimated THEN coalesce(g.error_reason, 'USAGE_MISSING') END,
        g.cost_nano_usd, g.error_reason, p_first_delta_ms,
        least(greatest(extract(epoch FROM p_at - g.started_at) * 1000, 0), 2147483647)::integer, p_at
    );
END
$$;
