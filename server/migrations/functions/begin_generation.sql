-- Begins a generation: claims its request, stores it, holds what it can cost, and leases it. If the request began
-- another generation before, or if this one has ended, nothing begins, and known is that generation
-- (aichat.known_generation). If this generation began before and runs, its reply was lost: it has begun, and known is
-- null.
--
-- unchecked: why the quotas could not be checked; null if they were. Raises what aichat.hold_generations raises.
--
-- p: org_id, member_id, key_id, generation_id, model, provider, options, sink; hold (aichat.hold_amount); claim, null
-- or request_id, lane and fingerprint (hexadecimal); and what aichat.hold_generations takes.
CREATE OR REPLACE FUNCTION aichat.begin_generation(p jsonb, OUT known json, OUT unchecked text)
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_member_id uuid := p ->> 'member_id';
    v_generation_id uuid := p ->> 'generation_id';
    v_known uuid;
    g aichat.generations;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    v_known := aichat.claim_generation(p, NULL);
    IF v_known IS NULL THEN
        unchecked := aichat.hold_generations(
            p, v_org_id, v_member_id, (p ->> 'key_id')::uuid, ARRAY[v_generation_id],
            ARRAY[aichat.hold_amount(p -> 'hold', 0, 0)]
        );
        RETURN;
    END IF;
    SELECT * INTO g FROM aichat.generations AS r WHERE r.org_id = v_org_id AND r.generation_id = v_known;
    IF v_known = v_generation_id AND g.state = 'running' THEN
        unchecked := CASE WHEN g.quota_unchecked THEN 'the reply that says why was lost' END;
    ELSE
        known := aichat.known_generation(g, NULL);
    END IF;
END
$$;
