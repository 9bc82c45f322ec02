-- Ends a generation of a conversation (aichat.settle_generation), stores its answer as a message, and returns it
-- (aichat.known_generation). If it leaves no trace, the question is deleted (aichat.take_back). If the conversation was
-- deleted meanwhile, no message is stored. Ending it again changes nothing. Returns null if there is no such
-- generation, or, with orphan, if its lease has not expired.
--
-- p: as for aichat.end_generation, with the answer as far as it came: parts, its text alone, and content, all its
-- parts, null if that is the same. A complete answer may be empty.
CREATE OR REPLACE FUNCTION aichat.end_turn(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    t aichat.turns;
    s record;
    v_there boolean;
    v_placed boolean;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    t := aichat.turn_of(v_org_id, (p ->> 'generation_id')::uuid);
    -- As in begin_turn: the lock first, then the time.
    PERFORM FROM aichat.conversations AS c
    WHERE c.org_id = v_org_id AND c.conversation_id = t.conversation_id FOR NO KEY UPDATE;
    v_there := FOUND;
    SELECT * INTO s FROM aichat.settle_generation(p);
    IF coalesce((s.g).state, 'running') = 'running' THEN
        RETURN NULL;
    ELSIF NOT s.ended THEN
        RETURN aichat.known_generation(s.g, t);
    END IF;

    IF t.pending_title IS NOT NULL THEN
        UPDATE aichat.turns AS r SET pending_title = NULL
        WHERE r.org_id = v_org_id AND r.generation_id = t.generation_id;
    END IF;
    IF NOT s.left_trace AND v_there THEN
        PERFORM aichat.take_back(t);
    ELSIF NOT s.left_trace THEN
        DELETE FROM aichat.requests AS r WHERE r.org_id = v_org_id AND r.generation_id = (s.g).generation_id;
    END IF;
    IF NOT v_there THEN
        RETURN aichat.known_generation(s.g, t);
    END IF;

    UPDATE aichat.messages AS m SET
        parts = coalesce(nullif(p -> 'parts', 'null'), '[]'), content = nullif(p -> 'content', 'null'),
        state = (s.g).state, running = false,
        -- Listed by their times, messages stand behind what they follow.
        created_at = CASE
            WHEN EXISTS (
                SELECT FROM aichat.messages AS child
                WHERE child.org_id = v_org_id AND child.parent_message_id = t.message_id
            ) THEN m.created_at ELSE (s.g).ended_at
        END
    WHERE m.org_id = v_org_id AND m.message_id = t.message_id;
    v_placed := FOUND;
    IF s.left_trace THEN
        IF NOT v_placed THEN
            -- A server of a version that gave answers their place at their end has begun it.
            INSERT INTO aichat.messages (
                org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, content, state,
                generation_id, created_at
            ) VALUES (
                v_org_id, t.message_id, t.conversation_id, t.user_message_id, (s.g).member_id, 'assistant',
                coalesce(nullif(p -> 'parts', 'null'), '[]'), nullif(p -> 'content', 'null'), (s.g).state,
                t.generation_id, (s.g).ended_at
            );
        END IF;
        UPDATE aichat.conversations AS c SET
            head_message_id = CASE WHEN v_placed THEN c.head_message_id ELSE t.message_id END,
            updated_at = (s.g).ended_at,
            title = CASE WHEN c.title = '' THEN coalesce(t.pending_title, '') ELSE c.title END
        WHERE c.org_id = v_org_id AND c.conversation_id = t.conversation_id;
    END IF;
    RETURN aichat.known_generation(s.g, t);
END
$$;

-- Ends a turn for servers and workers before revision 0020. The revision after 0020 may drop it.
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
    v_known json;
BEGIN
    v_known := aichat.end_turn(
        jsonb_build_object(
            'org_id', p_org_id, 'member_id', p_member_id, 'generation_id', p_generation_id, 'model', p_model,
            'provider', p_provider, 'state', p_state, 'parts', p_parts, 'is_empty', p_parts IS NULL,
            'stop_reason', p_stop_reason, 'raw_usage', p_raw_usage, 'cost_nano_usd', p_cost_nano_usd,
            'price_version', p_price_version, 'error_reason', p_error_reason, 'error_message', p_error_message,
            'first_delta_ms', p_first_delta_ms, 'orphan', p_orphan
        ) || jsonb_build_object('usage', jsonb_build_object(
            'input_tokens', p_input_tokens, 'cache_read_tokens', p_cache_read_tokens,
            'cache_write_tokens', p_cache_write_tokens, 'cache_write_1h_tokens', p_cache_write_1h_tokens,
            'output_tokens', p_output_tokens, 'reasoning_tokens', p_reasoning_tokens,
            'web_searches', p_web_searches, 'estimated', p_usage_estimated
        ))
    );
    RETURN CASE WHEN v_known ->> 'parts' IS NOT NULL THEN
        aichat.answer(p_org_id, (v_known #>> '{place,message_id}')::uuid)
    END;
END
$$;
