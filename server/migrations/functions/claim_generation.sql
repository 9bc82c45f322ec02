-- Stores a generation that begins, and claims its lane of the request, if p names one. Returns null if it stored it. If
-- the generation began before, as after a lost reply, or if the request began another one, it stores nothing and
-- returns the generation that began. Concurrent calls wait for each other, and one of them begins.
--
-- p: see aichat.begin_generation. p_user_message_id: the question, if there is one. Workers before revision 0020 need
-- it to count what the model was shown; the revision after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.claim_generation(p jsonb, p_user_message_id uuid) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_generation_id uuid := p ->> 'generation_id';
    v_claim jsonb := p -> 'claim';
    v_request_id uuid := v_claim ->> 'request_id';
    v_lane smallint := v_claim ->> 'lane';
    v_known uuid;
BEGIN
    INSERT INTO aichat.generations (
        org_id, generation_id, member_id, key_id, model, provider, options, sink, user_message_id, state, started_at
    ) VALUES (
        v_org_id, v_generation_id, (p ->> 'member_id')::uuid, (p ->> 'key_id')::uuid, p ->> 'model', p ->> 'provider',
        p -> 'options', p ->> 'sink',
        p_user_message_id, 'running', now()
    ) ON CONFLICT (org_id, generation_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN v_generation_id;
    END IF;
    IF v_request_id IS NULL THEN
        RETURN NULL;
    END IF;

    LOOP
        INSERT INTO aichat.requests (org_id, request_id, lane, generation_id, fingerprint)
        SELECT v_org_id, v_request_id, v_lane, v_generation_id, decode(v_claim ->> 'fingerprint', 'hex')
        -- Servers before revision 0020 claimed requests in the generation's row, and knew no lanes.
        WHERE v_lane > 0 OR NOT EXISTS (
            SELECT FROM aichat.generations AS g WHERE g.org_id = v_org_id AND g.request_id = v_request_id
        )
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN NULL;
        END IF;
        v_known := coalesce(
            (SELECT r.generation_id FROM aichat.requests AS r
             WHERE r.org_id = v_org_id AND r.request_id = v_request_id AND r.lane = v_lane),
            (SELECT g.generation_id FROM aichat.generations AS g
             WHERE g.org_id = v_org_id AND g.request_id = v_request_id AND v_lane = 0)
        );
        EXIT WHEN v_known IS NOT NULL;
        -- Its generation ended without a trace and released it in between: claim it.
    END LOOP;
    DELETE FROM aichat.generations AS g WHERE g.org_id = v_org_id AND g.generation_id = v_generation_id;
    RETURN v_known;
END
$$;
