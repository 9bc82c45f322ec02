-- Holds what generations can cost, and leases them. Raises AI003 if the cost could exceed a quota
-- (aichat.check_quotas). If the quotas cannot be checked, it raises AI004 with p.fail_closed; otherwise it marks the
-- generations, lets them begin and returns the reason. Returns null if the quotas were checked.
--
-- p: lease_seconds, hold_seconds, fail_closed. A hold lasts hold_seconds longer than its lease.
--
-- Call it last: where there are quotas, concurrent calls wait for each other from here on.
CREATE OR REPLACE FUNCTION aichat.hold_generations(
    p jsonb, p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_ids uuid[], p_amounts bigint[]
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_lease interval := make_interval(secs => (p ->> 'lease_seconds')::double precision);
    v_hold interval := make_interval(secs => (p ->> 'hold_seconds')::double precision);
    v_amount bigint := 0;
    v_unchecked text;
    v_now timestamptz;
BEGIN
    FOR n IN 1 .. cardinality(p_amounts)
    LOOP
        v_amount := v_amount + p_amounts[n];
    END LOOP;
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
    v_now := clock_timestamp();
    FOR n IN 1 .. cardinality(p_generation_ids)
    LOOP
        INSERT INTO aichat.holds (org_id, generation_id, member_id, key_id, amount_nano_usd, expires_at)
        VALUES (p_org_id, p_generation_ids[n], p_member_id, p_key_id, p_amounts[n], v_now + v_lease + v_hold);
        INSERT INTO aichat.leases (org_id, generation_id, expires_at)
        VALUES (p_org_id, p_generation_ids[n], v_now + v_lease);
    END LOOP;
    RETURN v_unchecked;
END
$$;
