-- Begins a turn: claims its request, stores the user's message, the generations and a place for each answer, and
-- returns the history before the message. The first answer becomes the conversation's head at once, so that the next
-- question follows it, whether it has ended by then or not. If the turn or its request began before, nothing is stored,
-- and aichat.recall_turn returns what began.
--
-- Raises AI001 if there is no such conversation, AI002 if there is no such message in it, and what
-- aichat.use_files, aichat.check_results and aichat.hold_generations raise. The last also returns unchecked.
--
-- path is JSON as text, since parsing a long history takes time. It goes back from the newest message until it exceeds
-- p.path_bytes, or to the first message. A generation's hold depends on it (aichat.hold_amount).
--
-- p: answers, one for each lane: message_id, the answer's, and generation, as aichat.begin_generation takes it (org_id,
-- member_id and key_id are those of the first); conversation_id, new_conversation; title, for a conversation that is
-- new, or that has no title when it gets its first answer; parent_message_id, null for the head; user_message_id,
-- path_bytes; parts, the message's text alone, and content, all its parts, null if that is the same; media_tokens (see
-- the column); files, the hashes of those that it uses; results, the ids of the calls that it has results for; whole:
-- whether the path has all parts; and what aichat.hold_generations takes. Servers before revision 0022 want the path's
-- text alone, and send neither content, media_tokens, files nor results. Callers that bring their own history send no
-- results, path_bytes 0 for no path, and earlier: messages to store before the user's (aichat.add_earlier); response:
-- what is kept to tell the answer as a response, request and owns_conversation.
CREATE OR REPLACE FUNCTION aichat.begin_turn(p jsonb, OUT path text, OUT known json, OUT unchecked text)
LANGUAGE plpgsql AS $$
DECLARE
    v_asked jsonb := p #> '{answers,0,generation}';
    v_org_id uuid := v_asked ->> 'org_id';
    v_member_id uuid := v_asked ->> 'member_id';
    v_conversation_id uuid := p ->> 'conversation_id';
    v_new_conversation boolean := p ->> 'new_conversation';
    v_title text := p ->> 'title';
    v_parent uuid := p ->> 'parent_message_id';
    v_user_message_id uuid := p ->> 'user_message_id';
    v_lanes integer := jsonb_array_length(p -> 'answers');
    v_earlier integer := coalesce(jsonb_array_length(p -> 'earlier'), 0);
    v_answer jsonb;
    v_generation_ids uuid[];
    v_message_ids uuid[];
    v_known uuid[];
    v_amounts bigint[];
    v_head uuid;
    v_updated timestamptz;
    v_pending_title text;
    v_now timestamptz;
    v_before record;
    v_bytes integer := 0;
    v_followed bigint := 0;
BEGIN
    PERFORM set_config('aichat.org_id', v_asked ->> 'org_id', true),
        set_config('aichat.member_id', v_asked ->> 'member_id', true);
    FOR n IN 1 .. v_lanes
    LOOP
        v_answer := p -> 'answers' -> n - 1;
        v_generation_ids[n] := v_answer #>> '{generation,generation_id}';
        v_message_ids[n] := v_answer ->> 'message_id';
        v_known[n] := aichat.claim_generation(v_answer -> 'generation', v_user_message_id);
    END LOOP;
    IF array_remove(v_known, NULL) <> '{}' THEN
        SELECT r.path, r.known, r.unchecked INTO path, known, unchecked
        FROM aichat.recall_turn(p, v_org_id, v_generation_ids, v_known) AS r;
        RETURN;
    END IF;

    IF v_new_conversation THEN
        v_now := clock_timestamp() + v_earlier * interval '1 microsecond';
        INSERT INTO aichat.conversations (
            org_id, conversation_id, member_id, title, created_at, updated_at, head_message_id
        ) VALUES (v_org_id, v_conversation_id, v_member_id, v_title, v_now, v_now, v_message_ids[1]);
    ELSE
        -- The lock puts a conversation's turns, and a deletion, one after another; the time is read behind it, so
        -- that messages are stored in the order of their times.
        SELECT c.head_message_id, c.updated_at, CASE WHEN c.title = '' THEN v_title END
        INTO v_head, v_updated, v_pending_title FROM aichat.conversations AS c
        WHERE c.org_id = v_org_id AND c.conversation_id = v_conversation_id FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'AI001', MESSAGE = 'no such conversation';
        END IF;
        v_now := clock_timestamp() + v_earlier * interval '1 microsecond';
        IF v_parent IS NULL THEN
            v_parent := v_head;
        ELSIF NOT EXISTS (
            SELECT FROM aichat.messages AS m
            WHERE m.org_id = v_org_id AND m.message_id = v_parent AND m.conversation_id = v_conversation_id
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'AI002', MESSAGE = 'no such message in the conversation';
        END IF;
        UPDATE aichat.conversations AS c SET head_message_id = v_message_ids[1], updated_at = v_now
        WHERE c.org_id = v_org_id AND c.conversation_id = v_conversation_id;
    END IF;

    IF v_earlier > 0 THEN
        v_parent := aichat.add_earlier(
            p -> 'earlier', v_org_id, v_member_id, v_conversation_id, v_parent,
            v_now - v_earlier * interval '1 microsecond'
        );
    END IF;
    INSERT INTO aichat.messages (
        org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, content, media_tokens, state,
        running, generation_id, created_at
    ) VALUES (
        v_org_id, v_user_message_id, v_conversation_id, v_parent, v_member_id, 'user', p -> 'parts',
        nullif(p -> 'content', 'null'), coalesce((p ->> 'media_tokens')::integer, 0), 'complete', false, NULL, v_now
    ), (
        v_org_id, v_message_ids[1], v_conversation_id, v_user_message_id, v_member_id, 'assistant', '[]', NULL, 0,
        'interrupted', true, v_generation_ids[1], v_now + interval '1 microsecond'
    );
    FOR n IN 1 .. v_lanes
    LOOP
        IF n > 1 THEN
            INSERT INTO aichat.messages (
                org_id, message_id, conversation_id, parent_message_id, member_id, role, parts, state, running,
                generation_id, created_at
            ) VALUES (
                v_org_id, v_message_ids[n], v_conversation_id, v_user_message_id, v_member_id, 'assistant', '[]',
                'interrupted', true, v_generation_ids[n], v_now + n * interval '1 microsecond'
            );
        END IF;
        INSERT INTO aichat.turns (
            org_id, generation_id, conversation_id, user_message_id, message_id, new_conversation, pending_title,
            head_before, updated_before, earlier
        ) VALUES (
            v_org_id, v_generation_ids[n], v_conversation_id, v_user_message_id, v_message_ids[n], v_new_conversation,
            v_pending_title, v_head, v_updated,
            CASE WHEN v_earlier > 0 THEN
                ARRAY (SELECT (e.value ->> 'message_id')::uuid FROM jsonb_array_elements(p -> 'earlier') AS e (value))
            END
        );
    END LOOP;
    IF p ? 'response' THEN
        INSERT INTO aichat.responses (org_id, generation_id, conversation_id, owns_conversation, request)
        VALUES (
            v_org_id, v_generation_ids[1], v_conversation_id, (p #>> '{response,owns_conversation}')::boolean,
            p #> '{response,request}'
        );
    END IF;
    IF p ->> 'files' <> '[]' THEN
        PERFORM aichat.use_files(v_org_id, v_user_message_id, p -> 'files');
    END IF;
    IF v_parent IS NOT NULL AND p ->> 'path_bytes' IS DISTINCT FROM '0' THEN
        v_before := aichat.path_to(
            v_org_id, v_parent, (p ->> 'path_bytes')::bigint, coalesce((p ->> 'whole')::boolean, false)
        );
        path := v_before.path;
        v_bytes := least(octet_length(path) + v_before.media_tokens, 2147483647);
    END IF;
    -- Only if the path has a tool call can the parent wait for results.
    IF p ->> 'results' <> '[]' OR (p ? 'results' AND strpos(path, '"type": "tool_call"') > 0) THEN
        PERFORM aichat.check_results(v_org_id, v_parent, p -> 'results');
    END IF;

    IF strpos(path, '"generation_id"') > 0 THEN
        -- What answers that are being written can cost is more than it costs to show them.
        SELECT coalesce(sum(h.amount_nano_usd), 0) INTO v_followed FROM aichat.holds AS h
        JOIN aichat.messages AS m ON m.org_id = h.org_id AND m.generation_id = h.generation_id
        WHERE h.org_id = v_org_id AND m.conversation_id = v_conversation_id;
    END IF;
    -- The path is stored and shown as JSON, which is longer than its text by more than vendors add to each message. A
    -- token of a file is held as a byte.
    FOR n IN 1 .. v_lanes
    LOOP
        v_amounts[n] := aichat.hold_amount(
            p -> 'answers' -> n - 1 -> 'generation' -> 'hold', v_bytes, v_followed
        );
    END LOOP;
    unchecked := aichat.hold_generations(
        p, v_org_id, v_member_id, (v_asked ->> 'key_id')::uuid, v_generation_ids, v_amounts
    );
END
$$;

-- Begins a turn for servers before revision 0020. The revision after 0020 may drop it.
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
    v_known json;
    g aichat.generations;
BEGIN
    SELECT b.path, b.known, b.unchecked INTO path, v_known, unchecked FROM aichat.begin_turn(jsonb_build_object(
        'conversation_id', p_conversation_id, 'new_conversation', p_new_conversation, 'title', p_title,
        'parent_message_id', p_parent_message_id, 'user_message_id', p_user_message_id, 'parts', p_parts,
        'path_bytes', p_path_bytes, 'lease_seconds', p_lease_seconds, 'hold_seconds', p_hold_seconds,
        'fail_closed', p_fail_closed,
        'answers', jsonb_build_array(jsonb_build_object('message_id', p_message_id, 'generation', jsonb_build_object(
            'org_id', p_org_id, 'member_id', p_member_id, 'key_id', p_key_id, 'generation_id', p_generation_id,
            'model', p_model, 'provider', p_provider, 'options', p_options, 'sink', 'message',
            'hold', jsonb_build_object('known', p_hold_known, 'history', p_hold_history, 'most', p_hold_most),
            'claim', CASE WHEN p_request_id IS NOT NULL THEN jsonb_build_object(
                'request_id', p_request_id, 'lane', 0, 'fingerprint', encode(p_fingerprint, 'hex')
            ) END
        )))
    )) AS b;
    IF v_known IS NOT NULL THEN
        SELECT * INTO g FROM aichat.generations AS r
        WHERE r.org_id = p_org_id AND r.generation_id = (v_known #>> '{0,generation_id}')::uuid;
        IF g.generation_id = p_generation_id THEN
            g.fingerprint := p_fingerprint;
        END IF;
        earlier := aichat.known_turn(g);
    END IF;
END
$$;

-- Begins a turn for servers before revision 0019, which need the whole path. The revision after 0020 may drop it.
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
