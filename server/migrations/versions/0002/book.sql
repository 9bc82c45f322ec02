-- Puts an hour on the list of those to be summed up, until the end of the transaction at least. Turns share the row, so
-- that they wait for each other only where the first of an hour makes it. Who takes it off the list needs it alone: it
-- finds all that was booked under it, and what comes later puts the hour on the list again.
CREATE FUNCTION aichat.open_hour(p_org_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_hour timestamptz := date_trunc('hour', p_at, 'UTC');
BEGIN
    LOOP
        PERFORM FROM aichat.open_hours AS h WHERE h.org_id = p_org_id AND h.hour = v_hour FOR KEY SHARE;
        EXIT WHEN FOUND;
        INSERT INTO aichat.open_hours (org_id, hour) VALUES (p_org_id, v_hour) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END
$$;

-- Whoever closes an organisation's books takes this lock alone, and turns that are booked share it until they commit.
CREATE FUNCTION aichat.books_lock(p_org_id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('aichat.books ' || p_org_id::text, 0)
$$;

-- When a turn that ends now occurs: by the database's clock, which is the only one, and never in books that are closed,
-- should that clock have been put back. The lock comes first, and before every lock of quotas: what is booked under it
-- is there before its month can be closed.
CREATE FUNCTION aichat.booking_time(p_org_id uuid) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.books_lock(p_org_id));
    RETURN greatest(
        clock_timestamp(), (SELECT c.closed_until FROM aichat.closed_books AS c WHERE c.org_id = p_org_id)
    );
END
$$;

-- Closes an organisation's books up to a moment, itself not included, for good: waits for the turns that are just being
-- booked, and none will be booked there any more. False, and nothing is done, if that moment is yet to come.
CREATE FUNCTION aichat.close_books(p_org_id uuid, p_until timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF clock_timestamp() < p_until THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(aichat.books_lock(p_org_id));
    INSERT INTO aichat.closed_books AS c (org_id, closed_until) VALUES (p_org_id, p_until)
    ON CONFLICT (org_id) DO UPDATE SET closed_until = greatest(c.closed_until, excluded.closed_until);
    RETURN true;
END
$$;

-- Writes what a settled generation used into the books, as of p_at, which is the aichat.booking_time of this
-- transaction, and charges it to the quotas.
CREATE FUNCTION aichat.book(
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
        p_org_id, p_generation_id, g.conversation_id, g.member_id, g.key_id, g.provider, g.model, p_price_version,
        g.input_tokens, g.cache_read_tokens, g.cache_write_tokens, g.cache_write_1h_tokens, g.output_tokens,
        g.reasoning_tokens, g.web_searches, g.raw_usage,
        CASE WHEN g.usage_estimated THEN 'estimated' ELSE 'exact' END,
        CASE WHEN g.usage_estimated THEN coalesce(g.error_reason, 'USAGE_MISSING') END,
        g.cost_nano_usd, g.error_reason, p_first_delta_ms,
        least(greatest(extract(epoch FROM p_at - g.started_at) * 1000, 0), 2147483647)::integer, p_at
    );
END
$$;

-- Counts a generation that failed before it used anything, as of p_at.
CREATE FUNCTION aichat.count_failure(p_org_id uuid, p_generation_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM aichat.open_hour(p_org_id, p_at);
    INSERT INTO aichat.failures (
        org_id, generation_id, conversation_id, member_id, key_id, provider, model, error_reason, occurred_at
    )
    SELECT
        g.org_id, g.generation_id, g.conversation_id, g.member_id, g.key_id, g.provider, g.model,
        coalesce(g.error_reason, 'INTERNAL'), p_at
    FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
END
$$;
