-- Begins a turn: claims the request_id, stores the user's message, the place of the answer and the generation, and
-- returns the history that the message follows. The answer becomes the conversation's head at once, so that the next
-- question follows it, whether it has ended by then or not. A known request_id stores nothing and returns what it began
-- before. A known generation_id is that of a call whose reply was lost: it stores nothing either, and a turn that still
-- runs is returned as it was then. SQLSTATE AI001: no such conversation; AI002: no such message in it; AI003: over a
-- quota (aichat.check_quotas); AI004: the quotas could not be checked, and p_fail_closed. Without p_fail_closed the turn
-- then goes on, marked, and unchecked says why.
--
-- The path is JSON, and goes back from the newest message until it has p_path_bytes, or to the first one.
--
-- What it may come to cost is held: p_hold_known, and p_hold_history for each million bytes of the path, but at most
-- p_hold_most, if that is there. Its lease lasts p_lease_seconds, and the hold p_hold_seconds longer.
CREATE OR REPLACE FUNCTION aichat.begin_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_request_id uuid, p_fingerprint bytea, p_conversation_id uuid,
    p_new_conversation boolean, p_title text, p_parent_message_id uuid, p_user_message_id uuid, p_message_id uuid,
    p_generation_id uuid, p_model text, p_provider text, p_parts jsonb, p_options jsonb,
    p_hold_known bigint, p_hold_history bigint, p_hold_most bigint, p_lease_seconds double precision,
    p_hold_seconds double precision, p_fail_closed boolean, p_path_bytes bigint,
    OUT path text, OUT earlier json, OUT unchecked text
)
LANGUAGE plpgsql AS $$
DECLARE
    v_head uuid;
    v_updated timestamptz;
    v_parent uuid := p_parent_message_id;
    v_now timestamptz;
    v_hold bigint;
    v_begun aichat.generations;
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
        ) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        SELECT * INTO v_begun FROM aichat.generations AS r
        WHERE r.org_id = p_org_id AND r.generation_id = p_generation_id;
        IF v_begun.state = 'running' THEN
            path := (
                SELECT aichat.path_to(p_org_id, m.parent_message_id, p_path_bytes) FROM aichat.messages AS m
                WHERE m.org_id = p_org_id AND m.message_id = p_user_message_id AND m.parent_message_id IS NOT NULL
            );
            unchecked := CASE WHEN v_begun.quota_unchecked THEN 'the reply that says why was lost' END;
            RETURN;
        ELSIF FOUND THEN
            earlier := aichat.known_turn(v_begun);
            RETURN;
        END IF;
        earlier := aichat.earlier_turn(p_org_id, p_request_id);
        IF earlier IS NOT NULL THEN
            RETURN;
        END IF;
        -- It ended in between without a trace and gave its request_id back: claim it.
    END LOOP;

    IF p_new_conversation THEN
        v_now := clock_timestamp();
        INSERT INTO aichat.conversations (
            org_id, conversation_id, member_id, title, created_at, updated_at, head_message_id
        ) VALUES (p_org_id, p_conversation_id, p_member_id, p_title, v_now, v_now, p_message_id);
    ELSE
        -- The lock puts a conversation's turns, and a deletion, one after another; the time is read behind it, so
        -- that messages are stored in the order of their times.
        SELECT c.head_message_id, c.updated_at INTO v_head, v_updated FROM aichat.conversations AS c
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
        UPDATE aichat.conversations AS c SET head_message_id = p_message_id, updated_at = v_now
        WHERE c.org_id = p_org_id AND c.conversation_id = p_conversation_id;
        UPDATE aichat.generations AS g SET head_before = v_head, updated_before = v_updated
        WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
    END IF;

    INSERT INTO aichat.messages (
        org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, state, running, generation_id,
        created_at
    ) VALUES (
        p_org_id, p_user_message_id, p_conversation_id, v_parent, p_member_id, 'user', p_parts, 'complete', false, NULL,
        v_now
    ), (
        p_org_id, p_message_id, p_conversation_id, p_user_message_id, p_member_id, 'assistant', '[]', 'interrupted',
        true, p_generation_id, v_now + interval '1 microsecond'
    );
    IF v_parent IS NOT NULL THEN
        path := aichat.path_to(p_org_id, v_parent, p_path_bytes);
    END IF;

    -- Last, since turns at once wait for each other from here on, where there are quotas. The path is stored and shown
    -- as JSON, which is longer than its text by more than vendors add to each message.
    v_hold := p_hold_known + ceil(coalesce(octet_length(path), 0) * p_hold_history::numeric / 1000000);
    IF strpos(path, '"generation_id"') > 0 THEN
        -- What answers that are being written may come to cost is more than it costs to show them.
        v_hold := v_hold + (
            SELECT coalesce(sum(h.amount_nano_usd), 0) FROM aichat.holds AS h
            JOIN aichat.generations AS g ON g.org_id = h.org_id AND g.generation_id = h.generation_id
            WHERE h.org_id = p_org_id AND g.conversation_id = p_conversation_id
        );
    END IF;
    v_hold := least(v_hold, p_hold_most);
    BEGIN
        PERFORM aichat.check_quotas(p_org_id, p_member_id, p_key_id, v_hold);
    EXCEPTION
        WHEN SQLSTATE 'AI003' THEN
            RAISE;
        WHEN OTHERS THEN
            IF p_fail_closed THEN
                RAISE EXCEPTION USING ERRCODE = 'AI004', MESSAGE = 'quotas not checked: ' || SQLERRM;
            END IF;
            unchecked := SQLERRM;
            UPDATE aichat.generations AS g SET quota_unchecked = true
            WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
    END;
    INSERT INTO aichat.holds (org_id, generation_id, member_id, key_id, amount_nano_usd, expires_at)
    VALUES (
        p_org_id, p_generation_id, p_member_id, p_key_id, v_hold,
        clock_timestamp() + make_interval(secs => p_lease_seconds + p_hold_seconds)
    );
    INSERT INTO aichat.leases (org_id, generation_id, expires_at)
    VALUES (p_org_id, p_generation_id, clock_timestamp() + make_interval(secs => p_lease_seconds));
END
$$;

-- Begins a turn as servers of the version before do, which are shown the whole path.
CREATE OR REPLACE FUNCTION aichat.begin_turn(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_request_id uuid, p_fingerprint bytea, p_conversation_id uuid,
    p_new_conversation boolean, p_title text, p_parent_message_id uuid, p_user_message_id uuid, p_message_id uuid,
    p_generation_id uuid, p_model text, p_provider text, p_parts jsonb, p_options jsonb,
    p_hold_known bigint, p_hold_history bigint, p_hold_most bigint, p_lease_seconds double precision,
    p_hold_seconds double precision, p_fail_closed boolean,
    OUT path json, OUT earlier json, OUT unchecked text
)
LANGUAGE sql AS $$
    SELECT b.path::json, b.earlier, b.unchecked FROM aichat.begin_turn(
        p_org_id, p_member_id, p_key_id, p_request_id, p_fingerprint, p_conversation_id, p_new_conversation, p_title,
        p_parent_message_id, p_user_message_id, p_message_id, p_generation_id, p_model, p_provider, p_parts, p_options,
        p_hold_known, p_hold_history, p_hold_most, p_lease_seconds, p_hold_seconds, p_fail_closed, NULL
    ) AS b
$$;
