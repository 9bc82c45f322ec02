-- Ends a turn: settles the generation and stores the answer, if p_parts holds any; returns the stored answer, or
-- null. A whole answer may be without a word. A turn that failed without one leaves only its generation, without its
-- request_id, so that it can be sent again; so does one that was stopped before anything came of it. Ending a turn
-- again changes nothing. The generation becomes the model's that answered, which may be a fallback, and by which it
-- is priced.
--
-- What it used goes into the books; a turn that failed and used nothing is counted as a failure. A turn that did not
-- complete is charged at most what was held for it. One that ends after its hold is charged at most what its hard
-- quotas have left.
--
-- p_orphan: the turn ends only if its lease is over, since whoever wrote it may be alive after all. The lease stays
-- until all that there is to do about an orphan is done.
CREATE OR REPLACE FUNCTION aichat.end_turn(
    p_org_id uuid, p_member_id uuid, p_generation_id uuid, p_conversation_id uuid, p_user_message_id uuid,
    p_message_id uuid, p_state text, p_parts jsonb, p_stop_reason text, p_input_tokens bigint,
    p_cache_read_tokens bigint, p_cache_write_tokens bigint, p_output_tokens bigint, p_reasoning_tokens bigint,
    p_usage_estimated boolean, p_raw_usage jsonb, p_cost_nano_usd bigint, p_price_version timestamptz,
    p_error_reason text, p_error_message text, p_model text, p_provider text, p_cache_write_1h_tokens bigint,
    p_web_searches bigint, p_first_delta_ms integer, p_orphan boolean
) RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
    v_used boolean := greatest(
        p_web_searches, p_input_tokens, p_cache_read_tokens, p_cache_write_tokens, p_cache_write_1h_tokens,
        p_output_tokens
    ) > 0;
    v_without_trace boolean := p_parts IS NULL AND (p_state IN ('failed', 'interrupted') OR NOT v_used)
        AND p_state <> 'complete';
    g aichat.generations;
    v_placed boolean;
    v_there boolean;
    v_hold record;
    v_cost bigint := p_cost_nano_usd;
    v_now timestamptz;
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true), set_config('aichat.member_id', p_member_id::text, true);

    SELECT * INTO g FROM aichat.generations AS r
    WHERE r.org_id = p_org_id AND r.generation_id = p_generation_id AND r.state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN aichat.answer(p_org_id, p_message_id);
    END IF;
    -- The lease before the hold, as where both are renewed.
    IF p_orphan THEN
        PERFORM FROM aichat.leases AS l
        WHERE l.org_id = p_org_id AND l.generation_id = p_generation_id AND l.expires_at <= now() FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    ELSE
        DELETE FROM aichat.leases AS l WHERE l.org_id = p_org_id AND l.generation_id = p_generation_id;
    END IF;
    DELETE FROM aichat.holds AS h WHERE h.org_id = p_org_id AND h.generation_id = p_generation_id
    RETURNING h.amount_nano_usd, h.expires_at INTO v_hold;

    -- As in begin_turn: the lock first, then the time.
    PERFORM FROM aichat.conversations AS c
    WHERE c.org_id = p_org_id AND c.conversation_id = p_conversation_id FOR NO KEY UPDATE;
    v_there := FOUND;
    v_now := aichat.booking_time(p_org_id);
    IF p_state <> 'complete' THEN
        v_cost := least(v_cost, v_hold.amount_nano_usd);
    END IF;
    IF v_hold.expires_at <= v_now THEN
        v_cost := least(v_cost, aichat.quota_left(p_org_id, g.member_id, g.key_id, v_now));
    END IF;
    UPDATE aichat.generations AS r SET
        state = p_state,
        requested_model = CASE WHEN r.model <> p_model THEN r.model END,
        model = p_model,
        provider = p_provider,
        stop_reason = p_stop_reason,
        input_tokens = p_input_tokens,
        cache_read_tokens = p_cache_read_tokens,
        cache_write_tokens = p_cache_write_tokens,
        cache_write_1h_tokens = p_cache_write_1h_tokens,
        output_tokens = p_output_tokens,
        reasoning_tokens = p_reasoning_tokens,
        web_searches = p_web_searches,
        usage_estimated = p_usage_estimated,
        raw_usage = p_raw_usage,
        cost_nano_usd = v_cost,
        error_reason = p_error_reason,
        error_message = p_error_message,
        pending_title = NULL,
        head_before = NULL,
        updated_before = NULL,
        options = r.options - 'system_prompt',
        request_id = CASE WHEN v_without_trace THEN NULL ELSE r.request_id END,
        ended_at = v_now
    WHERE r.org_id = p_org_id AND r.generation_id = p_generation_id;

    IF p_state = 'complete' OR v_used THEN
        PERFORM aichat.book(p_org_id, p_generation_id, p_price_version, p_first_delta_ms, v_now);
    ELSE
        PERFORM aichat.count_failure(p_org_id, p_generation_id, v_now);
    END IF;
    IF NOT v_there THEN
        RETURN NULL;
    END IF;

    IF v_without_trace THEN
        PERFORM aichat.take_back(g);
    END IF;
    UPDATE aichat.messages AS m SET
        parts = coalesce(p_parts, '[]'), state = p_state, running = false,
        -- Listed by their times, messages stand behind what they follow.
        created_at = CASE
            WHEN EXISTS (
                SELECT FROM aichat.messages AS child
                WHERE child.org_id = p_org_id AND child.parent_message_id = p_message_id
            ) THEN m.created_at ELSE v_now
        END
    WHERE m.org_id = p_org_id AND m.message_id = p_message_id;
    v_placed := FOUND;
    IF v_without_trace THEN
        RETURN NULL;
    END IF;

    IF NOT v_placed THEN
        -- A server of a version that gave answers their place at their end has begun it.
        INSERT INTO aichat.messages (
            org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, state, generation_id,
            created_at
        ) VALUES (
            p_org_id, p_message_id, p_conversation_id, p_user_message_id, p_member_id, 'assistant',
            coalesce(p_parts, '[]'), p_state, p_generation_id, v_now
        );
    END IF;
    UPDATE aichat.conversations AS c SET
        head_message_id = CASE WHEN v_placed THEN c.head_message_id ELSE p_message_id END,
        updated_at = v_now,
        title = CASE WHEN c.title = '' THEN coalesce(g.pending_title, '') ELSE c.title END
    WHERE c.org_id = p_org_id AND c.conversation_id = p_conversation_id;
    RETURN aichat.answer(p_org_id, p_message_id);
END
$$;
