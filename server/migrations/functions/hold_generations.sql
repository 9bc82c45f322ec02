-- Sets aside what generations may come to cost, and leases them: they begin together. Raises AI003 if that could bring
-- their owner above a quota (aichat.check_quotas), and AI004 if the quotas could not be checked, with p.fail_closed.
-- Without it the generations begin all the same, marked, and the answer is why; otherwise null.
--
-- p: lease_seconds, hold_seconds, fail_closed. A lease lasts for the first, and a hold for the second beyond.
--
-- Call it last: from here on, what begins at once waits for each other, where there are quotas.
CREATE OR REPLACE FUNCTION aichat.hold_generations(
    p jsonb, p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_ids uuid[], p_amounts bigint[]
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_lease interval := make_interval(secs => (p ->> 'lease_seconds')::double precision);
    v_hold interval := make_interval(secs => (p ->> 'hold_seconds')::double precision);
    v_amount bigint := p_amounts[1];
    v_unchecked text;
BEGIN
    IF cardinality(p_amounts) > 1 THEN
        v_amount := (SELECT sum(a.amount) FROM unnest(p_amounts) AS a (amount));
    END IF;
    BEGIN
        PERFORM aichat.check_quotas(p_org_id, p_member_id, p_key_id, v_amount);
    EXCEPTION
        WHEN SQLSTATE 'AI003' THEN
            RAISE;
        WHEN OTHERS THEN
            IF (p ->> 'fail_closed')::boolean THEN
                RAISE EXCEPTION USING ERRCODE = 'AI004', MESSAGE = 'quotas not checked: ' || SQLERRM;
            END IF;
            v_unchecked := SQLERRM;
            UPDATE aichat.generations AS g SET quota_unchecked = true
            WHERE g.org_id = p_org_id AND g.generation_id = ANY (p_generation_ids);
    END;
    INSERT INTO aichat.holds (org_id, generation_id, member_id, key_id, amount_nano_usd, expires_at)
    SELECT p_org_id, h.generation_id, p_member_id, p_key_id, h.amount, clock_timestamp() + v_lease + v_hold
    FROM unnest(p_generation_ids, p_amounts) AS h (generation_id, amount);
    INSERT INTO aichat.leases (org_id, generation_id, expires_at)
    SELECT p_org_id, l.generation_id, clock_timestamp() + v_lease
    FROM unnest(p_generation_ids) AS l (generation_id);
    RETURN v_unchecked;
END
$$;
