-- The stored answer of a turn, as one value; null if there is none.
CREATE FUNCTION aichat.answer(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
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
        'output_tokens', g.output_tokens,
        'reasoning_tokens', g.reasoning_tokens,
        'usage_estimated', g.usage_estimated,
        'cost_nano_usd', g.cost_nano_usd
    )
    FROM aichat.messages AS m
    JOIN aichat.generations AS g ON g.org_id = m.org_id AND g.generation_id = m.generation_id
    WHERE m.org_id = p_org_id AND m.message_id = p_message_id
$$;

-- What a known request_id began; null if it is not known.
CREATE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'generation_id', g.generation_id,
        'conversation_id', g.conversation_id,
        'user_message_id', g.user_message_id,
        'message_id', g.message_id,
        'fingerprint', encode(g.fingerprint, 'hex'),
        'model', g.model,
        'provider', g.provider,
        'state', g.state,
        'error_reason', g.error_reason,
        'error_message', g.error_message,
        'answer', aichat.answer(g.org_id, g.message_id)
    )
    FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;

-- The messages from the conversation's first to the given one, in order.
CREATE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE path AS (
        SELECT m.parent_message_id, m.role, m.parts, 0 AS depth
        FROM aichat.messages AS m
        WHERE m.org_id = p_org_id AND m.message_id = p_message_id
        UNION ALL
        SELECT m.parent_message_id, m.role, m.parts, path.depth + 1
        FROM path
        JOIN aichat.messages AS m ON m.org_id = p_org_id AND m.message_id = path.parent_message_id
    )
    SELECT coalesce(json_agg(json_build_object('role', role, 'parts', parts) ORDER BY depth DESC), '[]')
    FROM path
$$;

-- Begins a turn: claims the request_id, stores the user's message and the generation, and returns the history that
-- the message follows. A known request_id stores nothing and returns what it began before. SQLSTATE AI001: no such
-- conversation; AI002: no such message in it.
CREATE FUNCTION aichat.begin_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_request_id uuid, p_fingerprint bytea, p_conversation_id uuid,
    p_new_conversation boolean, p_title text, p_parent_message_id uuid, p_user_message_id uuid, p_message_id uuid,
    p_generation_id uuid, p_model text, p_provider text, p_parts jsonb, p_options jsonb,
    OUT path json, OUT earlier json
)
LANGUAGE plpgsql AS $$
DECLARE
    v_head uuid;
    v_parent uuid := p_parent_message_id;
    v_now timestamptz;
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true), set_config('aichat.member_id', p_member_id::text, true);

    LOOP
        INSERT INTO aichat.generations (
            org_id, generation_id, conversation_id, user_message_id, message_id, member_id, key_id, request_id,
            fingerprint, model, provider, options, new_conversation, pending_title, state, started_at
        ) VALUES (
            p_org_id, p_generation_id, p_conversation_id, p_user_message_id, p_message_id, p_member_id, p_key_id,
            p_request_id, p_fingerprint, p_model, p_provider, p_options, p_new_conversation,
            (SELECT p_title FROM aichat.conversations AS c
             WHERE c.org_id = p_org_id AND c.conversation_id = p_conversation_id AND c.title = ''),
            'running', now()
        ) ON CONFLICT (org_id, request_id) WHERE request_id IS NOT NULL DO NOTHING;
        EXIT WHEN FOUND;
        earlier := aichat.earlier_turn(p_org_id, p_request_id);
        IF earlier IS NOT NULL THEN
            RETURN;
        END IF;
        -- It ended in between without a trace and gave its request_id back: claim it.
    END LOOP;

    IF p_new_conversation THEN
        v_now := clock_timestamp();
        INSERT INTO aichat.conversations (org_id, conversation_id, member_id, title, created_at, updated_at)
        VALUES (p_org_id, p_conversation_id, p_member_id, p_title, v_now, v_now);
    ELSE
        -- The lock puts a conversation's turns, and a deletion, one after another; the time is read behind it, so
        -- that messages are stored in the order of their times.
        SELECT c.head_message_id INTO v_head FROM aichat.conversations AS c
        WHERE c.org_id = p_org_id AND c.conversation_id = p_conversation_id FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'AI001', MESSAGE = 'no such conversation';
        END IF;
        v_now := clock_timestamp();
        IF v_parent IS NULL THEN
            v_parent := v_head;
        ELSIF NOT EXISTS (
            SELECT FROM aichat.messages AS m
            WHERE m.org_id = p_org_id AND m.message_id = v_parent AND m.conversation_id = p_conversation_id
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'AI002', MESSAGE = 'no such message in the conversation';
        END IF;
    END IF;

    INSERT INTO aichat.messages (
        org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, state, created_at
    ) VALUES (
        p_org_id, p_user_message_id, p_conversation_id, v_parent, p_member_id, 'user', p_parts, 'complete', v_now
    );
    IF v_parent IS NOT NULL THEN
        path := aichat.message_path(p_org_id, v_parent);
    END IF;
END
$$;
